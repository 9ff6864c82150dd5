import { beforeEach, describe, expect, it } from 'vitest';
import { NaiveExchange } from './naive-model.ts';
import { NO_LIMITS } from './random-commands.ts';
import {
  ADVANCE_TIME,
  ANY_ACCOUNT,
  AUCTION,
  BUY,
  CANCEL_NEWEST,
  CANCEL_OLDEST,
  CLOSED,
  DAY,
  DECREMENT,
  FOK,
  GTC,
  GTD,
  IOC,
  KILL_SWITCH,
  LIMIT,
  MARKET,
  NEW_ORDER,
  REJECT,
  REPLACE_ORDER,
  SELL,
  SET_STATE,
  SET_VOLATILITY,
  STOP,
  TRADING,
  type Command,
  type NewOrder,
  type Side,
} from './types.ts';

/** Each test is a passage of docs/matching.md with the numbers worked out by hand. */
describe('the naive model', () => {
  let exchange: NaiveExchange;
  let nowMicros: number;
  beforeEach(() => {
    exchange = new NaiveExchange({ clientIds: 2 });
    exchange.setInstrument(0, NO_LIMITS);
    nowMicros = 1000;
  });

  /** The events of a command, as text; the name of the reject when there is one. */
  function send(command: Command): string[] {
    const events: string[] = [];
    const write =
      (name: string) =>
      (...numbers: number[]) =>
        void events.push(`${name} ${numbers.join(' ')}`);
    const sink = {
      fill: write('fill'),
      order: write('order'),
      replaced: write('replaced'),
      triggered: write('triggered'),
      state: write('state'),
    };
    const reject = exchange.submit(nowMicros, command, sink);
    return reject === REJECT.none ? events : [Object.entries(REJECT).find(([, code]) => code === reject)?.[0] ?? ''];
  }
  const limit = (side: Side, quantityLots: number, priceTicks: number, more: Partial<NewOrder> = {}) =>
    send({ kind: NEW_ORDER, instrument: 0, account: 1, side, type: LIMIT, timeInForce: GTC, priceTicks, quantityLots, ...more });

  it('trades by price, then time, and sends a renewed iceberg behind the others of its price', () => {
    limit(SELL, 9, 100, { displayLots: 4 });
    limit(SELL, 5, 100);
    limit(SELL, 1, 99);
    expect(limit(BUY, 12, 100, { account: 2 })).toEqual([
      'fill 0 3 4 99 1 0 11',
      'fill 0 1 4 100 4 5 7',
      'fill 0 2 4 100 5 0 2',
      'fill 0 1 4 100 2 3 0',
      'order 4 0 1 0',
    ]);
    expect(exchange.book(0).depth(SELL, 9)).toEqual([{ priceTicks: 100, quantityLots: 2n, orders: 1 }]);
    expect(exchange.position(2, 0)).toMatchObject({ lots: 12, averageTicks: (99 + 11 * 100) / 12 });
  });

  it('fills a fill-or-kill order wholly or not at all, whatever hides behind an order of its own', () => {
    limit(SELL, 25, 100, { account: 2, displayLots: 5 });
    limit(SELL, 5, 100);
    const attempt = { timeInForce: FOK, selfTrade: CANCEL_NEWEST } as const;
    expect(limit(BUY, 6, 100, attempt)).toEqual(['order 3 6 2 3']);
    expect(limit(BUY, 5, 100, attempt)).toEqual(['fill 0 1 4 100 5 20 0', 'order 4 0 1 0']);
  });

  it('prevents trades with oneself as the taker says', () => {
    limit(SELL, 3, 100);
    limit(SELL, 9, 100, { account: 2 });
    expect(limit(BUY, 2, 100, { selfTrade: DECREMENT })).toEqual(['order 1 1 0 4', 'order 3 0 2 4']);
    expect(limit(BUY, 4, 100, { selfTrade: CANCEL_OLDEST })).toEqual(['order 1 1 2 4', 'fill 0 2 4 100 4 5 0', 'order 4 0 1 0']);
  });

  it('triggers stops one after the other', () => {
    limit(SELL, 1, 100, { account: 2 });
    limit(SELL, 1, 101, { account: 2 });
    limit(BUY, 2, 90, { account: 2 });
    const stop = (side: Side, stopTicks: number) => limit(side, 1, 0, { type: STOP, stopTicks });
    expect(stop(BUY, 100)).toEqual(['order 4 1 3 0']);
    expect(stop(BUY, 101)).toEqual(['order 5 1 3 0']);
    expect(limit(BUY, 1, 100, { account: 3 })).toEqual([
      'fill 0 1 6 100 1 0 0',
      'order 6 0 1 0',
      'triggered 4',
      'fill 0 2 4 101 1 0 0',
      'order 4 0 1 0',
      'triggered 5',
      'order 5 1 2 2',
    ]);
    expect(stop(SELL, 101)).toEqual(['triggered 7', 'fill 0 3 7 90 1 1 0', 'order 7 0 1 0']);
  });

  it('keeps an order its place only when no more is asked for', () => {
    limit(SELL, 8, 100, { displayLots: 3 });
    limit(SELL, 8, 100);
    const replace = (quantityLots: number, priceTicks = 0) =>
      send({ kind: REPLACE_ORDER, orderId: 1, account: ANY_ACCOUNT, priceTicks, quantityLots });
    expect(replace(0, 100)).toEqual(['badTerms']);
    expect(replace(2)).toEqual(['replaced 1 100 2 0']);
    expect(exchange.stateWords().slice(14, 20)).toEqual([0, 2, 1, 1, 100, 2]);
    expect(replace(3)).toEqual(['replaced 1 100 3 0', 'order 1 3 0 0']);
    expect(limit(BUY, 1, 100, { account: 2, timeInForce: IOC })).toEqual(['fill 0 2 5 100 1 7 0', 'order 5 0 1 0']);
  });

  it('trades an auction at the price of most volume, then least imbalance', () => {
    send({ kind: SET_STATE, instrument: 0, state: AUCTION });
    limit(BUY, 5, 103);
    limit(BUY, 5, 101);
    limit(SELL, 4, 99, { account: 2 });
    limit(SELL, 3, 102, { account: 2 });
    // 101: 10 buy, 4 sell; 102: 5 buy, 7 sell.
    expect(exchange.book(0).indication()).toEqual({ priceTicks: 102, quantityLots: 5n, imbalanceLots: -2n });
    expect(limit(BUY, 1, 101, { timeInForce: IOC })).toEqual(['notInState']);
    expect(send({ kind: SET_STATE, instrument: 0, state: TRADING })).toEqual([
      'fill 0 2 4 102 4 1 0',
      'order 4 0 1 0',
      'fill 0 2 5 102 1 0 2',
      'state 0 0 102 0',
    ]);
  });

  it('halts when a trade would leave the band, and comes back through an auction', () => {
    send({ kind: SET_VOLATILITY, instrument: 0, bandPercent: 10, windowMicros: 0, haltMicros: 50, auctionMicros: 20 });
    for (const price of [100, 110, 111]) limit(SELL, 1, price, { account: 2 });
    expect(limit(BUY, 3, 0, { type: MARKET, timeInForce: IOC })).toEqual([
      'fill 0 2 5 100 1 0 2',
      'fill 0 3 5 110 1 0 1',
      'order 5 1 2 10',
      'state 0 3 0 1050',
    ]);
    expect(limit(BUY, 1, 100)).toEqual(['notInState']);
    expect(exchange.nextDueMicros).toBe(1050);
    nowMicros = 1050;
    expect(send({ kind: ADVANCE_TIME })).toEqual(['state 0 2 0 1070']);
    nowMicros = 1070;
    expect(send({ kind: ADVANCE_TIME })).toEqual(['state 0 0 0 0']);
  });

  it('ends orders by time, day and kill switch', () => {
    expect(limit(BUY, 1, 10, { timeInForce: GTD, expiryMicros: 1000 })).toEqual(['expired']);
    limit(BUY, 1, 10, { timeInForce: GTD, expiryMicros: 1002 });
    limit(BUY, 1, 10, { timeInForce: GTD, expiryMicros: 1001 });
    limit(BUY, 1, 10, { timeInForce: DAY });
    limit(BUY, 1, 10);
    nowMicros = 1002;
    expect(send({ kind: ADVANCE_TIME })).toEqual(['order 2 1 2 5', 'order 1 1 2 5']);
    expect(send({ kind: SET_STATE, instrument: 0, state: CLOSED })).toEqual(['state 0 4 0 0', 'order 3 1 2 6']);
    expect(send({ kind: KILL_SWITCH, account: 1, on: true })).toEqual(['order 4 1 2 8']);
    expect(limit(BUY, 1, 10)).toEqual(['killSwitch']);
  });

  it('refuses in the order of the page', () => {
    exchange.setInstrument(0, { ...NO_LIMITS, maxOrderLots: 5, maxNotional: 400n, maxPositionLots: 6, maxOpenNotional: 450 });
    expect(limit(BUY, 1, 100, { clientIdLow: 7 })).toEqual(['order 1 1 0 0']);
    expect(limit(BUY, -1, 100, { clientIdLow: 7 })).toEqual(['duplicate']);
    expect(exchange.duplicateOf).toBe(1);
    expect(limit(BUY, 6, 100)).toEqual(['maxOrderQty']);
    expect(limit(BUY, 5, 100)).toEqual(['maxNotional']);
    expect(limit(BUY, 4, 100)).toEqual(['maxOpenNotional']);
    expect(limit(BUY, 5, 60)).toEqual(['order 2 5 0 0']);
    expect(limit(BUY, 1, 1)).toEqual(['maxPosition']);
    // A seller takes the bids at 100 and 60, and asks for 50 for the rest.
    expect(limit(SELL, 5, 50, { account: 2 })).toContain('order 3 0 1 0');
  });

  it('forgets the oldest client order id', () => {
    for (const clientIdLow of [1, 2, 3]) limit(BUY, 1, 10, { clientIdLow });
    expect(limit(BUY, 1, 10, { clientIdLow: 2 })).toEqual(['duplicate']);
    expect(limit(BUY, 1, 10, { clientIdLow: 1 })).toEqual(['order 4 1 0 0']);
  });
});
