/**
 * Orders by expiry: a binary heap (Knuth, TAOCP 3, 5.2.3) of (expiry, id) in typed arrays. An order that ends before its time stays in the heap
 * until it comes up; when more than half of the heap are such, they may be swept out.
 */
const FIRST_ENTRIES = 16;

export class ExpiryHeap {
  #expiries = new Float64Array(FIRST_ENTRIES);
  #ids = new Float64Array(FIRST_ENTRIES);
  size = 0;

  /** Entries that fit. */
  get capacity(): number {
    return this.#ids.length;
  }

  get bytes(): number {
    return this.#expiries.byteLength + this.#ids.byteLength;
  }

  /** Earliest expiry, perhaps of an order that has ended; Infinity without any. */
  get firstMicros(): number {
    return this.size === 0 ? Infinity : (this.#expiries[0] as number);
  }

  /** Id of the earliest; of those of one expiry, the lowest. */
  get firstId(): number {
    return this.#ids[0] as number;
  }

  get isFull(): boolean {
    return this.size === this.#ids.length;
  }

  /** Throws RangeError when it is full and memory is out: who grows it before comes not there. */
  push(expiryMicros: number, id: number): void {
    if (this.isFull && !this.grow()) throw new RangeError('no memory for an expiry');
    let at = this.size;
    this.size += 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#before(expiryMicros, id, parent)) break;
      this.#move(parent, at);
      at = parent;
    }
    this.#expiries[at] = expiryMicros;
    this.#ids[at] = id;
  }

  /** Takes the first out. */
  pop(): void {
    this.size -= 1;
    if (this.size > 0) this.#sink(0, this.#expiries[this.size] as number, this.#ids[this.size] as number);
  }

  /** Sweeps out what `isLive` denies, when that is more than half: `live` is how many it does not deny. */
  sweep(live: number, isLive: (id: number) => boolean): void {
    if (this.size <= 2 * live) return;
    let kept = 0;
    for (let at = 0; at < this.size; at += 1) {
      if (!isLive(this.#ids[at] as number)) continue;
      this.#move(at, kept);
      kept += 1;
    }
    this.size = kept;
    for (let at = (kept >> 1) - 1; at >= 0; at -= 1) this.#sink(at, this.#expiries[at] as number, this.#ids[at] as number);
  }

  /** false, with nothing changed, when memory is out. */
  grow(): boolean {
    try {
      const expiries = new Float64Array(this.#ids.length * 2);
      const ids = new Float64Array(this.#ids.length * 2);
      expiries.set(this.#expiries);
      ids.set(this.#ids);
      this.#expiries = expiries;
      this.#ids = ids;
    } catch {
      return false;
    }
    return true;
  }

  #sink(from: number, expiryMicros: number, id: number): void {
    let at = from;
    for (let child = 2 * at + 1; child < this.size; child = 2 * at + 1) {
      if (child + 1 < this.size && this.#before(this.#expiries[child + 1] as number, this.#ids[child + 1] as number, child)) child += 1;
      if (this.#before(expiryMicros, id, child)) break;
      this.#move(child, at);
      at = child;
    }
    this.#expiries[at] = expiryMicros;
    this.#ids[at] = id;
  }

  #before(expiryMicros: number, id: number, other: number): boolean {
    const theirs = this.#expiries[other] as number;
    return expiryMicros < theirs || (expiryMicros === theirs && id < (this.#ids[other] as number));
  }

  #move(from: number, to: number): void {
    this.#expiries[to] = this.#expiries[from] as number;
    this.#ids[to] = this.#ids[from] as number;
  }
}
