/**
 * The memory that the books of one core share: orders, price levels, the id index, extras, holdings, expiries. It grows in steps: by
 * {@link OrderStore.reserve} between batches before it is full, in the order path only when that came too late.
 */
import { ExpiryHeap } from './expiry-heap.ts';
import { Extras } from './extras.ts';
import { Holdings } from './holdings.ts';
import { IdIndex } from './id-index.ts';
import type { PriceLadder } from './ladder.ts';
import { LevelPool } from './level-pool.ts';
import { MOST_ORDERS, OrderPool, RECORD } from './order-pool.ts';

const { FLAGS_SHIFT, HOLDING, LEVEL, LEVEL_MASK, LOTS, NEXT, PREVIOUS, REFERENCE_SHIFT } = RECORD;

const FIRST_ORDERS = 1024;
const FIRST_LEVELS = 256;

export class OrderStore {
  readonly orders: OrderPool;
  readonly levels: LevelPool;
  /** Of all books, by number. */
  readonly ladders: PriceLadder[] = [];
  readonly ids: IdIndex;
  readonly extras = new Extras();
  readonly holdings = new Holdings();
  readonly expiries = new ExpiryHeap();
  /** Open orders that expire. */
  expiring = 0;
  /** Sequence of the command that is applied: the id of its order when it is a new one. */
  sequence = 0;
  timestampMicros = 0;

  /** For `mostOrders` open orders at most, over all books; memory for `firstOrders` is taken at once. */
  constructor(mostOrders = MOST_ORDERS, firstOrders = FIRST_ORDERS) {
    this.orders = new OrderPool(firstOrders + Math.min(firstOrders, FIRST_LEVELS), mostOrders);
    this.levels = new LevelPool(this.orders);
    this.ids = new IdIndex(this.orders);
  }

  /** Bytes taken, used or not. */
  get bytes(): number {
    return this.orders.bytes + this.ids.bytes + this.extras.bytes + this.holdings.bytes + this.expiries.bytes;
  }

  /** The level on which an order stands. */
  levelOf(reference: number): number {
    return ((this.orders.words[reference + LEVEL] as number) & LEVEL_MASK) << REFERENCE_SHIFT;
  }

  /** Number of the ladder on which an order stands. */
  ladderAt(reference: number): number {
    return this.levels.ladder(this.levelOf(reference));
  }

  /** The ladder on which an order stands. */
  ladderOf(reference: number): PriceLadder {
    return this.ladders[this.ladderAt(reference)] as PriceLadder;
  }

  /**
   * Puts an id that is not open behind all others of a ladder's key; gives its reference. Throws RangeError when there is no room: what `submit` has
   * made sure of, `replay` has not.
   */
  enter(ladder: PriceLadder, key: number, id: number, lots: number, holding: number, flags: number): number {
    const { orders } = this;
    const order = orders.take() || this.#takeAfterGrowth(id);
    this.ids.add(order, id);
    const level = ladder.at(key);
    const { words, doubles } = orders;
    doubles[order >> 1] = id;
    doubles[(order >> 1) + LOTS] = lots;
    words[order + LEVEL] = (level >> REFERENCE_SHIFT) | (flags << FLAGS_SHIFT);
    words[order + HOLDING] = holding;
    this.append(order, level);
    ladder.orders += 1;
    return order;
  }

  /** Takes an order out of its ladder, and closes its level when it was the last there. */
  leave(order: number, level: number, ladder: PriceLadder): void {
    this.ids.remove(order, this.orders.doubles[order >> 1] as number);
    this.drop(order, level, ladder);
  }

  /** The same for an order that is out of the index already. */
  drop(order: number, level: number, ladder: PriceLadder): void {
    if (this.unlink(order)) ladder.close(level);
    this.orders.give(order);
    ladder.orders -= 1;
  }

  /** Puts an order behind all others of a level. */
  append(order: number, level: number): void {
    const { words } = this.orders;
    const newest = words[level + PREVIOUS] as number;
    words[order + PREVIOUS] = newest;
    words[order + NEXT] = level;
    words[newest + NEXT] = order;
    words[level + PREVIOUS] = order;
  }

  /** Takes an order out of its level. Whether it was the last there. */
  unlink(order: number): boolean {
    const { words } = this.orders;
    const next = words[order + NEXT] as number;
    const previous = words[order + PREVIOUS] as number;
    words[previous + NEXT] = next;
    words[next + PREVIOUS] = previous;
    return next === previous;
  }

  /** Whether one more order can be open, after growing if need be. false, with nothing changed, at the limit or when memory is out. */
  hasRoom(): boolean {
    return (
      (this.orders.hasRoom || (!this.orders.isFull && this.#growOrders())) &&
      this.extras.hasRoom() &&
      (!this.expiries.isFull || this.#sweepOrGrow())
    );
  }

  /** An open order has an expiry. The heap knows those it has met before: an order that leaves the book and comes back is not new to it. */
  expires(id: number, expiryMicros: number): void {
    this.expiring += 1;
    if (id === this.sequence) this.expiries.push(expiryMicros, id);
  }

  /** Earliest expiry of an open order; Infinity without any. Drops those of orders that have ended. */
  nextExpiry(): number {
    const { expiries, ids } = this;
    while (expiries.size > 0 && ids.find(expiries.firstId) === 0) expiries.pop();
    return expiries.firstMicros;
  }

  /** Grows what is nearly full. Copies all of it: for moments when no order waits. */
  reserve(): void {
    const { orders } = this;
    if (orders.capacity - orders.used < orders.capacity >> 4) this.#growOrders();
    this.extras.reserve();
    this.holdings.reserve();
    this.#sweep();
  }

  #takeAfterGrowth(id: number): number {
    if (!this.hasRoom()) throw new RangeError(`no room for order ${id}: ${this.orders.live} orders are open`);
    return this.orders.take();
  }

  #sweep(): void {
    this.expiries.sweep(this.expiring, (id) => this.ids.find(id) !== 0);
  }

  #sweepOrGrow(): boolean {
    this.#sweep();
    return !this.expiries.isFull || this.expiries.grow();
  }

  #growOrders(): boolean {
    // The index first: it must never hold more orders than it has room for.
    return this.ids.reserve(this.orders.nextCapacity) && this.orders.grow();
  }
}
