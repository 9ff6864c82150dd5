/** What the core's memory holds: read when somebody asks, counted by nobody. */
import type { CoreState } from './core-state.ts';
import type { PoolFigures } from './pool-figures.ts';

export function corePools({ store, clientIds, books }: CoreState): PoolFigures[] {
  const { orders, levels, ids, extras, holdings, expiries } = store;
  // Books count their orders by themselves: what is in none of them has been lost.
  const leaked = orders.live - books.reduce((sum, { openOrders }) => sum + openOrders, 0);
  return [
    { pool: 'orders', used: orders.live, capacity: orders.capacity, mostUsed: orders.most, bytes: orders.bytes, leaked },
    { pool: 'levels', used: levels.live, capacity: levels.capacity, mostUsed: levels.most, bytes: levels.bytes },
    { pool: 'order-ids', used: orders.live, capacity: ids.places, mostUsed: orders.most, bytes: ids.bytes },
    { pool: 'order-extras', used: extras.live, capacity: extras.capacity, mostUsed: extras.most, bytes: extras.bytes },
    { pool: 'expiries', used: expiries.size, capacity: expiries.capacity, bytes: expiries.bytes },
    { pool: 'holdings', used: holdings.rows, capacity: holdings.capacity, mostUsed: holdings.rows, bytes: holdings.bytes },
    { pool: 'client-order-ids', used: clientIds.size, capacity: clientIds.capacity, mostUsed: clientIds.size, bytes: clientIds.bytes },
    { pool: 'books', used: books.length, capacity: books.length, bytes: books.reduce((sum, { bytes }) => sum + bytes, 0) },
  ];
}
