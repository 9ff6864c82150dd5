import { expect, it } from 'vitest';
import { startLocalEngine } from '../engine/testing/local-engine.ts';
import { OrderStream } from './order-stream.ts';

it('keeps account of every answer, and finds nothing lost when nothing was', async () => {
  await using engine = await startLocalEngine({ config: { limits: { ordersPerSecond: 1e6, burst: 1e6 } } });
  const stream = new OrderStream({
    url: () => Promise.resolve(engine.baseUrl),
    token: () => Promise.resolve(engine.token),
    symbol: 'BTC-USD',
    basePrice: 100,
    priceDigits: 2,
    quantity: '0.01',
    account: 'stream',
    maxOrders: 200,
  });
  const report = await stream.start().finished();
  expect(report).toMatchObject({ acknowledged: 200, unknown: 0, refused: {} });
  expect(report.fills).toBeGreaterThan(50);
  expect(await stream.differences(engine.orders)).toEqual([]);
});
