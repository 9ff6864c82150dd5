import { expect, it } from 'vitest';
import { measureClients } from './clients.ts';

it('500 bad clients do not keep others waiting, cost little memory, and are ended', async () => {
  const { p99Ms, rssMiB, ended } = await measureClients({ count: 500, windows: 8, seconds: 11 });
  // Generous: the strict figure is that of `npm run prove -- clients`.
  for (const { before, during } of Object.values(p99Ms)) expect(during).toBeLessThan(before * 4 + 20);
  expect(rssMiB.most - rssMiB.before).toBeLessThan(192);
  for (const kind of ['httpHalfOpen', 'httpByteHeaders', 'webSocketByteHandshake', 'webSocketNeverReads'])
    expect(ended[kind], kind).toBeGreaterThan(0);
}, 60_000);
