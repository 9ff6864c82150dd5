/** gRPC: the engine's calls and streams against bare grpc-js in the same server process, and a pooled channel against a new one. This process is the client. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { METHODS, type PlaceOrderRequest, type PlaceOrderResponse } from '../client/grpc-contract.ts';
import { GrpcOrderClient, WIRE } from '../client/grpc.ts';
import { compare, median, type Comparison } from './report.ts';

const SERVER = fileURLToPath(new URL('./grpc-server.ts', import.meta.url));
const IN_FLIGHT = 64;
const UNARY_MS = 1500;
const STREAM_MS = 2000;
const STREAMS = 2;
/** Orders of a stream that are not answered yet, at most. */
const WINDOW = 16_384;
const BATCHES = [1, 64];
const FIRST_CALLS = 20;
/** Between two of them, so that neither meets what the one before has left to do. */
const QUIET_MS = 20;
const PLACED = 1;

interface Ports {
  readonly engine: number;
  readonly bare: number;
  readonly token: string;
}

let token = '';

async function withServer<T>(work: (ports: Ports) => Promise<T>): Promise<T> {
  const child: ChildProcess = fork(SERVER, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  try {
    const [ports] = (await once(child, 'message', { signal: AbortSignal.timeout(30_000) })) as [Ports];
    token = ports.token;
    return await work(ports);
  } finally {
    if (child.connected) child.disconnect();
    if (child.exitCode === null) await once(child, 'exit');
  }
}

function order(index: number): PlaceOrderRequest {
  return {
    symbol: 'BTC-USD',
    account: 'alice',
    // Every second one trades with the one before, so that the book stays small.
    side: index % 2 === 0 ? WIRE.buy : WIRE.sell,
    type: WIRE.limit,
    timeInForce: WIRE.GTC,
    priceTicks: 10_000,
    quantityLots: 10,
    stopPriceTicks: 0,
    displayLots: 0,
    expiresAtMicros: 0,
    postOnly: false,
    selfTradePrevention: 0,
    clientOrderId: '',
    cancelOnDisconnect: false,
  };
}

function clientOf(port: number): Client {
  return new Client(`127.0.0.1:${port}`, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1, 'grpc.enable_channelz': 0 });
}

