/** The WebSocket gateway against bare `ws`, in processes of their own beside this one, the client. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTick, setTimeout as delay } from 'node:timers/promises';
import { percentile } from './measure.ts';
import { sleepExactly, sleepUntil } from './pace.ts';
import { compare, type Comparison } from './report.ts';
import { LoadConnection } from './ws-load.ts';

const CONNECTIONS = 8;
const WARM_MS = 1500;
const MEASURED_MS = 2500;
/** Under way for each connection: messages of one order, and of {@link PACKED}. */
const IN_FLIGHT = 256;
const PACKED = 64;
const PACKED_IN_FLIGHT = 16;
const ROUND_TRIPS = 20_000;
const CALM_PER_SECOND = 20_000;
const WANTED_MICROS = 50;
/** Answers are read in between. */
const LONGEST_SLEEP_MS = 0.05;

export interface Server {
  readonly port: number;
  /** Of market data; 0 where there is none. */
  readonly marketDataPort: number;
  readonly dataDirectory: string;
  /** What frames took since the last time it was asked. */
  frames(): Promise<{ count: number; p99Micros: number }>;
}

/** Orders a second that are acknowledged, one an order message. */
export async function wsOrders(runs: number): Promise<Comparison[]> {
  return [
    compare(
      'ws.orders',
      'orders/s, commit',
      'bare ws echo, corked',
      await pairs(runs, async ({ port }, isEngine) => await saturate(port, 1, IN_FLIGHT, isEngine)),
    ),
  ];
}

export async function wsPacked(runs: number): Promise<Comparison[]> {
  const measured = await pairs(runs, async ({ port }, isEngine) => await saturate(port, PACKED, PACKED_IN_FLIGHT, isEngine));
  return [compare('ws.packed', `orders/s, commit, ${PACKED} a message`, 'bare ws echo, corked', measured)];
}

export async function wsRoundTrip(runs: number): Promise<Comparison[]> {
  return [
    compare(
      'ws.round-trip',
      'µs p50, commit, one in flight',
      'bare ws echo',
      await pairs(runs, async ({ port }, isEngine) => await roundTrip(port, isEngine)),
    ),
  ];
}

/** From a message's arrival until its answer stands in the message that is about to be written to its socket. */
export async function wsFrameToFrame(runs: number): Promise<Comparison[]> {
  const measured: { value: number; peer: number }[] = [];
  for (let run = 0; run < runs; run += 1) {
    const value = await withServer('engine', async (server) => {
      await calm(server, WARM_MS);
      await server.frames();
      await calm(server, MEASURED_MS);
      return (await server.frames()).p99Micros;
    });
    measured.push({ value, peer: WANTED_MICROS });
  }
  return [compare('ws.frame-to-frame', `µs p99, commit at ${CALM_PER_SECOND}/s`, 'wanted at most', measured)];
}

async function pairs(
  runs: number,
  measure: (server: Server, isEngine: boolean) => Promise<number>,
): Promise<{ value: number; peer: number }[]> {
  const measured: { value: number; peer: number }[] = [];
  for (let run = 0; run < runs; run += 1) {
    const peer = await withServer('echo', async (server) => await measure(server, false));
    measured.push({ value: await withServer('engine', async (server) => await measure(server, true)), peer });
  }
  return measured;
}

export async function withServer<Result>(
  kind: 'engine' | 'echo' | 'market-data',
  work: (server: Server) => Promise<Result>,
): Promise<Result> {
  const directory = mkdtempSync(join(tmpdir(), 'hft-bench-'));
  // The flags that engines are shipped with.
  const child = fork(join(import.meta.dirname, 'ws-server.ts'), [kind, directory], { execArgv: ['--max-semi-space-size=4'] });
  try {
    const { port, marketDataPort } = (await answerOf(child)) as { port: number; marketDataPort: number };
    const frames = async (): Promise<{ count: number; p99Micros: number }> => {
      const answer = answerOf(child);
      child.send('frames');
      return (await answer) as { count: number; p99Micros: number };
    };
    return await work({ port, marketDataPort, dataDirectory: directory, frames });
  } finally {
    child.kill('SIGKILL');
    await once(child, 'exit');
    rmSync(directory, { recursive: true });
  }
}

export async function answerOf(child: ChildProcess): Promise<unknown> {
  const ended = new AbortController();
  const message = once(child, 'message', { signal: ended.signal });
  const exit = once(child, 'exit', { signal: ended.signal });
  try {
    const [answer] = (await Promise.race([
      message,
      exit.then(() => Promise.reject(new Error('the server of the benchmark has ended'))),
    ])) as [unknown];
    return answer;
  } finally {
    ended.abort();
    await Promise.allSettled([message, exit]);
  }
}

async function open(port: number, connections: number, packed: number, countsFrames: boolean): Promise<LoadConnection[]> {
  return await Promise.all(
    Array.from({ length: connections }, async (_, account) => await LoadConnection.open(port, { packed, account, countsFrames })),
  );
}

/** Orders a second while every connection has as many messages under way as it may. */
async function saturate(port: number, packed: number, inFlight: number, countsFrames: boolean): Promise<number> {
  const connections = await open(port, CONNECTIONS, packed, countsFrames);
  let answered = 0;
  for (const connection of connections) {
    let owed = 0;
    connection.onAnswers = (count) => {
      answered += count;
      owed += count;
      const messages = Math.floor(owed / packed);
      owed -= messages * packed;
      if (messages > 0) connection.send(messages);
    };
    connection.send(inFlight);
  }
  await delay(WARM_MS);
  const before = answered;
  const startMs = performance.now();
  await delay(MEASURED_MS);
  const perSecond = (answered - before) / ((performance.now() - startMs) / 1000);
  for (const connection of connections) connection.close();
  return Math.round(perSecond);
}

async function roundTrip(port: number, countsFrames: boolean): Promise<number> {
  const [connection] = await open(port, 1, 1, countsFrames);
  if (connection === undefined) throw new RangeError('no connection');
  const micros = new Float64Array(ROUND_TRIPS);
  await new Promise<void>((resolve) => {
    let trips = 0;
    let startMs = performance.now();
    connection.onAnswers = () => {
      const nowMs = performance.now();
      micros[trips] = (nowMs - startMs) * 1000;
      trips += 1;
      if (trips === ROUND_TRIPS) return resolve();
      startMs = nowMs;
      connection.send(1);
    };
    connection.send(1);
  });
  connection.close();
  return percentile(micros.subarray(ROUND_TRIPS >> 2).sort(), 0.5);
}

/** Orders at a calm rate over all connections, each when it is due, for so long. */
async function calm({ port }: Server, durationMs: number): Promise<void> {
  sleepExactly();
  const connections = await open(port, CONNECTIONS, 1, true);
  const startMs = performance.now();
  let sent = 0;
  for (let nowMs = startMs; nowMs < startMs + durationMs; nowMs = performance.now()) {
    for (const due = ((nowMs - startMs) / 1000) * CALM_PER_SECOND; sent < due; sent += 1) connections[sent % CONNECTIONS]?.send(1);
    await nextTick();
    // Asleep rather than spinning: the second core is the engine's other threads' as well.
    sleepUntil(startMs + (sent / CALM_PER_SECOND) * 1000, LONGEST_SLEEP_MS);
  }
  await delay(50);
  for (const connection of connections) connection.close();
}
