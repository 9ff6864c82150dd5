import { describe, expect, it } from 'vitest';
import { atMarket, buy, cancel, FREE, replace, Scenario, sell, stopAt } from './scenario.ts';
import {
  AUCTION,
  CLOSED,
  DAY,
  FOK,
  GTC,
  GTD,
  HALTED,
  IOC,
  KILL_SWITCH,
  ANY_ACCOUNT,
  MARKET,
  MOST_ACCOUNTS,
  PRE_OPEN,
  SET_STATE,
  STOP,
  type Command,
  type InstrumentRules,
  type NewOrder,
  type OrderType,
  type Side,
  type TimeInForce,
  type TradingState,
} from './types.ts';

const MAX = Number.MAX_SAFE_INTEGER;
const other = { account: 2 };

/** Name, rules, what was there before, what comes, the reject or '' for none. */
type Case = [name: string, rules: Partial<InstrumentRules>, before: Command[], comes: Command, reject: string];

/** The reject; the state must be as it was when there is one. */
function rejectOf(scenario: Scenario, command: Command): string {
  const hash = scenario.core.stateHash();
  const [first = ''] = scenario.run(command);
  if (!first.startsWith('reject ')) return '';
  expect(scenario.core.stateHash()).toBe(hash);
  return first.slice('reject '.length);
}

function rejected([, rules, before, comes]: Case): string {
  const scenario = new Scenario(rules);
  scenario.run(...before);
  return rejectOf(scenario, comes);
}

/** A trade at 100. */
const traded = [sell(1, 100, { account: 8 }), buy(1, 100, { account: 9 })];

describe('terms', () => {
  it.each<Case>([
    ['an instrument that is none', {}, [], buy(1, 1, { instrument: 2 }), 'unknownInstrument'],
    ['a negative instrument', {}, [], buy(1, 1, { instrument: -1 }), 'unknownInstrument'],
    ['the last account', {}, [], buy(1, 1, { account: MOST_ACCOUNTS - 1 }), ''],
    ['an account too many', {}, [], buy(1, 1, { account: MOST_ACCOUNTS }), 'badAccount'],
    ['any account', {}, [], buy(1, 1, { account: ANY_ACCOUNT }), 'badAccount'],
    ['not listed', { tradable: false }, [], buy(1, 1), 'notTradable'],
    ...[0, -1, 0.5, MAX + 1, NaN, Infinity].map((lots): Case => [`quantity ${lots}`, {}, [], buy(lots, 1), 'badQuantity']),
    ...[0, -1, 0.5, MAX + 1, NaN].map((ticks): Case => [`price ${ticks}`, {}, [], buy(1, ticks), 'badPrice']),
    ...[0, -1, 0.5, MAX + 1].map((ticks): Case => [
      `stop price ${ticks}`,
      {},
      [],
      { ...buy(1, 0), type: STOP, stopTicks: ticks },
      'badPrice',
    ]),
    ['the largest price and quantity', {}, [], buy(MAX, MAX), ''],
    ['a market order with a price', {}, [], { ...atMarket(buy(1, 0)), priceTicks: 1 }, 'badTerms'],
    ['a stop with a limit', {}, [], { ...buy(1, 5), type: STOP, stopTicks: 5 }, 'badTerms'],
    ['a limit order with a stop price', {}, [], buy(1, 5, { stopTicks: 5 }), 'badTerms'],
    ...([GTC, GTD, DAY] as const).map((timeInForce): Case => [
      `market, time in force ${timeInForce}`,
      {},
      [],
      { ...buy(1, 0), type: MARKET, timeInForce },
      'badTerms',
    ]),
    ...([IOC, FOK] as const).map((timeInForce): Case => [
      `stop, time in force ${timeInForce}`,
      {},
      [],
      stopAt(5, buy(1, 0, { timeInForce })),
      'badTerms',
    ]),
    ...([IOC, FOK] as const).map((timeInForce): Case => [
      `stop-limit, time in force ${timeInForce}`,
      {},
      [],
      stopAt(5, buy(1, 5, { timeInForce })),
      'badTerms',
    ]),
    ['GTD without an expiry', {}, [], buy(1, 5, { timeInForce: GTD }), 'badTerms'],
    ['an expiry without GTD', {}, [], buy(1, 5, { expiryMicros: 99 }), 'badTerms'],
    ['half a microsecond', {}, [], buy(1, 5, { timeInForce: GTD, expiryMicros: 99.5 }), 'badTerms'],
    ['a display that is no count', {}, [], buy(1, 5, { displayLots: -1 }), 'badTerms'],
    ['an iceberg that cannot rest', {}, [], buy(1, 5, { displayLots: 1, timeInForce: IOC }), 'badTerms'],
    ['a market iceberg', {}, [], { ...atMarket(buy(1, 0)), displayLots: 1 }, 'badTerms'],
    ['a stop iceberg', {}, [], stopAt(5, buy(1, 0, { displayLots: 1 })), 'badTerms'],
    ['an iceberg of 1,024 parts', {}, [], buy(1024, 5, { displayLots: 1 }), ''],
    ['an iceberg of more', {}, [], buy(1025, 5, { displayLots: 1 }), 'badTerms'],
    ['an iceberg replaced to more', {}, [buy(1024, 5, { displayLots: 1 })], replace(1, { quantityLots: 1025 }), 'badTerms'],
    ['a stop-limit iceberg', {}, [], stopAt(5, buy(1, 5, { displayLots: 1 })), ''],
    ['post-only that cannot rest', {}, [], buy(1, 5, { postOnly: true, timeInForce: IOC }), 'badTerms'],
    ['a post-only stop-limit', {}, [], stopAt(5, buy(1, 5, { postOnly: true })), 'badTerms'],
    ['a third side', {}, [], buy(1, 5, { side: 2 as Side }), 'badTerms'],
    ['a fifth type', {}, [], buy(1, 5, { type: 4 as OrderType }), 'badTerms'],
    ['a sixth time in force', {}, [], buy(1, 5, { timeInForce: 5 as TimeInForce }), 'badTerms'],
    ['a sixth self-trade mode', {}, [], buy(1, 5, { selfTrade: 5 as NonNullable<NewOrder['selfTrade']> }), 'badTerms'],
    ['GTD that is over', {}, [], buy(1, 5, { timeInForce: GTD, expiryMicros: 1 }), 'expired'],
    ['GTD that is not', {}, [], buy(1, 5, { timeInForce: GTD, expiryMicros: 2 }), ''],
  ])('%s', (...given) => expect(rejected(given)).toBe(given[4]));
});

