import { expect, it } from 'vitest';
import { measureClients } from './clients.ts';

it('500 bad clients do not keep others waiting, cost little memory, and are ended', async () => {
  const { p99Ms, rssMiB, ended } = await measureClients({ count: 500, windows: 6, seconds: 10 });
  // Generous, for a machine that has other work: without one of the bounds it is hundreds of milliseconds. The strict figure is that of `npm run prove -- clients`.
  for (const [name, { before, during }] of Object.entries(p99Ms)) expect(during, name).toBeLessThan(before * 4 + 40);
  expect(rssMiB.most - rssMiB.before).toBeLessThan(192);
  for (const kind of ['httpHalfOpen', 'httpByteHeaders', 'webSocketByteHandshake']) expect(ended[kind], kind).toBeGreaterThan(0);
}, 60_000);
