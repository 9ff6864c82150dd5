import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Differential } from '../prove/differential.ts';
import { StateHash } from './hash.ts';
import { randomCommands } from './random-commands.ts';
import { BUY, CANCEL_ORDER, FOK, GTC, IOC, LIMIT, MARKET, NEW_ORDER, SELL, type Command } from './types.ts';

const instrument = fc.integer({ min: 0, max: 1 });
const price = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 90, max: 110 }) },
  { weight: 2, arbitrary: fc.integer({ min: 1, max: 5000 }) },
  { weight: 1, arbitrary: fc.maxSafeNat().map((ticks) => Math.max(1, ticks)) },
);
const lots = fc.oneof(
  { weight: 9, arbitrary: fc.integer({ min: 1, max: 50 }) },
  { weight: 1, arbitrary: fc.maxSafeNat().map((count) => Math.max(1, count)) },
);
const account = fc.oneof(fc.nat(3), fc.constant(2 ** 32 - 1));
const side = fc.constantFrom(BUY, SELL);
const limitOrder = fc.record({
  kind: fc.constant(NEW_ORDER),
  instrument,
  account,
  side,
  type: fc.constant(LIMIT),
  timeInForce: fc.constantFrom(GTC, GTC, IOC, FOK),
  priceTicks: price,
  quantityLots: lots,
});
const marketOrder = fc.record({
  kind: fc.constant(NEW_ORDER),
  instrument,
  account,
  side,
  type: fc.constant(MARKET),
  timeInForce: fc.constantFrom(IOC, FOK),
  // A market order has no price; one that is given must not count.
  priceTicks: fc.constantFrom(0, 100),
  quantityLots: lots,
});
const cancel = fc.record({ kind: fc.constant(CANCEL_ORDER), instrument, orderId: fc.integer({ min: 1, max: 200 }) });
const commands: fc.Arbitrary<Command> = fc.oneof(
  { weight: 6, arbitrary: limitOrder },
  { weight: 1, arbitrary: marketOrder },
  { weight: 3, arbitrary: cancel },
);

describe('the core against the naive model', () => {
  it('gives the same events, books and hash on any short history', () => {
    fc.assert(
      fc.property(fc.array(commands, { maxLength: 200, size: 'max' }), (history) => {
        const both = new Differential(2, { firstOrders: 4 });
        history.forEach((command, index) => {
          both.apply(command);
          if (index % 32 === 0) both.compareBooks();
        });
        both.compareBooks();
      }),
      { numRuns: 300 },
    );
  });

  it('gives the same events, books and hash on long histories with moving windows and growing pools', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const both = new Differential(3, { firstOrders: 16 });
        let applied = 0;
        for (const command of randomCommands(seed, 6000, 3)) {
          both.apply(command);
          applied += 1;
          if (applied % 1000 === 0) both.compareBooks();
        }
      }),
      { numRuns: 10 },
    );
  });

  it('has the hashes that the first book of this engine had', () => {
    const both = new Differential(2);
    const hashes: string[] = [];
    let random = 1;
    for (let sequence = 1; sequence <= 5000; sequence += 1) {
      random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
      both.apply(recorded(random, sequence));
      if (sequence % 1000 === 0) hashes.push(both.core.stateHash());
    }
    expect(hashes).toEqual(['4e68573504c39b41', '0f292cdb0869fc3d', '11d232e3f128facc', '10824e86bda42787', '86b03afa3ac7f063']);
  });

  it('hashes every word of a number', () => {
    const hash = (value: number): string => {
      const state = new StateHash();
      state.add(value);
      return state.hex();
    };
    expect(new Set([0, 1, 2 ** 32, 2 ** 32 + 1, -1, Number.MAX_SAFE_INTEGER].map(hash)).size).toBe(6);
  });
});

function recorded(random: number, sequence: number): Command {
  const kind = random >>> 28;
  const at = (random >>> 7) & 1;
  if (kind < 4) return { kind: CANCEL_ORDER, instrument: at, orderId: Math.max(1, sequence - ((random >>> 8) % 500)) };
  const selling = (random >>> 20) & 1;
  const huge = kind === 15;
  const market = kind === 5;
  const near = 10_000 + ((random >>> 10) % 100) - (selling === 0 ? 60 : 40);
  return {
    kind: NEW_ORDER,
    instrument: at,
    account: (random >>> 4) % 16,
    side: selling === 0 ? BUY : SELL,
    type: market ? MARKET : LIMIT,
    timeInForce: market || kind === 6 ? IOC : GTC,
    priceTicks: market ? 0 : near + (huge && selling === 1 ? 2 ** 45 : 0),
    quantityLots: (1 + (random % 100)) * (huge ? 2 ** 40 : 1),
  };
}
