/**
 * Market data over a WebSocket: streams of frames, typed. A connection that is lost is opened again, and every stream goes on from the last sequence that
 * was heard; what cannot be filled is announced by a `gap` frame, and a snapshot follows.
 */
import { WebSocket } from 'ws';
import { REJECT } from '../core/types.ts';
import { EngineError } from './engine-error.ts';
import { Heard, isOfAccounts, type MarketDataChannel } from './heard.ts';
import { connectOptions, type ClientTls } from './tls.ts';
import { authorizationOf } from './token.ts';
import { decodeMessage, encodeMessage, type AnyFrame, type FrameOf } from './websocket-codec.ts';

export interface MarketDataOptions {
  /** `ws://host:8081/v1/market-data`. */
  readonly url: string;
  /** Bearer token, or what gives one for each connection. */
  readonly token: string | (() => string);
  readonly tls?: ClientTls;
  /** Whether messages should be compressed. */
  readonly compress?: boolean;
  /** Bound on each connection, until its welcome, and on the beginning of each stream. Default 10,000. */
  readonly timeoutMs?: number;
  /** Told of every frame but heartbeats. */
  readonly onFrame: (frame: AnyFrame) => void;
  /** Told when the connection is lost, with the close code, before it is opened again. */
  readonly onLost?: (code: number, reason: string) => void;
  /** Told when a stream that had begun is refused on a new connection: it has ended. */
  readonly onRefused?: (refusal: StreamRefused, stream: StreamOptions) => void;
  /** Told when no more comes, because another try would end the same way. */
  readonly onEnded?: (cause: EngineError) => void;
}

export interface StreamOptions {
  readonly channel: MarketDataChannel;
  /** All instruments without. */
  readonly symbol?: string;
  /** Levels of a side, of `book`; 0 for all. */
  readonly depth?: number;
  /** Of `own-orders`. */
  readonly account?: string;
  /** Last sequence that is known; 0 to begin with a snapshot. */
  readonly fromSequence?: number;
}

/** The engine refused a stream; `reject` is the number of docs/frames.md. */
export class StreamRefused extends Error {
  override readonly name = 'StreamRefused';
  readonly reject: number;

  constructor(reject: number) {
    super(`the stream was refused with ${reject}: see the numbers of refusals in docs/frames.md`);
    this.reject = reject;
  }
}

const ALL_INSTRUMENTS = 65_535;
const FIRST_BACKOFF_MS = 100;
const LONGEST_BACKOFF_MS = 5000;
const SILENT_HEARTBEATS = 3;
/** Refusals that do not last, and when a stream that had begun is asked for again. */
const FOR_NOW: ReadonlySet<number> = new Set([REJECT.busy, REJECT.starting]);
const AGAIN_MS = 1000;
const TIMEOUT_MS = 10_000;
/** The engine ends a connection so when its token has ended. */
const TOKEN_ENDED = 4002;
/** What is said of a connection after whose end, by close code or status of HTTP, another try would end the same way. */
const FINAL: ReadonlyMap<number, string> = new Map([
  [1002, 'HFT_CLIENT_BAD_ANSWER'],
  [1003, 'HFT_CLIENT_BAD_ANSWER'],
  [1008, 'HFT_CLIENT_BAD_ANSWER'],
  [TOKEN_ENDED, 'HFT_UNAUTHORIZED'],
  [401, 'HFT_UNAUTHORIZED'],
  [403, 'HFT_FORBIDDEN'],
]);

interface Stream {
  readonly number: number;
  readonly options: StreamOptions;
  readonly opened: PromiseWithResolvers<void>;
  readonly heard: Heard;
  hasBegun: boolean;
  /** It was refused for now. */
  again: NodeJS.Timeout | undefined;
}

export class MarketDataClient {
  /** Symbols by id, and back. */
  readonly symbols: string[] = [];
  readonly #options: MarketDataOptions;
  readonly #streams = new Map<number, Stream>();
  readonly #handles = new Map<string, number>();
  /** Accounts whose handles were asked for, by request. */
  readonly #asked = new Map<number, Stream>();
  #ws: WebSocket | undefined;
  #welcomed = Promise.withResolvers<void>();
  #number = 0;
  #backoffMs = FIRST_BACKOFF_MS;
  #isClosed = false;
  #watch: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  #opening: NodeJS.Timeout | undefined;

  /** Resolves when the engine has said which instruments there are. Rejects with EngineError when that cannot be had. */
  static async connect(options: MarketDataOptions): Promise<MarketDataClient> {
    const client = new MarketDataClient(options);
    client.#open();
    await client.#welcomed.promise;
    return client;
  }

  private constructor(options: MarketDataOptions) {
    this.#options = options;
  }

