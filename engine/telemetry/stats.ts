/** What the engine counts about itself: plain numbers, read by /metrics, /admin/stats and the dashboard. */
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import type { SequencerObserver } from '../service/sequencer.ts';

/** Upper bounds of the latency buckets, in seconds. */
export const LATENCY_BUCKETS = [
  1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 1,
];
/** Of what takes microseconds, finer. */
export const PROCESSING_BUCKETS = [
  5e-6, 1e-5, 1.5e-5, 2e-5, 2.5e-5, 3e-5, 4e-5, 5e-5, 6e-5, 7.5e-5, 1e-4, 1.25e-4, 1.5e-4, 2e-4, 3e-4, 5e-4, 1e-3, 2.5e-3, 1e-2, 0.1,
];
export const BATCH_BUCKETS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096];

/** A cumulative histogram as Prometheus wants it. Counting costs an index search and two additions. */
export class BucketHistogram {
  readonly bounds: readonly number[];
  readonly counts: Float64Array;
  sum = 0;
  count = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  record(value: number): void {
    let index = 0;
    while (index < this.bounds.length && value > (this.bounds[index] ?? 0)) index += 1;
    this.counts[index] = (this.counts[index] ?? 0) + 1;
    this.sum += value;
    this.count += 1;
  }
}

/** Figures of one second. */
export interface SecondFigures {
  readonly ordersPerSecond: number;
  readonly fillsPerSecond: number;
  /** Of order requests, arrival of the request to its reply; null in a second without orders. */
  readonly orderP50Micros: number | null;
  readonly orderP99Micros: number | null;
}

const SMOOTHED_SECONDS = 5;

export class EngineStats implements SequencerObserver {
  readonly startedAt = new Date();
  ordersAccepted = 0;
  cancels = 0;
  fills = 0;
  commits = 0;
  readonly rejectedByCode = new Map<string, number>();
  readonly matchSeconds = new BucketHistogram(LATENCY_BUCKETS);
  readonly orderSeconds = new BucketHistogram(LATENCY_BUCKETS);
  /** Of requests in frames: from the arrival of the message until the answer is queued for its socket: the write follows. */
  readonly frameSeconds = new BucketHistogram(LATENCY_BUCKETS);
  /** Of order requests over HTTP, from the parsed body to the queued reply. */
  readonly processingSeconds = new BucketHistogram(PROCESSING_BUCKETS);
  readonly commitSeconds = new BucketHistogram(LATENCY_BUCKETS);
  readonly batchCommands = new BucketHistogram(BATCH_BUCKETS);
  readonly #thisSecond: RecordableHistogram = createHistogram();
  readonly #sinceStart: RecordableHistogram = createHistogram();
  readonly #history: SecondFigures[] = [];
  #lastAccepted = 0;
  #lastFills = 0;
  #lastAtMs = performance.now();

  get ordersRejected(): number {
    let rejected = 0;
    for (const count of this.rejectedByCode.values()) rejected += count;
    return rejected;
  }

  rejected(code: string): void {
    this.rejectedByCode.set(code, (this.rejectedByCode.get(code) ?? 0) + 1);
  }

  matched(durationNanos: number): void {
    this.matchSeconds.record(durationNanos / 1e9);
  }

  committed(commands: number, fills: number, durationNanos: number): void {
    this.commits += 1;
    this.fills += fills;
    this.commitSeconds.record(durationNanos / 1e9);
    this.batchCommands.record(commands);
  }

  /** One order request, from its arrival to its reply. */
  answered(durationMs: number): void {
    this.orderSeconds.record(durationMs / 1e3);
    const nanos = Math.max(1, Math.round(durationMs * 1e6));
    this.#thisSecond.record(nanos);
    this.#sinceStart.record(nanos);
  }

  /** One request that came in a frame, from its arrival until its answer was queued for its socket: the write follows. */
  answeredInFrames(durationMs: number): void {
    this.frameSeconds.record(durationMs / 1e3);
  }

  /** Closes the running second; call once a second. */
  tick(nowMs = performance.now()): void {
    const seconds = Math.max(0.001, (nowMs - this.#lastAtMs) / 1000);
    const none = this.#thisSecond.count === 0;
    this.#history.push({
      ordersPerSecond: (this.ordersAccepted - this.#lastAccepted) / seconds,
      fillsPerSecond: (this.fills - this.#lastFills) / seconds,
      orderP50Micros: none ? null : this.#thisSecond.percentile(50) / 1000,
      orderP99Micros: none ? null : this.#thisSecond.percentile(99) / 1000,
    });
    if (this.#history.length > SMOOTHED_SECONDS) this.#history.shift();
    this.#thisSecond.reset();
    this.#lastAccepted = this.ordersAccepted;
    this.#lastFills = this.fills;
    this.#lastAtMs = nowMs;
  }

  /** The last whole second; undefined before the first. */
  lastSecond(): SecondFigures | undefined {
    return this.#history.at(-1);
  }

  /** Mean of the last five seconds. */
  ordersPerSecond(): number {
    if (this.#history.length === 0) return 0;
    return this.#history.reduce((sum, { ordersPerSecond }) => sum + ordersPerSecond, 0) / this.#history.length;
  }

  /** Percentiles of order requests since the start, in microseconds. */
  orderPercentiles(): { p50Micros: number; p99Micros: number; p999Micros: number } | null {
    if (this.#sinceStart.count === 0) return null;
    const at = (percent: number): number => this.#sinceStart.percentile(percent) / 1000;
    return { p50Micros: at(50), p99Micros: at(99), p999Micros: at(99.9) };
  }
}
