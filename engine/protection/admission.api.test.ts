import { expect, it } from 'vitest';
import { localToken } from '../access/local-token.ts';
import { GrpcOrderClient } from '../client/grpc.ts';
import { OrderClient } from '../client/orders.ts';
import { startLocalEngine } from '../testing/local-engine.ts';

const BODY = JSON.stringify({ symbol: 'BTC-USD', account: 'alice', side: 'buy', type: 'limit', price: '100', quantity: '1' });

it('asks for a token before it looks at the load, and takes nothing of the breaker without one', async () => {
  await using engine = await startLocalEngine({ config: { journal: { durability: 'memory' } } });
  const { journal } = engine.running.engine.admission;
  const place = async (headers: Record<string, string>): Promise<number> => {
    const response = await fetch(`${engine.baseUrl}/v1/orders`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: BODY,
      signal: AbortSignal.timeout(5000),
    });
    await response.arrayBuffer();
    return response.status;
  };
  journal.trip('a test', performance.now() + 60_000);
  expect(await place({})).toBe(401);
  expect(await place({ authorization: 'Bearer not.a.token' })).toBe(401);
  expect(journal.refused).toBe(0);
  expect(await place(engine.authorization)).toBe(503);
  expect(journal.refused).toBe(1);
});

it('tries with orders that are taken: those that are refused anyway keep nobody out', async () => {
  await using engine = await startLocalEngine({ config: { journal: { durability: 'memory' } } });
  const { journal } = engine.running.engine.admission;
  const order = { symbol: 'BTC-USD', account: 'alice', side: 'buy', type: 'limit', price: '100', quantity: '1' } as const;
  journal.trip('a test', performance.now() - 60_000);
  const bad = { ...order, price: '100.0000001' };
  for (let n = 0; n < 10; n += 1) await expect(engine.orders.place(bad)).rejects.toMatchObject({ status: 422 });
  const grpc = new GrpcOrderClient({ address: `127.0.0.1:${engine.running.grpcPort}`, token: engine.token });
  const wide = { symbol: 'BTC-USD', account: 'alice', side: 1, type: 1, priceTicks: 100, quantityLots: 2 ** 52 };
  for (let n = 0; n < 10; n += 1) await expect(grpc.place(wide)).rejects.toMatchObject({ code: 'HFT_MAX_ORDER_QTY' });
  grpc.close();
  const { results } = await engine.orders.batch(Array.from({ length: 10 }, () => ({ op: 'place' as const, order: bad })));
  expect(results.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 422));
  expect((await engine.orders.place(order)).order.status).toBe('open');
});

it('cancels open orders in a batch while queries are refused, with a token for one account', async () => {
  await using engine = await startLocalEngine({ config: { journal: { durability: 'memory' } } });
  const { admission, config } = engine.running.engine;
  const order = { symbol: 'BTC-USD', side: 'buy', type: 'limit', price: '100', quantity: '1' } as const;
  const ids: string[] = [];
  for (const account of ['alice', 'alice', 'bob']) ids.push((await engine.orders.place({ ...order, account })).order.id);
  const token = await localToken(engine.dataDirectory, config.engine, { subject: 'one', accounts: ['alice'] });
  const alice = new OrderClient({ baseUrl: engine.baseUrl, token });
  admission.views.trip('a test', performance.now() + 60_000);
  const { results } = await alice.batch(ids.map((id) => ({ op: 'cancel' as const, id })));
  await alice.close();
  // Done, and not shown: that would be a query.
  expect(results).toMatchObject([
    { problem: { code: 'HFT_DONE_NOT_SHOWN' } },
    { problem: { code: 'HFT_DONE_NOT_SHOWN' } },
    { status: 403, problem: { code: 'HFT_FORBIDDEN' } },
  ]);
  expect(engine.running.engine.market.core.openOrders).toBe(1);
});
