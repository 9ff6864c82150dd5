import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { localToken } from '../access/local-token.ts';
import type { Role } from '../access/roles.ts';
import { MarketDataClient, StreamRefused } from '../client/market-data.ts';
import type { NewOrder } from '../client/orders.ts';
import type { AnyFrame, FrameOf } from '../client/websocket-codec.ts';
import { REJECT } from '../core/types.ts';
import { Client } from '../gateway/websocket/gateway.test-support.ts';
import { pricesByPython, readByPython } from '../gateway/websocket/python-decoder.test-support.ts';
import { startLocalEngine, type LocalEngine } from '../testing/local-engine.ts';

let engine: LocalEngine;
let url: string;
const open: Client[] = [];

beforeAll(async () => {
  engine = await startLocalEngine({ config: { journal: { durability: 'commit' } }, marketData: true });
  url = `ws://127.0.0.1:${engine.running.marketDataPort}/v1/market-data`;
});
afterAll(async () => {
  for (const { ws } of open) ws.terminate();
  await engine[Symbol.asyncDispose]();
});

async function connected(options: { token?: string; protocol?: string; deflate?: boolean; query?: string } = {}): Promise<Client> {
  const { token = engine.token, protocol = 'hft.binary.v1', deflate = false, query = '' } = options;
  const headers = { authorization: `Bearer ${token}` };
  const ws = new WebSocket(url + query, protocol, { headers, perMessageDeflate: deflate });
  const client = new Client(ws);
  open.push(client);
  await once(ws, 'open');
  if (protocol !== 'hft.prices.v1') await client.next('instrument');
  return client;
}

async function tokenOf(role: Role, ...accounts: string[]): Promise<string> {
  return await localToken(engine.dataDirectory, engine.running.engine.config.engine, { roles: [role], accounts });
}

const SUBSCRIBE: FrameOf<'subscribe'> = {
  frame: 'subscribe',
  number: 7,
  fromSequence: 0,
  instrument: 0,
  depth: 0,
  account: 0,
  channel: 'top',
};

async function place(order: Partial<NewOrder> = {}): Promise<{ id: string; sequence: number }> {
  const given = { symbol: 'BTC-USD', account: 'alice', side: 'buy', type: 'limit', price: '1', quantity: '1', ...order } as NewOrder;
  const { order: placed } = await engine.orders.place(given);
  return { id: placed.id, sequence: engine.running.engine.sequence };
}

/** The next frame of a name that `isIt`. */
async function nextThat<Name extends AnyFrame['frame']>(
  client: Client,
  name: Name,
  isIt: (frame: Extract<AnyFrame, { frame: Name }>) => boolean,
): Promise<Extract<AnyFrame, { frame: Name }>> {
  for (;;) {
    const frame = await client.next(name);
    if (isIt(frame)) return frame;
  }
}

/** What a client that keeps levels knows of an instrument. */
function levelsOf(frames: readonly AnyFrame[], instrument: number): string[] {
  let levels = new Map<string, string>();
  for (const frame of frames) {
    if (frame.frame === 'book' && frame.instrument === instrument && frame.snapshot === true) levels = new Map();
    if (frame.frame !== 'level' || frame.instrument !== instrument) continue;
    const key = `${frame.side} ${frame.priceTicks}`;
    if (frame.quantityLots === 0) levels.delete(key);
    else levels.set(key, `${key}: ${frame.quantityLots} in ${frame.orders}`);
  }
  return [...levels.values()].toSorted();
}

/** The queue of every price, as a client keeps it. */
function queuesOf(frames: readonly AnyFrame[], instrument: number): { orderId: number; priceTicks: number; quantityLots: number }[] {
  let orders = new Map<number, FrameOf<'bookOrder'>>();
  for (const frame of frames) {
    if (frame.frame !== 'bookOrder' || frame.instrument !== instrument) continue;
    if (frame.first === true) orders = new Map();
    else if (frame.quantityLots === 0) orders.delete(frame.orderId);
    else orders.set(frame.orderId, frame);
  }
  return [...orders.values()].map(({ orderId, priceTicks, quantityLots }) => ({ orderId, priceTicks, quantityLots }));
}

