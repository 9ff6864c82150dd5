/**
 * Price levels of all books as records of 24 bytes in one buffer, seen through two typed arrays; a level is known by its number, level 0 is
 * none. The orders of a level form a list from the oldest to the newest. A record holds
 *
 *     key (double) | oldest order | newest order | number of the ladder (32-bit words) | nothing
 *
 * A level has a key, not a price: the price for asks, the negated price for bids, so that on both sides a smaller key is a better price.
 */
export const MOST_LEVELS = 2 ** 24 - 1;

/** Doubles of a record; the key of level n is at n times this. */
export const LEVEL_DOUBLES = 3;
/** 32-bit words of a record. */
export const LEVEL_WORDS = 6;
/** Word offsets from a record's first word. HEAD of a free level is the next free one. */
export const HEAD = 2;
export const TAIL = 3;
export const LADDER = 4;

export class LevelPool {
  words: Int32Array;
  doubles: Float64Array;
  capacity: number;
  live = 0;
  #free = 0;
  #fresh = 1;

  constructor(capacity: number) {
    this.capacity = capacity;
    const buffer = new ArrayBuffer((capacity + 1) * LEVEL_DOUBLES * 8);
    this.words = new Int32Array(buffer);
    this.doubles = new Float64Array(buffer);
  }

  /** Most levels that were ever live at once. */
  get most(): number {
    return this.#fresh - 1;
  }

  get bytes(): number {
    return this.words.byteLength;
  }

  /** Signed price in ticks. */
  key(level: number): number {
    return this.doubles[level * LEVEL_DOUBLES] as number;
  }

  /** Reference of the oldest order. */
  head(level: number): number {
    return this.words[level * LEVEL_WORDS + HEAD] as number;
  }

  /** Number of the ladder that the level belongs to. */
  ladder(level: number): number {
    return this.words[level * LEVEL_WORDS + LADDER] as number;
  }

  /** An empty level. Grows when none is left; throws RangeError when that is not possible: a fault, who checks before comes not here. */
  take(key: number, ladder: number): number {
    let level = this.#free;
    if (level !== 0) {
      this.#free = this.words[level * LEVEL_WORDS + HEAD] as number;
    } else {
      if (this.live === this.capacity && !this.grow()) throw new RangeError('no price level is left');
      level = this.#fresh;
      this.#fresh = level + 1;
    }
    this.live += 1;
    this.doubles[level * LEVEL_DOUBLES] = key;
    // Its tail is 0, as its last order left it; its head is set by its first.
    this.words[level * LEVEL_WORDS + LADDER] = ladder;
    return level;
  }

  give(level: number): void {
    this.words[level * LEVEL_WORDS + HEAD] = this.#free;
    this.#free = level;
    this.live -= 1;
  }

  /** Grows by half and copies every level. false, with nothing changed, when memory is out. */
  grow(): boolean {
    const capacity = Math.min(MOST_LEVELS, this.capacity + Math.max(256, this.capacity >> 1));
    if (capacity === this.capacity) return false;
    let buffer: ArrayBuffer;
    try {
      buffer = new ArrayBuffer((capacity + 1) * LEVEL_DOUBLES * 8);
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
