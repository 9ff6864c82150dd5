import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { encodeMessage } from '../../client/websocket-codec.ts';
import { REJECT } from '../../core/types.ts';
import { RateLimiter } from '../rate-limit.ts';
import { ORDER, startGateway, type LocalGateway } from './gateway.test-support.ts';
import { readByPython } from './python-decoder.test-support.ts';

let gateway: LocalGateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(async () => await gateway.close());
const openOrders = (): number => gateway.engine.running.engine.openOrders;

async function refusedWith(url: string, protocols: string | string[], headers = {}): Promise<number> {
  const ws = new WebSocket(url, protocols, { headers });
  const [, response] = (await once(ws, 'unexpected-response')) as [unknown, { statusCode: number; destroy(): void }];
  response.destroy();
  return response.statusCode;
}

describe('a connection', () => {
  it('is welcomed with its accounts and all instruments', async () => {
    const client = await gateway.connect();
    expect(client.frames.map(({ frame }) => frame)).toEqual(['welcome', 'account', 'account', 'instrument', 'instrument']);
    expect(client.frames[0]).toMatchObject({ subject: 'trader', accounts: 2, instruments: 2, allAccounts: false });
    expect(client.frames[3]).toMatchObject({ symbol: 'BTC-USD', tickSize: '0.01', lotSize: '0.0001', state: 'trading' });
    client.ws.close();
  });

  it('is refused without a token, elsewhere, and without a sub-protocol; a browser sends its token as one', async () => {
    const { url } = gateway;
    expect(await refusedWith(url, 'hft.binary.v1')).toBe(401);
    expect(await refusedWith(`${url}/x`, 'hft.binary.v1')).toBe(404);
    expect(await refusedWith(url, 'chat', { authorization: 'Bearer trader:alice' })).toBe(400);
    expect(await refusedWith(url, 'hft.binary.v1', { authorization: 'Bearer broken' })).toBe(500);
    const ws = new WebSocket(url, ['hft.json.v1', 'bearer.trader']);
    await once(ws, 'open');
    expect(ws.protocol).toBe('hft.json.v1');
    ws.close();
  });

  it('acts only for accounts of its principal', async () => {
    const client = await gateway.connect({ token: 'viewer:alice' });
    client.send({ ...ORDER, number: 3 }, { ...ORDER, number: 4, account: 9 });
    client.send({ frame: 'useAccount', number: 5, name: 'carol' }, { frame: 'useAccount', number: 6, name: 'no spaces' });
    for (const number of [3, 4, 5, 6])
      expect(await client.next('rejected')).toEqual({ frame: 'rejected', number, reject: REJECT.forbidden, retryAfterMs: 0 });
    client.ws.close();
    const all = await gateway.connect({ token: 'trader:all' });
    all.send({ frame: 'useAccount', number: 7, name: 'carol' });
    expect(await all.next('account')).toEqual({ frame: 'account', number: 7, account: 0, name: 'carol' });
    all.ws.close();
  });
});

describe.each(['hft.binary.v1', 'hft.json.v1'])('orders over %s', (protocol) => {
  it('are placed, filled, changed and cancelled, several in a message', async () => {
    const client = await gateway.connect({ protocol, deflate: protocol === 'hft.json.v1' });
    client.send({ ...ORDER, number: 1, side: 'sell' }, { ...ORDER, number: 2, account: 1, quantityLots: 2 });
    const maker = await client.next('placed');
    expect(maker).toMatchObject({ number: 1, remainingLots: 5, status: 'open', fills: 0, duplicate: false });
    expect(await client.next('placed')).toMatchObject({ number: 2, filledLots: 2, remainingLots: 0, status: 'filled', fills: 1 });
    expect(await client.next('fill')).toMatchObject({ number: 2, priceTicks: 100, quantityLots: 2, taker: true, instrument: 0 });
    const { orderId } = maker;
    client.send({ frame: 'replace', number: 3, account: 0, orderId, priceTicks: 105, quantityLots: 9, stopTicks: 0, expectedLots: 3 });
    expect(await client.next('replaced')).toMatchObject({ number: 3, orderId, remainingLots: 9, status: 'open' });
    client.send({ frame: 'cancel', number: 4, account: 0, orderId }, { frame: 'cancel', number: 5, account: 0, orderId });
    expect(await client.next('cancelled')).toMatchObject({
      number: 4,
      orderId,
      remainingLots: 9,
      status: 'cancelled',
      reason: 'requested',
    });
    expect(await client.next('rejected')).toMatchObject({ number: 5, reject: REJECT.unknownOrder });
    client.send({
      ...ORDER,
      frame: 'newOrderFull',
      number: 6,
      orderType: 'stop-limit',
      stopTicks: 200,
      priceTicks: 201,
      displayLots: 1,
      expiryMicros: 0,
    });
    expect(await client.next('placed')).toMatchObject({ number: 6, status: 'pending' });
    client.send({ frame: 'massCancel', number: 7, account: 0, instrument: 65_535 });
    expect(await client.next('massCancelled')).toMatchObject({ number: 7, count: 1 });
    client.ws.close();
  });

  it('are idempotent, over HTTP as well', async () => {
    const client = await gateway.connect({ protocol });
    const clientOrderId = protocol === 'hft.json.v1' ? '00000000000000aa' : '00000000000000bb';
    client.send({ ...ORDER, number: 1, clientOrderId }, { ...ORDER, number: 2, clientOrderId });
    const { orderId } = await client.next('placed');
    expect(await client.next('placed')).toMatchObject({ number: 2, orderId, duplicate: true });
    const body = { symbol: 'BTC-USD', account: 'alice', side: 'buy', type: 'limit', price: '1', quantity: '0.0005', clientOrderId };
    const response = await fetch(`${gateway.engine.baseUrl}/v1/orders`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...gateway.engine.authorization },
      body: JSON.stringify(body),
    });
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ order: { id: String(orderId), clientOrderId } });
    client.send({ frame: 'massCancel', number: 3, account: 0, instrument: 65_535 });
    await client.next('massCancelled');
    client.ws.close();
  });
});