function bookLevels(instrument: number): string[] {
  const book = engine.running.engine.market.core.book(instrument);
  return [0, 1]
    .flatMap((side) =>
      book
        .depth(side as 0 | 1, Infinity)
        .map((level) => `${['buy', 'sell'][side]} ${level.priceTicks}: ${level.quantityLots} in ${level.orders}`),
    )
    .toSorted();
}

it('level 1: how it is, then every change', async () => {
  const client = await connected();
  client.send(SUBSCRIBE);
  expect(await client.next('subscribed')).toMatchObject({ number: 7, instrument: 0, channel: 'top' });
  expect(await client.next('top')).toMatchObject({ instrument: 0, state: 'trading', bidTicks: 0 });
  const { sequence } = await place({ price: '90', quantity: '2' });
  const top = await client.next('top');
  expect(top).toMatchObject({ number: 1, bidTicks: 9000, bidLots: 20_000, askTicks: 0, sequence });
  client.send({ ...SUBSCRIBE, frame: 'unsubscribe' } as unknown as AnyFrame);
});

it('level 2 and 3: a snapshot and changes that add up to the book, whoever is connected when', async () => {
  const [early, late] = [await connected(), await connected({ protocol: 'hft.json.v1' })];
  early.send({ ...SUBSCRIBE, channel: 'book' }, { ...SUBSCRIBE, channel: 'orders', number: 8 });
  await early.next('bookOrder');
  const ids: string[] = [];
  for (let step = 0; step < 120; step += 1) {
    if (step === 60) late.send({ ...SUBSCRIBE, channel: 'book' });
    const side = step % 3 === 0 ? 'sell' : 'buy';
    ids.push(
      (await place({ side, price: String(100 + ((step * 7) % 11) - (side === 'buy' ? 5 : 3)), quantity: String(1 + (step % 4)) })).id,
    );
    if (step % 5 === 4) await engine.orders.cancel(ids[step - 2] ?? '').catch(() => undefined);
    if (step % 7 === 6) await engine.orders.replace(ids[step - 1] ?? '', { quantity: '9' }).catch(() => undefined);
  }
  const { sequence } = await place({ price: '50', quantity: '3' });
  for (const client of [early, late]) await nextThat(client, 'book', (frame) => frame.sequence >= sequence);
  await delay(50);
  expect(levelsOf(early.frames, 0)).toEqual(bookLevels(0));
  expect(levelsOf(late.frames, 0)).toEqual(bookLevels(0));
  const book = engine.running.engine.market.core.book(0);
  const queues = queuesOf(early.frames, 0);
  for (const side of [0, 1] as const)
    for (const { priceTicks } of book.depth(side, Infinity))
      expect(queues.filter((order) => order.priceTicks === priceTicks)).toEqual(book.ordersAt(side, priceTicks));
  const numbers = early.frames.flatMap((frame) => (frame.frame === 'book' ? [frame.number] : []));
  expect(numbers).toEqual(Array.from(numbers, (_, index) => index));
});

it('the best levels only, when that is asked for', async () => {
  const client = await connected();
  client.send({ ...SUBSCRIBE, channel: 'book', instrument: 1, depth: 4 });
  expect(await client.next('subscribed')).toMatchObject({ depth: 5 });
  for (let price = 1; price <= 8; price += 1) await place({ symbol: 'ETH-USD', price: String(price) });
  const { sequence } = await place({ symbol: 'ETH-USD', price: '9' });
  await nextThat(client, 'book', (frame) => frame.sequence >= sequence);
  await delay(20);
  expect(levelsOf(client.frames, 1)).toEqual(bookLevels(1).filter((level) => Number(level.split(/[ :]/)[1]) >= 500));
});

it('trades, all of them and once; who comes back gets what was missed', async () => {
  const client = await connected({ deflate: true });
  client.send({ ...SUBSCRIBE, channel: 'trades', instrument: 65_535 });
  await client.next('subscribed');
  const trade = async (): Promise<number> => {
    await place({ side: 'sell', price: '99', account: 'bob', quantity: '2', timeInForce: 'GTC' });
    return (await place({ side: 'buy', price: '99', account: 'carol', quantity: '2', timeInForce: 'IOC' })).sequence;
  };
  await engine.orders.massCancel({ account: 'alice' });
  const first = await trade();
  expect(await nextThat(client, 'trade', ({ sequence }) => sequence >= first)).toMatchObject({
    priceTicks: 9900,
    quantityLots: 20_000,
    takerSide: 'buy',
    instrument: 0,
  });
  client.ws.close();
  await client.closed;
  const missed = [await trade(), await trade(), await trade()];
  const again = await connected();
  again.send({ ...SUBSCRIBE, channel: 'trades', instrument: 65_535, fromSequence: first });
  const last = await trade();
  await nextThat(again, 'trade', ({ sequence }) => sequence === last);
  const heard = again.frames.flatMap((frame) => (frame.frame === 'trade' ? [frame.sequence] : []));
  expect(heard).toEqual([...missed, last]);
  expect(again.frames.some(({ frame }) => frame === 'gap')).toBe(false);
});