  /** Begins a stream; resolves when the engine has. Rejects with StreamRefused, or with EngineError when no answer comes. */
  async subscribe(options: StreamOptions, timeoutMs = this.#options.timeoutMs ?? TIMEOUT_MS): Promise<void> {
    if (this.#isClosed) throw closed();
    if (options.symbol !== undefined && !this.symbols.includes(options.symbol))
      throw new RangeError(`there is no instrument ${options.symbol}`);
    this.#number += 1;
    const heard = new Heard(options.channel, options.fromSequence ?? 0);
    const stream: Stream = { number: this.#number, options, opened: Promise.withResolvers(), heard, hasBegun: false, again: undefined };
    this.#streams.set(stream.number, stream);
    const late = setTimeout(() => stream.opened.reject(failed('HFT_CLIENT_TIMEOUT', 'the stream did not begin in time')), timeoutMs);
    try {
      this.#ask(stream);
      await stream.opened.promise;
    } catch (cause) {
      this.#streams.delete(stream.number);
      throw cause;
    } finally {
      clearTimeout(late);
    }
  }

  /** Ends a stream. */
  unsubscribe({ channel, symbol, account }: Pick<StreamOptions, 'channel' | 'symbol' | 'account'>): void {
    for (const [number, { options }] of this.#streams)
      if (options.channel === channel && options.symbol === symbol && options.account === account) this.#forget(number);
    const instrument = this.#instrumentOf(symbol);
    this.#send([{ frame: 'unsubscribe', number: 0, instrument, account: this.#handles.get(account ?? '') ?? 0, channel }]);
  }

  close(): void {
    this.#stop(closed());
  }

  /** No more comes: whoever waits is told why. */
  #stop(cause: EngineError): void {
    this.#isClosed = true;
    clearInterval(this.#watch);
    clearTimeout(this.#retry);
    for (const { again } of this.#streams.values()) clearTimeout(again);
    clearTimeout(this.#opening);
    this.#ws?.close();
    this.#welcomed.reject(cause);
    for (const { opened } of this.#streams.values()) opened.reject(cause);
  }

  #end(cause: EngineError): void {
    if (this.#isClosed) return;
    this.#stop(cause);
    this.#options.onEnded?.(cause);
  }

  #open(): void {
    const { url, token, tls = {}, compress = false, timeoutMs = TIMEOUT_MS } = this.#options;
    let authorization: string;
    try {
      authorization = authorizationOf(token);
    } catch (cause) {
      return this.#end(cause as EngineError);
    }
    const ws = new WebSocket(url, 'hft.binary.v1', { headers: { authorization }, perMessageDeflate: compress, ...connectOptions(tls) });
    this.#ws = ws;
    let failure: Error | undefined;
    /** Of HTTP, when the engine did not let the client in. */
    let status = 0;
    const give = (cause: Error): void => {
      failure ??= cause;
      ws.terminate();
    };
    this.#opening = setTimeout(() => give(failed('HFT_CLIENT_TIMEOUT', `the engine said nothing within ${timeoutMs} ms`)), timeoutMs);
    ws.on('error', (cause) => (failure ??= cause));
    ws.on('unexpected-response', (_request, { statusCode = 0 }) => {
      status = statusCode;
      give(new Error(`the engine answered ${statusCode}`));
    });
    ws.on('message', (data) => {
      if (this.#isClosed) return;
      try {
        for (const frame of decodeMessage(data as Buffer)) this.#hear(frame);
      } catch (cause) {
        // Thrown on, it would end the process of the caller.
        this.#end(failed('HFT_CLIENT_BAD_ANSWER', 'the engine sent what this client does not know', cause));
        ws.terminate();
      }
    });
    ws.on('close', (code, reason) => this.#lost(status === 0 ? code : status, reason.toString(), failure));
  }

  /** `code`: of the close, or the status of HTTP with which the engine did not let the client in. */
  #lost(code: number, said: string, failure: Error | undefined): void {
    clearInterval(this.#watch);
    clearTimeout(this.#opening);
    if (this.#isClosed) return;
    const reason = said === '' ? (failure?.message ?? 'the connection ended') : said;
    this.#options.onLost?.(code, reason);
    const final = FINAL.get(code);
    if (final !== undefined) return this.#end(failed(final, reason, failure));
    // Its first connection is not tried again: whoever connects is told.
    if (this.symbols.length === 0)
      return this.#end(failure instanceof EngineError ? failure : failed('HFT_CLIENT_UNREACHABLE', reason, failure));
    this.#handles.clear();
    this.#retry = setTimeout(() => this.#open(), this.#backoffMs * (0.5 + Math.random() / 2));
    this.#backoffMs = Math.min(LONGEST_BACKOFF_MS, this.#backoffMs * 2);
  }

  #hear(frame: AnyFrame): void {
    switch (frame.frame) {
      case 'heartbeat':
        return;
      case 'welcome':
        this.#welcome(frame);
        break;
      case 'instrument':
        this.symbols[frame.instrument] = frame.symbol;
        break;
      case 'account':
        this.#handles.set(frame.name, frame.account);
        this.#named(frame.number);
        break;
      case 'subscribed':
        this.#begun(frame);
        break;
      case 'rejected': {
        const stream = this.#streams.get(frame.number) ?? this.#asked.get(frame.number);
        this.#asked.delete(frame.number);
        if (stream !== undefined) this.#refused(stream, frame.reject);
        break;
      }
      default:
    }
    this.#remember(frame);
    this.#options.onFrame(frame);
  }

  #welcome({ heartbeatMs }: FrameOf<'welcome'>): void {
    clearTimeout(this.#opening);
    this.#backoffMs = FIRST_BACKOFF_MS;
    let lastMs = performance.now();
    this.#ws?.on('message', () => (lastMs = performance.now()));
    this.#watch = setInterval(() => {
      if (performance.now() - lastMs > heartbeatMs * SILENT_HEARTBEATS) this.#ws?.terminate();
      else this.#send([{ frame: 'heartbeat', number: 0, timeMicros: Date.now() * 1000 }]);
    }, heartbeatMs);
    // The instruments come in the same message.
    queueMicrotask(() => {
      this.#welcomed.resolve();
      this.#asked.clear();
      for (const stream of this.#streams.values()) this.#ask(stream);
    });
  }

  /** A stream that had begun is kept when the engine cannot serve it for the moment, as after a failure. */
  #refused(stream: Stream, reject: number): void {
    const { number, options, opened, hasBegun } = stream;
    if (!hasBegun || !FOR_NOW.has(reject)) {
      if (!this.#forget(number)) return;
      const refusal = new StreamRefused(reject);
      if (hasBegun) this.#options.onRefused?.(refusal, options);
      else opened.reject(refusal);
      return;
    }
    clearTimeout(stream.again);
    stream.again = setTimeout(() => this.#ask(stream), AGAIN_MS);
  }

  /** Gives whether it was known. */
  #forget(number: number): boolean {
    clearTimeout(this.#streams.get(number)?.again);
    return this.#streams.delete(number);
  }

  /** Asks for a stream, once the handle of its account is known; for each instrument from where it was heard last. */
  #ask(stream: Stream): void {
    const { number, options, heard } = stream;
    const { channel, symbol, account, depth = 0 } = options;
    clearTimeout(stream.again);
    const handle = account === undefined ? 0 : this.#handles.get(account);
    if (handle === undefined) {
      this.#number += 1;
      this.#asked.set(this.#number, stream);
      return this.#send([{ frame: 'useAccount', number: this.#number, name: account ?? '' }]);
    }
    // Each instrument goes on from where it was: what one has heard says nothing of the others.
    const isOne = symbol !== undefined || isOfAccounts(channel) || heard.isEmpty;
    const instruments = isOne ? [this.#instrumentOf(symbol)] : [...this.symbols.keys()];
    this.#send(
      instruments.map((instrument) => {
        const fromSequence = heard.of(instrument);
        return { frame: 'subscribe', number, fromSequence, instrument, depth, account: handle, channel };
      }),
    );
  }

  #begun(frame: FrameOf<'subscribed'>): void {
    const stream = this.#streams.get(frame.number);
    if (stream === undefined) return;
    stream.heard.begun(frame);
    stream.hasBegun = true;
    stream.opened.resolve();
  }

  #named(number: number): void {
    const stream = this.#asked.get(number);
    this.#asked.delete(number);
    if (stream !== undefined) this.#ask(stream);
  }

  /** Where each stream is. A fill does not say whose it is: with several streams of orders those wait for the order itself. */
  #remember(frame: AnyFrame): void {
    if (frame.frame === 'fill' && this.#streamsOfOrders() > 1) return;
    for (const { options, heard } of this.#streams.values()) {
      const isOfSymbol = options.symbol === undefined || !('instrument' in frame) || this.symbols[frame.instrument] === options.symbol;
      const isOfAccount = options.account === undefined || !('account' in frame) || this.#handles.get(options.account) === frame.account;
      if (isOfSymbol && isOfAccount) heard.hear(frame);
    }
  }

  #streamsOfOrders(): number {
    let streams = 0;
    for (const { options } of this.#streams.values()) if (isOfAccounts(options.channel)) streams += 1;
    return streams;
  }

  #instrumentOf(symbol: string | undefined): number {
    return symbol === undefined ? ALL_INSTRUMENTS : this.symbols.indexOf(symbol);
  }

  #send(frames: readonly AnyFrame[]): void {
    if (this.#ws?.readyState === WebSocket.OPEN) this.#ws.send(encodeMessage(frames));
  }
}

/** Nothing was done: to subscribe again does no harm. */
function failed(code: string, message: string, cause?: unknown): EngineError {
  return new EngineError({
    code,
    status: code === 'HFT_UNAUTHORIZED' ? 401 : code === 'HFT_FORBIDDEN' ? 403 : 0,
    message,
    cause,
    inDoubt: false,
  });
}

function closed(): EngineError {
  return failed('HFT_CLIENT_CLOSED', 'the stream was closed');
}
