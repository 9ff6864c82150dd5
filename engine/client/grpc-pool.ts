/**
 * Channels to one engine: several HTTP/2 connections, looked after. Calls go round over those whose health check says that the engine serves; a
 * channel that nobody used is closed, an old one is replaced, a broken one connects again by itself. Calls are tried again, later each time and
 * at a random moment, where that cannot do anything twice.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { credentials, Metadata, status, type ChannelCredentials, type Client, type ServiceError } from '@grpc/grpc-js';
import type { Method } from './grpc-contract.ts';
import { PoolChannel } from './grpc-channel.ts';
import { EngineError } from './engine-error.ts';
import { saysNothing } from './settle.ts';
import type { ClientTls } from './tls.ts';
import { authorizationOf } from './token.ts';

export interface GrpcPoolOptions {
  /** `HOST:PORT` of the gRPC port. */
  readonly address: string;
  /** Bearer token, or what gives one for each call. */
  readonly token: string | (() => string);
  /** HTTP/2 connections at most. Default 2. */
  readonly channels?: number;
  /** With TLS when given, also as `{}`. */
  readonly tls?: ClientTls;
  /** Bound on each call, its tries together. Default 5000. */
  readonly timeoutMs?: number;
  /** Between two health checks of a channel. Default 1000. */
  readonly healthIntervalMs?: number;
  /** A channel without calls for so long is closed until it is needed. Default 300,000. */
  readonly idleMs?: number;
  /** A channel that is older is replaced by a new one, once the new one is healthy. Default 3,600,000. */
  readonly maxAgeMs?: number;
  /** Calls that wait for a healthy channel at most; more are refused. Default 1000. */
  readonly maxWaiting?: number;
  /** Tries of one call at most. Default 4. */
  readonly tries?: number;
  /** Of one answer. Default 4 MiB. */
  readonly mostMessageBytes?: number;
  /** Longest wait before the second try; doubled for each further one, up to a second. Default 20. */
  readonly backoffMs?: number;
}

export interface CallOptions {
  /** Whether doing it twice does the same as once: then it is tried again although it may have been done. */
  readonly idempotent: boolean;
  readonly signal?: AbortSignal | undefined;
}

export interface GrpcPoolStats {
  readonly channels: number;
  readonly healthy: number;
  readonly inFlight: number;
  readonly waiting: number;
  /** Since the pool was made. */
  readonly calls: number;
  readonly failures: number;
  readonly retries: number;
  readonly opened: number;
  readonly closedIdle: number;
  readonly replaced: number;
  readonly failedChecks: number;
}

const LONGEST_BACKOFF_MS = 1000;
/** Where nothing can have been done by the call: the engine said so itself, by a code. */
const REFUSED_FOR_NOW: ReadonlySet<number> = new Set([status.UNAVAILABLE, status.RESOURCE_EXHAUSTED]);

/** What says of a try only that it was not looked at, nothing of the tries before. */
const NOT_LOOKED_AT: ReadonlySet<number> = new Set([...REFUSED_FOR_NOW, status.UNAUTHENTICATED, status.PERMISSION_DENIED]);

export class GrpcPool {
  readonly #options: Required<GrpcPoolOptions> & { readonly credentials: ChannelCredentials };
  readonly #slots: (PoolChannel | undefined)[];
  readonly #timer: NodeJS.Timeout;
  readonly #waiting = new Set<() => void>();
  readonly #counts = { calls: 0, failures: 0, retries: 0, opened: 0, closedIdle: 0, replaced: 0, failedChecks: 0 };
  #next = 0;
  #closed = false;

