/** Waiting for the next thing that is due, in generators of a steady load: asleep, so that the cores are the engine's, and not for longer than asked. */
import { writeFileSync } from 'node:fs';

const SLEEP = new Int32Array(new SharedArrayBuffer(4));

/**
 * Linux may let a sleep last 50 us longer than it was asked for, as long as there are between two orders of a calm rate: they would come two and three at
 * a time. From now on it does so no longer, in this process.
 */
export function sleepExactly(): void {
  if (process.platform === 'linux') writeFileSync('/proc/self/timerslack_ns', '1000');
}

/** Blocks until `untilMs` on the clock of performance.now(), `longestMs` at most. */
export function sleepUntil(untilMs: number, longestMs: number): void {
  const leftMs = Math.min(longestMs, untilMs - performance.now());
  if (leftMs > 0) Atomics.wait(SLEEP, 0, 0, leftMs);
}
