import { describe, expect, it } from 'vitest';
import { CommandSlots, SLOT_BYTES } from './command.ts';
import { atMarket, buy, cancel, replace, Scenario, sell, stopAt } from './scenario.ts';
import {
  ALLOW,
  BUY,
  CANCEL_BOTH,
  CANCEL_NEWEST,
  CANCEL_OLDEST,
  DAY,
  DECREMENT,
  FOK,
  GTD,
  IOC,
  MARKET,
  REJECT,
  SELL,
  type Command,
  type EventSink,
} from './types.ts';

/** Name, what was there before, what comes, and what comes of the last. Ids count from 1 over both. */
type Case = [name: string, before: Command[], comes: Command, lines: string[], then?: { bids?: string; asks?: string }];

/** What a case leads to. */
function happens([, before, comes, , then = {}]: Case): object {
  const scenario = new Scenario();
  scenario.run(...before);
  const lines = scenario.run(comes);
  return { lines, ...('bids' in then && { bids: scenario.depth(BUY) }), ...('asks' in then && { asks: scenario.depth(SELL) }) };
}

const other = { account: 2 };

describe('matching', () => {
  it.each<Case>([
    [
      'best price first, then the oldest, at the resting price',
      [sell(5, 101), sell(5, 100), sell(5, 100)],
      buy(12, 101, other),
      [
        '4 trades 5 @ 100 with 2, left 7 and 0',
        '4 trades 5 @ 100 with 3, left 2 and 0',
        '4 trades 2 @ 101 with 1, left 0 and 3',
        '4 FILLED 0',
      ],
      { asks: '3@101' },
    ],
    [
      'what a GTC limit leaves rests',
      [sell(3, 100)],
      buy(5, 100, other),
      ['2 trades 3 @ 100 with 1, left 2 and 0', '2 OPEN 2'],
      { bids: '2@100' },
    ],
    ['not through its limit', [sell(1, 101)], buy(1, 100), ['2 OPEN 1'], { bids: '1@100', asks: '1@101' }],
    [
      'what IOC leaves is cancelled',
      [sell(3, 100)],
      buy(5, 100, { timeInForce: IOC, ...other }),
      ['2 trades 3 @ 100 with 1, left 2 and 0', '2 CANCELLED 2 IMMEDIATE'],
      { bids: '' },
    ],
    ['IOC with nothing to trade', [], buy(5, 100, { timeInForce: IOC }), ['1 CANCELLED 5 IMMEDIATE']],
    [
      'market at any price',
      [sell(3, 100), sell(3, 10 ** 12)],
      atMarket(buy(9, 0, other)),
      ['3 trades 3 @ 100 with 1, left 6 and 0', `3 trades 3 @ ${10 ** 12} with 2, left 3 and 0`, '3 CANCELLED 3 IMMEDIATE'],
    ],
    [
      'prices and quantities of 2^52',
      [sell(2 ** 52, 2 ** 52)],
      buy(2 ** 52 + 1, 2 ** 52, other),
      [`2 trades ${2 ** 52} @ ${2 ** 52} with 1, left 1 and 0`, '2 OPEN 1'],
    ],
    ['instruments apart', [sell(1, 100)], buy(1, 100, { instrument: 1 }), ['2 OPEN 1']],
    [
      'other instruments say so',
      [sell(1, 100, { instrument: 1 })],
      buy(1, 100, { instrument: 1, ...other }),
      ['[1] 2 trades 1 @ 100 with 1, left 0 and 0', '2 FILLED 0'],
    ],
  ])('%s', (...given) => expect(happens(given)).toEqual({ lines: given[3], ...given[4] }));

  it.each([1, 2, 3])('cancelling order %i of a price keeps the order of the others', (gone) => {
    const scenario = new Scenario();
    scenario.run(buy(1, 100), buy(1, 100), buy(1, 100), cancel(gone));
    const left = [1, 2, 3].filter((id) => id !== gone);
    expect(scenario.run(atMarket(sell(2, 0, other)))).toEqual([
      `5 trades 1 @ 100 with ${left[0]}, left 1 and 0`,
      `5 trades 1 @ 100 with ${left[1]}, left 0 and 0`,
      '5 FILLED 0',
    ]);
    expect(scenario.core.openOrders).toBe(0);
  });
});

