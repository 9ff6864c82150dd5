/**
 * A price-time book in typed arrays. Every operation is constant in the number of orders; see {@link PriceLadder} for what prices far from
 * the market cost. Nothing is allocated for a command, except what the store needs to grow. (Numbers of 2^31 and more are boxed by V8
 * where they cross a call that it does not inline: 16 bytes each, seen only with such ids and quantities.)
 */
import type { IdIndex } from './id-index.ts';
import { PriceLadder } from './ladder.ts';
import type { LevelPool } from './level-pool.ts';
import { ACCOUNT, LEVEL, LOTS, NEXT, PREVIOUS, type OrderPool } from './order-pool.ts';
import type { OrderStore } from './order-store.ts';
import { BUY, SELL, type Book, type EventSink, type Level, type RestingOrder, type Side } from './types.ts';

export class LadderBook implements Book {
  lastTradeTicks = 0;
  openOrders = 0;
  readonly #store: OrderStore;
  readonly #orders: OrderPool;
  readonly #levels: LevelPool;
  readonly #ids: IdIndex;
  readonly #instrument: number;
  readonly #bids: PriceLadder;
  readonly #asks: PriceLadder;

  /** A book of `store`, in which no other book has the same `instrument`. */
  constructor(store: OrderStore, instrument: number) {
    this.#store = store;
    this.#orders = store.orders;
    this.#levels = store.levels;
    this.#ids = store.ids;
    this.#instrument = instrument;
    this.#bids = new PriceLadder(store.levels, instrument * 2 + BUY);
    this.#asks = new PriceLadder(store.levels, instrument * 2 + SELL);
  }

  /** Bytes of this book alone, its orders and levels not counted. */
  get bytes(): number {
    return this.#bids.bytes + this.#asks.bytes;
  }

  hasRoom(side: Side): boolean {
    return this.#store.hasRoom() && this.#side(side).reserve();
  }

  match(takerId: number, side: Side, limitTicks: number, quantityLots: number, sink: EventSink): number {
    const levels = this.#levels;
    const { doubles } = this.#orders;
    const buying = side === BUY;
    const ladder = buying ? this.#asks : this.#bids;
    const worstKey = limitTicks === 0 ? Infinity : buying ? limitTicks : -limitTicks;
    let remaining = quantityLots;
    while (remaining > 0) {
      const level = ladder.best;
      if (level === 0) break;
      const key = levels.keys[level] as number;
      if (key > worstKey) break;
      const priceTicks = buying ? key : -key;
      this.lastTradeTicks = priceTicks;
      const maker = levels.heads[level] as number;
      const half = maker >> 1;
      const makerId = doubles[half] as number;
      const makerLots = doubles[half + LOTS] as number;
      if (makerLots > remaining) {
        const left = makerLots - remaining;
        doubles[half + LOTS] = left;
        sink.fill(makerId, takerId, priceTicks, remaining, left);
        return 0;
      }
      remaining -= makerLots;
      this.#take(maker, makerId, ladder);
      sink.fill(makerId, takerId, priceTicks, makerLots, 0);
    }
    return remaining;
  }

  rest(id: number, account: number, side: Side, priceTicks: number, remainingLots: number): void {
    const orders = this.#orders;
    const levels = this.#levels;
    const ladder = side === BUY ? this.#bids : this.#asks;
    let order = orders.take();
    // What `check` has made sure of, replay has not.
    if (order === 0) order = this.#takeAfterGrowth(id);
    if (!this.#ids.add(order, id)) {
      orders.give(order);
      throw new RangeError(`order ${id} rests already`);
    }
    const level = ladder.at(side === BUY ? -priceTicks : priceTicks);
    const { words, doubles } = orders;
    doubles[order >> 1] = id;
    doubles[(order >> 1) + LOTS] = remainingLots;
    words[order + LEVEL] = level;
    words[order + ACCOUNT] = account;
    const tail = levels.tails[level] as number;
    words[order + PREVIOUS] = tail;
    words[order + NEXT] = 0;
    if (tail === 0) levels.heads[level] = order;
    else words[tail + NEXT] = order;
    levels.tails[level] = order;
    this.openOrders += 1;
  }

