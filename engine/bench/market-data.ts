/** Market data: how large it is as frames and as JSON, and what a thousand subscribers do to the orders of an engine. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setImmediate as nextTick, setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { localToken } from '../access/local-token.ts';
import { decodeMessage, encodeMessage, type AnyFrame } from '../client/websocket-codec.ts';
import { DEFAULT_CONFIG } from '../config/config.ts';
import { percentile } from './measure.ts';
import { compare, type Comparison } from './report.ts';
import { answerOf, withServer, type Server } from './ws-benchmarks.ts';
import { LoadConnection } from './ws-load.ts';

const SUBSCRIBERS = 1000;
const PER_SECOND = 1000;
const WARM_MS = 2000;
const MEASURED_MS = 5000;
const SIZE_MS = 2000;
const SETTLE_MS = 200;
const CHANNELS = ['top', 'book', 'orders', 'trades'] as const;
/** Between two looks at what is due to be sent. */
const SLEEP_MS = 0.05;
const SLEEP = new Int32Array(new SharedArrayBuffer(4));

/** Bytes of the messages of the same events in both forms: of best prices, ten levels, orders and trades. */
export async function marketDataSize(runs: number): Promise<Comparison[]> {
  const measured: { value: number; peer: number }[] = [];
  for (let run = 0; run < runs; run += 1)
    measured.push(
      await withServer('market-data', async (server) => {
        const token = await localToken(server.dataDirectory, DEFAULT_CONFIG.engine);
        const [binary, json] = [await Listener.open(server, token, 'hft.binary.v1'), await Listener.open(server, token, 'hft.json.v1')];
        await orders(server, SIZE_MS);
        await delay(SETTLE_MS);
        if (binary.frames !== json.frames) throw new Error(`${binary.frames} frames came in binary, ${json.frames} in JSON`);
        for (const { ws } of [binary, json]) ws.terminate();
        return { value: binary.bytes / binary.frames, peer: json.bytes / json.frames };
      }),
    );
  return [compare('marketdata.size', 'bytes a frame, binary', 'JSON of the same', measured)];
}

/** The p99 of an order's round trip, with subscribers and without. */
export async function marketDataFanout(runs: number): Promise<Comparison[]> {
  const measured: { value: number; peer: number }[] = [];
  for (let run = 0; run < runs; run += 1) {
    const peer = await withServer('market-data', async (server) => await p99(server));
    const value = await withServer('market-data', async (server) => {
      const subscribers = await subscribe(server);
      try {
        return await p99(server, subscribers);
      } finally {
        subscribers.kill('SIGKILL');
        await once(subscribers, 'exit');
      }
    });
    measured.push({ value, peer });
  }
  return [
    compare('marketdata.fanout', `µs p99 of an order, ${SUBSCRIBERS} on level 2, ${PER_SECOND} orders/s`, 'without subscribers', measured),
  ];
}

async function subscribe(server: Server): Promise<ChildProcess> {
  const token = await localToken(server.dataDirectory, DEFAULT_CONFIG.engine);
  const child = fork(join(import.meta.dirname, 'market-data-subscribers.ts'), [String(server.marketDataPort), token, String(SUBSCRIBERS)]);
  await answerOf(child);
  return child;
}

/** Says on standard error what the subscribers got, so that nobody measures those that get nothing. */
async function p99(server: Server, subscribers?: ChildProcess): Promise<number> {
  await orders(server, WARM_MS);
  const came = async (): Promise<{ reads: number; bytes: number }> => {
    if (subscribers === undefined) return { reads: 0, bytes: 0 };
    const answer = answerOf(subscribers);
    subscribers.send('count');
    return (await answer) as { reads: number; bytes: number };
  };
  await came();
  const micros = await orders(server, MEASURED_MS);
  if (subscribers !== undefined) {
    const { reads, bytes } = await came();
    if (reads < SUBSCRIBERS) throw new Error(`the subscribers read ${reads} times`);
    const perSecond = Math.round(reads / (MEASURED_MS / 1000));
    console.error(`  ${perSecond} reads/s by ${SUBSCRIBERS} subscribers, ${Math.round(bytes / MEASURED_MS / 1000)} MB/s`);
  }
  return percentile(micros.sort(), 0.99);
}

/** Sends orders at a steady rate for so long, and takes the time of each from its sending to its answer, in µs. */
async function orders({ port }: Server, durationMs: number): Promise<Float64Array> {
  const connection = await LoadConnection.open(port, { packed: 1, account: 0, countsFrames: true });
  const total = Math.round((durationMs / 1000) * PER_SECOND);
  const sentMs = new Float64Array(total);
  const micros = new Float64Array(total);
  let sent = 0;
  const come = { answers: 0 };
  connection.onAnswers = (count) => {
    const nowMs = performance.now();
    for (let left = count; left > 0; left -= 1, come.answers += 1) micros[come.answers] = (nowMs - (sentMs[come.answers] as number)) * 1000;
  };
  const startMs = performance.now();
  while (come.answers < total) {
    const nowMs = performance.now();
    if (nowMs > startMs + durationMs * 3) throw new Error(`${come.answers} of ${total} orders were answered`);
    for (const due = Math.min(total, ((nowMs - startMs) / 1000) * PER_SECOND); sent < Math.floor(due); sent += 1) {
      sentMs[sent] = performance.now();
      connection.send(1);
    }
    await nextTick();
    // Asleep rather than spinning: the cores are the engine's as well.
    Atomics.wait(SLEEP, 0, 0, SLEEP_MS);
  }
  connection.close();
  return micros;
}

/** Follows everything there is of an instrument, and counts it. */
class Listener {
  readonly ws: WebSocket;
  frames = 0;
  bytes = 0;

  static async open({ marketDataPort }: Server, token: string, protocol: string): Promise<Listener> {
    const listener = new Listener(marketDataPort, token, protocol);
    await once(listener.ws, 'open');
    const frames: AnyFrame[] = CHANNELS.map((channel, number) => ({
      frame: 'subscribe',
      number,
      fromSequence: 0,
      instrument: 0,
      depth: 10,
      account: 0,
      channel,
    }));
    listener.ws.send(protocol === 'hft.json.v1' ? JSON.stringify(frames) : encodeMessage(frames));
    await delay(SETTLE_MS);
    listener.frames = 0;
    listener.bytes = 0;
    return listener;
  }

  private constructor(port: number, token: string, protocol: string) {
    const headers = { authorization: `Bearer ${token}` };
    this.ws = new WebSocket(`ws://127.0.0.1:${port}/v1/market-data`, protocol, { headers });
    this.ws.on('message', (data, isBinary) => {
      const bytes = data as Buffer;
      const frames = isBinary ? decodeMessage(bytes) : (JSON.parse(bytes.toString()) as AnyFrame[]);
      if (frames.some(({ frame }) => frame === 'heartbeat')) return;
      this.frames += frames.length;
      this.bytes += bytes.length;
    });
  }
}
