/**
 * Market data over a WebSocket: streams of frames, typed. A connection that is lost is opened again, and every stream goes on from the last sequence that
 * was heard; what cannot be filled is announced by a `gap` frame, and a snapshot follows.
 */
import { WebSocket } from 'ws';
import { EngineError } from './engine-error.ts';
import { connectOptions, type ClientTls } from './tls.ts';
import { authorizationOf } from './token.ts';
import { decodeMessage, encodeMessage, type AnyFrame, type FrameOf } from './websocket-codec.ts';
import type { CHANNELS } from './websocket-frames.ts';

export type MarketDataChannel = Exclude<(typeof CHANNELS)[number], 'prices'>;

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
  /** Last sequence that was heard, by instrument: each has a stream of its own. */
  readonly heard: Map<number, number>;
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
    const stream: Stream = { number: this.#number, options, opened: Promise.withResolvers(), heard: new Map() };
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
      if (options.channel === channel && options.symbol === symbol && options.account === account) this.#streams.delete(number);
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
        if (stream !== undefined) this.#streams.delete(stream.number);
        stream?.opened.reject(new StreamRefused(frame.reject));
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
      for (const stream of this.#streams.values()) this.#ask(stream);
    });
  }

  /** Asks for a stream, once the handle of its account is known; for each instrument from where it was heard last. */
  #ask(stream: Stream): void {
    const { number, options, heard } = stream;
    const { channel, symbol, account, depth = 0, fromSequence = 0 } = options;
    const handle = account === undefined ? 0 : this.#handles.get(account);
    if (handle === undefined) {
      this.#number += 1;
      this.#asked.set(this.#number, stream);
      return this.#send([{ frame: 'useAccount', number: this.#number, name: account ?? '' }]);
    }
    const instrument = this.#instrumentOf(symbol);
    // Of several instruments the least, so that nothing is missed; what is heard twice has the same sequence and index.
    const from = heard.size === 0 ? fromSequence : Math.min(...heard.values());
    this.#send([{ frame: 'subscribe', number, fromSequence: from, instrument, depth, account: handle, channel }]);
  }

  /** A stream that begins without a past goes on from here. */
  #begun({ number, instrument, sequence }: FrameOf<'subscribed'>): void {
    const stream = this.#streams.get(number);
    if (stream === undefined) return;
    const { fromSequence = 0 } = stream.options;
    if (fromSequence === 0 && !stream.heard.has(instrument)) stream.heard.set(instrument, sequence);
    stream.opened.resolve();
  }

  #named(number: number): void {
    const stream = this.#asked.get(number);
    this.#asked.delete(number);
    if (stream !== undefined) this.#ask(stream);
  }

  /** Where each stream is. */
  #remember(frame: AnyFrame): void {
    const channels = CHANNELS_OF[frame.frame];
    if (channels === undefined || !('sequence' in frame)) return;
    // Orders of all instruments are one stream.
    const instrument = channels === OWN || !('instrument' in frame) ? 0 : frame.instrument;
    for (const { options, heard } of this.#streams.values())
      if (channels.includes(options.channel) && (options.symbol === undefined || this.symbols[instrument] === options.symbol))
        heard.set(instrument, Math.max(frame.sequence, heard.get(instrument) ?? 0));
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

const OWN: readonly MarketDataChannel[] = ['own-orders', 'drop-copy'];
/** Of which channels frames are. */
const CHANNELS_OF: Partial<Record<AnyFrame['frame'], readonly MarketDataChannel[]>> = {
  top: ['top'],
  book: ['book'],
  bookOrder: ['orders'],
  trade: ['trades'],
  state: ['trades'],
  fill: OWN,
  orderUpdate: OWN,
};
