/** What moves instruments from one trading state to another: commands, and the clock. */
import { tradeAuction } from './auction.ts';
import type { OrderBook } from './book.ts';
import type { CoreState } from './core-state.ts';
import type { MassCancel } from './mass-cancel.ts';
import type { OrderFlow } from './order-flow.ts';
import { ANY_ACCOUNT, AUCTION, CLOSED, DAY_END, EXPIRED, HALTED, TRADING, type EventSink, type TradingState } from './types.ts';

export class TradingStates {
  readonly #state: CoreState;
  readonly #flow: OrderFlow;
  readonly #massCancel: MassCancel;

  constructor(state: CoreState, flow: OrderFlow, massCancel: MassCancel) {
    this.#state = state;
    this.#flow = flow;
    this.#massCancel = massCancel;
  }

  set(book: OrderBook, state: TradingState, sink: EventSink): void {
    this.#move(book, state, 0, sink);
  }

  /** When an order expires or a state ends; Infinity for never. Exact. */
  nextDue(): number {
    let due = this.#state.store.nextExpiry();
    for (const { untilMicros } of this.#state.books) if (untilMicros !== 0 && untilMicros < due) due = untilMicros;
    return due;
  }

  /** Ends what is over at the time of the command. */
  advance(sink: EventSink): void {
    const { store, books } = this.#state;
    const now = store.timestampMicros;
    while (store.nextExpiry() <= now) {
      const order = store.ids.find(store.expiries.firstId);
      store.expiries.pop();
      this.#flow.cancel(order, EXPIRED, sink);
    }
    for (const book of books) {
      if (book.untilMicros === 0 || book.untilMicros > now) continue;
      const { auctionMicros } = book.band;
      if (book.state === HALTED && auctionMicros > 0) this.#move(book, AUCTION, now + auctionMicros, sink);
      else this.#move(book, TRADING, 0, sink);
    }
  }

  #move(book: OrderBook, state: TradingState, untilMicros: number, sink: EventSink): void {
    const { store } = this.#state;
    const auctionTicks = state === TRADING ? tradeAuction(book, store.holdings, store.timestampMicros, sink) : 0;
    book.state = state;
    book.untilMicros = untilMicros;
    sink.state(book.instrument, state, auctionTicks, untilMicros);
    if (state === TRADING) this.#flow.runStops(book, sink);
    else if (state === CLOSED) this.#massCancel.run(book.instrument, ANY_ACCOUNT, 0, true, DAY_END, sink);
  }
}
