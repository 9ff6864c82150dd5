import { afterEach, describe, expect, it, vi } from 'vitest';
import { Bitmap, LARGEST_BITMAP } from './bitmap.ts';
import { ClientIds } from './client-ids.ts';
import { MatchingCore } from './core.ts';
import { ExpiryHeap } from './expiry-heap.ts';
import { Extras } from './extras.ts';
import { Holdings } from './holdings.ts';
import { IdIndex } from './id-index.ts';
import { PriceLadder } from './ladder.ts';
import { LevelPool } from './level-pool.ts';
import { MOST_ORDERS, OrderPool } from './order-pool.ts';
import { buy, cancel, FREE, Scenario, sell, stopAt } from './scenario.ts';
import { GTD, IOC, type Command, type NewOrder } from './types.ts';

afterEach(() => void vi.unstubAllGlobals());

/** For the ids of 1,024 orders that a mass cancel collects, and for 32 commands that are read ahead: an id and a reference each. */
const SCRATCH_BYTES = 1024 * 8 + 32 * 12;

/** Far from another: no level of one is near that of the other. */
const farTicks = (index: number): number => 1000 + index * 1_000_000;

/** Orders that each take one more of something; the first argument counts from 0. */
const FILLERS: readonly (readonly [what: string, order: (index: number) => Command])[] = [
  ['orders', () => buy(1, 100)],
  ['price levels', (index) => buy(1, 100 + index)],
  ['far price levels', (index) => buy(1, farTicks(index))],
  ['far stop levels', (index) => stopAt(farTicks(index), buy(1, 0))],
  ['icebergs', () => buy(9, 100, { displayLots: 2 })],
  ['sessions', () => buy(1, 100, { session: 7 })],
  ['stops', () => stopAt(200, buy(1, 0))],
  ['expiries', (index) => buy(1, 100, { timeInForce: GTD, expiryMicros: 10 ** 9 + index })],
  ['accounts', (index) => buy(1, 100, { account: index % 256, instrument: index >> 8 })],
];

/** A side of an instrument has room of its own for 64 price levels; ten of them have more than there are records. */
const SPREAD = [
  'price levels of ten sides',
  (index: number): NewOrder =>
    index % 2 === 0 ? buy(1, 100 + index, { instrument: (index >> 1) % 5 }) : sell(1, 9000 + index, { instrument: (index >> 1) % 5 }),
] as const;

/** With five instruments. */
function newScenario(firstOrders: number): Scenario {
  const scenario = new Scenario({}, { firstOrders });
  for (const instrument of [2, 3, 4]) scenario.core.setInstrument(instrument, FREE);
  return scenario;
}