describe('fill or kill', () => {
  const fok = { timeInForce: FOK, ...other } as const;
  it.each<Case>([
    [
      'wholly',
      [sell(3, 100), sell(3, 101)],
      buy(6, 101, fok),
      ['3 trades 3 @ 100 with 1, left 3 and 0', '3 trades 3 @ 101 with 2, left 0 and 0', '3 FILLED 0'],
    ],
    ['or not at all', [sell(3, 100), sell(3, 101)], buy(7, 101, fok), ['3 CANCELLED 7 NOT_FILLABLE'], { asks: '3@100 3@101' }],
    ['what is beyond its price does not count', [sell(3, 100), sell(3, 101)], buy(4, 100, fok), ['3 CANCELLED 4 NOT_FILLABLE']],
    [
      'hidden lots count',
      [sell(9, 100, { displayLots: 5 })],
      buy(9, 100, fok),
      ['2 trades 5 @ 100 with 1, left 4 and 4', '2 trades 4 @ 100 with 1, left 0 and 0', '2 FILLED 0'],
    ],
    ['as a market order', [sell(3, 100)], { ...buy(4, 0, fok), type: MARKET }, ['2 CANCELLED 4 NOT_FILLABLE']],
    [
      'own orders that would be cancelled do not count',
      [sell(3, 100, other), sell(3, 100)],
      buy(4, 100, { ...fok, selfTrade: CANCEL_OLDEST }),
      ['3 CANCELLED 4 NOT_FILLABLE'],
      { asks: '6@100' },
    ],
    [
      'but those behind them do',
      [sell(3, 100, other), sell(4, 100)],
      buy(4, 100, { ...fok, selfTrade: CANCEL_OLDEST }),
      ['1 CANCELLED 3 SELF_TRADE', '3 trades 4 @ 100 with 2, left 0 and 0', '3 FILLED 0'],
    ],
    ...([CANCEL_NEWEST, CANCEL_BOTH, DECREMENT] as const).map((selfTrade): Case => [
      `mode ${selfTrade}: nothing behind an own order counts`,
      [sell(3, 100), sell(3, 100, other), sell(9, 100)],
      buy(4, 100, { ...fok, selfTrade }),
      ['4 CANCELLED 4 NOT_FILLABLE'],
      { asks: '15@100' },
    ]),
    [
      'nor what an iceberg before it hides at its price',
      [sell(25, 100, { displayLots: 5 }), sell(5, 100, other)],
      buy(15, 100, { ...fok, selfTrade: CANCEL_NEWEST }),
      ['3 CANCELLED 15 NOT_FILLABLE'],
    ],
    [
      'but what one hides at a better price does',
      [sell(25, 99, { displayLots: 20 }), sell(5, 100, other)],
      buy(25, 100, { ...fok, selfTrade: CANCEL_NEWEST }),
      ['3 trades 20 @ 99 with 1, left 5 and 5', '3 trades 5 @ 99 with 1, left 0 and 0', '3 FILLED 0'],
    ],
    [
      'own orders count when they may be traded with',
      [sell(3, 100, other)],
      buy(3, 100, { ...fok, selfTrade: ALLOW }),
      ['2 trades 3 @ 100 with 1, left 0 and 0', '2 FILLED 0'],
    ],
  ])('%s', (...given) => expect(happens(given)).toEqual({ lines: given[3], ...given[4] }));
});

describe('icebergs', () => {
  it.each<Case>([
    ['show a part', [], buy(10, 100, { displayLots: 4 }), ['1 OPEN 10'], { bids: '4@100' }],
    ['show all when there is not more', [], buy(10, 100, { displayLots: 10 }), ['1 OPEN 10'], { bids: '10@100' }],
    [
      'hide what remains of them, not what they were',
      [sell(7, 100)],
      buy(10, 100, { displayLots: 4, ...other }),
      ['2 trades 7 @ 100 with 1, left 3 and 0', '2 OPEN 3'],
      { bids: '3@100' },
    ],
    [
      'go behind the others of their price when they show more',
      [sell(10, 100, { displayLots: 4 }), sell(5, 100)],
      buy(20, 100, other),
      [
        '3 trades 4 @ 100 with 1, left 16 and 6',
        '3 trades 5 @ 100 with 2, left 11 and 0',
        '3 trades 4 @ 100 with 1, left 7 and 2',
        '3 trades 2 @ 100 with 1, left 5 and 0',
        '3 OPEN 5',
      ],
    ],
    [
      'keep their place while they show something',
      [sell(10, 100, { displayLots: 4 }), sell(5, 100)],
      buy(3, 100, other),
      ['3 trades 3 @ 100 with 1, left 0 and 7', '3 FILLED 0'],
      { asks: '6@100' },
    ],
    ['are cancelled with what is hidden', [sell(10, 100, { displayLots: 4 })], cancel(1), ['1 CANCELLED 10 REQUESTED'], { asks: '' }],
  ])('%s', (...given) => expect(happens(given)).toEqual({ lines: given[3], ...given[4] }));
});

