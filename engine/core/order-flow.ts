/** What happens to orders: they arrive, trade, rest, wait, are triggered, replaced, cancelled. Whether they may has been judged before. */
import { STOPS, type OrderBook } from './book.ts';
import { SELF_TRADE_MASK, SELF_TRADE_SHIFT, WIDE, type CommandSlots } from './command.ts';
import type { CoreState } from './core-state.ts';
import { Terms } from './extras.ts';
import { Matcher } from './matcher.ts';
import { COMMAND_FLAGS, IS_DAY, RECORD } from './order-pool.ts';
import {
  BUY,
  CANCELLED,
  DAY,
  FILLED,
  FOK,
  HALTED,
  IMMEDIATE,
  INTERRUPTED,
  IOC,
  NO_REASON,
  NOT_FILLABLE,
  OPEN,
  PENDING,
  SELL,
  STOP,
  TRADING,
  type EventSink,
  type Reason,
  type SelfTrade,
  type Side,
} from './types.ts';

const { HAS_EXTRAS } = RECORD;

export class OrderFlow {
  readonly #state: CoreState;
  readonly #matcher: Matcher;
  readonly #terms = new Terms();

  constructor(state: CoreState) {
    this.#state = state;
    this.#matcher = new Matcher(state.store);
  }

  /** Applies a new order, whose id is the sequence. `holding` is -1 when its account has none in the instrument yet. */
  newOrder(slots: CommandSlots, at: number, holding: number, sink: EventSink): void {
    const { words, doubles } = slots;
    const { books, store, clientIds } = this.#state;
    const half = at >> 1;
    const head = words[at] as number;
    const id = store.sequence;
    const side = ((head >>> 8) & 0xff) as Side;
    const type = (head >>> 16) & 0xff;
    const timeInForce = head >>> 24;
    const book = books[words[at + 2] as number] as OrderBook;
    const account = (words[at + 3] as number) >>> 0;
    const priceTicks = doubles[half + 3] as number;
    const lots = doubles[half + 4] as number;
    const low = words[at + 12] as number;
    const high = words[at + 13] as number;
    if ((low | high) !== 0) clientIds.add(account, low, high, id);
    const own = holding >= 0 ? holding : store.holdings.take(account, book.instrument);
    let flags = ((words[at + 1] as number) & COMMAND_FLAGS) | (timeInForce === DAY ? IS_DAY : 0);
    if (((words[at + 1] as number) & WIDE) !== 0 || words[at + 14] !== 0) flags |= this.#readTerms(slots, at);
    const trading = book.state === TRADING;
    if (trading) book.band.renewReference(book.lastTradeTicks, store.timestampMicros);
    if (type >= STOP) {
      // Adding 0 makes 0 of -0, which is a legal way to say that there is none, and must not be in the state.
      this.#terms.limitTicks = priceTicks + 0;
      if (!trading || !isReached(book, side, this.#terms.stopTicks)) {
        book.wait(id, side, lots, own, flags, this.#terms);
        sink.order(id, lots, PENDING, NO_REASON);
        return;
      }
      sink.triggered(id);
    } else if (!trading) {
      this.#rest(book, id, side, priceTicks, lots, own, flags, sink);
      return;
    } else if (timeInForce === FOK && !this.#matcher.isFillable(book, side, priceTicks, lots, own, modeOf(flags))) {
      sink.order(id, lots, CANCELLED, NOT_FILLABLE);
      return;
    }
    const rests = timeInForce !== IOC && timeInForce !== FOK && priceTicks > 0;
    this.arrive(book, id, side, priceTicks, lots, own, flags, rests, sink);
    this.runStops(book, sink);
  }

  /** Applies a replacement to an open order. */
  replace(slots: CommandSlots, at: number, order: number, sink: EventSink): void {
    const { words, doubles } = slots;
    const book = this.#state.bookOf(order);
    const half = at >> 1;
    const newPrice = doubles[half + 3] as number;
    const newLots = doubles[half + 4] as number;
    if (book.state === TRADING) book.band.renewReference(book.lastTradeTicks, this.#state.store.timestampMicros);
    const lots = newLots === 0 ? book.remainingLots(order) : newLots;
    if (book.listOf(order) >= STOPS) {
      const newStop = ((words[at + 1] as number) & WIDE) === 0 ? 0 : (doubles[half + 8] as number);
      const stopTicks = newStop === 0 ? book.keyTicks(order) : newStop;
      this.#replaceWaiting(book, order, newPrice === 0 ? book.limitTicks(order) : newPrice, lots, stopTicks, sink);
    } else {
      this.#replaceResting(book, order, newPrice === 0 ? book.keyTicks(order) : newPrice, lots, sink);
    }
    this.runStops(book, sink);
  }

  cancel(order: number, reason: Reason, sink: EventSink): void {
    const book = this.#state.bookOf(order);
    const id = book.idOf(order);
    sink.order(id, book.remove(order), CANCELLED, reason);
  }

  /** Triggers the stops that the last trade has reached, one after the other, as long as the instrument trades. */
  runStops(book: OrderBook, sink: EventSink): void {
    if ((book.ladder(STOPS + BUY).best | book.ladder(STOPS + SELL).best) === 0) return;
    while (book.state === TRADING) {
      const order = book.reachedStop();
      if (order === 0) return;
      this.#trigger(book, order, sink);
    }
  }

  #trigger(book: OrderBook, order: number, sink: EventSink): void {
    const id = book.idOf(order);
    const side = book.sideOf(order);
    const holding = book.holdingOf(order);
    const flags = this.#recall(order, book.flagsOf(order));
    const { limitTicks } = this.#terms;
    const lots = book.remove(order);
    sink.triggered(id);
    this.arrive(book, id, side, limitTicks, lots, holding, flags, limitTicks > 0, sink);
  }

  /** Trades an order as far as it can, and tells or keeps what is left of it. `limitTicks` is 0 for any price. */
  arrive(
    book: OrderBook,
    id: number,
    side: Side,
    limitTicks: number,
    lots: number,
    holding: number,
    flags: number,
    rests: boolean,
    sink: EventSink,
  ): void {
    const matcher = this.#matcher;
    const left = matcher.match(book, id, side, limitTicks, lots, holding, modeOf(flags), sink);
    if (matcher.ended !== NO_REASON) this.#endEarly(book, id, left, matcher.ended, sink);
    else if (left === 0) sink.order(id, 0, FILLED, NO_REASON);
    else if (rests) this.#rest(book, id, side, limitTicks, left, holding, flags, sink);
    else sink.order(id, left, CANCELLED, IMMEDIATE);
  }

  #rest(book: OrderBook, id: number, side: Side, priceTicks: number, lots: number, holding: number, flags: number, sink: EventSink): void {
    book.rest(id, side, priceTicks, lots, holding, flags, this.#terms);
    sink.order(id, lots, OPEN, NO_REASON);
  }

  #endEarly(book: OrderBook, id: number, left: number, reason: Reason, sink: EventSink): void {
    sink.order(id, left, CANCELLED, reason);
    if (reason !== INTERRUPTED) return;
    book.state = HALTED;
    book.untilMicros = this.#state.store.timestampMicros + book.band.haltMicros;
    sink.state(book.instrument, HALTED, 0, book.untilMicros);
  }

  #replaceWaiting(book: OrderBook, order: number, limitTicks: number, lots: number, stopTicks: number, sink: EventSink): void {
    const id = book.idOf(order);
    const side = book.sideOf(order);
    const holding = book.holdingOf(order);
    if (stopTicks === book.keyTicks(order) && lots <= book.remainingLots(order)) {
      book.amendWaiting(order, limitTicks, lots);
    } else {
      const flags = this.#recall(order, book.flagsOf(order));
      this.#terms.limitTicks = limitTicks;
      this.#terms.stopTicks = stopTicks;
      book.remove(order);
      book.wait(id, side, lots, holding, flags, this.#terms);
    }
    sink.replaced(id, limitTicks, lots, stopTicks);
  }

  #replaceResting(book: OrderBook, order: number, priceTicks: number, lots: number, sink: EventSink): void {
    const id = book.idOf(order);
    const before = book.remainingLots(order);
    if (priceTicks === book.keyTicks(order) && lots <= before) {
      book.reduce(order, before - lots);
      sink.replaced(id, priceTicks, lots, 0);
      return;
    }
    const side = book.sideOf(order);
    const holding = book.holdingOf(order);
    const flags = this.#recall(order, book.flagsOf(order));
    book.remove(order);
    sink.replaced(id, priceTicks, lots, 0);
    if (book.state === TRADING) this.arrive(book, id, side, priceTicks, lots, holding, flags, true, sink);
    else this.#rest(book, id, side, priceTicks, lots, holding, flags, sink);
  }

