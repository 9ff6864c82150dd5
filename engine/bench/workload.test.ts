import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { NaiveExchange } from '../core/naive-model.ts';
import { BUY, CANCEL_ORDER, GTC, IOC, LIMIT, NEW_ORDER, SELL } from '../core/types.ts';
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

/** The same file on the naive model, which knows orders by their file ids. */
function naiveTotals(records: readonly WorkloadRecord[]) {
  const exchange = new NaiveExchange();
  const totals = { fills: 0, volume: 0, hash: 0x811c9dc5 };
  const sink = {
    fill(makerId: number, takerId: number, priceTicks: number, quantityLots: number): void {
      totals.fills += 1;
      totals.volume += quantityLots;
      for (const word of [takerId, makerId, priceTicks, quantityLots]) totals.hash = Math.imul(totals.hash ^ word, 0x01000193);
    },
    order: (): void => undefined,
  };
  for (const { type, side, account, priceTicks, quantityLots, id } of records) {
    if (type === CANCEL_RECORD) {
      const resting = exchange.book(0).sides.flat();
      if (resting.some((other) => other.id === id && other.account === account))
        exchange.apply(id, 0, { kind: CANCEL_ORDER, instrument: 0, orderId: id }, sink);
    } else {
      const timeInForce = type === GTC_RECORD ? GTC : IOC;
      const command = {
        kind: NEW_ORDER,
        instrument: 0,
        account,
        side: side === 0 ? BUY : SELL,
        type: LIMIT,
        timeInForce,
        priceTicks,
        quantityLots,
      } as const;
      exchange.apply(id, 0, command, sink);
    }
  }
  const [bids, asks] = exchange.book(0).sides;
  return { fills: totals.fills, volume: totals.volume, hash: (totals.hash >>> 0).toString(16), bids, asks };
}

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
  });
});

describe('the core on a workload', () => {
  it.each([1, 2, 3])('gives the totals and the book of the naive model, seed %i', (seed) => {
    const records = generateWorkload({ commands: 8000, seed, resting: 400 });
    const naive = naiveTotals(records);
    const figures = measureBook(new Workload(encodeWorkload(records)));
    const sum = (orders: { remainingLots: number }[]) => orders.reduce((lots, { remainingLots }) => lots + remainingLots, 0);
    expect(figures).toMatchObject({
      commands: 8000,
      fills: naive.fills,
      volume: naive.volume,
      hash: naive.hash,
      resting: naive.bids.length + naive.asks.length,
      bidQuantity: sum(naive.bids),
      askQuantity: sum(naive.asks),
      bestBid: naive.bids[0]?.priceTicks,
      bestAsk: naive.asks[0]?.priceTicks,
    });
    expect(naive.fills).toBeGreaterThan(500);
  });

  it('rejects cancels of unknown orders, of gone ones and by other accounts', () => {
    const cancel = (id: number, account = 1) => ({ ...order(id, 0, 0, 0, CANCEL_RECORD), account });
    const records = [cancel(9), order(4_000_000_000, 0, 100, 5), cancel(4_000_000_000, 2), order(7, 1, 100, 2), cancel(7), cancel(8)];
    const { run } = learn(new Workload(encodeWorkload(records)));
    expect([run.core.openOrders, run.core.sequence, run.sink.fills, run.sink.volumeLots, run.sink.notional]).toEqual([1, 2, 1, 2, 200n]);
    const after = learn(new Workload(encodeWorkload([...records, cancel(4_000_000_000)])));
    expect([after.run.core.openOrders, after.run.core.sequence]).toEqual([0, 3]);
  });
});
