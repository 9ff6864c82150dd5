import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EngineConfig } from '../../../crds/engine-config.ts';
import { DEFAULT_CONFIG } from '../../config/config.ts';
import { JournalReader } from '../../journal/reader.ts';
import { startLocalEngine, type LocalEngine } from '../../testing/local-engine.ts';
import { OrderClient, type NewOrder } from '../../client/orders.ts';
import { REJECT } from '../../core/types.ts';

const RFC_3339 = /^20\d\d-\d\d-\d\dT[\d:.]+Z$/;
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
        createdAt: expect.stringMatching(RFC_3339),
        updatedAt: expect.stringMatching(RFC_3339),
      },
      fills: [],
      next: null,
      repeated: false,
    });
    const second = await engine.orders.place(sell('99.5', '0.5', { timeInForce: 'IOC' }));
    const fill = {
      sequence: 2,
      index: 0,
      symbol: 'BTC-USD',
      price: '100',
      quantity: '0.5',
      makerOrderId: '1',
      takerOrderId: '2',
      takerSide: 'sell',
      executedAt: second.order.createdAt,
    };
    expect(second.fills).toEqual([fill]);
    expect(second.order).toMatchObject({ status: 'filled', price: '99.5', filledQuantity: '0.5', remainingQuantity: '0' });
    expect(await engine.orders.get('1')).toMatchObject({ status: 'open', filledQuantity: '0.5', remainingQuantity: '1.5' });
    expect(await engine.orders.book('BTC-USD')).toEqual({
      symbol: 'BTC-USD',
      sequence: 2,
      state: 'trading',
      bids: [{ price: '100', quantity: '1.5', orders: 1 }],
      asks: [],
    });
    expect((await engine.orders.fills()).items).toEqual([fill]);
    const [btc, ...others] = DEFAULT_CONFIG.instruments;
    expect(await engine.orders.instruments()).toEqual([
      { ...btc, state: 'trading', lastPrice: '100' },
      ...others.map((instrument) => ({ ...instrument, state: 'trading' })),
    ]);
    expect((await engine.orders.trades('BTC-USD')).items).toEqual([fill]);
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
    expect(await killed.orders.get('2')).toMatchObject({ status: 'cancelled', reason: 'kill-switch' });
    expect((await killed.orders.book('BTC-USD')).bids).toEqual([]);
    await killed[Symbol.asyncDispose]();
  });

  it('refuses by position, open orders and open notional, and names the limit', async () => {
    const risk = { ...DEFAULT_CONFIG.risk, maxPosition: '5', maxOpenOrders: 3, maxOpenNotional: '450' };
    const strict = await restart(engine.dataDirectory, { ...CONFIG, risk });
    await strict.orders.place(buy('100', '4'));
    await expect(strict.orders.place(buy('1', '1.0001'))).rejects.toMatchObject({
      status: 422,
      code: 'HFT_MAX_POSITION',
      number: REJECT.maxPosition,
      field: 'quantity',
      message: expect.stringContaining('risk.maxPosition 5'),
    });
    await expect(strict.orders.place(buy('100', '0.6'))).rejects.toMatchObject({
      code: 'HFT_MAX_OPEN_NOTIONAL',
      number: REJECT.maxOpenNotional,
    });
    await strict.orders.place(buy('1', '0.1'));
    await strict.orders.place({ ...buy('1', '0.1'), symbol: 'ETH-USD' });
    await expect(strict.orders.place(buy('1', '0.1'))).rejects.toMatchObject({ code: 'HFT_MAX_OPEN_ORDERS', number: REJECT.maxOpenOrders });
    // What does not rest is no open order.
    expect((await strict.orders.place(sell('1', '1'))).order.status).toBe('filled');
    expect(await strict.orders.positions()).toEqual([
      { account: 'alice', symbol: 'BTC-USD', quantity: '1', averagePrice: '100' },
      { account: 'bob', symbol: 'BTC-USD', quantity: '-1', averagePrice: '100' },
    ]);
    await strict[Symbol.asyncDispose]();
  });

  it('limits each account by itself and says when to come back', async () => {
    const limited = await restart(engine.dataDirectory, { ...CONFIG, limits: { ordersPerSecond: 1, burst: 3 } });
    for (let index = 0; index < 3; index += 1) await limited.orders.place(buy('100', '1'));
    await expect(limited.orders.place(buy('100', '1'))).rejects.toMatchObject({ status: 429, code: 'HFT_RATE_LIMIT', retryAfterMs: 1000 });
    expect(await limited.orders.place(buy('100', '1', { account: 'zoe' }))).toMatchObject({ repeated: false });
    await limited[Symbol.asyncDispose]();
  });
});

