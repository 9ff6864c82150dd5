/** The thread of market data: a port of its own, a core of its own, keys of its own. Nothing of it runs on the thread that matches. */
import { dirname, resolve } from 'node:path';
import type { AddressInfo } from 'node:net';
import { workerData } from 'node:worker_threads';
import { audienceOf } from '../access/claims.ts';
import { JwtGatekeeper } from '../access/jwt-gatekeeper.ts';
import { KeyFile } from '../access/key-file.ts';
import { Certificates } from '../access/tls.ts';
import { JournalReader } from '../journal/reader.ts';
import { giveWay } from '../thread-priority.ts';
import { recordGc } from '../telemetry/gc.ts';
import { AccountHandles } from './account-handles.ts';
import { Entrance } from './entrance.ts';
import { Feed } from './feed.ts';
import { MarketDataFigures } from './figures.ts';
import { MarketGateway, type FeedInstrument } from './gateway.ts';
import { MarketGrpcGateway } from './grpc-gateway.ts';
import { Hub } from './hub.ts';
import type { FromMarketData, MarketDataThread, ToMarketData } from './thread-messages.ts';

/** Changes of so long go out together. */
const INTERVAL_MS = 10;
/** While nobody follows anything. */
const IDLE_MS = 100;
/** A turn may take this part of the time at most: with many subscribers the interval grows instead of the load. */
const MOST_SHARE = 0.25;
/** Matching goes before telling of it. */
const NICE = 10;

const {
  engine,
  keysFile,
  dataDirectory,
  tls,
  bounds,
  host,
  listenPort,
  grpcPort,
  figures: figuresBuffer,
  gc,
  port,
} = workerData as MarketDataThread;
const post = (message: FromMarketData): void => port.postMessage(message);
const warn = (details: object, message: string): void => post({ kind: 'warning', details, message });

const figures = new MarketDataFigures(figuresBuffer);
const handles = new AccountHandles();
const isQuiet = resolve(dirname(keysFile)) !== resolve(dataDirectory);
const keys = new KeyFile(
  keysFile,
  {
    onKeys: (changed) => gatekeeper.setKeys(changed),
    // The engine's thread reads the same file, and says what is wrong with it.
    onRefused: () => undefined,
  },
  isQuiet,
);
giveWay(NICE);
const gatekeeper = new JwtGatekeeper({ audience: audienceOf(engine), keys: keys.first });
const entrance = new Entrance(gatekeeper, bounds);
// The engine's thread reads the same files, and says what becomes of them.
const silent = { info: () => undefined, warn: () => undefined };
const certificates = tls === undefined ? undefined : new Certificates(tls, { dataDirectory, log: silent });
const endGc = recordGc(gc);

let serving: { hub: Hub; instruments: readonly FeedInstrument[] } | undefined;
let timer: NodeJS.Timeout | undefined;
const gateway = new MarketGateway({ gatekeeper, entrance, figures, handles, served: () => serving, warn, certificates });
const grpc =
  grpcPort === undefined ? undefined : new MarketGrpcGateway({ gatekeeper, entrance, handles, served: () => serving, warn, certificates });

gateway.server.once('error', (cause: NodeJS.ErrnoException) => refused(cause));
gateway.server.listen({ host, port: listenPort, backlog: 1024 }, () => void listening((gateway.server.address() as AddressInfo).port));
port.on('message', (message: ToMarketData) => {
  if (message === null) return void end();
  if ('bounds' in message) entrance.configure(message.bounds);
  else serve(message.instruments);
});

/** The port of WebSockets is there. */
async function listening(webSocketPort: number): Promise<void> {
  try {
    post({ kind: 'listening', port: webSocketPort, grpcPort: (await grpc?.listen(host, grpcPort ?? 0)) ?? 0 });
  } catch (cause) {
    refused(cause as NodeJS.ErrnoException);
  }
}

function refused({ code = '', message }: NodeJS.ErrnoException): void {
  post({ kind: 'refused', code, message });
  void end();
}

function serve(instruments: readonly FeedInstrument[]): void {
  const open = (): Feed => {
    const journal = JournalReader.open(dataDirectory);
    try {
      return new Feed({ dataDirectory, journal, instruments: instruments.length, warn });
    } catch (cause) {
      journal.close();
      throw cause;
    }
  };
  const symbols = instruments.map(({ symbol }) => symbol);
  serving = {
    hub: new Hub({ open, symbols, handleOf: (name) => handles.of(name), figures, warn, nowMs: () => performance.now() }),
    instruments,
  };
  turn(serving.hub);
}

function turn(hub: Hub): void {
  const startMs = performance.now();
  const hasMore = hub.turn();
  const tookMs = performance.now() - startMs;
  figures.set('turnMicros', tookMs * 1000);
  const restMs = tookMs / MOST_SHARE - tookMs;
  const waitMs = hub.isIdle ? IDLE_MS : hasMore ? 0 : Math.max(INTERVAL_MS - tookMs, restMs);
  timer = setTimeout(turn, waitMs, hub);
}

async function end(): Promise<void> {
  clearTimeout(timer);
  // What is durable by now is told before the end.
  serving?.hub.turn();
  serving?.hub.close();
  serving = undefined;
  await Promise.all([gateway.close(), grpc?.close()]);
  keys.stop();
  certificates?.stop();
  endGc();
  port.close();
}
