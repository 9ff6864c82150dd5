/**
 * The memory that the books of one core share: orders, price levels, the id index, extras, holdings, expiries. It grows in steps: by
 * {@link OrderStore.reserve} between batches before it is full, in the order path only when that came too late.
 */
import { ExpiryHeap } from './expiry-heap.ts';
import { Extras } from './extras.ts';
import { Holdings } from './holdings.ts';
import { IdIndex } from './id-index.ts';
import { LevelPool } from './level-pool.ts';
import { LEVEL, LEVEL_MASK, MOST_ORDERS, OrderPool } from './order-pool.ts';

const FIRST_ORDERS = 1024;
const FIRST_LEVELS = 256;

export class OrderStore {
  readonly orders: OrderPool;
  readonly levels = new LevelPool(FIRST_LEVELS);
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
    this.orders = new OrderPool(firstOrders, mostOrders);
    this.ids = new IdIndex(this.orders);
  }

  /** Bytes taken, used or not. */
  get bytes(): number {
    return this.orders.bytes + this.levels.bytes + this.ids.bytes + this.extras.bytes + this.holdings.bytes + this.expiries.bytes;
  }

  /** Number of the ladder on which an order stands. */
  ladderAt(reference: number): number {
    return this.levels.ladder((this.orders.words[reference + LEVEL] as number) & LEVEL_MASK);
  }

  /** Whether one more order can be open without more memory. */
  get hasRoomNow(): boolean {
    return this.orders.live < this.orders.capacity && this.levels.live < this.levels.capacity;
  }

  /** Whether one more order can be open, after growing if need be. false, with nothing changed, at the limit or when memory is out. */
  hasRoom(): boolean {
    return (
      (this.orders.live < this.orders.capacity || this.#growOrders()) &&
      (this.levels.live < this.levels.capacity || this.levels.grow()) &&
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
    const { orders, levels } = this;
    if (orders.capacity - orders.live < orders.capacity >> 3) this.#growOrders();
    if (levels.capacity - levels.live < levels.capacity >> 3) levels.grow();
    this.extras.reserve();
    this.holdings.reserve();
    this.#sweep();
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
