/** The one API, the same checks over each transport, against an engine that is there, goes away and comes back. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { localToken } from '../access/local-token.ts';
import { startLocalEngine, type LocalEngine } from '../testing/local-engine.ts';
import { cuttable } from './cuttable.test-support.ts';
import { connect, type EngineClient, type MarketEvent, type NewOrder, type Subscription } from './index.ts';

let engine: LocalEngine;
const LIMITS = { ordersPerSecond: 1e6, burst: 1e6 };
beforeAll(async () => {
  engine = await startLocalEngine({ config: { journal: { durability: 'commit' }, limits: LIMITS }, marketData: true });
});
afterAll(async () => await engine[Symbol.asyncDispose]());

const TRANSPORTS = ['http', 'ws', 'grpc'] as const;
type Scheme = (typeof TRANSPORTS)[number];

function portOf(scheme: Scheme): number {
  return scheme === 'grpc' ? engine.running.grpcPort : engine.running.port;
}

async function client(
  scheme: Scheme,
  options: { port?: number; timeoutMs?: number; maxInFlight?: number; marketDataUrl?: string } = {},
): Promise<EngineClient> {
  const { port = portOf(scheme), ...others } = options;
  const { marketDataPort, marketDataGrpcPort } = engine.running;
  const marketDataUrl = scheme === 'grpc' ? `grpc://127.0.0.1:${marketDataGrpcPort}` : `ws://127.0.0.1:${marketDataPort}`;
  const urls = { url: `${scheme}://127.0.0.1:${port}`, httpUrl: engine.baseUrl, marketDataUrl };
  return await connect({ token: engine.token, ...urls, ...others });
}

/** Each account has a name that is used once, so that tests do not meet. */
let accounts = 0;
function newAccount(): string {
  accounts += 1;
  return `a${accounts}`;
}

function order(account: string, change: Partial<NewOrder> = {}): NewOrder {
  return { symbol: 'BTC-USD', account, side: 'buy', type: 'limit', price: '100.50', quantity: '2.0', ...change } as NewOrder;
}

