/** The matching state: all books, and one total order of commands. */
import { LADDERS, OrderBook, STOPS } from './book.ts';
import { DETAIL_SHIFT, type CommandSlots } from './command.ts';
import { CoreState, type CoreOptions } from './core-state.ts';
import { Express } from './express.ts';
import { Foresight } from './foresight.ts';
import { StateHash } from './hash.ts';
import { MassCancel } from './mass-cancel.ts';
import { OrderFlow } from './order-flow.ts';
import { OrderRules } from './order-rules.ts';
import { riskLimits } from './risk.ts';
import { corePools } from './core-pools.ts';
import type { PoolFigures } from './pool-figures.ts';
import { eachStateWord, restoreState } from './state-words.ts';
import { TradingStates } from './trading-states.ts';
import {
  ADVANCE_TIME,
  ALL_INSTRUMENTS,
  ANY_ACCOUNT,
  CANCEL_ORDER,
  CLOSED,
  DISCONNECTED,
  KILLED,
  KILL_SWITCH,
  MASS,
  MASS_CANCEL,
  MOST_ACCOUNTS,
  NEW_ORDER,
  REJECT,
  REPLACE_ORDER,
  REQUESTED,
  SET_STATE,
  SET_VOLATILITY,
  type AccountRules,
  type BookView,
  type Core,
  type EventSink,
  type InstrumentRules,
  type Position,
  type Reason,
  type Reject,
  type RestingPlace,
  type TradingState,
} from './types.ts';

export class MatchingCore implements Core {
  readonly #state: CoreState;
  readonly #rules: OrderRules;
  readonly #flow: OrderFlow;
  readonly #express: Express;
  readonly #massCancel: MassCancel;
  readonly #foresight: Foresight;
  readonly #states: TradingStates;

  constructor(options: CoreOptions = {}) {
    this.#state = new CoreState(options);
    this.#rules = new OrderRules(this.#state);
    this.#flow = new OrderFlow(this.#state);
    this.#express = new Express(this.#state, this.#flow);
    this.#foresight = new Foresight(this.#state.store);
    this.#massCancel = new MassCancel(this.#state, this.#flow);
    this.#states = new TradingStates(this.#state, this.#flow, this.#massCancel);
  }

  get sequence(): number {
    return this.#state.store.sequence;
  }

  get timestampMicros(): number {
    return this.#state.store.timestampMicros;
  }

  get openOrders(): number {
    return this.#state.store.orders.live;
  }

  get nextDueMicros(): number {
    return this.#states.nextDue();
  }

  get duplicateOf(): number {
    return this.#rules.duplicateOf;
  }

  /** Most orders that were ever open at once. */
  get mostOpenOrders(): number {
    return this.#state.store.orders.most;
  }

  /** Bytes of all typed arrays, used or not. */
  get bytes(): number {
    return this.#state.bytes;
  }

  setInstrument(instrument: number, rules: InstrumentRules): void {
    const { books, store } = this.#state;
    if (instrument < 0 || instrument > books.length) throw new RangeError(`instrument ${instrument} does not follow ${books.length - 1}`);
    const limits = riskLimits(rules);
    const book = books[instrument];
    if (book === undefined) books.push(new OrderBook(store, instrument, limits));
    else book.limits = limits;
  }

  setAccountRules(rules: AccountRules): void {
    this.#state.maxOpenOrders = rules.maxOpenOrders;
  }

  submit(slots: CommandSlots, at: number, sink: EventSink): Reject {
    const kind = (slots.words[at] as number) & 0xff;
    if (kind === NEW_ORDER) return this.#express.newOrder(slots, at, sink) ? REJECT.none : this.#newOrder(slots, at, sink);
    if (kind === CANCEL_ORDER) return this.#express.cancel(slots, at, sink) ? REJECT.none : this.#cancelOrder(slots, at, sink);
    return this.#submitOther(slots, at, kind, sink);
  }

  /**
   * For whoever has several commands at hand: reads ahead for those whose slots stand from word `at` up to `end`, as many as are worth it, and changes
   * nothing. Gives where the first stands that it did not look at: to be submitted up to there, then asked again.
   */
  foresee(slots: CommandSlots, at: number, end: number): number {
    return this.#foresight.look(slots, at, end);
  }

