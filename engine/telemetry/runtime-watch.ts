/** Garbage-collection pauses and event-loop delay of this process, as figures for people; Prometheus gets its own from prom-client. */
import { constants, monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks';
import { z } from 'zod';

const KINDS = new Map<number, string>([
  [constants.NODE_PERFORMANCE_GC_MINOR, 'minor'],
  [constants.NODE_PERFORMANCE_GC_MAJOR, 'major'],
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL, 'incremental'],
  [constants.NODE_PERFORMANCE_GC_WEAKCB, 'weakCallbacks'],
]);
/** Node's typings leave `detail` out. */
const gcEntrySchema = z.object({ detail: z.object({ kind: z.number() }) });

export interface GcFigures {
  count: number;
  totalMs: number;
  longestMs: number;
}

export class RuntimeWatch {
  readonly #gc = new Map<string, GcFigures>();
  readonly #loop = monitorEventLoopDelay({ resolution: 10 });
  readonly #observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const parsed = gcEntrySchema.safeParse(entry);
      const kind = KINDS.get(parsed.success ? parsed.data.detail.kind : -1) ?? 'other';
      const figures = this.#gc.get(kind) ?? { count: 0, totalMs: 0, longestMs: 0 };
      figures.count += 1;
      figures.totalMs += entry.duration;
      figures.longestMs = Math.max(figures.longestMs, entry.duration);
      this.#gc.set(kind, figures);
    }
  });

  constructor() {
    this.#observer.observe({ entryTypes: ['gc'] });
    this.#loop.enable();
  }

  figures(): { gc: Record<string, GcFigures>; eventLoopDelay: { p50Ms: number; p99Ms: number; maxMs: number } } {
    return {
      gc: Object.fromEntries(this.#gc),
      eventLoopDelay: { p50Ms: this.#loop.percentile(50) / 1e6, p99Ms: this.#loop.percentile(99) / 1e6, maxMs: this.#loop.max / 1e6 },
    };
  }

  stop(): void {
    this.#observer.disconnect();
    this.#loop.disable();
  }
}