describe.each(TRANSPORTS)('over %s', (scheme) => {
  it('places, reads, changes and cancels, with decimals as people write them', async () => {
    await using here = await client(scheme);
    const account = newAccount();
    const {
      order: placed,
      fills,
      next,
      repeated,
    } = await here.place(order(account, { selfTradePrevention: 'cancel-newest', postOnly: true }));
    expect({ fills, next, repeated }).toEqual({ fills: [], next: null, repeated: false });
    expect(placed).toMatchObject({
      account,
      price: '100.5',
      quantity: '2',
      filledQuantity: '0',
      remainingQuantity: '2',
      status: 'open',
      timeInForce: 'GTC',
      postOnly: true,
      selfTradePrevention: 'cancel-newest',
    });
    expect(placed.clientOrderId).toMatch(/^[0-9a-f]{16}$/);
    // What the answer says is what the engine has, whatever it was worked out from.
    expect(await engine.orders.get(placed.id)).toEqual(placed);
    expect(await here.order(placed.id)).toEqual(placed);

    const changed = await here.replace(placed, { quantity: '1.5', price: '100.40' });
    expect(changed).toMatchObject({ order: { price: '100.4', quantity: '1.5', remainingQuantity: '1.5', status: 'open' }, next: null });
    expect(await engine.orders.get(placed.id)).toEqual(changed.order);
    expect((await here.replace(placed.id, { quantity: '1' })).order).toMatchObject({ price: '100.4', quantity: '1' });

    const cancelled = await here.cancel(changed.order);
    expect(cancelled).toMatchObject({ status: 'cancelled', reason: 'requested' });
    await expect(here.cancel(placed.id)).rejects.toMatchObject({ code: 'HFT_ORDER_NOT_OPEN', inDoubt: false, retryable: false });
    await expect(here.cancel(placed)).rejects.toMatchObject({ code: 'HFT_ORDER_NOT_OPEN', number: 9 });
    await expect(here.replace(placed.id, { price: '1' })).rejects.toMatchObject({ code: 'HFT_ORDER_NOT_OPEN' });
    await expect(here.order('999999999')).rejects.toMatchObject({ code: 'HFT_ORDER_NOT_FOUND' });
  });

  it('tells the fills of an order as the order sees them', async () => {
    await using here = await client(scheme);
    const [maker, taker] = [newAccount(), newAccount()];
    const { order: one } = await here.place(order(maker, { side: 'sell', quantity: '1', price: '90' }));
    const { order: two } = await here.place(order(maker, { side: 'sell', quantity: '1', price: '91' }));
    const hit = await here.place(order(taker, { quantity: '1.5', price: '95', type: 'limit', timeInForce: 'IOC' }));
    expect(hit.order).toMatchObject({ status: 'filled', filledQuantity: '1.5', remainingQuantity: '0', timeInForce: 'IOC' });
    const mine = { orderId: hit.order.id, role: 'taker', side: 'buy', symbol: 'BTC-USD', sequence: hit.order.sequence };
    expect(hit.fills).toMatchObject([
      { ...mine, index: 0, price: '90', quantity: '1' },
      { ...mine, index: 1, price: '91', quantity: '0.5' },
    ]);
    expect(await engine.orders.get(hit.order.id)).toEqual(hit.order);
    // A change that trades, from an order as it was before: what was filled since is told all the same.
    await expect(here.replace(two, { quantity: '0.4' })).rejects.toMatchObject({ code: 'HFT_QUANTITY_FILLED' });
    const { order: bid } = await here.place(order(taker, { quantity: '1', price: '80' }));
    const moved = await here.replace(bid, { price: '91' });
    expect(moved).toMatchObject({
      order: { filledQuantity: '0.5', remainingQuantity: '0.5', status: 'open', price: '91' },
      fills: [{ orderId: bid.id, role: 'taker', price: '91', quantity: '0.5' }],
    });
    expect(await engine.orders.get(bid.id)).toEqual(moved.order);
    expect(await here.order(one.id)).toMatchObject({ status: 'filled' });
    expect(await here.massCancel({ account: taker })).toMatchObject({ count: 1 });
    expect((await here.positions({ account: taker })).items).toMatchObject([{ quantity: '2' }]);
  });

  it('has every query', async () => {
    await using here = await client(scheme);
    const account = newAccount();
    const { order: placed } = await here.place(order(account, { price: '10' }));
    expect(await here.instruments()).toMatchObject([{ symbol: 'BTC-USD', tickSize: '0.01', state: 'trading' }, { symbol: 'ETH-USD' }]);
    expect((await here.orders({ account })).items).toEqual([placed]);
    expect((await here.book('BTC-USD', 1000)).bids).toContainEqual({ price: '10', quantity: '2', orders: 1 });
    expect(await here.best('BTC-USD')).toMatchObject({ symbol: 'BTC-USD' });
    expect((await here.bookOrders('BTC-USD', 1000)).bids).toContainEqual({ id: placed.id, price: '10', quantity: '2' });
    expect(await here.limits(account)).toMatchObject({ openOrders: { used: 1 } });
    expect((await here.trades('BTC-USD')).items).toBeInstanceOf(Array);
    expect((await here.fills({ limit: 1 })).items).toBeInstanceOf(Array);
    await here.massCancel({ account, symbol: 'BTC-USD' });
  });

  it('refuses with the same codes', async () => {
    await using here = await client(scheme);
    const account = newAccount();
    const refusals: [Partial<NewOrder>, string, string | undefined][] = [
      [{ price: '100.255' }, 'HFT_PRICE_OFF_TICK', 'price'],
      [{ quantity: '0' }, 'HFT_NOT_POSITIVE', 'quantity'],
      [{ quantity: '0.00001' }, 'HFT_QUANTITY_OFF_LOT', 'quantity'],
      [{ price: '-1' }, scheme === 'http' ? 'HFT_NOT_POSITIVE' : 'HFT_INVALID_FIELD', 'price'],
      [{ price: '1e3' }, 'HFT_INVALID_FIELD', 'price'],
      [{ symbol: 'NOPE' }, 'HFT_UNKNOWN_SYMBOL', 'symbol'],
    ];
    for (const [change, code, field] of refusals)
      await expect(here.place(order(account, change)), code).rejects.toMatchObject({ name: 'EngineError', code, field, inDoubt: false });
    const id = 'abcdef0123456789';
    const first = await here.place(order(account, { clientOrderId: id }));
    const again = await here.place(order(account, { clientOrderId: id }));
    expect(again).toEqual({ ...first, repeated: true });
    await expect(here.place(order(account, { clientOrderId: id, quantity: '3' }))).rejects.toMatchObject({
      code: 'HFT_CLIENT_ORDER_ID_REUSED',
    });
    await here.massCancel({ account });
  });

  it('does many in one request', async () => {
    await using here = await client(scheme);
    const account = newAccount();
    const { order: held } = await here.place(order(account, { price: '5' }));
    const [placed, gone, missing] = await here.batch([
      { op: 'place', order: order(account, { price: '6' }) },
      { op: 'cancel', id: held.id },
      { op: 'cancel', id: '999999999' },
    ]);
    expect(placed?.order).toMatchObject({ status: 'open', clientOrderId: expect.stringMatching(/^[0-9a-f]{16}$/) as string });
    expect(gone?.order).toMatchObject({ id: held.id, status: 'cancelled' });
    expect(missing?.error).toMatchObject({ code: 'HFT_ORDER_NOT_FOUND', status: 404 });
    await here.massCancel({ account });
  });

  it('holds back what is more than may be under way', async () => {
    await using here = await client(scheme, { maxInFlight: 4 });
    const account = newAccount();
    const calls = Array.from({ length: 100 }, async () => await here.place(order(account, { price: '1' })));
    expect(here.load).toEqual({ inFlight: 4, waiting: 96 });
    const ids = new Set((await Promise.all(calls)).map((placed) => placed.order.id));
    expect(ids.size).toBe(100);
    expect(here.load).toEqual({ inFlight: 0, waiting: 0 });
    expect(await here.massCancel({ account })).toMatchObject({ count: 100 });
  });

  it('settles what was in doubt when its connection is cut: nothing is done twice', async () => {
    using way = await cuttable(portOf(scheme));
    await using here = await client(scheme, { port: way.port, timeoutMs: 8000 });
    const account = newAccount();
    const { order: toCancel } = await here.place(order(account, { price: '7' }));
    const { order: toChange } = await here.place(order(account, { price: '8' }));
    way.deaf = true;
    const calls = [here.place(order(account, { price: '9' })), here.cancel(toCancel), here.replace(toChange, { quantity: '1' })] as const;
    // The engine has done all three; nobody has heard of it.
    await expect.poll(async () => (await engine.orders.get(toChange.id)).quantity).toBe('1');
    await expect.poll(async () => (await engine.orders.get(toCancel.id)).status).toBe('cancelled');
    await expect.poll(async () => (await engine.orders.orders({ account })).items).toHaveLength(3);
    way.cut();
    const [placed, cancelled, changed] = await Promise.all(calls);
    expect(placed).toMatchObject({ repeated: true, order: { price: '9', status: 'open' } });
    expect(cancelled).toMatchObject({ id: toCancel.id, status: 'cancelled', reason: 'requested' });
    expect(changed.order).toMatchObject({ id: toChange.id, quantity: '1' });
    expect((await engine.orders.orders({ account })).items).toHaveLength(3);
    await engine.orders.massCancel({ account });
  });

  it('says that it does not know when nobody answers in time', async () => {
    using way = await cuttable(portOf(scheme));
    await using here = await client(scheme, { port: way.port, timeoutMs: 1000 });
    const account = newAccount();
    await here.place(order(account, { price: '4' }));
    way.deaf = true;
    const error: unknown = await here.place(order(account, { price: '4' })).catch((cause: unknown) => cause);
    expect(error).toMatchObject({ name: 'EngineError', inDoubt: true, retryable: false });
    const controller = new AbortController();
    const given = here.place(order(account, { price: '4' }), controller.signal);
    setTimeout(() => controller.abort(), 20);
    await expect(given).rejects.toMatchObject({ code: 'HFT_CLIENT_ABORTED' });
  });

  it('is told at once why it is not let in, and in the end that nobody is there', async () => {
    const url = `${scheme}://127.0.0.1:${portOf(scheme)}`;
    await expect(connect({ url, token: 'nobody', httpUrl: engine.baseUrl })).rejects.toMatchObject({ code: 'HFT_UNAUTHORIZED' });
    const nobody = { url: `${scheme}://127.0.0.1:1`, token: 't', timeoutMs: 300 };
    await expect(connect(nobody)).rejects.toMatchObject({ code: 'HFT_CLIENT_UNREACHABLE', inDoubt: false, retryable: true });
    const here = await client(scheme);
    await here.close();
    await expect(here.place(order('x'))).rejects.toMatchObject({ code: 'HFT_CLIENT_CLOSED' });
  });
});

