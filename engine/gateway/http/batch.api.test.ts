import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EngineConfig } from '../../../crds/engine-config.ts';
import type { BatchOperationInput, NewOrder } from '../../client/orders.ts';
import { DEFAULT_CONFIG } from '../../config/config.ts';
import { startLocalEngine, type LocalEngine } from '../../testing/local-engine.ts';

let engine: LocalEngine;
const CONFIG: Partial<EngineConfig> = {
  journal: { durability: 'memory' },
  risk: { ...DEFAULT_CONFIG.risk, maxOpenOrders: 2000, maxPosition: '50', maxOpenNotional: '1000000' },
};
beforeEach(async () => {
  engine = await startLocalEngine({ config: CONFIG });
});
afterEach(async () => {
  await engine[Symbol.asyncDispose]();
});

const order = (price: string, more: object = {}): NewOrder => ({
  symbol: 'BTC-USD',
  account: 'alice',
  side: 'buy',
  type: 'limit',
  price,
  quantity: '1',
  ...more,
});
const place = (price: string, more: object = {}): BatchOperationInput => ({ op: 'place', order: order(price, more) });

async function post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return await fetch(`${engine.baseUrl}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...engine.authorization, ...headers },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(10_000),
  });
}

describe('a batch', () => {
  it('does each operation in its order, and refuses each by itself', async () => {
    const { order: resting } = await engine.orders.place(order('100'));
    const { results, refused } = await engine.orders.batch([
      place('101', { account: 'bob', side: 'sell' }),
      place('100.001'),
      { op: 'replace', id: resting.id, change: { price: '101', quantity: '3' } },
      { op: 'cancel', id: resting.id },
      { op: 'cancel', id: resting.id },
      place('5', { symbol: 'DOGE-USD' }),
      { op: 'replace', id: '77', change: { price: '1' } },
      place('102', { quantity: '2' }),
    ]);
    expect(results).toMatchObject([
      { status: 201, order: { id: '2', status: 'open' }, fills: [] },
      { status: 422, problem: { code: 'HFT_PRICE_OFF_TICK', field: 'price' } },
      {
        status: 200,
        order: { id: '1', price: '101', status: 'cancelled' },
        fills: [{ price: '101', makerOrderId: '2', takerOrderId: '1' }],
      },
      { status: 200, order: { id: '1', status: 'cancelled', remainingQuantity: '2' } },
      { status: 409, problem: { code: 'HFT_ORDER_NOT_OPEN' } },
      { status: 422, problem: { code: 'HFT_UNKNOWN_SYMBOL' } },
      { status: 404, problem: { code: 'HFT_ORDER_NOT_FOUND' } },
      { status: 201, order: { id: '5', status: 'open' } },
    ]);
    expect(refused).toBe(4);
    const { ordersAccepted, ordersRejected, sequence } = await engine.admin.status();
    expect({ ordersAccepted, ordersRejected, sequence }).toEqual({ ordersAccepted: 3, ordersRejected: 4, sequence: 5 });
  });

  it('of a thousand orders is one commit, in order, and its cancels are one, too', async () => {
    const commits = async (): Promise<unknown> => {
      const stats = await fetch(`${engine.opsUrl}/metrics`).then((answer) => answer.text());
      return Number(/hft_journal_commits_total\{[^}]*\} (\d+)/.exec(stats)?.[1]);
    };
    const before = Number(await commits());
    const placed = await engine.orders.batch(Array.from({ length: 1000 }, (_, index) => place(String(1 + index), { quantity: '0.01' })));
    expect(placed.results.map((result) => result.order?.id)).toEqual(Array.from({ length: 1000 }, (_, index) => String(index + 1)));
    expect(await commits()).toBe(before + 1);
    const cancelled = await engine.orders.batch(placed.results.map((result) => ({ op: 'cancel' as const, id: result.order?.id ?? '' })));
    expect(cancelled.refused).toBe(0);
    expect(new Set(cancelled.results.map((result) => result.order?.status))).toEqual(new Set(['cancelled']));
    expect(await commits()).toBe(before + 2);
  });

  it('is refused whole when its form is wrong, and names the place', async () => {
    const wrong = await post('/v1/orders/batch', { operations: [place('100'), { op: 'place', order: { ...order('100'), price: 5 } }] });
    expect(wrong.status).toBe(400);
    expect(await wrong.json()).toMatchObject({ code: 'HFT_INVALID_FIELD', field: 'operations[1].order.price' });
    const tooMany = await post('/v1/orders/batch', { operations: Array.from({ length: 1001 }, () => ({ op: 'cancel', id: '1' })) });
    expect(await tooMany.json()).toMatchObject({ code: 'HFT_INVALID_FIELD', field: 'operations' });
    expect(await (await post('/v1/orders/batch', { operations: [] })).json()).toMatchObject({ code: 'HFT_INVALID_FIELD' });
    expect((await engine.admin.status()).sequence).toBe(0);
  });

  it('with a key can be sent again', async () => {
    const operations = [place('100'), place('101', { clientOrderId: 'mine' }), place('100.001')];
    const first = await engine.orders.batch(operations, 'batch-1');
    expect(first.results.map((result) => result.order?.clientOrderId)).toEqual(['batch-1-0', 'mine', undefined]);
    const again = await engine.orders.batch(operations, 'batch-1');
    expect(again.results.map(({ status }) => status)).toEqual([200, 200, 422]);
    expect(again.results[0]?.order).toEqual(first.results[0]?.order);
  });

  it('leaves alone a replacement whose order the batch itself has filled', async () => {
    const { order: resting } = await engine.orders.place(order('100', { quantity: '5' }));
    const { results } = await engine.orders.batch([
      place('100', { account: 'bob', side: 'sell' }),
      { op: 'replace', id: resting.id, change: { quantity: '4' } },
    ]);
    expect(results).toMatchObject([{ status: 201 }, { status: 409, problem: { code: 'HFT_ORDER_CHANGED' } }]);
  });

  it('takes a token of the rate for each order', async () => {
    await using slow = await startLocalEngine({ config: { ...CONFIG, limits: { ordersPerSecond: 1, burst: 2 } } });
    const { results } = await slow.orders.batch([place('1'), place('2'), place('3')]);
    expect(results.map(({ status }) => status)).toEqual([201, 201, 429]);
    expect(await slow.orders.limits('alice')).toMatchObject({ rate: { ordersPerSecond: 1, burst: 2, available: 0 } });
  });
});

describe('Idempotency-Key', () => {
  it('is the clientOrderId of an order that has none', async () => {
    const key = { 'idempotency-key': '"key-1"' };
    const first = await post('/v1/orders', order('100'), key);
    expect([first.status, await first.json()]).toMatchObject([201, { order: { id: '1', clientOrderId: 'key-1' } }]);
    expect((await post('/v1/orders', order('100'), { 'idempotency-key': 'key-1' })).status).toBe(200);
    expect((await post('/v1/orders', order('100', { clientOrderId: 'key-1' }), key)).status).toBe(200);
  });

  it('is refused when it contradicts the body, names another order, or is none', async () => {
    const outcome = async (body: unknown, key: string): Promise<unknown> =>
      await (await post('/v1/orders', body, { 'idempotency-key': key })).json();
    await engine.orders.place(order('100', { clientOrderId: 'a' }));
    expect(await outcome(order('100', { clientOrderId: 'a' }), 'b')).toMatchObject({ code: 'HFT_IDEMPOTENCY_KEY_CONFLICT', status: 422 });
    expect(await outcome(order('101'), 'a')).toMatchObject({ code: 'HFT_CLIENT_ORDER_ID_REUSED', status: 422 });
    expect(await outcome(order('100'), 'a b')).toMatchObject({ code: 'HFT_INVALID_FIELD', field: 'idempotency-key' });
    expect(await outcome(order('100'), 'x'.repeat(65))).toMatchObject({ code: 'HFT_INVALID_FIELD', field: 'idempotency-key' });
  });
});

describe('request ids', () => {
  it('come back as they were sent, and stand in problems', async () => {
    const answer = await post('/v1/orders', order('100.001'), { 'x-request-id': 'trace-1/a' });
    expect(answer.headers.get('x-request-id')).toBe('trace-1/a');
    expect(await answer.json()).toMatchObject({ requestId: 'trace-1/a' });
  });

  it('are made where none can be taken, each another, also for what is no request', async () => {
    const seen = new Set<string | null>();
    for (const given of ['', 'a b', '<x>', 'x'.repeat(129)]) {
      const answer = await post('/v1/orders', order('100'), { 'x-request-id': given });
      expect(answer.headers.get('x-request-id')).toMatch(/^[0-9a-f]{10}-[0-9a-z]+$/);
      seen.add(answer.headers.get('x-request-id'));
    }
    for (const path of ['/nowhere', '/v1/orders/%E0', '/health', '/docs/json'])
      seen.add((await fetch(`${engine.baseUrl}${path}`, { headers: engine.authorization })).headers.get('x-request-id'));
    expect(seen.has(null)).toBe(false);
    expect(seen.size).toBe(8);
  });
});

describe('reading', () => {
  it('the best prices, the orders of a book, and what is left of an account’s limits', async () => {
    const none = { symbol: 'BTC-USD', sequence: 0, state: 'trading', bid: null, ask: null };
    expect(await engine.orders.best('BTC-USD')).toEqual(none);
    expect(await engine.orders.limits('nobody')).toMatchObject({ openOrders: { limit: 2000, used: 0 }, instruments: [] });
    await engine.orders.batch([
      place('100', { quantity: '3', displayQuantity: '1' }),
      place('100'),
      place('99'),
      place('101', { account: 'bob', side: 'sell', quantity: '4' }),
      place('101', { side: 'buy', quantity: '1.5', timeInForce: 'IOC' }),
    ]);
    expect(await engine.orders.best('BTC-USD')).toEqual({
      ...none,
      sequence: 5,
      bid: { price: '100', quantity: '2', orders: 2 },
      ask: { price: '101', quantity: '2.5', orders: 1 },
      lastPrice: '101',
    });
    expect(await engine.orders.bookOrders('BTC-USD', 2)).toEqual({
      symbol: 'BTC-USD',
      sequence: 5,
      state: 'trading',
      bids: [
        { id: '1', price: '100', quantity: '1' },
        { id: '2', price: '100', quantity: '1' },
      ],
      asks: [{ id: '4', price: '101', quantity: '2.5' }],
      complete: false,
    });
    expect(await engine.orders.bookOrders('BTC-USD', 3)).toMatchObject({ complete: true });
    expect(await engine.orders.limits('alice')).toEqual({
      account: 'alice',
      sequence: 5,
      rate: { ordersPerSecond: 100_000, burst: 200_000, available: expect.any(Number) },
      killSwitch: { all: false, account: false },
      openOrders: { limit: 2000, used: 3 },
      order: { maxQuantity: '1000000', maxNotional: '1000000000', priceBandPercent: null },
      instruments: [
        {
          symbol: 'BTC-USD',
          position: { limit: '50', held: '1.5', ifBought: '6.5', ifSold: '1.5' },
          openNotional: { limit: '1000000', used: '499' },
        },
      ],
    });
    expect(await engine.orders.limits('bob')).toMatchObject({
      instruments: [{ position: { held: '-1.5', ifBought: '-1.5', ifSold: '-4' }, openNotional: { used: '252.5' } }],
    });
    await engine.admin.killSwitch({ account: 'bob', on: true });
    expect(await engine.orders.limits('bob')).toMatchObject({ killSwitch: { all: false, account: true }, openOrders: { used: 0 } });
  });

  it('positions page by page', async () => {
    const accounts = ['a', 'b', 'c'];
    for (const symbol of ['BTC-USD', 'ETH-USD'])
      await engine.orders.batch(
        accounts.flatMap((account) => [place('10', { symbol, account: 'market', side: 'sell' }), place('10', { symbol, account })]),
      );
    const { items } = await engine.orders.positions();
    expect(items).toHaveLength(8);
    const paged = [];
    let pages = 0;
    for (let after: string | undefined; ; pages += 1) {
      const { items: some, next } = await engine.orders.positions({ limit: 3, ...(after !== undefined && { after }) });
      paged.push(...some);
      if (next === null) break;
      after = next;
    }
    expect(paged).toEqual(items);
    expect(pages).toBe(2);
    const first = await engine.orders.positions({ account: 'a', limit: 1 });
    expect(await engine.orders.positions({ account: 'a', limit: 5, after: first.next ?? '' })).toMatchObject({
      items: [{ account: 'a', symbol: 'ETH-USD' }],
      next: null,
    });
  });
});
