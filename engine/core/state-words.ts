/** The whole state as a stream of doubles, and back: docs/matching.md has the order. Snapshots and the state hash are made of it. */
import { STOPS, type OrderBook } from './book.ts';
import { POST_ONLY, SELF_TRADE_MASK, SELF_TRADE_SHIFT } from './command.ts';
import type { CoreState } from './core-state.ts';
import { Terms } from './extras.ts';
import { IS_DAY, RECORD } from './order-pool.ts';
import {
  BUY,
  CLOSED,
  DAY,
  DECREMENT,
  GTC,
  GTD,
  LIMIT,
  MOST_ACCOUNTS,
  SELL,
  STOP,
  STOP_LIMIT,
  TRADING,
  type OrderType,
  type Side,
  type TimeInForce,
  type TradingState,
} from './types.ts';

const { HAS_EXTRAS } = RECORD;

/** The lists of an instrument in the order of the stream. */
const LISTS = [BUY, SELL, STOPS + BUY, STOPS + SELL] as const;
const END_OF_INSTRUMENTS = -1;
/** Places of the packed terms: the type is below the first. */
const TIME_IN_FORCE = 8;
const IS_POST_ONLY = 64;
const SELF_TRADE = 128;

/** Gives every word of the state to `visit`. */
export function eachStateWord(state: CoreState, visit: (word: number) => void): void {
  const { store, books, clientIds } = state;
  const { holdings } = store;
  visit(store.sequence);
  visit(store.timestampMicros);
  visit(state.killed ? 1 : 0);
  const killed = holdings.killedAccounts();
  visit(killed.length);
  for (const account of killed) visit(account);
  for (const book of books) if (hasState(book)) eachBookWord(state, book, visit);
  visit(END_OF_INSTRUMENTS);
  const held = holdings.heldRows();
  visit(held.length);
  for (const row of held) {
    const { instrument, account, lots, averageTicks } = holdings.position(row);
    visit(instrument);
    visit(account);
    visit(lots);
    visit(averageTicks);
  }
  visit(clientIds.size);
  clientIds.each((account, low, high, orderId) => {
    visit(account);
    visit(low);
    visit(high);
    visit(orderId);
  });
}

/** An instrument that nothing has happened to leaves no trace, so that listing one more changes no hash. */
function hasState({ state, lastTradeTicks, openOrders, band }: OrderBook): boolean {
  const { percent, windowMicros, haltMicros, auctionMicros } = band;
  return state !== TRADING || lastTradeTicks + openOrders + percent + windowMicros + haltMicros + auctionMicros > 0;
}

function eachBookWord(state: CoreState, book: OrderBook, visit: (word: number) => void): void {
  const { band } = book;
  for (const word of [
    book.instrument,
    book.state,
    book.untilMicros,
    book.lastTradeTicks,
    band.referenceTicks,
    band.referenceAtMicros,
    band.percent,
    band.windowMicros,
    band.haltMicros,
    band.auctionMicros,
  ])
    visit(word);
  const terms = new Terms();
  for (const list of LISTS) {
    let length = 0;
    for (let order = book.first(list); order !== 0; order = book.behind(order)) length += 1;
    visit(length);
    for (let order = book.first(list); order !== 0; order = book.behind(order)) eachOrderWord(state, book, order, terms, visit);
  }
}

function eachOrderWord(state: CoreState, book: OrderBook, order: number, terms: Terms, visit: (word: number) => void): void {
  const flags = book.flagsOf(order);
  const waits = book.listOf(order) >= STOPS;
  if ((flags & HAS_EXTRAS) === 0) terms.clear();
  else state.store.extras.read(order, terms);
  const timeInForce: TimeInForce = (flags & IS_DAY) !== 0 ? DAY : terms.expiryMicros > 0 ? GTD : GTC;
  const type: OrderType = !waits ? LIMIT : terms.limitTicks === 0 ? STOP : STOP_LIMIT;
  visit(book.idOf(order));
  visit(state.store.holdings.accountOf(book.holdingOf(order)));
  visit(waits ? terms.limitTicks : book.keyTicks(order));
  visit(book.shownLots(order));
  visit(book.hiddenLots(order));
  visit(terms.displayLots);
  visit(waits ? book.keyTicks(order) : 0);
  visit(terms.expiryMicros);
  visit(terms.session);
  visit(
    type +
      TIME_IN_FORCE * timeInForce +
      ((flags & POST_ONLY) !== 0 ? IS_POST_ONLY : 0) +
      SELF_TRADE * ((flags >> SELF_TRADE_SHIFT) & SELF_TRADE_MASK),
  );
}

