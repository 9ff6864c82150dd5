/**
 * What only few orders have: hidden lots, an expiry, a session, the terms of a stop. Rows in typed arrays, found by the order's reference through
 * open addressing with deletion by shifting back (Knuth, TAOCP 3, 6.4, algorithm R), so that an order without them pays nothing.
 */
/** Offsets in a row of `doubles`. */
export const HIDDEN = 0;
export const DISPLAY = 1;
export const EXPIRY = 2;
/** Limit of an order that waits; 0 for one that will be a market order. Its stop price is its level's. */
export const LIMIT_PRICE = 3;
const ROW_DOUBLES = 4;

const MULTIPLIER = 0x9e3779b1 | 0;
const FIRST_ROWS = 16;

/** The terms of an order on its way into the book, as far as a record does not hold them: one object, filled in again for each order. */
export class Terms {
  displayLots = 0;
  expiryMicros = 0;
  session = 0;
  /** Of an order that is going to wait. */
  stopTicks = 0;
  /** Of an order that is going to wait; 0 for a STOP. */
  limitTicks = 0;

  clear(): void {
    this.displayLots = 0;
    this.expiryMicros = 0;
    this.session = 0;
    this.stopTicks = 0;
    this.limitTicks = 0;
  }

  /** Whether an order that rests has some of these. */
  get areLasting(): boolean {
    return this.displayLots > 0 || this.expiryMicros > 0 || this.session > 0;
  }

  /** What each lot of an order that waits counts in the open notional. */
  get valueTicks(): number {
    return this.limitTicks === 0 ? this.stopTicks : this.limitTicks;
  }
}

export class Extras {
  /** Row r begins at r. */
  doubles = new Float64Array(FIRST_ROWS * ROW_DOUBLES);
  /** By row number. */
  #sessions = new Int32Array(FIRST_ROWS);
  #references = new Int32Array(FIRST_ROWS);
  /** Row number + 1 by place; 0 is empty. */
  #index = new Int32Array(FIRST_ROWS * 2);
  #mask = FIRST_ROWS * 2 - 1;
  #shift = Math.clz32(FIRST_ROWS * 2 - 1);
  #capacity = FIRST_ROWS;
  #fresh = 0;
  /** Row number + 1 of the first free row; the next one stands in its reference. */
  #free = 0;
  live = 0;

  /** Most rows that were ever live at once. */
  get most(): number {
    return this.#fresh;
  }

  /** Rows that fit. */
  get capacity(): number {
    return this.#capacity;
  }

  get bytes(): number {
    return this.doubles.byteLength + this.#sessions.byteLength + this.#references.byteLength + this.#index.byteLength;
  }

  /** Start of the order's row in `doubles`. The order must have one. */
  row(reference: number): number {
    return (((this.#index[this.#place(reference)] as number) - 1) | 0) * ROW_DOUBLES;
  }

  /** The session of an order that has a row. */
  session(row: number): number {
    return (this.#sessions[row / ROW_DOUBLES] as number) >>> 0;
  }

  /** Gives an order an empty row; what it is for is written by the caller. Throws RangeError when memory is out: see {@link hasRoom}. */
  add(reference: number, session: number): number {
    if (!this.hasRoom()) throw new RangeError('no memory for the extra terms of an order');
    let number = this.#free - 1;
    if (number >= 0) this.#free = this.#references[number] as number;
    else {
      number = this.#fresh;
      this.#fresh += 1;
    }
    this.#index[this.#place(reference)] = number + 1;
    this.#references[number] = reference;
    this.#sessions[number] = session;
    this.live += 1;
    const row = number * ROW_DOUBLES;
    this.doubles.fill(0, row, row + ROW_DOUBLES);
    return row;
  }

  /** Copies the terms of an order that has a row, its stop price excepted. */
  read(reference: number, terms: Terms): void {
    const { doubles } = this;
    const row = this.row(reference);
    terms.displayLots = doubles[row + DISPLAY] as number;
    terms.expiryMicros = doubles[row + EXPIRY] as number;
    terms.session = this.session(row);
    terms.limitTicks = doubles[row + LIMIT_PRICE] as number;
  }

  /** Takes the row of an order, which must have one. */
  remove(reference: number): void {
    const mask = this.#mask;
    const index = this.#index;
    let hole = this.#place(reference);
    const number = (index[hole] as number) - 1;
    for (let at = (hole + 1) & mask; (index[at] as number) !== 0; at = (at + 1) & mask) {
      const home = this.#home(this.#references[(index[at] as number) - 1] as number);
      if (((at - home) & mask) >= ((at - hole) & mask)) {
        index[hole] = index[at] as number;
        hole = at;
      }
    }
    index[hole] = 0;
    this.#references[number] = this.#free;
    this.#free = number + 1;
    this.live -= 1;
  }

  /** Whether one more row can be taken, after growing if need be. */
  hasRoom(): boolean {
    return this.live < this.#capacity || this.#grow();
  }

  /** Grows when little is left. */
  reserve(): void {
    if (this.#capacity - this.live < this.#capacity >> 3) this.#grow();
  }

  #home(reference: number): number {
    return Math.imul(reference >> 3, MULTIPLIER) >>> this.#shift;
  }

  /** Where the order's entry stands, or the empty place where it would. */
  #place(reference: number): number {
    const index = this.#index;
    const references = this.#references;
    const mask = this.#mask;
    let at = this.#home(reference);
    for (let entry = index[at] as number; entry !== 0 && references[entry - 1] !== reference; entry = index[at] as number)
      at = (at + 1) & mask;
    return at;
  }

  #grow(): boolean {
    const capacity = this.#capacity * 2;
    try {
      const doubles = new Float64Array(capacity * ROW_DOUBLES);
      const sessions = new Int32Array(capacity);
      const references = new Int32Array(capacity);
      const index = new Int32Array(capacity * 2);
      doubles.set(this.doubles);
      sessions.set(this.#sessions);
      references.set(this.#references);
      const old = this.#index;
      this.doubles = doubles;
      this.#sessions = sessions;
      this.#references = references;
      this.#index = index;
      this.#capacity = capacity;
      this.#mask = capacity * 2 - 1;
      this.#shift = Math.clz32(this.#mask);
      for (const entry of old) if (entry !== 0) index[this.#place(references[entry - 1] as number)] = entry;
    } catch {
      return false;
    }
    return true;
  }
}
