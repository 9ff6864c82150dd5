import { afterEach, describe, expect, it, vi } from 'vitest';
import { Express } from './express.ts';
import { buy, cancel, Scenario, sell } from './scenario.ts';
import { HALTED, IOC, KILL_SWITCH, SET_STATE, SET_VOLATILITY, type AccountRules, type Command, type InstrumentRules } from './types.ts';

afterEach(() => void vi.restoreAllMocks());

const other = { account: 2 };
/** Accounts 1 and 2 are known in both instruments, and both sides have had an order; what there was is gone. */
const KNOWN: readonly Command[] = [0, 1].flatMap((instrument) => [buy(1, 1, { instrument }), sell(1, 2, { ...other, instrument })]);
const GONE = [1, 2, 3, 4].map((id) => cancel(id));
/** A trade at 10,000 between accounts that have nothing else; the orders are 9 and 10. */
const TRADED = [sell(1, 10_000, { account: 8 }), buy(1, 10_000, { account: 9 })];

const LARGEST = 2 ** 31 - 1;

/** Whether a command takes the short way after others. */
function isExpress(
  before: readonly Command[],
  comes: Command,
  rules: Partial<InstrumentRules> = {},
  accountRules: AccountRules = { maxOpenOrders: Infinity },
): boolean {
  const scenario = new Scenario(rules, { clientIds: 2 });
  scenario.run(...KNOWN, ...GONE, ...before);
  scenario.core.reserve();
  scenario.core.setAccountRules(accountRules);
  const spies = [vi.spyOn(Express.prototype, 'newOrder'), vi.spyOn(Express.prototype, 'cancel')];
  scenario.run(comes);
  return spies.some(({ mock }) => mock.results.at(-1)?.value === true);
}

