/** What the core's memory holds: read when somebody asks, counted by nobody. */
import type { CoreState } from './core-state.ts';
import type { PoolFigures } from './pool-figures.ts';

export function corePools({ store, clientIds, books }: CoreState): PoolFigures[] {
  const { orders, ids, extras, holdings, expiries } = store;
  // Books count their orders by themselves: what is in none of them has been lost.
  const leaked = orders.live - books.reduce((sum, { openOrders }) => sum + openOrders, 0);
  return [
    // Orders and price levels share their records.
    { pool: 'records', used: orders.used, capacity: orders.capacity, bytes: orders.bytes },
    { pool: 'orders', used: orders.live, capacity: orders.capacity, mostUsed: orders.most, leaked },
    { pool: 'levels', used: orders.used - orders.live, capacity: orders.capacity },
    { pool: 'order-ids', used: orders.live, capacity: ids.places, mostUsed: orders.most, bytes: ids.bytes },
    { pool: 'order-extras', used: extras.live, capacity: extras.capacity, mostUsed: extras.most, bytes: extras.bytes },
    { pool: 'expiries', used: expiries.size, capacity: expiries.capacity, bytes: expiries.bytes },
    { pool: 'holdings', used: holdings.rows, capacity: holdings.capacity, mostUsed: holdings.rows, bytes: holdings.bytes },
    { pool: 'client-order-ids', used: clientIds.size, capacity: clientIds.capacity, mostUsed: clientIds.size, bytes: clientIds.bytes },
    { pool: 'books', used: books.length, capacity: books.length, bytes: books.reduce((sum, { bytes }) => sum + bytes, 0) },
  ];
}
