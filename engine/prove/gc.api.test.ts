import { describe, expect, it } from 'vitest';
import { bucketsOf, pausesBetween } from './gc-http.ts';
import { GC_LIMITS, judge, judgeHttp, proveGc, proveGcOverHttp } from './gc.ts';

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

  it('tells the pauses of the whole engine over HTTP', async () => {
    const { figures, violations } = await proveGcOverHttp({ durability: 'commit', seconds: 3, warmUpSeconds: 4, share: 0.5 }, ANY);
    expect(violations).toEqual([]);
    expect(figures.perSecond).toBeGreaterThan(10);
    expect(figures.perSecond).toBeLessThan(figures.peakPerSecond * 0.6);
    expect(figures.threads.map(({ thread }) => thread)).toContain('views');
  }, 90_000);
});

describe('pauses between two readings of /metrics', () => {
  const reading = (counts: readonly [le: string, kind: string, count: number][]): string =>
    counts
      .map(([le, kind, count]) => `nodejs_gc_duration_seconds_bucket{le="${le}",kind="${kind}",thread="main",engine="x"} ${count}\n`)
      .join('');

  it('are those of all kinds, and only what came between', () => {
    const before = bucketsOf(
      reading([
        ['0.001', 'minor', 5],
        ['0.01', 'minor', 5],
        ['+Inf', 'minor', 6],
        ['0.001', 'major', 0],
        ['0.01', 'major', 0],
        ['+Inf', 'major', 0],
      ]),
    );
    const after = bucketsOf(
      reading([
        ['0.001', 'minor', 104],
        ['0.01', 'minor', 104],
        ['+Inf', 'minor', 105],
        ['0.001', 'major', 0],
        ['0.01', 'major', 1],
        ['+Inf', 'major', 1],
      ]),
    );
    expect(pausesBetween(before, after)).toEqual([{ thread: 'main', count: 100, p99Ms: 1, longestMs: 10 }]);
    expect(pausesBetween(after, after)).toEqual([{ thread: 'main', count: 0, p99Ms: 0, longestMs: 0 }]);
    expect(pausesBetween(new Map(), before)).toEqual([{ thread: 'main', count: 6, p99Ms: Infinity, longestMs: Infinity }]);
  });

  it('are judged by those of the thread that matches', () => {
    const figures = (p99Ms: number, longestMs: number) => ({
      peakPerSecond: 2,
      perSecond: 1,
      threads: [
        { thread: 'views', count: 9, p99Ms: 99, longestMs: 99 },
        { thread: 'main', count: 9, p99Ms, longestMs },
      ],
    });
    expect(judgeHttp(figures(2, 10), GC_LIMITS)).toEqual([]);
    expect(judgeHttp(figures(5, 20), GC_LIMITS)).toEqual([expect.stringContaining('99 of 100'), expect.stringContaining('up to 20')]);
    expect(judgeHttp({ ...figures(0, 0), threads: [] }, GC_LIMITS)).toEqual([expect.stringContaining('no pause')]);
  });
});