describe('self-trade prevention', () => {
  const own = [sell(3, 100), sell(5, 100, other)];
  it.each<Case>([
    [
      'ALLOW trades',
      own,
      buy(4, 100, { selfTrade: ALLOW }),
      ['3 trades 3 @ 100 with 1, left 1 and 0', '3 trades 1 @ 100 with 2, left 0 and 4', '3 FILLED 0'],
    ],
    ['CANCEL_NEWEST ends the taker', own, buy(4, 100, { selfTrade: CANCEL_NEWEST }), ['3 CANCELLED 4 SELF_TRADE'], { asks: '8@100' }],
    [
      'CANCEL_OLDEST cancels the maker',
      own,
      buy(4, 100, { selfTrade: CANCEL_OLDEST }),
      ['1 CANCELLED 3 SELF_TRADE', '3 trades 4 @ 100 with 2, left 0 and 1', '3 FILLED 0'],
    ],
    [
      'CANCEL_BOTH ends both',
      own,
      buy(4, 100, { selfTrade: CANCEL_BOTH }),
      ['1 CANCELLED 3 SELF_TRADE', '3 CANCELLED 4 SELF_TRADE'],
      { asks: '5@100' },
    ],
    [
      'DECREMENT takes from both and goes on',
      own,
      buy(4, 100, { selfTrade: DECREMENT }),
      ['1 CANCELLED 0 SELF_TRADE', '3 trades 1 @ 100 with 2, left 0 and 4', '3 FILLED 0'],
    ],
    [
      'DECREMENT ends a taker that has nothing left',
      own,
      buy(2, 100, { selfTrade: DECREMENT }),
      ['1 OPEN 1 SELF_TRADE', '3 CANCELLED 0 SELF_TRADE'],
      { asks: '6@100' },
    ],
    [
      'DECREMENT of equals ends both',
      own,
      buy(3, 100, { selfTrade: DECREMENT }),
      ['1 CANCELLED 0 SELF_TRADE', '3 CANCELLED 0 SELF_TRADE'],
      { asks: '5@100' },
    ],
    [
      'DECREMENT renews an iceberg',
      [sell(9, 100, { displayLots: 3 }), sell(5, 100, other)],
      buy(3, 100, { selfTrade: DECREMENT }),
      ['1 OPEN 6 SELF_TRADE', '3 CANCELLED 0 SELF_TRADE'],
      { asks: '8@100' },
    ],
    [
      'cancels icebergs whole',
      [sell(9, 100, { displayLots: 3 })],
      buy(3, 100, { selfTrade: CANCEL_OLDEST }),
      ['1 CANCELLED 9 SELF_TRADE', '2 OPEN 3'],
    ],
    [
      'trades with others before',
      [sell(5, 99, other), sell(3, 100)],
      buy(7, 100, { selfTrade: CANCEL_NEWEST }),
      ['3 trades 5 @ 99 with 1, left 2 and 0', '3 CANCELLED 2 SELF_TRADE'],
    ],
  ])('%s', (...given) => expect(happens(given)).toEqual({ lines: given[3], ...given[4] }));
});

