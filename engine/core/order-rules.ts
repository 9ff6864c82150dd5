/** What must hold for a new order or a replacement to be accepted, in the order of docs/matching.md. Looks at everything, changes nothing. */
import { STOPS, type OrderBook } from './book.ts';
import { POST_ONLY, SELF_TRADE_MASK, SELF_TRADE_SHIFT, WIDE, type CommandSlots } from './command.ts';
import type { CoreState } from './core-state.ts';
import { outsideBand, overNotional, sweepOverNotional, type RiskLimits } from './risk.ts';
import {
  BUY,
  CLOSED,
  DAY,
  DECREMENT,
  FOK,
  GTC,
  GTD,
  HALTED,
  IOC,
  LIMIT,
  MARKET,
  MOST_ACCOUNTS,
  REJECT,
  SELL,
  STOP,
  STOP_LIMIT,
  TRADING,
  type Reject,
  type Side,
  type TradingState,
} from './types.ts';

/** Parts at most in which an iceberg shows itself. */
const MOST_SHOWINGS = 1024;

export class OrderRules {
  /** Row of the last accepted order's account in its instrument; -1 when it has none yet. */
  holding = -1;
  /** After REJECT.duplicate: the order that was sent first. */
  duplicateOf = 0;
  readonly #state: CoreState;

  constructor(state: CoreState) {
    this.#state = state;
  }

  newOrder(slots: CommandSlots, at: number): Reject {
    const { words, doubles } = slots;
    const { books, clientIds, store } = this.#state;
    const half = at >> 1;
    const instrument = words[at + 2] as number;
    if (instrument < 0 || instrument >= books.length) return REJECT.unknownInstrument;
    const account = (words[at + 3] as number) >>> 0;
    if (account >= MOST_ACCOUNTS) return REJECT.badAccount;
    const low = words[at + 12] as number;
    const high = words[at + 13] as number;
    if ((low | high) !== 0) {
      const first = clientIds.find(account, low, high);
      if (first !== 0) {
        this.duplicateOf = first;
        return REJECT.duplicate;
      }
    }
    const book = books[instrument] as OrderBook;
    const { limits } = book;
    const switches = this.#switches(account, limits);
    if (switches !== REJECT.none) return switches;
    const head = words[at] as number;
    const type = (head >>> 16) & 0xff;
    const lots = doubles[half + 4] as number;
    const priceTicks = doubles[half + 3] as number;
    if (!Number.isSafeInteger(lots) || lots <= 0) return REJECT.badQuantity;
    if ((type === LIMIT || type === STOP_LIMIT) && !isPrice(priceTicks)) return REJECT.badPrice;
    const side = ((head >>> 8) & 0xff) as Side;
    const timeInForce = head >>> 24;
    const flags = words[at + 1] as number;
    // What nearly every order is needs no closer look.
    const isPlain = type === LIMIT && (timeInForce === GTC || timeInForce === IOC) && (flags & (POST_ONLY | WIDE)) === 0;
    if (!isPlain || side > SELL || selfTradeOf(flags) > DECREMENT || book.state !== TRADING) {
      const reject = checkTerms(slots, at, book.state);
      if (reject !== REJECT.none) return reject;
    }
    const valueTicks = type === STOP ? (doubles[half + 8] as number) : priceTicks;
    const value = this.#value(book, limits, type, side, valueTicks, lots);
    if (value !== REJECT.none) return value;
    if ((flags & POST_ONLY) !== 0 && wouldTrade(book, side, priceTicks)) return REJECT.wouldTrade;
    const { holdings } = store;
    const holding = holdings.find(account, instrument);
    this.holding = holding;
    if (holding < 0 && !holdings.hasRoom()) return REJECT.noRoom;
    if (holding >= 0 && holdings.exposure(holding, side) + lots > limits.maxPositionLots) return REJECT.maxPosition;
    if (holding < 0 && lots > limits.maxPositionLots) return REJECT.maxPosition;
    if (timeInForce === IOC || timeInForce === FOK) return REJECT.none;
    if (holdings.openOrders(account) >= this.#state.maxOpenOrders) return REJECT.maxOpenOrders;
    const openNotional = holding < 0 ? 0 : holdings.openNotional(holding);
    if (openNotional + valueTicks * lots > limits.maxOpenNotional) return REJECT.maxOpenNotional;
    return book.hasRoom(type >= STOP ? STOPS + side : side) ? REJECT.none : REJECT.noRoom;
  }

  /** A replacement of an order that is open and of the right account. */
  replacement(slots: CommandSlots, at: number, order: number): Reject {
    const { doubles, words } = slots;
    const { holdings } = this.#state.store;
    const half = at >> 1;
    const book = this.#state.bookOf(order);
    const remaining = book.remainingLots(order);
    const expected = doubles[half + 6] as number;
    if (expected > 0 && expected !== remaining) return REJECT.stale;
    const newPrice = doubles[half + 3] as number;
    const newLots = doubles[half + 4] as number;
    const newStop = ((words[at + 1] as number) & WIDE) === 0 ? 0 : (doubles[half + 8] as number);
    if (!isCount(newPrice) || !isCount(newStop)) return REJECT.badPrice;
    if (!isCount(newLots)) return REJECT.badQuantity;
    const waits = book.listOf(order) >= STOPS;
    const oldPrice = waits ? book.limitTicks(order) : book.keyTicks(order);
    const oldStop = waits ? book.keyTicks(order) : 0;
    if ((newStop !== 0 && !waits) || (newPrice !== 0 && oldPrice === 0)) return REJECT.badTerms;
    const priceTicks = newPrice === 0 ? oldPrice : newPrice;
    const lots = newLots === 0 ? remaining : newLots;
    const stopTicks = newStop === 0 ? oldStop : newStop;
    const displayLots = book.displayLots(order);
    if (displayLots > 0 && hidesTooMuch(displayLots, lots)) return REJECT.badTerms;
    if (priceTicks === oldPrice && lots === remaining && stopTicks === oldStop) return REJECT.badTerms;
    if (book.state === HALTED || book.state === CLOSED) return REJECT.notInState;
    const holding = book.holdingOf(order);
    const { limits } = book;
    const switches = this.#switches(holdings.accountOf(holding), limits);
    if (switches !== REJECT.none) return switches;
    const side = book.sideOf(order);
    const type = !waits ? LIMIT : priceTicks === 0 ? STOP : STOP_LIMIT;
    const valueTicks = type === STOP ? stopTicks : priceTicks;
    const value = this.#value(book, limits, type, side, valueTicks, lots);
    if (value !== REJECT.none) return value;
    const isPostOnly = (book.flagsOf(order) & POST_ONLY) !== 0;
    if (isPostOnly && book.state === TRADING && wouldTrade(book, side, priceTicks)) return REJECT.wouldTrade;
    if (holdings.exposure(holding, side) - remaining + lots > limits.maxPositionLots) return REJECT.maxPosition;
    const openNotional = holdings.openNotional(holding) - book.valueTicks(order) * remaining;
    return openNotional + valueTicks * lots > limits.maxOpenNotional ? REJECT.maxOpenNotional : REJECT.none;
  }

  #switches(account: number, limits: RiskLimits): Reject {
    if (!limits.tradable) return REJECT.notTradable;
    return this.#state.killed || this.#state.store.holdings.isKilled(account) ? REJECT.killSwitch : REJECT.none;
  }

