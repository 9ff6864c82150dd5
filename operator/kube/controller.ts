/**
 * A queue and its workers, with controller-runtime's rules for what follows a reconcile: an error is retried with back-off; `requeueAfterMs` forgets the
 * back-off and comes back then; `requeue` comes back with back-off; otherwise the key rests until something changes.
 */
import type { Registry } from 'prom-client';
import { sleep, systemClock } from './clock.ts';
import type { Clock } from './clock.ts';
import { errorText, silentLog } from './log.ts';
import type { Log } from './log.ts';
import { counter, gauge, histogram } from './metrics.ts';
import { WorkQueue } from './workqueue.ts';

export interface ReconcileResult {
  readonly requeueAfterMs?: number;
  readonly requeue?: boolean;
}

/** Thrown by a reconcile whose next try cannot fare better: it is counted and logged, not retried until the object changes. */
export class TerminalError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'TerminalError';
  }
}

export interface ControllerOptions {
  /** The `controller` label of its metrics and the name of its queue. */
  readonly name: string;
  /**
   * Brings one object closer to what is wanted. Never runs twice at once for one key. The signal aborts when the time-out passes or the controller must stop;
   * the key is held until the promise settles, so pass the signal on to every call.
   */
  readonly reconcile: (key: string, signal: AbortSignal) => Promise<ReconcileResult | void>;
  /** Default 1. */
  readonly maxConcurrent?: number;
  /** Default 60 s. */
  readonly reconcileTimeoutMs?: number;
  readonly registry?: Registry;
  readonly log?: Log;
  readonly clock?: Clock;
  /** Instead of one with client-go's limits. */
  readonly queue?: WorkQueue;
}

const RESULTS = ['success', 'error', 'requeue', 'requeue_after'] as const;
const RECONCILE_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 20, 30, 60];

export class Controller {
  readonly queue: WorkQueue;
  readonly #options: ControllerOptions;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #abort = new AbortController();
  readonly #workers: Promise<void>[] = [];
  readonly #total;
  readonly #errors;
  readonly #terminal;
  readonly #timeouts;
  readonly #seconds;
  readonly #active;

  constructor(options: ControllerOptions) {
    const { name, registry } = options;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#log = options.log ?? silentLog;
    this.queue = options.queue ?? new WorkQueue({ name, clock: this.#clock, ...(registry ? { registry } : {}) });
    this.#total = counter(registry, 'controller_runtime_reconcile_total', 'Total number of reconciliations per controller', [
      'controller',
      'result',
    ]);
    this.#errors = counter(registry, 'controller_runtime_reconcile_errors_total', 'Total number of reconciliation errors per controller', [
      'controller',
    ]);
    this.#terminal = counter(
      registry,
      'controller_runtime_terminal_reconcile_errors_total',
      'Total number of terminal reconciliation errors per controller',
      ['controller'],
    );
    this.#timeouts = counter(
      registry,
      'controller_runtime_reconcile_timeouts_total',
      'Total number of reconciliation timeouts per controller',
      ['controller'],
    );
    this.#seconds = histogram(
      registry,
      'controller_runtime_reconcile_time_seconds',
      'Length of time per reconciliation per controller',
      ['controller'],
      RECONCILE_BUCKETS,
    );
    this.#active = gauge(registry, 'controller_runtime_active_workers', 'Number of currently used workers per controller', ['controller']);
    const max = gauge(registry, 'controller_runtime_max_concurrent_reconciles', 'Maximum number of concurrent reconciles per controller', [
      'controller',
    ]);
    for (const result of RESULTS) this.#total.inc({ controller: name, result }, 0);
    for (const metric of [this.#errors, this.#terminal, this.#timeouts]) metric.inc({ controller: name }, 0);
    this.#seconds.zero({ controller: name });
    this.#active.set({ controller: name }, 0);
    max.set({ controller: name }, this.#maxConcurrent);
  }

  get #maxConcurrent(): number {
    return this.#options.maxConcurrent ?? 1;
  }

  enqueue(key: string): void {
    this.queue.add(key);
  }

  /** Starts the workers; keys added before are waiting already. */
  start(): void {
    if (this.#workers.length > 0) return;
    for (let i = 0; i < this.#maxConcurrent; i++) this.#workers.push(this.#work());
  }

  /**
   * Hands out no more keys, lets running reconciles finish for `drainTimeoutMs` (default 5 s; 0 when leadership was lost), then aborts them, and resolves when
   * the last one has settled.
   */
  async stop(options: { drainTimeoutMs?: number } = {}): Promise<void> {
    this.queue.shutdown();
    const finished = Promise.all(this.#workers).then(() => undefined);
    const drained = new AbortController();
    await Promise.race([finished, sleep(this.#clock, options.drainTimeoutMs ?? 5_000, drained.signal)]);
    drained.abort();
    this.#abort.abort(new Error('the controller is stopping'));
    await finished;
  }

  async #work(): Promise<void> {
    for (;;) {
      const key = await this.queue.get(this.#abort.signal);
      if (key === undefined) return;
      this.#active.inc({ controller: this.#options.name });
      try {
        await this.#handle(key);
      } finally {
        this.queue.done(key);
        this.#active.dec({ controller: this.#options.name });
      }
    }
  }

  /** One reconcile and the one switch over its outcome. */
  async #handle(key: string): Promise<void> {
    const controller = this.#options.name;
    const startedMs = this.#clock.nowMs();
    let outcome: ReconcileResult | { readonly error: unknown };
    try {
      outcome = (await this.#reconcile(key)) ?? {};
    } catch (error) {
      outcome = { error };
    }
    this.#seconds.observe({ controller }, (this.#clock.nowMs() - startedMs) / 1000);

    if ('error' in outcome) {
      this.#total.inc({ controller, result: 'error' });
      this.#errors.inc({ controller });
      const terminal = outcome.error instanceof TerminalError;
      if (terminal) {
        this.#terminal.inc({ controller });
        this.queue.forget(key);
      } else {
        this.queue.addRateLimited(key);
      }
      this.#log.warn(
        { controller, key, err: outcome.error, failures: this.queue.requeues(key), terminal },
        `reconcile failed: ${errorText(outcome.error)}`,
      );
    } else if (outcome.requeueAfterMs !== undefined && outcome.requeueAfterMs > 0) {
      this.#total.inc({ controller, result: 'requeue_after' });
      this.queue.forget(key);
      this.queue.addAfter(key, outcome.requeueAfterMs);
    } else if (outcome.requeue) {
      this.#total.inc({ controller, result: 'requeue' });
      this.queue.addRateLimited(key);
    } else {
      this.#total.inc({ controller, result: 'success' });
      this.queue.forget(key);
    }
  }

  async #reconcile(key: string): Promise<ReconcileResult | void> {
    const timeoutMs = this.#options.reconcileTimeoutMs ?? 60_000;
    const timeout = new AbortController();
    const cancel = this.#clock.setTimer(() => {
      this.#timeouts.inc({ controller: this.#options.name });
      timeout.abort(new Error(`the reconcile took longer than ${timeoutMs} ms`));
    }, timeoutMs);
    try {
      return await this.#options.reconcile(key, AbortSignal.any([timeout.signal, this.#abort.signal]));
    } finally {
      cancel();
    }
  }
}
