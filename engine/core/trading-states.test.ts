import { describe, expect, it } from 'vitest';
import { atMarket, buy, cancel, replace, Scenario, sell, stopAt } from './scenario.ts';
import {
  ADVANCE_TIME,
  ALL_INSTRUMENTS,
  ANY_ACCOUNT,
  AUCTION,
  BUY,
  CLOSED,
  DAY,
  DISCONNECTED,
  FOK,
  GTD,
  HALTED,
  KILL_SWITCH,
  MASS,
  MASS_CANCEL,
  PRE_OPEN,
  SELL,
  SET_STATE,
  SET_VOLATILITY,
  TRADING,
  type Command,
  type MassCancel,
  type SetVolatility,
  type TradingState,
} from './types.ts';

const other = { account: 2 };
const third = { account: 3 };
const ADVANCE: Command = { kind: ADVANCE_TIME };

function setState(state: TradingState, instrument = 0): Command {
  return { kind: SET_STATE, instrument, state };
}

function massCancel(fit: Partial<MassCancel>): Command {
  return { kind: MASS_CANCEL, instrument: ALL_INSTRUMENTS, account: ANY_ACCOUNT, session: 0, reason: MASS, ...fit };
}

describe('states', () => {
  it('say what they are, from any to any, and again', () => {
    const scenario = new Scenario();
    expect(scenario.run(setState(PRE_OPEN), setState(PRE_OPEN), setState(AUCTION, 1), setState(HALTED, ALL_INSTRUMENTS))).toEqual([
      'PRE_OPEN',
      'PRE_OPEN',
      '[1] AUCTION',
      'HALTED',
      '[1] HALTED',
    ]);
    expect([scenario.core.book(0).state, scenario.core.book(1).state]).toEqual([HALTED, HALTED]);
  });

  it('that are none are refused, and so are instruments that are none', () => {
    const scenario = new Scenario();
    expect(scenario.run(setState(5 as TradingState), setState(AUCTION, 2), setState(AUCTION, -2))).toEqual([
      'reject badTerms',
      'reject unknownInstrument',
      'reject unknownInstrument',
    ]);
  });

  it('before trading, orders rest crossed and stops wait', () => {
    const scenario = new Scenario();
    scenario.run(setState(PRE_OPEN));
    const commands = [sell(5, 90), buy(5, 100, { displayLots: 2, ...other }), stopAt(1, buy(5, 0)), replace(2, { priceTicks: 80 })];
    expect(scenario.run(...commands)).toEqual(['2 OPEN 5', '3 OPEN 5', '4 PENDING 5', '2 is now 5 @ 80', '2 OPEN 5']);
    expect([scenario.depth(BUY), scenario.depth(SELL)]).toEqual(['2@100', '5@80']);
  });

  it('closing ends the DAY orders, waiting ones included, by rising id', () => {
    const scenario = new Scenario();
    const day = { timeInForce: DAY } as const;
    scenario.run(
      buy(1, 101, day),
      buy(2, 100),
      stopAt(200, buy(3, 0, day)),
      buy(4, 100, { instrument: 1, ...day }),
      buy(5, 102, { displayLots: 1, ...day }),
    );
    expect(scenario.run(setState(CLOSED))).toEqual(['CLOSED', '1 CANCELLED 1 DAY_END', '3 CANCELLED 3 DAY_END', '5 CANCELLED 5 DAY_END']);
    expect(scenario.core.openOrders).toBe(2);
  });
});

