import { expect, it } from 'vitest';
import { warmUp } from './warmup.ts';

it('measures, and ends early when it is told to stop', async () => {
  const stopping = new AbortController();
  const { orders, p99Micros } = await warmUp(4000, stopping.signal);
  expect(orders).toBe(4000);
  expect(p99Micros).toBeGreaterThan(0);
  stopping.abort();
  expect((await warmUp(1e9, stopping.signal)).orders).toBeLessThan(10_000);
});
