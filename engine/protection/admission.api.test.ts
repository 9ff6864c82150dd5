import { expect, it } from 'vitest';
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