describe('auctions', () => {
  /** What the auction over `orders` would do, what it does, and what is left. */
  function auction(lastTradeTicks: number, ...orders: Command[]): { price: number; lots: number; imbalance: number; lines: string[] } {
    const scenario = new Scenario();
    if (lastTradeTicks > 0) scenario.run(sell(1, lastTradeTicks, { account: 8 }), buy(1, lastTradeTicks, { account: 9 }));
    scenario.run(setState(AUCTION), ...orders);
    const { priceTicks, quantityLots, imbalanceLots } = scenario.core.book(0).indication();
    return { price: priceTicks, lots: Number(quantityLots), imbalance: Number(imbalanceLots), lines: scenario.run(setState(TRADING)) };
  }

  it.each([
    ['an empty book', 0, [], [0, 0, 0]],
    ['nothing crosses', 0, [buy(5, 99), sell(5, 100)], [0, 0, 0]],
    ['most volume', 0, [buy(5, 102), buy(5, 100), sell(8, 100), sell(9, 101)], [100, 8, 2]],
    ['then least imbalance', 0, [buy(5, 102), sell(5, 100), sell(1, 102)], [100, 5, 0]],
    ['then nearest to the last trade', 103, [buy(5, 102), sell(5, 100)], [102, 5, 0]],
    ['then lowest', 101, [buy(5, 102), sell(5, 100)], [100, 5, 0]],
    ['without a last trade nearest to 0', 0, [buy(5, 102), sell(5, 100)], [100, 5, 0]],
    ['hidden lots count', 0, [buy(9, 101, { displayLots: 1 }), sell(5, 100), sell(2, 101)], [101, 7, 2]],
    ['more sells than buys', 0, [buy(5, 101), sell(9, 100)], [100, 5, -4]],
    ['sums beyond 2^53', 0, [...[1, 2, 3].map(() => buy(2 ** 53 - 1, 101)), sell(1, 101)], [101, 1, 3 * 2 ** 53 - 4]],
  ] as [string, number, Command[], number[]][])('price: %s', (_name, last, orders, [price, lots, imbalance]) => {
    const found = auction(last, ...orders);
    expect([found.price, found.lots, found.imbalance]).toEqual([price, lots, imbalance]);
  });

  it('trades the best with the best at one price, the older as maker', () => {
    const { lines } = auction(0, buy(5, 102), sell(3, 99, other), buy(4, 101, third), sell(9, 100, other));
    expect(lines).toEqual([
      '3 trades 3 @ 100 with 2, left 0 and 2',
      '3 FILLED 0',
      '5 trades 2 @ 100 with 2, left 7 and 0',
      '5 trades 4 @ 100 with 4, left 3 and 0',
      'TRADING, auction at 100',
    ]);
  });

  it('renews icebergs, the buying one first', () => {
    const { lines } = auction(
      0,
      buy(6, 100, { displayLots: 2 }),
      buy(2, 100, third),
      sell(6, 100, { displayLots: 2, ...other }),
      sell(4, 100, other),
    );
    expect(lines.slice(0, -1).filter((line) => line.includes('trades'))).toEqual([
      '4 trades 2 @ 100 with 2, left 4 and 4',
      '5 trades 2 @ 100 with 3, left 2 and 0',
      '5 trades 2 @ 100 with 2, left 0 and 2',
      '4 trades 2 @ 100 with 2, left 2 and 0',
    ]);
  });

  it('sets the last trade and triggers stops', () => {
    const { lines } = auction(0, buy(5, 102), sell(5, 102, other), stopAt(101, buy(1, 0)));
    expect(lines).toEqual([
      '3 trades 5 @ 102 with 2, left 0 and 0',
      '3 FILLED 0',
      'TRADING, auction at 102',
      '4 triggered',
      '4 CANCELLED 1 IMMEDIATE',
    ]);
  });

  it('trades across one account whatever the self-trade mode', () => {
    const { lines } = auction(0, buy(5, 100, { selfTrade: 1 }), sell(5, 100, { selfTrade: 1 }));
    expect(lines[0]).toBe('3 trades 5 @ 100 with 2, left 0 and 0');
  });
});

