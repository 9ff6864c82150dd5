/**
 * A price-time book of plain objects: a sorted array of prices a side, a linked list of orders a price, a map from id to order. Right and
 * small; the typed-array book that follows it must behave the same.
 */
import { BUY, SELL, type Book, type EventSink, type Level, type RestingOrder, type Side } from './types.ts';

interface Node {
  readonly id: number;
  readonly account: number;
  readonly side: Side;
  readonly priceTicks: number;
  remainingLots: number;
  level: PriceLevel;
  previous: Node | undefined;
  next: Node | undefined;
}

interface PriceLevel {
  readonly priceTicks: number;
  orders: number;
  first: Node | undefined;
  last: Node | undefined;
}

/** The levels of one side. `sorted` ends with the best price, so that taking the best away is a pop. */
class BookSide {
  readonly #sign: number;
  readonly sorted: PriceLevel[] = [];
  readonly #byPrice = new Map<number, PriceLevel>();

  constructor(side: Side) {
    this.#sign = side === BUY ? 1 : -1;
  }

  best(): PriceLevel | undefined {
    return this.sorted[this.sorted.length - 1];
  }

  /** Index of the first level that is not worse than `priceTicks`. */
  #position(priceTicks: number): number {
    let from = 0;
    let to = this.sorted.length;
    while (from < to) {
      const middle = (from + to) >>> 1;
      const level = this.sorted[middle];
      if (level !== undefined && (level.priceTicks - priceTicks) * this.#sign < 0) from = middle + 1;
      else to = middle;
    }
    return from;
  }

  levelAt(priceTicks: number): PriceLevel {
    let level = this.#byPrice.get(priceTicks);
    if (level === undefined) {
      level = { priceTicks, orders: 0, first: undefined, last: undefined };
      this.#byPrice.set(priceTicks, level);
      this.sorted.splice(this.#position(priceTicks), 0, level);
    }
    return level;
  }

  drop(level: PriceLevel): void {
    this.#byPrice.delete(level.priceTicks);
    if (this.best() === level) this.sorted.pop();
    else this.sorted.splice(this.#position(level.priceTicks), 1);
  }
}

export class SimpleBook implements Book {
  lastTradeTicks = 0;
  readonly #bids = new BookSide(BUY);
  readonly #asks = new BookSide(SELL);
  readonly #orders = new Map<number, Node>();

  get openOrders(): number {
    return this.#orders.size;
  }

  match(takerId: number, side: Side, limitTicks: number, quantityLots: number, sink: EventSink): number {
    const other = side === BUY ? this.#asks : this.#bids;
    let remaining = quantityLots;
    while (remaining > 0) {
      const level = other.best();
      if (level === undefined || (limitTicks !== 0 && (side === BUY ? level.priceTicks > limitTicks : level.priceTicks < limitTicks)))
        break;
      const maker = level.first;
      if (maker === undefined) throw new RangeError(`level ${level.priceTicks} is empty`);
      const lots = Math.min(remaining, maker.remainingLots);
      remaining -= lots;
      maker.remainingLots -= lots;
      this.lastTradeTicks = level.priceTicks;
      if (maker.remainingLots === 0) this.#unlink(maker);
      sink.fill(maker.id, takerId, level.priceTicks, lots, maker.remainingLots);
    }
    return remaining;
  }

  rest(id: number, account: number, side: Side, priceTicks: number, remainingLots: number): void {
    if (this.#orders.has(id)) throw new RangeError(`order ${id} rests already`);
    const level = this.#side(side).levelAt(priceTicks);
    const node: Node = { id, account, side, priceTicks, remainingLots, level, previous: level.last, next: undefined };
    if (level.last === undefined) level.first = node;
    else level.last.next = node;
    level.last = node;
    level.orders += 1;
    this.#orders.set(id, node);
  }

  remove(id: number): number {
    const node = this.#orders.get(id);
    if (node === undefined) return -1;
    this.#unlink(node);
    return node.remainingLots;
  }

  has(id: number): boolean {
    return this.#orders.has(id);
  }

  bestTicks(side: Side): number {
    return this.#side(side).best()?.priceTicks ?? 0;
  }

  depth(side: Side, levels: number): Level[] {
    const { sorted } = this.#side(side);
    const answer: Level[] = [];
    for (let index = sorted.length - 1; index >= 0 && answer.length < levels; index -= 1) {
      const level = sorted[index];
      if (level === undefined) break;
      let quantityLots = 0n;
      for (let node = level.first; node !== undefined; node = node.next) quantityLots += BigInt(node.remainingLots);
      answer.push({ priceTicks: level.priceTicks, quantityLots, orders: level.orders });
    }
    return answer;
  }

  sweepNotional(side: Side, quantityLots: number): bigint {
    const { sorted } = side === BUY ? this.#asks : this.#bids;
    let remaining = quantityLots;
    let notional = 0n;
    for (let index = sorted.length - 1; index >= 0 && remaining > 0; index -= 1) {
      for (let node = sorted[index]?.first; node !== undefined && remaining > 0; node = node.next) {
        const lots = Math.min(remaining, node.remainingLots);
        remaining -= lots;
        notional += BigInt(node.priceTicks) * BigInt(lots);
      }
    }
    return notional;
  }

  each(visit: (order: RestingOrder) => void): void {
    for (const { sorted } of [this.#bids, this.#asks]) {
      for (let index = sorted.length - 1; index >= 0; index -= 1) {
        for (let node = sorted[index]?.first; node !== undefined; node = node.next) visit(node);
      }
    }
  }

  #side(side: Side): BookSide {
    return side === BUY ? this.#bids : this.#asks;
  }

  #unlink(node: Node): void {
    const { level } = node;
    if (node.previous === undefined) level.first = node.next;
    else node.previous.next = node.next;
    if (node.next === undefined) level.last = node.previous;
    else node.next.previous = node.previous;
    level.orders -= 1;
    this.#orders.delete(node.id);
    if (level.orders === 0) this.#side(node.side).drop(level);
  }
}
