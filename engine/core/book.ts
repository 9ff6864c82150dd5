/**
 * A price-time book in typed arrays. Every operation is constant in the number of orders; see {@link PriceLadder} for what prices far from
 * the market cost. Nothing is allocated for a command, except what the store needs to grow. (Numbers of 2^31 and more are boxed by V8
 * where they cross a call that it does not inline: 16 bytes each, seen only with such ids and quantities.)
 */
import { PriceLadder } from './ladder.ts';
import { ACCOUNT, LEVEL, LOTS, NEXT, PREVIOUS } from './order-pool.ts';
import { OrderStore } from './order-store.ts';
import { BUY, SELL, type Book, type EventSink, type Level, type RestingOrder, type Side } from './types.ts';

export class LadderBook implements Book {
  lastTradeTicks = 0;
  openOrders = 0;
  readonly #store: OrderStore;
  readonly #instrument: number;
  readonly #bids: PriceLadder;
  readonly #asks: PriceLadder;

  /** A book of `store`, in which no other book has the same `instrument`. */
  constructor(store: OrderStore, instrument: number) {
    this.#store = store;
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
    const { orders, levels } = this.#store;
    const { words, doubles } = orders;
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
      const maker = words[(levels.tails[level] as number) + NEXT] as number;
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
    const { orders, levels, ids } = this.#store;
    if (ids.find(id) !== 0) throw new RangeError(`order ${id} rests already`);
    const ladder = this.#side(side);
    // What `check` has made sure of, replay has not.
    if (!this.hasRoom(side)) throw new RangeError(`no room for order ${id}: ${orders.live} orders rest`);
    const level = ladder.at(side === BUY ? -priceTicks : priceTicks);
    const order = orders.take();
    const { words, doubles } = orders;
    doubles[order >> 1] = id;
    doubles[(order >> 1) + LOTS] = remainingLots;
    words[order + LEVEL] = level;
    words[order + ACCOUNT] = account;
    const tail = levels.tails[level] as number;
    if (tail === 0) {
      words[order + NEXT] = order;
      words[order + PREVIOUS] = order;
    } else {
      const head = words[tail + NEXT] as number;
      words[order + NEXT] = head;
      words[order + PREVIOUS] = tail;
      words[tail + NEXT] = order;
      words[head + PREVIOUS] = order;
    }
    levels.tails[level] = order;
    ids.add(order, id);
    this.openOrders += 1;
  }

  remove(id: number): number {
    const { ids, orders, levels } = this.#store;
    const order = ids.find(id);
    if (order === 0) return -1;
    const ladder = levels.ladders[orders.words[order + LEVEL] as number] as number;
    if (ladder >> 1 !== this.#instrument) return -1;
    const remaining = orders.doubles[(order >> 1) + LOTS] as number;
    this.#take(order, id, (ladder & 1) === BUY ? this.#bids : this.#asks);
    return remaining;
  }

  has(id: number): boolean {
    return this.#store.ladderOf(id) >> 1 === this.#instrument;
  }

  owner(id: number): number {
    const { ids, orders } = this.#store;
    return this.has(id) ? (orders.words[ids.find(id) + ACCOUNT] as number) >>> 0 : -1;
  }

  bestTicks(side: Side): number {
    const { best } = this.#side(side);
    return best === 0 ? 0 : Math.abs(this.#store.levels.keys[best] as number);
  }

  depth(side: Side, levels: number): Level[] {
    const { words, doubles } = this.#store.orders;
    const { keys, tails } = this.#store.levels;
    const ladder = this.#side(side);
    const answer: Level[] = [];
    for (let level = ladder.best; level !== 0 && answer.length < levels; level = ladder.after(level)) {
      const tail = tails[level] as number;
      let quantityLots = 0n;
      let orders = 0;
      let order = tail;
      do {
        order = words[order + NEXT] as number;
        quantityLots += BigInt(doubles[(order >> 1) + LOTS] as number);
        orders += 1;
      } while (order !== tail);
      answer.push({ priceTicks: Math.abs(keys[level] as number), quantityLots, orders });
    }
    return answer;
  }

  sweepNotional(side: Side, quantityLots: number): number | bigint {
    const { words, doubles } = this.#store.orders;
    const { keys, tails } = this.#store.levels;
    const ladder = side === BUY ? this.#asks : this.#bids;
    let remaining = quantityLots;
    let notional = 0;
    let beyond = 0n;
    for (let level = ladder.best; level !== 0 && remaining > 0; level = ladder.after(level)) {
      const priceTicks = Math.abs(keys[level] as number);
      let lots = 0;
      let order = tails[level] as number;
      const tail = order;
      do {
        order = words[order + NEXT] as number;
        // Never more than `remaining` and so always exact.
        lots += Math.min(remaining - lots, doubles[(order >> 1) + LOTS] as number);
      } while (order !== tail && lots < remaining);
      remaining -= lots;
      const sum = notional + priceTicks * lots;
      if (sum <= Number.MAX_SAFE_INTEGER) notional = sum;
      else beyond += BigInt(priceTicks) * BigInt(lots);
    }
    return beyond === 0n ? notional : beyond + BigInt(notional);
  }

  each(visit: (order: RestingOrder) => void): void {
    const { words, doubles } = this.#store.orders;
    const { keys, tails } = this.#store.levels;
    for (const side of [BUY, SELL] as const) {
      const ladder = this.#side(side);
      for (let level = ladder.best; level !== 0; level = ladder.after(level)) {
        const tail = tails[level] as number;
        const priceTicks = Math.abs(keys[level] as number);
        let order = tail;
        do {
          order = words[order + NEXT] as number;
          const id = doubles[order >> 1] as number;
          const remainingLots = doubles[(order >> 1) + LOTS] as number;
          visit({ id, account: (words[order + ACCOUNT] as number) >>> 0, side, priceTicks, remainingLots });
        } while (order !== tail);
      }
    }
  }

  #side(side: Side): PriceLadder {
    return side === BUY ? this.#bids : this.#asks;
  }

  /** Takes an order out of its level, the index and the pool; closes the level when it was its last. */
  #take(order: number, id: number, ladder: PriceLadder): void {
    const { orders, levels, ids } = this.#store;
    const { words } = orders;
    ids.remove(order, id);
    const level = words[order + LEVEL] as number;
    const next = words[order + NEXT] as number;
    if (next === order) {
      ladder.close(level);
    } else {
      const previous = words[order + PREVIOUS] as number;
      words[previous + NEXT] = next;
      words[next + PREVIOUS] = previous;
      if (levels.tails[level] === order) levels.tails[level] = previous;
    }
    orders.give(order);
    this.openOrders -= 1;
  }
}