  constructor(options: GrpcPoolOptions) {
    this.#options = {
      channels: 2,
      tls: {},
      credentials: options.tls === undefined ? credentials.createInsecure() : secureCredentials(options.tls),
      timeoutMs: 5000,
      healthIntervalMs: 1000,
      idleMs: 300_000,
      maxAgeMs: 3_600_000,
      maxWaiting: 1000,
      tries: 4,
      mostMessageBytes: 4 * 1024 * 1024,
      backoffMs: 20,
      ...options,
    };
    this.#slots = Array.from({ length: this.#options.channels }, () => undefined);
    this.#timer = setInterval(() => this.#upkeep(), Math.min(this.#options.healthIntervalMs, 1000)).unref();
  }

  get stats(): GrpcPoolStats {
    const open = this.#slots.filter((channel) => channel !== undefined);
    return {
      ...this.#counts,
      channels: open.length,
      healthy: open.filter(({ healthy }) => healthy).length,
      inFlight: open.reduce((sum, { inFlight }) => sum + inFlight, 0),
      waiting: this.#waiting.size,
    };
  }

  /** Opens every channel; resolves when all are healthy. Throws {@link EngineError} when they are not within the time-out. */
  async ready(): Promise<void> {
    const deadlineMs = Date.now() + this.#options.timeoutMs;
    for (let slot = 0; slot < this.#slots.length; slot += 1) this.#open(slot);
    while (this.#slots.some((channel) => channel?.healthy !== true)) await this.#change(deadlineMs, undefined);
  }

  /** One call. Throws {@link EngineError}: that of the first try which may have been done, unless the engine says later what became of the call. */
  async unary<Request, Response>(method: Method<Request, Response>, request: Request, options: CallOptions): Promise<Response> {
    const deadlineMs = Date.now() + this.#options.timeoutMs;
    this.#counts.calls += 1;
    let uncertain: ServiceError | undefined;
    for (let tries = 1; ; tries += 1) {
      let channel: PoolChannel;
      let metadata: Metadata;
      try {
        channel = await this.#channel(deadlineMs, options.signal);
        metadata = this.#metadata();
      } catch (cause) {
        throw uncertain === undefined ? cause : errorOf(uncertain, options.signal);
      }
      try {
        return await this.#try(channel, method, request, { metadata, deadline: deadlineMs, signal: options.signal });
      } catch (cause) {
        const error = cause as ServiceError;
        const waitMs = this.#retryAfter(error, tries, options.idempotent, deadlineMs);
        if (waitMs === undefined || options.signal?.aborted === true) {
          this.#counts.failures += 1;
          throw errorOf(uncertain === undefined || isLastWord(error) ? error : uncertain, options.signal);
        }
        if (textOf(error, 'hft-code') === undefined) uncertain ??= error;
        this.#counts.retries += 1;
        await delay(waitMs);
      }
    }
  }

  /** A healthy channel's client, for a stream, and what must be called when that ends. Throws {@link EngineError}. */
  async borrow(signal?: AbortSignal): Promise<{ client: Client; metadata: Metadata; release: () => void }> {
    const channel = await this.#channel(Date.now() + this.#options.timeoutMs, signal);
    const metadata = this.#metadata();
    channel.begin();
    return { client: channel.client, metadata, release: () => channel.end() };
  }

  /** Calls in flight end by themselves; those that wait for a channel fail. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    for (const [slot, channel] of this.#slots.entries()) {
      channel?.retire();
      this.#slots[slot] = undefined;
    }
    this.#wake();
  }

  async #try<Request, Response>(
    channel: PoolChannel,
    method: Method<Request, Response>,
    request: Request,
    { metadata, deadline, signal }: { metadata: Metadata; deadline: number; signal: AbortSignal | undefined },
  ): Promise<Response> {
    channel.begin();
    return await new Promise<Response>((resolve, reject) => {
      const { path, requestSerialize, responseDeserialize } = method;
      const call = channel.client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        metadata,
        { deadline },
        (error: ServiceError | null, answer?: Response) => {
          channel.end();
          signal?.removeEventListener('abort', abort);
          if (answer !== undefined) resolve(answer);
          else reject(error ?? new Error(`${path} gave no answer`));
        },
      );
      const abort = (): void => call.cancel();
      signal?.addEventListener('abort', abort);
      if (signal?.aborted === true) call.cancel();
    });
  }

  #metadata(): Metadata {
    const metadata = new Metadata();
    metadata.set('authorization', authorizationOf(this.#options.token));
    return metadata;
  }

  /** How long to wait before the next try; undefined when there must be none. */
  #retryAfter(error: ServiceError, tries: number, idempotent: boolean, deadlineMs: number): number | undefined {
    if (this.#closed || tries >= this.#options.tries) return undefined;
    const refused = REFUSED_FOR_NOW.has(error.code) && textOf(error, 'hft-code') !== undefined;
    if (!refused && !(idempotent && error.code === status.UNAVAILABLE)) return undefined;
    const most = Math.min(LONGEST_BACKOFF_MS, this.#options.backoffMs * 2 ** (tries - 1));
    const waitMs = Math.max(Math.random() * most, Number(textOf(error, 'retry-after-ms') ?? 0));
    return Date.now() + waitMs < deadlineMs ? waitMs : undefined;
  }

  /** The next healthy channel; opened or waited for when there is none. */
  async #channel(deadlineMs: number, signal: AbortSignal | undefined): Promise<PoolChannel> {
    for (;;) {
      if (this.#closed) throw new EngineError({ code: 'HFT_CLIENT_CLOSED', status: 0, message: 'the pool is closed' });
      for (let tried = 0; tried < this.#slots.length; tried += 1) {
        const slot = this.#next;
        this.#next = (this.#next + 1) % this.#slots.length;
        const channel = this.#slots[slot] ?? this.#open(slot);
        if (channel.healthy) return channel;
      }
      await this.#change(deadlineMs, signal);
    }
  }

  /** Resolves when the health of a channel has changed. */
  async #change(deadlineMs: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.#waiting.size >= this.#options.maxWaiting) {
      throw new EngineError({ code: 'HFT_CLIENT_BUSY', status: 0, message: `${this.#waiting.size} calls wait for a channel already` });
    }
    const leftMs = deadlineMs - Date.now();
    if (leftMs <= 0 || signal?.aborted === true) {
      const aborted = signal?.aborted === true;
      throw new EngineError({
        code: aborted ? 'HFT_CLIENT_ABORTED' : 'HFT_CLIENT_UNREACHABLE',
        status: 0,
        message: aborted ? 'the call was aborted by the caller' : `no channel to ${this.#options.address} is healthy`,
        inDoubt: false,
      });
    }
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', wake);
        this.#waiting.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, leftMs);
      signal?.addEventListener('abort', wake);
      this.#waiting.add(wake);
    });
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
  }

  #open(slot: number): PoolChannel {
    const open = this.#slots[slot];
    if (open !== undefined) return open;
    const channel = this.#newChannel();
    this.#slots[slot] = channel;
    return channel;
  }

  #newChannel(): PoolChannel {
    this.#counts.opened += 1;
    return new PoolChannel(this.#options, {
      changed: () => this.#wake(),
      failed: () => void (this.#counts.failedChecks += 1),
    });
  }

  #upkeep(): void {
    const nowMs = Date.now();
    for (const [slot, channel] of this.#slots.entries()) {
      if (channel === undefined) continue;
      if (channel.inFlight === 0 && nowMs - channel.usedAtMs >= this.#options.idleMs) {
        this.#counts.closedIdle += 1;
        this.#slots[slot] = undefined;
        channel.retire();
      } else if (nowMs - channel.openedAtMs >= this.#options.maxAgeMs) this.#replace(slot, channel);
    }
  }

  /** The old channel is used until the new one is healthy. */
  #replace(slot: number, old: PoolChannel): void {
    old.openedAtMs = Date.now();
    const fresh = this.#newChannel();
    void fresh.firstCheck.then(() => {
      if (this.#closed || this.#slots[slot] !== old || !fresh.healthy) {
        fresh.retire();
        return;
      }
      this.#counts.replaced += 1;
      this.#slots[slot] = fresh;
      old.retire();
    });
  }
}

