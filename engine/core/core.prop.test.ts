import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Differential } from '../prove/differential.ts';
import { runHistory } from '../prove/history.ts';
import { NO_LIMITS, type Step } from './random-commands.ts';
import {
  ADVANCE_TIME,
  ALL_INSTRUMENTS,
  ALLOW,
  ANY_ACCOUNT,
  AUCTION,
  BUY,
  CANCEL_BOTH,
  CANCEL_NEWEST,
  CANCEL_OLDEST,
  CANCEL_ORDER,
  CLOSED,
  DAY,
  DECREMENT,
  DISCONNECTED,
  FOK,
  GTC,
  GTD,
  HALTED,
  IOC,
  KILL_SWITCH,
  LIMIT,
  MARKET,
  MASS,
  MASS_CANCEL,
  NEW_ORDER,
  PRE_OPEN,
  REPLACE_ORDER,
  SELL,
  SET_STATE,
  SET_VOLATILITY,
  STOP,
  STOP_LIMIT,
  TRADING,
  type Command,
  type NewOrder,
} from './types.ts';

const START_MICROS = 1000;
const INSTRUMENTS = 2;

/** Small numbers, so that orders meet: a handful of prices, accounts, ids and moments. */
const instrument = fc.constantFrom(0, 0, 0, 1);
const account = fc.nat(2);
const anyAccount = fc.oneof(account, fc.constant(ANY_ACCOUNT));
const price = fc.integer({ min: 97, max: 103 });
const lots = fc.oneof({ weight: 20, arbitrary: fc.integer({ min: 1, max: 12 }) }, { weight: 1, arbitrary: fc.maxSafeNat() });
const side = fc.constantFrom(BUY, SELL);
const selfTrade = fc.constantFrom(ALLOW, ALLOW, CANCEL_NEWEST, CANCEL_OLDEST, CANCEL_BOTH, DECREMENT);
const session = fc.constantFrom(0, 1, 2 ** 32 - 1);
const clientIdLow = fc.constantFrom(0, 0, 0, 1, -2, 3, 4);
const orderId = fc.integer({ min: 1, max: 60 });
const kept = <T>(value: fc.Arbitrary<T>) => fc.oneof(fc.constant(0), value);

const common = { kind: fc.constant(NEW_ORDER), instrument, account, side, quantityLots: lots, selfTrade, session, clientIdLow };
const lasting = fc.oneof(
  fc.record({ timeInForce: fc.constantFrom(GTC, GTC, DAY), expiryMicros: fc.constant(0) }),
  fc.record({ timeInForce: fc.constant(GTD), expiryMicros: fc.integer({ min: START_MICROS, max: START_MICROS + 200 }) }),
);
// A large quantity that shows little would be as many trades.
const displayLots = kept(fc.integer({ min: 1, max: 4 }));
const smallLots = fc.integer({ min: 1, max: 12 });
const resting: fc.Arbitrary<NewOrder> = fc
  .tuple(fc.record({ ...common, type: fc.constant(LIMIT), priceTicks: price, postOnly: fc.boolean() }), lasting)
  .map(([order, rest]) => ({ ...order, ...rest }));
const iceberg: fc.Arbitrary<NewOrder> = fc
  .tuple(fc.record({ ...common, quantityLots: smallLots, type: fc.constant(LIMIT), priceTicks: price, displayLots }), lasting)
  .map(([order, rest]) => ({ ...order, ...rest }));
const atOnce: fc.Arbitrary<NewOrder> = fc.oneof(
  fc.record({ ...common, type: fc.constant(LIMIT), timeInForce: fc.constantFrom(IOC, FOK), priceTicks: price }),
  fc.record({ ...common, type: fc.constant(MARKET), timeInForce: fc.constantFrom(IOC, FOK), priceTicks: fc.constant(0) }),
);
const stop: fc.Arbitrary<NewOrder> = fc
  .tuple(
    fc.oneof(
      fc.record({ ...common, type: fc.constant(STOP), priceTicks: fc.constant(0), stopTicks: price }),
      fc.record({ ...common, quantityLots: smallLots, type: fc.constant(STOP_LIMIT), priceTicks: price, stopTicks: price, displayLots }),
    ),
    lasting,
  )
  .map(([order, rest]) => ({ ...order, ...rest }));
