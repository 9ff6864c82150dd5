/** The figures of pools, for Prometheus and for people. */
import type { PoolFigures } from '../core/pool-figures.ts';
import { seriesText, type Labels, type Series } from './exposition.ts';

const FIGURES = [
  { key: 'used', type: 'gauge', name: 'hft_pool_used', help: 'Taken from the pool and not given back.' },
  { key: 'capacity', type: 'gauge', name: 'hft_pool_capacity', help: 'How many the pool has memory for, or takes at most.' },
  { key: 'mostUsed', type: 'gauge', name: 'hft_pool_most_used', help: 'Most that were ever used at once.' },
  { key: 'bytes', type: 'gauge', name: 'hft_pool_bytes', help: 'Memory of the pool, used or not.' },
  { key: 'hits', type: 'counter', name: 'hft_pool_hits_total', help: 'Served from what was there.' },
  { key: 'misses', type: 'counter', name: 'hft_pool_misses_total', help: 'Served by something new, or not found.' },
  { key: 'refused', type: 'counter', name: 'hft_pool_refused_total', help: 'Refused because the pool had no room.' },
  {
    key: 'leaked',
    type: 'counter',
    name: 'hft_pool_leaked_total',
    help: 'Lost without having been given back; of buffers only with HFT_WATCH_LEAKS=1.',
  },
] as const satisfies readonly { key: Exclude<keyof PoolFigures, 'pool'>; type: string; name: string; help: string }[];

export function poolMetrics(pools: readonly PoolFigures[], labels: Labels): string {
  return FIGURES.map(({ key, type, name, help }) => {
    const series = pools.flatMap((one): Series[] => {
      const value = one[key];
      return value === undefined ? [] : [{ labels: { pool: one.pool, ...labels }, value }];
    });
    return seriesText(type, name, help, series);
  }).join('');
}

/** By name, with the share of hits where they are counted: null before the first. */
export function poolStats(pools: readonly PoolFigures[]): Record<string, object> {
  const entries = pools.map(({ pool, ...figures }): [string, object] => {
    const { hits, misses } = figures;
    if (hits === undefined || misses === undefined) return [pool, figures];
    return [pool, { ...figures, hitRate: hits + misses === 0 ? null : hits / (hits + misses) }];
  });
  return Object.fromEntries(entries);
}
