import { afterAll, beforeAll, expect, it } from 'vitest';
import type { WebSocket } from 'ws';
import { REJECT } from '../core/types.ts';
import { startGateway, type LocalGateway } from '../gateway/websocket/gateway.test-support.ts';
import { cuttable } from './cuttable.test-support.ts';
import { placed, scripted } from './scripted.test-support.ts';
import { encodeMessage } from './websocket-codec.ts';
import { ConnectionLost, WebSocketOrders, type WireOrder } from './websocket.ts';

let gateway: LocalGateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(async () => await gateway.close());

const TOKEN = 'trader:all';
const order: WireOrder = { account: 'alice', symbol: 'BTC-USD', side: 'buy', priceTicks: 100, quantityLots: 5 };

it('places, changes and cancels; refusals are errors with their number', async () => {
  const client = await WebSocketOrders.connect({ url: gateway.url, token: TOKEN });
  expect(client.instruments.get('BTC-USD')).toMatchObject({ tickSize: '0.01' });
  const placed = await client.place(order);
  expect(placed).toMatchObject({ status: 'open', remainingLots: 5, duplicate: false });
  expect(await client.replace('alice', placed.orderId, { quantityLots: 3 })).toMatchObject({ remainingLots: 3 });
  await expect(client.cancel('bob', placed.orderId)).rejects.toMatchObject({ name: 'WireRejected', reject: REJECT.unknownOrder });
  expect(await client.cancel('alice', placed.orderId)).toMatchObject({ status: 'cancelled' });
  await client.place(order);
  expect(await client.massCancel('alice', 'BTC-USD')).toBe(1);
  await expect(client.place({ ...order, symbol: 'X' })).rejects.toThrow('X is not traded there');
  await client.close();
  await expect(client.place(order)).rejects.toThrow(ConnectionLost);
});

it('holds back what is more than may be under way', async () => {
  const client = await WebSocketOrders.connect({ url: gateway.url, token: TOKEN, mostInFlight: 4 });
  const placed = await Promise.all(Array.from({ length: 200 }, async () => await client.place(order)));
  expect(new Set(placed.map(({ orderId }) => orderId)).size).toBe(200);
  expect(await client.massCancel('alice')).toBe(200);
  await client.close();
});

it('is refused without a token that is known', async () => {
  await expect(WebSocketOrders.connect({ url: gateway.url, token: 'nobody' })).rejects.toThrow('401');
});

it('comes back after its connection was cut, and places each order once', async () => {
  using way = await cuttable(Number(new URL(gateway.url).port));
  const client = await WebSocketOrders.connect({ url: `ws://127.0.0.1:${way.port}/v1/ws`, token: TOKEN });
  await client.place(order);
  way.deaf = true;
  const unanswered = Array.from({ length: 20 }, async () => await client.place(order));
  const cancel = client.cancel('alice', 999_999);
  const lost = cancel.catch((cause: unknown) => cause);
  // They are placed; nobody has heard of it.
  await expect.poll(() => gateway.engine.running.engine.openOrders).toBe(21);
  way.cut();
  expect(await lost).toBeInstanceOf(ConnectionLost);
  const answers = await Promise.all(unanswered);
  expect(answers.every(({ duplicate }) => duplicate === true)).toBe(true);
  expect(new Set(answers.map(({ orderId }) => orderId)).size).toBe(20);
  expect(await client.massCancel('alice')).toBe(21);
  await client.close();
});

it.each([REJECT.busy, REJECT.stopping, REJECT.starting, REJECT.journal, REJECT.forbidden])(
  'does not say that nothing was done when an order that was sent again is refused unlooked-at: %i',
  async (reject) => {
    const server = await scripted({
      take: ({ frame, number }, ws, connection) => {
        if (frame !== 'newOrderFull') return;
        if (connection === 1 && number === 1) ws.send(encodeMessage([{ frame: 'rejected', number, reject, retryAfterMs: 0 }]));
        else if (connection === 1) ws.terminate();
        else ws.send(encodeMessage([{ frame: 'rejected', number, reject, retryAfterMs: 0 }]));
      },
    });
    const client = await WebSocketOrders.connect({ url: server.url, token: TOKEN });
    await expect(client.place(order)).rejects.toMatchObject({ name: 'WireRejected', reject });
    await expect(client.place(order)).rejects.toMatchObject({ name: 'ConnectionLost' });
    await client.close();
    server.close();
  },
);

it('is not in the way of others with what cannot be sent', async () => {
  const client = await WebSocketOrders.connect({ url: gateway.url, token: TOKEN, mostInFlight: 1 });
  const bad: Partial<WireOrder>[] = [
    { quantityLots: 0.5 },
    { priceTicks: -1 },
    { clientOrderId: 'not hex' },
    // Taken modulo 2^64 it would be 0: none.
    { clientOrderId: '10000000000000000' },
  ];
  const waiting = Promise.allSettled([...bad, {}].map(async (change) => await client.place({ ...order, ...change })));
  expect((await waiting).map(({ status }) => status)).toEqual([...bad.map(() => 'rejected'), 'fulfilled']);
  await expect(client.cancel('x'.repeat(33), 1)).rejects.toThrow('longer');
  expect(await client.massCancel('alice')).toBe(1);
  await client.close();
});

