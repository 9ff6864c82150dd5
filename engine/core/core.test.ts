import { describe, expect, it } from 'vitest';
import { MatchingCore } from './core.ts';
import {
  BUY,
  CANCEL_ORDER,
  CANCELLED,
  FILLED,
  FOK,
  GTC,
  IOC,
  LIMIT,
  MARKET,
  NEW_ORDER,
  OPEN,
  REJECT,
  SELL,
  type Command,
  type EventSink,
  type InstrumentRules,
  type NewOrder,
} from './types.ts';

const RULES: InstrumentRules = { tradable: true, maxOrderLots: 1000, maxNotional: 100_000n, priceBandPercent: 0, killSwitch: false };

class Recorder implements EventSink {
  readonly events: number[][] = [];
  fill(...event: [number, number, number, number, number]): void {
    this.events.push(event);
  }
  order(...event: [number, number, number]): void {
    this.events.push(event);
  }
}

function limit(side: 0 | 1, priceTicks: number, quantityLots: number, more: Partial<NewOrder> = {}): NewOrder {
  return { kind: NEW_ORDER, instrument: 0, account: 1, side, type: LIMIT, timeInForce: GTC, priceTicks, quantityLots, ...more };
}

function market(side: 0 | 1, quantityLots: number): NewOrder {
  return limit(side, 0, quantityLots, { type: MARKET, timeInForce: IOC });
}

/** Applies commands from sequence 1 on; gives the events of each. */
function run(core: MatchingCore, ...commands: Command[]): number[][][] {
  return commands.map((command) => {
    const sink = new Recorder();
    core.apply(core.sequence + 1, core.sequence * 10, command, sink);
    return sink.events;
  });
}

function newCore(rules: Partial<InstrumentRules> = {}): MatchingCore {
  const core = new MatchingCore();
  core.setInstrument(0, { ...RULES, ...rules });
  core.setInstrument(1, { ...RULES, ...rules });
  return core;
}

describe('matching', () => {
  it('fills at the best price first, then the oldest, at the resting price', () => {
    const core = newCore();
    const events = run(core, limit(SELL, 101, 5), limit(SELL, 100, 5), limit(SELL, 100, 5), limit(BUY, 101, 12));
    expect(events[3]).toEqual([
      [2, 4, 100, 5, 0],
      [3, 4, 100, 5, 0],
      [1, 4, 101, 2, 3],
      [4, 0, FILLED],
    ]);
    expect(core.book(0).lastTradeTicks).toBe(101);
  });

  it('rests what a GTC limit leaves and cancels what IOC and market leave', () => {
    const core = newCore();
    const events = run(
      core,
      limit(SELL, 100, 3),
      limit(BUY, 100, 5),
      limit(BUY, 99, 5, { timeInForce: IOC }),
      market(SELL, 9),
      market(SELL, 1),
    );
    expect(events[1]).toEqual([
      [1, 2, 100, 3, 0],
      [2, 2, OPEN],
    ]);
    expect(events[2]).toEqual([[3, 5, CANCELLED]]);
    expect(events[3]).toEqual([
      [2, 4, 100, 2, 0],
      [4, 7, CANCELLED],
    ]);
    expect(events[4]).toEqual([[5, 1, CANCELLED]]);
    expect(core.openOrders).toBe(0);
  });

  it('does not trade through a limit', () => {
    const core = newCore();
    expect(run(core, limit(SELL, 101, 1), limit(BUY, 100, 1))[1]).toEqual([[2, 1, OPEN]]);
    expect(core.book(0).bestTicks(BUY)).toBe(100);
    expect(core.book(0).bestTicks(SELL)).toBe(101);
  });

  it('cancels first, middle and last of a price and keeps the order of the others', () => {
    for (const gone of [1, 2, 3]) {
      const core = newCore();
      run(core, limit(BUY, 100, 1), limit(BUY, 100, 1), limit(BUY, 100, 1), { kind: CANCEL_ORDER, instrument: 0, orderId: gone });
      const [events] = run(core, market(SELL, 2));
      expect(events?.slice(0, 2).map(([maker]) => maker)).toEqual([1, 2, 3].filter((id) => id !== gone));
      expect(core.openOrders).toBe(0);
    }
  });

  it('keeps instruments apart', () => {
    const core = newCore();
    expect(run(core, limit(SELL, 100, 1), limit(BUY, 100, 1, { instrument: 1 }))[1]).toEqual([[2, 1, OPEN]]);
    expect(core.find(1)).toBe(0);
    expect(core.find(2)).toBe(1);
    expect(core.find(3)).toBe(-1);
  });

  it('refuses a sequence that does not follow', () => {
    const core = newCore();
    expect(() => core.apply(2, 0, limit(BUY, 1, 1), new Recorder())).toThrow('sequence 2 does not follow 0');
    expect(core.openOrders).toBe(0);
  });
});

