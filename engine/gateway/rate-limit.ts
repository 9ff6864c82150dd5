/** A token bucket for each account: `ordersPerSecond` sustained, `burst` at once. The number of buckets is bounded. */

interface Bucket {
  tokens: number;
  atMs: number;
}

export const MAX_BUCKETS = 100_000;
/** Tokens that sums of small times may be short by: who has waited as long as was said must be taken. */
const ROUNDING = 1e-6;

export class RateLimiter {
  #perMs = 0;
  #burst = 0;
  readonly #maxBuckets: number;
  readonly #buckets = new Map<string, Bucket>();

  constructor(limits: { ordersPerSecond: number; burst: number }, maxBuckets = MAX_BUCKETS) {
    this.#maxBuckets = maxBuckets;
    this.configure(limits);
  }

  /** Other limits from now on. What accounts have left is theirs, up to the new burst. */
  configure(limits: { ordersPerSecond: number; burst: number }): void {
    this.#perMs = limits.ordersPerSecond / 1000;
    this.#burst = limits.burst;
  }

  /** Orders that `account` could send at once: a fraction of one is on its way. */
  available(account: string, nowMs: number): number {
    const bucket = this.#buckets.get(account);
    return bucket === undefined ? this.#burst : this.#level(bucket, nowMs);
  }

  get buckets(): number {
    return this.#buckets.size;
  }

  /** Takes a token: 0 when there was one, else the milliseconds until there is. */
  take(account: string, nowMs: number): number {
    let bucket = this.#buckets.get(account);
    if (bucket === undefined) {
      if (this.#buckets.size >= this.#maxBuckets) this.#evict(nowMs);
      bucket = { tokens: this.#burst, atMs: nowMs };
      this.#buckets.set(account, bucket);
    } else {
      bucket.tokens = this.#level(bucket, nowMs);
      bucket.atMs = nowMs;
    }
    if (bucket.tokens >= 1 - ROUNDING) {
      bucket.tokens = Math.max(0, bucket.tokens - 1);
      return 0;
    }
    return (1 - bucket.tokens) / this.#perMs;
  }

  /** Gives back a token that was taken for nothing. */
  giveBack(account: string): void {
    const bucket = this.#buckets.get(account);
    if (bucket !== undefined) bucket.tokens = Math.min(this.#burst, bucket.tokens + 1);
  }

  /** Whole tokens that `account` had after its last {@link take}. */
  left(account: string): number {
    return Math.floor(this.#buckets.get(account)?.tokens ?? this.#burst);
  }

  #level(bucket: Bucket, nowMs: number): number {
    return Math.min(this.#burst, bucket.tokens + (nowMs - bucket.atMs) * this.#perMs);
  }

  /** A full bucket says nothing that a new one does not; when none is full, the oldest has to go. */
  #evict(nowMs: number): void {
    for (const [account, bucket] of this.#buckets) if (this.#level(bucket, nowMs) >= this.#burst) this.#buckets.delete(account);
    const [oldest] = this.#buckets.keys();
    if (this.#buckets.size >= this.#maxBuckets && oldest !== undefined) this.#buckets.delete(oldest);
  }
}
