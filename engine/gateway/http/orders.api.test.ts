import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EngineConfig } from '../../../crds/engine-config.ts';
import { DEFAULT_CONFIG } from '../../config/config.ts';
import { startLocalEngine, type LocalEngine } from '../../testing/local-engine.ts';
import type { NewOrder } from '../../client/orders.ts';

let engine: LocalEngine;
const CONFIG: Partial<EngineConfig> = { journal: { durability: 'memory' } };

beforeEach(async () => {
  engine = await startLocalEngine({ config: CONFIG });
});
afterEach(async () => {
  await engine[Symbol.asyncDispose]();
});

const buy = (price: string, quantity: string, more: object = {}): NewOrder => ({
  symbol: 'BTC-USD',
  account: 'alice',
  side: 'buy',
  type: 'limit',
  price,
  quantity,
  ...more,
});
const sell = (price: string, quantity: string, more: object = {}): NewOrder => ({
  ...buy(price, quantity),
  account: 'bob',
  side: 'sell',
  ...more,
});

describe('orders', () => {
  it('rest, trade at the resting price, and show it everywhere', async () => {
    const first = await engine.orders.place(buy('100.00', '2'));
    expect(first).toEqual({
      order: {
        id: '1',
        sequence: 1,
        symbol: 'BTC-USD',
        account: 'alice',
        side: 'buy',
        type: 'limit',
        timeInForce: 'GTC',
        price: '100',
        quantity: '2',
        filledQuantity: '0',
        remainingQuantity: '2',
        status: 'open',
        createdAt: expect.stringMatching(/^20\d\d-\d\d-\d\dT[\d:.]+Z$/),
      },
      fills: [],
      next: null,
      repeated: false,
    });
    const second = await engine.orders.place(sell('99.5', '0.5', { timeInForce: 'IOC' }));
    const fill = { sequence: 2, index: 0, symbol: 'BTC-USD', price: '100', quantity: '0.5', makerOrderId: '1', takerOrderId: '2' };
    expect(second.fills).toEqual([fill]);
    expect(second.order).toMatchObject({ status: 'filled', price: '99.5', filledQuantity: '0.5', remainingQuantity: '0' });
    expect(await engine.orders.get('1')).toMatchObject({ status: 'open', filledQuantity: '0.5', remainingQuantity: '1.5' });
    expect(await engine.orders.book('BTC-USD')).toEqual({
      symbol: 'BTC-USD',
      sequence: 2,
      bids: [{ price: '100', quantity: '1.5', orders: 1 }],
      asks: [],
    });
    expect((await engine.orders.fills()).items).toEqual([fill]);
    expect(await engine.orders.instruments()).toEqual(DEFAULT_CONFIG.instruments);
  });

  it('market orders take what there is and cancel the rest', async () => {
    await engine.orders.place(sell('101', '1'));
    await engine.orders.place(sell('102', '1'));
    const { order, fills } = await engine.orders.place({ symbol: 'BTC-USD', account: 'carol', side: 'buy', type: 'market', quantity: '3' });
    expect(order).toMatchObject({ type: 'market', timeInForce: 'IOC', status: 'cancelled', filledQuantity: '2', remainingQuantity: '1' });
    expect(order).not.toHaveProperty('price');
    expect(fills.map(({ price, index }) => [price, index])).toEqual([
      ['101', 0],
      ['102', 1],
    ]);
  });

  it('fill or kill orders fill wholly or leave the book as it was', async () => {
    await engine.orders.place(sell('101', '1'));
    await engine.orders.place(sell('102', '1'));
    const killed = await engine.orders.place(buy('102', '3', { timeInForce: 'FOK', clientOrderId: 'kill' }));
    expect(killed).toMatchObject({ order: { timeInForce: 'FOK', status: 'cancelled', filledQuantity: '0' }, fills: [] });
    expect((await engine.orders.book('BTC-USD')).asks).toHaveLength(2);
    const filled = await engine.orders.place(buy('102', '2', { timeInForce: 'FOK' }));
    expect(filled.order).toMatchObject({ status: 'filled', filledQuantity: '2' });
    expect(filled.fills).toHaveLength(2);
    expect(await engine.orders.place(buy('102', '3', { timeInForce: 'FOK', clientOrderId: 'kill' }))).toEqual({
      ...killed,
      repeated: true,
    });
  });

  it('are cancelled once', async () => {
    const { order } = await engine.orders.place(buy('100', '1'));
    expect(await engine.orders.cancel(order.id)).toMatchObject({ id: order.id, status: 'cancelled', remainingQuantity: '1' });
    await expect(engine.orders.cancel(order.id)).rejects.toMatchObject({ code: 'HFT_ORDER_NOT_OPEN', status: 409, field: 'id' });
    await expect(engine.orders.cancel('999')).rejects.toMatchObject({ code: 'HFT_ORDER_NOT_FOUND', status: 404, field: 'id' });
    expect((await engine.orders.book('BTC-USD')).bids).toEqual([]);
  });

  it('of one tick share a commit and see each other', async () => {
    const placed = await Promise.all(
      Array.from({ length: 50 }, (_, index) => engine.orders.place(index % 2 === 0 ? buy('100', '1') : sell('100', '1'))),
    );
    const ids = placed.map(({ order }) => Number(order.id)).sort((a, b) => a - b);
    expect(ids).toEqual(Array.from({ length: 50 }, (_, index) => index + 1));
    expect((await engine.orders.fills()).items).toHaveLength(25);
    expect((await engine.orders.book('BTC-USD')).bids).toEqual([]);
  });

  it('list by account and page', async () => {
    for (let index = 0; index < 5; index += 1) await engine.orders.place(buy('100', '1', { account: index % 2 === 0 ? 'alice' : 'zoe' }));
    const page = await engine.orders.orders({ account: 'alice', limit: 2 });
    expect(page.items.map(({ id }) => id)).toEqual(['1', '3']);
    const rest = await engine.orders.orders({ account: 'alice', limit: 2, after: page.next ?? '' });
    expect(rest).toMatchObject({ next: null, items: [{ id: '5' }] });
    expect((await engine.orders.orders({ account: 'nobody' })).items).toEqual([]);
    expect((await engine.orders.orders()).items).toHaveLength(5);
  });

  it('that trade with very many are answered with their first fills, and where the others are', async () => {
    const makers = 1003;
    await Promise.all(Array.from({ length: makers }, () => engine.orders.place(sell('100', '1'))));
    const taker = buy('100', '2000', { clientOrderId: 'sweep' });
    const first = await engine.orders.place(taker);
    expect(first.order).toMatchObject({ filledQuantity: String(makers), status: 'open' });
    expect(first.fills.map(({ index }) => index)).toEqual(Array.from({ length: 1000 }, (_, index) => index));
    expect(first.next).toBe(`${first.order.id}.999`);
    const rest = await engine.orders.fills({ after: first.next ?? '' });
    expect(rest.items.map(({ sequence, index }) => [sequence, index])).toEqual(
      [1000, 1001, 1002].map((index) => [first.order.sequence, index]),
    );
    expect(await engine.orders.place(taker)).toEqual({ ...first, repeated: true });
    const exact = await engine.orders.place(sell('100', '1'));
    expect(exact).toMatchObject({ next: null, fills: [{ index: 0 }] });
  });

  it('page through fills of one order', async () => {
    for (let index = 0; index < 3; index += 1) await engine.orders.place(sell('100', '1'));
    await engine.orders.place(buy('100', '3'));
    const page = await engine.orders.fills({ limit: 2 });
    expect(page.next).toBe('4.1');
    expect((await engine.orders.fills({ limit: 2, after: '4.1' })).items.map(({ index }) => index)).toEqual([2]);
  });
});

