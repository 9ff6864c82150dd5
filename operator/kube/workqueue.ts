/**
 * A keyed work queue with client-go's guarantees: a key waits at most once however often it is added; it is never handed to two workers at a time; a key
 * added while it is being worked on is handed out again afterwards. So memory is bounded by the number of distinct keys, and no change is lost.
 */
import type { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { systemClock } from './clock.ts';
import type { Clock } from './clock.ts';
import { counter, gauge, histogram, sampledGauge } from './metrics.ts';
import { ControllerRateLimiter } from './ratelimit.ts';
import type { RateLimiter } from './ratelimit.ts';

export interface WorkQueueOptions {
  /** The `name` label of its metrics. */
  readonly name: string;
  readonly clock?: Clock;
  readonly registry?: Registry;
  readonly limiter?: RateLimiter;
}

const QUEUE_BUCKETS = [1e-5, 1e-4, 1e-3, 1e-2, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1000];

class QueueMetrics {
  readonly #name: string;
  readonly #depth: Gauge<'name'>;
  readonly #adds: Counter<'name'>;
  readonly #retries: Counter<'name'>;
  readonly #queued: Histogram<'name'>;
  readonly #worked: Histogram<'name'>;

  constructor(registry: Registry | undefined, name: string) {
    this.#name = name;
    this.#depth = gauge(registry, 'workqueue_depth', 'Current depth of the workqueue', ['name']);
    this.#adds = counter(registry, 'workqueue_adds_total', 'Total number of adds handled by the workqueue', ['name']);
    this.#retries = counter(registry, 'workqueue_retries_total', 'Total number of retries handled by the workqueue', ['name']);
    this.#queued = histogram(
      registry,
      'workqueue_queue_duration_seconds',
      'How long an item stays in the workqueue before being requested',
      ['name'],
      QUEUE_BUCKETS,
    );
    this.#worked = histogram(
      registry,
      'workqueue_work_duration_seconds',
      'How long processing an item from the workqueue takes',
      ['name'],
      QUEUE_BUCKETS,
    );
    this.#depth.set({ name }, 0);
    this.#adds.inc({ name }, 0);
    this.#retries.inc({ name }, 0);
    this.#queued.zero({ name });
    this.#worked.zero({ name });
  }

  depth(value: number): void {
    this.#depth.set({ name: this.#name }, value);
  }
  added(): void {
    this.#adds.inc({ name: this.#name });
  }
  retried(): void {
    this.#retries.inc({ name: this.#name });
  }
  queued(forMs: number): void {
    this.#queued.observe({ name: this.#name }, forMs / 1000);
  }
  worked(forMs: number): void {
    this.#worked.observe({ name: this.#name }, forMs / 1000);
  }
}

export class WorkQueue {
  readonly #clock: Clock;
  readonly #limiter: RateLimiter;
  readonly #metrics: QueueMetrics;
  readonly #stopSampling: (() => void)[];
  /** Key -> when it was queued, in the order of adding: what `get` hands out next. */
  readonly #queue = new Map<string, number>();
  /** Added while being processed; queued again by `done`. */
  readonly #dirty = new Set<string>();
  /** Key -> when a worker took it. */
  readonly #processing = new Map<string, number>();
  readonly #delayed = new Map<string, { readonly dueMs: number; readonly cancel: () => void }>();
  readonly #waiters = new Set<(key: string | undefined) => void>();
  #shuttingDown = false;

  constructor(options: WorkQueueOptions) {
    const { name, registry } = options;
    this.#clock = options.clock ?? systemClock;
    this.#limiter = options.limiter ?? new ControllerRateLimiter(this.#clock);
    this.#metrics = new QueueMetrics(registry, name);
    this.#stopSampling = [
      sampledGauge(
        registry,
        'workqueue_unfinished_work_seconds',
        'Seconds of work in progress that work_duration has not observed yet',
        'name',
        name,
        () => this.#inProgressMs().reduce((sum, ms) => sum + ms, 0) / 1000,
      ),
      sampledGauge(
        registry,
        'workqueue_longest_running_processor_seconds',
        'Seconds that the longest running processor has been running',
        'name',
        name,
        () => Math.max(0, ...this.#inProgressMs()) / 1000,
      ),
    ];
  }