describe('fill or kill', () => {
  it('fills wholly, over several prices', () => {
    const core = newCore();
    const [, , events] = run(core, limit(SELL, 100, 5), limit(SELL, 101, 5), limit(BUY, 101, 10, { timeInForce: FOK }));
    expect(events).toEqual([
      [1, 3, 100, 5, 0],
      [2, 3, 101, 5, 0],
      [3, 0, FILLED],
    ]);
  });

  it('is cancelled whole when its price or better does not offer enough', () => {
    const core = newCore();
    const fok = { timeInForce: FOK } as const;
    const [, , early, late, any] = run(core, limit(SELL, 100, 5), limit(SELL, 101, 5), limit(BUY, 100, 6, fok), limit(BUY, 101, 11, fok), {
      ...market(BUY, 11),
      timeInForce: FOK,
    });
    expect([early, late, any]).toEqual([[[3, 6, CANCELLED]], [[4, 11, CANCELLED]], [[5, 11, CANCELLED]]]);
    expect(
      core
        .book(0)
        .depth(SELL, 9)
        .map(({ quantityLots }) => quantityLots),
    ).toEqual([5n, 5n]);
    expect(core.book(0).lastTradeTicks).toBe(0);
  });
});

describe('risk', () => {
  const cases: [string, NewOrder, Partial<InstrumentRules>, number][] = [
    ['at the quantity limit', limit(BUY, 1, 1000), {}, REJECT.none],
    ['over the quantity limit', limit(BUY, 1, 1001), {}, REJECT.maxOrderQty],
    ['at the notional limit', limit(BUY, 1000, 100), {}, REJECT.none],
    ['over the notional limit', limit(BUY, 1001, 100), {}, REJECT.maxNotional],
    ['no price', limit(BUY, 0, 1), {}, REJECT.badPrice],
    ['a price that is not safe', limit(BUY, 2 ** 53, 1), {}, REJECT.badPrice],
    ['no quantity', limit(BUY, 1, 0), {}, REJECT.badQuantity],
    ['half a lot', limit(BUY, 1, 0.5), {}, REJECT.badQuantity],
    ['kill switch', limit(BUY, 1, 1), { killSwitch: true }, REJECT.killSwitch],
    ['not listed', limit(BUY, 1, 1), { tradable: false }, REJECT.notTradable],
    ['unknown instrument', limit(BUY, 1, 1, { instrument: 9 }), {}, REJECT.unknownInstrument],
  ];
  it.each(cases)('%s', (_name, order, rules, reject) => {
    expect(newCore(rules).check(order)).toBe(reject);
  });

  it('compares notionals beyond 2^53 exactly', () => {
    const big = Number.MAX_SAFE_INTEGER;
    const exact = BigInt(big) * BigInt(big - 1);
    const order = limit(BUY, big, big - 1);
    expect(newCore({ maxOrderLots: big, maxNotional: exact }).check(order)).toBe(REJECT.none);
    expect(newCore({ maxOrderLots: big, maxNotional: exact - 1n }).check(order)).toBe(REJECT.maxNotional);
  });

  it('values a market order at the prices that it would trade at', () => {
    const core = newCore({ maxNotional: 1000n });
    run(core, limit(SELL, 100, 5), limit(SELL, 101, 100));
    expect(core.check(market(BUY, 9))).toBe(REJECT.none);
    expect(core.check(market(BUY, 10))).toBe(REJECT.maxNotional);
    expect(core.check(market(SELL, 1000))).toBe(REJECT.none);
  });

  it('values a limit sell at the bids that it would trade at, and what would be left at its limit', () => {
    const core = newCore({ maxNotional: 1000n });
    run(core, limit(BUY, 100, 9), limit(BUY, 90, 1));
    // 9 x 100 + 1 x 90 + 1 x 10 = 1000
    expect(core.check(limit(SELL, 10, 11))).toBe(REJECT.none);
    expect(core.check(limit(SELL, 10, 12))).toBe(REJECT.maxNotional);
    expect(core.check(limit(SELL, 95, 10))).toBe(REJECT.none);
    expect(core.check(limit(SELL, 101, 9))).toBe(REJECT.none);
  });

  it('holds limit prices within the band around the last trade, both edges included', () => {
    const core = newCore({ priceBandPercent: 10 });
    expect(core.check(limit(BUY, 500, 1))).toBe(REJECT.none);
    run(core, limit(SELL, 100, 1), limit(BUY, 100, 1));
    expect([89, 90, 110, 111].map((price) => core.check(limit(BUY, price, 1)))).toEqual([
      REJECT.priceBand,
      REJECT.none,
      REJECT.none,
      REJECT.priceBand,
    ]);
  });

  it('lets cancels through whatever the rules are', () => {
    const core = newCore();
    run(core, limit(BUY, 100, 1));
    core.setInstrument(0, { ...RULES, killSwitch: true, tradable: false });
    expect(core.check({ kind: CANCEL_ORDER, instrument: 0, orderId: 1 })).toBe(REJECT.none);
    expect(core.check({ kind: CANCEL_ORDER, instrument: 0, orderId: 2 })).toBe(REJECT.unknownOrder);
  });
});

