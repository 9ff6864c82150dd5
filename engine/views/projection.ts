/**
 * From the events of replayed commands to rows. What a chunk of commands does is gathered first, so that an order that changes many times in it
 * costs one row: born and finished in the same chunk, as most are, one insert.
 */
import type { CommandSlots } from '../core/command.ts';
import { WIDE } from '../core/command.ts';
import {
  FILLED,
  MOST_ACCOUNTS,
  NEW_ORDER,
  NO_REASON,
  OPEN,
  type Core,
  type EventSink,
  type OrderStatus,
  type Reason,
} from '../core/types.ts';
import type { Rows } from './rows.ts';
import { packState, sideOf, termsOfSlot } from './terms.ts';

/** Doubles of an order that the chunk has changed. For one that was there before it, KEPT stands where nothing has changed. */
const ID = 0;
const FLAGS = 1;
const ACCOUNT = 2;
const INSTRUMENT = 3;
const TERMS = 4;
const PRICE = 5;
const STOP_PRICE = 6;
const DISPLAY = 7;
const EXPIRY = 8;
/** In the chunk, for an order that was there before it. */
const FILLED_LOTS = 9;
const REMAINING = 10;
const STATUS = 11;
const REASON = 12;
const CREATED = 13;
const UPDATED = 14;
const FIRST_STATE = 15;
const FIRST_PRICE = 16;
const FIRST_STOP = 17;
const FIRST_FILLED = 18;
const FIRST_REMAINING = 19;
/** As it was sent. */
const SENT = 20;
const ORDER_DOUBLES = 21;
const KEPT = -1;

/** The order is the chunk's own: it has no row yet. */
const BORN = 1;
/** It has changed after its own command. */
const CHANGED = 2;
const TRADED = 4;

/** Doubles of a fill. */
const FILL_SEQUENCE = 0;
const FILL_INDEX = 1;
const FILL_INSTRUMENT = 2;
const FILL_PRICE = 3;
const FILL_LOTS = 4;
const FILL_MAKER = 5;
const FILL_TAKER = 6;
const FILL_TIME = 7;
const FILL_DOUBLES = 8;

/** Orders or fills that are gathered at most: what a single command does beyond them is written in parts. */
const MOST_GATHERED = 16_384;

export class Projection implements EventSink {
  readonly #rows: Rows;
  readonly #core: Core;
  readonly #orders: Float64Array;
  readonly #fills: Float64Array;
  /** Client order ids of the orders of the chunk, by their place. */
  readonly #texts: (string | null)[];
  readonly #places = new Map<number, number>();
  /** instrument × MOST_ACCOUNTS + account. */
  readonly #traded = new Set<number>();
  readonly #most: number;
  #orderCount = 0;
  #fillCount = 0;
  #sequence = 0;
  #timestampMicros = 0;
  #fillIndex = 0;

  /** `mostGathered` is for tests. */
  constructor(rows: Rows, core: Core, mostGathered = MOST_GATHERED) {
    this.#rows = rows;
    this.#core = core;
    this.#most = mostGathered;
    this.#orders = new Float64Array(mostGathered * ORDER_DOUBLES);
    this.#fills = new Float64Array(mostGathered * FILL_DOUBLES);
    this.#texts = Array.from({ length: mostGathered }, () => null);
  }

