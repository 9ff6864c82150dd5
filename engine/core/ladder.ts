/**
 * The price levels of one side of one book, best first. A window of consecutive ticks maps an offset to a level by one read, with a
 * {@link Bitmap} of those that hold orders; levels outside the window, cheaper or dearer, stand in a sorted array (`far`).
 *
 * Costs: a level inside the window is found, opened and closed in constant time. A far one is found by halving; opening and closing it
 * moves the entries behind it, four bytes each (10,000 far levels: about 1 µs). Far visits are counted, and when there were more than a
 * quarter of all levels, the window moves to the best price, or widens if it is there already (1,024 to 32,768 ticks): a walk over all
 * levels and cells, paid for by the visits before it. So a market that wanders takes its window along, one stray order far away does not
 * drag it off, and no sequence of orders can make moves cost more than a constant share of all work.
 */
import { Bitmap, LARGEST_BITMAP } from './bitmap.ts';
import type { LevelPool } from './level-pool.ts';
import type { Side } from './types.ts';

const FIRST_WINDOW = 1024;
const FIRST_FAR = 64;
const WIDENING = 4;
/** Far visits that are always free. */
const PATIENCE = 32;

export class PriceLadder {
  /** The level of the smallest key; 0 when there is none. */
  best = 0;
  /** Its key; Infinity when there is none. */
  bestKey = Infinity;
  /** Levels that hold orders. */
  size = 0;
  /** Orders on all of them; counted by who puts them there. */
  orders = 0;
  readonly side: Side;
  readonly #levels: LevelPool;
  readonly #number: number;
  /** Key of the first cell. */
  #base = 0;
  /** Nothing before the first level: most ladders of stops never have one. */
  #cells = new Int32Array(0);
  #occupied = new Bitmap(0);
  /** Levels outside the window, keys rising. Never shorter than `size`, so that moving the window needs no memory. */
  #far = new Int32Array(0);
  #farSize = 0;
  /** Lengths of `cells` and `far`: reading the length of a typed array costs several times a field. */
  #width = 0;
  #room = 0;
  #farVisits = 0;

  /** The number is even for a ladder of buys, odd for one of sells. */
  constructor(levels: LevelPool, number: number) {
    this.#levels = levels;
    this.#number = number;
    this.side = (number & 1) as Side;
  }

  get bytes(): number {
    return this.#cells.byteLength + this.#occupied.bytes + this.#far.byteLength;
  }

  /** Width of the window in ticks. */
  get window(): number {
    return this.#width;
  }

  /** Levels outside the window. */
  get farSize(): number {
    return this.#farSize;
  }

  /** Whether one more level can be opened without more memory. */
  get hasRoom(): boolean {
    return this.size < this.#room;
  }

