/**
 * The short way of nearly every command: a limit order, GTC or IOC, without further terms, in an instrument that trades, of an account that is known
 * there, in numbers below 2^31 and surely within every limit. Where a look is not enough to be sure, it changes nothing and gives false, and
 * the long way (`order-rules.ts`, `order-flow.ts`) does it, or says what is against it. So no rule is decided twice.
 *
 * What the compiler makes of it shapes it: one function, because a call that is not inlined costs as much as all the checks, and prices and
 * quantities as 32-bit integers, because doubles are boxed or at least checked wherever they cross such a call.
 */
import type { OrderBook } from './book.ts';
import type { ClientIds } from './client-ids.ts';
import type { CommandSlots } from './command.ts';
import type { CoreState } from './core-state.ts';
import { ROW, type Holdings } from './holdings.ts';
import type { OrderFlow } from './order-flow.ts';
import type { PriceLadder } from './ladder.ts';
import { RECORD } from './order-pool.ts';
import type { OrderStore } from './order-store.ts';
import * as types from './types.ts';

// V8 reads an imported binding, and checks it, at every use; a constant of the module itself it folds.
const { SELL, NEW_ORDER, IOC, TRADING, NO_REASON, OPEN, CANCELLED, IMMEDIATE, REQUESTED } = types;
const { FLAGS_SHIFT, HAS_EXTRAS, HOLDING, LEVEL, LEVEL_MASK, LOTS, REFERENCE_SHIFT } = RECORD;
const { POSITION, OPEN_LOTS, OPEN_NOTIONAL, DOUBLES_SHIFT } = ROW;

/** What may differ in the first word: the side, and GTC (0) or IOC (1). LIMIT is 0. */
const VARIES = (1 << 8) | (1 << 24);
/** ANY_ACCOUNT, as a word of a slot. */
const ANY = -1;

export class Express {
  readonly #state: CoreState;
  readonly #store: OrderStore;
  readonly #books: readonly OrderBook[];
  readonly #holdings: Holdings;
  readonly #clientIds: ClientIds;
  readonly #flow: OrderFlow;

  constructor(state: CoreState, flow: OrderFlow) {
    this.#state = state;
    this.#store = state.store;
    this.#books = state.books;
    this.#holdings = state.store.holdings;
    this.#clientIds = state.clientIds;
    this.#flow = flow;
  }

  /** Applies a new order if it is one that goes this way. false with nothing changed else. */
  newOrder(slots: CommandSlots, at: number, sink: types.EventSink): boolean {
    const { words, doubles } = slots;
    const store = this.#store;
    const head = words[at] as number;
    // Neither flags nor a session.
    if ((head & ~VARIES) !== NEW_ORDER || ((words[at + 1] as number) | (words[at + 14] as number)) !== 0) return false;
    const instrument = words[at + 2] as number;
    const books = this.#books;
    if (instrument < 0 || instrument >= books.length || this.#state.killed) return false;
    const book = books[instrument] as OrderBook;
    const { limits } = book;
    if (book.state !== TRADING || !limits.tradable) return false;

    const half = at >> 1;
    const priceTicks = (doubles[half + 3] as number) | 0;
    const lots = (doubles[half + 4] as number) | 0;
    if (priceTicks !== doubles[half + 3] || lots !== doubles[half + 4] || priceTicks <= 0 || lots <= 0) return false;
    const account = words[at + 3] as number;
    const holdings = this.#holdings;
    const holding = holdings.find(account, instrument);
    if (holding < 0 || holdings.isKilled(account)) return false;

    const side = ((head >>> 8) & 1) as types.Side;
    const key = (2 * side - 1) * priceTicks;
    const { ladders } = book;
    const ladder = ladders[side] as PriceLadder;
    const bestOther = (ladders[side ^ 1] as PriceLadder).bestKey;
    // The keys of the two sides have opposite signs: what trades at once sums up to 0 or less.
    const crosses = bestOther + key <= 0;
    let valueTicks: number = priceTicks;
    if (crosses && side === SELL) valueTicks = -bestOther;
    if (lots > limits.maxOrderLots || valueTicks * lots >= limits.surelyWithin) return false;
    const { lastTradeTicks } = book;
    const { priceBandPercent } = limits;
    if (priceBandPercent !== 0 && lastTradeTicks !== 0) {
      // Equal only after rounding, or truly: the long way knows.
      if (Math.abs(priceTicks - lastTradeTicks) * 100 >= lastTradeTicks * priceBandPercent) return false;
    }
    // Read in place: calls would use up what the compiler is willing to inline, and `enter` below is worth more.
    const figures = holdings.doubles;
    const row = holding << DOUBLES_SHIFT;
    const exposure = (1 - 2 * side) * (figures[row + POSITION] as number) + (figures[row + OPEN_LOTS + side] as number);
    if (exposure + lots > limits.maxPositionLots) return false;
    const rests = head >>> 24 !== IOC;
    if (rests) {
      if (holdings.openOrders(account) >= this.#state.maxOpenOrders) return false;
      if ((figures[row + OPEN_NOTIONAL] as number) + priceTicks * lots > limits.maxOpenNotional) return false;
      if (!store.orders.hasRoom || !ladder.hasRoom) return false;
    }
    const low = words[at + 12] as number;
    const high = words[at + 13] as number;
    if ((low | high) !== 0 && this.#clientIds.find(account, low, high) !== 0) return false;

    const id = store.sequence + 1;
    store.sequence = id;
    store.timestampMicros = doubles[half + 2] as number;
    if ((low | high) !== 0) this.#clientIds.add(account, low, high, id);
    if (book.band.windowMicros > 0) book.band.renewReference(lastTradeTicks, store.timestampMicros);
    if (crosses) {
      this.#flow.arrive(book, id, side, priceTicks, lots, holding, 0, rests, sink);
      this.#flow.runStops(book, sink);
    } else if (rests) {
      store.enter(ladder, key, id, lots, holding, 0);
      holdings.opened(holding, side, priceTicks, lots);
      sink.order(id, lots, OPEN, NO_REASON);
    } else {
      sink.order(id, lots, CANCELLED, IMMEDIATE);
    }
    return true;
  }
  /** Applies a cancel if it is one that goes this way. false with nothing changed else. */
  cancel(slots: CommandSlots, at: number, sink: types.EventSink): boolean {
    const store = this.#store;
    const half = at >> 1;
    const { ids } = store;
    const place = ids.place(slots.doubles[half + 5] as number);
    const order = ids.at(place);
    if (order === 0) return false;
    const { words } = store.orders;
    const levelWord = words[order + LEVEL] as number;
    // One that waits has extras too.
    if ((levelWord & (HAS_EXTRAS << FLAGS_SHIFT)) !== 0) return false;
    const level = (levelWord & LEVEL_MASK) << REFERENCE_SHIFT;
    const account = slots.words[at + 3] as number;
    const holding = words[order + HOLDING] as number;
    const holdings = this.#holdings;
    if (account !== ANY && account !== holdings.accountOf(holding)) return false;
    const { doubles } = store.orders;
    const id = doubles[order >> 1] as number;
    const lots = doubles[(order >> 1) + LOTS] as number;
    store.sequence += 1;
    store.timestampMicros = slots.doubles[half + 2] as number;
    const ladder = store.ladders[store.levels.ladder(level)] as PriceLadder;
    const { side } = ladder;
    holdings.reduced(holding, side, (2 * side - 1) * store.levels.key(level), lots);
    holdings.closed(holding);
    ids.removeAt(place);
    store.drop(order, level, ladder);
    sink.order(id, lots, CANCELLED, REQUESTED);
    return true;
  }
}
