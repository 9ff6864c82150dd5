import { describe, expect, it } from 'vitest';
import { GC_LIMITS, judge, proveGc } from './gc.ts';

/** A shared machine stalls for longer than any collection: here the load and its figures are tested, not the machine. */
const ANY = { p99Ms: 1000, longestMs: 1000, grownBytes: 4 * GC_LIMITS.grownBytes };

describe('the proof of garbage collection', () => {
  for (const path of ['objects', 'slots'] as const) {
    it(`keeps the heap flat at half the rate, on the path of ${path}`, async () => {
      const { figures, violations } = await proveGc({ path, durability: 'commit', seconds: 2, warmUpSeconds: 2, share: 0.5 }, ANY);
      expect(violations).toEqual([]);
      expect(figures.perSecond).toBeGreaterThan(1000);
      expect(figures.perSecond).toBeLessThan(figures.peakPerSecond * 0.55);
      expect(figures.all.count).toBe(figures.pauses.reduce((sum, { count }) => sum + count, 0));
      if (path === 'objects') expect(figures.all.count).toBeGreaterThan(0);
      expect(judge(figures, { p99Ms: 0, longestMs: -1, grownBytes: figures.liveAfter - figures.liveBefore - 1 })).toEqual([
        expect.stringContaining('99 of 100 pauses'),
        expect.stringContaining('the longest pause'),
        expect.stringContaining('what lives on the heap grew'),
      ]);
    }, 60_000);
  }
});
