import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MatchingCore } from './core.ts';
import { atMarket, buy, cancel, FREE, replace, Scenario, sell, stopAt } from './scenario.ts';
import {
  ADVANCE_TIME,
  ALL_INSTRUMENTS,
  ANY_ACCOUNT,
  AUCTION,
  CLOSED,
  DAY,
  GTD,
  IOC,
  KILL_SWITCH,
  SET_STATE,
  SET_VOLATILITY,
  STOP,
  TRADING,
  type Command,
  type SelfTrade,
  type TradingState,
} from './types.ts';

/** A core that takes up where `scenario` is. */
function restored(scenario: Scenario): Scenario {
  const copy = new Scenario({}, { clientIds: 8 });
  copy.core.restore(scenario.words());
  copy.nowMicros = scenario.nowMicros;
  return copy;
}

const account = fc.integer({ min: 0, max: 4 });
const price = fc.integer({ min: 90, max: 110 });
const lots = fc.integer({ min: 1, max: 20 });
const orderId = fc.integer({ min: 1, max: 80 });

const newOrder = fc
  .record({
    account,
    price,
    lots,
    isBuy: fc.boolean(),
    stop: fc.option(price),
    display: fc.integer({ min: 0, max: 5 }),
    kind: fc.nat(9),
    selfTrade: fc.nat(4),
  })
  .map(({ account: by, price: ticks, lots: count, isBuy, stop, display, kind, selfTrade }): Command => {
    const order = (isBuy ? buy : sell)(count, kind === 0 ? 0 : ticks, {
      account: by,
      instrument: kind % 2,
      selfTrade: selfTrade as SelfTrade,
    });
    if (kind === 0) return stop === null ? atMarket(order) : stopAt(stop, order);
    if (stop !== null) return stopAt(stop, { ...order, displayLots: display });
    if (kind === 1) return { ...order, timeInForce: IOC };
    if (kind === 2) return { ...order, timeInForce: DAY, session: 3 };
    if (kind === 3) return { ...order, timeInForce: GTD, expiryMicros: 60 + count };
    if (kind === 4) return { ...order, postOnly: true, clientIdLow: count };
    return { ...order, displayLots: display };
  });

const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 20, arbitrary: newOrder },
  { weight: 3, arbitrary: orderId.map((id) => cancel(id)) },
  {
    weight: 4,
    arbitrary: fc.tuple(orderId, price, lots).map(([id, priceTicks, quantityLots]) => replace(id, { priceTicks, quantityLots })),
  },
  { weight: 1, arbitrary: fc.constantFrom<Command>({ kind: ADVANCE_TIME }, { kind: KILL_SWITCH, account: 3, on: true }) },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom<TradingState>(TRADING, TRADING, AUCTION, CLOSED)
      .map((state): Command => ({ kind: SET_STATE, instrument: ALL_INSTRUMENTS, state })),
  },
  {
    weight: 1,
    arbitrary: fc.constant<Command>({
      kind: SET_VOLATILITY,
      instrument: 0,
      bandPercent: 5,
      windowMicros: 10,
      haltMicros: 20,
      auctionMicros: 5,
    }),
  },
);

