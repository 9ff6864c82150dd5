/** Orders over HTTP, against a bare Fastify route; and what the engine does with a request. Servers are processes of their own; the client is this one. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DEFAULT_CONFIG } from '../config/config.ts';
import { spawnEngine, untilReady, type EngineProcess } from '../prove/engine-process.ts';
import { ordersPerSecond, steadyOrders } from './http-load.ts';
import { compare, type Comparison } from './report.ts';

const CONNECTIONS = 32;
const SECONDS = 3;
const STEADY_PER_SECOND = 5000;
const STEADY_CONNECTIONS = 16;
const PROCESSING_LIMIT_MICROS = 100;

/** An order that leaves nothing behind, so that the last is like the first: it finds nothing to trade with. */
function orderRequest(token: string): Buffer {
  const order = { symbol: 'BTC-USD', account: 'alice', side: 'buy', type: 'limit', timeInForce: 'IOC', price: '100', quantity: '1' };
  const body = JSON.stringify(order);
  return Buffer.from(
    `POST /v1/orders HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${token}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
}

/** Acknowledged orders a second over {@link CONNECTIONS} connections, one in flight on each, in durability `commit`. */
export async function httpOrders(runs: number): Promise<Comparison[]> {
  const pairs: { value: number; peer: number }[] = [];
  await withEngine('commit', async (engine) => {
    // The same bytes to both.
    const request = orderRequest(engine.token);
    const bare = spawn(process.execPath, [fileURLToPath(new URL('./http-bare.ts', import.meta.url))], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      const [line] = await once(bare.stdout, 'data', { signal: AbortSignal.timeout(20_000) });
      const barePort = Number(String(line));
      for (let round = 0; round < runs; round += 1) {
        const peer = await ordersPerSecond(barePort, request, CONNECTIONS, SECONDS);
        pairs.push({ value: await ordersPerSecond(portOf(engine), request, CONNECTIONS, SECONDS), peer });
      }
    } finally {
      bare.kill();
    }
  });
  return [compare('http.orders', 'orders/s, commit', 'bare Fastify route, same schemas', pairs)];
}

/** From the parsed request to the queued reply, 99th percentile, as the engine counts it, against the {@link PROCESSING_LIMIT_MICROS} µs that it may take. */
export async function httpProcessing(runs: number): Promise<Comparison[]> {
  const pairs: { value: number; peer: number }[] = [];
  await withEngine('memory', async (engine) => {
    const request = orderRequest(engine.token);
    const run = async (seconds: number): Promise<void> =>
      await steadyOrders(portOf(engine), request, STEADY_CONNECTIONS, STEADY_PER_SECOND, seconds);
    await run(SECONDS);
    for (let round = 0; round < runs; round += 1) {
      const before = await buckets(engine);
      await run(SECONDS);
      pairs.push({ value: percentileMicros(before, await buckets(engine), 0.99), peer: PROCESSING_LIMIT_MICROS });
    }
  });
  return [compare('http.processing', `µs p99, memory at ${STEADY_PER_SECOND}/s`, 'its limit', pairs)];
}

function portOf(engine: EngineProcess): number {
  return Number(new URL(engine.baseUrl).port);
}

async function withEngine(durability: 'memory' | 'commit', work: (engine: EngineProcess) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'hft-bench-'));
  const config = join(directory, 'config.json');
  const limits = { ordersPerSecond: 10_000_000, burst: 10_000_000, requestsPerSecond: 10_000_000, requestBurst: 10_000_000 };
  writeFileSync(config, JSON.stringify({ ...DEFAULT_CONFIG, journal: { durability }, limits }));
  const engine = await spawnEngine({ dataDirectory: join(directory, 'data'), args: ['--config', config] });
  try {
    await untilReady(engine.baseUrl);
    await work(engine);
  } finally {
    engine.kill('SIGTERM');
    await engine.ended;
    rmSync(directory, { recursive: true });
  }
}

/** Upper bounds in seconds, and how many are at or below. */
async function buckets({ opsUrl }: EngineProcess): Promise<[bound: number, count: number][]> {
  const text = await (await fetch(`${opsUrl}/metrics`, { signal: AbortSignal.timeout(10_000) })).text();
  const found = text.matchAll(/^hft_http_processing_seconds_bucket\{le="([^"]+)"[^}]*\} ([0-9]+)$/gm);
  return [...found].map(([, bound, count]) => [bound === '+Inf' ? Infinity : Number(bound), Number(count)]);
}

/** Between two bounds as if spread evenly. */
function percentileMicros(before: readonly [number, number][], after: readonly [number, number][], share: number): number {
  const counts = after.map(([, count], index) => count - (before[index]?.[1] ?? 0));
  const wanted = (counts.at(-1) ?? 0) * share;
  const index = counts.findIndex((count) => count >= wanted);
  const upper = after[index]?.[0] ?? NaN;
  const lower = after[index - 1]?.[0] ?? 0;
  const below = counts[index - 1] ?? 0;
  return (lower + ((upper - lower) * (wanted - below)) / ((counts[index] ?? NaN) - below)) * 1e6;
}
