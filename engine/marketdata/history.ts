/** The last updates of each stream, for those who missed some: bounded in bytes and in number, of each stream and of all together. */
import { encodeMessage, type AnyFrame } from '../client/websocket-codec.ts';
import { updateOf, type Update } from './update.ts';

/** Of one stream. */
const MOST_UPDATES = 4096;
const MOST_BYTES = 1024 * 1024;
/** Of all streams. */
const MOST_BYTES_OF_ALL = 16 * 1024 * 1024;
/** What an update takes in the heap besides its message, about. */
const UPDATE_BYTES = 320;

interface Kept {
  readonly update: Update;
  readonly history: History;
  /** In the order in which they were added, whosever they are. */
  older: Kept | undefined;
  newer: Kept | undefined;
}

/** What all histories may hold together: what is oldest goes first, whosever it is. */
export class HistoryBudget {
  readonly #mostBytes: number;
  #oldest: Kept | undefined;
  #newest: Kept | undefined;
  #bytes = 0;

  /** `mostBytes`: of messages, and of what keeping them takes. */
  constructor(mostBytes = MOST_BYTES_OF_ALL) {
    this.#mostBytes = mostBytes;
  }

  add(update: Update, history: History): Kept {
    const kept: Kept = { update, history, older: this.#newest, newer: undefined };
    if (this.#newest === undefined) this.#oldest = kept;
    else this.#newest.newer = kept;
    this.#newest = kept;
    this.#bytes += update.message.length + UPDATE_BYTES;
    return kept;
  }

  remove(kept: Kept): void {
    const { older, newer } = kept;
    if (older === undefined) this.#oldest = newer;
    else older.newer = newer;
    if (newer === undefined) this.#newest = older;
    else newer.older = older;
    kept.older = undefined;
    kept.newer = undefined;
    this.#bytes -= kept.update.message.length + UPDATE_BYTES;
  }

  /** Drops until it is kept. */
  keep(): void {
    while (this.#oldest !== undefined && this.#bytes > this.#mostBytes) this.#oldest.history.drop();
  }
}

export class History {
  readonly #budget: HistoryBudget;
  /** Everything after this sequence is here. */
  #since: number;
  #bytes = 0;
  /** Before `#first` there is nothing left. */
  #updates: (Kept | undefined)[] = [];
  #first = 0;

  constructor(since: number, budget: HistoryBudget) {
    this.#since = since;
    this.#budget = budget;
  }

  add(update: Update): void {
    // Of its own: what is decoded for those who follow now is not kept.
    this.#updates.push(this.#budget.add(update.bare(), this));
    this.#bytes += update.message.length;
    while (this.#bytes > MOST_BYTES || this.#updates.length - this.#first > MOST_UPDATES) this.drop();
    this.#budget.keep();
  }

  /** What came after `sequence`; undefined when it is not all here. */
  after(sequence: number): Update[] | undefined {
    if (sequence < this.#since) return undefined;
    const updates: Update[] = [];
    let before = this.#since;
    for (const kept of this.#updates) {
      if (kept === undefined) continue;
      const { update } = kept;
      if (update.sequence > sequence) updates.push(before < sequence ? cut(update.bare(), sequence) : update.bare());
      before = update.sequence;
    }
    return updates;
  }

  /** Forgets the oldest update. */
  drop(): void {
    const kept = this.#updates[this.#first];
    if (kept === undefined) return;
    this.#budget.remove(kept);
    this.#since = kept.update.sequence;
    this.#bytes -= kept.update.message.length;
    this.#updates[this.#first] = undefined;
    this.#first += 1;
    if (this.#first * 2 < this.#updates.length) return;
    this.#updates = this.#updates.slice(this.#first);
    this.#first = 0;
  }

  /** Gives back what it has of the budget. */
  clear(): void {
    while (this.#updates.length > 0) this.drop();
  }
}

/** Without the events that are known already. What tells how things are from now on stays: it may be told twice. */
function cut(update: Update, sequence: number): Update {
  const isEvent = (frame: AnyFrame): boolean => frame.frame === 'trade' || frame.frame === 'fill' || frame.frame === 'state';
  const left = update.decoded.filter((frame) => !isEvent(frame) || !('sequence' in frame) || frame.sequence > sequence);
  return left.length === update.decoded.length ? update : updateOf(encodeMessage(left), update.sequence, update.number);
}