describe('volatility', () => {
  const VOLATILITY: SetVolatility = {
    kind: SET_VOLATILITY,
    instrument: 0,
    bandPercent: 10,
    windowMicros: 0,
    haltMicros: 50,
    auctionMicros: 0,
  };
  /** Band of 10 % around 100, time 3. */
  function started(more: Partial<SetVolatility> = {}): Scenario {
    const scenario = new Scenario();
    scenario.run({ ...VOLATILITY, ...more }, sell(1, 100), buy(1, 100, other));
    return scenario;
  }

  it('halts instead of a trade outside the band, after the taker has ended', () => {
    const scenario = started();
    expect(scenario.run(sell(5, 110), sell(5, 111), buy(8, 120, other))).toEqual([
      '4 OPEN 5',
      '5 OPEN 5',
      '6 trades 5 @ 110 with 4, left 3 and 0',
      '6 CANCELLED 3 INTERRUPTED',
      'HALTED, until 56',
    ]);
    expect([scenario.core.book(0).state, scenario.core.book(0).untilMicros, scenario.core.nextDueMicros]).toEqual([HALTED, 56, 56]);
  });

  it('halts below the band as well, and before self-trade prevention', () => {
    const scenario = started();
    expect(scenario.run(buy(5, 89), sell(5, 89, { selfTrade: 1 })).slice(1)).toEqual(['5 CANCELLED 5 INTERRUPTED', 'HALTED, until 55']);
  });

  it('ends by itself: in trading, or in an auction that ends in trading', () => {
    const scenario = started();
    scenario.run(sell(5, 120), atMarket(buy(1, 0, other)));
    scenario.nowMicros = 53;
    expect(scenario.run(ADVANCE, ADVANCE)).toEqual(['TRADING']);
    const auctioned = started({ auctionMicros: 30 });
    auctioned.run(sell(5, 120), atMarket(buy(1, 0, other)));
    auctioned.nowMicros = 99;
    expect(auctioned.run(ADVANCE, buy(2, 121, other))).toEqual(['AUCTION, until 130', '6 OPEN 2'].map((line) => line.replace('6 ', '7 ')));
    auctioned.nowMicros = 129;
    expect(auctioned.run(ADVANCE)).toEqual(['7 trades 2 @ 120 with 4, left 0 and 3', '7 FILLED 0', 'TRADING, auction at 120']);
    expect(auctioned.core.nextDueMicros).toBe(Infinity);
  });

  it('a command ends the timer', () => {
    const scenario = started();
    scenario.run(sell(5, 120), atMarket(buy(1, 0, other)));
    expect(scenario.run(setState(HALTED))).toEqual(['HALTED']);
    expect([scenario.core.nextDueMicros, scenario.core.book(0).untilMicros]).toEqual([Infinity, 0]);
  });

  it('stops wait while it is halted', () => {
    const scenario = started();
    scenario.run(stopAt(105, buy(1, 0)), sell(1, 105), sell(9, 120));
    expect(scenario.run(buy(2, 120, other))).toEqual([
      '7 trades 1 @ 105 with 5, left 1 and 0',
      '7 CANCELLED 1 INTERRUPTED',
      'HALTED, until 57',
    ]);
    expect(scenario.run(setState(TRADING))).toEqual(['TRADING', '4 triggered', '4 CANCELLED 1 INTERRUPTED', 'HALTED, until 58']);
  });

  it('the first trade is the reference when there was none, also within one command', () => {
    const scenario = new Scenario();
    scenario.run(VOLATILITY, sell(1, 100), sell(1, 111));
    expect(scenario.run(buy(2, 111, other))).toEqual([
      '4 trades 1 @ 100 with 2, left 1 and 0',
      '4 CANCELLED 1 INTERRUPTED',
      'HALTED, until 54',
    ]);
  });

  it('the reference follows the last trade once its window is over', () => {
    const scenario = started({ windowMicros: 10 });
    scenario.run(sell(2, 110), buy(1, 110, other));
    scenario.nowMicros = 12;
    // Time 13 is the end of the window of the reference that was set at time 3; the price is inside the band around 110.
    expect(scenario.run(sell(1, 121), buy(2, 121, other))).toEqual([
      '6 OPEN 1',
      '7 trades 1 @ 110 with 4, left 1 and 0',
      '7 trades 1 @ 121 with 6, left 0 and 0',
      '7 FILLED 0',
    ]);
  });

  it('compares the band exactly beyond 2^53', () => {
    const reference = 2 ** 52 + 2;
    const edge = reference + reference / 2;
    const scenario = new Scenario();
    scenario.run({ ...VOLATILITY, bandPercent: 50 }, sell(1, reference), buy(1, reference, other), sell(1, edge), sell(1, edge + 1));
    expect(scenario.run(buy(2, edge + 1, other)).slice(0, 2)).toEqual([
      `6 trades 1 @ ${edge} with 4, left 1 and 0`,
      '6 CANCELLED 1 INTERRUPTED',
    ]);
  });

  it('FOK counts what is inside the band only', () => {
    const scenario = started();
    scenario.run(sell(5, 110), sell(5, 111));
    expect(scenario.run(buy(6, 120, { timeInForce: FOK, ...other }))).toEqual(['6 CANCELLED 6 NOT_FILLABLE']);
    const first = new Scenario();
    first.run(VOLATILITY, sell(5, 100), sell(5, 111));
    expect(first.run(buy(6, 120, { timeInForce: FOK, ...other }))).toEqual(['4 CANCELLED 6 NOT_FILLABLE']);
    const selling = new Scenario();
    selling.run(VOLATILITY, buy(5, 100), buy(5, 89));
    expect(selling.run(sell(6, 80, { timeInForce: FOK, ...other }))).toEqual(['4 CANCELLED 6 NOT_FILLABLE']);
  });

  it('refuses settings that are no counts', () => {
    const scenario = new Scenario();
    expect(scenario.run({ ...VOLATILITY, bandPercent: 0.5 }, { ...VOLATILITY, haltMicros: -1 }, { ...VOLATILITY, instrument: 7 })).toEqual([
      'reject badTerms',
      'reject badTerms',
      'reject unknownInstrument',
    ]);
  });
});

