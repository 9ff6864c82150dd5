/** Up to where a stream of market data was heard: it goes on from there when its connection is lost. */
import type { AnyFrame, FrameOf } from './websocket-codec.ts';
import type { CHANNELS } from './websocket-frames.ts';

export type MarketDataChannel = Exclude<(typeof CHANNELS)[number], 'prices'>;

const OWN: readonly MarketDataChannel[] = ['own-orders', 'drop-copy'];
/** Of which channels frames are. */
const CHANNELS_OF: Partial<Record<AnyFrame['frame'], readonly MarketDataChannel[]>> = {
  top: ['top'],
  book: ['book'],
  bookOrder: ['orders'],
  trade: ['trades'],
  state: ['trades'],
  fill: OWN,
  orderUpdate: OWN,
};

/** Orders of all instruments are one stream, everything else is one for each instrument. */
export function isOfAccounts(channel: MarketDataChannel): boolean {
  return OWN.includes(channel);
}

export class Heard {
  readonly #channel: MarketDataChannel;
  readonly #fromSequence: number;
  /** Last sequences, by instrument. */
  readonly #sequences = new Map<number, number>();

  /** `fromSequence`: what was known before; 0 for nothing. */
  constructor(channel: MarketDataChannel, fromSequence: number) {
    this.#channel = channel;
    this.#fromSequence = fromSequence;
  }

  /** Whether nothing has been heard yet. */
  get isEmpty(): boolean {
    return this.#sequences.size === 0;
  }

  /** From where an instrument goes on; 0 for from the start. */
  of(instrument: number): number {
    return this.#sequences.get(isOfAccounts(this.#channel) ? 0 : instrument) ?? this.#fromSequence;
  }

  /** From where so many instruments go on together, without missing anything of any. */
  least(instruments: number): number {
    if (isOfAccounts(this.#channel)) return this.of(0);
    const sequences = Array.from({ length: instruments }, (_, instrument) => this.of(instrument));
    // An instrument of which nothing is known needs a snapshot, and with it all of them. Trades have none.
    const known = this.#channel === 'trades' ? sequences.filter((sequence) => sequence > 0) : sequences;
    return known.length === 0 ? 0 : Math.min(...known);
  }

  /** A stream that begins without a past goes on from here. One that has a past has yet to hear what it missed. */
  begun({ instrument, sequence }: FrameOf<'subscribed'>): void {
    if (this.of(instrument) === 0) this.#set(instrument, sequence);
  }

  hear(frame: AnyFrame): void {
    if (CHANNELS_OF[frame.frame]?.includes(this.#channel) !== true || !('sequence' in frame) || !('instrument' in frame)) return;
    this.#set(frame.instrument, Math.max(frame.sequence, this.of(frame.instrument)));
  }

  /** Whether an event was heard already: of a stream of several instruments that goes on from where the last of them was. */
  knows(frame: AnyFrame): boolean {
    return (frame.frame === 'trade' || frame.frame === 'state') && frame.sequence <= this.of(frame.instrument);
  }

  #set(instrument: number, sequence: number): void {
    this.#sequences.set(isOfAccounts(this.#channel) ? 0 : instrument, sequence);
  }
}
