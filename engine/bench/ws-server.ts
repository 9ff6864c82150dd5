/**
 * The server side of the ws benchmarks, a process of its own: `engine DIRECTORY`, a whole engine with durability commit and the WebSocket gateway;
 * `market-data DIRECTORY`, the same with market data;
 * or `echo`, bare `ws` that sends every message back, corked once a tick. Sends its port; answers each message with what frames took since the last.
 */
import { WebSocketServer } from 'ws';
import type { AddressInfo, Socket } from 'node:net';
import type { Gatekeeper } from '../access/gatekeeper.ts';
import { keyFileOf } from '../access/key-file.ts';
import { DEFAULT_CONFIG } from '../config/config.ts';
import { createHttpServer } from '../gateway/http/server.ts';
import { RateLimiter } from '../gateway/rate-limit.ts';
import { registerWebSocket } from '../gateway/websocket/gateway.ts';
import { OrderEntry } from '../service/order-entry.ts';
import { runEngine } from '../service/process.ts';
import { percentile } from './measure.ts';

const MOST_TIMES = 4_000_000;

/** What the benchmark's own client may do: everything. */
const openGate: Gatekeeper = {
  authenticate: () =>
    Promise.resolve({
      subject: 'bench',
      roles: ['trader'],
      accounts: new Set(Array.from({ length: 8 }, (_, index) => `bench-${index}`)),
      expiresAtMs: Infinity,
      keyId: '',
    }),
  holds: () => true,
  authorize: () => undefined,
};

async function engine(dataDirectory: string, hasMarketData: boolean): Promise<{ port: number; marketDataPort: number }> {
  const limits = { ordersPerSecond: 1e9, burst: 1e9 };
  const running = await runEngine({
    config: { ...DEFAULT_CONFIG, journal: { durability: 'commit' }, limits, observability: { dashboard: false, logLevel: 'error' } },
    dataDirectory,
    host: '127.0.0.1',
    port: 0,
    opsPort: 0,
    grpcPort: 0,
    marketDataPort: hasMarketData ? 0 : undefined,
    adminToken: 'bench',
    keysFile: keyFileOf(undefined, dataDirectory),
    onFatal: (cause) => {
      throw cause;
    },
  });
  await running.started;
  const times = new Float64Array(MOST_TIMES);
  let count = 0;
  const { stats } = running.engine;
  const entry = new OrderEntry({
    engine: running.engine,
    limiter: new RateLimiter(limits),
    stats: {
      ordersAccepted: 0,
      cancels: 0,
      rejected: (code) => {
        throw new Error(`an order was refused: ${code}`);
      },
      answeredInFrames(durationMs) {
        stats.answeredInFrames(durationMs);
        if (count < MOST_TIMES) times[count++] = durationMs * 1000;
      },
    },
  });
  process.on('message', () => {
    process.send?.({ count, p99Micros: percentile(times.subarray(0, count).sort(), 0.99) });
    count = 0;
  });
  const app = createHttpServer({ bodyLimit: 1000, logLevel: 'error' });
  registerWebSocket(app, { engine: running.engine, entry, gatekeeper: openGate, requests: { takeRequest: () => 0 } });
  await app.listen({ host: '127.0.0.1', port: 0 });
  return { port: (app.server.address() as AddressInfo).port, marketDataPort: running.marketDataPort };
}

async function echo(): Promise<number> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
  const corked = new Set<Socket>();
  const uncork = (): void => {
    for (const socket of corked) socket.uncork();
    corked.clear();
  };
  server.on('connection', (ws, { socket }) => {
    ws.on('message', (data: Buffer) => {
      if (!corked.has(socket)) {
        if (corked.size === 0) setImmediate(uncork);
        corked.add(socket);
        socket.cork();
      }
      ws.send(data);
    });
  });
  await new Promise((resolve) => server.once('listening', resolve));
  return (server.address() as AddressInfo).port;
}

const [kind, directory = ''] = process.argv.slice(2);
process.send?.(kind === 'echo' ? { port: await echo(), marketDataPort: 0 } : await engine(directory, kind === 'market-data'));
