/** The whole engine as a process of its own, orders over HTTP, and the pauses of its threads as `/metrics` tells them. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DEFAULT_CONFIG } from '../config/config.ts';
import type { Durability } from '../journal/types.ts';
import { OrderClient, spawnEngine, untilReady } from './engine-process.ts';

const CONNECTIONS = 16;
/** Senders, each with one order under way. */
const SENDERS = 64;

/** The pauses of one thread over a while, as closely as the buckets tell. */
export interface ThreadPauses {
  readonly thread: string;
  readonly count: number;
  /** 99 of 100 took no longer than this. */
  readonly p99Ms: number;
  /** None took longer than this. */
  readonly longestMs: number;
}

export interface HttpGcFigures {
  readonly peakPerSecond: number;
  readonly perSecond: number;
  readonly threads: readonly ThreadPauses[];
}

/** Pauses of a thread by upper bound in seconds, cumulative, of all kinds together. */
type Buckets = ReadonlyMap<string, ReadonlyMap<number, number>>;

/** Rejects when the engine does not start, or refuses an order. */
export async function gcOverHttp(options: {
  flags: readonly string[];
  seconds: number;
  warmUpSeconds: number;
  share: number;
  durability: Durability;
}): Promise<HttpGcFigures> {
  const directory = await mkdtemp(join(tmpdir(), 'hft-gc-'));
  const config = join(directory, 'config.json');
  await writeFile(config, JSON.stringify({ ...DEFAULT_CONFIG, journal: { durability: options.durability } }));
  const engine = await spawnEngine({ dataDirectory: join(directory, 'data'), args: ['--config', config], nodeFlags: options.flags });
  try {
    await untilReady(engine.baseUrl);
    const client = new OrderClient({ baseUrl: engine.baseUrl, token: engine.token, connections: CONNECTIONS, timeoutMs: 30_000 });
    await send(client, options.warmUpSeconds / 2, Infinity);
    const peakPerSecond = await send(client, options.warmUpSeconds / 2, Infinity);
    const before = bucketsOf(await metrics(engine.opsUrl));
    const perSecond = await send(client, options.seconds, peakPerSecond * options.share);
    const after = bucketsOf(await metrics(engine.opsUrl));
    await client.close();
    engine.kill('SIGTERM');
    await engine.ended;
    return { peakPerSecond, perSecond, threads: pausesBetween(before, after) };
  } finally {
    engine.kill('SIGKILL');
    await engine.ended;
    await rm(directory, { recursive: true, force: true });
  }
}

async function metrics(opsUrl: string): Promise<string> {
  const answer = await fetch(`${opsUrl}/metrics`, { signal: AbortSignal.timeout(10_000) });
  return await answer.text();
}

/** Places orders for `seconds`, at `perSecond` or as fast as they are answered; gives how many a second it came to. */
async function send(client: OrderClient, seconds: number, perSecond: number): Promise<number> {
  const startMs = performance.now();
  const endMs = startMs + seconds * 1000;
  let number = 0;
  const sender = async (): Promise<void> => {
    while (performance.now() < endMs) {
      number += 1;
      const dueMs = startMs + (number / perSecond) * 1000;
      if (dueMs > performance.now()) await delay(dueMs - performance.now());
      const price = String(95 + (number % 11));
      const side = (number & 1) === 0 ? 'buy' : 'sell';
      const timeInForce = (number & 2) === 0 ? 'GTC' : 'IOC';
      await client.place({ symbol: 'BTC-USD', account: `a${number % 10}`, side, type: 'limit', price, quantity: '1', timeInForce });
    }
  };
  await Promise.all(Array.from({ length: SENDERS }, sender));
  return number / ((performance.now() - startMs) / 1000);
}

const BUCKET = /^nodejs_gc_duration_seconds_bucket\{le="([^"]+)",kind="[^"]+",thread="([^"]+)".*\} ([0-9]+)$/gm;

/** Reads the pauses out of the text of `/metrics`. */
export function bucketsOf(text: string): Buckets {
  const threads = new Map<string, Map<number, number>>();
  for (const [, le = '', thread = '', count = ''] of text.matchAll(BUCKET)) {
    const bound = le === '+Inf' ? Infinity : Number(le);
    const buckets = threads.get(thread) ?? new Map<number, number>();
    threads.set(thread, buckets.set(bound, (buckets.get(bound) ?? 0) + Number(count)));
  }
  return threads;
}

/** What came between two readings; for a thread that the first did not know, everything. */
export function pausesBetween(before: Buckets, after: Buckets): ThreadPauses[] {
  return [...after].map(([thread, buckets]) => {
    const since = [...buckets].map(([bound, count]): [number, number] => [bound, count - (before.get(thread)?.get(bound) ?? 0)]);
    const count = since.at(-1)?.[1] ?? 0;
    const within = (share: number): number =>
      count === 0 ? 0 : (since.find(([, below]) => below >= share * count)?.[0] ?? Infinity) * 1000;
    return { thread, count, p99Ms: within(0.99), longestMs: within(1) };
  });
}
