/**
 * Orders over one WebSocket (`hft.binary.v1`), many at a time: each call resolves when its answer, which is durable, is there. A connection that is lost
 * is made again; new orders that were not answered are sent again under their client order ids, so that each is placed once. Orders that end with the
 * connection (cancelOnDisconnect), and all other requests that were not answered, are rejected with ConnectionLost.
 */
import { randomBytes, randomInt } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { REJECT } from '../core/types.ts';
import { connectOptions, type ClientTls } from './tls.ts';
import { authorizationOf } from './token.ts';
import { decodeMessage, encodeMessage, type AnyFrame, type FrameOf } from './websocket-codec.ts';
import { REJECT_VALUES } from './websocket-values.ts';

export interface WebSocketOptions {
  /** Such as `ws://localhost:8080/v1/ws`. */
  readonly url: string;
  /** Bearer token, or what gives one for each connection. */
  readonly token: string | (() => string);
  /** For an address that begins with wss. */
  readonly tls?: ClientTls;
  /** Requests under way at most; further calls wait (1000). */
  readonly mostInFlight?: number;
  /** Bound on each call, from its beginning; then it fails with ConnectionLost and is not sent (again). Default: none. */
  readonly timeoutMs?: number;
  /** Told of frames that answer no request: heartbeats, streams. */
  readonly onFrame?: (frame: AnyFrame) => void;
}

/** Prices in ticks and quantities in lots of the instrument; 0 or absent where there is none. */
export interface WireOrder {
  readonly account: string;
  readonly symbol: string;
  readonly side: 'buy' | 'sell';
  readonly type?: 'limit' | 'market' | 'stop' | 'stop-limit';
  readonly timeInForce?: 'GTC' | 'IOC' | 'FOK' | 'GTD' | 'DAY';
  readonly selfTrade?: 'none' | 'cancel-newest' | 'cancel-oldest' | 'cancel-both' | 'decrement';
  readonly priceTicks?: number;
  readonly quantityLots: number;
  readonly stopTicks?: number;
  readonly displayLots?: number;
  readonly expiryMicros?: number;
  readonly postOnly?: boolean;
  readonly cancelOnDisconnect?: boolean;
  /** Up to 16 hex digits; one is made when it is absent. With 0 the order is not sent again. */
  readonly clientOrderId?: string;
}

/** An answer with the fills that came with it: the first 1000. */
export type WithFills<Frame> = Frame & { readonly fillFrames: readonly FrameOf<'fill'>[] };

type Request = Extract<AnyFrame, { frame: 'newOrderFull' | 'replace' | 'cancel' | 'massCancel' | 'useAccount' }>;
type Answer = Extract<AnyFrame, { frame: 'placed' | 'replaced' | 'cancelled' | 'massCancelled' | 'account' }>;

interface Pending {
  readonly request: Request;
  readonly account: string;
  readonly deadlineMs: number;
  /** A connection was lost before the answer came: it may have been done already. */
  uncertain: boolean;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (cause: Error) => void;
}

/** The engine has refused a request: nothing was changed. `reject` is one of the numbers of docs/frames.md. */
export class WireRejected extends Error {
  override readonly name = 'WireRejected';
  readonly reject: number;

  constructor(reject: number) {
    super(`refused: ${REJECT_VALUES[reject] ?? reject}`);
    this.reject = reject;
  }
}

/** The connection ended, or the time, before the answer came: the request may or may not have been done. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost';
  /** false: nothing was sent, so nothing was done. */
  readonly sent: boolean;
  /** The time was over, or the caller gave up. */
  readonly late: boolean;

  constructor(message: string, options: { cause?: unknown; sent?: boolean; late?: boolean } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.sent = options.sent ?? true;
    this.late = options.late ?? false;
  }
}

/** The engine does not let this token in: the client does not try again by itself, only when it is asked for something else. */
export class ConnectionRefused extends Error {
  override readonly name = 'ConnectionRefused';
  /** Of HTTP: 401 or 403. */
  readonly status: number;

  constructor(status: number) {
    super(`the engine refuses the connection: ${status}`);
    this.status = status;
  }
}

