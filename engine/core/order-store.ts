/**
 * The memory that the books of one core share: orders, price levels, the id index. It grows in steps: by {@link OrderStore.reserve} between
 * batches before it is full, in the order path only when that came too late.
 */
import { IdIndex } from './id-index.ts';
import { LevelPool } from './level-pool.ts';
import { LEVEL, MOST_ORDERS, OrderPool } from './order-pool.ts';

const FIRST_ORDERS = 1024;
const FIRST_LEVELS = 256;

export class OrderStore {
  readonly orders: OrderPool;
  readonly levels = new LevelPool(FIRST_LEVELS);
  readonly ids: IdIndex;

  /** For `mostOrders` resting orders at most, over all books; memory for `firstOrders` is taken at once. */
  constructor(mostOrders = MOST_ORDERS, firstOrders = FIRST_ORDERS) {
    this.orders = new OrderPool(firstOrders, mostOrders);
    this.ids = new IdIndex(this.orders);
  }

  /** Bytes taken, used or not. */
  get bytes(): number {
    return this.orders.bytes + this.levels.bytes + this.ids.bytes;
  }

  /** Number of the ladder on which an order stands; -1 when it rests nowhere. */
  ladderOf(id: number): number {
    const reference = this.ids.find(id);
    return reference === 0 ? -1 : (this.levels.ladders[this.orders.words[reference + LEVEL] as number] as number);
  }

  /** Whether one more order can rest, after growing if need be. false, with nothing changed, at the limit or when memory is out. */
  hasRoom(): boolean {
    return (
      (this.orders.live < this.orders.capacity || this.#growOrders()) && (this.levels.live < this.levels.capacity || this.levels.grow())
    );
  }

  /** Grows what is nearly full. Copies all of it: for moments when no order waits. */
  reserve(): void {
    const { orders, levels } = this;
    if (orders.capacity - orders.live < orders.capacity >> 3) this.#growOrders();
    if (levels.capacity - levels.live < levels.capacity >> 3) levels.grow();
  }

  #growOrders(): boolean {
    // The index first: it must never hold more orders than it has room for.
    return this.ids.reserve(this.orders.nextCapacity) && this.orders.grow();
  }
}
