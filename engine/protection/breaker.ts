/**
 * A circuit breaker that costs a comparison while it is closed. It counts what became of calls over ten seconds; when too large a part failed or was slow it
 * opens, and everything is refused at once. After a while it lets a few through: when those come back well it closes, else it opens for twice as long. It
 * holds no promises and no timers, so that the order path can use it.
 */
import type { Protection } from '../../crds/protection.ts';

export const CLOSED = 0;
export const OPEN = 1;
export const HALF_OPEN = 2;
export type BreakerState = typeof CLOSED | typeof OPEN | typeof HALF_OPEN;

export type BreakerSettings = Pick<Protection, 'breakerPercent' | 'breakerCalls' | 'breakerOpenMs'>;

export interface BreakerFigures {
  readonly name: string;
  readonly state: BreakerState;
  readonly opens: number;
  readonly refused: number;
}

const BUCKETS = 10;
const BUCKET_MS = 1000;
/** What may be on its way at once to try, and how many must come back well. */
const PROBES = 8;
const GOOD_PROBES = 3;
const LONGEST_OPEN_MS = 10_000;

export class Breaker {
  readonly name: string;
  /** Closed is 0: the one thing that the hot path looks at. */
  state: BreakerState = CLOSED;
  /** How often it has opened, and what it has refused. */
  opens = 0;
  refused = 0;
  readonly #onChange: (state: BreakerState, why: string) => void;
  #settings: BreakerSettings;
  readonly #good = new Float64Array(BUCKETS);
  readonly #bad = new Float64Array(BUCKETS);
  #bucket = 0;
  #openMs: number;
  #untilMs = 0;
  #probes = 0;
  #missing = 0;

  constructor(name: string, settings: BreakerSettings, onChange: (state: BreakerState, why: string) => void) {
    this.name = name;
    this.#settings = settings;
    this.#openMs = settings.breakerOpenMs;
    this.#onChange = onChange;
  }

  get figures(): BreakerFigures {
    const { name, state, opens, refused } = this;
    return { name, state, opens, refused };
  }

  configure(settings: BreakerSettings): void {
    this.#settings = settings;
    this.#openMs = settings.breakerOpenMs;
  }

  /** 0 when a call may be made now, which it then is; else the milliseconds after which it makes sense to try again. `nowMs`: performance.now(). */
  take(nowMs: number): number {
    const waitMs = this.ask(nowMs);
    if (waitMs === 0) this.made();
    return waitMs;
  }

  /** As {@link take} where others may still refuse the call: what is really made is told with {@link made}, in the same turn of the event loop. */
  ask(nowMs: number): number {
    if (this.state === CLOSED) return 0;
    if (nowMs >= this.#untilMs) this.#tryAgain(nowMs);
    if (this.state === HALF_OPEN && this.#probes > 0) return 0;
    this.refused += 1;
    return Math.max(1, this.#untilMs - nowMs);
  }

  /** A call was made that {@link ask} had let through. */
  made(): void {
    if (this.state === HALF_OPEN && this.#probes > 0) this.#probes -= 1;
  }

  /** Goes over to trying when its time has come, also while nobody asks. */
  look(nowMs: number): void {
    if (this.state === OPEN && nowMs >= this.#untilMs) this.#tryAgain(nowMs);
  }

  /** What became of something that was let through. */
  record(isGood: boolean, nowMs: number): void {
    if (this.state === CLOSED) this.#count(isGood, nowMs);
    else if (this.state === HALF_OPEN) this.#judge(isGood, nowMs);
  }

  /** Opens at once, or stays open from now: nothing need be counted. */
  trip(why: string, nowMs: number): void {
    if (this.state === OPEN) this.#untilMs = Math.max(this.#untilMs, nowMs + this.#settings.breakerOpenMs);
    else this.#open(why, nowMs);
  }

  #count(isGood: boolean, nowMs: number): void {
    const { breakerCalls, breakerPercent } = this.#settings;
    this.#turn(nowMs);
    const counts = isGood ? this.#good : this.#bad;
    const at = this.#bucket % BUCKETS;
    counts[at] = (counts[at] as number) + 1;
    if (isGood) return;
    let good = 0;
    let bad = 0;
    for (let n = 0; n < BUCKETS; n += 1) {
      good += this.#good[n] as number;
      bad += this.#bad[n] as number;
    }
    if (good + bad >= breakerCalls && bad * 100 >= (good + bad) * breakerPercent)
      this.#open(`${bad} of ${good + bad} failed or were slow`, nowMs);
  }

  /** Empties what is older than the window. */
  #turn(nowMs: number): void {
    const bucket = Math.floor(nowMs / BUCKET_MS);
    for (let one = Math.max(this.#bucket + 1, bucket - BUCKETS + 1); one <= bucket; one += 1) {
      this.#good[one % BUCKETS] = 0;
      this.#bad[one % BUCKETS] = 0;
    }
    this.#bucket = bucket;
  }

  #judge(isGood: boolean, nowMs: number): void {
    if (!isGood) {
      this.#openMs = Math.min(Math.max(LONGEST_OPEN_MS, this.#settings.breakerOpenMs), this.#openMs * 2);
      this.#open('what was tried failed or was slow', nowMs);
      return;
    }
    this.#missing -= 1;
    this.#probes = PROBES;
    if (this.#missing > 0) return;
    this.#good.fill(0);
    this.#bad.fill(0);
    this.#openMs = this.#settings.breakerOpenMs;
    this.#change(CLOSED, 'what was tried came back in time');
  }

  #open(why: string, nowMs: number): void {
    this.opens += 1;
    this.#untilMs = nowMs + this.#openMs;
    this.#change(OPEN, why);
  }

  /** Some more may be tried: those before may never be heard of again. */
  #tryAgain(nowMs: number): void {
    this.#untilMs = nowMs + this.#settings.breakerOpenMs;
    this.#probes = PROBES;
    if (this.state === HALF_OPEN) return;
    this.#missing = GOOD_PROBES;
    this.#change(HALF_OPEN, 'it is tried again');
  }

  #change(state: BreakerState, why: string): void {
    this.state = state;
    this.#onChange(state, why);
  }
}
