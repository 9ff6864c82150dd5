/** What the runtime does under the engine: garbage collection in every thread, the heap, event-loop delay. For people and for Prometheus. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { getHeapSpaceStatistics, getHeapStatistics } from 'node:v8';
import { gcMemory, gcOfThreads, gcPercentile, recordGc } from './gc.ts';

export class RuntimeWatch {
  readonly #loop = monitorEventLoopDelay({ resolution: 10 });
  readonly #stopGc = recordGc(gcMemory('main'));

  constructor() {
    this.#loop.enable();
  }

  /** Pauses by thread and kind in milliseconds, the heap in bytes by space, the flags in force. */
  figures() {
    const gc = gcOfThreads().map(({ thread, pauses, heapUsedAfter, heapLimit }) => {
      const kinds = pauses.map((one): [string, object] => [
        one.kind,
        {
          count: one.count,
          totalMs: one.totalSeconds * 1e3,
          p99Ms: gcPercentile(one, 0.99) * 1e3,
          longestMs: one.longestSeconds * 1e3,
        },
      ]);
      return [thread, { ...Object.fromEntries(kinds), heapUsedAfterBytes: heapUsedAfter, heapLimitBytes: heapLimit }];
    });
    return {
      gc: Object.fromEntries(gc) as Record<string, object>,
      eventLoopDelay: { p50Ms: this.#loop.percentile(50) / 1e6, p99Ms: this.#loop.percentile(99) / 1e6, maxMs: this.#loop.max / 1e6 },
      heap: getHeapStatistics(),
      heapSpaces: getHeapSpaceStatistics(),
      memory: process.memoryUsage(),
      heapFlags: process.execArgv,
      uptimeSeconds: process.uptime(),
    };
  }

  stop(): void {
    this.#stopGc();
    this.#loop.disable();
  }
}
