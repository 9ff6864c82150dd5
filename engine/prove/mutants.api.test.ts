import { describe, expect, it } from 'vitest';
import { scoreMutants } from './mutants.ts';

/** Enough to notice that tests have stopped to notice; `npm run prove -- mutants` tries as many as one wants. */
const SAMPLE = 40;
const LEAST = 0.9;

describe('the tests of the core', () => {
  it('notice when it is broken', { timeout: 300_000 }, async () => {
    const { tried, caught, survivors } = await scoreMutants({ sample: SAMPLE, seed: 1 });
    expect(tried).toBeGreaterThan(SAMPLE / 2);
    expect(caught / tried, JSON.stringify(survivors, undefined, 1)).toBeGreaterThanOrEqual(LEAST);
  });
});
