/**
 * Finds what is taken from a pool and never given back, and where it was taken. Costs a stack trace for each taking (some microseconds): for looking for
 * a leak, not for every day. A pool without one pays for a comparison.
 */

export interface Place {
  /** The callers, innermost first. */
  readonly place: string;
  readonly count: number;
}

interface Taking {
  readonly pool: string;
  readonly place: string;
  readonly takenAtMs: number;
}

/** Callers that a place names, below {@link LeakWatch.taken} and the pool's method. */
const FRAMES = 3;
const OWN_FRAMES = 2;

export class LeakWatch {
  readonly #takings = new Map<number, Taking>();
  readonly #numbers = new WeakMap<object, number>();
  readonly #lost = new Map<string, number>();
  readonly #onLost: (pool: string, place: string, count: number) => void;
  // Collected without having been given back: nobody can give it back any more.
  readonly #registry = new FinalizationRegistry<number>((number) => this.#lose(number));
  #next = 1;

  /** `onLost` is told of each that is found lost, some time after the garbage collection that found it: its place, and how many were lost there. */
  constructor(onLost: (pool: string, place: string, count: number) => void) {
    this.#onLost = onLost;
  }

  /** `object` leaves `pool`. To be called by the pool's own method: the place is whoever called that. */
  taken(object: object, pool: string): void {
    const number = this.#next;
    this.#next += 1;
    this.#takings.set(number, { pool, place: placeOf(), takenAtMs: performance.now() });
    this.#numbers.set(object, number);
    this.#registry.register(object, number, object);
  }

  /** Throws RangeError when `object` is not out: given back twice, or never taken. */
  given(object: object): void {
    const number = this.#numbers.get(object);
    if (number === undefined) throw new RangeError('given back twice, or to another pool than it was taken from');
    this.#numbers.delete(object);
    this.#takings.delete(number);
    this.#registry.unregister(object);
  }

  /** Where what is lost was taken, the most first. */
  lost(): Place[] {
    return placesOf(this.#lost);
  }

  /** Where what has been out for longer than `olderThanMs` was taken, the most first. */
  held(olderThanMs: number): Place[] {
    const before = performance.now() - olderThanMs;
    const places = new Map<string, number>();
    for (const { place, takenAtMs } of this.#takings.values()) {
      if (takenAtMs <= before) places.set(place, (places.get(place) ?? 0) + 1);
    }
    return placesOf(places);
  }

  #lose(number: number): void {
    const taking = this.#takings.get(number);
    if (taking === undefined) return;
    this.#takings.delete(number);
    const count = (this.#lost.get(taking.place) ?? 0) + 1;
    this.#lost.set(taking.place, count);
    this.#onLost(taking.pool, taking.place, count);
  }
}

function placeOf(): string {
  const trace: { stack?: string } = {};
  Error.captureStackTrace(trace, placeOf);
  const frames = (trace.stack ?? '').split('\n').slice(1 + OWN_FRAMES, 1 + OWN_FRAMES + FRAMES);
  return frames.map((frame) => frame.trim().replace(/^at /, '')).join(' < ');
}

function placesOf(counts: ReadonlyMap<string, number>): Place[] {
  return [...counts].map(([place, count]) => ({ place, count })).sort((one, other) => other.count - one.count);
}
