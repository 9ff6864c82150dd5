/**
 * Order ids to references: open addressing with linear probing, a multiplicative hash (Knuth, TAOCP 3, 6.4) and deletion by shifting back
 * what follows (algorithm R there), so no tombstones and no decay. An entry is a reference of four bytes; the id to compare stands in
 * the order's record, which a hit needs anyway. Ids are any safe integers; the hash takes their low 32 bits, which sequences never share
 * within one book's life span of four billion commands, and equal hashes only cost probes.
 */
import type { OrderPool } from './order-pool.ts';

/** 2^32 divided by the golden ratio, odd. */
const MULTIPLIER = 0x9e3779b1 | 0;

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

  get bytes(): number {
    return this.#entries.byteLength;
  }

  /** The order's reference; 0 when it is not here. */
  find(id: number): number {
    const entries = this.#entries;
    const { doubles } = this.#pool;
    const mask = this.#mask;
    for (let at = Math.imul(id | 0, MULTIPLIER) >>> this.#shift; ; at = (at + 1) & mask) {
      const reference = entries[at] as number;
      if (reference === 0 || doubles[reference >> 1] === id) return reference;
    }
  }

  /** Adds an order, whose record need not hold the id yet. false, with nothing changed, when the id is here already. */
  add(reference: number, id: number): boolean {
    const entries = this.#entries;
    const { doubles } = this.#pool;
    const mask = this.#mask;
    let at = Math.imul(id | 0, MULTIPLIER) >>> this.#shift;
    for (let other = entries[at] as number; other !== 0; other = entries[at] as number) {
      if (doubles[other >> 1] === id) return false;
      at = (at + 1) & mask;
    }
    entries[at] = reference;
    return true;
  }

  /** Takes an order out whose record still holds its id. It must be here. */
  remove(reference: number, id: number): void {
    const entries = this.#entries;
    const { doubles } = this.#pool;
    const mask = this.#mask;
    const shift = this.#shift;
    let hole = Math.imul(id | 0, MULTIPLIER) >>> shift;
    while (entries[hole] !== reference) hole = (hole + 1) & mask;
    for (let at = (hole + 1) & mask; ; at = (at + 1) & mask) {
      const follower = entries[at] as number;
      if (follower === 0) break;
      const home = Math.imul((doubles[follower >> 1] as number) | 0, MULTIPLIER) >>> shift;
      // The follower may move back only as far as its own home.
      if (((at - home) & mask) >= ((at - hole) & mask)) {
        entries[hole] = follower;
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
    for (const reference of old) if (reference !== 0) this.add(reference, doubles[reference >> 1] as number);
    return true;
  }
}

/** The power of two that `orders` fill to three quarters at most. */
function sizeFor(orders: number): number {
  return 2 ** Math.max(4, Math.ceil(Math.log2((orders * 4) / 3)));
}