describe('order types', () => {
  it('stop orders wait, then trade; stop-limit orders then rest', async () => {
    const stop = await engine.orders.place({
      symbol: 'BTC-USD',
      account: 'carol',
      side: 'buy',
      type: 'stop',
      stopPrice: '101',
      quantity: '1',
    });
    expect(stop.order).toMatchObject({ status: 'pending', stopPrice: '101', timeInForce: 'GTC' });
    expect(stop.order).not.toHaveProperty('price');
    const limit = await engine.orders.place({
      symbol: 'BTC-USD',
      account: 'alice',
      side: 'buy',
      type: 'stop-limit',
      stopPrice: '101',
      price: '100.5',
      quantity: '1',
      displayQuantity: '0.5',
    });
    expect((await engine.orders.orders({ status: 'pending' })).items.map(({ id }) => id)).toEqual([stop.order.id, limit.order.id]);
    expect((await engine.orders.book('BTC-USD')).bids).toEqual([]);
    await engine.orders.place(sell('101', '3'));
    await engine.orders.place(buy('101', '1', { account: 'zoe' }));
    expect(await engine.orders.get(stop.order.id)).toMatchObject({ status: 'filled', filledQuantity: '1' });
    expect(await engine.orders.get(limit.order.id)).toMatchObject({ status: 'open', price: '100.5', displayQuantity: '0.5' });
    expect((await engine.orders.book('BTC-USD')).bids).toEqual([{ price: '100.5', quantity: '0.5', orders: 1 }]);
  });

  it('icebergs show a part, post-only refuses to take, self-trade prevention does what was asked', async () => {
    await engine.orders.place(sell('100', '10', { displayQuantity: '2' }));
    expect((await engine.orders.book('BTC-USD')).asks).toEqual([{ price: '100', quantity: '2', orders: 1 }]);
    await expect(engine.orders.place(buy('100', '1', { postOnly: true }))).rejects.toMatchObject({
      status: 422,
      code: 'HFT_WOULD_TRADE',
      number: REJECT.wouldTrade,
      message: expect.stringContaining('best ask of 100'),
    });
    const own = buy('100', '1', { account: 'bob', selfTradePrevention: 'decrement', clientOrderId: 'own' });
    const first = await engine.orders.place(own);
    expect(first).toMatchObject({
      order: { status: 'cancelled', reason: 'self-trade', filledQuantity: '0', remainingQuantity: '0' },
      fills: [],
    });
    expect(await engine.orders.place(own)).toEqual({ ...first, repeated: true });
    expect(await engine.orders.get('1')).toMatchObject({ status: 'open', quantity: '9', remainingQuantity: '9' });
  });

  it('good-till-date orders expire by themselves, and are refused when their time has passed', async () => {
    const soon = new Date(Date.now() + 300).toISOString();
    const { order } = await engine.orders.place(buy('100', '1', { timeInForce: 'GTD', expiresAt: soon }));
    expect(order).toMatchObject({ status: 'open', expiresAt: soon });
    await expect
      .poll(async () => await engine.orders.get(order.id), { timeout: 10_000 })
      .toMatchObject({ status: 'cancelled', reason: 'expired' });
    await expect(engine.orders.place(buy('100', '1', { timeInForce: 'GTD', expiresAt: soon }))).rejects.toMatchObject({
      code: 'HFT_EXPIRED',
    });
  });

  it('are replaced: place kept only when the quantity falls', async () => {
    const first = await engine.orders.place(buy('100', '2'));
    const second = await engine.orders.place(buy('100', '2', { account: 'zoe' }));
    expect((await engine.orders.replace(first.order.id, { quantity: '1' })).order).toMatchObject({ quantity: '1', remainingQuantity: '1' });
    expect((await engine.orders.place(sell('100', '0.5'))).fills).toMatchObject([{ makerOrderId: first.order.id }]);
    await engine.orders.replace(first.order.id, { quantity: '2' });
    expect((await engine.orders.place(sell('100', '0.5'))).fills).toMatchObject([{ makerOrderId: second.order.id }]);
    await engine.orders.place(sell('101', '1'));
    const moved = await engine.orders.replace(first.order.id, { price: '101' });
    expect(moved.fills).toMatchObject([{ price: '101', quantity: '1', takerOrderId: first.order.id, takerSide: 'buy' }]);
    expect(moved.order).toMatchObject({ price: '101', quantity: '2', filledQuantity: '1.5', remainingQuantity: '0.5', status: 'open' });
    await expect(engine.orders.replace(first.order.id, { quantity: '1.5' })).rejects.toMatchObject({ code: 'HFT_QUANTITY_FILLED' });
    await expect(engine.orders.replace(first.order.id, { price: '101' })).rejects.toMatchObject({ code: 'HFT_BAD_TERMS' });
    await expect(engine.orders.replace('999', { price: '101' })).rejects.toMatchObject({ code: 'HFT_ORDER_NOT_FOUND' });
    await engine.orders.cancel(first.order.id);
    await expect(engine.orders.replace(first.order.id, { price: '102' })).rejects.toMatchObject({ code: 'HFT_ORDER_NOT_OPEN' });
  });

  it('are cancelled together by account and instrument, and when their connection ends', async () => {
    for (const symbol of ['BTC-USD', 'ETH-USD']) await engine.orders.place({ ...buy('100', '1'), symbol });
    await engine.orders.place(buy('100', '1', { account: 'zoe' }));
    expect(await engine.orders.massCancel({ account: 'alice', symbol: 'ETH-USD' })).toEqual({ count: 1, ids: ['2'] });
    expect(await engine.orders.massCancel({ account: 'alice' })).toEqual({ count: 1, ids: ['1'] });
    expect(await engine.orders.massCancel({ account: 'nobody' })).toEqual({ count: 0, ids: [] });
    expect(await engine.orders.get('1')).toMatchObject({ status: 'cancelled', reason: 'mass-cancel' });
    const fleeting = new OrderClient(engine);
    const { order } = await fleeting.place(buy('100', '1', { cancelOnDisconnect: true }));
    expect(await engine.orders.get(order.id)).toMatchObject({ status: 'open' });
    await fleeting.close();
    await expect
      .poll(async () => await engine.orders.get(order.id), { timeout: 10_000 })
      .toMatchObject({ status: 'cancelled', reason: 'disconnected' });
    expect(await engine.orders.get('3')).toMatchObject({ status: 'open' });
  });

  it.each([
    ['stop with a price', { type: 'stop', stopPrice: '1', price: '1' }, 'HFT_UNKNOWN_FIELD', 'price'],
    ['stop without a stop price', { type: 'stop', price: undefined }, 'HFT_MISSING_FIELD', 'stopPrice'],
    ['GTD without a time', { timeInForce: 'GTD' }, 'HFT_MISSING_FIELD', 'expiresAt'],
    ['a time without GTD', { expiresAt: '2030-01-01T00:00:00Z' }, 'HFT_BAD_TERMS', 'expiresAt'],
    ['a time without a zone', { timeInForce: 'GTD', expiresAt: '2030-01-01T00:00:00' }, 'HFT_INVALID_FIELD', 'expiresAt'],
    ['IOC that hides', { timeInForce: 'IOC', displayQuantity: '1' }, 'HFT_BAD_TERMS', 'displayQuantity'],
    ['IOC that is post-only', { timeInForce: 'IOC', postOnly: true }, 'HFT_BAD_TERMS', 'postOnly'],
    ['an unknown self-trade mode', { selfTradePrevention: 'both' }, 'HFT_INVALID_FIELD', 'selfTradePrevention'],
    ['a display that is too small', { quantity: '10000', displayQuantity: '0.0001' }, 'HFT_BAD_TERMS', undefined],
  ])('%s is refused', async (_name, more, code, field) => {
    const body = JSON.stringify({ ...buy('100', '1'), ...more });
    const answer = await fetch(`${engine.baseUrl}/v1/orders`, {
      method: 'POST',
      headers: { ...engine.authorization, 'content-type': 'application/json' },
      body,
    });
    expect(await answer.json()).toMatchObject({ code, ...(field !== undefined && { field }) });
    expect((await engine.orders.orders()).items).toEqual([]);
  });
});