  /** Says which command is going to be replayed. */
  begin(sequence: number, slots: CommandSlots, at: number, clientOrderId: string | null): void {
    const { words, doubles } = slots;
    const half = at >> 1;
    this.#sequence = sequence;
    this.#timestampMicros = doubles[half + 2] as number;
    this.#fillIndex = 0;
    const head = words[at] as number;
    if ((head & 0xff) !== NEW_ORDER) return;
    const place = this.#newPlace(sequence);
    const orders = this.#orders;
    const flags = words[at + 1] as number;
    const isWide = (flags & WIDE) !== 0;
    this.#texts[place / ORDER_DOUBLES] = clientOrderId;
    orders[place + FLAGS] = BORN;
    orders[place + ACCOUNT] = (words[at + 3] as number) >>> 0;
    orders[place + INSTRUMENT] = words[at + 2] as number;
    orders[place + TERMS] = termsOfSlot(head, flags);
    orders[place + PRICE] = doubles[half + 3] as number;
    orders[place + STOP_PRICE] = isWide ? (doubles[half + 8] as number) : 0;
    orders[place + DISPLAY] = isWide ? (doubles[half + 9] as number) : 0;
    orders[place + EXPIRY] = isWide ? (doubles[half + 10] as number) : 0;
    orders[place + FILLED_LOTS] = 0;
    orders[place + REMAINING] = doubles[half + 4] as number;
    orders[place + SENT] = doubles[half + 4] as number;
    orders[place + STATUS] = OPEN;
    orders[place + REASON] = NO_REASON;
    orders[place + CREATED] = this.#timestampMicros;
    orders[place + UPDATED] = this.#timestampMicros;
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
    // Here, so that both are in the same part.
    if (this.#orderCount + 2 > this.#most || this.#fillCount === this.#most) this.#writePart();
    const maker = this.#filled(makerOrderId, instrument, quantityLots, makerRemainingLots);
    const taker = this.#filled(takerOrderId, instrument, quantityLots, takerRemainingLots);
    const fills = this.#fills;
    const at = this.#fillCount * FILL_DOUBLES;
    this.#fillCount += 1;
    fills[at + FILL_SEQUENCE] = this.#sequence;
    fills[at + FILL_INDEX] = this.#fillIndex;
    fills[at + FILL_INSTRUMENT] = instrument;
    fills[at + FILL_PRICE] = priceTicks;
    fills[at + FILL_LOTS] = quantityLots;
    fills[at + FILL_MAKER] = maker;
    fills[at + FILL_TAKER] = taker;
    fills[at + FILL_TIME] = this.#timestampMicros;
    this.#fillIndex += 1;
  }

  order(orderId: number, remainingLots: number, status: OrderStatus, reason: Reason): void {
    const place = this.#touch(orderId);
    this.#orders[place + REMAINING] = remainingLots;
    this.#orders[place + STATUS] = status;
    this.#orders[place + REASON] = reason;
  }

  replaced(orderId: number, priceTicks: number, remainingLots: number, stopTicks: number): void {
    const place = this.#touch(orderId);
    this.#orders[place + PRICE] = priceTicks;
    this.#orders[place + REMAINING] = remainingLots;
    // A stop order that has been triggered keeps the price that it waited for.
    if (stopTicks > 0) this.#orders[place + STOP_PRICE] = stopTicks;
  }

  triggered(orderId: number): void {
    this.#orders[this.#touch(orderId) + STATUS] = OPEN;
  }

  state(): void {
    // Nothing that queries show.
  }

  /** Writes what has been gathered, within the transaction that is open or is begun for it. The core must be where the last command left it. */
  write(): void {
    this.#rows.begin();
    this.#writeOrders();
    this.#writeFills();
    this.#clear();
    for (const key of this.#traded) {
      const account = key % MOST_ACCOUNTS;
      const instrument = (key - account) / MOST_ACCOUNTS;
      const position = this.#core.position(account, instrument);
      if (position === undefined) throw new Error(`account ${account} has traded instrument ${instrument} and has no position`);
      this.#rows.upsertPosition.run(account, instrument, position.lots, position.averageTicks);
    }
    this.#traded.clear();
  }

  #filled(orderId: number, instrument: number, quantityLots: number, remainingLots: number): number {
    const orders = this.#orders;
    const place = this.#touch(orderId);
    orders[place + FLAGS] = (orders[place + FLAGS] as number) | TRADED;
    orders[place + INSTRUMENT] = instrument;
    orders[place + FILLED_LOTS] = (orders[place + FILLED_LOTS] as number) + quantityLots;
    orders[place + REMAINING] = remainingLots;
    // A maker hears no more than this.
    if (remainingLots === 0) {
      orders[place + STATUS] = FILLED;
      orders[place + REASON] = NO_REASON;
    }
    return place;
  }

  /** The place of an order that is going to change. */
  #touch(orderId: number): number {
    const orders = this.#orders;
    const known = this.#places.get(orderId);
    if (known === undefined) return this.#arriveFromRows(orderId);
    orders[known + UPDATED] = this.#timestampMicros;
    if (orderId !== this.#sequence && orders[known + FLAGS] === (BORN | ((orders[known + FLAGS] as number) & TRADED)))
      this.#keepFirst(known);
    return known;
  }

