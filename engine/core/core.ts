/** The matching state: books by instrument, one total order of commands. */
import { LadderBook } from './book.ts';
import { StateHash } from './hash.ts';
import { OrderStore } from './order-store.ts';
import { checkRisk, riskLimits, type RiskLimits } from './risk.ts';
import {
  CANCELLED,
  FILLED,
  FOK,
  GTC,
  LIMIT,
  NEW_ORDER,
  OPEN,
  REJECT,
  type Command,
  type Core,
  type EventSink,
  type InstrumentRules,
  type NewOrder,
  type Reject,
} from './types.ts';

interface Listing {
  limits: RiskLimits;
  readonly book: LadderBook;
}

export class MatchingCore implements Core {
  readonly #store: OrderStore;
  readonly #listings: Listing[] = [];
  #sequence = 0;
  #timestampMicros = 0;

  /**
   * At most `mostOrders` orders (16,777,215 unless told) may rest at once, over all instruments. Memory for `firstOrders` (1,024) is taken
   * at once, more when it is needed.
   */
  constructor(options: { mostOrders?: number; firstOrders?: number } = {}) {
    this.#store = new OrderStore(options.mostOrders, options.firstOrders);
  }

  get sequence(): number {
    return this.#sequence;
  }

  get openOrders(): number {
    return this.#store.orders.live;
  }

  /** Most orders that ever rested at once. */
  get mostOpenOrders(): number {
    return this.#store.orders.most;
  }

  /** Bytes of the typed arrays of all books, used or not. */
  get bytes(): number {
    return this.#listings.reduce((sum, { book }) => sum + book.bytes, this.#store.bytes);
  }

  setInstrument(instrument: number, rules: InstrumentRules): void {
    const listing = this.#listings[instrument];
    const limits = riskLimits(rules);
    if (listing !== undefined) listing.limits = limits;
    else if (instrument === this.#listings.length) this.#listings.push({ limits, book: new LadderBook(this.#store, instrument) });
    else throw new RangeError(`instrument ${instrument} does not follow ${this.#listings.length - 1}`);
  }

  check(command: Command): Reject {
    const listing = this.#listings[command.instrument];
    if (listing === undefined) return REJECT.unknownInstrument;
    const { book } = listing;
    if (command.kind === NEW_ORDER) {
      const reject = checkRisk(command, listing.limits, book);
      if (reject !== REJECT.none) return reject;
      return mayRest(command) && !book.hasRoom(command.side) ? REJECT.noRoom : REJECT.none;
    }
    const owner = book.owner(command.orderId);
    return owner < 0 || (command.account !== undefined && command.account !== owner) ? REJECT.unknownOrder : REJECT.none;
  }

  apply(sequence: number, timestampMicros: number, command: Command, sink: EventSink): void {
    if (sequence !== this.#sequence + 1) throw new RangeError(`sequence ${sequence} does not follow ${this.#sequence}`);
    const { book } = this.#listing(command.instrument);
    this.#sequence = sequence;
    this.#timestampMicros = timestampMicros;
    if (command.kind === NEW_ORDER) {
      const limitTicks = command.type === LIMIT ? command.priceTicks : 0;
      if (command.timeInForce === FOK && book.fillable(command.side, limitTicks, command.quantityLots) < command.quantityLots) {
        sink.order(sequence, command.quantityLots, CANCELLED);
        return;
      }
      const remaining = book.match(sequence, command.side, limitTicks, command.quantityLots, sink);
      const rests = remaining > 0 && mayRest(command);
      if (rests) book.rest(sequence, command.account, command.side, command.priceTicks, remaining);
      sink.order(sequence, remaining, remaining === 0 ? FILLED : rests ? OPEN : CANCELLED);
    } else {
      const remaining = book.remove(command.orderId);
      if (remaining >= 0) sink.order(command.orderId, remaining, CANCELLED);
    }
  }

  reserve(): void {
    this.#store.reserve();
  }

  find(orderId: number): number {
    return this.#store.ladderOf(orderId) >> 1;
  }

  book(instrument: number): LadderBook {
    return this.#listing(instrument).book;
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

  #listing(instrument: number): Listing {
    const listing = this.#listings[instrument];
    if (listing === undefined) throw new RangeError(`no instrument ${instrument}`);
    return listing;
  }
}

/** Whether what an order leaves goes into the book. */
function mayRest(order: NewOrder): boolean {
  return order.type === LIMIT && order.timeInForce === GTC;
}