it('says what is missing where it cannot be filled, and how things are', async () => {
  const client = await connected();
  const { sequence } = await place({ price: '2' });
  client.send({ ...SUBSCRIBE, channel: 'book', instrument: 1, depth: 20, fromSequence: 1 });
  expect(await client.next('gap')).toMatchObject({ fromSequence: 1, toSequence: sequence, instrument: 1, channel: 'book' });
  expect(await client.next('book')).toMatchObject({ snapshot: true });
});

it('own orders: those that are open, then whatever happens to them; of other accounts nothing', async () => {
  const [mine, other, all] = [
    await connected({ token: await tokenOf('trader', 'erin') }),
    await connected({ token: await tokenOf('trader', 'frank') }),
    await connected({ token: await localToken(engine.dataDirectory, 'local', { roles: ['risk'] }) }),
  ];
  const handle = mine.frames.find((frame) => frame.frame === 'account')?.account ?? -1;
  const before = await place({ account: 'erin', price: '3', clientOrderId: '00000000000000ab' });
  mine.send({ ...SUBSCRIBE, channel: 'own-orders', account: handle });
  expect(await mine.next('orderUpdate')).toMatchObject({
    snapshot: true,
    orderId: Number(before.id),
    clientOrderId: '00000000000000ab',
    remainingLots: 10_000,
    priceTicks: 300,
    account: handle,
  });
  all.send({ ...SUBSCRIBE, channel: 'drop-copy' });
  await all.next('subscribed');
  await place({ account: 'erin', side: 'sell', price: '98', quantity: '2' });
  expect(await mine.next('orderUpdate')).toMatchObject({ snapshot: false, status: 'open', remainingLots: 20_000 });
  await place({ account: 'frank', side: 'buy', price: '98', quantity: '1', timeInForce: 'IOC' });
  expect(await mine.next('fill')).toMatchObject({ priceTicks: 9800, quantityLots: 10_000, remainingLots: 10_000, taker: false });
  await engine.orders.cancel(before.id);
  expect(await nextThat(mine, 'orderUpdate', ({ orderId }) => orderId === Number(before.id))).toMatchObject({
    status: 'cancelled',
    reason: 'requested',
  });
  expect(mine.frames.filter(({ frame }) => frame === 'fill')).toHaveLength(1);
  await nextThat(all, 'orderUpdate', ({ orderId, status }) => orderId === Number(before.id) && status === 'cancelled');
  expect(all.frames.filter(({ frame }) => frame === 'fill')).toHaveLength(2);
  expect(all.frames.flatMap((frame) => (frame.frame === 'account' ? [frame.name] : []))).toEqual(expect.arrayContaining(['erin', 'frank']));
  other.send(
    { ...SUBSCRIBE, channel: 'own-orders', account: handle },
    { ...SUBSCRIBE, channel: 'drop-copy', number: 9 },
    { frame: 'useAccount', number: 10, name: 'erin' },
    { ...SUBSCRIBE, channel: 'prices', number: 11 },
    { ...SUBSCRIBE, instrument: 99, number: 12 },
  );
  const { forbidden, badTerms, unknownInstrument } = REJECT;
  for (const [number, reject] of [
    [7, forbidden],
    [9, forbidden],
    [10, forbidden],
    [11, badTerms],
    [12, unknownInstrument],
  ])
    expect(await other.next('rejected')).toMatchObject({ number, reject });
});