  replay(slots: CommandSlots, at: number, sink: EventSink): void {
    const { words } = slots;
    const kind = (words[at] as number) & 0xff;
    if (kind === NEW_ORDER) {
      const instrument = words[at + 2] as number;
      this.#state.book(instrument);
      const account = (words[at + 3] as number) >>> 0;
      if (account >= MOST_ACCOUNTS) throw new RangeError(`account ${account} is none`);
      this.#begin(slots, at);
      this.#flow.newOrder(slots, at, this.#state.store.holdings.find(account, instrument), sink);
    } else if (kind === CANCEL_ORDER || kind === REPLACE_ORDER) {
      const order = this.#findOf(slots, at);
      if (order === 0) throw new RangeError(`order ${slots.doubles[(at >> 1) + 5]} is not open`);
      this.#begin(slots, at);
      if (kind === CANCEL_ORDER) this.#flow.cancel(order, REQUESTED, sink);
      else this.#flow.replace(slots, at, order, sink);
    } else {
      const reject = this.#submitOther(slots, at, kind, sink);
      if (reject !== REJECT.none) throw new RangeError(`a command of kind ${kind} that could not have been accepted: reject ${reject}`);
    }
  }

  reserve(): void {
    this.#state.reserve();
  }

  find(orderId: number): number {
    const order = this.#state.store.ids.find(orderId);
    return order === 0 ? -1 : (this.#state.store.ladderAt(order) / LADDERS) | 0;
  }

  restingAt(orderId: number): RestingPlace | undefined {
    const order = this.#state.store.ids.find(orderId);
    if (order === 0) return undefined;
    const book = this.#state.bookOf(order);
    if (book.listOf(order) >= STOPS) return undefined;
    return { instrument: book.instrument, side: book.sideOf(order), priceTicks: book.keyTicks(order) };
  }

  ownerOf(orderId: number): number {
    const { ids, holdings } = this.#state.store;
    const order = ids.find(orderId);
    return order === 0 ? -1 : holdings.accountOf(this.#state.bookOf(order).holdingOf(order));
  }

  remainingLots(orderId: number): number {
    const order = this.#state.store.ids.find(orderId);
    return order === 0 ? -1 : this.#state.bookOf(order).remainingLots(order);
  }

  book(instrument: number): BookView {
    return this.#state.book(instrument);
  }

  position(account: number, instrument: number): Position | undefined {
    const { holdings } = this.#state.store;
    const row = holdings.find(account, instrument);
    return row < 0 ? undefined : holdings.position(row);
  }

  openOrdersOf(account: number): number {
    return this.#state.store.holdings.openOrders(account);
  }

  openNotionalOf(account: number, instrument: number): number {
    const { holdings } = this.#state.store;
    const row = holdings.find(account, instrument);
    return row < 0 ? 0 : holdings.openNotional(row);
  }

  eachPosition(visit: (position: Position) => void): void {
    const { holdings } = this.#state.store;
    for (const row of holdings.heldRows()) visit(holdings.position(row));
  }

  killed(account: number): boolean {
    return account === ANY_ACCOUNT ? this.#state.killed : this.#state.store.holdings.isKilled(account);
  }

  pools(): PoolFigures[] {
    return corePools(this.#state);
  }

  eachStateWord(visit: (word: number) => void): void {
    eachStateWord(this.#state, visit);
  }

  restore(words: Float64Array): void {
    if (this.#state.store.sequence !== 0)
      throw new RangeError(`a core that has applied ${this.#state.store.sequence} commands takes no state`);
    restoreState(this.#state, words);
  }

  stateHash(): string {
    const hash = new StateHash();
    eachStateWord(this.#state, (word) => hash.addDouble(word));
    return hash.hex();
  }

  /** The command is accepted: it is the next. */
  #begin(slots: CommandSlots, at: number): void {
    const { store } = this.#state;
    store.sequence += 1;
    store.timestampMicros = slots.doubles[(at >> 1) + 2] as number;
  }

  /** The open order that a cancel or a replacement means; 0 when there is none, or of another account. */
  #findOf(slots: CommandSlots, at: number): number {
    const { ids, holdings } = this.#state.store;
    const order = ids.find(slots.doubles[(at >> 1) + 5] as number);
    if (order === 0) return 0;
    const account = (slots.words[at + 3] as number) >>> 0;
    return account === ANY_ACCOUNT || holdings.accountOf(this.#state.bookOf(order).holdingOf(order)) === account ? order : 0;
  }

  #newOrder(slots: CommandSlots, at: number, sink: EventSink): Reject {
    const reject = this.#rules.newOrder(slots, at);
    if (reject !== REJECT.none) return reject;
    this.#begin(slots, at);
    this.#flow.newOrder(slots, at, this.#rules.holding, sink);
    return REJECT.none;
  }

  #cancelOrder(slots: CommandSlots, at: number, sink: EventSink): Reject {
    const order = this.#findOf(slots, at);
    if (order === 0) return REJECT.unknownOrder;
    this.#begin(slots, at);
    this.#flow.cancel(order, REQUESTED, sink);
    return REJECT.none;
  }

  #submitOther(slots: CommandSlots, at: number, kind: number, sink: EventSink): Reject {
    switch (kind) {
      case REPLACE_ORDER:
        return this.#replaceOrder(slots, at, sink);
      case MASS_CANCEL:
        return this.#massCancelOrders(slots, at, sink);
      case SET_STATE:
        return this.#setState(slots, at, sink);
      case SET_VOLATILITY:
        return this.#setVolatility(slots, at);
      case KILL_SWITCH:
        return this.#killSwitch(slots, at, sink);
      case ADVANCE_TIME:
        this.#begin(slots, at);
        this.#states.advance(sink);
        return REJECT.none;
      default:
        return REJECT.badTerms;
    }
  }

  #replaceOrder(slots: CommandSlots, at: number, sink: EventSink): Reject {
    const order = this.#findOf(slots, at);
    if (order === 0) return REJECT.unknownOrder;
    const reject = this.#rules.replacement(slots, at, order);
    if (reject !== REJECT.none) return reject;
    this.#begin(slots, at);
    this.#flow.replace(slots, at, order, sink);
    return REJECT.none;
  }

  #massCancelOrders(slots: CommandSlots, at: number, sink: EventSink): Reject {
    const { words } = slots;
    const instrument = words[at + 2] as number;
    const reason = detailOf(slots, at) as Reason;
    if (!this.#isOneOrAll(instrument)) return REJECT.unknownInstrument;
    if (reason !== MASS && reason !== DISCONNECTED) return REJECT.badTerms;
    this.#begin(slots, at);
    this.#massCancel.run(instrument, (words[at + 3] as number) >>> 0, (words[at + 14] as number) >>> 0, false, reason, sink);
    return REJECT.none;
  }

  #setState(slots: CommandSlots, at: number, sink: EventSink): Reject {
    const instrument = slots.words[at + 2] as number;
    const state = detailOf(slots, at);
    if (!this.#isOneOrAll(instrument)) return REJECT.unknownInstrument;
    if (state > CLOSED) return REJECT.badTerms;
    this.#begin(slots, at);
    const { books } = this.#state;
    if (instrument !== ALL_INSTRUMENTS) this.#states.set(books[instrument] as OrderBook, state as TradingState, sink);
    else for (const book of books) this.#states.set(book, state as TradingState, sink);
    return REJECT.none;
  }

  #setVolatility(slots: CommandSlots, at: number): Reject {
    const half = at >> 1;
    const book = this.#state.books[slots.words[at + 2] as number];
    if (book === undefined) return REJECT.unknownInstrument;
    const terms = slots.doubles.subarray(half + 3, half + 7);
    if (!terms.every((term) => Number.isSafeInteger(term) && term >= 0)) return REJECT.badTerms;
    this.#begin(slots, at);
    // Adding 0 makes 0 of -0, which must not be in the state.
    const [percent = 0, windowMicros = 0, haltMicros = 0, auctionMicros = 0] = terms.map((term) => term + 0);
    book.band.configure(percent, windowMicros, haltMicros, auctionMicros);
    return REJECT.none;
  }

  #killSwitch(slots: CommandSlots, at: number, sink: EventSink): Reject {
    const account = (slots.words[at + 3] as number) >>> 0;
    const on = detailOf(slots, at) !== 0;
    if (account !== ANY_ACCOUNT && account >= MOST_ACCOUNTS) return REJECT.badAccount;
    this.#begin(slots, at);
    if (account === ANY_ACCOUNT) this.#state.killed = on;
    else this.#state.store.holdings.setKilled(account, on);
    if (on) this.#massCancel.run(ALL_INSTRUMENTS, account, 0, false, KILLED, sink);
    return REJECT.none;
  }

  #isOneOrAll(instrument: number): boolean {
    return instrument >= ALL_INSTRUMENTS && instrument < this.#state.books.length;
  }
}

function detailOf(slots: CommandSlots, at: number): number {
  return ((slots.words[at + 1] as number) >>> DETAIL_SHIFT) & 0xff;
}
