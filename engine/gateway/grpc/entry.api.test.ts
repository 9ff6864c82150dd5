/** OrderEntry, health and reflection against a running engine, by the client and by hand. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { credentials, status, type ServiceError } from '@grpc/grpc-js';
import { service as HEALTH } from 'grpc-health-check';
import { expect, it } from 'vitest';
import { METHODS, type OrderAnswer, type OrderCommand } from '../../client/grpc-contract.ts';
import { GrpcOrderClient } from '../../client/grpc.ts';
import type { EngineError } from '../../client/engine-error.ts';
import { bareClient, bearer, call, order, startGrpcEngine, tokenOf } from './grpc.test-support.ts';

const PLACED = 1;
const REPLACED = 2;
const CANCELLED = 3;
const MASS_CANCELLED = 4;
const REJECTED = 5;
const FILL = 6;

/** A stream, what it was answered, and how it ended. */
async function stream(address: string, token = 'all') {
  const client = new GrpcOrderClient({ address, token: tokenOf(token) });
  const answers: OrderAnswer[] = [];
  let told = (): void => undefined;
  const end: { error?: EngineError | undefined; is: boolean } = { is: false };
  const entry = await client.orderEntry({
    answers: (more) => {
      answers.push(...more);
      told();
    },
    ended: (error) => {
      end.error = error;
      end.is = true;
      client.close();
      told();
    },
  });
  const until = async (done: () => boolean): Promise<void> => {
    const limitMs = Date.now() + 20_000;
    while (!done()) {
      if (Date.now() > limitMs) throw new Error(`not within 20 s: ${JSON.stringify(answers.slice(-3))}`);
      await new Promise<void>((resolve) => {
        told = resolve;
        setTimeout(resolve, 100);
      });
    }
  };
  const ask = async (...commands: OrderCommand[]): Promise<OrderAnswer[]> => {
    const before = answers.length;
    entry.send(commands);
    const wanted = new Set(commands.map(({ request }) => request));
    await until(() => answers.slice(before).filter(({ request, kind }) => wanted.has(request) && kind !== FILL).length >= wanted.size);
    return answers.slice(before);
  };
  return { entry, answers, end, until, ask };
}

it('answers every kind of command, with fills behind', async () => {
  await using engine = await startGrpcEngine();
  const { ask, entry, end, until } = await stream(engine.address);
  const [maker] = await ask({ request: 1, place: order({ side: 2, account: 'maker', priceTicks: 300 }) });
  expect(maker).toMatchObject({ request: 1, kind: PLACED, status: 1, remainingLots: 10, filledLots: 0, repeated: false });
  const id = maker?.orderId ?? 0;
  const traded = await ask({ request: 2, place: order({ priceTicks: 300, quantityLots: 4, clientOrderId: '00000000000000ff' }) });
  expect(traded).toMatchObject([
    { request: 2, kind: PLACED, status: 2, filledLots: 4, fillCount: 1 },
    { request: 2, kind: FILL, filledLots: 4, priceTicks: 300, taker: true, fillIndex: 0 },
  ]);
  const [again] = await ask({ request: 3, place: order({ priceTicks: 300, quantityLots: 4, clientOrderId: '00000000000000ff' }) });
  expect(again).toMatchObject({ kind: PLACED, repeated: true, orderId: traded[0]?.orderId });
  const several = await ask(
    { request: 4, replace: { account: 'maker', orderId: id, remainingLots: 3 } },
    { request: 5, cancel: { account: 'other', orderId: id } },
    { request: 6, cancel: { account: 'maker', orderId: id } },
    { request: 7, place: order({ symbol: 'NONE' }) },
    { request: 8, place: order({ side: 0 }) },
    { request: 9, place: order({ account: 'a b' }) },
    { request: 10, place: order({ clientOrderId: 'text' }) },
    { request: 11, place: order({ priceTicks: 250 }) },
    { request: 12, massCancel: { account: 'alice' } },
    { request: 13 },
  );
  const byRequest = Object.fromEntries(several.map((answer) => [answer.request, answer]));
  expect(byRequest).toMatchObject({
    4: { kind: REPLACED, remainingLots: 3 },
    5: { kind: REJECTED, reject: 9 },
    6: { kind: CANCELLED, remainingLots: 3, status: 3 },
    7: { kind: REJECTED, reject: 1 },
    8: { kind: REJECTED, reject: 13 },
    9: { kind: REJECTED, reject: 20 },
    10: { kind: REJECTED, reject: 13 },
    11: { kind: PLACED },
    12: { kind: MASS_CANCELLED, filledLots: 1 },
    13: { kind: REJECTED },
  });
  entry.end();
  await until(() => end.is);
  expect(end.error).toBeUndefined();
});

