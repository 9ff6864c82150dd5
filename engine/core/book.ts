/**
 * One instrument: the lists of its resting orders and waiting stops, its trading state, and what puts orders there and takes them out. Every
 * operation is constant in the number of orders; see {@link PriceLadder} for what prices far from the market cost. Nothing is allocated for a
 * command, except what the store needs to grow. (Numbers of 2^31 and more are boxed by V8 where they cross a call that it does not inline: 16 bytes
 * each, seen only with such ids, prices and quantities.)
 */
import { indicate } from './auction-price.ts';
import { Band } from './band.ts';
import { DISPLAY, EXPIRY, HIDDEN, LIMIT_PRICE, type Extras, type Terms } from './extras.ts';
import type { Holdings } from './holdings.ts';
import { PriceLadder } from './ladder.ts';
import type { LevelPool } from './level-pool.ts';
import { RECORD, type OrderPool } from './order-pool.ts';
import type { OrderStore } from './order-store.ts';
import type { RiskLimits } from './risk.ts';
import * as types from './types.ts';
import type { BookOrder, BookView, Indication, Level, Side, TradingState } from './types.ts';

// V8 reads an imported binding, and checks it, at every use; a constant of the module itself it folds.
const { FLAGS_SHIFT, HAS_EXTRAS, HOLDING, LEVEL, LOTS, NEXT } = RECORD;
const { BUY, SELL, TRADING } = types;

/** The lists of a book: a side for what rests, STOPS + side for what waits. */
export const STOPS = 2;
/** Ladders of an instrument; the number of a ladder is instrument × LADDERS + list. */
export const LADDERS = 4;

export class OrderBook implements BookView {
  readonly instrument: number;
  state: TradingState = TRADING;
  untilMicros = 0;
  lastTradeTicks = 0;
  limits: RiskLimits;
  readonly band = new Band();
  /** By list. */
  readonly ladders: readonly PriceLadder[];
  readonly #store: OrderStore;
  readonly #orders: OrderPool;
  readonly #levels: LevelPool;
  readonly #extras: Extras;
  readonly #holdings: Holdings;

  /** A book of `store`, in which its books stand by `instrument`, from 0. */
  constructor(store: OrderStore, instrument: number, limits: RiskLimits) {
    this.instrument = instrument;
    this.limits = limits;
    this.#store = store;
    this.#orders = store.orders;
    this.#levels = store.levels;
    this.#extras = store.extras;
    this.#holdings = store.holdings;
    this.ladders = Array.from({ length: LADDERS }, (_, list) => new PriceLadder(store.levels, instrument * LADDERS + list));
    store.ladders.push(...this.ladders);
  }

