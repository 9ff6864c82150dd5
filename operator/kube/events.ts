/**
 * Events (events.k8s.io/v1) for people who run `kubectl describe`. The same event again becomes a series with a count instead of a new object; a token bucket per object
 * keeps one in trouble from flooding the API server; memory is bounded; and nothing here ever throws into, or holds up, the code that reports.
 */
import { randomBytes } from 'node:crypto';
import type { Registry } from 'prom-client';
import { BoundedMap } from './bounded-map.ts';
import type { KubeClient } from './client.ts';
import { microTime, sleep, systemClock } from './clock.ts';
import type { Clock } from './clock.ts';
import { isKubeError } from './errors.ts';
import { errorText, silentLog } from './log.ts';
import type { Log } from './log.ts';
import { counter } from './metrics.ts';
import { resources } from './resource.ts';
import type { KubeObject } from './resource.ts';

export interface EventRecorderOptions {
  readonly client: KubeClient;
  /** `reportingController`, such as `example.io/operator`. */
  readonly component: string;
  /** `reportingInstance`: the pod. Defaults to `$HOSTNAME`. */
  readonly instance?: string;
  readonly registry?: Registry;
  readonly log?: Log;
  readonly clock?: Clock;
}

export type EventType = 'Normal' | 'Warning';

/** client-go's spam filter: 25 at once per object, then one every five minutes. */
const BURST_PER_OBJECT = 25;
const REFILL_MS = 300_000;
/** A repetition within this time continues the series. */
const SERIES_MS = 600_000;
/** A series is written at most this often. */
const SERIES_WRITE_MS = 5_000;
const MAX_SERIES = 4_096;
const MAX_OBJECTS = 4_096;
const MAX_PENDING = 1_000;
const MAX_NOTE_BYTES = 1_024;
const WRITE_TIMEOUT_MS = 5_000;

interface Series {
  readonly namespace: string;
  readonly body: KubeObject & Record<string, unknown>;
  count: number;
  lastMs: number;
  lastDate: Date;
  /** False until the first write succeeded. */
  created: boolean;
  writtenCount: number;
  queued: boolean;
  cancelTimer?: () => void;
}

interface Bucket {
  tokens: number;
  atMs: number;
}

/** Cut to the API's limit without splitting a character. */
function clip(text: string, maxBytes: number): string {
  if (Buffer.byteLength(text) <= maxBytes) return text;
  const cut = Buffer.from(text).subarray(0, maxBytes - 4);
  return `${new TextDecoder().decode(cut, { stream: true })}…`;
}

