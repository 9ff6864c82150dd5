/** The last updates of a stream, for those who missed some: bounded in bytes and in number. */
import { encodeMessage, type AnyFrame } from '../client/websocket-codec.ts';
import { updateOf, type Update } from './update.ts';

const MOST_UPDATES = 16_384;
const MOST_BYTES = 1024 * 1024;

export class History {
  /** Everything after this sequence is here. */
  #since: number;
  #bytes = 0;
  readonly #updates: Update[] = [];
  #first = 0;

  constructor(since: number) {
    this.#since = since;
  }

  add(update: Update): void {
    this.#updates.push(update);
    this.#bytes += update.message.length;
    while (this.#bytes > MOST_BYTES || this.#updates.length - this.#first > MOST_UPDATES) this.#drop();
  }

  /** What came after `sequence`; undefined when it is not all here. */
  after(sequence: number): Update[] | undefined {
    if (sequence < this.#since) return undefined;
    const updates: Update[] = [];
    let before = this.#since;
    for (const update of this.#updates.slice(this.#first)) {
      if (update.sequence > sequence) updates.push(before < sequence ? cut(update, sequence) : update);
      before = update.sequence;
    }
    return updates;
  }

  #drop(): void {
    const update = this.#updates[this.#first] as Update;
    this.#since = update.sequence;
    this.#bytes -= update.message.length;
    this.#first += 1;
    if (this.#first < MOST_UPDATES) return;
    this.#updates.splice(0, this.#first);
    this.#first = 0;
  }
}

/** Without the events that are known already. What tells how things are from now on stays: it may be told twice. */
function cut(update: Update, sequence: number): Update {
  const isEvent = (frame: AnyFrame): boolean => frame.frame === 'trade' || frame.frame === 'fill' || frame.frame === 'state';
  const left = update.decoded.filter((frame) => !isEvent(frame) || !('sequence' in frame) || frame.sequence > sequence);
  return left.length === update.decoded.length ? update : updateOf(encodeMessage(left), update.sequence, update.number);
}