describe('what is wrong', () => {
  it('closes the connection with a code, after an error that says what', async () => {
    const cases = [
      ['hft.binary.v1', new Uint8Array([8, 0, 200, 0, 0, 0, 0, 0]), 1002],
      ['hft.binary.v1', encodeMessage([ORDER]).subarray(0, 39), 1002],
      ['hft.binary.v1', new Uint8Array(65_537), 1009],
      ['hft.binary.v1', 'text', 1003],
      ['hft.json.v1', '{"frame": "cancel", "frame": "cancel"}', 1002],
      ['hft.json.v1', '{"frame": "welcome"}', 1002],
      // The fault repeats its key, whose characters are three bytes each.
      ['hft.json.v1', `{"frame": "cancel", "number": 1, "${'日'.repeat(100)}": 1}`, 1002],
    ] as const;
    for (const [protocol, message, code] of cases) {
      const client = await gateway.connect({ protocol });
      client.ws.send(message);
      expect(await client.closed).toBe(code);
      if (code !== 1009) expect(client.frames.at(-1)).toMatchObject({ frame: 'error', code });
    }
  });

  it('but 100,000 random and mutated frames break nothing, and leave the book as it was', async () => {
    const before = openOrders();
    const good = encodeMessage([
      { ...ORDER, timeInForce: 'IOC', orderType: 'market', priceTicks: 0 },
      { ...ORDER, number: 2, quantityLots: 0 },
    ]);
    let random = 12_345;
    const next = (below: number): number => {
      random = (Math.imul(random, 1_103_515_245) + 12_345) & 0x7fff_ffff;
      return (random >>> 8) % below;
    };
    let client = await gateway.connect({ token: 'viewer:alice' });
    for (let sent = 0; sent < 100_000; sent += 100) {
      const message = Buffer.concat(Array.from({ length: 50 }, () => good));
      const flips = next(4) === 0 ? 0 : next(20);
      for (let flip = 0; flip < flips; flip += 1) message[next(message.length)] = next(256);
      client.ws.send(next(3) === 0 ? message.subarray(0, next(message.length)) : message);
      if (sent % 2000 !== 0) continue;
      if (client.ws.readyState === WebSocket.OPEN) client.ws.close();
      await client.closed;
      client = await gateway.connect({ token: sent % 4000 === 0 ? 'viewer:alice' : 'trader:alice' });
    }
    client.ws.close();
    await client.closed;
    const cleaner = await gateway.connect();
    cleaner.send({ frame: 'massCancel', number: 1, account: 0, instrument: 65_535 });
    await cleaner.next('massCancelled');
    expect([openOrders(), gateway.engine.running.engine.serving]).toEqual([before, true]);
    cleaner.ws.close();
  });
});

describe('the end of a connection', () => {
  it('cancels the orders that are to end with it, and no others', async () => {
    const before = openOrders();
    const client = await gateway.connect();
    client.send({ ...ORDER, number: 1, cancelOnDisconnect: true }, { ...ORDER, number: 2, priceTicks: 90 });
    await client.next('placed');
    const kept = await client.next('placed');
    expect(openOrders()).toBe(before + 2);
    client.ws.terminate();
    await expect.poll(openOrders).toBe(before + 1);
    const other = await gateway.connect();
    other.send({ frame: 'cancel', number: 1, account: 0, orderId: kept.orderId });
    await other.next('cancelled');
    other.ws.close();
  });

  it.each([
    ['the engine', { ...ORDER, quantityLots: 0 }],
    ['the gateway', { frame: 'massCancel', number: 1, account: 65_535, instrument: 65_535 }],
  ] as const)('comes to a client that does not read what %s refuses', async (_by, frame) => {
    const client = await gateway.connect();
    client.ws.pause();
    const message = encodeMessage(Array.from({ length: 1600 }, () => frame));
    const ended = once(client.ws, 'close');
    // Until the engine reads no more of it: what is sent stays on this side.
    for (let sent = 0, gone: unknown = true; sent < 1500 && gone === true; sent += 1)
      gone = await Promise.race([new Promise((resolve) => client.ws.send(message, () => resolve(true))), delay(500)]);
    client.ws.resume();
    await ended;
    expect(gateway.engine.running.engine.serving).toBe(true);
  });
});