/**
 * Takes the state that {@link eachStateWord} gave out into an empty one that has its instruments. Throws RangeError on words that are no state; what
 * was taken until then must be thrown away.
 */
export function restoreState(state: CoreState, words: Float64Array): void {
  const { store, clientIds } = state;
  const { holdings } = store;
  const reader = new WordReader(words);
  const sequence = reader.count();
  store.timestampMicros = reader.count();
  state.killed = reader.below(2) === 1;
  for (let left = reader.count(); left > 0; left -= 1) holdings.setKilled(reader.below(MOST_ACCOUNTS), true);
  for (let instrument = reader.next(); instrument !== END_OF_INSTRUMENTS; instrument = reader.next()) {
    const book = state.books[instrument];
    if (book === undefined || hasState(book)) throw new RangeError(`not a state: instrument ${instrument}`);
    restoreBook(state, book, sequence, reader);
  }
  for (let left = reader.count(); left > 0; left -= 1) {
    const instrument = reader.below(state.books.length);
    const account = reader.below(MOST_ACCOUNTS);
    holdings.restore(account, instrument, reader.next(), reader.next());
  }
  for (let left = reader.count(); left > 0; left -= 1) {
    clientIds.add(reader.below(MOST_ACCOUNTS), reader.next(), reader.next(), reader.count());
  }
  reader.end();
  store.sequence = sequence;
}

function restoreBook(state: CoreState, book: OrderBook, sequence: number, reader: WordReader): void {
  const { band } = book;
  const tradingState = reader.below(CLOSED + 1) as TradingState;
  const untilMicros = reader.count();
  book.lastTradeTicks = reader.count();
  const reference = reader.count();
  const referenceAt = reader.count();
  band.configure(reader.count(), reader.count(), reader.count(), reader.count());
  band.setReference(reference, referenceAt);
  const terms = new Terms();
  for (const list of LISTS) {
    for (let left = reader.count(); left > 0; left -= 1) restoreOrder(state, book, list, sequence, terms, reader);
  }
  book.state = tradingState;
  book.untilMicros = untilMicros;
}

function restoreOrder(state: CoreState, book: OrderBook, list: number, sequence: number, terms: Terms, reader: WordReader): void {
  const { store } = state;
  const side = (list & 1) as Side;
  const id = reader.count();
  const holding = store.holdings.take(reader.below(MOST_ACCOUNTS), book.instrument);
  const priceTicks = reader.count();
  const shownLots = reader.count();
  const hiddenLots = reader.count();
  terms.displayLots = reader.count();
  terms.stopTicks = reader.count();
  terms.expiryMicros = reader.count();
  terms.session = reader.below(2 ** 32);
  const packed = reader.below(SELF_TRADE * (DECREMENT + 1));
  const waits = list >= STOPS;
  if (hiddenLots > 0 && terms.displayLots === 0) throw new RangeError(`not a state: order ${id} hides lots`);
  if (id === 0 || id > sequence || shownLots === 0 || (waits ? terms.stopTicks : priceTicks) === 0 || (waits && hiddenLots > 0))
    throw new RangeError(`not a state: order ${id}`);
  if (store.ids.find(id) !== 0) throw new RangeError(`not a state: order ${id} stands there twice`);
  let flags = ((packed & IS_POST_ONLY) !== 0 ? POST_ONLY : 0) | (Math.floor(packed / SELF_TRADE) << SELF_TRADE_SHIFT);
  if (((packed / TIME_IN_FORCE) & 7) === DAY) flags |= IS_DAY;
  // The heap of expiries takes orders whose id is the sequence for new ones.
  store.sequence = id;
  terms.limitTicks = priceTicks;
  if (waits) book.wait(id, side, shownLots, holding, flags, terms);
  else book.restShowing(id, side, priceTicks, shownLots, hiddenLots, holding, terms.areLasting ? flags | HAS_EXTRAS : flags, terms);
}

/** Words one after the other, each checked. */
class WordReader {
  readonly #words: Float64Array;
  #at = 0;

  constructor(words: Float64Array) {
    this.#words = words;
  }

  next(): number {
    const word = this.#words[this.#at];
    if (word === undefined || !Number.isFinite(word)) throw new RangeError(`not a state: word ${this.#at} is ${word}`);
    this.#at += 1;
    return word;
  }

  /** A safe integer, 0 or above. */
  count(): number {
    return this.below(2 ** 53);
  }

  below(limit: number): number {
    const word = this.next();
    if (!Number.isInteger(word) || word < 0 || word >= limit) throw new RangeError(`not a state: word ${this.#at - 1} is ${word}`);
    return word;
  }

  end(): void {
    if (this.#at !== this.#words.length) throw new RangeError(`not a state: ${this.#words.length - this.#at} words too many`);
  }
}
