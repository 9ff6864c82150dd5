import { once } from 'node:events';
import { setImmediate as nextTick, setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Worker } from 'node:worker_threads';
import { constants } from 'node:perf_hooks';
import { afterEach, describe, expect, it } from 'vitest';
import { GC_BUCKETS, gcKindOf, gcMemory, gcOfThreads, gcPercentile, recordGc, type GcPauses } from './gc.ts';

let stop: (() => void) | undefined;
afterEach(() => stop?.());

function collect(): void {
  setFlagsFromString('--expose-gc');
  const gc: unknown = runInNewContext('gc');
  if (typeof gc !== 'function') throw new Error('V8 gives no gc()');
  gc();
}

function pausesOf(name: string, kind: string): GcPauses {
  const pauses = gcOfThreads()
    .find(({ thread }) => thread === name)
    ?.pauses.find((one) => one.kind === kind);
  if (pauses === undefined) throw new Error(`no ${kind} pauses of ${name}`);
  return pauses;
}

describe('pauses', () => {
  it('of this thread are counted by kind, every one of those that are told together', async () => {
    stop = recordGc(gcMemory('here'));
    expect(pausesOf('here', 'major')).toEqual({
      kind: 'major',
      counts: Array.from({ length: GC_BUCKETS.length + 1 }, () => 0),
      count: 0,
      totalSeconds: 0,
      longestSeconds: 0,
    });
    for (let time = 0; time < 3; time += 1) collect();
    while (pausesOf('here', 'major').count < 3) await nextTick();
    const { count, totalSeconds, longestSeconds, counts } = pausesOf('here', 'major');
    expect(count).toBe(counts.reduce((sum, one) => sum + one));
    expect(longestSeconds).toBeGreaterThan(0);
    expect(totalSeconds).toBeGreaterThanOrEqual(longestSeconds);
    const here = gcOfThreads().find(({ thread }) => thread === 'here');
    expect(here?.heapUsedAfter).toBeGreaterThan(1e6);
    expect(here?.heapLimit).toBeGreaterThan(here?.heapUsedAfter ?? Infinity);
  });

  it('of a worker are seen from the main thread', async () => {
    const worker = new Worker(
      `const { workerData, parentPort } = require('node:worker_threads');
       import(workerData.module).then(({ recordGc }) => {
         recordGc(workerData.memory);
         let kept = [];
         const churn = () => { kept = Array.from({ length: 1e5 }, (_, index) => ({ index })); setImmediate(churn); };
         churn();
       });`,
      { eval: true, workerData: { module: new URL('./gc.ts', import.meta.url).href, memory: gcMemory('worker') } },
    );
    try {
      await once(worker, 'online');
      while (pausesOf('worker', 'minor').count === 0) await nextTick();
      expect(pausesOf('worker', 'minor').totalSeconds).toBeGreaterThan(0);
    } finally {
      await worker.terminate();
    }
  });

  it('of a worker that never turns its event loop are seen, too', async () => {
    const worker = new Worker(
      `const { workerData } = require('node:worker_threads');
       import(workerData.module).then(({ GcPoll }) => {
         const gc = new GcPoll(workerData.memory);
         let kept = [];
         for (;;) {
           kept = Array.from({ length: 1e5 }, (_, index) => ({ index }));
           Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
           gc.poll();
         }
       });`,
      { eval: true, workerData: { module: new URL('./gc.ts', import.meta.url).href, memory: gcMemory('sleeper') } },
    );
    try {
      while (pausesOf('sleeper', 'minor').count === 0) await delay(20);
      const { totalSeconds, count } = pausesOf('sleeper', 'minor');
      // A unit that was mistaken for another would be off by a thousand.
      expect(totalSeconds / count).toBeGreaterThan(1e-6);
      expect(totalSeconds / count).toBeLessThan(0.5);
    } finally {
      await worker.terminate();
    }
  });

  it('have the kind that V8 says', () => {
    expect(gcKindOf({ detail: { kind: constants.NODE_PERFORMANCE_GC_MINOR } })).toBe('minor');
    expect(gcKindOf({ detail: { kind: constants.NODE_PERFORMANCE_GC_INCREMENTAL } })).toBe('incremental');
    expect(gcKindOf({ detail: { kind: constants.NODE_PERFORMANCE_GC_WEAKCB } })).toBe('weakcb');
    expect(gcKindOf({ detail: { kind: constants.NODE_PERFORMANCE_GC_MAJOR } })).toBe('major');
    // Minor mark-sweep, and one that is not known: counted, and never as something milder than it may be.
    expect(gcKindOf({ detail: { kind: 2 } })).toBe('minor');
    expect(gcKindOf({})).toBe('major');
  });

  it('have percentiles as closely as the buckets tell', () => {
    const counts = GC_BUCKETS.map(() => 0);
    const pauses = (some: Record<number, number>, longestSeconds: number): GcPauses => {
      const all = [...counts, 0].map((_, bucket) => some[bucket] ?? 0);
      return { kind: 'minor', counts: all, count: all.reduce((sum, one) => sum + one), totalSeconds: 0, longestSeconds };
    };
    expect(gcPercentile(pauses({}, 0), 0.99)).toBe(0);
    expect(gcPercentile(pauses({ 0: 99, 6: 1 }, 0.009), 0.99)).toBe(0.0001);
    expect(gcPercentile(pauses({ 0: 98, 6: 2 }, 0.009), 0.99)).toBe(0.009);
    expect(gcPercentile(pauses({ 0: 98, 5: 1, 6: 1 }, 0.009), 0.99)).toBe(0.005);
    expect(gcPercentile(pauses({ 10: 1 }, 0.3), 0.99)).toBe(0.3);
  });
});
