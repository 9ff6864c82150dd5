/** What commands have touched since it was last looked at: prices of books, and trades. The sink that the feed's own core writes into. */
import type { CommandSlots } from '../core/command.ts';
import {
  ALL_INSTRUMENTS,
  CANCEL_ORDER,
  MASS_CANCEL,
  NEW_ORDER,
  REPLACE_ORDER,
  SET_STATE,
  type Core,
  type EventSink,
  type OrderStatus,
  type Reason,
  type RestingPlace,
  type Side,
  type TradingState,
} from '../core/types.ts';

/** In the place of a taker's side: the fill is of an auction, where neither order came to the other. */
export const NO_SIDE = 2;

/** A fill as the public sees it. */
export interface Trade {
  readonly sequence: number;
  /** Among the fills of the command at `sequence`, from 0. */
  readonly index: number;
  readonly instrument: number;
  readonly priceTicks: number;
  readonly quantityLots: number;
  readonly makerOrderId: number;
  readonly takerOrderId: number;
  readonly takerSide: Side | typeof NO_SIDE;
  readonly timestampMicros: number;
}

/** A trading state that an instrument was moved to. */
export interface StateChange {
  readonly sequence: number;
  readonly instrument: number;
  readonly state: TradingState;
  /** Price of the auction that has ended; 0 for none. */
  readonly auctionTicks: number;
  readonly untilMicros: number;
}

/** Prices that are remembered one by one; beyond, the whole book is looked at. */
const MOST_PRICES = 1024;

/** Of one book. */
export class TouchedBook {
  readonly prices = new Set<number>();
  /** Any price may have been touched. */
  isWhole = false;

  price(ticks: number): void {
    if (this.isWhole) return;
    this.prices.add(ticks);
    if (this.prices.size > MOST_PRICES) this.whole();
  }

  whole(): void {
    this.isWhole = true;
    this.prices.clear();
  }

  get isTouched(): boolean {
    return this.isWhole || this.prices.size > 0;
  }

  clear(): void {
    this.isWhole = false;
    this.prices.clear();
  }
}

/** Told which command is replayed, then what it does to orders. */
export interface OwnSink extends Omit<EventSink, 'state'> {
  begin(sequence: number, slots: CommandSlots, at: number): void;
}

export class Touched implements EventSink {
  /** By instrument. */
  readonly books: readonly TouchedBook[];
  /** Hears of single orders too, while somebody wants to. */
  own: OwnSink | undefined;
  trades: Trade[] = [];
  states: StateChange[] = [];
  readonly #core: Core;
  /** Sides of the stops that wait: a trade is the first that the public hears of them. */
  readonly #stopSides = new Map<number, Side>();
  /** Of the stops that the command under way has triggered. */
  readonly #triggeredSides = new Map<number, Side | typeof NO_SIDE>();
  #sequence = 0;
  #timestampMicros = 0;
  #fillIndex = 0;
  /** Of the command under way; -1 when it is about several instruments, or cannot know. */
  #instrument = -1;
  #side: Side | typeof NO_SIDE = NO_SIDE;
  /** The order that the command is about; 0 for none. */
  #own = 0;

  /** `stops` are those that wait already. */
  constructor(core: Core, instruments: number, stops: Iterable<{ readonly id: number; readonly side: Side }> = []) {
    this.#core = core;
    this.books = Array.from({ length: instruments }, () => new TouchedBook());
    for (const { id, side } of stops) this.#stopSides.set(id, side);
  }