it('lets a token do what it may, and nothing after its end', async () => {
  await using engine = await startGrpcEngine();
  const alice = await stream(engine.address, 'alice');
  expect(await alice.ask({ request: 1, place: order({ account: 'bob' }) }, { request: 2, place: order() })).toMatchObject([
    { request: 1, kind: REJECTED, reject: 26 },
    { request: 2, kind: PLACED },
  ]);
  alice.entry.end();
  const risk = await stream(engine.address, 'risk');
  const answers = await risk.ask({ request: 1, place: order() }, { request: 2, massCancel: { account: 'alice' } });
  expect(answers).toMatchObject([
    { kind: REJECTED, reject: 26 },
    { kind: MASS_CANCELLED, filledLots: 1 },
  ]);
  risk.entry.end();
  const nobody = await stream(engine.address, 'nobody');
  await nobody.until(() => nobody.end.is);
  expect(nobody.end.error?.code).toBe('HFT_UNAUTHORIZED');
  const short = await stream(engine.address, 'short');
  await short.until(() => short.end.is);
  expect(short.end.error?.code).toBe('HFT_UNAUTHORIZED');
});

it('ends a stream whose key has gone', async () => {
  await using engine = await startGrpcEngine();
  const { ask, until, end } = await stream(engine.address);
  await ask({ request: 1, place: order() });
  const keysFile = join(engine.local.dataDirectory, 'keys.json');
  writeFileSync(keysFile, readFileSync(keysFile, 'utf8').replace(/"kid": ?"/, '$&other-'));
  await until(() => end.is);
  expect(end.error?.code).toBe('HFT_UNAUTHORIZED');
});

it('cancels on disconnect what was sent so', async () => {
  await using engine = await startGrpcEngine();
  const { ask, entry } = await stream(engine.address);
  const [stays, goes] = await ask(
    { request: 1, place: order() },
    { request: 2, place: order({ priceTicks: 90, cancelOnDisconnect: true }) },
  );
  entry.end();
  const reader = new GrpcOrderClient({ address: engine.address, token: tokenOf('all') });
  await expect.poll(async () => (await reader.get(goes?.orderId ?? 0)).reason).toBe(9);
  expect((await reader.get(stays?.orderId ?? 0)).status).toBe(1);
  reader.close();
});

it('ends a stream that sends no message, and no other', async () => {
  await using engine = await startGrpcEngine();
  const good = await stream(engine.address);
  for (let round = 0; round < 50; round += 1) {
    const raw = (value: Buffer): Buffer => value;
    const bad = engine.client.makeBidiStreamRequest(METHODS.orderEntry.path, raw, raw, bearer('all'));
    const ended = new Promise<number>((resolve) => bad.on('status', ({ code }) => resolve(code)));
    bad.on('error', () => undefined);
    bad.resume();
    bad.write(Buffer.from([0x0a, 0x05, round, 0xff, 0xff]));
    bad.end();
    expect(await ended).toBe(status.INVALID_ARGUMENT);
  }
  expect(await good.ask({ request: 7, place: order() })).toMatchObject([{ request: 7, kind: PLACED }]);
  good.entry.end();
});

it('answers every order that it has taken before it stops', async () => {
  const engine = await startGrpcEngine({ journal: { durability: 'disk' } });
  const { entry, answers, end, until } = await stream(engine.address);
  let sent = 0;
  const pump = setInterval(() => {
    if (end.is) return;
    entry.send(Array.from({ length: 100 }, () => ({ request: (sent += 1), place: order({ priceTicks: 1 + (sent % 1000) }) })));
  }, 1);
  await until(() => answers.length > 2000);
  await engine.local.running.stop();
  clearInterval(pump);
  await until(() => end.is);
  expect(end.error?.code).toBe('HFT_DRAINING');
  const accepted = answers.filter(({ kind }) => kind === PLACED).length;
  // Orders have ids one after the other: as many were accepted as were answered.
  expect(engine.local.running.engine.stats.ordersAccepted).toBe(accepted);
  expect(answers.every(({ kind, reject }) => kind === PLACED || reject === 23)).toBe(true);
  await engine[Symbol.asyncDispose]();
});

it('does not read from who does not read', async () => {
  await using engine = await startGrpcEngine();
  const { path, requestSerialize } = METHODS.orderEntry;
  const deaf = bareClient(engine.address);
  const bidi = deaf.makeBidiStreamRequest(path, requestSerialize, (bytes: Buffer) => bytes, bearer('all'));
  bidi.on('error', () => undefined);
  const commands = Array.from({ length: 1000 }, (_, request) => ({ request, place: order({ symbol: 'NONE' }) }));
  let messages = 0;
  while (messages < 2000 && bidi.write({ commands })) messages += 1;
  for (let waits = 0; waits < 20; waits += 1) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    while (messages < 2000 && !bidi.writableNeedDrain) {
      bidi.write({ commands });
      messages += 1;
    }
  }
  expect(messages).toBeLessThan(2000);
  const other = await stream(engine.address);
  expect(await other.ask({ request: 1, place: order() })).toMatchObject([{ kind: PLACED }]);
  other.entry.end();
  bidi.cancel();
  deaf.close();
});

it('health follows the engine, for those who ask and those who watch', async () => {
  const engine = await startGrpcEngine();
  const check = HEALTH['Check'];
  const watch = HEALTH['Watch'];
  if (check === undefined || watch === undefined) throw new Error('no health service');
  expect((await call(engine.client, check, { service: '' })).answer).toMatchObject({ status: 'SERVING' });
  expect((await call(engine.client, check, { service: 'hftengine.v1.OrderService' })).answer).toMatchObject({ status: 'SERVING' });
  expect((await call(engine.client, check, { service: 'none' })).status.code).toBe(status.NOT_FOUND);
  const seen: string[] = [];
  const watching = engine.client.makeServerStreamRequest(watch.path, watch.requestSerialize, watch.responseDeserialize, { service: '' });
  const over = new Promise((resolve) => watching.on('status', resolve));
  watching.on('error', () => undefined);
  watching.on('data', (answer: { status: string }) => seen.push(answer.status));
  await expect.poll(() => seen).toEqual(['SERVING']);
  await engine[Symbol.asyncDispose]();
  await over;
  expect(seen).toEqual(['SERVING', 'NOT_SERVING']);
});

it('reflection lists the services', async () => {
  await using engine = await startGrpcEngine();
  const raw = (value: Buffer): Buffer => value;
  const path = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';
  const listing = bareClient(engine.address).makeBidiStreamRequest(path, raw, raw);
  listing.on('error', (error: ServiceError) => expect(error).toBeUndefined());
  const answer = new Promise<Buffer>((resolve) => listing.on('data', resolve));
  listing.write(Buffer.from([0x3a, 0x01, 0x2a]));
  const text = (await answer).toString('latin1');
  listing.end();
  expect(text).toContain('hftengine.v1.OrderService');
  expect(text).toContain('hftengine.v1.MarketService');
});

it('the pool spreads calls, tries again what may be, waits for an engine and gives up in time', async () => {
  const engine = await startGrpcEngine();
  const client = new GrpcOrderClient({
    address: engine.address,
    token: tokenOf('all'),
    channels: 3,
    healthIntervalMs: 50,
    timeoutMs: 1500,
    maxWaiting: 2,
  });
  await client.ready();
  expect(client.stats).toMatchObject({ channels: 3, healthy: 3, inFlight: 0, opened: 3 });
  const placed = await Promise.all(Array.from({ length: 30 }, async () => await client.place({ ...order(), clientOrderId: '' })));
  expect(new Set(placed.map(({ order: { id } }) => id)).size).toBe(30);
  await expect(client.cancel(10 ** 9)).rejects.toMatchObject({ code: 'HFT_ORDER_NOT_FOUND', number: 9 });
  expect(client.stats).toMatchObject({ calls: 31, failures: 1, retries: 0 });
  await engine[Symbol.asyncDispose]();
  await expect.poll(() => client.stats.healthy).toBe(0);
  const waiting = [client.book('BTC-USD'), client.book('BTC-USD')];
  await expect(client.book('BTC-USD')).rejects.toMatchObject({ code: 'HFT_CLIENT_BUSY' });
  const outcomes = await Promise.allSettled(waiting);
  expect(outcomes).toMatchObject(outcomes.map(() => ({ status: 'rejected', reason: { code: 'HFT_CLIENT_UNREACHABLE' } })));
  client.close();
});

it('the pool closes what is idle, replaces what is old, and opens again', async () => {
  await using engine = await startGrpcEngine();
  const settings = {
    address: engine.address,
    token: tokenOf('all'),
    channels: 1,
    healthIntervalMs: 20,
    credentials: credentials.createInsecure(),
  };
  const idle = new GrpcOrderClient({ ...settings, idleMs: 60 });
  await idle.instruments();
  await expect.poll(() => idle.stats.closedIdle).toBe(1);
  expect(await idle.instruments()).toHaveLength(2);
  expect(idle.stats.opened).toBe(2);
  idle.close();
  const old = new GrpcOrderClient({ ...settings, maxAgeMs: 100 });
  await old.instruments();
  await expect.poll(() => old.stats.replaced).toBeGreaterThan(1);
  expect(await old.instruments()).toHaveLength(2);
  old.close();
  await expect(old.instruments()).rejects.toMatchObject({ code: 'HFT_CLIENT_CLOSED' });
});