describe('stops', () => {
  /** A trade at 100. */
  const traded = [sell(1, 100), buy(1, 100, other)];
  it.each<Case>([
    ['wait', traded, stopAt(105, buy(5, 0)), ['3 PENDING 5'], { bids: '' }],
    ['wait without a last trade', [], stopAt(1, sell(5, 0)), ['1 PENDING 5']],
    [
      'are triggered at once when the last trade has reached them (buy)',
      [...traded, sell(9, 103)],
      stopAt(100, buy(5, 0, other)),
      ['4 triggered', '4 trades 5 @ 103 with 3, left 0 and 4', '4 FILLED 0'],
    ],
    [
      'are triggered at once when the last trade has reached them (sell)',
      traded,
      stopAt(100, sell(5, 0)),
      ['3 triggered', '3 CANCELLED 5 IMMEDIATE'],
    ],
    ['with a limit, rest what they do not trade', traded, stopAt(100, buy(5, 99)), ['3 triggered', '3 OPEN 5'], { bids: '5@99' }],
    [
      'are triggered by a trade, and by what they trade themselves',
      [...traded, stopAt(101, buy(2, 0)), stopAt(102, buy(2, 110)), sell(1, 101), sell(9, 102)],
      buy(1, 101, other),
      [
        '7 trades 1 @ 101 with 5, left 0 and 0',
        '7 FILLED 0',
        '3 triggered',
        '3 trades 2 @ 102 with 6, left 0 and 7',
        '3 FILLED 0',
        '4 triggered',
        '4 trades 2 @ 102 with 6, left 0 and 5',
        '4 FILLED 0',
      ],
    ],
    ['icebergs hide when they rest', traded, stopAt(100, buy(9, 99, { displayLots: 2 })), ['3 triggered', '3 OPEN 9'], { bids: '2@99' }],
    ['can be cancelled', [...traded, stopAt(105, buy(5, 0))], cancel(3), ['3 CANCELLED 5 REQUESTED']],
  ])('%s', (...given) => expect(happens(given)).toEqual({ lines: given[3], ...given[4] }));

  it('come in this order: buying ones by rising, then selling ones by falling stop price, then by age', () => {
    const scenario = new Scenario();
    scenario.run(sell(1, 100), buy(1, 100, other));
    scenario.run(stopAt(103, buy(1, 0)), stopAt(102, buy(1, 0)), stopAt(102, buy(1, 0)), stopAt(98, sell(1, 0)), stopAt(99, sell(1, 0)));
    scenario.run(buy(1, 50, other), sell(1, 110, other));
    const lines = scenario.run(sell(1, 105, other), atMarket(buy(1, 0, { account: 3 })));
    expect(lines.filter((line) => line.endsWith('triggered'))).toEqual(['4 triggered', '5 triggered', '3 triggered']);
    // The first stop took the last sell order, so the others found nothing; the buy order at 50 reaches the selling ones.
    const falling = scenario.run(atMarket(sell(1, 0, { account: 3 })));
    expect(falling.filter((line) => line.endsWith('triggered'))).toEqual(['7 triggered', '6 triggered']);
  });

  it('keep their limits while the memory for them grows', () => {
    const scenario = new Scenario();
    scenario.run(...Array.from({ length: 100 }, (_, index) => stopAt(1000, buy(1, 1 + index))), sell(1, 1000), buy(1, 1000, other));
    expect(scenario.depth(BUY)).toBe(Array.from({ length: 100 }, (_, index) => `1@${100 - index}`).join(' '));
  });
});

