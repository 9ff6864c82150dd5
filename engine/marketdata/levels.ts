/** What subscribers of a book have been told, and what they must be told next: the levels, and the orders on them. */
import { BUY, SELL, type BookOrder, type BookView, type Side } from '../core/types.ts';
import type { TouchedBook } from './touched.ts';

/** A price level as it is now; `orders` is 0 when it is gone. */
export interface LevelChange {
  readonly side: Side;
  readonly priceTicks: number;
  readonly quantityLots: bigint;
  readonly orders: number;
}

/** A resting order as it is now; `quantityLots` is 0 when it is gone. */
export interface OrderChange {
  readonly side: Side;
  readonly priceTicks: number;
  readonly orderId: number;
  /** What is shown. */
  readonly quantityLots: number;
  /** Orders of one price trade in rising order of it. An order that goes to the end of its queue has a new one. */
  readonly rank: number;
}

/** Told to whom a book changes; a side, a price, and its orders in the order in which they would trade, none when it is empty. */
type VisitLevel = (side: Side, priceTicks: number, orders: readonly BookOrder[]) => void;

const SIDES = [BUY, SELL] as const;

function pricesOf(book: BookView, side: Side, touched: TouchedBook, told: Iterable<number>): Iterable<number> {
  if (!touched.isWhole) return touched.prices;
  const prices = new Set(told);
  for (const { priceTicks } of book.depth(side, Infinity)) prices.add(priceTicks);
  return prices;
}

function eachTouched(book: BookView, touched: TouchedBook, told: readonly ReadonlyMap<number, unknown>[], visit: VisitLevel): void {
  for (const side of SIDES)
    for (const priceTicks of pricesOf(book, side, touched, (told[side] as ReadonlyMap<number, unknown>).keys()))
      visit(side, priceTicks, book.ordersAt(side, priceTicks));
}

/** Levels by price. */
export class ToldLevels {
  /** Of a side, best first; Infinity for all. */
  readonly #depth: number;
  readonly #told: readonly Map<number, LevelChange>[] = [new Map(), new Map()];

  constructor(depth = Infinity) {
    this.#depth = depth;
  }

  /** What subscribers know. */
  *[Symbol.iterator](): Generator<LevelChange> {
    for (const side of this.#told) yield* side.values();
  }

  /** What has changed where the book was touched; subscribers know it from now on. */
  changes(book: BookView, touched: TouchedBook): LevelChange[] {
    if (this.#depth !== Infinity) return touched.isTouched ? SIDES.flatMap((side) => this.#changesOfBest(book, side)) : [];
    const changes: LevelChange[] = [];
    eachTouched(book, touched, this.#told, (side, priceTicks, orders) => {
      const levels = this.#told[side] as Map<number, LevelChange>;
      const before = levels.get(priceTicks);
      if (orders.length === 0) {
        if (before === undefined) return;
        levels.delete(priceTicks);
        changes.push({ side, priceTicks, quantityLots: 0n, orders: 0 });
        return;
      }
      const quantityLots = orders.reduce((sum, order) => sum + BigInt(order.quantityLots), 0n);
      if (before?.quantityLots === quantityLots && before.orders === orders.length) return;
      const level: LevelChange = { side, priceTicks, quantityLots, orders: orders.length };
      levels.set(priceTicks, level);
      changes.push(level);
    });
    return changes;
  }

  /** A level that is no longer among the best is gone for who knows only those; one that comes in from behind is new. */
  #changesOfBest(book: BookView, side: Side): LevelChange[] {
    const before = this.#told[side] as Map<number, LevelChange>;
    const gone = new Set(before.keys());
    const changes: LevelChange[] = [];
    for (const { priceTicks, quantityLots, orders } of book.depth(side, this.#depth)) {
      gone.delete(priceTicks);
      const known = before.get(priceTicks);
      if (known?.quantityLots === quantityLots && known.orders === orders) continue;
      const level: LevelChange = { side, priceTicks, quantityLots, orders };
      before.set(priceTicks, level);
      changes.push(level);
    }
    for (const priceTicks of gone) {
      before.delete(priceTicks);
      changes.push({ side, priceTicks, quantityLots: 0n, orders: 0 });
    }
    return changes;
  }
}

/** Orders by price. */
export class ToldOrders {
  readonly #told: readonly Map<number, Map<number, OrderChange>>[] = [new Map(), new Map()];
  #rank = 0;

  /** What subscribers know. */
  *[Symbol.iterator](): Generator<OrderChange> {
    for (const side of this.#told) for (const level of side.values()) yield* level.values();
  }

  /** What has changed where the book was touched; subscribers know it from now on. First what is gone: an order may be gone from one price and be at another. */
  changes(book: BookView, touched: TouchedBook): OrderChange[] {
    const gone: OrderChange[] = [];
    const changes: OrderChange[] = [];
    eachTouched(book, touched, this.#told, (side, priceTicks, orders) => {
      const levels = this.#told[side] as Map<number, Map<number, OrderChange>>;
      const before = levels.get(priceTicks);
      const now = new Map<number, OrderChange>();
      let last = -1;
      for (const { orderId, quantityLots } of orders) {
        const known = before?.get(orderId);
        // Orders only ever go to the end of a queue: whoever stands behind a higher rank has gone there since.
        const rank = known !== undefined && known.rank > last ? known.rank : (this.#rank += 1);
        last = rank;
        const order =
          known?.rank === rank && known.quantityLots === quantityLots ? known : { side, priceTicks, orderId, quantityLots, rank };
        now.set(orderId, order);
        if (order === known) continue;
        // To the end of the queue: who keeps queues takes it out first.
        if (known !== undefined && known.rank !== rank) gone.push({ ...known, quantityLots: 0 });
        changes.push(order);
      }
      for (const { orderId, rank } of before?.values() ?? [])
        if (!now.has(orderId)) gone.push({ side, priceTicks, orderId, quantityLots: 0, rank });
      if (now.size === 0) levels.delete(priceTicks);
      else levels.set(priceTicks, now);
    });
    return [...gone, ...changes];
  }
}