  remove(id: number): number {
    const orders = this.#orders;
    const order = this.#ids.find(id);
    if (order === 0) return -1;
    const ladder = this.#levels.ladders[orders.words[order + LEVEL] as number] as number;
    if (ladder >> 1 !== this.#instrument) return -1;
    const remaining = orders.doubles[(order >> 1) + LOTS] as number;
    this.#take(order, id, (ladder & 1) === BUY ? this.#bids : this.#asks);
    return remaining;
  }

  has(id: number): boolean {
    return this.#store.ladderOf(id) >> 1 === this.#instrument;
  }

  owner(id: number): number {
    const order = this.#ids.find(id);
    if (order === 0) return -1;
    const { words } = this.#orders;
    const ladder = this.#levels.ladders[words[order + LEVEL] as number] as number;
    return ladder >> 1 === this.#instrument ? (words[order + ACCOUNT] as number) >>> 0 : -1;
  }

  bestTicks(side: Side): number {
    const { best } = this.#side(side);
    return best === 0 ? 0 : Math.abs(this.#levels.keys[best] as number);
  }

  depth(side: Side, levels: number): Level[] {
    const { words, doubles } = this.#orders;
    const { keys, heads } = this.#levels;
    const ladder = this.#side(side);
    const answer: Level[] = [];
    for (let level = ladder.best; level !== 0 && answer.length < levels; level = ladder.after(level)) {
      let quantityLots = 0n;
      let orders = 0;
      for (let order = heads[level] as number; order !== 0; order = words[order + NEXT] as number) {
        quantityLots += BigInt(doubles[(order >> 1) + LOTS] as number);
        orders += 1;
      }
      answer.push({ priceTicks: Math.abs(keys[level] as number), quantityLots, orders });
    }
    return answer;
  }

  fillable(side: Side, limitTicks: number, wantedLots: number): number {
    const { keys } = this.#levels;
    const ladder = side === BUY ? this.#asks : this.#bids;
    const worstKey = limitTicks === 0 ? Infinity : side === BUY ? limitTicks : -limitTicks;
    let lots = 0;
    for (let level = ladder.best; level !== 0 && lots < wantedLots && (keys[level] as number) <= worstKey; level = ladder.after(level))
      lots += this.#lotsAt(level, wantedLots - lots);
    return lots;
  }

  sweepNotional(side: Side, quantityLots: number, limitTicks: number): number | bigint {
    const { keys } = this.#levels;
    const ladder = side === BUY ? this.#asks : this.#bids;
    const worstKey = limitTicks === 0 ? Infinity : side === BUY ? limitTicks : -limitTicks;
    let remaining = quantityLots;
    let notional = 0;
    let beyond = 0n;
    let level = ladder.best;
    while (remaining > 0) {
      const trades = level !== 0 && (keys[level] as number) <= worstKey;
      const priceTicks = trades ? Math.abs(keys[level] as number) : limitTicks;
      const lots = trades ? this.#lotsAt(level, remaining) : remaining;
      if (trades) level = ladder.after(level);
      remaining -= lots;
      const sum = notional + priceTicks * lots;
      if (sum <= Number.MAX_SAFE_INTEGER) notional = sum;
      else beyond += BigInt(priceTicks) * BigInt(lots);
    }
    return beyond === 0n ? notional : beyond + BigInt(notional);
  }

  /** Lots that rest at a level, counted up to `mostLots`, and so always exact. */
  #lotsAt(level: number, mostLots: number): number {
    const { words, doubles } = this.#orders;
    let lots = 0;
    for (let order = this.#levels.heads[level] as number; order !== 0 && lots < mostLots; order = words[order + NEXT] as number)
      lots += Math.min(mostLots - lots, doubles[(order >> 1) + LOTS] as number);
    return lots;
  }

  each(visit: (order: RestingOrder) => void): void {
    const { words, doubles } = this.#orders;
    const { keys, heads } = this.#levels;
    for (const side of [BUY, SELL] as const) {
      const ladder = this.#side(side);
      for (let level = ladder.best; level !== 0; level = ladder.after(level)) {
        const priceTicks = Math.abs(keys[level] as number);
        for (let order = heads[level] as number; order !== 0; order = words[order + NEXT] as number) {
          const id = doubles[order >> 1] as number;
          const remainingLots = doubles[(order >> 1) + LOTS] as number;
          visit({ id, account: (words[order + ACCOUNT] as number) >>> 0, side, priceTicks, remainingLots });
        }
      }
    }
  }

  #side(side: Side): PriceLadder {
    return side === BUY ? this.#bids : this.#asks;
  }

  #takeAfterGrowth(id: number): number {
    if (!this.#store.hasRoom()) throw new RangeError(`no room for order ${id}: ${this.#orders.live} orders rest`);
    return this.#orders.take();
  }

  /** Takes an order out of its level, the index and the pool; closes the level when it was its last. */
  #take(order: number, id: number, ladder: PriceLadder): void {
    const orders = this.#orders;
    const levels = this.#levels;
    const { words } = orders;
    this.#ids.remove(order, id);
    const level = words[order + LEVEL] as number;
    const next = words[order + NEXT] as number;
    const previous = words[order + PREVIOUS] as number;
    if (previous !== 0) words[previous + NEXT] = next;
    else levels.heads[level] = next;
    if (next !== 0) words[next + PREVIOUS] = previous;
    else levels.tails[level] = previous;
    if (next === 0 && previous === 0) ladder.close(level);
    orders.give(order);
    this.openOrders -= 1;
  }
}