describe('trading states', () => {
  const setState = (state: TradingState): Command => ({ kind: SET_STATE, instrument: 0, state });
  const orders: [string, NewOrder][] = [
    ['GTC', buy(1, 5)],
    ['DAY', buy(1, 5, { timeInForce: DAY })],
    ['GTD', buy(1, 5, { timeInForce: GTD, expiryMicros: 99 })],
    ['stop', stopAt(5, buy(1, 0))],
    ['stop-limit', stopAt(5, buy(1, 5))],
    ['IOC', buy(1, 5, { timeInForce: IOC })],
    ['FOK', buy(1, 5, { timeInForce: FOK })],
    ['market', atMarket(buy(1, 0))],
    ['post-only', buy(1, 5, { postOnly: true })],
  ];
  it.each([
    [PRE_OPEN, 5],
    [AUCTION, 5],
    [HALTED, 0],
    [CLOSED, 0],
  ] as const)('state %i takes the first %i kinds of order', (state, taken) => {
    const rejects = orders.map(([, order]) => {
      const scenario = new Scenario();
      scenario.run(setState(state));
      return rejectOf(scenario, order);
    });
    expect(rejects).toEqual(orders.map((_, index) => (index < taken ? '' : 'notInState')));
  });

  it.each<Case>([
    ['replacing in an auction', {}, [buy(5, 100), setState(AUCTION)], replace(1, { quantityLots: 4 }), ''],
    ['replacing when halted', {}, [buy(5, 100), setState(HALTED)], replace(1, { quantityLots: 4 }), 'notInState'],
    ['replacing when closed', {}, [buy(5, 100), setState(CLOSED)], replace(1, { quantityLots: 4 }), 'notInState'],
    ['cancelling when closed', {}, [buy(5, 100), setState(CLOSED)], cancel(1), ''],
    [
      'post-only may be replaced to cross in an auction',
      {},
      [sell(1, 101), buy(5, 100, { postOnly: true }), setState(AUCTION)],
      replace(2, { priceTicks: 101 }),
      '',
    ],
  ])('%s', (...given) => expect(rejected(given)).toBe(given[4]));
});