const TOO_LATE = 'no answer came within the time';
const UNCERTAIN = 'the connection ended before the answer came: the request may or may not have been done';
/** Said before the client order id is looked at: of an order that is sent again they tell nothing. */
export const NOT_LOOKED_AT: ReadonlySet<number> = new Set([
  REJECT.busy,
  REJECT.stopping,
  REJECT.starting,
  REJECT.journal,
  REJECT.forbidden,
]);
const CLIENT_ORDER_ID = /^[0-9a-f]{1,16}$/i;
const NO_CLIENT_ORDER_ID = /^0+$/;
const FIRST_RETRY_MS = 50;
const LONGEST_RETRY_MS = 5000;
/** From the first byte to the welcome. */
const OPEN_MS = 10_000;
/** Heartbeats of the engine that may fail to come. */
const MOST_SILENT = 3;
const FOREVER_REFUSED: ReadonlySet<number> = new Set([401, 403]);

export class WebSocketOrders {
  readonly #options: WebSocketOptions;
  readonly #mostInFlight: number;
  readonly #pending = new Map<number, Pending>();
  readonly #waiting: (() => void)[] = [];
  /** Of this connection. */
  readonly #handles = new Map<string, number>();
  readonly #instruments = new Map<string, FrameOf<'instrument'>>();
  readonly #idPrefix = randomBytes(4).toString('hex');
  #ws: WebSocket | undefined;
  #ready: Promise<void>;
  /** The connection that {@link #ready} is of has been welcomed. */
  #live = false;
  /** Nobody connects any more: the last token was not taken. */
  #refused = false;
  readonly #timeoutMs: number;
  #sweep: NodeJS.Timeout | undefined;
  #heartbeat: NodeJS.Timeout | undefined;
  /** Heartbeat intervals in which nothing came. */
  #silent = 0;
  #lastNumber = 0;
  #lastId = randomInt(0xffff_ffff);
  #closed = false;
  readonly #closing = new AbortController();

  private constructor(options: WebSocketOptions) {
    this.#options = options;
    this.#mostInFlight = options.mostInFlight ?? 1000;
    this.#timeoutMs = options.timeoutMs ?? Infinity;
    this.#ready = this.#open().then(() => undefined);
    if (options.timeoutMs !== undefined)
      this.#sweep = setInterval(() => this.#expire(), Math.min(1000, Math.max(5, options.timeoutMs / 8))).unref();
  }

  /** Rejects when the first connection cannot be had. */
  static async connect(options: WebSocketOptions): Promise<WebSocketOrders> {
    const client = new WebSocketOrders(options);
    try {
      await client.#ready;
    } catch (cause) {
      await client.close();
      throw cause;
    }
    return client;
  }

  /** The instruments, by symbol: their ids, ticks and lots. */
  get instruments(): ReadonlyMap<string, FrameOf<'instrument'>> {
    return this.#instruments;
  }

