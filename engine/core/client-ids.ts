/**
 * The client order ids of the last orders that had one: a ring of (account, 64 bits, order id) in order of acceptance, found through open
 * addressing with deletion by shifting back (Knuth, TAOCP 3, 6.4, algorithm R). When the ring is full, the oldest goes. Growing copies all
 * of it: about 10 ms for the last step to 2^20.
 */
const FIRST_ENTRIES = 64;
/** As many as a repetition may be late; docs/matching.md. */
export const MOST_CLIENT_IDS = 2 ** 20;

export class ClientIds {
  readonly #most: number;
  #accounts: Int32Array;
  #lows: Int32Array;
  #highs: Int32Array;
  #orders: Float64Array;
  /** Position in the ring + 1 by place; 0 is empty. */
  #index: Int32Array;
  #mask: number;
  #shift: number;
  #capacity: number;
  /** Position of the oldest. */
  #first = 0;
  size = 0;

  /** Remembers at most `most`: a power of two, or RangeError is thrown. */
  constructor(most = MOST_CLIENT_IDS) {
    if (!(most >= 1 && most <= MOST_CLIENT_IDS && Number.isInteger(Math.log2(most))))
      throw new RangeError(`client ids to remember must be a power of two up to ${MOST_CLIENT_IDS}, not ${most}`);
    this.#most = most;
    this.#capacity = Math.min(FIRST_ENTRIES, most);
    this.#accounts = new Int32Array(this.#capacity);
    this.#lows = new Int32Array(this.#capacity);
    this.#highs = new Int32Array(this.#capacity);
    this.#orders = new Float64Array(this.#capacity);
    this.#index = new Int32Array(this.#capacity * 2);
    this.#mask = this.#capacity * 2 - 1;
    this.#shift = Math.clz32(this.#mask);
  }

  /** Ids that fit. */
  get capacity(): number {
    return this.#capacity;
  }

  get bytes(): number {
    return this.#capacity * 20 + this.#index.byteLength;
  }

  /** The order that had this id; 0 when none is remembered. */
  find(account: number, low: number, high: number): number {
    const place = this.#place(account, low, high);
    const entry = this.#index[place] as number;
    return entry === 0 ? 0 : (this.#orders[entry - 1] as number);
  }

  /** Remembers an id that {@link find} does not know. Forgets the oldest when there is no room for more. */
  add(account: number, low: number, high: number, orderId: number): void {
    if (this.size === this.#capacity && (this.#capacity >= this.#most || !this.#grow())) this.#forget();
    const position = (this.#first + this.size) & (this.#capacity - 1);
    this.#accounts[position] = account;
    this.#lows[position] = low;
    this.#highs[position] = high;
    this.#orders[position] = orderId;
    this.#index[this.#place(account, low, high)] = position + 1;
    this.size += 1;
  }

  /** Grows when little is left and more may be remembered. */
  reserve(): void {
    if (this.#capacity < this.#most && this.#capacity - this.size < this.#capacity >> 3) this.#grow();
  }

  /** Every entry, oldest first. */
  each(visit: (account: number, low: number, high: number, orderId: number) => void): void {
    for (let number = 0; number < this.size; number += 1) {
      const at = (this.#first + number) & (this.#capacity - 1);
      visit(this.#accounts[at] as number, this.#lows[at] as number, this.#highs[at] as number, this.#orders[at] as number);
    }
  }

  #home(account: number, low: number, high: number): number {
    const mixed = Math.imul(low ^ Math.imul(high, 0x85ebca6b) ^ Math.imul(account, 0xc2b2ae35), 0x9e3779b1);
    return Math.imul(mixed ^ (mixed >>> 15), 0x85ebca6b) >>> this.#shift;
  }

  /** Where the id's entry stands, or the empty place where it would. */
  #place(account: number, low: number, high: number): number {
    const index = this.#index;
    let at = this.#home(account, low, high);
    for (let entry = index[at] as number; entry !== 0; entry = index[at] as number) {
      const position = entry - 1;
      if (this.#lows[position] === low && this.#highs[position] === high && this.#accounts[position] === account) break;
      at = (at + 1) & this.#mask;
    }
    return at;
  }

  #forget(): void {
    const index = this.#index;
    const mask = this.#mask;
    const oldest = this.#first;
    this.#first = (oldest + 1) & (this.#capacity - 1);
    this.size -= 1;
    let hole = this.#place(this.#accounts[oldest] as number, this.#lows[oldest] as number, this.#highs[oldest] as number);
    // A journal written with a shorter memory may hold the same id again: then the entry is the later one's.
    if (index[hole] !== oldest + 1) return;
    for (let at = (hole + 1) & mask; (index[at] as number) !== 0; at = (at + 1) & mask) {
      const position = (index[at] as number) - 1;
      const home = this.#home(this.#accounts[position] as number, this.#lows[position] as number, this.#highs[position] as number);
      if (((at - home) & mask) >= ((at - hole) & mask)) {
        index[hole] = index[at] as number;
        hole = at;
      }
    }
    index[hole] = 0;
  }

  #grow(): boolean {
    const capacity = this.#capacity * 2;
    try {
      const accounts = new Int32Array(capacity);
      const lows = new Int32Array(capacity);
      const highs = new Int32Array(capacity);
      const orders = new Float64Array(capacity);
      const index = new Int32Array(capacity * 2);
      let to = 0;
      this.each((account, low, high, orderId) => {
        accounts[to] = account;
        lows[to] = low;
        highs[to] = high;
        orders[to] = orderId;
        to += 1;
      });
      this.#accounts = accounts;
      this.#lows = lows;
      this.#highs = highs;
      this.#orders = orders;
      this.#index = index;
    } catch {
      return false;
    }
    this.#capacity = capacity;
    this.#first = 0;
    this.#mask = capacity * 2 - 1;
    this.#shift = Math.clz32(this.#mask);
    for (let position = 0; position < this.size; position += 1) {
      const place = this.#place(this.#accounts[position] as number, this.#lows[position] as number, this.#highs[position] as number);
      this.#index[place] = position + 1;
    }
    return true;
  }
}
