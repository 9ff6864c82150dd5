import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Holdings } from './holdings.ts';
import { BUY, SELL, type Side } from './types.ts';

describe('positions', () => {
  /** Side, lots, price; position and average afterwards. */
  it.each<[string, [Side, number, number][], number, number]>([
    ['opened', [[BUY, 5, 100]], 5, 100],
    ['opened short', [[SELL, 5, 100]], -5, 100],
    [
      'added to',
      [
        [BUY, 5, 100],
        [BUY, 15, 200],
      ],
      20,
      175,
    ],
    [
      'added to short',
      [
        [SELL, 1, 100],
        [SELL, 3, 200],
      ],
      -4,
      175,
    ],
    [
      'reduced',
      [
        [BUY, 5, 100],
        [SELL, 2, 300],
      ],
      3,
      100,
    ],
    [
      'reduced short',
      [
        [SELL, 5, 100],
        [BUY, 2, 300],
      ],
      -3,
      100,
    ],
    [
      'closed',
      [
        [BUY, 5, 100],
        [SELL, 5, 300],
      ],
      0,
      0,
    ],
    [
      'turned',
      [
        [BUY, 5, 100],
        [SELL, 7, 300],
      ],
      -2,
      300,
    ],
    [
      'turned short',
      [
        [SELL, 5, 100],
        [BUY, 7, 300],
      ],
      2,
      300,
    ],
    [
      'opened anew',
      [
        [BUY, 5, 100],
        [SELL, 5, 300],
        [SELL, 1, 7],
      ],
      -1,
      7,
    ],
  ])('%s', (_name, trades, lots, averageTicks) => {
    const holdings = new Holdings();
    const row = holdings.take(3, 1);
    for (const [side, count, price] of trades) holdings.trade(row, side, price, count);
    expect(holdings.position(row)).toMatchObject({ account: 3, instrument: 1, lots, averageTicks });
  });
});

describe('Holdings', () => {
  it('finds what a map would', () => {
    const key = fc.tuple(fc.integer({ min: 0, max: 2 ** 20 - 1 }), fc.nat(30));
    fc.assert(
      fc.property(fc.array(key, { maxLength: 300, size: 'max' }), (keys) => {
        const holdings = new Holdings();
        const model = new Map<string, number>();
        for (const [account, instrument] of keys) {
          const known = model.get(`${account} ${instrument}`);
          expect(holdings.find(account, instrument)).toBe(known ?? -1);
          const row = holdings.take(account, instrument);
          if (known === undefined) model.set(`${account} ${instrument}`, row);
          else expect(row).toBe(known);
        }
        for (const [account, instrument] of keys) expect(holdings.find(account, instrument)).toBe(model.get(`${account} ${instrument}`));
        expect(new Set(model.values()).size).toBe(model.size);
      }),
      { numRuns: 50 },
    );
  });

  it('sums open orders by side, and is exactly 0 without any', () => {
    const holdings = new Holdings();
    const row = holdings.take(3, 1);
    holdings.opened(row, BUY, 0.1 * 3, 10);
    holdings.opened(row, SELL, 2 ** 60, 7);
    holdings.reduced(row, BUY, 0.1 * 3, 4);
    expect(holdings.position(row)).toMatchObject({ openOrders: 2, openBuyLots: 6, openSellLots: 7 });
    expect([holdings.exposure(row, BUY), holdings.exposure(row, SELL), holdings.openOrders(3), holdings.openOrders(4)]).toEqual([
      6, 7, 2, 0,
    ]);
    holdings.reduced(row, BUY, 0.1 * 3, 6);
    holdings.closed(row);
    holdings.reduced(row, SELL, 2 ** 60, 7);
    holdings.closed(row);
    expect([holdings.openNotional(row), holdings.openOrders(3)]).toEqual([0, 0]);
  });

  it.each([BUY, SELL] as const)('counts no open lots of side %i without an order, though their sum was rounded', (side) => {
    const holdings = new Holdings();
    const row = holdings.take(3, 1);
    const lots = [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER - 1, 3];
    for (const count of lots) holdings.opened(row, side, 1, count);
    for (const count of lots) holdings.reduced(row, side, 1, count);
    expect(holdings.exposure(row, side)).not.toBe(0);
    for (const _ of lots) holdings.closed(row);
    expect(holdings.position(row)).toMatchObject({ openOrders: 0, openBuyLots: 0, openSellLots: 0 });
  });

  it('knows nothing of accounts that it has not met', () => {
    const holdings = new Holdings();
    expect([0, 255, 256, 2 ** 20 - 1].map((account) => [holdings.openOrders(account), holdings.isKilled(account)])).toEqual(
      Array.from({ length: 4 }, () => [0, false]),
    );
  });

  it('keeps kill switches and open orders when it meets an account with a far higher number', () => {
    const holdings = new Holdings();
    for (const account of [0, 7, 255]) holdings.setKilled(account, true);
    holdings.opened(holdings.take(7, 0), BUY, 1, 1);
    holdings.setKilled(100_000, true);
    holdings.take(2 ** 20 - 1, 0);
    expect(holdings.killedAccounts()).toEqual([0, 7, 255, 100_000]);
    expect([holdings.isKilled(0), holdings.isKilled(1), holdings.openOrders(7)]).toEqual([true, false, 1]);
  });

  it('lists positions that are not flat by instrument, then account', () => {
    const holdings = new Holdings();
    for (const [account, instrument, lots] of [
      [9, 1, 1],
      [3, 1, 2],
      [5, 0, 3],
      [4, 0, 0],
    ] as const)
      holdings.restore(account, instrument, lots, 100);
    expect(holdings.heldRows().map((row) => holdings.lots(row))).toEqual([3, 2, 1]);
  });
});
