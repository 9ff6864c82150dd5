/**
 * Time as a dependency, so that back-off, leases and queues are tested without waiting.
 */
export interface Clock {
  /** Monotonic milliseconds from an arbitrary origin; never jumps when the wall clock is set. */
  nowMs(): number;
  /** The wall clock, for timestamps that people and the API server read. */
  date(): Date;
  /** Runs `fn` once after `delayMs`; the returned function cancels it. */
  setTimer(fn: () => void, delayMs: number): () => void;
}

/** RFC 3339 in whole seconds, as `metav1.Time` is written. */
export function timestamp(date: Date): string {
  return date.toISOString().replace(/\.\d{3}Z$/, 'Z');
}

/** RFC 3339 in microseconds, as `metav1.MicroTime` is written. */
export function microTime(date: Date): string {
  return date.toISOString().replace('Z', '000Z');
}

/** `setTimeout` fires at once for longer delays, so they are cut to this (24.8 days). */
const MAX_TIMER_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  date: () => new Date(),
  setTimer(fn, delayMs) {
    const timer = setTimeout(fn, Math.min(Math.max(0, delayMs), MAX_TIMER_MS));
    return () => clearTimeout(timer);
  },
};

/** Resolves after `delayMs`, or at once when the signal aborts; it never rejects. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const finish = (): void => {
      cancel();
      signal?.removeEventListener('abort', finish);
      resolve();
    };
    const cancel = clock.setTimer(finish, delayMs);
    signal?.addEventListener('abort', finish, { once: true });
  });
}

interface FakeTimer {
  readonly dueMs: number;
  readonly order: number;
  readonly fn: () => void;
}

/** A clock that moves only when told to; timers fire in the order in which they are due. */
export class FakeClock implements Clock {
  #nowMs = 0;
  #order = 0;
  readonly #epochMs: number;
  readonly #timers = new Set<FakeTimer>();

  constructor(epoch: Date = new Date('2026-01-01T00:00:00Z')) {
    this.#epochMs = epoch.getTime();
  }

  nowMs(): number {
    return this.#nowMs;
  }

  date(): Date {
    return new Date(this.#epochMs + this.#nowMs);
  }

  setTimer(fn: () => void, delayMs: number): () => void {
    const timer: FakeTimer = { dueMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, fn };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  get pendingTimers(): number {
    return this.#timers.size;
  }

  /** Moves time on, firing what falls due; lets promise callbacks run between timers. */
  async advance(byMs: number): Promise<void> {
    const endMs = this.#nowMs + byMs;
    await settle();
    for (;;) {
      let next: FakeTimer | undefined;
      for (const timer of this.#timers) {
        if (timer.dueMs > endMs) continue;
        if (!next || timer.dueMs < next.dueMs || (timer.dueMs === next.dueMs && timer.order < next.order)) next = timer;
      }
      if (!next) break;
      this.#timers.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      next.fn();
      await settle();
    }
    this.#nowMs = endMs;
    await settle();
  }
}

/** Two turns of the event loop: enough for chains of awaits on values that are already there. */
async function settle(): Promise<void> {
  for (let i = 0; i < 2; i++) await new Promise<void>((resolve) => setImmediate(resolve));
}
