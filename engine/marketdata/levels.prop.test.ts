import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { CommandSlots, encodeCommand, SLOT_BYTES } from '../core/command.ts';
import { MatchingCore } from '../core/core.ts';
import { RandomCommands } from '../core/random-commands.ts';
import { BUY, NO_EVENTS, REJECT, SELL, type BookView } from '../core/types.ts';
import { ToldLevels, ToldOrders, type LevelChange, type OrderChange } from './levels.ts';
import { NO_SIDE, Touched } from './touched.ts';

const INSTRUMENTS = 2;
const OPTIONS = { firstOrders: 4, clientIds: 16 };

/** A subscriber: keeps what it was told, and nothing else. */
class Subscriber {
  readonly #levels = new Map<string, LevelChange>();
  readonly #orders = new Map<number, OrderChange>();

  hear(levels: readonly LevelChange[], orders: readonly OrderChange[]): void {
    for (const level of levels) {
      const key = `${level.side} ${level.priceTicks}`;
      if (level.orders === 0) expect(this.#levels.delete(key)).toBe(true);
      else this.#levels.set(key, level);
    }
    for (const order of orders) {
      if (order.quantityLots === 0) expect(this.#orders.delete(order.orderId)).toBe(true);
      else this.#orders.set(order.orderId, order);
    }
  }

  /** As the book says it. */
  seen(side: typeof BUY | typeof SELL): { levels: unknown[]; orders: unknown[] } {
    const better = (left: { priceTicks: number }, right: { priceTicks: number }): number =>
      side === BUY ? right.priceTicks - left.priceTicks : left.priceTicks - right.priceTicks;
    const levels = [...this.#levels.values()].filter((level) => level.side === side).toSorted(better);
    const orders = [...this.#orders.values()]
      .filter((order) => order.side === side)
      .toSorted((left, right) => better(left, right) || left.rank - right.rank);
    return {
      levels: levels.map(({ priceTicks, quantityLots, orders: count }) => ({ priceTicks, quantityLots, orders: count })),
      orders: orders.map(({ orderId, priceTicks, quantityLots }) => ({ orderId, priceTicks, quantityLots })),
    };
  }
}

function expected(book: BookView, side: typeof BUY | typeof SELL): { levels: unknown[]; orders: unknown[] } {
  const levels = book.depth(side, Infinity);
  return { levels, orders: levels.flatMap(({ priceTicks }) => book.ordersAt(side, priceTicks)) };
}

it('what subscribers are told adds up to the book, whatever happens in it', { timeout: 60_000 }, () => {
  fc.assert(
    fc.property(fc.integer({ min: 1 }), fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 12 }), (seed, ticks) => {
      const stream = new RandomCommands(seed, INSTRUMENTS);
      const [core, own] = [new MatchingCore(OPTIONS), new MatchingCore(OPTIONS)];
      for (const each of [core, own])
        for (let instrument = 0; instrument < INSTRUMENTS; instrument += 1) each.setInstrument(instrument, stream.firstRules());
      const slots = new CommandSlots(new ArrayBuffer(2 * SLOT_BYTES));
      const touched = new Touched(own, INSTRUMENTS);
      const told = Array.from({ length: INSTRUMENTS }, () => ({
        levels: new ToldLevels(),
        orders: new ToldOrders(),
        by: new Subscriber(),
      }));
      const fills: unknown[] = [];
      let fillsNow = 0;
      const sink = {
        ...NO_EVENTS,
        fill: (instrument: number, _maker: number, _taker: number, priceTicks: number, quantityLots: number): void => {
          fills.push({ sequence: core.sequence, index: fillsNow, instrument, priceTicks, quantityLots });
          fillsNow += 1;
        },
      };
      for (const commands of ticks) {
        for (let left = commands; left > 0; left -= 1) {
          const step = stream.next(core.sequence, core.nextDueMicros, (orderId) => core.find(orderId) >= 0);
          if ('rules' in step) core.setInstrument(step.instrument, step.rules);
          else if ('accountRules' in step) core.setAccountRules(step.accountRules);
          else {
            fillsNow = 0;
            encodeCommand(slots, 0, step.timestampMicros, step.command);
            if (core.submit(slots, 0, sink) === REJECT.none) touched.replay(slots, 0);
          }
        }
        expect(
          touched.trades.map(({ takerSide: _side, timestampMicros: _time, makerOrderId: _maker, takerOrderId: _taker, ...trade }) => trade),
        ).toEqual(fills);
        for (const { takerSide } of touched.trades) expect([BUY, SELL, NO_SIDE]).toContain(takerSide);
        fills.length = 0;
        for (const [instrument, { levels, orders, by }] of told.entries()) {
          const book = own.book(instrument);
          const touch = touched.books[instrument];
          if (touch === undefined) throw new Error('no such book');
          by.hear(levels.changes(book, touch), orders.changes(book, touch));
          for (const side of [BUY, SELL] as const) expect(by.seen(side)).toEqual(expected(core.book(instrument), side));
        }
        touched.clear();
      }
    }),
    { numRuns: 150 },
  );
});
