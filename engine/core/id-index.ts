/**
 * Order ids to references: open addressing with linear probing, a multiplicative hash (Knuth, TAOCP 3, 6.4) and deletion by shifting back
 * what follows (algorithm R there), so no tombstones and no decay. The id itself stands in the order's record. An entry of 32 bits is the
 * number of a record and, in its low byte, four more bits of the hash and how far it stands from its home (15: so far or farther). So neither
 * passing others nor shifting them back reads their records, which in a large book would each be a cache miss.
 *
 * Ids are any safe integers. The hash takes their low 32 bits; equal ones cost probes, nothing else.
 */
import { RECORD, type OrderPool } from './order-pool.ts';

const { REFERENCE_SHIFT } = RECORD;
/** 2^32 divided by the golden ratio, odd. */
const MULTIPLIER = 0x9e3779b1 | 0;
const FAR = 15;
/** The bits of the hash that an entry holds, and all that it holds beside the number. */
const TAG = 240;
const MARKS = 255;

export class IdIndex {
  readonly #pool: OrderPool;
  #entries: Int32Array;
  #mask: number;
  #shift: number;

  /** For as many orders as `pool` holds now. */
  constructor(pool: OrderPool) {
    this.#pool = pool;
    this.#entries = new Int32Array(sizeFor(pool.capacity));
    this.#mask = this.#entries.length - 1;
    this.#shift = Math.clz32(this.#mask);
  }

  /** Places; at most three quarters of them are ever used. */
  get places(): number {
    return this.#entries.length;
  }

  get bytes(): number {
    return this.#entries.byteLength;
  }

  /** The entry where a search for an id begins, whosever it is: to have it in the cache. */
  home(id: number): number {
    return this.#entries[Math.imul(id | 0, MULTIPLIER) >>> this.#shift] as number;
  }

  /** The order's reference; 0 when it is not here. */
  find(id: number): number {
    return this.at(this.place(id));
  }

  /** Where the order's entry stands, until the next change: what {@link at} and {@link removeAt} want. An empty place when it is not here. */
  place(id: number): number {
    const entries = this.#entries;
    const { doubles } = this.#pool;
    const mask = this.#mask;
    const hash = Math.imul(id | 0, MULTIPLIER);
    let at = hash >>> this.#shift;
    for (let distance = 0; ; distance += 1) {
      const entry = entries[at] as number;
      if (entry === 0 || ((entry & MARKS) === ((hash & TAG) | Math.min(distance, FAR)) && doubles[(entry >>> 8) << 2] === id)) return at;
      at = (at + 1) & mask;
    }
  }

  /** The reference of the order whose entry stands there; 0 for an empty place. */
  at(place: number): number {
    return ((this.#entries[place] as number) >>> 8) << 3;
  }

  /** Adds an order that is not here, whose record need not hold the id yet. There must be room: see {@link reserve}. */
  add(reference: number, id: number): void {
    const entries = this.#entries;
    const mask = this.#mask;
    const hash = Math.imul(id | 0, MULTIPLIER);
    let at = hash >>> this.#shift;
    let distance = 0;
    while (entries[at] !== 0) {
      at = (at + 1) & mask;
      distance += 1;
    }
    entries[at] = ((reference >> REFERENCE_SHIFT) << 8) | (hash & TAG) | Math.min(distance, FAR);
  }

  /** Takes an order out whose record still holds its id. It must be here. */
  remove(reference: number, id: number): void {
    const entries = this.#entries;
    const mask = this.#mask;
    const number = reference >> 3;
    let at = Math.imul(id | 0, MULTIPLIER) >>> this.#shift;
    while ((entries[at] as number) >>> 8 !== number) at = (at + 1) & mask;
    this.removeAt(at);
  }

  /** Takes the order out whose entry stands there. */
  removeAt(place: number): void {
    const entries = this.#entries;
    const mask = this.#mask;
    let hole = place;
    for (let at = (hole + 1) & mask; ; at = (at + 1) & mask) {
      const entry = entries[at] as number;
      if (entry === 0) break;
      const distance = (entry & FAR) < FAR ? entry & FAR : this.#distance(entry >>> 8, at);
      // The entry may move back only as far as its own home.
      const gap = (at - hole) & mask;
      if (distance >= gap) {
        entries[hole] = (entry & ~FAR) | Math.min(distance - gap, FAR);
        hole = at;
      }
    }
    entries[hole] = 0;
  }

  /** Makes room for `capacity` orders; walks every entry when it grows. false, with nothing changed, when memory is out. */
  reserve(capacity: number): boolean {
    const size = sizeFor(capacity);
    if (size <= this.#entries.length) return true;
    const old = this.#entries;
    try {
      this.#entries = new Int32Array(size);
    } catch {
      return false;
    }
    this.#mask = size - 1;
    this.#shift = Math.clz32(this.#mask);
    const { doubles } = this.#pool;
    for (const entry of old) {
      const reference = (entry >>> 8) << REFERENCE_SHIFT;
      if (entry !== 0) this.add(reference, doubles[reference >> 1] as number);
    }
    return true;
  }

  /** How far from its home the record `number` stands at `at`. */
  #distance(number: number, at: number): number {
    const id = this.#pool.doubles[number << 2] as number;
    return (at - (Math.imul(id | 0, MULTIPLIER) >>> this.#shift)) & this.#mask;
  }
}

/**
 * The power of two that `records` would fill to two thirds at most; orders fill it less, as some records are levels. Fuller, it would save 6 bytes an
 * order, and searches would end at their second or third step so often, unforeseen, that the whole core were a sixth slower.
 */
function sizeFor(records: number): number {
  return 2 ** Math.max(4, Math.ceil(Math.log2(records * 1.5)));
}