describe('state hash', () => {
  it('differs for every part of the state and not for an instrument without any', () => {
    const base = [limit(BUY, 100, 5), limit(BUY, 100, 5)];
    const variants: Command[][] = [
      base,
      [limit(BUY, 100, 5), limit(BUY, 100, 6)],
      [limit(BUY, 100, 5), limit(BUY, 101, 5)],
      [limit(BUY, 100, 5), limit(SELL, 101, 5)],
      [limit(BUY, 100, 5), limit(BUY, 100, 5, { account: 2 })],
      [limit(BUY, 100, 5), limit(BUY, 100, 5, { instrument: 1 })],
      [limit(BUY, 100, 5), limit(SELL, 100, 1)],
      [limit(BUY, 2 ** 40, 5), limit(BUY, 100, 5)],
    ];
    const hashes = variants.map((commands) => {
      const core = newCore();
      run(core, ...commands);
      return core.stateHash();
    });
    expect(new Set(hashes).size).toBe(variants.length);
    expect(hashes[0]).toMatch(/^[0-9a-f]{16}$/);
    const more = newCore();
    more.setInstrument(2, RULES);
    run(more, ...base);
    expect(more.stateHash()).toBe(hashes[0]);
  });
});

describe('memory', () => {
  it('refuses an order that has no room to rest, and only that', () => {
    const core = new MatchingCore({ mostOrders: 3, firstOrders: 1 });
    core.setInstrument(0, RULES);
    run(core, limit(BUY, 100, 1), limit(BUY, 100, 1));
    expect(core.check(limit(BUY, 100, 1))).toBe(REJECT.none);
    run(core, limit(BUY, 100, 1));
    expect(core.check(limit(BUY, 100, 1))).toBe(REJECT.noRoom);
    expect(core.check(limit(SELL, 100, 1))).toBe(REJECT.noRoom);
    expect(core.check(limit(SELL, 100, 1, { timeInForce: IOC }))).toBe(REJECT.none);
    expect(core.check(market(SELL, 1))).toBe(REJECT.none);
    expect(() => run(core, limit(BUY, 100, 1))).toThrow('no room for order 4: 3 orders rest');
  });

  it('has room again after a cancel', () => {
    const core = new MatchingCore({ mostOrders: 1 });
    core.setInstrument(0, RULES);
    run(core, limit(BUY, 100, 1));
    expect(core.check(limit(BUY, 100, 1))).toBe(REJECT.noRoom);
    run(core, { kind: CANCEL_ORDER, instrument: 0, orderId: 1 });
    expect(core.check(limit(BUY, 100, 1))).toBe(REJECT.none);
    expect(core.mostOpenOrders).toBe(1);
  });

  it('grows ahead of need, once', () => {
    const core = new MatchingCore({ firstOrders: 8 });
    core.setInstrument(0, RULES);
    const before = core.bytes;
    core.reserve();
    expect(core.bytes).toBe(before);
    run(core, ...Array.from({ length: 8 }, (_, index) => limit(BUY, 100 + index, 1)));
    core.reserve();
    const grown = core.bytes;
    expect(grown).toBeGreaterThan(before + 1000 * 32);
    core.reserve();
    run(core, ...Array.from({ length: 900 }, () => limit(BUY, 100, 1)));
    expect(core.bytes).toBe(grown);
    expect(core.openOrders).toBe(908);
  });

  it('refuses an id that rests already', () => {
    const { book } = { book: newCore().book(0) };
    book.rest(7, 1, BUY, 100, 1);
    expect(() => book.rest(7, 1, BUY, 100, 1)).toThrow('order 7 rests already');
    expect([book.remove(7), book.remove(7), book.has(7), book.owner(7)]).toEqual([1, -1, false, -1]);
  });
});

describe('cancels', () => {
  it('may be tied to the account of the order', () => {
    const core = newCore();
    run(core, limit(BUY, 100, 1, { account: 2 ** 32 - 1 }));
    const cancel = (account: number, instrument = 0) => core.check({ kind: CANCEL_ORDER, instrument, orderId: 1, account });
    expect([cancel(2 ** 32 - 1), cancel(1), cancel(-1), cancel(2 ** 32 - 1, 1)]).toEqual([
      REJECT.none,
      REJECT.unknownOrder,
      REJECT.unknownOrder,
      REJECT.unknownOrder,
    ]);
    expect(core.book(1).remove(1)).toBe(-1);
    expect(core.book(1).owner(1)).toBe(-1);
    expect(core.openOrders).toBe(1);
  });
});

describe('the price band', () => {
  it('is exact beyond 2^53', () => {
    const reference = 2 ** 52;
    const core = newCore({ priceBandPercent: 10, maxNotional: 2n ** 106n });
    run(core, limit(SELL, reference, 1), limit(BUY, reference, 1));
    const edge = reference + Number((BigInt(reference) * 10n) / 100n);
    expect([core.check(limit(BUY, edge, 1)), core.check(limit(BUY, edge + 1, 1))]).toEqual([REJECT.none, REJECT.priceBand]);
  });
});
