/**
 * A 64-bit hash of a stream of integers: two FNV-1a lanes of 32 bits over 32-bit words, the second lane seeing each word rotated, so that
 * one multiply of 32 bits a word is enough. Not cryptographic: it finds faults, not forgers.
 */
export class StateHash {
  #low = 0x811c9dc5;
  #high = 0xcbf29ce4;

  /** Adds one safe integer. */
  add(value: number): void {
    this.#word(value | 0);
    this.#word(Math.floor(value / 0x1_0000_0000) | 0);
  }

  #word(word: number): void {
    this.#low = Math.imul(this.#low ^ word, 0x01000193);
    this.#high = Math.imul(this.#high ^ ((word << 15) | (word >>> 17)) ^ (this.#low >>> 13), 0x01000193);
  }

  /** Sixteen lower-case hex digits. */
  hex(): string {
    return (this.#high >>> 0).toString(16).padStart(8, '0') + (this.#low >>> 0).toString(16).padStart(8, '0');
  }
}