describe('replace', () => {
  it.each<Case>([
    [
      'keeps its place when only the quantity falls',
      [buy(5, 100), buy(5, 100)],
      replace(1, { quantityLots: 3 }),
      ['1 is now 3 @ 100'],
      { bids: '8@100' },
    ],
    ['rests anew at another price', [buy(5, 100)], replace(1, { priceTicks: 101 }), ['1 is now 5 @ 101', '1 OPEN 5'], { bids: '5@101' }],
    [
      'rests anew when the quantity rises',
      [buy(5, 100)],
      replace(1, { quantityLots: 6 }),
      ['1 is now 6 @ 100', '1 OPEN 6'],
      { bids: '6@100' },
    ],
    [
      'trades at its new price',
      [buy(5, 100), sell(3, 102, other)],
      replace(1, { priceTicks: 102 }),
      ['1 is now 5 @ 102', '1 trades 3 @ 102 with 2, left 2 and 0', '1 OPEN 2'],
    ],
    [
      'trades wholly',
      [buy(5, 100), sell(5, 102, other)],
      replace(1, { priceTicks: 102 }),
      ['1 is now 5 @ 102', '1 trades 5 @ 102 with 2, left 0 and 0', '1 FILLED 0'],
      { bids: '' },
    ],
    [
      'keeps its self-trade mode',
      [buy(5, 100, { selfTrade: CANCEL_NEWEST }), sell(3, 102)],
      replace(1, { priceTicks: 102 }),
      ['1 is now 5 @ 102', '1 CANCELLED 5 SELF_TRADE'],
    ],
    [
      'takes hidden lots first',
      [buy(10, 100, { displayLots: 4 })],
      replace(1, { quantityLots: 5 }),
      ['1 is now 5 @ 100'],
      { bids: '4@100' },
    ],
    ['and shown ones then', [buy(10, 100, { displayLots: 4 })], replace(1, { quantityLots: 3 }), ['1 is now 3 @ 100'], { bids: '3@100' }],
    [
      'an iceberg keeps its display',
      [buy(10, 100, { displayLots: 4 })],
      replace(1, { quantityLots: 20, priceTicks: 99 }),
      ['1 is now 20 @ 99', '1 OPEN 20'],
      { bids: '4@99' },
    ],
    [
      'a stop gets new terms',
      [stopAt(105, buy(5, 106))],
      replace(1, { stopTicks: 107, priceTicks: 108, quantityLots: 6 }),
      ['1 is now 6 @ 108, stop 107'],
    ],
    [
      'a stop that is reached already is triggered',
      [sell(1, 100), buy(1, 100, other), stopAt(105, buy(5, 99))],
      replace(3, { stopTicks: 100 }),
      ['3 is now 5 @ 99, stop 100', '3 triggered', '3 OPEN 5'],
      { bids: '5@99' },
    ],
    [
      'sets off stops',
      [sell(1, 100), buy(1, 100, other), stopAt(101, buy(5, 0)), sell(1, 101), buy(1, 99, other)],
      replace(5, { priceTicks: 101 }),
      ['5 is now 1 @ 101', '5 trades 1 @ 101 with 4, left 0 and 0', '5 FILLED 0', '3 triggered', '3 CANCELLED 5 IMMEDIATE'],
    ],
    ['nothing to change', [buy(5, 100)], replace(1, { priceTicks: 100, quantityLots: 5 }), ['reject badTerms']],
    ['a stop price for what does not wait', [buy(5, 100)], replace(1, { stopTicks: 100 }), ['reject badTerms']],
    ['a limit for a stop that has none', [stopAt(105, buy(5, 0))], replace(1, { priceTicks: 100 }), ['reject badTerms']],
    ['half a tick', [buy(5, 100)], replace(1, { priceTicks: 0.5 }), ['reject badPrice']],
    ['a negative stop', [stopAt(5, buy(5, 100))], replace(1, { stopTicks: -1 }), ['reject badPrice']],
    ['a negative quantity', [buy(5, 100)], replace(1, { quantityLots: -1 }), ['reject badQuantity']],
    ['an order that is not there', [buy(5, 100)], replace(2, { quantityLots: 1 }), ['reject unknownOrder']],
    ['an order of another account', [buy(5, 100)], replace(1, { quantityLots: 1, account: 2 }), ['reject unknownOrder']],
    ['another remainder than expected', [buy(5, 100)], replace(1, { quantityLots: 1, expectedLots: 4 }), ['reject stale']],
    ['the remainder that was expected', [buy(5, 100)], replace(1, { quantityLots: 1, expectedLots: 5 }), ['1 is now 1 @ 100']],
    ['post-only stays so', [sell(1, 101, other), buy(5, 100, { postOnly: true })], replace(2, { priceTicks: 101 }), ['reject wouldTrade']],
  ])('%s', (...given) => expect(happens(given)).toEqual({ lines: given[3], ...given[4] }));

  it('decides who trades first', () => {
    const scenario = new Scenario();
    scenario.run(buy(5, 100), buy(5, 100), replace(1, { quantityLots: 4 }), buy(5, 100), replace(2, { quantityLots: 6 }));
    const lines = scenario.run(atMarket(sell(15, 0, other)));
    expect(lines.map((line) => line.match(/with (\d+)/)?.[1])).toEqual(['1', '4', '2', undefined]);
  });

  it('takes from what an iceberg hides first, and from its account', () => {
    const scenario = new Scenario({ maxPositionLots: 20 });
    scenario.run(buy(9, 100, { displayLots: 2 }));
    for (const quantityLots of [8, 3, 2, 1]) {
      scenario.run(replace(1, { quantityLots }));
      const shown = Math.min(2, quantityLots);
      expect([scenario.core.remainingLots(1), scenario.depth(BUY)]).toEqual([quantityLots, `${shown}@100`]);
      expect(scenario.core.position(1, 0)).toMatchObject({ openOrders: 1, openBuyLots: quantityLots });
    }
  });

  it('of a stop keeps its place unless the stop changes or the quantity rises', () => {
    const scenario = new Scenario();
    scenario.run(sell(1, 100), buy(1, 100, other), stopAt(105, buy(5, 50)), stopAt(105, buy(5, 50)), stopAt(105, buy(5, 50)));
    scenario.run(replace(3, { quantityLots: 4, priceTicks: 51 }), replace(4, { quantityLots: 6 }));
    scenario.run(sell(1, 105, other));
    const lines = scenario.run(atMarket(buy(1, 0)));
    expect(lines.filter((line) => line.endsWith('triggered'))).toEqual(['3 triggered', '5 triggered', '4 triggered']);
    expect(scenario.depth(BUY)).toBe('4@51 11@50');
  });

  it('of a stop with another limit and the same quantity keeps its place', () => {
    const scenario = new Scenario();
    scenario.run(stopAt(105, buy(5, 50)), stopAt(105, buy(5, 50)), replace(1, { priceTicks: 51 }), sell(1, 105));
    expect(scenario.run(buy(1, 105, other)).filter((line) => line.endsWith('triggered'))).toEqual(['1 triggered', '2 triggered']);
  });

  it('keeps expiry, day, post-only and session', () => {
    const scenario = new Scenario();
    scenario.run(buy(5, 100, { timeInForce: GTD, expiryMicros: 1000, session: 7, postOnly: true }), buy(5, 100, { timeInForce: DAY }));
    const before = [...scenario.words()].slice(4);
    scenario.run(
      replace(1, { priceTicks: 101 }),
      replace(2, { priceTicks: 99 }),
      replace(1, { priceTicks: 100 }),
      replace(2, { priceTicks: 100 }),
    );
    expect([...scenario.words()].slice(4)).toEqual(before);
    expect(scenario.core.nextDueMicros).toBe(1000);
  });
});