describe('trading states and the kill switch', () => {
  it('an opening auction gathers crossed orders, shows its price, and trades at one price', async () => {
    await engine.admin.setState('BTC-USD', 'pre-open');
    await engine.orders.place(buy('101', '2'));
    await engine.orders.place(sell('99', '1'));
    await expect(engine.orders.place(buy('100', '1', { timeInForce: 'IOC' }))).rejects.toMatchObject({
      status: 409,
      code: 'HFT_NOT_IN_STATE',
    });
    const [before] = await engine.orders.instruments();
    expect(before).toMatchObject({ state: 'pre-open', indication: { price: '99', quantity: '1', imbalance: '1', imbalanceSide: 'buy' } });
    await engine.admin.setState('BTC-USD', 'trading');
    expect((await engine.orders.trades('BTC-USD')).items).toMatchObject([{ price: '99', quantity: '1' }]);
    expect(await engine.orders.get('3')).toMatchObject({ status: 'filled' });
    await engine.orders.place(buy('90', '1', { timeInForce: 'DAY' }));
    expect(await engine.admin.setState('BTC-USD', 'closed')).toMatchObject({ count: 1 });
    await expect(engine.orders.place(buy('100', '1'))).rejects.toMatchObject({
      code: 'HFT_NOT_IN_STATE',
      message: expect.stringContaining('BTC-USD is closed'),
    });
    await expect(engine.admin.setState('DOGE-USD', 'closed')).rejects.toMatchObject({ status: 404, code: 'HFT_INSTRUMENT_NOT_FOUND' });
  });

  it('trading halts when a trade would leave the volatility band, and goes on by itself', async () => {
    const volatility = { bandPercent: 10, window: '1m', halt: '300ms' };
    const nervous = await restart(engine.dataDirectory, { ...CONFIG, risk: { ...DEFAULT_CONFIG.risk, volatility } });
    await nervous.orders.place(sell('100', '1'));
    await nervous.orders.place(buy('100', '1'));
    await nervous.orders.place(sell('120', '1'));
    expect((await nervous.orders.place(buy('120', '1'))).order).toMatchObject({
      status: 'cancelled',
      reason: 'interrupted',
      filledQuantity: '0',
    });
    expect((await nervous.orders.book('BTC-USD')).state).toBe('halted');
    await expect.poll(async () => (await nervous.orders.book('BTC-USD')).state, { timeout: 10_000 }).toBe('trading');
    await nervous[Symbol.asyncDispose]();
  });

  it('the kill switch of an account cancels what it has and refuses what it sends, also after a restart', async () => {
    const { order } = await engine.orders.place(buy('100', '1'));
    await engine.orders.place(buy('99', '1', { account: 'zoe' }));
    expect(await engine.admin.killSwitch({ account: 'alice', on: true })).toEqual({ count: 1, ids: [order.id] });
    await expect(engine.orders.place(buy('100', '1'))).rejects.toMatchObject({ code: 'HFT_KILL_SWITCH', field: 'account' });
    expect((await engine.orders.place(buy('98', '1', { account: 'zoe' }))).order.status).toBe('open');
    const again = await restart(engine.dataDirectory);
    await expect(again.orders.place(buy('100', '1'))).rejects.toMatchObject({ code: 'HFT_KILL_SWITCH' });
    expect(await again.admin.killSwitch({ on: true })).toMatchObject({ count: 2 });
    await again.admin.killSwitch({ on: false });
    await again.admin.killSwitch({ account: 'alice', on: false });
    expect((await again.orders.place(buy('100', '1'))).order.status).toBe('open');
    await again[Symbol.asyncDispose]();
  });

  it('a snapshot is taken on demand, and the next start begins from it', async () => {
    for (let index = 0; index < 5; index += 1) await engine.orders.place(buy(String(100 + index), '1'));
    const { sequence, stateHash } = await engine.admin.status();
    expect(await engine.admin.snapshot()).toEqual({ sequence, stateHash, openOrders: 5 });
    const again = await restart(engine.dataDirectory);
    expect((await again.admin.status()).recovery).toMatchObject({
      sequence,
      stateHash,
      snapshotSequence: sequence,
      commands: 0,
      warnings: [],
    });
    await again[Symbol.asyncDispose]();
  });
});