  /** Makes sure that one more level can be opened. false, with nothing changed, when memory is out. */
  reserve(): boolean {
    if (this.hasRoom) return true;
    try {
      const far = new Int32Array(Math.max(FIRST_FAR, this.#far.length * 2));
      if (this.#width === 0 && !this.#widen(FIRST_WINDOW)) return false;
      far.set(this.#far);
      this.#far = far;
      this.#room = far.length;
    } catch {
      return false;
    }
    return true;
  }

  /** The level of a key, opened when there was none. */
  at(key: number): number {
    const offset = key - this.#base;
    if (offset >= 0 && offset < this.#width) {
      const level = this.#cells[offset] as number;
      return level !== 0 ? level : this.#openNear(key, offset);
    }
    return this.#atFar(key);
  }

  /** The level of a key; 0 when there is none. */
  find(key: number): number {
    const offset = key - this.#base;
    if (offset >= 0 && offset < this.#width) return this.#cells[offset] as number;
    const position = this.#position(key);
    const level = position < this.#farSize ? (this.#far[position] as number) : 0;
    return level !== 0 && this.#levels.key(level) === key ? level : 0;
  }

  /** Takes an empty level out. */
  close(level: number): void {
    const levels = this.#levels;
    const key = levels.key(level);
    const offset = key - this.#base;
    if (offset >= 0 && offset < this.#width) {
      this.#cells[offset] = 0;
      this.#occupied.remove(offset);
    } else {
      const position = this.#position(key);
      this.#far.copyWithin(position, position + 1, this.#farSize);
      this.#farSize -= 1;
      this.#farVisits += 1;
    }
    this.size -= 1;
    if (this.best === level) {
      this.best = this.size === 0 ? 0 : this.after(level);
      this.bestKey = this.best === 0 ? Infinity : levels.key(this.best);
    }
    levels.give(level);
  }

  /** The level of the next larger key; 0 when there is none. */
  after(level: number): number {
    const key = this.#levels.key(level);
    const offset = key - this.#base;
    const width = this.#width;
    const cell = offset < width ? this.#occupied.after(offset < 0 ? -1 : offset) : -1;
    const near = cell < 0 ? 0 : (this.#cells[cell] as number);
    // From inside the window, whatever is near comes before whatever is far.
    if (this.#farSize === 0 || (near !== 0 && offset >= 0)) return near;
    let position = this.#position(key);
    if (position < this.#farSize && this.#far[position] === level) position += 1;
    if (position === this.#farSize) return near;
    const far = this.#far[position] as number;
    return near !== 0 && this.#levels.key(near) < this.#levels.key(far) ? near : far;
  }

  #openNear(key: number, offset: number): number {
    const level = this.#take(key);
    this.#cells[offset] = level;
    this.#occupied.add(offset);
    this.#opened(level, key);
    return level;
  }

  #mustReserve(): void {
    if (!this.reserve()) throw new RangeError('no memory for a price level');
  }

  #take(key: number): number {
    this.#mustReserve();
    return this.#levels.take(key, this.#number);
  }

  #opened(level: number, key: number): void {
    this.size += 1;
    if (key < this.bestKey) {
      this.best = level;
      this.bestKey = key;
    }
  }

  #atFar(key: number): number {
    this.#farVisits += 1;
    if (this.#width === 0) this.#mustReserve();
    if (this.size === 0) this.#base = this.#baseFor(key);
    else if (this.#farVisits > PATIENCE + (this.size >> 2)) this.#adapt(key);
    const offset = key - this.#base;
    if (offset >= 0 && offset < this.#width) {
      const near = this.#cells[offset] as number;
      return near !== 0 ? near : this.#openNear(key, offset);
    }
    const position = this.#position(key);
    if (position < this.#farSize) {
      const found = this.#far[position] as number;
      if (this.#levels.key(found) === key) return found;
    }
    const level = this.#take(key);
    this.#far.copyWithin(position + 1, position, this.#farSize);
    this.#far[position] = level;
    this.#farSize += 1;
    this.#opened(level, key);
    return level;
  }

  /** Index in `far` of the first level whose key is not smaller than `key`. */
  #position(key: number): number {
    const levels = this.#levels;
    let from = 0;
    let to = this.#farSize;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (levels.key(this.#far[middle] as number) < key) from = middle + 1;
      else to = middle;
    }
    return from;
  }

  /** Where a window begins whose best key is `key`: a quarter of it is left for better ones. */
  #baseFor(key: number): number {
    return key - (this.#width >> 2);
  }

  /** Moves the window to the best key, `key` included; widens it when it is there. Does nothing when it is as wide as can be. */
  #adapt(key: number): void {
    this.#farVisits = 0;
    const best = Math.min(key, this.bestKey);
    let width = this.#width;
    if (Math.abs(this.#baseFor(best) - this.#base) < width >> 3) {
      if (width === LARGEST_BITMAP) return;
      width = Math.min(LARGEST_BITMAP, width * WIDENING);
    }
    this.#gather();
    if (!this.#widen(width)) this.#cells.fill(0);
    this.#occupied.clear();
    this.#base = this.#baseFor(best);
    this.#scatter();
  }

  /** New, empty cells; false when the width is right already or memory is out. */
  #widen(width: number): boolean {
    if (width === this.#width) return false;
    try {
      const cells = new Int32Array(width);
      this.#occupied = new Bitmap(width);
      this.#cells = cells;
      this.#width = width;
      return true;
    } catch {
      return false;
    }
  }

  /** Puts every level into `far`, keys rising. */
  #gather(): void {
    const near = this.size - this.#farSize;
    const position = this.#position(this.#base);
    this.#far.copyWithin(position + near, position, this.#farSize);
    let to = position;
    for (let cell = this.#occupied.after(-1); cell >= 0; cell = this.#occupied.after(cell)) {
      this.#far[to] = this.#cells[cell] as number;
      to += 1;
    }
    this.#farSize = this.size;
  }

  /** Puts the levels of the window into its cells, the others stay in `far`. */
  #scatter(): void {
    const levels = this.#levels;
    let kept = 0;
    for (let index = 0; index < this.#farSize; index += 1) {
      const level = this.#far[index] as number;
      const offset = levels.key(level) - this.#base;
      if (offset >= 0 && offset < this.#width) {
        this.#cells[offset] = level;
        this.#occupied.add(offset);
      } else {
        this.#far[kept] = level;
        kept += 1;
      }
    }
    this.#farSize = kept;
  }
}
