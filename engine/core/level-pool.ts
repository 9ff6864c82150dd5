/**
 * Price levels of all books: records of the pool of orders (`order-pool.ts`), known by their references.
 *
 * A level has a key, not a price: the price for asks, the negated price for bids, so that on both sides a smaller key is a better price.
 */
import { RECORD, type OrderPool } from './order-pool.ts';

const { HOLDING, NEXT, PREVIOUS } = RECORD;

export class LevelPool {
  readonly #pool: OrderPool;

  constructor(pool: OrderPool) {
    this.#pool = pool;
  }

  /** Signed price in ticks. */
  key(level: number): number {
    return this.#pool.doubles[level >> 1] as number;
  }

  /** Reference of the oldest order; the level must have one. */
  head(level: number): number {
    return this.#pool.words[level + NEXT] as number;
  }

  /** Number of the ladder that the level belongs to. */
  ladder(level: number): number {
    return this.#pool.words[level + HOLDING] as number;
  }

  /** An empty level. Throws RangeError when no record is left: a fault, as an order is only given one when a level for it is left. */
  take(key: number, ladder: number): number {
    const pool = this.#pool;
    if (pool.used === pool.capacity) throw new RangeError('no record is left for a price level');
    const level = pool.takeRecord();
    const { words } = pool;
    pool.doubles[level >> 1] = key;
    words[level + NEXT] = level;
    words[level + PREVIOUS] = level;
    words[level + HOLDING] = ladder;
    return level;
  }

  give(level: number): void {
    this.#pool.giveRecord(level);
  }
}