export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #series = new BoundedMap<string, Series>(MAX_SERIES);
  readonly #buckets = new BoundedMap<string, Bucket>(MAX_OBJECTS);
  readonly #pending: Series[] = [];
  readonly #total;
  #writing: Promise<void> | undefined;
  #stopped = false;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#log = options.log ?? silentLog;
    this.#total = counter(options.registry, 'kube_events_total', 'Events by what became of them', ['result']);
    for (const result of ['written', 'repeated', 'dropped', 'failed']) this.#total.inc({ result }, 0);
  }

  /**
   * Reports on an object, which needs apiVersion, kind and uid. `reason` is CamelCase for machines, `note` a sentence for people, `action` what was being done. Returns at once
   * and never throws; an event that cannot be written is logged and dropped.
   */
  event(regarding: KubeObject, type: EventType, reason: string, note: string, action = reason): void {
    try {
      this.#record(regarding, type, reason, note, action);
    } catch (error) {
      this.#total.inc({ result: 'failed' });
      this.#log.warn({ err: error, reason }, `event not recorded: ${errorText(error)}`);
    }
  }

  /** Resolves when what was reported so far has been written, dropped, or `timeoutMs` has passed. */
  async flush(timeoutMs = 5_000): Promise<void> {
    const done = new AbortController();
    await Promise.race([this.#flushAll(), sleep(this.#clock, timeoutMs, done.signal)]);
    done.abort();
  }

  /** Writes what is left, for `timeoutMs` at most, and takes no more. */
  async stop(timeoutMs = 2_000): Promise<void> {
    await this.flush(timeoutMs);
    this.#stopped = true;
    this.#pending.length = 0;
    for (const series of this.#series.values()) series.cancelTimer?.();
  }

  async #flushAll(): Promise<void> {
    for (const series of this.#series.values()) this.#enqueue(series);
    await this.#writing;
    // What was repeated while it was being written.
    for (const series of this.#series.values()) if (series.created) this.#enqueue(series);
    await this.#writing;
  }

  #record(regarding: KubeObject, type: EventType, reason: string, note: string, action: string): void {
    if (this.#stopped) return;
    const { name, namespace, uid, resourceVersion } = regarding.metadata;
    const text = clip(note, MAX_NOTE_BYTES);
    const key = JSON.stringify([regarding.kind, namespace, name, uid, type, reason, text, action]);
    const nowMs = this.#clock.nowMs();
    const known = this.#series.get(key);
    if (known && nowMs - known.lastMs < SERIES_MS) {
      known.count += 1;
      known.lastMs = nowMs;
      known.lastDate = this.#clock.date();
      this.#total.inc({ result: 'repeated' });
      if (!known.queued) this.#writeLater(known);
      return;
    }
    known?.cancelTimer?.();
    if (!this.#takeToken(uid ?? `${namespace}/${name}`, nowMs)) {
      this.#total.inc({ result: 'dropped' });
      return;
    }
    const date = this.#clock.date();
    const eventNamespace = namespace ?? 'default';
    const series: Series = {
      namespace: eventNamespace,
      body: {
        metadata: { name: `${name.slice(0, 220)}.${randomBytes(8).toString('hex')}`, namespace: eventNamespace },
        eventTime: microTime(date),
        reportingController: this.#options.component,
        reportingInstance: clip(this.#options.instance ?? process.env['HOSTNAME'] ?? this.#options.component, 128),
        regarding: { apiVersion: regarding.apiVersion, kind: regarding.kind, name, namespace, uid, resourceVersion },
        type,
        reason: clip(reason, 128),
        action: clip(action, 128),
        note: text,
      },
      count: 1,
      lastMs: nowMs,
      lastDate: date,
      created: false,
      writtenCount: 0,
      queued: false,
    };
    this.#series.set(key, series)?.cancelTimer?.();
    this.#enqueue(series);
  }

  #writeLater(series: Series): void {
    series.cancelTimer ??= this.#clock.setTimer(() => {
      delete series.cancelTimer;
      this.#enqueue(series);
    }, SERIES_WRITE_MS);
  }

  #takeToken(id: string, nowMs: number): boolean {
    const bucket = this.#buckets.get(id) ?? { tokens: BURST_PER_OBJECT, atMs: nowMs };
    bucket.tokens = Math.min(BURST_PER_OBJECT, bucket.tokens + (nowMs - bucket.atMs) / REFILL_MS);
    bucket.atMs = nowMs;
    this.#buckets.set(id, bucket);
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }

  #enqueue(series: Series): void {
    if (series.queued || series.writtenCount === series.count) return;
    if (this.#pending.length >= MAX_PENDING) {
      this.#total.inc({ result: 'dropped' });
      return;
    }
    series.queued = true;
    this.#pending.push(series);
    this.#writing ??= this.#writeAll().finally(() => (this.#writing = undefined));
  }

  async #writeAll(): Promise<void> {
    for (let series = this.#pending.shift(); series; series = this.#pending.shift()) {
      try {
        await this.#write(series);
        this.#total.inc({ result: 'written' });
      } catch (error) {
        this.#total.inc({ result: 'failed' });
        this.#log.warn({ err: error, reason: series.body['reason'] }, `event not written: ${errorText(error)}`);
      }
      // Only now: what is being written must not be queued a second time.
      series.queued = false;
      if (series.created && series.writtenCount < series.count) this.#writeLater(series);
    }
  }

  async #write(series: Series): Promise<void> {
    const { client } = this.#options;
    const call = { timeoutMs: WRITE_TIMEOUT_MS };
    const count = series.count;
    const seriesPart = count > 1 ? { series: { count, lastObservedTime: microTime(series.lastDate) } } : {};
    if (series.created) {
      try {
        await client.patch(resources.events, series.body.metadata, seriesPart, { ...call, type: 'merge' });
        series.writtenCount = count;
        return;
      } catch (error) {
        // The API server forgets events after an hour.
        if (!isKubeError(error, 'notFound')) throw error;
      }
    }
    await client.request({
      ...call,
      method: 'POST',
      path: `/apis/events.k8s.io/v1/namespaces/${series.namespace}/events`,
      body: { apiVersion: 'events.k8s.io/v1', kind: 'Event', ...series.body, ...seriesPart },
    });
    series.created = true;
    series.writtenCount = count;
  }
}