describe('clientOrderId', () => {
  it('gives the first answer again, whatever happened since, and after a restart', async () => {
    const order = buy('100', '2', { clientOrderId: 'one' });
    const first = await engine.orders.place(order);
    await engine.orders.place(sell('100', '1'));
    const again = await engine.orders.place(order);
    expect(again).toEqual({ ...first, repeated: true });
    const { dataDirectory } = engine;
    const restarted = await restart(dataDirectory);
    expect(await restarted.orders.place(order)).toEqual({ ...first, repeated: true });
    expect((await restarted.orders.orders()).items).toHaveLength(2);
    await restarted[Symbol.asyncDispose]();
  });

  it('holds among requests that arrive together, and is each account’s own', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => engine.orders.place(buy('100', '1', { clientOrderId: 'same' }))));
    expect(new Set(answers.map(({ order }) => order.id)).size).toBe(1);
    expect(answers.filter(({ repeated }) => !repeated)).toHaveLength(1);
    expect(await engine.orders.place(buy('100', '1', { clientOrderId: 'same', account: 'zoe' }))).toMatchObject({ repeated: false });
  });

  it('gives the first answer without a token of the limit, and after the instrument is gone', async () => {
    const order = buy('100', '1', { clientOrderId: 'one' });
    const first = await engine.orders.place(order);
    await engine.orders.cancel(first.order.id);
    const without = await restart(engine.dataDirectory, {
      ...CONFIG,
      instruments: DEFAULT_CONFIG.instruments.filter(({ symbol }) => symbol !== 'BTC-USD'),
      limits: { ordersPerSecond: 1, burst: 1 },
    });
    for (let times = 0; times < 5; times += 1) expect(await without.orders.place(order)).toEqual({ ...first, repeated: true });
    const other = { ...buy('100', '1'), symbol: 'ETH-USD' };
    expect(await without.orders.place(other)).toMatchObject({ repeated: false });
    await expect(without.orders.place(other)).rejects.toMatchObject({ code: 'HFT_RATE_LIMIT' });
    await without[Symbol.asyncDispose]();
  });

  it('is refused for another order, and takes the same terms in other digits', async () => {
    const order = buy('100', '1', { clientOrderId: 'one' });
    await engine.orders.place(order);
    const changed: (readonly [string, NewOrder])[] = [
      ['symbol', buy('100', '1', { clientOrderId: 'one', symbol: 'ETH-USD' })],
      ['side', buy('100', '1', { clientOrderId: 'one', side: 'sell' })],
      ['price', buy('100.01', '1', { clientOrderId: 'one' })],
      ['price', buy('100.001', '1', { clientOrderId: 'one' })],
      ['quantity', buy('100', '2', { clientOrderId: 'one' })],
      ['timeInForce', buy('100', '1', { clientOrderId: 'one', timeInForce: 'IOC' })],
      ['type', { symbol: 'BTC-USD', account: 'alice', side: 'buy', type: 'market', quantity: '1', clientOrderId: 'one' }],
    ];
    for (const [field, other] of changed) {
      await expect(engine.orders.place(other), field).rejects.toMatchObject({
        status: 422,
        code: 'HFT_CLIENT_ORDER_ID_REUSED',
        field: 'clientOrderId',
        message: expect.stringContaining(`whose ${field} is another`),
      });
    }
    expect(await engine.orders.place(buy('100.00', '1.0', { clientOrderId: 'one' }))).toMatchObject({ repeated: true });
    expect((await engine.orders.orders()).items).toHaveLength(1);
  });

  it('of a refused order may be used again', async () => {
    await expect(engine.orders.place(buy('100.001', '1', { clientOrderId: 'x' }))).rejects.toMatchObject({ code: 'HFT_PRICE_OFF_TICK' });
    expect(await engine.orders.place(buy('100', '1', { clientOrderId: 'x' }))).toMatchObject({ repeated: false });
  });
});

