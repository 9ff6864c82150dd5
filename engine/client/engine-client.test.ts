import { expect, it } from 'vitest';
import { EngineClient, type EngineClientParts } from './engine-client.ts';

it('begins its client order ids anywhere, and never gives one twice', async () => {
  const ids: string[] = [];
  const way = { place: ({ clientOrderId }: { clientOrderId: string }) => Promise.resolve(void ids.push(clientOrderId)) };
  for (let each = 0; each < 4; each += 1) {
    const client = new EngineClient({ transport: 'http', way, timeoutMs: 1000, maxInFlight: 1 } as unknown as EngineClientParts);
    const order = { symbol: 'BTC-USD', account: 'alice', side: 'buy', type: 'market', quantity: '1' } as const;
    for (let of = 0; of < 10; of += 1) await client.place(order);
  }
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{16}$/);
  // The counters, without the prefixes: from 1 on each of the four had the same ten.
  expect(new Set(ids.map((id) => id.slice(8))).size).toBeGreaterThan(20);
});