describe('kill switches', () => {
  const kill = (account: number, on = true): Command => ({ kind: KILL_SWITCH, account, on });
  it.each<Case>([
    ['of all', {}, [kill(ANY_ACCOUNT)], buy(1, 1), 'killSwitch'],
    ['of the account', {}, [kill(1)], buy(1, 1), 'killSwitch'],
    ['of another account', {}, [kill(2)], buy(1, 1), ''],
    ['off again', {}, [kill(1), kill(1, false)], buy(1, 1), ''],
    ['the two are independent', {}, [kill(1), kill(ANY_ACCOUNT), kill(ANY_ACCOUNT, false)], buy(1, 1), 'killSwitch'],
    ['of an account that is none', {}, [], kill(MOST_ACCOUNTS), 'badAccount'],
  ])('%s', (...given) => expect(rejected(given)).toBe(given[4]));
});

describe('limits of an order', () => {
  it.each<Case>([
    ['at the quantity limit', { maxOrderLots: 10 }, [], buy(10, 1), ''],
    ['over the quantity limit', { maxOrderLots: 10 }, [], buy(11, 1), 'maxOrderQty'],
    ['replaced by what would be too much for an iceberg', {}, [buy(1, 1)], replace(1, { quantityLots: 5000 }), ''],
    ['replaced over it', { maxOrderLots: 10 }, [buy(5, 1)], replace(1, { quantityLots: 11 }), 'maxOrderQty'],
    ['at the notional limit', { maxNotional: 1000n }, [], buy(10, 100), ''],
    ['over it', { maxNotional: 1000n }, [], buy(7, 143), 'maxNotional'],
    ['replaced over it', { maxNotional: 1000n }, [buy(10, 100)], replace(1, { priceTicks: 101 }), 'maxNotional'],
    ['exactly at it beyond 2^53', { maxNotional: BigInt(MAX) * BigInt(MAX - 1) }, [], buy(MAX, MAX - 1), ''],
    ['one over it beyond 2^53', { maxNotional: BigInt(MAX) * BigInt(MAX - 1) - 1n }, [], buy(MAX, MAX - 1), 'maxNotional'],
    ['a stop at its stop price', { maxNotional: 1000n }, [], stopAt(101, buy(10, 0)), 'maxNotional'],
    ['a selling stop at its stop price', { maxNotional: 1000n }, [], stopAt(100, sell(10, 0)), ''],
    ['a stop-limit at its limit', { maxNotional: 1000n }, [], stopAt(999, buy(10, 100)), ''],
    ['a stop replaced at it, at its new stop price', { maxNotional: 1000n }, [stopAt(90, buy(10, 0))], replace(1, { stopTicks: 100 }), ''],
    ['and over it', { maxNotional: 1000n }, [stopAt(90, buy(10, 0))], replace(1, { stopTicks: 101 }), 'maxNotional'],
    [
      'a stop replaced by more at its old stop price',
      { maxNotional: 1000n },
      [stopAt(90, buy(10, 0))],
      replace(1, { quantityLots: 12 }),
      'maxNotional',
    ],
    ['a stop-limit replaced at its limit', { maxNotional: 1000n }, [stopAt(90, buy(10, 100))], replace(1, { stopTicks: 101 }), ''],
    [
      'a selling stop replaced is not worth what it could sell for now',
      { maxNotional: 1000n },
      [buy(5, 200, other), buy(5, 200, other), stopAt(90, sell(10, 0))],
      replace(3, { stopTicks: 95 }),
      '',
    ],
    [
      'a market order at what it would trade for',
      { maxNotional: 1000n },
      [sell(5, 100, other), sell(9, 101, other)],
      atMarket(buy(9, 0)),
      '',
    ],
    ['and over it', { maxNotional: 1000n }, [sell(5, 100, other), sell(9, 101, other)], atMarket(buy(10, 0)), 'maxNotional'],
    [
      'hidden lots included',
      { maxNotional: 1000n },
      [sell(5, 100, { displayLots: 1 }), sell(9, 101)],
      atMarket(buy(10, 0, other)),
      'maxNotional',
    ],
    ['a market order that sells', { maxNotional: 1000n }, [buy(5, 100), buy(9, 99)], atMarket(sell(10, 0, other)), ''],
    ['and over it', { maxNotional: 1000n }, [buy(5, 100), buy(7, 99)], atMarket(sell(11, 0, other)), 'maxNotional'],
    ['a market order without anything to trade with', { maxNotional: 0n }, [], atMarket(sell(11, 0)), ''],
    ['a selling limit order that does not cross', { maxNotional: 1000n }, [buy(5, 99)], sell(10, 100), ''],
    [
      'a selling limit order at what it would trade for and leave',
      { maxNotional: 1000n },
      [buy(5, 120), buy(5, 100)],
      sell(9, 95, other),
      '',
    ],
    ['and over it', { maxNotional: 1000n }, [buy(5, 120), buy(3, 100)], sell(10, 60, other), 'maxNotional'],
    ['not what is below its limit', { maxNotional: 1000n }, [buy(5, 120), buy(3, 50)], sell(9, 100, other), ''],
    [
      'exactly beyond 2^53 over many levels',
      { maxNotional: 3n * BigInt(2 ** 52) * BigInt(2 ** 20) + 3n * BigInt(2 ** 20) },
      [sell(2 ** 20, 2 ** 52), sell(2 ** 20, 2 ** 52 + 1), sell(2 ** 20, 2 ** 52 + 2)],
      atMarket(buy(3 * 2 ** 20, 0, other)),
      '',
    ],
    [
      'and one lot over it',
      { maxNotional: 3n * BigInt(2 ** 52) * BigInt(2 ** 20) + 3n * BigInt(2 ** 20) - 1n },
      [sell(2 ** 20, 2 ** 52), sell(2 ** 20, 2 ** 52 + 1), sell(2 ** 20, 2 ** 52 + 2)],
      atMarket(buy(3 * 2 ** 20, 0, other)),
      'maxNotional',
    ],
    [
      'exactly beyond 2^53 when there is less to trade with than is wanted',
      { maxNotional: BigInt(2 ** 52) * BigInt(2 ** 20) + BigInt(2 ** 52 + 1) },
      [sell(2 ** 20, 2 ** 52), sell(1, 2 ** 52 + 1)],
      atMarket(buy(2 ** 20 + 2, 0, other)),
      '',
    ],
    [
      'and over it',
      { maxNotional: BigInt(2 ** 52) * BigInt(2 ** 20) + BigInt(2 ** 52) },
      [sell(2 ** 20, 2 ** 52), sell(1, 2 ** 52 + 1)],
      atMarket(buy(2 ** 20 + 2, 0, other)),
      'maxNotional',
    ],
    [
      'exactly beyond 2^53 with what a selling limit order would leave',
      { maxNotional: BigInt(2 ** 52 + 1) * BigInt(2 ** 20) + BigInt(2 ** 52) * 3n },
      [buy(2 ** 20, 2 ** 52 + 1), buy(9, 2 ** 52 - 1)],
      sell(2 ** 20 + 3, 2 ** 52, other),
      '',
    ],
    [
      'and over it',
      { maxNotional: BigInt(2 ** 52 + 1) * BigInt(2 ** 20) + BigInt(2 ** 52) * 3n - 1n },
      [buy(2 ** 20, 2 ** 52 + 1), buy(9, 2 ** 52 - 1)],
      sell(2 ** 20 + 3, 2 ** 52, other),
      'maxNotional',
    ],
    ['no band without a trade', { priceBandPercent: 10 }, [], buy(1, 500), ''],
    ['the lower edge of the band', { priceBandPercent: 10 }, traded, buy(1, 90), ''],
    ['below the band', { priceBandPercent: 10 }, traded, buy(1, 89), 'priceBand'],
    ['the upper edge of the band', { priceBandPercent: 10 }, traded, sell(1, 110), ''],
    ['above the band', { priceBandPercent: 10 }, traded, sell(1, 111), 'priceBand'],
    ['the band is not for stop-limits', { priceBandPercent: 10 }, traded, stopAt(200, buy(1, 200)), ''],
    ['nor when those are replaced', { priceBandPercent: 10 }, [...traded, stopAt(200, buy(1, 200))], replace(3, { priceTicks: 300 }), ''],
    ['nor when stops are', { priceBandPercent: 10 }, [...traded, stopAt(200, buy(1, 0))], replace(3, { stopTicks: 300 }), ''],
    ['but for what rests', { priceBandPercent: 10 }, [...traded, buy(1, 100)], replace(3, { priceTicks: 80 }), 'priceBand'],
    ['post-only that would trade', {}, [sell(1, 100)], buy(1, 100, { postOnly: true }), 'wouldTrade'],
    ['post-only that would sell', {}, [buy(1, 100)], sell(1, 99, { postOnly: true }), 'wouldTrade'],
    ['post-only that would not', {}, [sell(1, 100)], buy(1, 99, { postOnly: true }), ''],
  ])('%s', (...given) => expect(rejected(given)).toBe(given[4]));

  // The tenth of the second is whole: on the edge both sides of the comparison are equal.
  it.each([2 ** 52, 25 * 2 ** 47])('compares the band around %i exactly', (reference) => {
    const edge = reference + Number((BigInt(reference) * 10n) / 100n);
    const scenario = new Scenario({ priceBandPercent: 10 });
    scenario.run(sell(1, reference, other), buy(1, reference));
    expect([edge, edge + 1].map((price) => rejectOf(scenario, buy(1, price)))).toEqual(['', 'priceBand']);
  });
});

