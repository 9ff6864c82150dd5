/**
 * Pauses for garbage collection, thread by thread, in shared memory: whatever observes them sees only its own thread, so each records into memory
 * that the main thread has made for it and reads.
 */
import { constants, PerformanceObserver } from 'node:perf_hooks';
import { GCProfiler, getHeapStatistics } from 'node:v8';

/** Upper bounds of the buckets, in seconds. A pause of more than 10 ms is one too many. */
export const GC_BUCKETS = [0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1];

/** As prom-client calls them. `incremental` are the pauses that begin incremental marking, not its steps, which V8 does not report. */
export const GC_KINDS = ['minor', 'major', 'incremental', 'weakcb'] as const;
export type GcKind = (typeof GC_KINDS)[number];

const KINDS = new Map<number, GcKind>([
  [constants.NODE_PERFORMANCE_GC_MINOR, 'minor'],
  [constants.NODE_PERFORMANCE_GC_MAJOR, 'major'],
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL, 'incremental'],
  [constants.NODE_PERFORMANCE_GC_WEAKCB, 'weakcb'],
]);
/** V8 calls minor mark-sweep, which is off by default, by a number of its own. */
const MINOR_MARK_SWEEP = 2;

/** As V8's profiler calls them. */
const TYPES = new Map<string, GcKind>([
  ['Scavenge', 'minor'],
  ['MinorMarkSweep', 'minor'],
  ['MarkSweepCompact', 'major'],
  ['IncrementalMarking', 'incremental'],
  ['ProcessWeakCallbacks', 'weakcb'],
]);
const POLL_INTERVAL_MS = 1000;

/** Doubles of a kind: its buckets and the one beyond, the sum of seconds, the longest. */
const SUM = GC_BUCKETS.length + 1;
const LONGEST = SUM + 1;
const KIND_DOUBLES = LONGEST + 1;
/** After the kinds: bytes of the heap after the last collection, and of its limit. */
const USED_AFTER = GC_KINDS.length * KIND_DOUBLES;
const LIMIT = USED_AFTER + 1;
const DOUBLES = LIMIT + 1;

const threads = new Map<string, SharedArrayBuffer>();

/**
 * Memory for the pauses of a worker thread, for its `workerData`: what the thread records there with {@link recordGc} appears in the metrics under
 * this name, as does what it records with a {@link GcPoll}. A thread that takes another's place under its name begins from nothing.
 */
export function gcMemory(thread: string): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(DOUBLES * Float64Array.BYTES_PER_ELEMENT);
  threads.set(thread, memory);
  return memory;
}

/**
 * Records the pauses of the thread that calls it, until what it gives is called. Costs nothing between collections. Only for threads whose event loop
 * turns: in others what is observed would wait for ever, and grow.
 */
export function recordGc(memory: SharedArrayBuffer): () => void {
  const figures = new Float64Array(memory);
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) recordPause(figures, gcKindOf(entry), entry.duration / 1000);
    recordHeap(figures);
  });
  observer.observe({ entryTypes: ['gc'] });
  recordHeap(figures);
  return () => observer.disconnect();
}

/** Records the pauses of a thread that sleeps by Atomics.wait, whose event loop never turns. V8 keeps them until they are asked for. */
export class GcPoll {
  readonly #figures: Float64Array;
  #profiler = new GCProfiler();
  #dueMs = performance.now() + POLL_INTERVAL_MS;

  constructor(memory: SharedArrayBuffer) {
    this.#figures = new Float64Array(memory);
    this.#profiler.start();
    recordHeap(this.#figures);
  }

  /** To be called again and again: looks once a second, and costs a reading of the clock otherwise. */
  poll(): void {
    const nowMs = performance.now();
    if (nowMs < this.#dueMs) return;
    this.#dueMs = nowMs + POLL_INTERVAL_MS;
    const { statistics } = this.#profiler.stop() ?? { statistics: [] };
    this.#profiler = new GCProfiler();
    this.#profiler.start();
    for (const { gcType, cost } of statistics) recordPause(this.#figures, TYPES.get(gcType) ?? 'major', cost / 1e6);
    recordHeap(this.#figures);
  }
}

function recordHeap(figures: Float64Array): void {
  const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
  figures[USED_AFTER] = used;
  figures[LIMIT] = limit;
}

/** The kind of a `gc` entry. Node's typings leave `detail` out. */
export function gcKindOf(entry: object): GcKind {
  const detail = 'detail' in entry ? entry.detail : undefined;
  const kind = typeof detail === 'object' && detail !== null && 'kind' in detail ? detail.kind : undefined;
  const known = typeof kind === 'number' ? KINDS.get(kind === MINOR_MARK_SWEEP ? constants.NODE_PERFORMANCE_GC_MINOR : kind) : undefined;
  return known ?? 'major';
}

function recordPause(figures: Float64Array, kind: GcKind, seconds: number): void {
  const at = GC_KINDS.indexOf(kind) * KIND_DOUBLES;
  const over = GC_BUCKETS.findIndex((bound) => seconds <= bound);
  const bucket = at + (over === -1 ? GC_BUCKETS.length : over);
  figures[bucket] = (figures[bucket] as number) + 1;
  figures[at + SUM] = (figures[at + SUM] as number) + seconds;
  figures[at + LONGEST] = Math.max(figures[at + LONGEST] as number, seconds);
}

/** The pauses of one kind. */
export interface GcPauses {
  readonly kind: GcKind;
  /** By bucket, the one beyond the last bound included. */
  readonly counts: readonly number[];
  readonly count: number;
  readonly totalSeconds: number;
  readonly longestSeconds: number;
}

export interface ThreadGc {
  readonly thread: string;
  readonly pauses: readonly GcPauses[];
  /** Bytes of the thread's heap soon after its last collection (at its start, before the first), and its limit. */
  readonly heapUsedAfter: number;
  readonly heapLimit: number;
}

/** Every thread that {@link gcMemory} was asked for, in that order. */
export function gcOfThreads(): ThreadGc[] {
  return [...threads].map(([thread, memory]) => readGc(thread, memory));
}

function readGc(thread: string, memory: SharedArrayBuffer): ThreadGc {
  const figures = new Float64Array(memory);
  const pauses = GC_KINDS.map((kind, index) => {
    const at = index * KIND_DOUBLES;
    const counts = [...figures.subarray(at, at + SUM)];
    return {
      kind,
      counts,
      count: counts.reduce((sum, count) => sum + count, 0),
      totalSeconds: figures[at + SUM] as number,
      longestSeconds: figures[at + LONGEST] as number,
    };
  });
  return { thread, pauses, heapUsedAfter: figures[USED_AFTER] as number, heapLimit: figures[LIMIT] as number };
}

/** What at least `share` of the pauses stay under, in seconds, as closely as the buckets tell; 0 without any. */
export function gcPercentile({ counts, count, longestSeconds }: GcPauses, share: number): number {
  let below = 0;
  const bucket = counts.findIndex((one) => (below += one) >= share * count);
  return Math.min(GC_BUCKETS[bucket] ?? longestSeconds, longestSeconds);
}