/** Any numbers at all, in any combination. */
const odd = fc.oneof(fc.constantFrom(0, -0, -1, 0.5, Number.NaN, Infinity, 2 ** 53), fc.integer({ min: 0, max: 9 }));
const nonsense = fc.record({
  kind: fc.constant(NEW_ORDER),
  instrument: fc.constantFrom(0, 1, 2, -1),
  account: fc.constantFrom(0, 2 ** 20 - 1, 2 ** 20, ANY_ACCOUNT),
  side: fc.constantFrom(BUY, SELL),
  type: fc.constantFrom(LIMIT, MARKET, STOP, STOP_LIMIT),
  timeInForce: fc.constantFrom(GTC, IOC, FOK, GTD, DAY),
  priceTicks: odd,
  quantityLots: odd,
  stopTicks: odd,
  displayLots: odd,
  expiryMicros: odd,
  postOnly: fc.boolean(),
});
const cancel = fc.record({ kind: fc.constant(CANCEL_ORDER), orderId, account: anyAccount });
const replace = fc.record({
  kind: fc.constant(REPLACE_ORDER),
  orderId,
  account: anyAccount,
  priceTicks: kept(price),
  quantityLots: kept(smallLots),
  stopTicks: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: price }),
  expectedLots: fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: smallLots }),
});
const someInstrument = fc.constantFrom(0, 0, 1, ALL_INSTRUMENTS, INSTRUMENTS);
const rare: fc.Arbitrary<Command> = fc.oneof(
  fc.record({
    kind: fc.constant(MASS_CANCEL),
    instrument: someInstrument,
    account: anyAccount,
    session,
    reason: fc.constantFrom(MASS, DISCONNECTED),
  }),
  fc.record({
    kind: fc.constant(SET_STATE),
    instrument: someInstrument,
    state: fc.constantFrom(TRADING, TRADING, TRADING, PRE_OPEN, AUCTION, AUCTION, HALTED, CLOSED),
  }),
  fc.record({
    kind: fc.constant(SET_VOLATILITY),
    instrument,
    bandPercent: fc.constantFrom(0, 1, 2, 0.5),
    windowMicros: fc.constantFrom(0, 1, 20),
    haltMicros: fc.constantFrom(1, 20),
    auctionMicros: fc.constantFrom(0, 20),
  }),
  fc.record({ kind: fc.constant(KILL_SWITCH), account: anyAccount, on: fc.constantFrom(true, false, false) }),
  fc.record({ kind: fc.constant(ADVANCE_TIME) }),
);
const rules = fc.record({
  tradable: fc.constantFrom(true, true, true, false),
  maxOrderLots: fc.constantFrom(5, 1000),
  maxNotional: fc.constantFrom(500n, 99_000n),
  priceBandPercent: fc.constantFrom(0, 2),
  maxPositionLots: fc.constantFrom(10, 30),
  maxOpenNotional: fc.constantFrom(1000, 3000),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 60,
    arbitrary: fc.record({
      timestampMicros: fc.constant(0),
      command: fc.oneof(
        { weight: 8, arbitrary: resting },
        { weight: 4, arbitrary: iceberg },
        { weight: 4, arbitrary: atOnce },
        { weight: 4, arbitrary: stop },
        { weight: 1, arbitrary: nonsense },
        { weight: 2, arbitrary: cancel },
        { weight: 4, arbitrary: replace },
        { weight: 4, arbitrary: rare },
      ),
    }),
  },
  { weight: 1, arbitrary: fc.record({ instrument: fc.constantFrom(0, 1), rules }) },
  { weight: 1, arbitrary: fc.record({ accountRules: fc.record({ maxOpenOrders: fc.constantFrom(2, 6) }) }) },
);

describe('the core against the naive model', () => {
  it('answers, tells and holds the same after any short history, replayed and restored too', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(step, fc.constantFrom(0, 0, 0, 1, 9)), { maxLength: 120, size: 'max' }),
        fc.nat(120),
        (history, restoreAt) => {
          // Sums of huge quantities are compared nowhere, because limits change on the way.
          const both = new Differential(INSTRUMENTS, { firstOrders: 4, clientIds: 4, rules: NO_LIMITS, exactSums: false });
          let nowMicros = START_MICROS;
          history.forEach(([next, passedMicros], index) => {
            nowMicros += passedMicros;
            both.step('command' in next ? { ...next, timestampMicros: nowMicros } : next);
            if (index % 16 === 0) both.compareAll();
            if (index === restoreAt) both.restore();
          });
          both.compareAll();
          both.endRestored();
          both.replay();
        },
      ),
      { numRuns: 300 },
    );
  });

  it.each([1, 2, 3, 4, 5, 6])('does not differ in the long history %i, with moving windows and growing pools', (seed) => {
    const { accepted, events } = runHistory(seed, 10_000, 3);
    // That they agree says little unless much happened.
    expect(accepted).toBeGreaterThan(1500);
    expect(events).toBeGreaterThan(2000);
  });
});
