/** Rates on every way in: refused with the right time to wait, shared between the ways, and nobody else's business. */
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { status, type ServiceError } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { localToken } from '../access/local-token.ts';
import { METHODS } from '../client/grpc-contract.ts';
import { GrpcOrderClient } from '../client/grpc.ts';
import { decodeMessage, encodeMessage, type AnyFrame } from '../client/websocket-codec.ts';
import { REJECT } from '../core/types.ts';
import { bareClient, bearer, call, order, startGrpcEngine, type GrpcEngine } from './grpc/grpc.test-support.ts';
import { ORDER } from './websocket/gateway.test-support.ts';

const BURST = 2;
/** Of one more order or request: one a second. */
const REFILL_MS = 1000;
/** Both times are rounded up. */
const MOST_ROUNDED_MS = 2;
const GENEROUS = 10_000;
const FLOOD = 100;

let orderLimited: GrpcEngine;
let requestLimited: GrpcEngine;
beforeAll(async () => {
  const journal = { durability: 'memory' } as const;
  const few = { ordersPerSecond: 1, burst: BURST, requestsPerSecond: GENEROUS, requestBurst: GENEROUS };
  orderLimited = await startGrpcEngine({ journal, limits: few });
  requestLimited = await startGrpcEngine({
    journal,
    limits: { ordersPerSecond: GENEROUS, burst: GENEROUS, requestsPerSecond: 1, requestBurst: BURST },
  });
});
afterAll(async () => {
  for (const end of ends.splice(0)) end();
  await orderLimited[Symbol.asyncDispose]();
  await requestLimited[Symbol.asyncDispose]();
});

/** What ends connections that were kept. */
const ends: (() => void)[] = [];

async function tokenOf({ local }: GrpcEngine, user: string): Promise<string> {
  return await localToken(local.dataDirectory, 'local', { roles: ['trader'], accounts: [user], subject: user });
}

/** Sends one order or request of a user, who has an account of the same name: milliseconds to wait when it was refused for its rate; 0 when not. */
type Way = (user: string) => Promise<number>;

/** What the text of a problem over HTTP says; its header says the same in whole seconds. */
async function waitOf(answer: { status: number; headers: Headers; json(): Promise<unknown> }, code: string): Promise<number> {
  const problem = (await answer.json()) as { code: string; detail: string };
  expect([answer.status, problem.code]).toEqual([429, code]);
  const waitMs = Number(/wait ([0-9]+) ms/.exec(problem.detail)?.[1]);
  expect(Number(answer.headers.get('retry-after'))).toBe(Math.max(1, Math.ceil(waitMs / 1000)));
  return waitMs;
}

