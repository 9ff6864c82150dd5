/** Garbage collection by thread and the heap's flags in Prometheus' text format. */
import { getHeapStatistics } from 'node:v8';
import { histogramText, seriesText, type Labels } from './exposition.ts';
import { GC_BUCKETS, gcOfThreads } from './gc.ts';

export function runtimeMetrics(labels: Labels): string {
  const threads = gcOfThreads();
  const pauses = threads.flatMap(({ thread, pauses: kinds }) =>
    kinds.map(({ kind, counts, totalSeconds, count, longestSeconds }) => ({
      labels: { kind, thread, ...labels },
      histogram: { bounds: GC_BUCKETS, counts, sum: totalSeconds, count },
      longestSeconds,
    })),
  );
  return [
    histogramText('nodejs_gc_duration_seconds', 'Pauses for garbage collection of a thread, by kind.', pauses),
    seriesText(
      'gauge',
      'hft_gc_longest_seconds',
      'The longest pause for garbage collection since the start.',
      pauses.map((one) => ({ labels: one.labels, value: one.longestSeconds })),
    ),
    seriesText(
      'gauge',
      'hft_heap_used_after_gc_bytes',
      'What the last collection of a thread left on its heap.',
      threads.map(({ thread, heapUsedAfter }) => ({ labels: { thread, ...labels }, value: heapUsedAfter })),
    ),
    seriesText('gauge', 'hft_heap_limit_bytes', 'Size at which the heap of the main thread ends with an error.', [
      { labels, value: getHeapStatistics().heap_size_limit },
    ]),
    seriesText('gauge', 'hft_heap_flags', 'The V8 flags in force.', [
      { labels: { flags: process.execArgv.join(' '), ...labels }, value: 1 },
    ]),
  ].join('');
}