  async place(order: WireOrder, signal?: AbortSignal): Promise<WithFills<FrameOf<'placed'>>> {
    const instrument = this.#idOf(order.symbol);
    const { type = 'limit', timeInForce = type === 'market' ? 'IOC' : 'GTC', clientOrderId = this.#newId() } = order;
    if (!CLIENT_ORDER_ID.test(clientOrderId)) throw new RangeError(`clientOrderId cannot be ${clientOrderId}: it is up to 16 hex digits`);
    const make = (account: number, number: number): Request => ({
      frame: 'newOrderFull',
      number,
      account,
      instrument,
      side: order.side,
      orderType: type,
      timeInForce,
      selfTrade: order.selfTrade ?? 'none',
      clientOrderId,
      priceTicks: order.priceTicks ?? 0,
      quantityLots: order.quantityLots,
      stopTicks: order.stopTicks ?? 0,
      displayLots: order.displayLots ?? 0,
      expiryMicros: order.expiryMicros ?? 0,
      postOnly: order.postOnly ?? false,
      cancelOnDisconnect: order.cancelOnDisconnect ?? false,
    });
    return (await this.#ask(order.account, make, signal)) as WithFills<FrameOf<'placed'>>;
  }

  /** Changes an order: what is left out stays; `quantityLots` is what is to remain. */
  async replace(
    account: string,
    orderId: number,
    change: { priceTicks?: number; quantityLots?: number; stopTicks?: number; expectedLots?: number },
    signal?: AbortSignal,
  ): Promise<WithFills<FrameOf<'replaced'>>> {
    const { priceTicks = 0, quantityLots = 0, stopTicks = 0, expectedLots = 0 } = change;
    const make = (handle: number, number: number): Request => ({
      frame: 'replace',
      number,
      account: handle,
      orderId,
      priceTicks,
      quantityLots,
      stopTicks,
      expectedLots,
    });
    return (await this.#ask(account, make, signal)) as WithFills<FrameOf<'replaced'>>;
  }

  async cancel(account: string, orderId: number, signal?: AbortSignal): Promise<FrameOf<'cancelled'>> {
    const make = (handle: number, number: number): Request => ({ frame: 'cancel', number, account: handle, orderId });
    return (await this.#ask(account, make, signal)) as FrameOf<'cancelled'>;
  }

  /** Cancels all orders of an account, of one instrument or of all. Gives how many. */
  async massCancel(account: string, symbol?: string, signal?: AbortSignal): Promise<number> {
    const instrument = symbol === undefined ? 65_535 : this.#idOf(symbol);
    const answer = await this.#ask(account, (handle, number) => ({ frame: 'massCancel', number, account: handle, instrument }), signal);
    return (answer as FrameOf<'massCancelled'>).count;
  }

  /** Ends the connection for good. What was not answered is rejected with ConnectionLost. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#closing.abort();
    clearInterval(this.#heartbeat);
    clearInterval(this.#sweep);
    const ws = this.#ws;
    if (ws !== undefined && ws.readyState !== ws.CLOSED) {
      const ended = endOf(ws);
      ws.close();
      await ended;
    }
    this.#fail(() => true);
    this.#wakeAll();
  }

  async #ask(account: string, make: (handle: number, number: number) => Request, signal?: AbortSignal): Promise<Answer> {
    const deadlineMs = performance.now() + this.#timeoutMs;
    // The token may be another by now, or taken again.
    if (this.#refused && !this.#closed) this.#connectAgain();
    try {
      for (;;) {
        const ready = this.#ready;
        await (this.#live || this.#timeoutMs === Infinity ? ready : by(ready, deadlineMs, signal));
        if (this.#closed) throw new ConnectionLost('the client was closed', { sent: false });
        if (signal?.aborted === true || performance.now() >= deadlineMs) throw new ConnectionLost(TOO_LATE, { sent: false, late: true });
        // Lost again meanwhile.
        if (ready !== this.#ready) continue;
        const ws = this.#ws as WebSocket;
        if (this.#pending.size >= this.#mostInFlight) await new Promise<void>((resolve) => this.#waiting.push(resolve));
        // Its end begins the next connection, which is waited for then.
        else if (ws.readyState !== ws.OPEN) await endOf(ws);
        else {
          const handle = this.#handles.get(account);
          if (handle !== undefined) return await this.#send(ws, account, make(handle, this.#nextNumber()), deadlineMs, signal);
          await this.#askHandle(ws, account, deadlineMs);
        }
      }
    } finally {
      // Whoever was woken and did not send leaves its place to the next.
      this.#wakeOne();
    }
  }

  /** Nothing has been done when the connection is lost meanwhile. */
  async #askHandle(ws: WebSocket, account: string, deadlineMs: number): Promise<void> {
    try {
      await this.#handleOf(ws, account, deadlineMs);
    } catch (cause) {
      if (!(cause instanceof ConnectionLost)) throw cause;
    }
  }

  #wakeOne(): void {
    if (this.#pending.size < this.#mostInFlight) this.#waiting.shift()?.();
  }

  #wakeAll(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  async #send(ws: WebSocket, account: string, request: Request, deadlineMs: number, signal?: AbortSignal): Promise<Answer> {
    // What cannot be sent throws here, before anything waits for its answer.
    const message = encodeMessage([request]);
    const answer = new Promise<Answer>((resolve, reject) => {
      this.#pending.set(request.number, { request, account, deadlineMs, uncertain: false, resolve, reject });
      ws.send(message);
    });
    if (signal === undefined) return await answer;
    const abandon = (): void => this.#fail((pending) => pending.request === request, { late: true });
    signal.addEventListener('abort', abandon);
    try {
      return await answer;
    } finally {
      signal.removeEventListener('abort', abandon);
    }
  }

  /** Gives up what has waited too long: nobody sends it again. */
  #expire(): void {
    const nowMs = performance.now();
    this.#fail(({ deadlineMs }) => deadlineMs <= nowMs, { late: true });
  }

  async #handleOf(ws: WebSocket, name: string, deadlineMs: number): Promise<number> {
    const known = this.#handles.get(name);
    if (known !== undefined) return known;
    const answer = await this.#send(ws, name, { frame: 'useAccount', number: this.#nextNumber(), name }, deadlineMs);
    return (answer as FrameOf<'account'>).account;
  }

