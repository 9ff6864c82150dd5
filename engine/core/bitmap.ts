/**
 * A set of small integers that finds the next member after any number in at most five reads: three levels of 32-bit words, each bit of a
 * level saying that a word below it is not zero (the bit-parallel form of a van Emde Boas tree). Lowest bits are found by `Math.clz32`.
 */

/** Three levels of 32 bits. */
export const LARGEST_BITMAP = 32 ** 3;

export class Bitmap {
  readonly #bits: Int32Array;
  readonly #groups: Int32Array;
  #top = 0;

  /** For members from 0 to `size` - 1. */
  constructor(size: number) {
    if (size > LARGEST_BITMAP) throw new RangeError(`a bitmap of ${size} is larger than ${LARGEST_BITMAP}`);
    this.#bits = new Int32Array(Math.ceil(size / 32));
    this.#groups = new Int32Array(Math.ceil(size / 1024));
  }

  get bytes(): number {
    return this.#bits.byteLength + this.#groups.byteLength;
  }

  add(member: number): void {
    const word = member >> 5;
    const group = member >> 10;
    this.#bits[word] = (this.#bits[word] as number) | (1 << (member & 31));
    this.#groups[group] = (this.#groups[group] as number) | (1 << (word & 31));
    this.#top |= 1 << group;
  }

  remove(member: number): void {
    const word = member >> 5;
    const left = (this.#bits[word] as number) & ~(1 << (member & 31));
    this.#bits[word] = left;
    if (left !== 0) return;
    const group = member >> 10;
    const leftWords = (this.#groups[group] as number) & ~(1 << (word & 31));
    this.#groups[group] = leftWords;
    if (leftWords === 0) this.#top &= ~(1 << group);
  }

  clear(): void {
    this.#bits.fill(0);
    this.#groups.fill(0);
    this.#top = 0;
  }

  /** The smallest member greater than `member` (-1 for the first of all); -1 when there is none. */
  after(member: number): number {
    const from = member + 1;
    const word = from >> 5;
    if (word >= this.#bits.length) return -1;
    const bits = (this.#bits[word] as number) & (-1 << (from & 31));
    if (bits !== 0) return (word << 5) + lowest(bits);
    const group = word >> 5;
    const words = (this.#groups[group] as number) & beyond(word & 31);
    if (words !== 0) return this.#firstOf((group << 5) + lowest(words));
    const groups = this.#top & beyond(group);
    if (groups === 0) return -1;
    const next = lowest(groups);
    return this.#firstOf((next << 5) + lowest(this.#groups[next] as number));
  }

  #firstOf(word: number): number {
    return (word << 5) + lowest(this.#bits[word] as number);
  }
}

/** Index of the lowest bit that is set. */
function lowest(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}

/** The bits above bit `index`: shifts take their count modulo 32, so 31 needs two. */
function beyond(index: number): number {
  return (-1 << index) << 1;
}