  /** The limits of quantity, value and price. `valueTicks` is the price that a resting or waiting order is valued at. */
  #value(book: OrderBook, limits: RiskLimits, type: number, side: Side, valueTicks: number, lots: number): Reject {
    if (lots > limits.maxOrderLots) return REJECT.maxOrderQty;
    const sweeps = type === MARKET || (type === LIMIT && side === SELL);
    if (sweeps ? sweepOverNotional(book, side, valueTicks, lots, limits) : overNotional(valueTicks, lots, limits))
      return REJECT.maxNotional;
    const { priceBandPercent } = limits;
    if (priceBandPercent === 0 || type !== LIMIT || book.lastTradeTicks === 0) return REJECT.none;
    return outsideBand(valueTicks, book.lastTradeTicks, priceBandPercent) ? REJECT.priceBand : REJECT.none;
  }
}

/** Whether the terms of a new order, whose quantity is right and whose price is where it needs one, go together, and with the state. */
function checkTerms(slots: CommandSlots, at: number, state: TradingState): Reject {
  const { words, doubles } = slots;
  const half = at >> 1;
  const head = words[at] as number;
  const flags = words[at + 1] as number;
  const type = (head >>> 16) & 0xff;
  const timeInForce = head >>> 24;
  const isWide = (flags & WIDE) !== 0;
  const stopTicks = isWide ? (doubles[half + 8] as number) : 0;
  const displayLots = isWide ? (doubles[half + 9] as number) : 0;
  const expiryMicros = isWide ? (doubles[half + 10] as number) : 0;
  const stops = type === STOP || type === STOP_LIMIT;
  if (stops && !isPrice(stopTicks)) return REJECT.badPrice;
  const canRest = timeInForce === GTC || timeInForce === GTD || timeInForce === DAY;
  const isPostOnly = (flags & POST_ONLY) !== 0;
  if (((head >>> 8) & 0xff) > SELL || type > STOP_LIMIT || timeInForce > DAY || selfTradeOf(flags) > DECREMENT) return REJECT.badTerms;
  if (type === MARKET ? canRest : stops && !canRest) return REJECT.badTerms;
  if ((type === MARKET || type === STOP) && doubles[half + 3] !== 0) return REJECT.badTerms;
  if (!stops && stopTicks !== 0) return REJECT.badTerms;
  if (!isCount(expiryMicros) || expiryMicros > 0 !== (timeInForce === GTD)) return REJECT.badTerms;
  if (!isCount(displayLots)) return REJECT.badTerms;
  if (displayLots > 0) {
    if (!canRest || (type !== LIMIT && type !== STOP_LIMIT)) return REJECT.badTerms;
    if (hidesTooMuch(displayLots, doubles[half + 4] as number)) return REJECT.badTerms;
  }
  if (isPostOnly && (type !== LIMIT || !canRest)) return REJECT.badTerms;
  if (state === HALTED || state === CLOSED) return REJECT.notInState;
  if (state !== TRADING && (!canRest || isPostOnly)) return REJECT.notInState;
  return timeInForce === GTD && expiryMicros <= (doubles[half + 2] as number) ? REJECT.expired : REJECT.none;
}

/** Whether an iceberg would show itself anew too often: each time is a trade more in one command. */
function hidesTooMuch(displayLots: number, quantityLots: number): boolean {
  return displayLots * MOST_SHOWINGS < quantityLots;
}

function selfTradeOf(flags: number): number {
  return (flags >>> SELF_TRADE_SHIFT) & SELF_TRADE_MASK;
}

function isPrice(ticks: number): boolean {
  return Number.isSafeInteger(ticks) && ticks > 0;
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

/** Whether an order would trade at once. */
function wouldTrade(book: OrderBook, side: Side, priceTicks: number): boolean {
  const best = book.bestTicks(side === BUY ? SELL : BUY);
  return best !== 0 && (side === BUY ? best <= priceTicks : best >= priceTicks);
}