  /** Resolves when the engine has welcomed the client: its first message has everything that a request needs. */
  async #open(): Promise<WebSocket> {
    const { url, token } = this.#options;
    const ws = new WebSocket(url, 'hft.binary.v1', {
      headers: { authorization: authorizationOf(token) },
      perMessageDeflate: false,
      handshakeTimeout: OPEN_MS,
      ...connectOptions(this.#options.tls ?? {}),
    });
    this.#ws = ws;
    this.#handles.clear();
    return await new Promise<WebSocket>((resolve, reject) => {
      const timer = setTimeout(() => ws.terminate(), OPEN_MS);
      let welcomed = false;
      ws.on('error', reject);
      ws.on('unexpected-response', (_request, { statusCode = 0 }) => {
        reject(FOREVER_REFUSED.has(statusCode) ? new ConnectionRefused(statusCode) : new Error(`the engine answered ${statusCode}`));
        ws.terminate();
      });
      ws.on('close', () => {
        clearTimeout(timer);
        reject(new ConnectionLost('the connection ended'));
        if (welcomed) this.#lost();
      });
      ws.on('message', (data) => {
        this.#silent = 0;
        const frames = framesOf(ws, data as Buffer);
        for (const [index, frame] of frames.entries()) {
          if (frame.frame === 'welcome') {
            welcomed = true;
            this.#live = true;
            clearTimeout(timer);
            this.#instruments.clear();
            this.#beat(ws, frame.heartbeatMs);
          }
          this.#take(frame, frames, index);
        }
        if (welcomed) resolve(ws);
      });
    });
  }