async function http(engine: GrpcEngine, user: string, body: object | undefined, code: string): Promise<number> {
  const answer = await fetch(`${engine.local.baseUrl}/v1/${body === undefined ? 'instruments' : 'orders'}`, {
    headers: { authorization: `Bearer ${await tokenOf(engine, user)}`, 'content-type': 'application/json' },
    ...(body !== undefined && { method: 'POST', body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(10_000),
  });
  if (answer.status !== 429) expect(answer.ok).toBe(true);
  return answer.ok ? 0 : await waitOf(answer, code);
}

interface Wire {
  /** Sends one order; resolves with its answer. */
  ask(): Promise<AnyFrame>;
}
const wires = new Map<string, Promise<Wire>>();

async function wireOf(user: string): Promise<Wire> {
  const ws = new WebSocket(`${orderLimited.local.baseUrl.replace('http', 'ws')}/v1/ws`, 'hft.binary.v1', {
    headers: { authorization: `Bearer ${await tokenOf(orderLimited, user)}` },
  });
  ends.push(() => ws.terminate());
  const waiting = new Map<number, (frame: AnyFrame) => void>();
  ws.on('message', (data) => {
    for (const frame of decodeMessage(data as Buffer)) waiting.get(frame.number)?.(frame);
  });
  await once(ws, 'open');
  let last = 0;
  return {
    ask: async () => {
      last += 1;
      const { promise, resolve } = Promise.withResolvers<AnyFrame>();
      waiting.set(last, resolve);
      ws.send(encodeMessage([{ ...ORDER, number: last }]));
      return await promise;
    },
  };
}

const streams = new Map<string, Promise<(request: number) => Promise<number>>>();

/** Sends orders over one stream; gives what is to be waited. */
async function streamOf(user: string): Promise<(request: number) => Promise<number>> {
  const client = new GrpcOrderClient({ address: orderLimited.address, token: await tokenOf(orderLimited, user) });
  const waiting = new Map<number, (waitMs: number) => void>();
  const entry = await client.orderEntry({
    answers: (answers) => {
      for (const { request, reject, retryAfterMs } of answers)
        waiting.get(request)?.(reject === REJECT.rate || reject === 0 ? retryAfterMs : -reject);
    },
    ended: () => undefined,
  });
  ends.push(() => client.close());
  return async (request) => {
    const { promise, resolve } = Promise.withResolvers<number>();
    waiting.set(request, resolve);
    entry.send([{ request, place: order({ account: user }) }]);
    return await promise;
  };
}

async function unary(engine: GrpcEngine, user: string, code: string): Promise<number> {
  const metadata = bearer(await tokenOf(engine, user));
  const { status: ended } =
    engine === orderLimited
      ? await call(engine.client, METHODS.placeOrder, order({ account: user }), { metadata })
      : await call(engine.client, METHODS.instruments, {}, { metadata });
  if (ended.code === status.OK) return 0;
  expect([ended.code, ended.metadata.get('hft-code')]).toEqual([status.RESOURCE_EXHAUSTED, [code]]);
  return Number(ended.metadata.get('retry-after-ms')[0]);
}

const remember = async <T>(known: Map<string, Promise<T>>, user: string, open: (user: string) => Promise<T>): Promise<T> => {
  const found = known.get(user) ?? open(user);
  known.set(user, found);
  return await found;
};

let requests = 0;
const ORDER_WAYS: Readonly<Record<string, Way>> = {
  HTTP: async (user) =>
    await http(
      orderLimited,
      user,
      { symbol: 'BTC-USD', account: user, side: 'buy', type: 'limit', price: '1', quantity: '1' },
      'HFT_RATE_LIMIT',
    ),
  WebSocket: async (user) => {
    const answer = await (await remember(wires, user, wireOf)).ask();
    if (answer.frame === 'placed') return 0;
    expect(answer).toMatchObject({ frame: 'rejected', reject: REJECT.rate });
    return answer.frame === 'rejected' ? answer.retryAfterMs : -1;
  },
  'a gRPC call': async (user) => await unary(orderLimited, user, 'HFT_RATE_LIMIT'),
  'a gRPC stream': async (user) => await (await remember(streams, user, streamOf))((requests += 1)),
};
const REQUEST_WAYS: Readonly<Record<string, Way>> = {
  HTTP: async (user) => await http(requestLimited, user, undefined, 'HFT_USER_RATE_LIMIT'),
  'a WebSocket upgrade': async (user) => {
    const ws = new WebSocket(`${requestLimited.local.baseUrl.replace('http', 'ws')}/v1/ws`, 'hft.binary.v1', {
      headers: { authorization: `Bearer ${await tokenOf(requestLimited, user)}` },
    });
    ws.on('error', () => undefined);
    const refused = once(ws, 'unexpected-response') as Promise<
      [unknown, NodeJS.ReadableStream & { statusCode: number; headers: Record<string, string> }]
    >;
    const answer = await Promise.race([once(ws, 'open').then(() => undefined), refused.then(([, response]) => response)]);
    ends.push(() => ws.terminate());
    if (answer === undefined) return 0;
    let text = '';
    for await (const chunk of answer) text += String(chunk);
    return await waitOf(
      { status: answer.statusCode, headers: new Headers(answer.headers), json: async () => JSON.parse(text) as unknown },
      'HFT_USER_RATE_LIMIT',
    );
  },
  'a gRPC call': async (user) => await unary(requestLimited, user, 'HFT_USER_RATE_LIMIT'),
  'a gRPC stream': async (user) => {
    const client = bareClient(requestLimited.address);
    const { path, requestSerialize, responseDeserialize } = METHODS.orderEntry;
    const opened = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, bearer(await tokenOf(requestLimited, user)));
    opened.resume();
    let failure: ServiceError | undefined;
    opened.on('error', (error: ServiceError) => (failure = error));
    opened.end();
    await new Promise((resolve) => opened.once('status', resolve));
    client.close();
    if (failure === undefined) return 0;
    expect([failure.code, failure.metadata.get('hft-code')]).toEqual([status.RESOURCE_EXHAUSTED, ['HFT_USER_RATE_LIMIT']]);
    return Number(failure.metadata.get('retry-after-ms')[0]);
  },
};

async function until(atMs: number): Promise<void> {
  while (performance.now() < atMs) await delay(Math.max(1, atMs - performance.now()));
}

describe.each([
  ['orders of an account', ORDER_WAYS],
  ['requests of a user', REQUEST_WAYS],
])('the rate of %s', (_what, ways) => {
  const names = Object.keys(ways);
  const cases = names.map((name, index) => ({ name, before: names[(index + 1) % names.length] ?? name }));

  it.each(cases)('over $name, after all that may be at once came by $before', async ({ name, before }) => {
    const send = ways[name] as Way;
    const [user, other] = [`u-${requests}-${names.indexOf(name)}`, `o-${requests}-${names.indexOf(name)}`];
    // What is kept open is opened before, so that the answers' times are those of orders.
    if (ways === ORDER_WAYS)
      await Promise.all([user, other].flatMap((one) => [remember(wires, one, wireOf), remember(streams, one, streamOf)]));
    for (let sent = 0; sent < BURST; sent += 1) expect(await (ways[before] as Way)(user)).toBe(0);
    const askedMs = performance.now();
    const waitMs = await send(user);
    const toldMs = performance.now();
    expect(waitMs).toBeGreaterThan(REFILL_MS / 2);
    expect(waitMs).toBeLessThanOrEqual(REFILL_MS);

    // Whoever goes on all the same takes nothing from others, and makes it no longer for himself.
    const flood = Promise.all(Array.from({ length: FLOOD }, async () => await send(user)));
    for (let sent = 0; sent < BURST; sent += 1) expect(await send(other)).toBe(0);
    expect(await send(other)).toBeGreaterThan(0);
    expect((await flood).every((more) => more > 0 && more <= waitMs)).toBe(true);

    await until(askedMs + waitMs * 0.8);
    const left = await send(user);
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(waitMs * 0.2 + toldMs - askedMs + MOST_ROUNDED_MS);
    await until(toldMs + waitMs);
    expect(await send(user)).toBe(0);
    expect(await send(user)).toBeGreaterThan(0);
  });
});