/** The engine of this test again, over the same data. */
async function restart(dataDirectory: string, config: Partial<EngineConfig> = CONFIG): Promise<LocalEngine> {
  await engine.running.stop();
  return await startLocalEngine({ dataDirectory, config });
}

describe('risk and limits from the configuration', () => {
  it('refuses beyond the band, and everything with the kill switch; cancels pass', async () => {
    await engine.orders.place(sell('100', '1'));
    await engine.orders.place(buy('100', '2'));
    const banded = await restart(engine.dataDirectory, { ...CONFIG, risk: { ...DEFAULT_CONFIG.risk, priceBandPercent: 10 } });
    await expect(banded.orders.place(buy('89.99', '1'))).rejects.toMatchObject({ status: 422, code: 'HFT_PRICE_BAND', field: 'price' });
    await banded.orders.place(buy('90', '1'));
    await banded.running.stop();
    const killed = await startLocalEngine({
      dataDirectory: engine.dataDirectory,
      config: { ...CONFIG, risk: { ...DEFAULT_CONFIG.risk, killSwitch: true } },
    });
    await expect(killed.orders.place(buy('100', '1'))).rejects.toMatchObject({ status: 422, code: 'HFT_KILL_SWITCH' });
    expect(await killed.orders.cancel('2')).toMatchObject({ status: 'cancelled' });
    await killed[Symbol.asyncDispose]();
  });

  it('limits each account by itself and says when to come back', async () => {
    const limited = await restart(engine.dataDirectory, { ...CONFIG, limits: { ordersPerSecond: 1, burst: 3 } });
    for (let index = 0; index < 3; index += 1) await limited.orders.place(buy('100', '1'));
    await expect(limited.orders.place(buy('100', '1'))).rejects.toMatchObject({ status: 429, code: 'HFT_RATE_LIMIT', retryAfterMs: 1000 });
    expect(await limited.orders.place(buy('100', '1', { account: 'zoe' }))).toMatchObject({ repeated: false });
    await limited[Symbol.asyncDispose]();
  });
});

