/** `npm run prove -- clients`: what others feel of 500 bad clients, and what those cost in memory. */
import { execa } from 'execa';
import { readFileSync, rmSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { fileURLToPath } from 'node:url';
import { GrpcOrderClient } from '../client/grpc.ts';
import { WebSocketOrders } from '../client/websocket.ts';
import { temporaryDirectory } from '../testing/temporary-directory.ts';
import type { BadClientsOptions } from './bad-clients.ts';
import { OrderClient, spawnEngine, untilReady } from './engine-process.ts';

const BAD_CLIENTS = fileURLToPath(new URL('./bad-clients.ts', import.meta.url));
const PACE_MS = 4;
const SETTLE_MS = 1500;
/** Strict: of the proof. */
const MOST_RATIO = 2;
const MOST_GROWTH_MIB = 128;

export interface ClientsReport {
  /** Medians of the p99 of each window, in milliseconds. */
  readonly p99Ms: Readonly<Record<string, { before: number; during: number }>>;
  readonly rssMiB: { readonly before: number; readonly most: number };
  /** Connections that the engine ended, by kind of bad client. */
  readonly ended: Readonly<Record<string, number>>;
}

/** Measures good clients in windows of a second, without bad ones and with them. */
export async function measureClients({
  count,
  windows,
  seconds,
  kinds,
}: {
  count: number;
  windows: number;
  seconds: number;
  /** Of bad clients; none is all. */
  kinds?: readonly string[] | undefined;
}): Promise<ClientsReport> {
  const directory = temporaryDirectory();
  const engine = await spawnEngine({ dataDirectory: directory, args: ['--durability', 'memory'] });
  try {
    await untilReady(engine.baseUrl);
    const grpcPort = await grpcPortOf(() => engine.output());
    const http = new OrderClient(engine);
    const webSocket = await WebSocketOrders.connect({ url: `${engine.baseUrl.replace('http', 'ws')}/v1/ws`, token: engine.token });
    const grpc = new GrpcOrderClient({ address: `127.0.0.1:${grpcPort}`, token: engine.token });
    const calls: Record<string, () => Promise<unknown>> = {
      http: async () => await http.massCancel({ account: 'good' }),
      webSocket: async () => await webSocket.massCancel('good'),
      grpc: async () => await grpc.massCancel({ account: 'good' }),
    };
    const rss = (): number => Number(/VmRSS:\s+([0-9]+)/.exec(readFileSync(`/proc/${engine.pid}/status`, 'utf8'))?.[1]) / 1024;
    await windowsOf(calls, 2);
    const before = await windowsOf(calls, windows);
    const rssBefore = rss();
    let most = rssBefore;
    const watch = setInterval(() => (most = Math.max(most, rss())), 100);
    const options: BadClientsOptions = {
      count,
      seconds,
      httpPort: Number(new URL(engine.baseUrl).port),
      grpcPort,
      token: engine.token,
      ...(kinds && { kinds }),
    };
    const bad = execa('node', [BAD_CLIENTS, JSON.stringify(options)], { timeout: (seconds + 20) * 1000 });
    await delay(SETTLE_MS);
    const during = await windowsOf(calls, windows);
    const { stdout } = await bad;
    clearInterval(watch);
    await Promise.all([http.close(), webSocket.close()]);
    grpc.close();
    return {
      p99Ms: Object.fromEntries(Object.keys(calls).map((name) => [name, { before: before[name] ?? 0, during: during[name] ?? 0 }])),
      rssMiB: { before: rssBefore, most },
      ended: JSON.parse(stdout) as Record<string, number>,
    };
  } finally {
    engine.kill('SIGKILL');
    await engine.ended;
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Calls of each kind one after the other, a few hundred a second: the median over the windows of their p99, in milliseconds. */
async function windowsOf(calls: Readonly<Record<string, () => Promise<unknown>>>, windows: number): Promise<Record<string, number>> {
  const names = Object.keys(calls);
  const p99s = new Map<string, number[]>(names.map((name) => [name, []]));
  for (let window = 0; window < windows; window += 1) {
    await Promise.all(
      Object.entries(calls).map(async ([name, call]) => {
        const untilMs = performance.now() + 1000;
        const times: number[] = [];
        while (performance.now() < untilMs) {
          const startMs = performance.now();
          await call();
          times.push(performance.now() - startMs);
          await delay(PACE_MS);
        }
        p99s.get(name)?.push(at(times, 0.99));
      }),
    );
  }
  return Object.fromEntries(names.map((name) => [name, at(p99s.get(name) ?? [], 0.5)]));
}

function at(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
}

async function grpcPortOf(output: () => string): Promise<number> {
  const deadline = AbortSignal.timeout(10_000);
  for (;;) {
    const port = /gRPC\s+localhost:([0-9]+)/.exec(output())?.[1];
    if (port !== undefined) return Number(port);
    if (deadline.aborted) throw new Error('the engine does not say where gRPC is');
    await delay(20);
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      clients: { type: 'string', default: '500' },
      windows: { type: 'string', default: '20' },
      kind: { type: 'string', multiple: true },
      help: { type: 'boolean' },
    },
  });
  if (values.help === true) {
    console.log(
      'npm run prove -- clients [--clients 500] [--windows 20] [--kind NAME]…: windows of a second without bad clients, and as many with them',
    );
    return;
  }
  const windows = Number(values.windows);
  const { p99Ms, rssMiB, ended } = await measureClients({
    count: Number(values.clients),
    windows,
    seconds: windows + 3,
    kinds: values.kind,
  });
  let isGood = true;
  for (const [name, { before, during }] of Object.entries(p99Ms)) {
    const ratio = during / before;
    isGood &&= ratio <= MOST_RATIO;
    console.log(
      `${name.padEnd(10)} p99 ${before.toFixed(2)} ms without, ${during.toFixed(2)} ms with: ${ratio.toFixed(2)}x (${MOST_RATIO} at most)`,
    );
  }
  const growthMiB = rssMiB.most - rssMiB.before;
  isGood &&= growthMiB <= MOST_GROWTH_MIB;
  console.log(
    `memory     ${rssMiB.before.toFixed(0)} MiB without, ${rssMiB.most.toFixed(0)} MiB at most: ${growthMiB.toFixed(0)} more (${MOST_GROWTH_MIB} at most)`,
  );
  console.log(
    `ended      ${Object.entries(ended)
      .map(([kind, count]) => `${kind} ${count}`)
      .join(', ')}`,
  );
  process.exitCode = isGood ? 0 : 1;
}

if (import.meta.main) await main();
