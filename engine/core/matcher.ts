/**
 * What happens when an order meets the other side of its book. The loop holds what nearly every trade needs; icebergs, self-trades and
 * interruptions stand in methods of their own, so that it stays small enough to be compiled as one piece.
 */
import type { OrderBook } from './book.ts';
import type { Holdings } from './holdings.ts';
import type { LevelPool } from './level-pool.ts';
import { RECORD, type OrderPool } from './order-pool.ts';
import type { OrderStore } from './order-store.ts';
import * as types from './types.ts';
import type { EventSink, Reason, SelfTrade, Side } from './types.ts';

// V8 reads an imported binding, and checks it, at every use; a constant of the module itself it folds.
const { FLAGS_SHIFT, HAS_EXTRAS, HOLDING, LEVEL, LOTS, NEXT } = RECORD;
const { ALLOW, BUY, CANCEL_BOTH, CANCEL_NEWEST, CANCEL_OLDEST, CANCELLED, DECREMENT, INTERRUPTED, NO_REASON, OPEN, SELF_TRADE, SELL } =
  types;

export class Matcher {
  /** What ended the last match before the order did, in spite of the prices: SELF_TRADE, INTERRUPTED, or NO_REASON. */
  ended: Reason = NO_REASON;
  readonly #store: OrderStore;
  readonly #orders: OrderPool;
  readonly #levels: LevelPool;
  readonly #holdings: Holdings;

  constructor(store: OrderStore) {
    this.#store = store;
    this.#orders = store.orders;
    this.#levels = store.levels;
    this.#holdings = store.holdings;
  }

  /** Trades an order that arrives at `limitTicks` or better (0: at any price). Gives what is left of it; {@link ended} tells why. */
  match(
    book: OrderBook,
    takerId: number,
    side: Side,
    limitTicks: number,
    quantityLots: number,
    holding: number,
    mode: SelfTrade,
    sink: EventSink,
  ): number {
    const holdings = this.#holdings;
    const { words, doubles } = this.#orders;
    const { band } = book;
    const buying = side === BUY;
    const makerSide = buying ? SELL : BUY;
    const ladder = book.ladder(makerSide);
    const worstKey = limitTicks === 0 ? Infinity : buying ? limitTicks : -limitTicks;
    const avoided = mode === ALLOW ? -1 : holding;
    let remaining = quantityLots;
    this.ended = NO_REASON;
    while (remaining > 0) {
      const key = ladder.bestKey;
      if (key > worstKey || key === Infinity) break;
      const priceTicks = buying ? key : -key;
      if (priceTicks > band.highTicks || priceTicks < band.lowTicks) {
        this.ended = INTERRUPTED;
        break;
      }
      const maker = words[ladder.best + NEXT] as number;
      const makerHolding = words[maker + HOLDING] as number;
      if (makerHolding === avoided) {
        remaining = this.#preventSelfTrade(book, maker, mode, remaining, sink);
        if (this.ended !== NO_REASON) break;
        continue;
      }
      book.lastTradeTicks = priceTicks;
      if (band.referenceTicks === 0) band.setReference(priceTicks, this.#store.timestampMicros);
      const half = maker >> 1;
      const makerId = doubles[half] as number;
      const shown = doubles[half + LOTS] as number;
      const lots = shown > remaining ? remaining : shown;
      const left = shown - lots;
      remaining -= lots;
      doubles[half + LOTS] = left;
      holdings.reduced(makerHolding, makerSide, priceTicks, lots);
      holdings.trade(makerHolding, makerSide, priceTicks, lots);
      holdings.trade(holding, side, priceTicks, lots);
      if (((words[maker + LEVEL] as number) & (HAS_EXTRAS << FLAGS_SHIFT)) !== 0) {
        sink.fill(book.instrument, makerId, takerId, priceTicks, lots, left + book.hiddenLots(maker), remaining);
        book.settle(maker);
      } else {
        if (left === 0) {
          holdings.closed(makerHolding);
          this.#store.leave(maker, ladder.best, ladder);
        }
        sink.fill(book.instrument, makerId, takerId, priceTicks, lots, left, remaining);
      }
    }
    return remaining;
  }

  /** Whether an order that trades wholly or not at all would trade wholly now. */
  isFillable(book: OrderBook, side: Side, limitTicks: number, quantityLots: number, holding: number, mode: SelfTrade): boolean {
    const { words } = this.#orders;
    const levels = this.#levels;
    const { band } = book;
    const buying = side === BUY;
    const ladder = book.ladder(buying ? SELL : BUY);
    const worstKey = limitTicks === 0 ? Infinity : buying ? limitTicks : -limitTicks;
    const reference = band.referenceTicks === 0 ? book.bestTicks(buying ? SELL : BUY) : band.referenceTicks;
    const reach = band.reach(reference);
    let missing = quantityLots;
    for (let level = ladder.best; level !== 0; level = ladder.after(level)) {
      const key = levels.key(level);
      const priceTicks = buying ? key : -key;
      if (key > worstKey || Math.abs(priceTicks - reference) > reach) return false;
      // Before an own order that ends the taker, icebergs trade what they show only: they renew themselves behind it.
      let shown = 0;
      let all = 0;
      for (let order = levels.head(level); order !== level; order = words[order + NEXT] as number) {
        if (mode !== ALLOW && words[order + HOLDING] === holding) {
          if (mode === CANCEL_OLDEST) continue;
          return false;
        }
        shown = Math.min(missing, shown + book.shownLots(order));
        if (shown === missing) return true;
        all = Math.min(missing, all + book.remainingLots(order));
      }
      if (all === missing) return true;
      missing -= all;
    }
    return false;
  }

  /** Does what the mode of an order that arrives says about a maker of its own account; gives what is left of the order, and sets {@link ended}. */
  #preventSelfTrade(book: OrderBook, maker: number, mode: SelfTrade, taking: number, sink: EventSink): number {
    const id = book.idOf(maker);
    if (mode === DECREMENT) {
      const lots = Math.min(taking, book.shownLots(maker));
      book.take(maker, lots);
      const left = book.remainingLots(maker);
      book.settle(maker);
      sink.order(id, left, left === 0 ? CANCELLED : OPEN, SELF_TRADE);
      if (lots === taking) this.ended = SELF_TRADE;
      return taking - lots;
    }
    if (mode !== CANCEL_NEWEST) sink.order(id, book.remove(maker), CANCELLED, SELF_TRADE);
    if (mode === CANCEL_NEWEST || mode === CANCEL_BOTH) this.ended = SELF_TRADE;
    return taking;
  }
}