  /** Replays the command at `at`, which is the next. */
  replay(slots: CommandSlots, at: number): void {
    const core = this.#core;
    const { words, doubles } = slots;
    const head = words[at] as number;
    const kind = head & 0xff;
    this.#sequence = core.sequence + 1;
    this.#timestampMicros = doubles[(at >> 1) + 2] as number;
    this.#fillIndex = 0;
    this.#triggeredSides.clear();
    this.#instrument = -1;
    this.#side = NO_SIDE;
    this.#own = 0;
    this.own?.begin(this.#sequence, slots, at);
    if (kind === NEW_ORDER) {
      this.#instrument = words[at + 2] as number;
      this.#side = ((head >>> 8) & 0xff) as Side;
      this.#own = this.#sequence;
      core.replay(slots, at, this);
      if (core.find(this.#own) >= 0 && core.restingAt(this.#own) === undefined) this.#stopSides.set(this.#own, this.#side);
    } else if (kind === CANCEL_ORDER || kind === REPLACE_ORDER) {
      this.#own = doubles[(at >> 1) + 5] as number;
      const before = core.restingAt(this.#own);
      this.#touch(before);
      this.#instrument = core.find(this.#own);
      this.#side = before?.side ?? this.#stopSides.get(this.#own) ?? NO_SIDE;
      core.replay(slots, at, this);
    } else {
      if (kind === MASS_CANCEL || kind === SET_STATE) this.#instrument = words[at + 2] as number;
      core.replay(slots, at, this);
    }
    this.#touch(core.restingAt(this.#own));
    for (const orderId of this.#triggeredSides.keys()) this.#touch(core.restingAt(orderId));
  }

  /** Forgets everything. */
  clear(): void {
    for (const book of this.books) book.clear();
    this.trades = [];
    this.states = [];
  }

  fill(
    instrument: number,
    makerOrderId: number,
    takerOrderId: number,
    priceTicks: number,
    quantityLots: number,
    makerRemainingLots: number,
    takerRemainingLots: number,
  ): void {
    this.own?.fill(instrument, makerOrderId, takerOrderId, priceTicks, quantityLots, makerRemainingLots, takerRemainingLots);
    const book = this.books[instrument] as TouchedBook;
    // Orders of an auction trade at its price, and not at theirs.
    if (this.#own === 0) book.whole();
    else book.price(priceTicks);
    this.trades.push({
      sequence: this.#sequence,
      index: this.#fillIndex,
      instrument,
      priceTicks,
      quantityLots,
      makerOrderId,
      takerOrderId,
      takerSide: takerOrderId === this.#own ? this.#side : (this.#triggeredSides.get(takerOrderId) ?? NO_SIDE),
      timestampMicros: this.#timestampMicros,
    });
    this.#fillIndex += 1;
  }

  order(orderId: number, remainingLots: number, status: OrderStatus, reason: Reason): void {
    this.own?.order(orderId, remainingLots, status, reason);
    // A waiting stop that ends was in no book.
    if (this.#stopSides.delete(orderId) || orderId === this.#own || this.#triggeredSides.has(orderId)) return;
    this.#whole();
  }

  replaced(orderId: number, priceTicks: number, remainingLots: number, stopTicks: number): void {
    this.own?.replaced(orderId, priceTicks, remainingLots, stopTicks);
    if (orderId !== this.#own) this.#whole();
  }

  triggered(orderId: number): void {
    this.own?.triggered(orderId);
    this.#triggeredSides.set(orderId, orderId === this.#own ? this.#side : (this.#stopSides.get(orderId) ?? NO_SIDE));
    this.#stopSides.delete(orderId);
  }

  state(instrument: number, state: TradingState, auctionTicks: number, untilMicros: number): void {
    this.books[instrument]?.whole();
    this.states.push({ sequence: this.#sequence, instrument, state, auctionTicks, untilMicros });
  }

  #touch(place: RestingPlace | undefined): void {
    if (place !== undefined) this.books[place.instrument]?.price(place.priceTicks);
  }

  /** An order ended or shrank that the command was not about: the event does not say where it stood. */
  #whole(): void {
    if (this.#instrument === ALL_INSTRUMENTS || this.#instrument < 0) for (const book of this.books) book.whole();
    else this.books[this.#instrument]?.whole();
  }
}