describe('restoring', () => {
  it('gives the same state and the same future', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 80, size: 'max' }), fc.array(command, { maxLength: 40, size: 'max' }), (past, future) => {
        const scenario = new Scenario({}, { clientIds: 8 });
        scenario.run(...past);
        const copy = restored(scenario);
        expect(copy.words()).toEqual(scenario.words());
        expect([copy.core.nextDueMicros, copy.core.openOrders]).toEqual([scenario.core.nextDueMicros, scenario.core.openOrders]);
        expect(copy.run(...future)).toEqual(scenario.run(...future));
        expect(copy.core.stateHash()).toBe(scenario.core.stateHash());
      }),
      { numRuns: 300 },
    );
  });

  it('replaying the accepted commands gives the same state under any rules', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 80, size: 'max' }), (commands) => {
        const scenario = new Scenario({ maxOrderLots: 15, maxPositionLots: 40 }, { clientIds: 8 });
        const replica = new Scenario({ tradable: false, maxOrderLots: 0 }, { clientIds: 8 });
        for (const each of commands) {
          const lines = scenario.run(each);
          replica.nowMicros = scenario.nowMicros - 1;
          if (lines[0]?.startsWith('reject') !== true) expect(replica.replay(each)).toEqual(lines);
        }
        expect(replica.core.stateHash()).toBe(scenario.core.stateHash());
      }),
      { numRuns: 200 },
    );
  });

  it('keeps everything that a state can hold', () => {
    const scenario = new Scenario({}, { clientIds: 8 });
    scenario.run(
      { kind: SET_VOLATILITY, instrument: 1, bandPercent: 5, windowMicros: 10, haltMicros: 20, auctionMicros: 5 },
      { kind: KILL_SWITCH, account: 9, on: true },
      sell(3, 2 ** 40),
      buy(1, 2 ** 40, { account: 2 }),
      buy(9, 99, { displayLots: 2, session: 2 ** 32 - 1, postOnly: true, selfTrade: 3, clientIdLow: -1, clientIdHigh: 5 }),
      stopAt(2 ** 41, buy(7, 98, { timeInForce: GTD, expiryMicros: 2 ** 50, displayLots: 3 })),
      stopAt(50, sell(7, 0, { timeInForce: DAY })),
      { kind: SET_STATE, instrument: 1, state: AUCTION },
      { kind: KILL_SWITCH, account: ANY_ACCOUNT, on: false },
    );
    const { core } = restored(scenario);
    expect(core.stateHash()).toBe(scenario.core.stateHash());
    expect([core.sequence, core.timestampMicros, core.killed(9), core.killed(1), core.nextDueMicros]).toEqual([9, 9, true, false, 2 ** 50]);
    expect(core.position(2, 0)).toEqual({
      account: 2,
      instrument: 0,
      lots: 1,
      averageTicks: 2 ** 40,
      openOrders: 0,
      openBuyLots: 0,
      openSellLots: 0,
    });
    expect([core.find(5), core.remainingLots(5), core.remainingLots(6), core.ownerOf(7)]).toEqual([0, 9, 7, 1]);
  });

  it('keeps every kill switch', () => {
    const scenario = new Scenario();
    for (const account of [9, 3, 4, ANY_ACCOUNT]) scenario.run({ kind: KILL_SWITCH, account, on: true });
    const { core } = restored(scenario);
    expect([3, 4, 5, 9, ANY_ACCOUNT].map((account) => core.killed(account))).toEqual([true, true, false, true, true]);
    expect(core.stateHash()).toBe(scenario.core.stateHash());
  });

  it('refuses words that are no state, and a core that is not new', () => {
    const scenario = new Scenario();
    scenario.run(buy(5, 100), stopAt(200, buy(5, 0)), sell(2, 100, { account: 2 }));
    const words = scenario.words();
    expect(() => scenario.core.restore(words)).toThrow('a core that has applied 3 commands takes no state');
    const refuse = (spoilt: Float64Array): void => {
      expect(() => new Scenario().core.restore(spoilt)).toThrow(RangeError);
    };
    for (let length = 0; length < words.length; length += 1) refuse(words.slice(0, length));
    scenario.run(buy(1, 100, { clientIdLow: 7 }));
    for (const at of scenario.words().keys()) for (const word of [NaN, Infinity]) refuse(scenario.words().with(at, word));
    refuse(Float64Array.from([...words, 0]));
    for (const [at, word] of [
      [0, 0.5],
      [2, 2],
      [3, NaN],
      [4, 7],
      [5, 9],
      [14, 2],
      [15, 99],
      [15, 2],
      [16, 2 ** 20],
      [18, 0],
      [23, 2 ** 32],
      [24, 5 * 128],
    ] as const) {
      const spoilt = words.slice();
      spoilt[at] = word;
      refuse(spoilt);
    }
  });
});

describe('the state hash', () => {
  it('differs for every part of the state', () => {
    const base = buy(5, 100);
    const variants: Command[][] = [
      [base],
      [buy(6, 100)],
      [buy(5, 101)],
      [sell(5, 100)],
      [buy(5, 100, { account: 2 })],
      [buy(5, 100, { instrument: 1 })],
      [buy(5, 100, { displayLots: 1 })],
      [buy(5, 100, { displayLots: 5 })],
      [buy(5, 100, { session: 1 })],
      [buy(5, 100, { postOnly: true })],
      [buy(5, 100, { selfTrade: 1 })],
      [buy(5, 100, { timeInForce: DAY })],
      [buy(5, 100, { timeInForce: GTD, expiryMicros: 9 })],
      [buy(5, 100, { timeInForce: GTD, expiryMicros: 10 })],
      [buy(5, 100, { clientIdLow: 1 })],
      [buy(5, 100, { clientIdHigh: 1 })],
      [stopAt(100, buy(5, 100))],
      [{ ...base, priceTicks: 0, type: STOP, stopTicks: 100 }],
      [{ kind: KILL_SWITCH, account: 1, on: true }],
      [{ kind: KILL_SWITCH, account: ANY_ACCOUNT, on: true }],
      [{ kind: SET_STATE, instrument: 0, state: AUCTION }],
      [{ kind: SET_VOLATILITY, instrument: 0, bandPercent: 1, windowMicros: 0, haltMicros: 0, auctionMicros: 0 }],
      [base, sell(1, 100)],
      [base, sell(1, 100, { account: 2 })],
    ];
    const hashes = variants.map((commands) => {
      const scenario = new Scenario();
      scenario.run(...commands);
      return scenario.core.stateHash();
    });
    expect(new Set(hashes).size).toBe(variants.length);
    expect(hashes[0]).toMatch(/^[0-9a-f]{16}$/);
  });

  it('does not change when one more instrument is listed', () => {
    const scenario = new Scenario();
    scenario.run(buy(5, 100));
    const hash = scenario.core.stateHash();
    scenario.core.setInstrument(2, FREE);
    expect(scenario.core.stateHash()).toBe(hash);
    expect(new MatchingCore().stateHash()).toBe(new Scenario().core.stateHash());
  });

  it('never sees -0', () => {
    const scenario = new Scenario();
    scenario.run(
      { ...buy(5, -0), type: STOP, stopTicks: 100, displayLots: -0 },
      buy(5, 50, { session: 1, displayLots: -0, expiryMicros: -0, stopTicks: -0 }),
    );
    scenario.run({ kind: SET_VOLATILITY, instrument: 0, bandPercent: -0, windowMicros: -0, haltMicros: -0, auctionMicros: -0 });
    expect(scenario.core.sequence).toBe(3);
    expect([...scenario.words()].filter((word) => Object.is(word, -0))).toEqual([]);
  });
});