  /** Reads the terms of a command that has some; gives the flag that says so. */
  #readTerms(slots: CommandSlots, at: number): number {
    const { words, doubles } = slots;
    const half = at >> 1;
    const isWide = ((words[at + 1] as number) & WIDE) !== 0;
    const terms = this.#terms;
    // No -0 here either.
    terms.stopTicks = isWide ? (doubles[half + 8] as number) : 0;
    terms.displayLots = isWide ? (doubles[half + 9] as number) + 0 : 0;
    terms.expiryMicros = isWide ? (doubles[half + 10] as number) + 0 : 0;
    terms.session = (words[at + 14] as number) >>> 0;
    return terms.areLasting ? HAS_EXTRAS : 0;
  }

  /** Reads the terms of an open order that is going to leave its place; gives its flags for a place where it rests. */
  #recall(order: number, flags: number): number {
    if ((flags & HAS_EXTRAS) === 0) return flags;
    this.#state.store.extras.read(order, this.#terms);
    return this.#terms.areLasting ? flags : flags & ~HAS_EXTRAS;
  }
}

function isReached(book: OrderBook, side: Side, stopTicks: number): boolean {
  const last = book.lastTradeTicks;
  return last !== 0 && (side === BUY ? last >= stopTicks : last <= stopTicks);
}

function modeOf(flags: number): SelfTrade {
  return ((flags >> SELF_TRADE_SHIFT) & SELF_TRADE_MASK) as SelfTrade;
}