describe('what readers ask', () => {
  it('where an order is, whose, and how much is left', () => {
    const scenario = new Scenario();
    scenario.run(buy(5, 100, { displayLots: 2 }), stopAt(9, buy(3, 0, { instrument: 1, account: 4 })));
    const { core } = scenario;
    expect([1, 2, 3].map((id) => [core.find(id), core.ownerOf(id), core.remainingLots(id)])).toEqual([
      [0, 1, 5],
      [1, 4, 3],
      [-1, -1, -1],
    ]);
    expect([core.openOrders, core.book(0).openOrders, core.book(1).openOrders]).toEqual([2, 1, 1]);
    expect([core.book(0).bestTicks(BUY), core.book(0).bestTicks(SELL), core.book(0).lastTradeTicks]).toEqual([100, 0, 0]);
    expect(() => core.book(2)).toThrow('no instrument 2');
    for (const command of [cancel(9), replace(9, { quantityLots: 1 })])
      expect(() => scenario.replay(command)).toThrow('order 9 is not open');
  });
});

describe('a command of a kind that is not known', () => {
  it.each([0, 9, 255])('%i is refused, and changes nothing', (kind) => {
    const { core } = new Scenario();
    const slots = new CommandSlots(new ArrayBuffer(2 * SLOT_BYTES));
    slots.words[0] = kind;
    const unheard: EventSink = { fill: fail, order: fail, replaced: fail, triggered: fail, state: fail };
    const hash = core.stateHash();
    expect(core.submit(slots, 0, unheard)).toBe(REJECT.badTerms);
    expect(() => core.replay(slots, 0, unheard)).toThrow(`a command of kind ${kind} that could not have been accepted`);
    expect([core.sequence, core.stateHash()]).toEqual([0, hash]);
  });
});

function fail(): never {
  throw new Error('nothing has happened');
}