it('cancels with the connection, where there is one that stays', async () => {
  const account = newAccount();
  const away = await client('ws');
  const { order: placed } = await away.place(order(account, { price: '3', cancelOnDisconnect: true }));
  await away.close();
  await expect.poll(async () => (await engine.orders.get(placed.id)).reason).toBe('disconnected');
  await using http = await client('http');
  await expect(http.place(order(account, { cancelOnDisconnect: true }))).rejects.toMatchObject({ code: 'HFT_CLIENT_UNSUPPORTED' });
  await expect(connect({ url: 'ftp://x', token: '' })).rejects.toThrow('schemes');
  await expect(connect({ url: 'grpc://x', token: '' })).rejects.toMatchObject({ code: 'HFT_CLIENT_UNSUPPORTED' });
});

/** Events of a stream until one that `isIt`. */
async function until(stream: Subscription, isIt: (event: MarketEvent) => boolean): Promise<MarketEvent[]> {
  const events: MarketEvent[] = [];
  for (;;) {
    const { value } = await stream.next();
    if (value === undefined) return events;
    events.push(value);
    if (isIt(value)) return events;
  }
}

describe.each(['ws', 'grpc'] as const)('market data over %s', (scheme) => {
  it('tells of books, orders and trades, and of an account its own', async () => {
    await using here = await client(scheme);
    const [maker, taker] = [newAccount(), newAccount()];
    const symbol = 'ETH-USD';
    const streams = {
      top: await here.subscribe({ channel: 'top', symbol }),
      book: await here.subscribe({ channel: 'book', symbol, depth: 10 }),
      orders: await here.subscribe({ channel: 'orders', symbol }),
      trades: await here.subscribe({ channel: 'trades' }),
      own: await here.subscribe({ channel: 'own-orders', account: maker }),
      copy: await here.subscribe({ channel: 'drop-copy' }),
    };
    const { order: rests } = await here.place(
      order(maker, { symbol, side: 'sell', price: '70', quantity: '2', clientOrderId: 'ab'.repeat(8) }),
    );
    const best = (await until(streams.top, (event) => event.type === 'top' && event.ask !== null)).at(-1);
    expect(best).toMatchObject({ symbol, state: 'trading', bid: null, ask: { price: '70', quantity: '2' } });
    const level = { side: 'sell', price: '70', quantity: '2', orders: 1 };
    const book = await until(streams.book, (event) => event.type === 'book' && event.levels.length > 0);
    expect(book.at(-1)).toMatchObject({ symbol, levels: [level] });
    const l3 = await until(streams.orders, (event) => event.type === 'order' && event.orderId === rests.id);
    expect(l3.at(-1)).toMatchObject({ side: 'sell', price: '70', quantity: '2' });
    const open = (await until(streams.own, (event) => event.type === 'orderUpdate')).at(-1);
    expect(open).toMatchObject({
      symbol,
      account: maker,
      orderId: rests.id,
      status: 'open',
      clientOrderId: 'ab'.repeat(8),
      orderType: 'limit',
    });

    const { order: hits } = await here.place(order(taker, { symbol, price: '70', quantity: '0.5' }));
    const trade = (await until(streams.trades, (event) => event.type === 'trade')).at(-1);
    const both = { makerOrderId: rests.id, takerOrderId: hits.id, takerSide: 'buy' };
    expect(trade).toMatchObject({ symbol, sequence: hits.sequence, price: '70', quantity: '0.5', ...both });
    const fill = (await until(streams.own, (event) => event.type === 'fill')).at(-1);
    expect(fill).toMatchObject({ orderId: rests.id, role: 'maker', quantity: '0.5', remainingQuantity: '1.5' });
    await until(streams.copy, (event) => event.type === 'fill' && event.orderId === hits.id && event.role === 'taker');
    await here.cancel(rests);
    for await (const event of streams.top) if (event.type === 'top' && event.ask === null) break;
    expect(await streams.top.next()).toEqual({ done: true, value: undefined });
    await here.close();
    expect(await streams.own.next()).toEqual({ done: true, value: undefined });
  });

  it('goes on from where it was when its connection is cut, without a gap', async () => {
    const target = scheme === 'grpc' ? engine.running.marketDataGrpcPort : engine.running.marketDataPort;
    using way = await cuttable(target);
    await using here = await client(scheme, { marketDataUrl: `${scheme}://127.0.0.1:${way.port}` });
    const account = newAccount();
    const trades = await here.subscribe({ channel: 'trades', symbol: 'ETH-USD' });
    const swap = async (price: string): Promise<void> => {
      await here.place(order(account, { symbol: 'ETH-USD', side: 'sell', price, quantity: '1' }));
      await here.place(order(account, { symbol: 'ETH-USD', price, quantity: '1' }));
    };
    await swap('50');
    await until(trades, (event) => event.type === 'trade' && event.price === '50');
    way.cut();
    await swap('51');
    await swap('52');
    const heard = await until(trades, (event) => event.type === 'trade' && event.price === '52');
    expect(heard.filter(({ type }) => type === 'gap')).toEqual([]);
    expect(heard.flatMap((event) => (event.type === 'trade' && event.price !== '50' ? [event.price] : []))).toEqual(['51', '52']);
  });

  it('is refused what its token does not allow', async () => {
    const token = await localToken(engine.dataDirectory, engine.running.engine.config.engine, { roles: ['trader'], accounts: ['zoe'] });
    const { marketDataPort, marketDataGrpcPort } = engine.running;
    const marketDataUrl = scheme === 'grpc' ? `grpc://127.0.0.1:${marketDataGrpcPort}` : `ws://127.0.0.1:${marketDataPort}`;
    await using zoe = await connect({ url: engine.baseUrl, token, marketDataUrl });
    await expect(zoe.subscribe({ channel: 'own-orders', account: 'alice' })).rejects.toMatchObject({ code: 'HFT_FORBIDDEN' });
    await expect(zoe.subscribe({ channel: 'drop-copy' })).rejects.toMatchObject({ code: 'HFT_FORBIDDEN' });
    await expect(zoe.subscribe({ channel: 'top', symbol: 'NOPE' })).rejects.toMatchObject({ name: 'EngineError' });
    const own = await zoe.subscribe({ channel: 'own-orders', account: 'zoe' });
    own.close();
  });
});
