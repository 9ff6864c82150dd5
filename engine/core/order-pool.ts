/**
 * Open orders as records of 32 bytes in one buffer, two to a cache line, seen through two typed arrays. An order is known by its
 * reference: the index of its first 32-bit word, a multiple of eight; reference 0 is no order. A record holds
 *
 *     id (double) | shown lots (double) | next | previous | flags and level | holding (32-bit words)
 *
 * Records rather than one array a field: a cancel in a book that no cache holds reads one line for an order, not six. What only few orders
 * have stands elsewhere (`extras.ts`).
 */

import { POST_ONLY, SELF_TRADE_MASK, SELF_TRADE_SHIFT } from './command.ts';

/** 32-bit words of a record; reference of record n is n times this. */
export const ORDER_WORDS = 8;
/** Word offsets from a reference. */
export const NEXT = 4;
export const PREVIOUS = 5;
/** The low 24 bits are the level, the others flags. */
export const LEVEL = 6;
/** Row in `Holdings`: the order's account and instrument. */
export const HOLDING = 7;
/** Offset from half a reference in `doubles`; the id itself is at half a reference. */
export const LOTS = 1;

export const LEVEL_MASK = 0xff_ffff;
export const FLAGS_SHIFT = 24;
/** Flags: the low four bits are those of a command (post-only and the self-trade mode). */
export const COMMAND_FLAGS = POST_ONLY | (SELF_TRADE_MASK << SELF_TRADE_SHIFT);
/** The order has a row in `Extras`. */
export const HAS_EXTRAS = 16;
export const IS_DAY = 32;

/** Most orders whose numbers fit in the 24 bits that the id index has for them: 512 MiB of records. */
export const MOST_ORDERS = 2 ** 24 - 1;
/** Fewest records that growing adds. */
const STEP = 1024;

export class OrderPool {
  words: Int32Array;
  doubles: Float64Array;
  /** Orders that fit. */
  capacity: number;
  /** Orders taken and not given back. */
  live = 0;
  readonly #limit: number;
  #free = 0;
  /** The first reference never taken. */
  #fresh = ORDER_WORDS;

  constructor(capacity: number, limit: number) {
    this.#limit = Math.min(limit, MOST_ORDERS);
    this.capacity = Math.min(capacity, this.#limit);
    const buffer = new ArrayBuffer((this.capacity + 1) * ORDER_WORDS * 4);
    this.words = new Int32Array(buffer);
    this.doubles = new Float64Array(buffer);
  }

  /** Most orders that were ever live at once. */
  get most(): number {
    return this.#fresh / ORDER_WORDS - 1;
  }

  /** Every reference below this has been taken at least once; free ones have 0 for their level. */
  get end(): number {
    return this.#fresh;
  }

  /** Orders that fit after growing. */
  get nextCapacity(): number {
    return Math.min(this.#limit, this.capacity + Math.max(STEP, this.capacity >> 2));
  }

  get bytes(): number {
    return this.words.byteLength;
  }

  /** A record with whatever it held before; 0 when none is left. */
  take(): number {
    let reference = this.#free;
    if (reference !== 0) {
      this.#free = this.words[reference + NEXT] as number;
    } else {
      if (this.live === this.capacity) return 0;
      reference = this.#fresh;
      this.#fresh = reference + ORDER_WORDS;
    }
    this.live += 1;
    return reference;
  }

  give(reference: number): void {
    this.words[reference + NEXT] = this.#free;
    // Who walks all records knows the free ones by it.
    this.words[reference + LEVEL] = 0;
    this.#free = reference;
    this.live -= 1;
  }

  /**
   * Grows by a quarter, so that at most a fifth of a large pool is unused. Copies every record: about 1 ms for each 100,000. false, with
   * nothing changed, when the pool may not grow or memory is out.
   */
  grow(): boolean {
    const capacity = this.nextCapacity;
    if (capacity === this.capacity) return false;
    let buffer: ArrayBuffer;
    try {
      buffer = new ArrayBuffer((capacity + 1) * ORDER_WORDS * 4);
    } catch {
      return false;
    }
    const words = new Int32Array(buffer);
    words.set(this.words);
    this.words = words;
    this.doubles = new Float64Array(buffer);
    this.capacity = capacity;
    return true;
  }
}
