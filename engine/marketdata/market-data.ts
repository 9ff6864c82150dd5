/** The thread of market data as the engine's thread sees it. */
import { setTimeout as delay } from 'node:timers/promises';
import { MessageChannel, Worker, type MessagePort } from 'node:worker_threads';
import { messageOf } from '../journal/sqlite-errors.ts';
import { gcMemory } from '../telemetry/gc.ts';
import { memoryShareMb } from '../views/memory.ts';
import { MarketDataFigures } from './figures.ts';
import type { EntranceBounds } from './entrance.ts';
import type { FeedInstrument } from './gateway.ts';
import type { FromMarketData, MarketDataThread, ToMarketData } from './thread-messages.ts';

export interface MarketDataOptions extends Pick<MarketDataThread, 'engine' | 'keysFile' | 'dataDirectory' | 'tls' | 'bounds'> {
  readonly log: { warn(details: object, message: string): void };
}

const FIRST_BACKOFF_MS = 100;
const LONGEST_BACKOFF_MS = 10_000;
/** How long it may take to end before it is ended. */
const END_MS = 3000;
/** Of the memory that there is, so much may be the thread's heap, but no less and no more than this. Books are outside of it. */
const HEAP_SHARE = 0.1;
const LEAST_HEAP_MB = 48;
const MOST_HEAP_MB = 512;

/** A port cannot be listened on; `code` as the system says it. */
export class PortRefused extends Error {
  override readonly name = 'PortRefused';
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export class MarketData {
  readonly figures = new MarketDataFigures();
  readonly #options: MarketDataOptions;
  readonly #ending = new AbortController();
  #worker: Worker | undefined;
  #messages: MessagePort | undefined;
  #bounds: EntranceBounds;
  #instruments: readonly FeedInstrument[] | undefined;
  #running: Promise<void> = Promise.resolve();
  #host = '';
  #listenPort = 0;
  #grpcPort: number | undefined;

  /** `grpcPort`: undefined for no gRPC. */
  constructor(options: MarketDataOptions, grpcPort?: number) {
    this.#options = options;
    this.#bounds = options.bounds;
    this.#grpcPort = grpcPort;
  }

  /** That gRPC listens on, once {@link listen} has; 0 without. */
  get grpcPort(): number {
    return this.#grpcPort ?? 0;
  }

  /** Starts the thread, which is started again whenever it fails. Gives the port that it listens on. Throws PortRefused. */
  readonly listen = async (host: string, listenPort: number): Promise<number> => {
    this.#host = host;
    this.#listenPort = listenPort;
    const first = Promise.withResolvers<number>();
    this.#running = this.#run(first);
    this.#listenPort = await first.promise;
    return this.#listenPort;
  };

  /** Lets clients in. */
  serve(instruments: readonly FeedInstrument[]): void {
    this.#instruments = instruments;
    this.#post({ instruments });
  }

  /** Other bounds of clients from now on. */
  configure(bounds: EntranceBounds): void {
    this.#bounds = bounds;
    this.#post({ bounds });
  }

  /** Ends connections, and the thread. */
  async close(): Promise<void> {
    this.#ending.abort();
    this.#post(null);
    const cut = setTimeout(() => void this.#worker?.terminate(), END_MS);
    await this.#running;
    clearTimeout(cut);
  }

  #post(message: ToMarketData): void {
    this.#messages?.postMessage(message, []);
  }

  async #run(first: PromiseWithResolvers<number>): Promise<void> {
    const { signal } = this.#ending;
    let backoffMs = FIRST_BACKOFF_MS;
    let hasListened = false;
    const hear = (message: FromMarketData): void => {
      if (message.kind === 'listening') {
        hasListened = true;
        backoffMs = FIRST_BACKOFF_MS;
        if (this.#grpcPort !== undefined) this.#grpcPort = message.grpcPort;
        first.resolve(message.port);
      } else if (message.kind === 'refused') first.reject(new PortRefused(message.code, message.message));
      else this.#options.log.warn(message.details, message.message);
    };
    while (!signal.aborted) {
      const failure = await this.#runThread(hear);
      this.#messages = undefined;
      this.#worker = undefined;
      if (signal.aborted || !hasListened) break;
      this.#options.log.warn({ failure, backoffMs }, 'the thread of market data has ended: it is started again');
      await delay(backoffMs, undefined, { signal }).catch(() => undefined);
      backoffMs = Math.min(LONGEST_BACKOFF_MS, backoffMs * 2);
    }
    first.reject(new PortRefused('', 'the thread of market data has ended before it listened'));
  }

  /** Resolves when the thread has ended, to why. */
  async #runThread(hear: (message: FromMarketData) => void): Promise<string> {
    const { engine, keysFile, dataDirectory, tls } = this.#options;
    const { port1, port2 } = new MessageChannel();
    const workerData: MarketDataThread = {
      engine,
      keysFile,
      dataDirectory,
      tls,
      bounds: this.#bounds,
      host: this.#host,
      listenPort: this.#listenPort,
      grpcPort: this.#grpcPort,
      figures: this.figures.buffer,
      gc: gcMemory('market-data'),
      port: port2,
    };
    const worker = new Worker(new URL('./market-data-worker.ts', import.meta.url), {
      workerData,
      transferList: [port2],
      name: 'hft-market-data',
      resourceLimits: { maxOldGenerationSizeMb: memoryShareMb(HEAP_SHARE, LEAST_HEAP_MB, MOST_HEAP_MB) },
    });
    this.#worker = worker;
    this.#messages = port1;
    port1.on('message', hear);
    if (this.#instruments !== undefined) this.#post({ instruments: this.#instruments });
    return await new Promise<string>((resolve) => {
      let failure = 'it has ended by itself';
      worker.once('error', (cause) => (failure = messageOf(cause)));
      worker.once('exit', () => {
        port1.close();
        resolve(failure);
      });
    });
  }
}