describe('time', () => {
  const until = (expiryMicros: number) => ({ timeInForce: GTD, expiryMicros }) as const;

  it('expires by expiry, then id, wherever the orders are', () => {
    const scenario = new Scenario();
    scenario.run(
      buy(1, 100, until(30)),
      stopAt(200, buy(2, 0, until(20))),
      buy(3, 100, { instrument: 1, ...until(20) }),
      buy(4, 100, until(40)),
    );
    expect(scenario.core.nextDueMicros).toBe(20);
    expect(scenario.run(ADVANCE)).toEqual([]);
    scenario.nowMicros = 29;
    expect(scenario.run(ADVANCE)).toEqual(['2 CANCELLED 2 EXPIRED', '3 CANCELLED 3 EXPIRED', '1 CANCELLED 1 EXPIRED']);
    expect(scenario.core.nextDueMicros).toBe(40);
  });

  it('begins at 0', () => {
    const scenario = new Scenario();
    scenario.nowMicros = -1;
    expect(scenario.run(buy(1, 100, { timeInForce: GTD, expiryMicros: 1 }))).toEqual(['1 OPEN 1']);
    expect(scenario.core.nextDueMicros).toBe(1);
    expect(scenario.run(ADVANCE)).toEqual(['1 CANCELLED 1 EXPIRED']);
  });

  it('forgets those that have ended', () => {
    const scenario = new Scenario();
    scenario.run(buy(1, 100, until(20)), buy(1, 100, until(30)), cancel(1));
    expect(scenario.core.nextDueMicros).toBe(30);
    scenario.run(atMarket(sell(1, 0, other)));
    expect(scenario.core.nextDueMicros).toBe(Infinity);
  });

  it('knows one that was replaced or triggered once', () => {
    const scenario = new Scenario();
    scenario.run(
      sell(1, 100),
      buy(1, 100, other),
      buy(5, 90, until(50)),
      stopAt(100, buy(5, 91, until(50))),
      stopAt(105, buy(5, 92, until(60))),
    );
    scenario.run(replace(3, { priceTicks: 91 }), replace(3, { priceTicks: 90 }), replace(5, { stopTicks: 100 }));
    scenario.nowMicros = 70;
    expect(scenario.run(ADVANCE)).toEqual(['3 CANCELLED 5 EXPIRED', '4 CANCELLED 5 EXPIRED', '5 CANCELLED 5 EXPIRED']);
  });
});

describe('mass cancels', () => {
  function filled(): Scenario {
    const scenario = new Scenario();
    scenario.run(
      buy(1, 100, { session: 7 }),
      buy(2, 101, other),
      stopAt(200, buy(3, 0, { session: 7 })),
      buy(4, 100, { instrument: 1, session: 8 }),
      sell(5, 300, { displayLots: 1, ...other }),
    );
    return scenario;
  }
  it.each([
    ['everything', {}, [1, 2, 3, 4, 5]],
    ['an account', { account: 1 }, [1, 3, 4]],
    ['an instrument', { instrument: 0 }, [1, 2, 3, 5]],
    ['an account in an instrument', { account: 1, instrument: 0 }, [1, 3]],
    ['a session', { session: 7, reason: DISCONNECTED }, [1, 3]],
    ['a session of another account', { session: 7, account: 2 }, []],
    ['an account without any', { account: 77 }, []],
  ] as [string, Partial<MassCancel>, number[]][])('%s', (_name, fit, ids) => {
    const scenario = filled();
    const reason = fit.reason === DISCONNECTED ? 'DISCONNECTED' : 'MASS';
    expect(scenario.run(massCancel(fit))).toEqual(ids.map((id) => `${id} CANCELLED ${id} ${reason}`));
    expect(scenario.core.openOrders).toBe(5 - ids.length);
    expect(scenario.core.sequence).toBe(6);
  });

  it('come by rising id, many at once', () => {
    const scenario = new Scenario();
    scenario.run(...Array.from({ length: 3000 }, (_, index) => buy(1, 100 + ((index * 7919) % 501))), cancel(5), buy(1, 100));
    const ids = scenario.run(massCancel({})).map((line) => Number(line.split(' ')[0]));
    expect(ids).toEqual([...Array.from({ length: 3000 }, (_, index) => index + 1).filter((id) => id !== 5), 3002]);
  });

  it('are refused for an instrument or a reason that is none', () => {
    const refused = new Scenario().run(massCancel({ instrument: 2 }), massCancel({ reason: 3 as typeof MASS }));
    expect(refused).toEqual(['reject unknownInstrument', 'reject badTerms']);
  });

  it('by kill switch: of an account, and of all', () => {
    const scenario = filled();
    expect(scenario.run({ kind: KILL_SWITCH, account: 2, on: true })).toEqual(['2 CANCELLED 2 KILLED', '5 CANCELLED 5 KILLED']);
    expect([scenario.core.killed(2), scenario.core.killed(1), scenario.core.killed(ANY_ACCOUNT)]).toEqual([true, false, false]);
    expect(scenario.run({ kind: KILL_SWITCH, account: ANY_ACCOUNT, on: true })).toHaveLength(3);
    expect(scenario.run({ kind: KILL_SWITCH, account: ANY_ACCOUNT, on: false }, { kind: KILL_SWITCH, account: 2, on: false })).toEqual([]);
    expect([scenario.core.killed(2), scenario.core.killed(ANY_ACCOUNT)]).toEqual([false, false]);
  });
});
