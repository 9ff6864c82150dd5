/** client-go's retry limits: exponential per key, and a token bucket over all keys so that many failing keys together do not flood the API server. */
import type { Clock } from './clock.ts';

export interface RateLimiter {
  /** How long the key must wait now; counts as one failure. */
  delayMs(key: string): number;
  /** Failures counted since the key was last forgotten. */
  failures(key: string): number;
  forget(key: string): void;
}

export interface RateLimits {
  readonly baseDelayMs: number;
  readonly maxDelayMs: number;
  readonly perSecond: number;
  readonly burst: number;
}

/** client-go's `DefaultTypedControllerRateLimiter`. */
export const DEFAULT_RATE_LIMITS: RateLimits = { baseDelayMs: 5, maxDelayMs: 1_000_000, perSecond: 10, burst: 100 };

export class ControllerRateLimiter implements RateLimiter {
  readonly #clock: Clock;
  readonly #limits: RateLimits;
  readonly #failures = new Map<string, number>();
  #tokens: number;
  #refilledAtMs: number;

  constructor(clock: Clock, limits: Partial<RateLimits> = {}) {
    this.#clock = clock;
    this.#limits = { ...DEFAULT_RATE_LIMITS, ...limits };
    this.#tokens = this.#limits.burst;
    this.#refilledAtMs = clock.nowMs();
  }

  delayMs(key: string): number {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    // 2^1024 is Infinity, which min() cuts as well.
    const exponentialMs = Math.min(this.#limits.baseDelayMs * 2 ** failures, this.#limits.maxDelayMs);
    return Math.max(exponentialMs, this.#reserveMs());
  }

  failures(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  forget(key: string): void {
    this.#failures.delete(key);
  }

  /** Takes a token, going into debt when there is none, and says when it will have been earned. */
  #reserveMs(): number {
    const nowMs = this.#clock.nowMs();
    const { perSecond, burst } = this.#limits;
    this.#tokens = Math.min(burst, this.#tokens + ((nowMs - this.#refilledAtMs) / 1000) * perSecond);
    this.#refilledAtMs = nowMs;
    this.#tokens -= 1;
    return this.#tokens >= 0 ? 0 : (-this.#tokens / perSecond) * 1000;
  }
}