function bearer(): Metadata {
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${token}`);
  return metadata;
}

async function placeBy(client: Client, request: PlaceOrderRequest): Promise<PlaceOrderResponse> {
  const { path, requestSerialize, responseDeserialize } = METHODS.placeOrder;
  return await new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      bearer(),
      { deadline: Date.now() + 10_000 },
      (error: ServiceError | null, answer?: PlaceOrderResponse) => {
        if (answer === undefined) reject(error ?? new Error('no answer'));
        else resolve(answer);
      },
    );
  });
}

/** Calls a second with {@link IN_FLIGHT} at a time. */
async function unaryRate(port: number, durationMs: number): Promise<number> {
  const client = clientOf(port);
  let calls = 0;
  const startMs = performance.now();
  const lane = async (): Promise<void> => {
    while (performance.now() - startMs < durationMs) {
      await placeBy(client, order(calls));
      calls += 1;
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
  const rate = calls / ((performance.now() - startMs) / 1000);
  client.close();
  return rate;
}

export async function grpcUnary(runs: number): Promise<Comparison[]> {
  return await withServer(async ({ engine, bare }) => {
    await unaryRate(engine, UNARY_MS);
    await unaryRate(bare, UNARY_MS);
    const pairs: { value: number; peer: number }[] = [];
    for (let round = 0; round < runs; round += 1) {
      // By turns who is first: whatever else slows the machine meets both.
      const first = round % 2 === 0 ? await unaryRate(engine, UNARY_MS) : 0;
      const peer = await unaryRate(bare, UNARY_MS);
      pairs.push({ value: round % 2 === 0 ? first : await unaryRate(engine, UNARY_MS), peer });
    }
    return [compare('grpc.unary', `orders/s, commit, ${IN_FLIGHT} in flight`, 'bare grpc-js, same messages', pairs)];
  });
}

/** Orders a second that are answered over {@link STREAMS} streams, each on a connection of its own, `batch` of them in a message. */
async function streamRate(port: number, batch: number, durationMs: number): Promise<number> {
  const rates = await Promise.all(Array.from({ length: STREAMS }, async () => await oneStream(port, batch, durationMs)));
  return rates.reduce((sum, rate) => sum + rate, 0);
}

async function oneStream(port: number, batch: number, durationMs: number): Promise<number> {
  const client = clientOf(port);
  const { path, requestSerialize } = METHODS.orderEntry;
  // The client, too, keeps to what an order needs: bytes that were made once, and answers that are only counted.
  const message = requestSerialize({
    commands: Array.from({ length: batch }, (_, request) => ({ request: request + 1, place: order(request) })),
  });
  const call = client.makeBidiStreamRequest(path, asIs, asIs, bearer());
  let sent = 0;
  let answered = 0;
  let rejected = 0;
  const startMs = performance.now();
  let writable = true;
  const pump = (): void => {
    while (writable && sent - answered < WINDOW && performance.now() - startMs < durationMs) {
      sent += batch;
      writable = call.write(message);
    }
    if (performance.now() - startMs >= durationMs) call.end();
  };
  const ended = new Promise<void>((resolve, reject) => {
    call.on('error', reject);
    call.on('end', resolve);
  });
  call.on('drain', () => {
    writable = true;
    pump();
  });
  call.on('data', (bytes: Buffer) => {
    const counts = countAnswers(bytes);
    answered += counts.answered;
    rejected += counts.rejected;
    pump();
  });
  pump();
  await ended;
  const rate = answered / ((performance.now() - startMs) / 1000);
  client.close();
  if (answered !== sent || rejected > 0) throw new Error(`${sent} orders, ${answered} answers, ${rejected} refusals`);
  return rate;
}

/** Answers that are no fills, and refusals among them. */
function countAnswers(bytes: Buffer): { answered: number; rejected: number } {
  let answered = 0;
  let rejected = 0;
  for (let at = 0; at < bytes.length; at += 2 + (bytes[at + 1] as number)) {
    // The request's number comes first where it is there, then the kind.
    let field = at + 2;
    if (bytes[field] === 0x08) {
      field += 1;
      while ((bytes[field] as number) >= 0x80) field += 1;
      field += 1;
    }
    const kind = bytes[field + 1];
    if (kind === PLACED) answered += 1;
    else if (kind !== 6) rejected += 1;
  }
  return { answered, rejected };
}

export async function grpcStream(runs: number): Promise<Comparison[]> {
  return await withServer(async ({ engine, bare }) => {
    const comparisons: Comparison[] = [];
    for (const batch of BATCHES) {
      await streamRate(engine, batch, STREAM_MS);
      await streamRate(bare, batch, STREAM_MS);
      const pairs: { value: number; peer: number }[] = [];
      for (let round = 0; round < runs; round += 1) {
        pairs.push({ value: await streamRate(engine, batch, STREAM_MS), peer: await streamRate(bare, batch, STREAM_MS) });
      }
      comparisons.push(compare('grpc.stream', `orders/s, commit, ${batch} a message`, 'bare grpc-js, same messages', pairs));
    }
    return comparisons;
  });
}

/** Microseconds of the first call on a channel of a pool that is ready, and on a new channel. */
export async function grpcPool(runs: number): Promise<Comparison[]> {
  return await withServer(async ({ engine }) => {
    const address = `127.0.0.1:${engine}`;
    const first = async (): Promise<{ value: number; peer: number }> => {
      const pool = new GrpcOrderClient({ address, token, channels: 1 });
      await pool.ready();
      await delay(QUIET_MS);
      let startMs = performance.now();
      await pool.place(order(0));
      const value = (performance.now() - startMs) * 1000;
      pool.close();
      await delay(QUIET_MS);
      startMs = performance.now();
      const client = clientOf(engine);
      await placeBy(client, order(1));
      const peer = (performance.now() - startMs) * 1000;
      client.close();
      return { value, peer };
    };
    for (let warm = 0; warm < FIRST_CALLS; warm += 1) await first();
    const pairs: { value: number; peer: number }[] = [];
    for (let round = 0; round < runs; round += 1) {
      const calls: { value: number; peer: number }[] = [];
      for (let one = 0; one < FIRST_CALLS; one += 1) calls.push(await first());
      pairs.push({ value: median(calls.map(({ value }) => value)), peer: median(calls.map(({ peer }) => peer)) });
    }
    return [compare('grpc.pool', 'us, first call', 'first call on a new channel', pairs)];
  });
}

function asIs(bytes: Buffer): Buffer {
  return bytes;
}