  /** Bytes of this book alone, its orders and levels not counted. */
  get bytes(): number {
    return this.ladders.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  get openOrders(): number {
    return this.ladders.reduce((sum, { orders }) => sum + orders, 0);
  }

  ladder(list: number): PriceLadder {
    // An array rather than a field a list: which side it is no processor can foretell, and a wrong guess costs as much as twenty reads.
    return this.ladders[list] as PriceLadder;
  }

  /** Whether one more order can be open in a list, after taking memory for it if need be. */
  hasRoom(list: number): boolean {
    return this.#store.hasRoom() && this.ladder(list).reserve();
  }

  /** Puts a new id behind all others of its price. `terms` is read only when `flags` say that there are some. */
  rest(id: number, side: Side, priceTicks: number, lots: number, holding: number, flags: number, terms: Terms): void {
    const hidden = (flags & HAS_EXTRAS) !== 0 && terms.displayLots > 0 && terms.displayLots < lots ? lots - terms.displayLots : 0;
    this.restShowing(id, side, priceTicks, lots - hidden, hidden, holding, flags, terms);
  }

  /** The same with the lots that are shown and hidden; hidden ones need extras. */
  restShowing(
    id: number,
    side: Side,
    priceTicks: number,
    shownLots: number,
    hiddenLots: number,
    holding: number,
    flags: number,
    terms: Terms,
  ): void {
    const key = side === BUY ? -priceTicks : priceTicks;
    const order = this.#store.enter(this.ladder(side), key, id, shownLots, holding, flags);
    this.#holdings.opened(holding, side, priceTicks, shownLots + hiddenLots);
    if ((flags & HAS_EXTRAS) !== 0) this.#addExtras(order, id, hiddenLots, terms);
  }

  /** Lets a new id wait behind all others of its stop price. */
  wait(id: number, side: Side, lots: number, holding: number, flags: number, terms: Terms): void {
    const key = side === BUY ? terms.stopTicks : -terms.stopTicks;
    const order = this.#store.enter(this.ladder(STOPS + side), key, id, lots, holding, flags | HAS_EXTRAS);
    const row = this.#addExtras(order, id, 0, terms);
    this.#extras.doubles[row + LIMIT_PRICE] = terms.limitTicks;
    this.#holdings.opened(holding, side, terms.valueTicks, lots);
  }

  /** Takes an order of this book out, whatever it is; gives what was left of it. */
  remove(order: number): number {
    const lots = this.remainingLots(order);
    this.#holdings.reduced(this.holdingOf(order), this.sideOf(order), this.valueTicks(order), lots);
    this.#close(order);
    return lots;
  }

  /** Lowers what remains of an order, which keeps its place: hidden lots go first. Something must remain. */
  reduce(order: number, lots: number): void {
    const hidden = this.hiddenLots(order);
    const fromHidden = Math.min(hidden, lots);
    if (fromHidden > 0) this.#extras.doubles[this.#extras.row(order) + HIDDEN] = hidden - fromHidden;
    this.take(order, lots - fromHidden);
    if (fromHidden > 0) this.#holdings.reduced(this.holdingOf(order), this.sideOf(order), this.valueTicks(order), fromHidden);
  }

  /** Changes an order that waits and keeps its place; the quantity must not rise. */
  amendWaiting(order: number, limitTicks: number, lots: number): void {
    const { doubles } = this.#orders;
    const holding = this.holdingOf(order);
    const side = this.sideOf(order);
    this.#holdings.reduced(holding, side, this.valueTicks(order), this.shownLots(order));
    doubles[(order >> 1) + LOTS] = lots;
    this.#extras.doubles[this.#extras.row(order) + LIMIT_PRICE] = limitTicks;
    this.#holdings.increased(holding, side, this.valueTicks(order), lots);
  }

  /** Takes `lots` of what an order shows. When it then shows nothing, {@link settle} must follow. */
  take(order: number, lots: number): void {
    const { doubles } = this.#orders;
    doubles[(order >> 1) + LOTS] = (doubles[(order >> 1) + LOTS] as number) - lots;
    this.#holdings.reduced(this.holdingOf(order), this.sideOf(order), this.valueTicks(order), lots);
  }

  /** Renews or closes an order that shows nothing any more. */
  settle(order: number): void {
    if (this.shownLots(order) > 0) return;
    if (this.hiddenLots(order) > 0) this.#renew(order);
    else this.#close(order);
  }

  idOf(order: number): number {
    return this.#orders.doubles[order >> 1] as number;
  }

  flagsOf(order: number): number {
    return (this.#orders.words[order + LEVEL] as number) >> FLAGS_SHIFT;
  }

  holdingOf(order: number): number {
    return this.#orders.words[order + HOLDING] as number;
  }

  sideOf(order: number): Side {
    return (this.#store.ladderAt(order) & 1) as Side;
  }

  /** In which of the four lists an order is. */
  listOf(order: number): number {
    return this.#store.ladderAt(order) & (LADDERS - 1);
  }

  /** The order behind another of the same price; 0 for none. */
  next(order: number): number {
    const next = this.#orders.words[order + NEXT] as number;
    return next === this.#store.levelOf(order) ? 0 : next;
  }

  shownLots(order: number): number {
    return this.#orders.doubles[(order >> 1) + LOTS] as number;
  }

  hiddenLots(order: number): number {
    if ((this.flagsOf(order) & HAS_EXTRAS) === 0) return 0;
    return this.#extras.doubles[this.#extras.row(order) + HIDDEN] as number;
  }

  /** What an iceberg shows at a time; 0 for an order that shows all. */
  displayLots(order: number): number {
    if ((this.flagsOf(order) & HAS_EXTRAS) === 0) return 0;
    return this.#extras.doubles[this.#extras.row(order) + DISPLAY] as number;
  }

  remainingLots(order: number): number {
    return this.shownLots(order) + this.hiddenLots(order);
  }

  /** The limit of an order that rests, the stop price of one that waits. */
  keyTicks(order: number): number {
    return Math.abs(this.#levels.key(this.#store.levelOf(order)));
  }

  /** The limit of an order that waits; 0 for one that will be a market order. */
  limitTicks(order: number): number {
    return this.#extras.doubles[this.#extras.row(order) + LIMIT_PRICE] as number;
  }

  /** What each of its lots counts in the open notional: the limit, or the stop price of a stop that will be a market order. */
  valueTicks(order: number): number {
    if ((this.#store.ladderAt(order) & STOPS) === 0) return this.keyTicks(order);
    const limitTicks = this.limitTicks(order);
    return limitTicks === 0 ? this.keyTicks(order) : limitTicks;
  }

  /** The oldest stop whose price has been reached, buying ones first; 0 when there is none. */
  reachedStop(): number {
    const last = this.lastTradeTicks;
    if (last === 0) return 0;
    const buyStops = this.ladder(STOPS + BUY);
    const sellStops = this.ladder(STOPS + SELL);
    if (buyStops.bestKey <= last) return this.#levels.head(buyStops.best);
    return sellStops.bestKey <= -last ? this.#levels.head(sellStops.best) : 0;
  }

  /** The order of a list that is next to trade, or to be triggered; 0 when it is empty. */
  first(list: number): number {
    const { best } = this.ladder(list);
    return best === 0 ? 0 : this.#levels.head(best);
  }

  /** The order that is next after another of its list; 0 for none. */
  behind(order: number): number {
    const next = this.next(order);
    if (next !== 0) return next;
    const level = this.ladder(this.listOf(order)).after(this.#store.levelOf(order));
    return level === 0 ? 0 : this.#levels.head(level);
  }

  bestTicks(side: Side): number {
    const { best, bestKey } = this.ladder(side);
    return best === 0 ? 0 : Math.abs(bestKey);
  }

  /** The levels of a list, best first, each by its price and its oldest order, until `visit` gives false. */
  eachLevel(list: number, visit: (ticks: number, firstOrder: number) => boolean): void {
    const ladder = this.ladder(list);
    for (let level = ladder.best; level !== 0; level = ladder.after(level)) {
      if (!visit(Math.abs(this.#levels.key(level)), this.#levels.head(level))) return;
    }
  }

  depth(side: Side, levels: number): Level[] {
    const answer: Level[] = [];
    if (levels <= 0) return answer;
    this.eachLevel(side, (priceTicks, first) => {
      let quantityLots = 0n;
      let orders = 0;
      for (let order = first; order !== 0; order = this.next(order)) {
        quantityLots += BigInt(this.shownLots(order));
        orders += 1;
      }
      answer.push({ priceTicks, quantityLots, orders });
      return answer.length < levels;
    });
    return answer;
  }

  orders(side: Side, most: number): BookOrder[] {
    const answer: BookOrder[] = [];
    for (let order = this.first(side); order !== 0 && answer.length < most; order = this.behind(order))
      answer.push({ orderId: this.idOf(order), priceTicks: this.keyTicks(order), quantityLots: this.shownLots(order) });
    return answer;
  }

  ordersAt(side: Side, priceTicks: number): BookOrder[] {
    const answer: BookOrder[] = [];
    const level = this.ladder(side).find(side === BUY ? -priceTicks : priceTicks);
    if (level === 0) return answer;
    for (let order = this.#levels.head(level); order !== 0; order = this.next(order))
      answer.push({ orderId: this.idOf(order), priceTicks, quantityLots: this.shownLots(order) });
    return answer;
  }

  indication(): Indication {
    return indicate(this);
  }

  /** Takes out an order whose lots have been taken from its holding. */
  #close(order: number): void {
    const holding = this.holdingOf(order);
    if ((this.flagsOf(order) & HAS_EXTRAS) !== 0) this.#dropExtras(order);
    this.#store.leave(order, this.#store.levelOf(order), this.#store.ladderOf(order));
    this.#holdings.closed(holding);
  }

  /** An iceberg that has used up what it shows: shows more, behind all others of its price. */
  #renew(order: number): void {
    const { doubles } = this.#orders;
    const terms = this.#extras.doubles;
    const row = this.#extras.row(order);
    const hidden = terms[row + HIDDEN] as number;
    const shown = Math.min(terms[row + DISPLAY] as number, hidden);
    doubles[(order >> 1) + LOTS] = shown;
    terms[row + HIDDEN] = hidden - shown;
    if (this.next(order) === 0) return;
    this.#store.unlink(order);
    this.#store.append(order, this.#store.levelOf(order));
  }

  #addExtras(order: number, id: number, hiddenLots: number, terms: Terms): number {
    const extras = this.#extras;
    const row = extras.add(order, terms.session);
    extras.doubles[row + HIDDEN] = hiddenLots;
    extras.doubles[row + DISPLAY] = terms.displayLots;
    extras.doubles[row + EXPIRY] = terms.expiryMicros;
    if (terms.expiryMicros > 0) this.#store.expires(id, terms.expiryMicros);
    return row;
  }

  #dropExtras(order: number): void {
    const extras = this.#extras;
    if ((extras.doubles[extras.row(order) + EXPIRY] as number) > 0) this.#store.expiring -= 1;
    extras.remove(order);
  }
}
