import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { naiveTotals } from '../prove/workload.ts';
import { learn } from './core-run.ts';
import { generateWorkload } from './generate.ts';
import { measureBook } from './measure.ts';
import { CANCEL_RECORD, encodeWorkload, GTC_RECORD, readWorkload, Workload, writeWorkload, type WorkloadRecord } from './workload.ts';

const order = (id: number, side: number, priceTicks: number, quantityLots: number, type = GTC_RECORD): WorkloadRecord => ({
  type,
  side,
  account: 1,
  priceTicks,
  quantityLots,
  id,
});

describe('workload files', () => {
  it('hold what was written', () => {
    const directory = mkdtempSync(join(tmpdir(), 'hft-test-'));
    try {
      const path = join(directory, 'file');
      writeWorkload(path, [{ type: 1, side: 1, account: 65_535, priceTicks: -5, quantityLots: 2 ** 32 - 1, id: 2 ** 32 - 2 }]);
      const workload = readWorkload(path);
      expect(workload.commands).toBe(1);
      expect([workload.type(0), workload.side(0), workload.account(0)]).toEqual([1, 1, 65_535]);
      expect([workload.priceTicks(0), workload.quantityLots(0), workload.id(0)]).toEqual([-5, 2 ** 32 - 1, 2 ** 32 - 2]);
      writeFileSync(path, new Uint8Array(17));
      expect(() => readWorkload(path)).toThrow('17 bytes are no whole number of 16-byte records');
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('are refused when a record is none', () => {
    expect(() => new Workload(encodeWorkload([order(1, 0, 1, 1), order(2, 2, 1, 1)]))).toThrow('record 1');
    expect(() => new Workload(encodeWorkload([order(1, 0, 1, 1, 3)]))).toThrow('record 0');
  });

  it('are the same for the same seed', () => {
    const make = (seed: number) => encodeWorkload(generateWorkload({ commands: 500, seed, resting: 100 }));
    expect(make(1)).toEqual(make(1));
    expect(make(1)).not.toEqual(make(2));
    // Of any version: figures are compared over versions.
    expect(createHash('sha256').update(make(1)).digest('hex')).toBe('55189c25ec10ec6efd4b5c7efad4d2a129f492da29f622b4fca9104f66516c5e');
  });
});

describe('the core on a workload', () => {
  it.each([1, 2, 3])('gives the totals and the book of the naive model, seed %i', (seed) => {
    const workload = new Workload(encodeWorkload(generateWorkload({ commands: 8000, seed, resting: 400 })));
    const naive = naiveTotals(workload);
    expect(measureBook(workload)).toMatchObject(naive);
    expect(naive.fills).toBeGreaterThan(500);
  });

  it('rejects cancels of unknown orders, of gone ones and by other accounts', () => {
    const cancel = (id: number, account = 1) => ({ ...order(id, 0, 0, 0, CANCEL_RECORD), account });
    const records = [cancel(9), order(4_000_000_000, 0, 100, 5), cancel(4_000_000_000, 2), order(7, 1, 100, 2), cancel(7), cancel(8)];
    const { run, totals } = learn(new Workload(encodeWorkload(records)));
    expect([run.core.openOrders, run.core.sequence, run.sink.fills, run.sink.volumeLots, totals.notional]).toEqual([1, 2, 1, 2, 200n]);
    const after = learn(new Workload(encodeWorkload([...records, cancel(4_000_000_000)])));
    expect([after.run.core.openOrders, after.run.core.sequence]).toEqual([0, 3]);
  });
});
