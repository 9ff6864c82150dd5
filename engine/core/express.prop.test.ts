import { describe, expect, it, vi } from 'vitest';
import { Differential } from '../prove/differential.ts';
import { Express } from './express.ts';
import { randomWords } from './random-commands.ts';
import {
  ADVANCE_TIME,
  ANY_ACCOUNT,
  BUY,
  CANCEL_ORDER,
  GTC,
  IOC,
  KILL_SWITCH,
  LIMIT,
  NEW_ORDER,
  SELL,
  SET_VOLATILITY,
  STOP,
  type Command,
} from './types.ts';

const COMMANDS = 6000;
/** So narrow that each is reached now and then. */
const RULES = {
  tradable: true,
  maxOrderLots: 36,
  maxNotional: 3700n,
  priceBandPercent: 8,
  maxPositionLots: 160,
  maxOpenNotional: 14_000,
};

/** Mostly what the short way is for: plain limit orders around 100, and cancels, of a few accounts. */
function nextCommand(below: (limit: number) => number, sequence: number): Command {
  const kind = below(100);
  const account = below(12);
  const side = below(2) === 0 ? BUY : SELL;
  if (kind < 30) return { kind: CANCEL_ORDER, orderId: Math.max(1, sequence - below(40)), account: below(4) === 0 ? account : ANY_ACCOUNT };
  if (kind === 30) return { kind: KILL_SWITCH, account, on: below(8) === 0 };
  if (kind === 31)
    return { kind: SET_VOLATILITY, instrument: 0, bandPercent: below(2) * 14, windowMicros: below(40), haltMicros: 1, auctionMicros: 0 };
  if (kind < 35) return { kind: ADVANCE_TIME };
  const plain = { kind: NEW_ORDER, instrument: 0, account, side, priceTicks: 90 + below(21), quantityLots: 1 + below(38) } as const;
  if (kind < 37) return { ...plain, type: STOP, timeInForce: GTC, priceTicks: 0, stopTicks: 90 + below(21) };
  const clientIdLow = below(3) === 0 ? 1 + below(400) : 0;
  return { ...plain, type: LIMIT, timeInForce: below(5) === 0 ? IOC : GTC, clientIdLow };
}

describe('the short way', () => {
  it.each([1, 2, 3])('does what the naive model does, at every limit, seed %i', (seed) => {
    const newOrder = vi.spyOn(Express.prototype, 'newOrder');
    const cancel = vi.spyOn(Express.prototype, 'cancel');
    try {
      const random = randomWords(seed);
      const both = new Differential(1, { firstOrders: 16, rules: RULES, exactSums: true });
      both.step({ accountRules: { maxOpenOrders: 9 } });
      for (let at = 0; at < COMMANDS; at += 1) {
        both.submit(
          at,
          nextCommand((limit) => random() % limit, both.naive.sequence),
        );
        if (at % 500 === 0) both.compareAll();
      }
      both.compareAll();
      const taken = (calls: { results: { value: unknown }[] }) => calls.results.filter(({ value }) => value === true).length;
      // Else it proves little.
      expect(taken(newOrder.mock)).toBeGreaterThan(COMMANDS / 5);
      expect(taken(cancel.mock)).toBeGreaterThan(COMMANDS / 40);
    } finally {
      newOrder.mockRestore();
      cancel.mockRestore();
    }
  });
});
