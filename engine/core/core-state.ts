/** What the parts of the core share: the books, the memory under them, and what belongs to no instrument. */
import { OrderBook, LADDERS } from './book.ts';
import { ClientIds } from './client-ids.ts';
import { OrderStore } from './order-store.ts';

export interface CoreOptions {
  /** Most orders that may be open at once, over all instruments (16,777,215). */
  readonly mostOrders?: number;
  /** Orders for which memory is taken at once (1,024). */
  readonly firstOrders?: number;
  /** Client order ids that are remembered: a power of two (1,048,576). */
  readonly clientIds?: number;
}

export class CoreState {
  readonly store: OrderStore;
  readonly books: OrderBook[] = [];
  readonly clientIds: ClientIds;
  /** The kill switch of all. */
  killed = false;
  /** See AccountRules. */
  maxOpenOrders = Infinity;

  constructor(options: CoreOptions) {
    this.store = new OrderStore(options.mostOrders, options.firstOrders);
    this.clientIds = new ClientIds(options.clientIds);
  }

  /** Bytes of all typed arrays, used or not. */
  get bytes(): number {
    return this.books.reduce((sum, book) => sum + book.bytes, this.store.bytes + this.clientIds.bytes);
  }

  /** Grows what is nearly full. */
  reserve(): void {
    this.store.reserve();
    this.clientIds.reserve();
  }

  /** The book of an instrument. Throws RangeError when it is none. */
  book(instrument: number): OrderBook {
    const book = this.books[instrument];
    if (book === undefined) throw new RangeError(`no instrument ${instrument}`);
    return book;
  }

  /** The book of an open order. */
  bookOf(order: number): OrderBook {
    return this.books[(this.store.ladderAt(order) / LADDERS) | 0] as OrderBook;
  }
}
