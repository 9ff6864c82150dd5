/**
 * Records of 32 bytes in one buffer, two to a cache line, seen through two typed arrays: open orders, and the price levels that they stand on. A
 * record is known by its reference: the index of its first 32-bit word, a multiple of eight; reference 0 is none. A record of an order holds
 *
 *     id (double) | shown lots (double) | next | previous | flags and level | holding (32-bit words)
 *
 * and one of a level (`level-pool.ts`)
 *
 *     key (double) | nothing | oldest order | newest order | 0 | number of the ladder
 *
 * The orders of a level and the level itself form a ring, from the oldest to the newest, so that neither putting an order there nor taking it out
 * asks whether it is the first or the last: a question that no processor foretells.
 *
 * Records rather than one array a field: a cancel in a book that no cache holds reads one line for an order, not six. What only few orders
 * have stands elsewhere (`extras.ts`).
 */

import { POST_ONLY, SELF_TRADE_MASK, SELF_TRADE_SHIFT } from './command.ts';

/** 32-bit words of a record; reference of record n is n times this. */
const ORDER_WORDS = 8;
/** Word offsets from a reference. NEXT of a level is its oldest order, of its newest order the level; PREVIOUS the other way round. */
const NEXT = 4;
const PREVIOUS = 5;
/** The low 24 bits are the number of the level's record, the others flags; 0 for what is no order. */
const LEVEL = 6;
/** Row in `Holdings`: the order's account and instrument. Of a level, the number of its ladder. */
const HOLDING = 7;
/** Offset from half a reference in `doubles`; the id itself, or the level's key, is at half a reference. */
const LOTS = 1;
const LEVEL_MASK = 0xff_ffff;
/** From the number of a record to its reference. */
const REFERENCE_SHIFT = 3;
const FLAGS_SHIFT = 24;
/** The order has a row in `Extras`. */
const HAS_EXTRAS = 16;

/** For modules that are hot: V8 folds what they take from here into constants of their own, while it reads and checks an imported one at each use. */
export const RECORD = { NEXT, PREVIOUS, LEVEL, HOLDING, LOTS, LEVEL_MASK, REFERENCE_SHIFT, FLAGS_SHIFT, HAS_EXTRAS, ORDER_WORDS } as const;

/** Flags: the low four bits are those of a command (post-only and the self-trade mode). */
export const COMMAND_FLAGS = POST_ONLY | (SELF_TRADE_MASK << SELF_TRADE_SHIFT);
export const IS_DAY = 32;

/** Most records whose numbers fit in the 24 bits that the id index has for them: 512 MiB. */
export const MOST_ORDERS = 2 ** 24 - 1;
/** Fewest records that growing adds. */
const STEP = 1024;

export class OrderPool {
  words: Int32Array;
  doubles: Float64Array;
  /** Records that fit. */
  capacity: number;
  /** Records in use. */
  used = 0;
  /** Orders taken and not given back, and the most that ever were so at once. */
  live = 0;
  most = 0;
  readonly #mostOrders: number;
  #free = 0;
  /** The first reference never taken. */
  #fresh = ORDER_WORDS;

  /** With `capacity` records, for at most `mostOrders` orders. */
  constructor(capacity: number, mostOrders: number) {
    this.#mostOrders = mostOrders;
    this.capacity = Math.min(capacity, MOST_ORDERS);
    const buffer = new ArrayBuffer((this.capacity + 1) * ORDER_WORDS * 4);
    this.words = new Int32Array(buffer);
    this.doubles = new Float64Array(buffer);
  }

  /** Every reference below this has been taken at least once; only those of open orders have a level. */
  get end(): number {
    return this.#fresh;
  }

  /** Records that fit after growing. */
  get nextCapacity(): number {
    return Math.min(MOST_ORDERS, this.capacity + Math.max(STEP, this.capacity >> 3));
  }

  get bytes(): number {
    return this.words.byteLength;
  }

  get isFull(): boolean {
    return this.live >= this.#mostOrders;
  }

  /** Whether an order and a level for it fit without growing. */
  get hasRoom(): boolean {
    return this.used + 2 <= this.capacity && this.live < this.#mostOrders;
  }

  /** The record of an order, with whatever it held before; 0 when there is no room for it and a level. */
  take(): number {
    if (!this.hasRoom) return 0;
    const live = this.live + 1;
    this.live = live;
    if (live > this.most) this.most = live;
    return this.takeRecord();
  }

  /** Gives an order's record back. */
  give(reference: number): void {
    this.live -= 1;
    this.giveRecord(reference);
  }

  /** A record for anything. One must be left. */
  takeRecord(): number {
    this.used += 1;
    let reference = this.#free;
    if (reference !== 0) {
      this.#free = this.words[reference + NEXT] as number;
    } else {
      reference = this.#fresh;
      this.#fresh = reference + ORDER_WORDS;
    }
    return reference;
  }

  giveRecord(reference: number): void {
    this.words[reference + NEXT] = this.#free;
    this.words[reference + LEVEL] = 0;
    this.#free = reference;
    this.used -= 1;
  }

  /**
   * Grows by an eighth, so that at most a ninth of a large pool is unused. Copies every record: about 1 ms for each 100,000. false, with
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
