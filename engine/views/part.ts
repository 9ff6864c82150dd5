/**
 * What a stretch of commands did to orders, in memory: the orders that it made or changed, each whole and once, however often it changed; the fills;
 * the positions at its end. Queries look here before they look into the rows. Nothing is allocated an order but the text of its client order id.
 */
import type { LoadedOrder } from './rows.ts';
import { packState } from './terms.ts';

/** Doubles of an order. */
export const ID = 0;
export const FLAGS = 1;
export const ACCOUNT = 2;
export const INSTRUMENT = 3;
export const TERMS = 4;
export const PRICE = 5;
export const STOP_PRICE = 6;
export const DISPLAY = 7;
export const EXPIRY = 8;
export const FILLED_LOTS = 9;
export const REMAINING = 10;
export const STATUS = 11;
export const REASON = 12;
export const CREATED = 13;
export const UPDATED = 14;
/** How it was at the end of its own command, when it is CHANGED. FIRST_STATE is -1 when nobody knows. */
export const FIRST_STATE = 15;
export const FIRST_PRICE = 16;
export const FIRST_STOP = 17;
export const FIRST_FILLED = 18;
export const FIRST_REMAINING = 19;
/** As it was sent. */
export const SENT = 20;
/** The status in its row. */
const ROW_STATUS = 21;
/** Place of the order of the same account that was added before, and 1; 0 for none. */
const BEFORE = 22;
const ORDER_DOUBLES = 23;

/** It has no row yet. */
const BORN = 1;
/** It has changed after its own command. */
export const CHANGED = 2;
export const TRADED = 4;

/** Doubles of a fill. */
export const FILL_SEQUENCE = 0;
export const FILL_INDEX = 1;
export const FILL_INSTRUMENT = 2;
export const FILL_PRICE = 3;
export const FILL_LOTS = 4;
export const FILL_MAKER = 5;
export const FILL_TAKER = 6;
export const FILL_TAKER_SIDE = 7;
export const FILL_TIME = 8;
export const FILL_DOUBLES = 9;

/** Sequences that a part spans at most, for each order that it may hold: the others are of commands that are no orders. */
const SPAN = 4;
const FIRST_ACCOUNTS = 1024;

/** Bytes that a part takes for each order that it may hold, about. */
export const PART_BYTES_AN_ORDER = (ORDER_DOUBLES + FILL_DOUBLES) * 8 + SPAN * 4 + 64;

export class Part {
  /** Orders that are new from the first place on, rising by id; others from the last place back. */
  readonly orders: Float64Array;
  readonly fills: Float64Array;
  readonly texts: (string | null)[];
  /** Account, instrument, lots and average price, one after the other: at the end. */
  readonly positions: number[] = [];
  readonly #most: number;
  /** Place of a new order and 1, by its id less the first. */
  readonly #places: Int32Array;
  readonly #carried = new Map<number, number>();
  #bornHeads = new Int32Array(FIRST_ACCOUNTS);
  #carriedHeads = new Int32Array(FIRST_ACCOUNTS);
  #firstId = 0;
  born = 0;
  fillCount = 0;

  /** `most`: orders that it holds at most, and fills. */
  constructor(most: number) {
    this.#most = most;
    this.orders = new Float64Array(most * ORDER_DOUBLES);
    this.fills = new Float64Array(most * FILL_DOUBLES);
    this.texts = Array.from({ length: most }, () => null);
    this.#places = new Int32Array(most * SPAN);
  }

  get carried(): number {
    return this.#carried.size;
  }

  get isEmpty(): boolean {
    return this.born + this.#carried.size + this.fillCount + this.positions.length === 0;
  }