function textOf(error: ServiceError, key: string): string | undefined {
  const [value] = error.metadata instanceof Metadata ? error.metadata.get(key) : [];
  return typeof value === 'string' ? value : undefined;
}

function secureCredentials({ ca, cert, key }: ClientTls): ChannelCredentials {
  const bytes = (text: string | Buffer | undefined): Buffer | null => (text === undefined ? null : Buffer.from(text));
  return credentials.createSsl(bytes(ca), bytes(key), bytes(cert));
}

/** Whether the engine has said what became of the call, its tries before included. */
function isLastWord(error: ServiceError): boolean {
  return textOf(error, 'hft-code') !== undefined && !NOT_LOOKED_AT.has(error.code) && !saysNothing(errorOf(error));
}

/** What a call or stream ended with, as the error that all clients throw. */
export function errorOf(error: ServiceError, signal?: AbortSignal): EngineError {
  const number = textOf(error, 'hft-number');
  const retryAfterMs = textOf(error, 'retry-after-ms');
  const field = textOf(error, 'hft-field');
  const own =
    signal?.aborted === true
      ? 'HFT_CLIENT_ABORTED'
      : error.code === status.DEADLINE_EXCEEDED
        ? 'HFT_CLIENT_TIMEOUT'
        : error.code === status.UNAVAILABLE
          ? 'HFT_CLIENT_UNREACHABLE'
          : 'HFT_CLIENT_BAD_ANSWER';
  return new EngineError({
    code: textOf(error, 'hft-code') ?? own,
    status: 0,
    message: error.details === undefined || error.details === '' ? error.message : error.details,
    ...(field !== undefined && { field }),
    ...(number !== undefined && { number: Number(number) }),
    ...(retryAfterMs !== undefined && { retryAfterMs: Number(retryAfterMs) }),
    cause: error,
  });
}
