import { expect, it } from 'vitest';
import { proveRecovery } from './recovery.ts';

it('a journal is recovered to the state in which it was written, whole and from a snapshot', { timeout: 120_000 }, async () => {
  const proof = await proveRecovery({ commands: 50_000, limitMs: 10_000, seed: 7 });
  expect(proof).toMatchObject({ commands: 50_000, violations: [] });
  expect(proof.openOrders).toBeGreaterThan(1000);
});
