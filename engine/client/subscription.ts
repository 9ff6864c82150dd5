/** Market data as an AsyncIterable, over WebSocket or gRPC: each stream on a connection of its own, resumed from the last sequence when that is lost. */
import { EngineError } from './engine-error.ts';
import { eventOf, type EventNames, type MarketEvent } from './market-events.ts';
import type { AnyFrame } from './websocket-codec.ts';

export interface SubscribeOptions {
  /** `top`: best prices. `book`: price levels. `orders`: every order of the book. `trades`: trades and trading states. */
  readonly channel: 'top' | 'book' | 'orders' | 'trades' | 'own-orders' | 'drop-copy';
  /** All instruments without. Not looked at for `own-orders` and `drop-copy`. */
  readonly symbol?: string;
  /** Of `book`: levels of a side; all of them without. */
  readonly depth?: number;
  /** Of `own-orders`: whose. */
  readonly account?: string;
  /** Last sequence that is known, to get what was missed since; without, the stream begins with how things are. */
  readonly fromSequence?: number;
}

/** Events that may wait to be read; beyond, the stream fails with HFT_CLIENT_BUSY rather than fill the memory. */
const MOST_WAITING = 100_000;

/** Events in their order. Ends when it is closed (leaving a `for await` does); throws EngineError when it cannot go on. */
export class Subscription implements AsyncIterableIterator<MarketEvent>, AsyncDisposable {
  readonly #names: EventNames;
  readonly #stop: () => void;
  readonly #events: MarketEvent[] = [];
  #wake: (() => void) | undefined;
  #failure: EngineError | undefined;
  #isClosed = false;

  constructor(names: EventNames, stop: () => void) {
    this.#names = names;
    this.#stop = stop;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Takes frames of one message. */
  hear(frames: readonly AnyFrame[]): void {
    // Of a connection that is being closed some still comes.
    if (this.#isClosed || this.#failure !== undefined) return;
    for (const index of frames.keys()) {
      const event = eventOf(frames, index, this.#names);
      if (event !== undefined) this.#events.push(event);
    }
    if (this.#events.length > MOST_WAITING)
      this.fail(new EngineError({ code: 'HFT_CLIENT_BUSY', status: 0, message: `more than ${MOST_WAITING} events wait to be read` }));
    this.#wake?.();
  }

  /** No more comes; what waits is still given. */
  fail(cause: EngineError): void {
    this.#failure ??= cause;
    this.#stop();
    this.#wake?.();
  }

  async next(): Promise<IteratorResult<MarketEvent, undefined>> {
    for (;;) {
      const event = this.#events.shift();
      if (event !== undefined) return { done: false, value: event };
      if (this.#isClosed) return { done: true, value: undefined };
      if (this.#failure !== undefined) throw this.#failure;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  return(): Promise<IteratorResult<MarketEvent, undefined>> {
    this.close();
    return Promise.resolve({ done: true, value: undefined });
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#events.length = 0;
    this.#stop();
    this.#wake?.();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }
}