it('refuses who has no token, asks for no protocol, sends orders; and streams on the orders port', async () => {
  const refused = async (protocol: string[], token?: string): Promise<number> => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const ws = new WebSocket(url, protocol, { headers });
    ws.on('error', () => undefined);
    const [, response] = (await once(ws, 'unexpected-response')) as [unknown, { statusCode: number }];
    return response.statusCode;
  };
  expect(await refused(['hft.binary.v1'])).toBe(401);
  expect(await refused(['other.v1'], engine.token)).toBe(400);
  const client = await connected();
  client.send({ frame: 'cancel', number: 1, account: 0, orderId: 1 });
  expect(await client.closed).toBe(1008);
  const orders = new Client(
    new WebSocket(`${engine.baseUrl.replace('http', 'ws')}/v1/ws`, 'hft.binary.v1', { headers: engine.authorization }),
  );
  await orders.next('instrument');
  orders.send(SUBSCRIBE);
  expect(await orders.next('rejected')).toMatchObject({ number: SUBSCRIBE.number, reject: REJECT.badTerms });
});

it('Python reads the live streams by the table, and price updates without one', async () => {
  const [client, prices] = [await connected(), await connected({ protocol: 'hft.prices.v1', query: '?symbols=BTC-USD' })];
  const raw: Buffer[] = [];
  prices.ws.removeAllListeners('message');
  prices.ws.on('message', (data) => raw.push(data as Buffer));
  client.send({ ...SUBSCRIBE, channel: 'trades' }, { ...SUBSCRIBE, channel: 'book', depth: 10 });
  await client.next('book');
  await place({ side: 'sell', price: '97', account: 'bob', quantity: '1' });
  const { sequence } = await place({ side: 'buy', price: '97', account: 'carol', quantity: '1' });
  const trade = await nextThat(client, 'trade', (frame) => frame.sequence === sequence);
  while (raw.length === 0) await delay(5);
  const read = readByPython(client.messages);
  expect(read.filter(({ frame }) => frame === 'trade').at(-1)).toEqual({ ...trade, takerSide: 0, number: trade.number });
  expect(read.filter(({ frame }) => frame === 'level').length).toBeGreaterThan(0);
  expect(pricesByPython(Buffer.concat(raw)).at(-1)).toEqual(['BTC-USD\0', 9700, 10_000, `${trade.timeMicros}000`]);
});

it('the client goes on where it was when the connection is lost', async () => {
  const sockets = new Set<Socket>();
  const proxy = createServer((near) => {
    const far = connect(engine.running.marketDataPort, '127.0.0.1');
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      one.pipe(other);
      one.on('error', () => undefined);
      one.on('close', () => other.destroy());
    }
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const frames: AnyFrame[] = [];
  const lost: number[] = [];
  const client = await MarketDataClient.connect({
    url: `ws://127.0.0.1:${(proxy.address() as AddressInfo).port}/v1/market-data`,
    token: engine.token,
    onFrame: (frame) => frames.push(frame),
    onLost: (code) => lost.push(code),
  });
  await client.subscribe({ channel: 'trades', symbol: 'BTC-USD' });
  await client.subscribe({ channel: 'own-orders', account: 'grace' });
  await expect(client.subscribe({ channel: 'trades', symbol: 'NO-SUCH' })).rejects.toThrow(RangeError);
  await place({ side: 'sell', price: '96', account: 'grace', quantity: '2' });
  const first = await place({ side: 'buy', price: '96', account: 'heidi', quantity: '1' });
  const trades = (): number[] => frames.flatMap((frame) => (frame.frame === 'trade' ? [frame.sequence] : []));
  await expect.poll(trades).toEqual([first.sequence]);
  for (const socket of sockets) socket.destroy();
  const second = await place({ side: 'buy', price: '96', account: 'heidi', quantity: '1' });
  await expect.poll(trades, { timeout: 5000 }).toEqual([first.sequence, second.sequence]);
  await expect.poll(() => frames.filter(({ frame }) => frame === 'fill').length).toBe(2);
  expect(lost).toEqual([1006]);
  client.close();
  proxy.close();
  const narrow = await MarketDataClient.connect({ url, token: await tokenOf('trader', 'ivan'), onFrame: () => undefined });
  await expect(narrow.subscribe({ channel: 'drop-copy' })).rejects.toThrow(StreamRefused);
  await expect(narrow.subscribe({ channel: 'own-orders', account: 'grace' })).rejects.toThrow(StreamRefused);
  narrow.close();
});