  #keepFirst(place: number): void {
    const orders = this.#orders;
    orders[place + FLAGS] = (orders[place + FLAGS] as number) | CHANGED;
    orders[place + FIRST_STATE] = packState(orders[place + STATUS] as number, orders[place + REASON] as number);
    orders[place + FIRST_PRICE] = orders[place + PRICE] as number;
    orders[place + FIRST_STOP] = orders[place + STOP_PRICE] as number;
    orders[place + FIRST_FILLED] = orders[place + FILLED_LOTS] as number;
    orders[place + FIRST_REMAINING] = orders[place + REMAINING] as number;
  }

  #arriveFromRows(orderId: number): number {
    const place = this.#newPlace(orderId);
    const orders = this.#orders;
    orders[place + FLAGS] = 0;
    orders[place + PRICE] = KEPT;
    orders[place + STOP_PRICE] = KEPT;
    orders[place + FILLED_LOTS] = 0;
    orders[place + REMAINING] = KEPT;
    orders[place + STATUS] = KEPT;
    orders[place + REASON] = KEPT;
    orders[place + UPDATED] = this.#timestampMicros;
    return place;
  }

  #newPlace(orderId: number): number {
    if (this.#orderCount === this.#most) this.#writePart();
    const place = this.#orderCount * ORDER_DOUBLES;
    this.#orderCount += 1;
    this.#places.set(orderId, place);
    this.#orders[place + ID] = orderId;
    return place;
  }

  /**
   * Makes room within a command. The order that it has made is not written yet: how it is at the end of its own command would be lost. Positions
   * wait for the end too.
   */
  #writePart(): void {
    const own = this.#places.get(this.#sequence);
    const isBorn = own !== undefined && ((this.#orders[own + FLAGS] as number) & BORN) !== 0;
    this.#rows.begin();
    this.#writeOrders(isBorn ? own : -1);
    this.#writeFills();
    const text = isBorn ? (this.#texts[own / ORDER_DOUBLES] ?? null) : null;
    this.#clear();
    if (!isBorn) return;
    this.#orders.copyWithin(0, own, own + ORDER_DOUBLES);
    this.#texts[0] = text;
    this.#places.set(this.#sequence, 0);
    this.#orderCount = 1;
  }

  #writeOrders(except = -1): void {
    const orders = this.#orders;
    for (let place = 0; place < this.#orderCount * ORDER_DOUBLES; place += ORDER_DOUBLES) {
      const flags = orders[place + FLAGS] as number;
      if ((flags & BORN) === 0) this.#update(place, flags);
      else if (place !== except) this.#insert(place, flags);
      if ((flags & TRADED) !== 0)
        this.#traded.add((orders[place + INSTRUMENT] as number) * MOST_ACCOUNTS + (orders[place + ACCOUNT] as number));
    }
  }

  /** Every event but `triggered` says what remains, and every order that is triggered hears another event. */
  #update(place: number, flags: number): void {
    const orders = this.#orders;
    const rows = this.#rows;
    const id = orders[place + ID] as number;
    const filledLots = orders[place + FILLED_LOTS] as number;
    const remainingLots = orders[place + REMAINING] as number;
    const status = orders[place + STATUS] as number;
    const updatedAtMicros = orders[place + UPDATED] as number;
    if (orders[place + PRICE] !== KEPT) {
      const stopTicks = orders[place + STOP_PRICE] as number;
      rows.updateTerms.run(orders[place + PRICE] as number, stopTicks === KEPT ? null : stopTicks, id);
    }
    const { changes } =
      status === KEPT
        ? rows.updateFilled.run(filledLots, remainingLots, updatedAtMicros, id)
        : rows.updateState.run(filledLots, remainingLots, status, orders[place + REASON] as number, updatedAtMicros, id);
    if (changes !== 1) throw new Error(`order ${id} has changed and has no row`);
    if ((flags & TRADED) === 0) return;
    const { account, terms } = rows.knownOrder(id);
    orders[place + ACCOUNT] = account;
    orders[place + TERMS] = terms;
  }

  #insert(place: number, flags: number): void {
    const orders = this.#orders;
    const value = (field: number): number => orders[place + field] as number;
    const text = this.#texts[place / ORDER_DOUBLES] ?? null;
    const isChanged = (flags & CHANGED) !== 0;
    const lostLots = value(SENT) - (isChanged ? value(FIRST_FILLED) + value(FIRST_REMAINING) : value(FILLED_LOTS) + value(REMAINING));
    if (!isChanged && lostLots + value(STOP_PRICE) + value(DISPLAY) + value(EXPIRY) === 0) {
      this.#rows.insertPlain.run(
        value(ID),
        value(ACCOUNT),
        value(INSTRUMENT),
        value(TERMS),
        value(STATUS),
        value(REASON),
        value(PRICE),
        value(FILLED_LOTS),
        value(REMAINING),
        value(CREATED),
        value(UPDATED),
        text,
      );
      return;
    }
    const first = (field: number): number | null => (isChanged ? value(field) : null);
    this.#rows.insertOrder.run(
      value(ID),
      value(ACCOUNT),
      value(INSTRUMENT),
      value(TERMS),
      value(STATUS),
      value(REASON),
      value(PRICE),
      value(FILLED_LOTS),
      value(REMAINING),
      value(CREATED),
      value(UPDATED),
      text,
      value(STOP_PRICE),
      value(DISPLAY),
      value(EXPIRY),
      first(FIRST_STATE),
      first(FIRST_PRICE),
      first(FIRST_STOP),
      first(FIRST_FILLED),
      first(FIRST_REMAINING),
      lostLots === 0 ? null : lostLots,
    );
  }

  #writeFills(): void {
    const fills = this.#fills;
    const orders = this.#orders;
    for (let at = 0; at < this.#fillCount * FILL_DOUBLES; at += FILL_DOUBLES) {
      const maker = fills[at + FILL_MAKER] as number;
      const taker = fills[at + FILL_TAKER] as number;
      this.#rows.insertFill.run(
        fills[at + FILL_SEQUENCE] as number,
        fills[at + FILL_INDEX] as number,
        fills[at + FILL_INSTRUMENT] as number,
        fills[at + FILL_PRICE] as number,
        fills[at + FILL_LOTS] as number,
        orders[maker + ID] as number,
        orders[taker + ID] as number,
        sideOf(orders[taker + TERMS] as number),
        fills[at + FILL_TIME] as number,
      );
    }
  }

  #clear(): void {
    this.#places.clear();
    this.#orderCount = 0;
    this.#fillCount = 0;
  }
}