describe('pings', () => {
  it('are answered, 200 of them between two heartbeats', async () => {
    const client = await gateway.connect();
    client.ws.ping('here');
    expect(String((await once(client.ws, 'pong'))[0])).toBe('here');
    let pongs = 1;
    client.ws.on('pong', () => (pongs += 1));
    for (let sent = 0; sent < 1000; sent += 1) client.ws.ping();
    await expect.poll(() => client.frames.at(-1)).toMatchObject({ frame: 'error', code: 4003 });
    expect(pongs).toBe(200);
    client.ws.terminate();
  });

  it('of a client that floods the engine with them are not even read', async () => {
    const client = await gateway.connect();
    const { socket } = client;
    if (socket === undefined) throw new Error('it is not open');
    client.ws.pause();
    const pings = Buffer.concat(Array.from({ length: 1000 }, () => Buffer.from([0x89, 0x80, 0, 0, 0, 0])));
    // What the engine does not read stays on this side once the buffers of the kernel are full: nothing moves for a fifth of a second.
    for (let quiet = 0, before = -1; quiet < 10; quiet = before === socket.writableLength ? quiet + 1 : 0) {
      before = socket.writableLength;
      if (before < 1_000_000) socket.write(Buffer.concat(Array.from({ length: 200 }, () => pings)));
      await delay(20);
    }
    expect(socket.writableLength).toBeGreaterThan(0);
    client.ws.terminate();
    expect(gateway.engine.running.engine.serving).toBe(true);
  });
});

it('Python reads the live stream by the table', async () => {
  const client = await gateway.connect();
  client.send({ ...ORDER, number: 77, side: 'sell', timeInForce: 'IOC' });
  const placed = await client.next('placed');
  const read = readByPython(client.messages);
  expect(read.map(({ frame }) => frame)).toEqual(['welcome', 'account', 'account', 'instrument', 'instrument', 'placed']);
  expect(read[0]).toMatchObject({ subject: 'trader', accounts: 2 });
  const { orderId, sequence, remainingLots, timeMicros } = placed;
  expect(read.at(-1)).toMatchObject({ number: 77, orderId, sequence, remainingLots, timeMicros, status: 2, reason: 2 });
  client.ws.close();
});

describe('a gateway of its own', () => {
  it('takes so many connections, drops who is silent and whose token or key has ended, and sends heartbeats', async () => {
    await using small = await startGateway({ heartbeatMs: 40, mostConnections: 3 });
    const silent = await small.connect();
    const expired = await small.connect({ token: 'trader:alice:expired' });
    const keyless = await small.connect({ token: 'trader:alice:keyless' });
    await silent.next('heartbeat');
    expect(await Promise.all([silent.closed, expired.closed, keyless.closed])).toEqual([4001, 4002, 4002]);
    const open = await Promise.all([small.connect(), small.connect(), small.connect()]);
    expect(await refusedWith(small.url, 'hft.binary.v1', { authorization: 'Bearer trader:alice' })).toBe(429);
    for (const { ws } of open) ws.close();
  });

  it('takes so many connections and requests of a user', async () => {
    const requests = new RateLimiter({ ordersPerSecond: 1e-6, burst: 3 });
    await using small = await startGateway({
      mostOfUser: 2,
      requests: { takeRequest: ({ subject }, nowMs) => requests.take(subject, nowMs) },
    });
    const open = [await small.connect(), await small.connect()];
    const authorization = 'Bearer trader:alice';
    expect(await refusedWith(small.url, 'hft.binary.v1', { authorization })).toBe(429);
    const other = await small.connect({ token: 'risk:alice' });
    other.ws.close();
    open[0]?.ws.close();
    await open[0]?.closed;
    expect(await refusedWith(small.url, 'hft.binary.v1', { authorization })).toBe(429);
  });

  it('answers what it has taken before it ends, and says that it restarts', async () => {
    await using ending = await startGateway();
    const client = await ending.connect();
    client.send(...Array.from({ length: 500 }, (_, index) => ({ ...ORDER, number: index + 1 })));
    await client.next('placed');
    client.send({ ...ORDER, number: 501 });
    ending.engine.running.engine.drain();
    const closing = ending.close();
    expect(await client.closed).toBe(1012);
    await closing;
    const answered = client.frames.filter(({ frame }) => frame === 'placed' || frame === 'rejected');
    expect(answered.length).toBeGreaterThanOrEqual(500);
    expect(client.frames.at(-1)).toMatchObject({ frame: 'error', code: 1012 });
  });
});
