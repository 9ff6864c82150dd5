import { expect, it } from 'vitest';
import { poolMetrics, poolStats } from './pool-metrics.ts';

const POOLS = [
  { pool: 'orders', used: 2, capacity: 10, mostUsed: 5, bytes: 320, refused: 1 },
  { pool: 'buffers-64', used: 0, capacity: 1, hits: 3, misses: 1, leaked: 0 },
  { pool: 'buffers-128', used: 0, capacity: 0, hits: 0, misses: 0, leaked: 0 },
];

it('pools are series of their figures, and have none of what they do not count', () => {
  const text = poolMetrics(POOLS, { engine: 'demo' });
  expect(text).toContain('# TYPE hft_pool_used gauge\nhft_pool_used{pool="orders",engine="demo"} 2\n');
  expect(text).toContain('hft_pool_most_used{pool="orders",engine="demo"} 5\n');
  expect(text).toContain('# TYPE hft_pool_hits_total counter\nhft_pool_hits_total{pool="buffers-64",engine="demo"} 3\n');
  expect(text).not.toContain('hft_pool_hits_total{pool="orders"');
  expect(text.match(/hft_pool_refused_total\{/g)).toHaveLength(1);
});

it('pools have hit rates once something was asked of them', () => {
  expect(poolStats(POOLS)).toEqual({
    orders: { used: 2, capacity: 10, mostUsed: 5, bytes: 320, refused: 1 },
    'buffers-64': { used: 0, capacity: 1, hits: 3, misses: 1, leaked: 0, hitRate: 0.75 },
    'buffers-128': { used: 0, capacity: 0, hits: 0, misses: 0, leaked: 0, hitRate: null },
  });
});
