/**
 * A matching engine that is slow and obviously right: an array of resting orders for each side of each instrument, in price-time order,
 * searched from its beginning. It shares nothing with the book but the vocabulary and the hash.
 */
import { StateHash } from './hash.ts';
import { BUY, CANCELLED, CANCEL_ORDER, FILLED, FOK, GTC, LIMIT, OPEN, SELL, type Command, type EventSink, type Side } from './types.ts';

export interface NaiveOrder {
  id: number;
  account: number;
  side: Side;
  priceTicks: number;
  remainingLots: number;
}

interface NaiveBook {
  lastTradeTicks: number;
  readonly sides: readonly [NaiveOrder[], NaiveOrder[]];
}

export class NaiveExchange {
  readonly books: NaiveBook[] = [];
  #sequence = 0;
  #timestampMicros = 0;

  book(instrument: number): NaiveBook {
    return (this.books[instrument] ??= { lastTradeTicks: 0, sides: [[], []] });
  }

  apply(sequence: number, timestampMicros: number, command: Command, sink: EventSink): void {
    this.#sequence = sequence;
    this.#timestampMicros = timestampMicros;
    const book = this.book(command.instrument);
    if (command.kind === CANCEL_ORDER) {
      for (const side of book.sides) {
        const index = side.findIndex(({ id }) => id === command.orderId);
        const [found] = index < 0 ? [] : side.splice(index, 1);
        if (found !== undefined) sink.order(found.id, found.remainingLots, CANCELLED);
      }
      return;
    }
    const { account, side, priceTicks } = command;
    const makers = book.sides[side === BUY ? SELL : BUY];
    let remaining = command.quantityLots;
    if (command.timeInForce === FOK) {
      const reachable = makers.filter((maker) =>
        command.type !== LIMIT ? true : side === BUY ? maker.priceTicks <= priceTicks : maker.priceTicks >= priceTicks,
      );
      if (reachable.reduce((sum, { remainingLots }) => sum + BigInt(remainingLots), 0n) < BigInt(remaining)) {
        sink.order(sequence, remaining, CANCELLED);
        return;
      }
    }
    while (remaining > 0) {
      const [maker] = makers;
      if (maker === undefined) break;
      const tooDear = side === BUY ? maker.priceTicks > priceTicks : maker.priceTicks < priceTicks;
      if (command.type === LIMIT && tooDear) break;
      const lots = Math.min(remaining, maker.remainingLots);
      remaining -= lots;
      maker.remainingLots -= lots;
      if (maker.remainingLots === 0) makers.shift();
      book.lastTradeTicks = maker.priceTicks;
      sink.fill(maker.id, sequence, maker.priceTicks, lots, maker.remainingLots);
    }
    const rests = remaining > 0 && command.type === LIMIT && command.timeInForce === GTC;
    if (rests) {
      const own = book.sides[side];
      const worse = own.findIndex((other) => (side === BUY ? other.priceTicks < priceTicks : other.priceTicks > priceTicks));
      own.splice(worse < 0 ? own.length : worse, 0, { id: sequence, account, side, priceTicks, remainingLots: remaining });
    }
    sink.order(sequence, remaining, remaining === 0 ? FILLED : rests ? OPEN : CANCELLED);
  }

  /** The state hash that a core with the same history must have. */
  stateHash(): string {
    const hash = new StateHash();
    for (const value of [this.#sequence, this.#timestampMicros]) hash.add(value);
    this.books.forEach(({ lastTradeTicks, sides }, instrument) => {
      const orders = sides.flat();
      if (orders.length === 0 && lastTradeTicks === 0) return;
      for (const value of [instrument, lastTradeTicks, orders.length]) hash.add(value);
      for (const { id, account, side, priceTicks, remainingLots } of orders) {
        for (const value of [id, account, side, priceTicks, remainingLots]) hash.add(value);
      }
    });
    return hash.hex();
  }
}