it.each([401, 403])('ends its connection when it is not let in again, until it is asked for more: %i', async (status) => {
  const server = await scripted({
    take: ({ frame, number }, ws, connection) => frame === 'newOrderFull' && (connection === 1 ? ws.terminate() : placed(ws, number)),
    refuse: (connection) => (connection === 2 || connection === 3 ? status : undefined),
  });
  let asked = 0;
  const client = await WebSocketOrders.connect({ url: server.url, token: () => `t${++asked}`, mostInFlight: 1 });
  const calls = [client.place(order), client.place(order), client.cancel('bob', 1)];
  const [sent, ...unsent] = (await Promise.allSettled(calls)).map((call) => call.status === 'rejected' && (call.reason as Error));
  expect(sent).toMatchObject({ name: 'ConnectionLost', cause: { name: 'ConnectionRefused', status } });
  for (const error of unsent) expect(error).toMatchObject({ name: 'ConnectionRefused', status });
  expect(server.tokens).toEqual(['Bearer t1', 'Bearer t2']);
  // One try for all that ask meanwhile, with the token of now.
  const later = await Promise.allSettled([client.place(order), client.place(order)]);
  for (const call of later) expect(call).toMatchObject({ reason: { name: 'ConnectionRefused', status } });
  expect(await client.place(order)).toMatchObject({ status: 'open' });
  expect(server.tokens.slice(2)).toEqual(['Bearer t3', 'Bearer t4']);
  await client.close();
  server.close();
});

it('settles whatever waits when it is closed', async () => {
  const server = await scripted({});
  const client = await WebSocketOrders.connect({ url: server.url, token: TOKEN, mostInFlight: 1 });
  const calls = Promise.allSettled(Array.from({ length: 5 }, async () => await client.place(order)));
  await client.close();
  for (const call of await calls) expect(call).toMatchObject({ status: 'rejected', reason: { name: 'ConnectionLost' } });
  server.close();
});

it('settles what is asked while one connection after the other is lost', async () => {
  const server = await scripted({
    take: (frame, ws, connection) => {
      const { number } = frame;
      if (frame.frame === 'useAccount' && connection === 2) ws.terminate();
      else if (frame.frame === 'useAccount') ws.send(encodeMessage([{ frame: 'account', number, account: 1, name: frame.name }]));
      else if (frame.frame === 'newOrderFull' && connection === 1) ws.terminate();
      else if (frame.frame === 'newOrderFull') placed(ws, number);
      else if (frame.frame === 'massCancel' && connection > 1)
        ws.send(encodeMessage([{ frame: 'massCancelled', number, sequence: 1, count: 3 }]));
    },
  });
  const client = await WebSocketOrders.connect({ url: server.url, token: TOKEN });
  const bobs = client.place({ ...order, account: 'bob' });
  await expect(client.massCancel('alice')).rejects.toThrow(ConnectionLost);
  const later = Array.from({ length: 3 }, async () => await client.massCancel('alice'));
  expect(await Promise.all(later)).toEqual([3, 3, 3]);
  expect(await bobs).toMatchObject({ status: 'open' });
  expect(server.tokens).toHaveLength(3);
  await client.close();
  server.close();
});

it('ends a connection that is silent for three heartbeats', async () => {
  const server = await scripted({
    heartbeatMs: 30,
    take: ({ frame, number }, ws, connection) => frame === 'newOrderFull' && connection === 2 && placed(ws, number),
  });
  const client = await WebSocketOrders.connect({ url: server.url, token: TOKEN });
  expect(await client.place(order)).toMatchObject({ status: 'open' });
  await client.close();
  server.close();
});

it('passes over frames that it does not know, and ends a connection that sends what is no frame', async () => {
  const unknown = new Uint8Array(16);
  unknown.set([16, 0, 200]);
  const answers = [
    (ws: WebSocket) => ws.send(new Uint8Array([8, 0, 200, 0, 0, 0, 0])),
    (ws: WebSocket) => ws.send(new Uint8Array([0, 0, 200, 0, 0, 0, 0, 0])),
    (ws: WebSocket) => ws.send('[]'),
    (ws: WebSocket, number: number) => {
      ws.send(unknown);
      placed(ws, number);
    },
  ];
  const server = await scripted({
    take: ({ frame, number }, ws, connection) => {
      if (frame === 'newOrderFull') answers[connection - 1]?.(ws, number);
    },
  });
  const client = await WebSocketOrders.connect({ url: server.url, token: TOKEN });
  expect(await client.place(order)).toMatchObject({ status: 'open' });
  expect(server.tokens).toHaveLength(answers.length);
  await client.close();
  server.close();
});

it.each([{ cancelOnDisconnect: true }, { clientOrderId: '0000000000000000' }])(
  'does not send again what would not be the same: %o',
  async (change) => {
    let sent = 0;
    const server = await scripted({
      take: ({ frame, number }, ws, connection) => {
        if (frame !== 'newOrderFull') return;
        sent += 1;
        if (connection === 1) ws.terminate();
        else placed(ws, number);
      },
    });
    const client = await WebSocketOrders.connect({ url: server.url, token: TOKEN });
    await expect(client.place({ ...order, ...change })).rejects.toThrow(ConnectionLost);
    expect(await client.place({ ...order, ...change })).toMatchObject({ status: 'open' });
    expect(sent).toBe(2);
    await client.close();
    server.close();
  },
);