  /** Whether it has taken more than a share of what it can. */
  isFilled(share: number): boolean {
    return Math.max(this.born + this.#carried.size, this.fillCount) > this.#most * share;
  }

  hasRoomFor(orders: number, fills: number): boolean {
    return this.born + this.#carried.size + orders <= this.#most && this.fillCount + fills <= this.#most;
  }

  /** Whether a new order has room. */
  takes(id: number): boolean {
    return this.hasRoomFor(1, 0) && (this.born === 0 || id - this.#firstId < this.#places.length);
  }

  /** Where an order is: the first of its doubles; -1 when it is not here. */
  find(id: number): number {
    const at = id - this.#firstId;
    const place = at >= 0 && at < this.#places.length ? (this.#places[at] as number) : 0;
    if (place > 0) return (place - 1) * ORDER_DOUBLES;
    return this.#carried.size === 0 ? -1 : (this.#carried.get(id) ?? -1);
  }

  textAt(at: number): string | null {
    return this.texts[at / ORDER_DOUBLES] ?? null;
  }

  isBorn(at: number): boolean {
    return ((this.orders[at + FLAGS] as number) & BORN) !== 0;
  }

  isChanged(at: number): boolean {
    return ((this.orders[at + FLAGS] as number) & CHANGED) !== 0;
  }

  hasOtherStatus(at: number): boolean {
    return this.orders[at + STATUS] !== this.orders[at + ROW_STATUS];
  }

  /** What self-trade prevention took of it in its own command. */
  lostLots(at: number): number {
    const { orders } = this;
    const [filled, remaining] = this.isChanged(at) ? [FIRST_FILLED, FIRST_REMAINING] : [FILLED_LOTS, REMAINING];
    return (orders[at + SENT] as number) - (orders[at + filled] as number) - (orders[at + remaining] as number);
  }

  /** Adds an order of the command at sequence `id`. What its doubles do not say yet is for the caller. */
  bear(id: number, account: number, text: string | null): number {
    if (this.born === 0) this.#firstId = id;
    const place = this.born;
    this.born += 1;
    this.#places[id - this.#firstId] = place + 1;
    this.texts[place] = text;
    this.#bornHeads = this.#chain(this.#bornHeads, account, place);
    const at = place * ORDER_DOUBLES;
    this.orders[at + ID] = id;
    this.orders[at + FLAGS] = BORN;
    this.orders[at + ACCOUNT] = account;
    return at;
  }

  /** Adds an order as it is in another part, which is going to be its row. */
  carry(from: Part, fromAt: number): number {
    const account = from.orders[fromAt + ACCOUNT] as number;
    const at = this.#carriedPlace(from.orders[fromAt + ID] as number, account, from.textAt(fromAt));
    const { orders } = this;
    const before = orders[at + BEFORE] as number;
    orders.set(from.orders.subarray(fromAt, fromAt + ORDER_DOUBLES), at);
    orders[at + BEFORE] = before;
    orders[at + FLAGS] = (orders[at + FLAGS] as number) & CHANGED;
    orders[at + ROW_STATUS] = orders[at + STATUS] as number;
    return at;
  }

  /** Adds an order as its row says that it is. */
  load(id: number, row: LoadedOrder): number {
    const [account, instrument, terms, status, reason, price, filled, remaining, created, updated, text, stop, display, expiry, ...first] =
      row;
    const [firstState, firstPrice, firstStop, firstFilled, firstRemaining, lost] = first;
    const at = this.#carriedPlace(id, account, text);
    const { orders } = this;
    orders[at + FLAGS] = firstState === null ? 0 : CHANGED;
    orders[at + INSTRUMENT] = instrument;
    orders[at + TERMS] = terms;
    orders[at + PRICE] = price;
    orders[at + STOP_PRICE] = stop;
    orders[at + DISPLAY] = display;
    orders[at + EXPIRY] = expiry;
    orders[at + FILLED_LOTS] = filled;
    orders[at + REMAINING] = remaining;
    orders[at + STATUS] = status;
    orders[at + REASON] = reason;
    orders[at + CREATED] = created;
    orders[at + UPDATED] = updated;
    orders[at + FIRST_STATE] = firstState ?? 0;
    orders[at + FIRST_PRICE] = firstPrice ?? 0;
    orders[at + FIRST_STOP] = firstStop ?? 0;
    orders[at + FIRST_FILLED] = firstFilled ?? 0;
    orders[at + FIRST_REMAINING] = firstRemaining ?? 0;
    orders[at + SENT] = (lost ?? 0) + (firstState === null ? filled + remaining : (firstFilled ?? 0) + (firstRemaining ?? 0));
    orders[at + ROW_STATUS] = status;
    return at;
  }

  /** Notes how the order is at the end of its own command, unless it is noted: it is going to change. */
  keepFirst(at: number): void {
    if (this.isChanged(at)) return;
    const { orders } = this;
    orders[at + FLAGS] = (orders[at + FLAGS] as number) | CHANGED;
    orders[at + FIRST_STATE] = packState(orders[at + STATUS] as number, orders[at + REASON] as number);
    orders[at + FIRST_PRICE] = orders[at + PRICE] as number;
    orders[at + FIRST_STOP] = orders[at + STOP_PRICE] as number;
    orders[at + FIRST_FILLED] = orders[at + FILLED_LOTS] as number;
    orders[at + FIRST_REMAINING] = orders[at + REMAINING] as number;
  }

  /** Begins the part anew with one of its new orders only. */
  keepOnly(at: number): void {
    const { orders } = this;
    const kept = orders.slice(at, at + ORDER_DOUBLES);
    const text = this.textAt(at);
    this.clear();
    const again = this.bear(kept[ID] as number, kept[ACCOUNT] as number, text);
    kept[BEFORE] = orders[again + BEFORE] as number;
    orders.set(kept, again);
  }

  clear(): void {
    this.#places.fill(0, 0, this.born === 0 ? 0 : (this.orders[(this.born - 1) * ORDER_DOUBLES] as number) - this.#firstId + 1);
    this.texts.fill(null, this.#most - this.#carried.size);
    this.#carried.clear();
    this.#bornHeads.fill(0);
    this.#carriedHeads.fill(0);
    this.texts.fill(null, 0, this.born);
    this.born = 0;
    this.fillCount = 0;
    this.positions.length = 0;
  }

  /** The n-th of the orders, the new ones first. */
  at(n: number): number {
    return (n < this.born ? n : this.#most - 1 - (n - this.born)) * ORDER_DOUBLES;
  }

  /** The first new order after `id`, as its number for {@link at}. */
  firstAfter(id: number): number {
    let low = 0;
    let high = this.born;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.orders[middle * ORDER_DOUBLES] as number) > id) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** The last new order of an account, where it is; -1 for none. */
  lastBornOf(account: number): number {
    return placeOf(this.#bornHeads[account]);
  }

  lastCarriedOf(account: number): number {
    return placeOf(this.#carriedHeads[account]);
  }

  /** The order of the same account that was added before. */
  before(at: number): number {
    return placeOf(this.orders[at + BEFORE]);
  }

  /** The first fill after fill `index` of `sequence`, as its number. */
  firstFillAfter(sequence: number, index: number): number {
    const { fills } = this;
    let low = 0;
    let high = this.fillCount;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const found = fills[middle * FILL_DOUBLES] as number;
      if (found > sequence || (found === sequence && (fills[middle * FILL_DOUBLES + FILL_INDEX] as number) > index)) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #carriedPlace(id: number, account: number, text: string | null): number {
    const place = this.#most - 1 - this.#carried.size;
    const at = place * ORDER_DOUBLES;
    this.#carried.set(id, at);
    this.texts[place] = text;
    this.#carriedHeads = this.#chain(this.#carriedHeads, account, place);
    this.orders[at + ID] = id;
    this.orders[at + ACCOUNT] = account;
    return at;
  }

  #chain(heads: Int32Array<ArrayBuffer>, account: number, place: number): Int32Array<ArrayBuffer> {
    let room = heads;
    if (account >= room.length) {
      room = new Int32Array(2 ** Math.ceil(Math.log2(account + 1)));
      room.set(heads);
    }
    this.orders[place * ORDER_DOUBLES + BEFORE] = room[account] as number;
    room[account] = place + 1;
    return room;
  }
}

function placeOf(link: number | undefined): number {
  return ((link ?? 0) - 1) * ORDER_DOUBLES;
}
