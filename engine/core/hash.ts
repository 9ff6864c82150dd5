const double = new Float64Array(1);
const halves = new Int32Array(double.buffer);

/**
 * A 64-bit hash of a stream of numbers: two FNV-1a lanes of 32 bits over 32-bit words, the second lane seeing each word rotated, so that
 * one multiply of 32 bits a word is enough. Not cryptographic: it finds faults, not forgers.
 */
export class StateHash {
  #low = 0x811c9dc5;
  #high = 0xcbf29ce4;

  /** Adds the 64 bits of a double, the low word first. */
  addDouble(value: number): void {
    double[0] = value;
    this.#word(halves[0] as number);
    this.#word(halves[1] as number);
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
