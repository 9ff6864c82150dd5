/**
 * Price levels of all books: 20 bytes each in typed arrays, known by an index; level 0 is none. The orders of a level form a list
 * from the oldest to the newest.
 *
 * A level has a key, not a price: the price for asks, the negated price for bids, so that on both sides a smaller key is a better price.
 */
export const MOST_LEVELS = 2 ** 24 - 1;

export class LevelPool {
  /** Signed price in ticks. */
  keys: Float64Array;
  /** Reference of the oldest order; in a free level, the next free level. */
  heads: Int32Array;
  /** Reference of the newest order. */
  tails: Int32Array;
  /** Number of the ladder that the level belongs to. */
  ladders: Int32Array;
  capacity: number;
  live = 0;
  #free = 0;
  #fresh = 1;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.keys = new Float64Array(capacity + 1);
    this.heads = new Int32Array(capacity + 1);
    this.tails = new Int32Array(capacity + 1);
    this.ladders = new Int32Array(capacity + 1);
  }

  get bytes(): number {
    return this.keys.byteLength + this.heads.byteLength + this.tails.byteLength + this.ladders.byteLength;
  }

  /** An empty level. Grows when none is left; throws RangeError when that is not possible: a fault, who checks before comes not here. */
  take(key: number, ladder: number): number {
    let level = this.#free;
    if (level !== 0) {
      this.#free = this.heads[level] as number;
    } else {
      if (this.live === this.capacity && !this.grow()) throw new RangeError('no price level is left');
      level = this.#fresh;
      this.#fresh = level + 1;
    }
    this.live += 1;
    this.keys[level] = key;
    // Its tail is 0, as its last order left it; its head is set by its first.
    this.ladders[level] = ladder;
    return level;
  }

  give(level: number): void {
    this.heads[level] = this.#free;
    this.#free = level;
    this.live -= 1;
  }

  /** Grows by half and copies every level. false, with nothing changed, when memory is out. */
  grow(): boolean {
    const capacity = Math.min(MOST_LEVELS, this.capacity + Math.max(256, this.capacity >> 1));
    if (capacity === this.capacity) return false;
    try {
      const keys = new Float64Array(capacity + 1);
      const heads = new Int32Array(capacity + 1);
      const tails = new Int32Array(capacity + 1);
      const ladders = new Int32Array(capacity + 1);
      keys.set(this.keys);
      heads.set(this.heads);
      tails.set(this.tails);
      ladders.set(this.ladders);
      this.keys = keys;
      this.heads = heads;
      this.tails = tails;
      this.ladders = ladders;
    } catch {
      return false;
    }
    this.capacity = capacity;
    return true;
  }
}