describe('the rest of the surface', () => {
  const get = async (path: string, init: RequestInit = {}): Promise<Response> =>
    await fetch(`${engine.baseUrl}${path}`, { ...init, signal: AbortSignal.timeout(10_000) });

  it.each([
    ['GET', '/nowhere', 404, 'HFT_NOT_FOUND', undefined],
    ['PUT', '/v1/orders', 405, 'HFT_METHOD_NOT_ALLOWED', undefined],
    ['POST', '/v1/orders/1', 405, 'HFT_METHOD_NOT_ALLOWED', undefined],
    ['GET', '/v1/orders/0', 400, 'HFT_INVALID_FIELD', 'id'],
    ['GET', '/v1/orders/1e3', 400, 'HFT_INVALID_FIELD', 'id'],
    ['GET', '/v1/orders/9999999999999999', 404, 'HFT_ORDER_NOT_FOUND', 'id'],
    ['GET', '/v1/orders?limit=0', 400, 'HFT_INVALID_FIELD', 'limit'],
    ['GET', '/v1/orders?limit=1001', 400, 'HFT_INVALID_FIELD', 'limit'],
    ['GET', '/v1/orders?limit=10&limit=20', 400, 'HFT_INVALID_FIELD', 'limit'],
    ['GET', '/v1/orders?acount=a', 400, 'HFT_UNKNOWN_FIELD', 'acount'],
    ['GET', '/v1/fills?after=x', 400, 'HFT_INVALID_FIELD', 'after'],
    ['GET', '/v1/book/DOGE-USD', 404, 'HFT_INSTRUMENT_NOT_FOUND', 'symbol'],
    ['GET', '/v1/book/BTC-USD?depth=-1', 400, 'HFT_INVALID_FIELD', 'depth'],
    ['GET', `/v1/orders/${'1'.repeat(60)}`, 400, 'HFT_INVALID_FIELD', 'id'],
    ['GET', `/v1/orders/${'1'.repeat(100)}`, 400, 'HFT_BAD_REQUEST', undefined],
    ['GET', '/v1/orders/%E0', 400, 'HFT_BAD_REQUEST', undefined],
  ])('%s %s is %d %s', async (method, path, status, code, field) => {
    const answer = await get(path, { method });
    expect(answer.status).toBe(status);
    expect(await answer.json()).toMatchObject({ status, code, ...(field !== undefined && { field }) });
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
    expect(answer.headers.get('allow') !== null).toBe(status === 405);
  });

  it('documents itself with the schemas that it validates by', async () => {
    const answer = await get('/docs/json');
    expect(await answer.json()).toMatchObject({
      openapi: '3.1.0',
      paths: {
        '/v1/orders': {
          post: { requestBody: { content: { 'application/json': { schema: { oneOf: [{ additionalProperties: false }, {}] } } } } },
          get: {},
        },
        '/v1/orders/{id}': { get: {}, delete: {} },
        '/v1/book/{symbol}': { get: {} },
        '/v1/fills': {},
      },
    });
    expect(await (await get('/docs/')).text()).toContain('swagger-ui');
    expect((await get('/docs/static/swagger-ui.css')).status).toBe(200);
  });

  it('answers probes and metrics on both ports', async () => {
    await engine.orders.place(buy('100', '1'));
    await expect(engine.orders.place(buy('100.001', '1'))).rejects.toMatchObject({ status: 422 });
    for (const url of [engine.baseUrl, engine.opsUrl]) {
      expect(await (await fetch(`${url}/health`)).json()).toEqual({ status: 'ok', phase: 'serving' });
      expect(await (await fetch(`${url}/ready`)).json()).toEqual({ ready: true, phase: 'serving' });
      const metrics = await (await fetch(`${url}/metrics`)).text();
      expect(metrics).toMatch(/^hft_orders_accepted_total\{engine="local"\} 1$/m);
      expect(metrics).toMatch(/^hft_orders_rejected_total\{code="HFT_PRICE_OFF_TICK",engine="local"\} 1$/m);
      expect(metrics).toMatch(/^hft_order_seconds_bucket\{le="\+Inf",engine="local"\} 2$/m);
      expect(metrics).toMatch(/^hft_match_seconds_count\{engine="local"\} 1$/m);
      expect(metrics).toMatch(/^hft_sequence\{engine="local"\} 1$/m);
      expect(metrics).toMatch(/^nodejs_eventloop_lag_p99_seconds/m);
      expect(metrics).toMatch(/^# TYPE nodejs_gc_duration_seconds histogram$/m);
    }
  });
});