describe('retention', () => {
  it('drops what is old and held by two snapshots; nothing that rests is lost by it', async () => {
    const brief = await restart(engine.dataDirectory, { ...CONFIG, journal: { durability: 'commit', retention: '1ms' } });
    for (let index = 0; index < 10; index += 1) {
      await brief.orders.place(buy(String(100 + index), '1', { clientOrderId: `kept-${index}` }));
      if (index === 3 || index === 6) await brief.admin.snapshot();
    }
    const compactedThrough = (): number => {
      const reader = JournalReader.open(engine.dataDirectory);
      const through = reader.compactedThrough();
      reader.close();
      return through;
    };
    await expect.poll(compactedThrough, { timeout: 10_000 }).toBe(4);
    const { sequence, stateHash } = await brief.admin.status();
    await brief.running.stop();
    const again = await startLocalEngine({ dataDirectory: engine.dataDirectory, config: CONFIG });
    expect(await again.admin.status()).toMatchObject({ sequence, stateHash, recovery: { snapshotSequence: sequence, warnings: [] } });
    expect(await again.orders.place(buy('100', '1', { clientOrderId: 'kept-0' }))).toMatchObject({ repeated: true, order: { id: '1' } });
    await again[Symbol.asyncDispose]();
  });
});

describe('the rest of the surface', () => {
  const get = async (path: string, init: RequestInit = {}): Promise<Response> =>
    await fetch(`${engine.baseUrl}${path}`, { headers: engine.authorization, ...init, signal: AbortSignal.timeout(10_000) });

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
          post: { requestBody: { content: { 'application/json': { schema: { oneOf: [{ additionalProperties: false }, {}, {}, {}] } } } } },
          get: {},
        },
        '/v1/orders/{id}': { get: {}, patch: {}, delete: {} },
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