  #take(frame: AnyFrame, frames: readonly AnyFrame[], index: number): void {
    if (frame.frame === 'instrument') this.#instruments.set(frame.symbol, frame);
    if (frame.frame === 'account') this.#handles.set(frame.name, frame.account);
    const pending = frame.frame === 'fill' ? undefined : this.#pending.get(frame.number);
    if (pending === undefined) return this.#options.onFrame?.(frame);
    this.#pending.delete(frame.number);
    this.#wakeOne();
    if (frame.frame === 'placed' || frame.frame === 'replaced') {
      // The fills of an order are in the message of its answer, behind it.
      const fillFrames = frame.fills === 0 ? [] : fillsBehind(frames, index);
      return pending.resolve(Object.assign(frame, { fillFrames }));
    }
    if (frame.frame !== 'rejected') return pending.resolve(frame as Answer);
    const rejected = new WireRejected(frame.reject);
    const tellsNothing = pending.uncertain && NOT_LOOKED_AT.has(frame.reject);
    pending.reject(tellsNothing ? new ConnectionLost(UNCERTAIN, { cause: rejected }) : rejected);
  }

  #beat(ws: WebSocket, intervalMs: number): void {
    clearInterval(this.#heartbeat);
    this.#heartbeat = setInterval(() => {
      this.#silent += 1;
      if (this.#silent > MOST_SILENT) ws.terminate();
      else ws.send(encodeMessage([{ frame: 'heartbeat', number: 0, timeMicros: Date.now() * 1000 }]));
    }, intervalMs).unref();
  }

  /** New orders that can be sent again wait for the next connection; nobody knows what became of the rest. */
  #lost(): void {
    clearInterval(this.#heartbeat);
    this.#live = false;
    if (!this.#closed) this.#connectAgain();
    this.#fail(({ request }) => this.#closed || !canBeSentAgain(request));
    for (const pending of this.#pending.values()) pending.uncertain = true;
  }

  #connectAgain(): void {
    this.#refused = false;
    this.#ready = this.#reconnect();
    this.#ready.catch(() => undefined);
  }

  async #reconnect(): Promise<void> {
    for (let waitMs = FIRST_RETRY_MS; ; waitMs = Math.min(LONGEST_RETRY_MS, waitMs * 2)) {
      await delay(waitMs * (0.5 + Math.random() / 2), undefined, { signal: this.#closing.signal }).catch(() => undefined);
      if (this.#closed) throw new ConnectionLost('the client was closed');
      try {
        return await this.#resume(await this.#open());
      } catch (cause) {
        // Everything else is tried again, later each time.
        if (!(cause instanceof ConnectionRefused)) continue;
        this.#refused = true;
        this.#fail(() => true, { cause });
        this.#wakeAll();
        throw cause;
      }
    }
  }

  async #resume(ws: WebSocket): Promise<void> {
    const unanswered = [...this.#pending.values()];
    for (const { account, request, reject, deadlineMs } of unanswered) {
      if (request.frame !== 'newOrderFull') continue;
      try {
        request.account = await this.#handleOf(ws, account, deadlineMs);
        // Lost again: the next connection goes on with it.
        if (ws.readyState !== ws.OPEN) return;
        // Given up meanwhile.
        if (!this.#pending.has(request.number)) continue;
        ws.send(encodeMessage([request]));
      } catch (cause) {
        if (cause instanceof ConnectionLost) {
          if (ws.readyState !== ws.OPEN) return;
          continue;
        }
        this.#pending.delete(request.number);
        this.#wakeOne();
        reject(new ConnectionLost(UNCERTAIN, { cause }));
      }
    }
  }

  #fail(which: (pending: Pending) => boolean, options: { cause?: unknown; late?: boolean } = {}): void {
    for (const [number, pending] of this.#pending) {
      if (!which(pending)) continue;
      this.#pending.delete(number);
      this.#wakeOne();
      pending.reject(new ConnectionLost(options.late === true ? TOO_LATE : UNCERTAIN, options));
    }
  }

  #idOf(symbol: string): number {
    const instrument = this.#instruments.get(symbol);
    if (instrument === undefined) throw new RangeError(`${symbol} is not traded there`);
    return instrument.instrument;
  }

  #nextNumber(): number {
    this.#lastNumber = (this.#lastNumber % 0xffff_ffff) + 1;
    return this.#lastNumber;
  }

  /** A prefix of its own and a counter: no two of a client are the same. */
  #newId(): string {
    this.#lastId = (this.#lastId % 0xffff_ffff) + 1;
    return this.#idPrefix + this.#lastId.toString(16).padStart(8, '0');
  }
}

/** Resolves when it is closed; at once when it is. */
async function endOf(ws: WebSocket): Promise<void> {
  if (ws.readyState !== ws.CLOSED) await new Promise<void>((resolve) => ws.once('close', () => resolve()));
}

/** As `promise`, but not after `deadlineMs` of performance.now(), nor after an abort. */
async function by(promise: Promise<void>, deadlineMs: number, signal: AbortSignal | undefined): Promise<void> {
  const ended = new AbortController();
  const signals = signal === undefined ? [ended.signal] : [ended.signal, signal];
  const late = delay(Math.max(0, deadlineMs - performance.now()), undefined, { signal: AbortSignal.any(signals) }).catch(() => undefined);
  try {
    await Promise.race([promise, late]);
  } finally {
    ended.abort();
  }
}

/** The `fill` frames that follow an answer. */
function fillsBehind(frames: readonly AnyFrame[], index: number): FrameOf<'fill'>[] {
  const fills: FrameOf<'fill'>[] = [];
  for (let at = index + 1; at < frames.length; at += 1) {
    const frame = frames[at];
    if (frame?.frame !== 'fill' || frame.number !== frames[index]?.number) break;
    fills.push(frame);
  }
  return fills;
}

/** Not what the engine has cancelled with the connection, nor an order that it does not know by an id. */
function canBeSentAgain(request: Request): boolean {
  return request.frame === 'newOrderFull' && request.cancelOnDisconnect !== true && !NO_CLIENT_ORDER_ID.test(request.clientOrderId);
}

/** The frames of a message. Of an engine that sends anything else no more is heard. */
function framesOf(ws: WebSocket, message: Buffer): AnyFrame[] {
  try {
    return decodeMessage(message);
  } catch {
    ws.terminate();
    return [];
  }
}
