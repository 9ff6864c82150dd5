/** Drives the core and the naive model with the same commands and throws at the first difference. For tests and proofs. */
import { deepStrictEqual, strictEqual } from 'node:assert';
import { MatchingCore } from '../core/core.ts';
import { NaiveExchange } from '../core/naive-model.ts';
import { NO_LIMITS } from '../core/random-commands.ts';
import { BUY, SELL, type Command, type EventSink } from '../core/types.ts';

class Recorder implements EventSink {
  readonly events: number[] = [];
  fill(...event: [number, number, number, number, number]): void {
    this.events.push(...event);
  }
  order(...event: [number, number, number]): void {
    this.events.push(...event);
  }
}

export class Differential {
  readonly core: MatchingCore;
  readonly naive = new NaiveExchange();
  readonly #instruments: number;

  constructor(instruments: number, options: { mostOrders?: number; firstOrders?: number } = {}) {
    this.core = new MatchingCore(options);
    this.#instruments = instruments;
    for (let instrument = 0; instrument < instruments; instrument += 1) this.core.setInstrument(instrument, NO_LIMITS);
  }

  /** Applies a command to both and compares its events, and what single orders and best prices look like afterwards. */
  apply(command: Command): void {
    const { core, naive } = this;
    const ours = new Recorder();
    const theirs = new Recorder();
    const sequence = core.sequence + 1;
    core.apply(sequence, sequence * 7, command, ours);
    naive.apply(sequence, sequence * 7, command, theirs);
    deepStrictEqual(ours.events, theirs.events, `events of command ${sequence}`);
    const book = core.book(command.instrument);
    const { sides, lastTradeTicks } = naive.book(command.instrument);
    strictEqual(book.lastTradeTicks, lastTradeTicks, `last trade after command ${sequence}`);
    strictEqual(book.openOrders, sides[0].length + sides[1].length, `open orders after command ${sequence}`);
    for (const side of [BUY, SELL] as const)
      strictEqual(book.bestTicks(side), sides[side][0]?.priceTicks ?? 0, `best price of side ${side} after command ${sequence}`);
  }

  /** Compares every book level by level, what large orders would trade for, and the state hash. */
  compareBooks(): void {
    const { core, naive } = this;
    let resting = 0;
    for (let instrument = 0; instrument < this.#instruments; instrument += 1) {
      const book = core.book(instrument);
      const { sides } = naive.book(instrument);
      for (const side of [BUY, SELL] as const) {
        const orders = sides[side];
        resting += orders.length;
        const levels = [...Map.groupBy(orders, ({ priceTicks }) => priceTicks)].map(([priceTicks, atPrice]) => ({
          priceTicks,
          orders: atPrice.length,
          quantityLots: atPrice.reduce((sum, { remainingLots }) => sum + BigInt(remainingLots), 0n),
        }));
        deepStrictEqual(book.depth(side, Infinity), levels, `depth of side ${side}`);
        deepStrictEqual(book.depth(side, 2), levels.slice(0, 2), `top of side ${side}`);
        const middle = orders[orders.length >> 1]?.priceTicks ?? 1;
        for (const [lots, limitTicks] of [
          [1, 0],
          [1000, 0],
          [Number.MAX_SAFE_INTEGER, 0],
          [1000, middle],
        ] as const) {
          let left = BigInt(lots);
          let notional = 0n;
          for (const { priceTicks, remainingLots } of orders) {
            if (limitTicks > 0 && (side === BUY ? priceTicks < limitTicks : priceTicks > limitTicks)) break;
            const traded = left < remainingLots ? left : BigInt(remainingLots);
            left -= traded;
            notional += traded * BigInt(priceTicks);
          }
          const taking = side === BUY ? SELL : BUY;
          strictEqual(book.fillable(taking, limitTicks, lots), Number(BigInt(lots) - left), `${lots} lots fillable at ${limitTicks}`);
          notional += limitTicks > 0 ? left * BigInt(limitTicks) : 0n;
          strictEqual(BigInt(book.sweepNotional(taking, lots, limitTicks)), notional, `notional of ${lots} lots at ${limitTicks}`);
        }
        for (const { id, account } of orders) {
          strictEqual(core.find(id), instrument, `instrument of order ${id}`);
          strictEqual(book.owner(id), account, `account of order ${id}`);
        }
      }
    }
    strictEqual(core.openOrders, resting, 'open orders');
    strictEqual(core.stateHash(), naive.stateHash(), 'state hash');
  }
}