describe('limits of an account', () => {
  const long5 = [sell(5, 100, other), buy(5, 100)];
  it.each<Case>([
    ['position and open orders at the limit', { maxPositionLots: 10 }, [...long5, buy(3, 99)], buy(2, 98), ''],
    ['over the limit', { maxPositionLots: 10 }, [...long5, buy(3, 99)], buy(3, 98), 'maxPosition'],
    ['IOC counts too', { maxPositionLots: 10 }, long5, buy(6, 98, { timeInForce: IOC }), 'maxPosition'],
    ['a long position may sell more', { maxPositionLots: 10 }, long5, sell(10, 200), ''],
    ['but not without end', { maxPositionLots: 10 }, [...long5, sell(9, 200)], sell(7, 200), 'maxPosition'],
    ['the first order of an account', { maxPositionLots: 10 }, [], buy(11, 100), 'maxPosition'],
    ['stops count', { maxPositionLots: 10 }, [stopAt(200, buy(9, 0))], buy(2, 100), 'maxPosition'],
    ['another instrument does not', { maxPositionLots: 10 }, [buy(9, 100, { instrument: 1 })], buy(9, 100), ''],
    ['a replacement without its old share', { maxPositionLots: 10 }, [buy(9, 100)], replace(1, { quantityLots: 10 }), ''],
    ['a replacement over it', { maxPositionLots: 10 }, [buy(9, 100)], replace(1, { quantityLots: 11 }), 'maxPosition'],
    ['open notional at the limit', { maxOpenNotional: 1000 }, [buy(5, 100)], sell(5, 100), ''],
    ['over it', { maxOpenNotional: 1000 }, [buy(5, 100)], sell(5, 101), 'maxOpenNotional'],
    ['the first order at it', { maxOpenNotional: 1000 }, [], buy(10, 100), ''],
    ['the first order over it', { maxOpenNotional: 1000 }, [], buy(7, 143), 'maxOpenNotional'],
    ['a stop counts with its stop price', { maxOpenNotional: 1000 }, [stopAt(200, buy(5, 0))], buy(1, 1), 'maxOpenNotional'],
    ['a stop-limit with its limit', { maxOpenNotional: 1000 }, [stopAt(200, buy(5, 100))], buy(5, 100), ''],
    ['IOC does not', { maxOpenNotional: 1000 }, [buy(10, 100)], buy(5, 99, { timeInForce: IOC }), ''],
    ['a cancel frees it', { maxOpenNotional: 1000 }, [buy(10, 100), cancel(1)], buy(10, 100), ''],
    ['a replacement without its old share', { maxOpenNotional: 1000 }, [buy(10, 99)], replace(1, { priceTicks: 100 }), ''],
    ['a replacement over it', { maxOpenNotional: 1000 }, [buy(10, 99)], replace(1, { priceTicks: 101 }), 'maxOpenNotional'],
    ['a stop replaced at it', { maxOpenNotional: 1000 }, [stopAt(99, buy(10, 0))], replace(1, { stopTicks: 100 }), ''],
    ['a stop replaced over it', { maxOpenNotional: 1000 }, [stopAt(99, buy(10, 0))], replace(1, { stopTicks: 101 }), 'maxOpenNotional'],
  ])('%s', (...given) => expect(rejected(given)).toBe(given[4]));

  it('counts open orders over all instruments, waiting ones included', () => {
    const scenario = new Scenario();
    scenario.core.setAccountRules({ maxOpenOrders: 2 });
    scenario.run(buy(1, 100), stopAt(200, buy(1, 0, { instrument: 1 })));
    expect(rejectOf(scenario, buy(1, 100))).toBe('maxOpenOrders');
    expect(rejectOf(scenario, buy(1, 100, other))).toBe('');
    expect(rejectOf(scenario, buy(1, 99, { timeInForce: IOC }))).toBe('');
    expect(rejectOf(scenario, replace(1, { quantityLots: 2 }))).toBe('');
    scenario.run(cancel(1));
    expect(rejectOf(scenario, buy(1, 100))).toBe('');
  });

  it('takes new rules at once', () => {
    const scenario = new Scenario();
    scenario.core.setInstrument(0, { ...FREE, maxOrderLots: 1 });
    expect(rejectOf(scenario, buy(2, 100))).toBe('maxOrderQty');
    expect(() => scenario.core.setInstrument(3, FREE)).toThrow('instrument 3 does not follow 1');
    expect(() => scenario.core.setInstrument(-1, FREE)).toThrow('instrument -1 does not follow 1');
  });
});

