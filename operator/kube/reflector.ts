/**
 * Keeps a local copy of a collection: list, then watch from that version, for ever. No error ends it.
 *
 * Noticing a dead watch. A watch that hangs looks like one where nothing happens: TCP is up, no byte comes. client-go relies on HTTP/2 pings (30 s, then 15 s), which
 * find a dead peer but not a proxy that answers pings and forwards nothing, and 45 s is too long here: the promise is that a change is noticed within five seconds
 * of a fault's end. Considered: a canary (watch the Lease that is renewed every 2 s, distrust all watches when it falls silent) vouches for its own connection
 * only, and not at all when one among many is dead or nobody leads; a heartbeat GET proves the API server, not the watch; bookmarks come when the server likes;
 * polling moves all objects. Chosen: **every watch is asked to end after `watchTermMs` (2 s)** by the server's own `timeoutSeconds`. A live watch keeps that
 * appointment and is resumed from its last version over the same socket: nothing is lost or listed again. One that misses it by `graceMs` (1 s) is hung,
 * whatever the reason: its socket is closed, the shared pool is renewed (it probably crossed the same path), and the watch resumes. So deafness lasts 3 s at most,
 * without any assumption about what is in between, and it is known to `health()`. The price is one cheap request per collection every 2 s, answered from the
 * API server's watch cache: measured for ten collections, 3 ms of the API server's and 6 ms of the operator's CPU time a second. Raise `watchTermMs` where that
 * matters more than the five seconds.
 *
 * Retry. Every failure is tried again with a jittered, exponential pause of at most `maxBackoffMs` (1 s); a `Retry-After` is honoured up to `maxRetryAfterMs` (4 s: one
 * request per collection in that time is no load worth staying deaf for). 410, by status or in the stream, lists anew; so do three failed watches in a row, a
 * version that the server calls too large (a restored etcd), and every ten minutes for safety.
 *
 * Health. Proof of life is a finished list, an event, a bookmark, or a watch that ended when it should. A watch that was accepted proves nothing: the fault may sit
 * behind it. After a failure without proof for `deafAfterMs` (1.5 s), or a missed end, the reflector is deaf until the next proof.
 */
import { sleep, systemClock } from './clock.ts';
import type { Clock } from './clock.ts';
import { networkError } from './call.ts';
import type { Channel } from './config.ts';
import { Deadline } from './deadline.ts';
import { errorFromStatus, isKubeError, KubeError } from './errors.ts';
import { HandlerSet } from './handlers.ts';
import type { ReflectorHandlers } from './handlers.ts';
import type { HealthResult } from './health.ts';
import { errorText, silentLog } from './log.ts';
import type { Log } from './log.ts';
import { ReflectorMetrics } from './reflector-metrics.ts';
import { DEFAULT_TIMING } from './reflector-options.ts';
import type { ReflectorOptions, ReflectorTiming } from './reflector-options.ts';
import { keyOf, pathOf } from './resource.ts';
import type { KubeObject, Live, ObjectRef } from './resource.ts';
import { Store } from './store.ts';
import { readWatch } from './watch-stream.ts';

/** Failed watches in a row after which the version itself is distrusted. */
const RELIST_AFTER_FAILURES = 3;