  /** Keys that wait to be handed out now (neither delayed nor being processed). */
  get length(): number {
    return this.#queue.size;
  }

  get shuttingDown(): boolean {
    return this.#shuttingDown;
  }

  /** Queues the key unless it is queued already. Ignored once shutting down. */
  add(key: string): void {
    if (this.#shuttingDown || this.#queue.has(key) || this.#dirty.has(key)) return;
    this.#metrics.added();
    if (this.#processing.has(key)) this.#dirty.add(key);
    else this.#enqueue(key);
  }

  /** Adds the key after `delayMs`; of several delays for one key the earliest counts. */
  addAfter(key: string, delayMs: number): void {
    if (this.#shuttingDown) return;
    if (delayMs <= 0) {
      this.add(key);
      return;
    }
    const dueMs = this.#clock.nowMs() + delayMs;
    const waiting = this.#delayed.get(key);
    if (waiting && waiting.dueMs <= dueMs) return;
    waiting?.cancel();
    const cancel = this.#clock.setTimer(() => {
      this.#delayed.delete(key);
      this.add(key);
    }, delayMs);
    this.#delayed.set(key, { dueMs, cancel });
  }

  /** Adds the key after its back-off and counts a failure; `forget` clears the count. */
  addRateLimited(key: string): void {
    if (this.#shuttingDown) return;
    this.#metrics.retried();
    this.addAfter(key, this.#limiter.delayMs(key));
  }

  forget(key: string): void {
    this.#limiter.forget(key);
  }

  /** Failures of the key since it was last forgotten. */
  requeues(key: string): number {
    return this.#limiter.failures(key);
  }

  /** The next key, waiting for one; undefined when the queue is shut down and empty, or the signal aborts. Every key must be given back with `done`. */
  get(signal?: AbortSignal): Promise<string | undefined> {
    if (signal?.aborted) return Promise.resolve(undefined);
    const next = this.#queue.keys().next();
    if (!next.done) {
      this.#take(next.value);
      return Promise.resolve(next.value);
    }
    if (this.#shuttingDown) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const onAbort = (): void => waiter(undefined);
      const waiter = (key: string | undefined): void => {
        this.#waiters.delete(waiter);
        signal?.removeEventListener('abort', onAbort);
        resolve(key);
      };
      this.#waiters.add(waiter);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** Gives a key back; if it was added meanwhile, it is queued again. */
  done(key: string): void {
    const startedMs = this.#processing.get(key);
    if (startedMs === undefined) return;
    this.#processing.delete(key);
    this.#metrics.worked(this.#clock.nowMs() - startedMs);
    if (this.#dirty.delete(key)) this.#enqueue(key);
    this.#settleIdle();
  }

  /** Takes no more keys and drops those that wait; keys being processed may finish. */
  shutdown(): void {
    this.#shuttingDown = true;
    for (const { cancel } of this.#delayed.values()) cancel();
    this.#delayed.clear();
    this.#queue.clear();
    this.#dirty.clear();
    this.#metrics.depth(0);
    for (const waiter of this.#waiters) waiter(undefined);
    this.#settleIdle();
  }

  #inProgressMs(): number[] {
    const nowMs = this.#clock.nowMs();
    return [...this.#processing.values()].map((startedMs) => nowMs - startedMs);
  }

  #enqueue(key: string): void {
    this.#queue.set(key, this.#clock.nowMs());
    this.#metrics.depth(this.#queue.size);
    const waiter = this.#waiters.values().next();
    if (waiter.done) return;
    this.#take(key);
    waiter.value(key);
  }

  #take(key: string): void {
    const nowMs = this.#clock.nowMs();
    this.#metrics.queued(nowMs - (this.#queue.get(key) ?? nowMs));
    this.#queue.delete(key);
    this.#processing.set(key, nowMs);
    this.#metrics.depth(this.#queue.size);
  }

  /** Nothing is left to measure once the last key was given back after a shutdown. */
  #settleIdle(): void {
    if (!this.#shuttingDown || this.#processing.size > 0) return;
    for (const stop of this.#stopSampling) stop();
  }
}