describe('memory', () => {
  // Taken ahead, and not: either way has to clear up after itself.
  it.each(FILLERS.flatMap((filler) => [[...filler, 50] as const, [...filler, Infinity] as const]))(
    'for %s is used again when they have gone',
    (what, order, betweenReserves) => {
      const scenario = new Scenario({}, { firstOrders: 16, clientIds: 16 });
      const live: number[] = [];
      let bytes = 0;
      for (let index = 0; index < 1500; index += 1) {
        scenario.run(order(index % 150));
        live.push(scenario.core.sequence);
        // What is cancelled is neither the oldest nor the newest.
        if (live.length > 40) scenario.run(cancel(live.splice((index * 7) % 40, 1)[0] ?? 0));
        if (index % betweenReserves === 0) scenario.core.reserve();
        if (index === 600) ({ bytes } = scenario.core);
      }
      expect([what, scenario.core.openOrders, scenario.core.bytes]).toEqual([what, 40, bytes]);
    },
  );

  it.each(FILLERS)('for %s is taken in steps, and all of it is told', (_what, order) => {
    const scenario = new Scenario({}, { firstOrders: 4 });
    const { bytes } = scenario.core;
    for (let index = 0; index < 300; index += 1) scenario.run(order(index));
    const later = scenario.core.bytes;
    expect([scenario.core.openOrders, later > bytes]).toEqual([300, true]);
    scenario.core.reserve();
    scenario.core.reserve();
    expect(scenario.core.bytes).toBeLessThan(2 * later);
  });

  it.each<[what: string, firstGrowth: number, order: (index: number) => NewOrder]>([
    // Less than a sixteenth is left. Room for 32 orders, each with a level; here they have one in common, and one each.
    ['records, of 64', 60, () => buy(1, 100)],
    ['records of levels, of 64', 31, (index) => buy(1, 100 + index)],
    // Less than an eighth is left.
    ['extra terms, of 16', 15, () => buy(1, 100, { session: 7 })],
    ['accounts in an instrument, of 16', 15, (index) => buy(1, 100, { account: index })],
    ['client order ids, of 64', 57, (index) => buy(1, 100, { clientIdLow: index + 1, account: 1 })],
  ])('for %s is taken ahead with number %i, not before', (what, firstGrowth, order) => {
    const scenario = newScenario(what.startsWith('records') ? 32 : 1024);
    // A side of an instrument takes some of its memory with its first order.
    for (let index = 0; index < 10; index += 1) scenario.run({ ...order(index), clientIdLow: 0 }, cancel(2 * index + 1));
    scenario.core.reserve();
    const { bytes } = scenario.core;
    for (let placed = 1; placed < firstGrowth; placed += 1) {
      scenario.run(order(placed - 1));
      scenario.core.reserve();
      expect([placed, scenario.core.bytes]).toEqual([placed, bytes]);
    }
    scenario.run(order(firstGrowth - 1));
    expect(scenario.core.bytes).toBe(bytes);
    scenario.core.reserve();
    expect(scenario.core.bytes).toBeGreaterThan(bytes);
  });

  it('grows by a part of what there is', () => {
    const orders = new OrderPool(8192, MOST_ORDERS);
    expect([orders.nextCapacity, orders.grow(), orders.capacity]).toEqual([9216, true, 9216]);
    expect(new OrderPool(16, MOST_ORDERS).nextCapacity).toBe(1040);
  });

  it('is one record more than there are, in a pool that has grown and in a new one', () => {
    const grown = new OrderPool(999, MOST_ORDERS);
    expect(new OrderPool(1999, MOST_ORDERS).bytes).toBe(2 * grown.bytes);
    grown.grow();
    expect(grown.bytes).toBe(new OrderPool(grown.capacity, MOST_ORDERS).bytes);
  });

  it.each<[what: string, make: () => { readonly bytes: number }]>([
    ['orders', () => new OrderPool(9, 99)],
    ['the index of ids', () => new IdIndex(new OrderPool(9, 99))],
    ['extra terms', () => new Extras()],
    ['holdings', () => new Holdings()],
    ['expiries', () => new ExpiryHeap()],
    ['client order ids', () => new ClientIds(32)],
    ['a bitmap', () => new Bitmap(5000)],
    ['a core', () => new MatchingCore({ firstOrders: 9 })],
    [
      'a core with an instrument',
      () => {
        const core = new MatchingCore({ firstOrders: 9 });
        core.setInstrument(0, FREE);
        return core;
      },
    ],
    [
      'a ladder with a level',
      () => {
        const ladder = new PriceLadder(new LevelPool(new OrderPool(9, 99)), 0);
        ladder.at(100);
        return ladder;
      },
    ],
  ])('of %s is all counted', (what, make) => {
    const buffers = new Set<ArrayBufferLike>();
    for (const name of ['Int32Array', 'Uint8Array', 'Float64Array'] as const) {
      const Original = globalThis[name] as Int32ArrayConstructor;
      vi.stubGlobal(
        name,
        class extends Original {
          constructor(from: number) {
            super(from);
            buffers.add(this.buffer);
          }
        },
      );
    }
    const { bytes } = make();
    vi.unstubAllGlobals();
    // The pool under an index or a ladder counts for itself; what a mass cancel collects, and what is read ahead, is no order's.
    const hasPool = what === 'the index of ids' || what === 'a ladder with a level';
    const others = hasPool ? new OrderPool(9, 99).bytes : what.startsWith('a core') ? SCRATCH_BYTES : 0;
    expect([...buffers].reduce((sum, { byteLength }) => sum + byteLength, 0)).toBe(bytes + others);
  });

  it('is as much as there are members to a bitmap', () => {
    expect([1, 32, 33, 1024, 1025, LARGEST_BITMAP].map((size) => new Bitmap(size).bytes)).toEqual([8, 8, 12, 132, 140, 4224]);
  });

  it('for orders is limited by the bits that an order has in the index', () => {
    expect([(MOST_ORDERS << 8) >>> 8, ((MOST_ORDERS + 1) << 8) >>> 8]).toEqual([MOST_ORDERS, 0]);
  });
});

describe('when memory is out', () => {
  /** No typed array can be made until the test ends. */
  function exhaust(): void {
    for (const name of ['ArrayBuffer', 'Int32Array', 'Uint32Array', 'Uint8Array', 'Float64Array'])
      vi.stubGlobal(name, function () {
        throw new RangeError('Array buffer allocation failed');
      });
  }

  it.each([...FILLERS, SPREAD])('orders that need more of it for %s are refused, and all else goes on', (what, order) => {
    const firstOrders = what === 'orders' ? 64 : 1024;
    const scenario = newScenario(firstOrders);
    const untouched = newScenario(firstOrders);
    let placed = 10;
    // A side of an instrument takes some of its memory with its first order.
    for (let index = 0; index < placed; index += 1) scenario.run(order(index));
    exhaust();
    let refused: string[] = [];
    for (; placed < 5000 && refused.length === 0; placed += 1)
      refused = scenario.run(order(placed)).filter((line) => line.startsWith('reject'));
    vi.unstubAllGlobals();
    expect(refused).toEqual(['reject noRoom']);
    expect(placed).toBeGreaterThan(16);
    for (let index = 0; index < placed - 1; index += 1) untouched.run(order(index));
    expect(untouched.core.openOrders).toBe(scenario.core.openOrders);
    // The refused one took time and nothing else.
    untouched.nowMicros = scenario.nowMicros;
    exhaust();
    const sold = scenario.run(sell(1, 1, { account: 0, timeInForce: IOC }));
    vi.unstubAllGlobals();
    expect(sold).toEqual(untouched.run(sell(1, 1, { account: 0, timeInForce: IOC })));
    expect(scenario.run(order(placed))).toEqual(untouched.run(order(placed)));
    expect(scenario.core.stateHash()).toBe(untouched.core.stateHash());
  });
});