export class Reflector<T extends KubeObject> {
  readonly #options: ReflectorOptions<T>;
  readonly #timing: ReflectorTiming;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #store = new Store<T>();
  readonly #handlers = new HandlerSet<T>((error, key, message) => {
    this.#metrics.failed('handler');
    this.#log.error({ resource: this.name, key, err: error }, message);
  });
  readonly #abort = new AbortController();
  readonly #channel: Channel;
  readonly #metrics: ReflectorMetrics;
  readonly #syncWaiters = new Set<() => void>();
  #running: Promise<void> | undefined;
  /** Where to watch from; undefined: list first. */
  #version: string | undefined;
  #listedAtMs = 0;
  #synced = false;
  #failures = 0;
  #provenAtMs: number;
  #deafSinceMs: number | undefined;
  #deafReason = 'has not listed yet';
  #warnedAtMs: number | undefined;

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.#timing = { ...DEFAULT_TIMING, ...options.timing };
    this.#clock = options.clock ?? systemClock;
    this.#log = options.log ?? silentLog;
    this.#channel = options.client.openChannel();
    this.#provenAtMs = this.#clock.nowMs();
    if (options.handlers) this.#handlers.add(options.handlers);
    this.#metrics = new ReflectorMetrics(options.registry, this.name, {
      deaf: () => !this.health().ok,
      objects: () => this.#store.size,
    });
  }

  /** `pods`, or `deployments.apps`; with the namespace and selectors when there are any. */
  get name(): string {
    const { resource, namespace, labelSelector, fieldSelector } = this.#options;
    const plural = resource.group === '' ? resource.plural : `${resource.plural}.${resource.group}`;
    return [plural, namespace, labelSelector, fieldSelector].filter((part) => part !== undefined).join(' ');
  }

  /** True once the first list was taken over. */
  get synced(): boolean {
    return this.#synced;
  }

  /** Bad before the first list and while changes may be going unnoticed. */
  health(): HealthResult {
    if (!this.#synced) return { ok: false, reason: `not synced: ${this.#deafReason}` };
    if (this.#isDeaf()) {
      const silentMs = this.#clock.nowMs() - this.#provenAtMs;
      return { ok: false, reason: `deaf for ${(silentMs / 1000).toFixed(1)} s: ${this.#deafReason}` };
    }
    return { ok: true };
  }

  get(ref: ObjectRef | string): Live<T> | undefined {
    return this.#store.get(typeof ref === 'string' ? ref : keyOf(ref));
  }

  /** The objects known, which are shared and frozen: clone before changing. */
  list(options: { namespace?: string } = {}): Live<T>[] {
    const all = [...this.#store.values()];
    return options.namespace === undefined ? all : all.filter((object) => object.metadata.namespace === options.namespace);
  }

  /** Adds handlers, telling them at once of every object known. Returns the function that removes them. */
  on(handlers: ReflectorHandlers<T>): () => void {
    this.#handlers.add(handlers);
    for (const object of this.#store.values()) this.#handlers.tell(handlers, { type: 'added', object });
    return () => this.#handlers.delete(handlers);
  }

  /** Starts, until `stop` or the signal. */
  start(signal?: AbortSignal): void {
    if (this.#running) return;
    if (signal?.aborted) this.#abort.abort();
    signal?.addEventListener('abort', () => this.#abort.abort(), { once: true, signal: this.#abort.signal });
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#running;
    await this.#options.client.closeChannel(this.#channel);
    this.#metrics.close();
  }

  /** Resolves when the first list was taken over. Rejects on abort, and after `timeoutMs` with the last error in the message. */
  async whenSynced(options: { signal?: AbortSignal; timeoutMs?: number } = {}): Promise<void> {
    if (this.#synced) return;
    const stopped = this.#abort.signal;
    const deadline = new Deadline(options.signal ? AbortSignal.any([options.signal, stopped]) : stopped);
    try {
      deadline.signal.throwIfAborted();
      if (options.timeoutMs !== undefined) deadline.arm(options.timeoutMs, 'first list');
      await new Promise<void>((resolve, reject) => {
        this.#syncWaiters.add(resolve);
        deadline.signal.addEventListener('abort', () => {
          this.#syncWaiters.delete(resolve);
          reject(new Error(`${this.name}: ${errorText(deadline.signal.reason)} (${this.#deafReason})`));
        });
      });
    } finally {
      deadline.release();
    }
  }

  async #run(): Promise<void> {
    const stop = this.#abort.signal;
    while (!stop.aborted) {
      let pauseMs = 0;
      try {
        if (this.#version === undefined || this.#clock.nowMs() - this.#listedAtMs > this.#timing.relistEveryMs) await this.#relist();
        const { early, silent } = await this.#watch();
        if (early && silent) throw new KubeError('the watch ended early and empty', { code: 'server', method: 'GET', path: this.name });
        // A server that ends every watch after an event must not be asked in a tight loop either.
        if (early) pauseMs = this.#timing.minBackoffMs;
      } catch (error) {
        if (stop.aborted) break;
        pauseMs = this.#onFailure(error);
      }
      if (pauseMs > 0) await sleep(this.#clock, pauseMs, stop);
    }
  }

  async #relist(): Promise<void> {
    const { client, resource, namespace, labelSelector, fieldSelector } = this.#options;
    const { items, resourceVersion } = await client.list(resource, {
      ...(namespace === undefined ? {} : { namespace }),
      ...(labelSelector === undefined ? {} : { labelSelector }),
      ...(fieldSelector === undefined ? {} : { fieldSelector }),
      channel: this.#channel,
      signal: this.#abort.signal,
      timeoutMs: this.#timing.answerTimeoutMs,
    });
    this.#metrics.listed();
    this.#version = resourceVersion;
    this.#listedAtMs = this.#clock.nowMs();
    const changes = this.#store.replace(items);
    this.#proven();
    this.#synced = true;
    this.#handlers.tellAll(changes);
    for (const resolve of this.#syncWaiters) resolve();
    this.#syncWaiters.clear();
  }

  /** One watch from its request to its end. `early` is an end before its time, `silent` one without an event. */
  async #watch(): Promise<{ early: boolean; silent: boolean }> {
    const { client, resource, namespace, labelSelector, fieldSelector } = this.#options;
    const { watchTermMs, graceMs, answerTimeoutMs } = this.#timing;
    const path = pathOf(resource, namespace);
    const termSeconds = Math.max(1, Math.round(watchTermMs / 1000));
    const deadline = new Deadline(this.#abort.signal);
    let chunkAtMs = 0;
    let silent = true;
    try {
      deadline.arm(answerTimeoutMs, 'answer to a watch request');
      const query = {
        watch: true,
        allowWatchBookmarks: true,
        resourceVersion: this.#version,
        timeoutSeconds: termSeconds,
        labelSelector,
        fieldSelector,
      };
      const response = await client.send({ method: 'GET', path, query, channel: this.#channel, signal: this.#abort.signal }, deadline);
      this.#metrics.watched();
      const openedAtMs = this.#clock.nowMs();
      deadline.arm(watchTermMs + graceMs, 'end of a watch');
      for await (const event of readWatch<T>(response.body, path, () => (chunkAtMs = this.#clock.nowMs()))) {
        if (event.type === 'ERROR') throw errorFromStatus({ method: 'GET', path }, undefined, event.object);
        this.#version = event.object.metadata.resourceVersion;
        this.#failures = 0;
        silent = false;
        this.#proven();
        if (event.type !== 'BOOKMARK') this.#take(event.type, event.object);
      }
      const early = this.#clock.nowMs() - openedAtMs < watchTermMs / 2;
      if (!early) {
        this.#failures = 0;
        this.#proven();
      }
      return { early, silent };
    } catch (error) {
      const cause = networkError({ method: 'GET', path }, deadline, this.#abort.signal, error);
      // A stream so busy that its end is stuck behind its events is not hung; it is resumed like one that ended.
      if (isKubeError(cause, 'timeout') && this.#clock.nowMs() - chunkAtMs < graceMs / 2) return { early: false, silent };
      throw cause;
    } finally {
      deadline.release();
    }
  }

  #take(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: Live<T>): void {
    this.#handlers.tellAll(type === 'DELETED' ? this.#store.remove(object) : this.#store.put(object));
  }

  /** Decides what follows a failure; returns the pause before the next try. */
  #onFailure(error: unknown): number {
    const reason = isKubeError(error) ? error.code : 'other';
    this.#metrics.failed(reason);
    this.#deafReason = errorText(error);
    if (isKubeError(error, 'timeout')) {
      // No answer, or no end: this path is dead. Others are likely to be; requests waiting on them should fail now rather than at their own time-outs.
      this.#deafSinceMs ??= this.#provenAtMs;
      this.#channel.reset('a watch hung');
      this.#options.client.refreshConnections();
    } else {
      this.#deafSinceMs ??= this.#clock.nowMs();
    }
    const pauseMs = Math.max(this.#backoffMs(), this.#retryAfterMs(error));
    if (
      isKubeError(error, 'gone') ||
      isKubeError(error, 'invalid') ||
      isTooLargeVersion(error) ||
      this.#failures >= RELIST_AFTER_FAILURES
    ) {
      this.#version = undefined;
    }
    const fields = { resource: this.name, reason, failures: this.#failures, pauseMs: Math.round(pauseMs) };
    // One line a collection when an outage begins, and one a minute after that.
    const nowMs = this.#clock.nowMs();
    if (this.#warnedAtMs === undefined || nowMs - this.#warnedAtMs > 60_000) {
      this.#warnedAtMs = nowMs;
      this.#log.warn(fields, `watch failed: ${errorText(error)}`);
    } else {
      this.#log.debug(fields, `watch failed: ${errorText(error)}`);
    }
    return pauseMs;
  }

  #retryAfterMs(error: unknown): number {
    return isKubeError(error) ? Math.min(error.retryAfterMs ?? 0, this.#timing.maxRetryAfterMs) : 0;
  }

  /** Half to all of an exponential pause, and counts one failure. */
  #backoffMs(): number {
    const { minBackoffMs, maxBackoffMs } = this.#timing;
    const fullMs = Math.min(maxBackoffMs, minBackoffMs * 2 ** this.#failures);
    this.#failures += 1;
    return fullMs * (0.5 + Math.random() / 2);
  }

  #proven(): void {
    const wasDeaf = this.#isDeaf();
    const silentMs = this.#clock.nowMs() - this.#provenAtMs;
    this.#provenAtMs = this.#clock.nowMs();
    this.#deafSinceMs = undefined;
    if (!wasDeaf) return;
    this.#warnedAtMs = undefined;
    this.#log.info({ resource: this.name, silentMs: Math.round(silentMs) }, 'watch recovered');
    this.#handlers.tellAll([{ type: 'recovered' }]);
  }

  #isDeaf(): boolean {
    return this.#synced && this.#deafSinceMs !== undefined && this.#clock.nowMs() - this.#deafSinceMs >= this.#timing.deafAfterMs;
  }
}

/** «Too large resource version»: the server is behind the version asked for, as after a restore of etcd. */
function isTooLargeVersion(error: unknown): boolean {
  return error instanceof KubeError && error.causes.some((cause) => cause.reason === 'ResourceVersionTooLarge');
}