describe('the short way', () => {
  it.each<[what: string, before: Command[], comes: Command, rules?: Partial<InstrumentRules>, accounts?: AccountRules]>([
    ['a buy that rests', [], buy(1, 100)],
    ['a sell that rests', [], sell(1, 100)],
    ['the smallest price and quantity', [], buy(1, 1)],
    ['the largest', [], sell(LARGEST, LARGEST)],
    ['the last instrument', [], buy(1, 100, { instrument: 1 })],
    ['one that trades', [sell(1, 100)], buy(2, 100, other)],
    ['one that takes at once', [sell(1, 100)], buy(2, 100, { ...other, timeInForce: IOC })],
    ['one that finds nothing to take', [sell(1, 101)], buy(2, 100, { ...other, timeInForce: IOC })],
    ['a client order id', [], buy(1, 100, { clientIdLow: 5 })],
    ['the high word of one', [], buy(1, 100, { clientIdHigh: 5 })],
    ['another client order id', [buy(1, 100, { clientIdLow: 5 })], buy(1, 100, { clientIdLow: 6 })],
    ['a client order id that is forgotten', [1, 2, 3].map((clientIdLow) => buy(1, 100, { clientIdLow })), buy(1, 100, { clientIdLow: 1 })],
    ['at the quantity limit', [], buy(10, 100), { maxOrderLots: 10 }],
    ['below the notional limit', [], buy(10, 99), { maxNotional: 1000n }],
    ['a sell at the price that it takes', [buy(10, 90)], sell(10, 1, other), { maxNotional: 1000n }],
    ['just inside the band, above', TRADED, buy(1, 10_999), { priceBandPercent: 10 }],
    ['just inside the band, below', TRADED, buy(1, 9001), { priceBandPercent: 10 }],
    ['with a band that nothing has traded in', [], buy(1, 999), { priceBandPercent: 10 }],
    ['at the position limit', [buy(7, 100)], buy(3, 100), { maxPositionLots: 10 }],
    ['at the limit of orders', [buy(1, 100)], buy(1, 100), {}, { maxOpenOrders: 2 }],
    ['over the limit of orders, when it cannot rest', [buy(1, 100)], buy(1, 99, { timeInForce: IOC }), {}, { maxOpenOrders: 1 }],
    ['at the limit of open notional', [buy(1, 100)], buy(4, 100), { maxOpenNotional: 500 }],
    ['over it, when it cannot rest', [buy(5, 100)], buy(4, 99, { timeInForce: IOC }), { maxOpenNotional: 500 }],
    ['a cancel by anyone', [buy(1, 100)], cancel(9)],
    ['a cancel by its account', [buy(1, 100)], cancel(9, 1)],
    ['a cancel of the first of its price', [sell(1, 100), sell(1, 100)], cancel(9)],
  ])('is taken by %s', (_what, before, comes, rules, accounts) => expect(isExpress(before, comes, rules, accounts)).toBe(true));

  it.each<[what: string, before: Command[], comes: Command, rules?: Partial<InstrumentRules>, accounts?: AccountRules]>([
    ['further terms', [], buy(1, 100, { postOnly: true })],
    ['a session', [], buy(1, 100, { session: 1 })],
    ['an account that is new', [], buy(1, 100, { account: 3 })],
    ['an account that is none', [], buy(1, 100, { account: 2 ** 32 - 1 })],
    ['an instrument that is none', [], buy(1, 100, { instrument: 2 })],
    ['an instrument below all', [], buy(1, 100, { instrument: -1 })],
    ['large prices', [], buy(1, LARGEST + 1)],
    ['large quantities', [], buy(LARGEST + 1, 100)],
    ['prices that are none', [], buy(1, 0)],
    ['quantities that are none', [], buy(0, 100)],
    ['fractions', [], buy(1.5, 100)],
    ['fractions of a price', [], buy(1, 100.5)],
    ['an instrument that is not tradable', [], buy(1, 100), { tradable: false }],
    ['an instrument that does not trade', [{ kind: SET_STATE, instrument: 0, state: HALTED }], buy(1, 100)],
    ['a kill switch of all', [{ kind: KILL_SWITCH, account: 2 ** 32 - 1, on: true }], buy(1, 100)],
    ['a kill switch of the account', [{ kind: KILL_SWITCH, account: 1, on: true }], buy(1, 100)],
    ['a client order id that is known', [buy(1, 100, { clientIdLow: 5 })], buy(1, 100, { clientIdLow: 5 })],
    ['over the quantity limit', [], buy(11, 100), { maxOrderLots: 10 }],
    ['what may be over the notional limit', [], buy(10, 100), { maxNotional: 1000n }],
    ['a sell that may trade at a higher value', [buy(10, 100)], sell(10, 1, other), { maxNotional: 1000n }],
    ['the edge of the band', TRADED, buy(1, 11_000), { priceBandPercent: 10 }],
    ['over the position limit', [buy(7, 100)], buy(4, 100), { maxPositionLots: 10 }],
    ['over the limit of orders', [buy(1, 100)], buy(1, 100), {}, { maxOpenOrders: 1 }],
    ['over the limit of open notional', [buy(1, 100)], buy(5, 100), { maxOpenNotional: 500 }],
    ['a cancel of nothing', [], cancel(9)],
    ['a cancel by another account', [buy(1, 100)], cancel(9, 2)],
    ['a cancel of an order with further terms', [buy(1, 100, { session: 1 })], cancel(9)],
  ])('is not for %s', (_what, before, comes, rules, accounts) => expect(isExpress(before, comes, rules, accounts)).toBe(false));

  it('moves the reference of the volatility band as the long way does', () => {
    const [short, long] = [0, 1].map((session) => {
      const scenario = new Scenario();
      scenario.run(...KNOWN, ...GONE, {
        kind: SET_VOLATILITY,
        instrument: 0,
        bandPercent: 10,
        windowMicros: 5,
        haltMicros: 9,
        auctionMicros: 0,
      });
      scenario.run(...TRADED, sell(1, 10_500), buy(1, 10_500, other));
      scenario.nowMicros += 10;
      scenario.run(buy(1, 90, { session }), sell(1, 11_500), buy(1, 11_500, { ...other, session }));
      return [...scenario.words()].slice(0, 20);
    });
    expect(short).toEqual(long);
    expect(short).toContain(11_500);
  });
});
