/** The matching state: books by instrument, one total order of commands. */
import { SimpleBook } from './book.ts';
import { StateHash } from './hash.ts';
import { checkRisk } from './risk.ts';
import {
  CANCELLED,
  FILLED,
  GTC,
  LIMIT,
  NEW_ORDER,
  OPEN,
  REJECT,
  type Book,
  type Command,
  type Core,
  type EventSink,
  type InstrumentRules,
  type Reject,
} from './types.ts';

interface Listing {
  rules: InstrumentRules;
  readonly book: Book;
}

export class MatchingCore implements Core {
  readonly #listings: Listing[] = [];
  #sequence = 0;
  #timestampMicros = 0;

  get sequence(): number {
    return this.#sequence;
  }

  get openOrders(): number {
    let orders = 0;
    for (const { book } of this.#listings) orders += book.openOrders;
    return orders;
  }

  setInstrument(instrument: number, rules: InstrumentRules): void {
    const listing = this.#listings[instrument];
    if (listing !== undefined) listing.rules = rules;
    else if (instrument === this.#listings.length) this.#listings.push({ rules, book: new SimpleBook() });
    else throw new RangeError(`instrument ${instrument} does not follow ${this.#listings.length - 1}`);
  }

  check(command: Command): Reject {
    const listing = this.#listings[command.instrument];
    if (listing === undefined) return REJECT.unknownInstrument;
    if (command.kind === NEW_ORDER) return checkRisk(command, listing.rules, listing.book);
    return listing.book.has(command.orderId) ? REJECT.none : REJECT.unknownOrder;
  }

  apply(sequence: number, timestampMicros: number, command: Command, sink: EventSink): void {
    if (sequence !== this.#sequence + 1) throw new RangeError(`sequence ${sequence} does not follow ${this.#sequence}`);
    const book = this.book(command.instrument);
    this.#sequence = sequence;
    this.#timestampMicros = timestampMicros;
    if (command.kind === NEW_ORDER) {
      const limitTicks = command.type === LIMIT ? command.priceTicks : 0;
      const remaining = book.match(sequence, command.side, limitTicks, command.quantityLots, sink);
      const rests = remaining > 0 && command.type === LIMIT && command.timeInForce === GTC;
      if (rests) book.rest(sequence, command.account, command.side, command.priceTicks, remaining);
      sink.order(sequence, remaining, remaining === 0 ? FILLED : rests ? OPEN : CANCELLED);
    } else {
      const remaining = book.remove(command.orderId);
      if (remaining >= 0) sink.order(command.orderId, remaining, CANCELLED);
    }
  }

  find(orderId: number): number {
    return this.#listings.findIndex(({ book }) => book.has(orderId));
  }

  book(instrument: number): Book {
    const listing = this.#listings[instrument];
    if (listing === undefined) throw new RangeError(`no instrument ${instrument}`);
    return listing.book;
  }

  stateHash(): string {
    const hash = new StateHash();
    hash.add(this.#sequence);
    hash.add(this.#timestampMicros);
    this.#listings.forEach(({ book }, instrument) => {
      // An instrument that has never traded nor been quoted leaves no trace, so that listing one more changes no hash.
      if (book.openOrders === 0 && book.lastTradeTicks === 0) return;
      hash.add(instrument);
      hash.add(book.lastTradeTicks);
      hash.add(book.openOrders);
      book.each((order) => {
        hash.add(order.id);
        hash.add(order.account);
        hash.add(order.side);
        hash.add(order.priceTicks);
        hash.add(order.remainingLots);
      });
    });
    return hash.hex();
  }
}