describe('client order ids', () => {
  const named = { clientIdLow: -5, clientIdHigh: 9 };

  it('are accepted once, whatever has changed since', () => {
    const scenario = new Scenario({}, { clientIds: 4 });
    scenario.run(buy(1, 100, named), cancel(1), { kind: KILL_SWITCH, account: ANY_ACCOUNT, on: true });
    expect(rejectOf(scenario, buy(0, -3, named))).toBe('duplicate');
    expect(scenario.core.duplicateOf).toBe(1);
    expect(rejectOf(scenario, buy(1, 100, { ...named, ...other }))).toBe('killSwitch');
  });

  it('are forgotten in order of acceptance', () => {
    const scenario = new Scenario({}, { clientIds: 4 });
    scenario.run(buy(1, 100, named), ...[1, 2, 3].map((clientIdLow) => buy(1, 100, { clientIdLow })));
    expect(rejectOf(scenario, buy(1, 100, named))).toBe('duplicate');
    scenario.run(buy(1, 100, { clientIdLow: 4 }));
    expect(rejectOf(scenario, buy(1, 100, { clientIdLow: 1 }))).toBe('duplicate');
    expect(rejectOf(scenario, buy(1, 100, named))).toBe('');
  });
});

describe('memory', () => {
  it('refuses an order that has no room to rest or wait, and only that', () => {
    const scenario = new Scenario({}, { mostOrders: 2, firstOrders: 1 });
    scenario.run(buy(1, 100), stopAt(200, buy(1, 0)));
    expect(rejectOf(scenario, buy(1, 100))).toBe('noRoom');
    expect(rejectOf(scenario, stopAt(200, buy(1, 0)))).toBe('noRoom');
    expect(rejectOf(scenario, sell(1, 100, { timeInForce: IOC, ...other }))).toBe('');
    expect(rejectOf(scenario, buy(1, 100))).toBe('');
    expect(rejectOf(scenario, replace(2, { stopTicks: 300 }))).toBe('');
    expect(() => scenario.replay(buy(1, 100))).toThrow('no room for order 6: 2 orders are open');
    expect(scenario.core.mostOpenOrders).toBe(2);
  });

  it('grows ahead of need', () => {
    const scenario = new Scenario({}, { firstOrders: 8 });
    scenario.run(...Array.from({ length: 8 }, (_, index) => buy(1, 100 + index)));
    scenario.core.reserve();
    const { bytes } = scenario.core;
    scenario.run(...Array.from({ length: 900 }, () => buy(1, 100)));
    expect([scenario.core.bytes, scenario.core.openOrders]).toEqual([bytes, 908]);
  });
});
