/**
 * Threads that give way when there are more of them than cores. A thread that has used its share of a core and wakes behind one of the same weight waits
 * for the kernel's next tick (4 ms at 250 Hz); before a lighter one it goes at once (docs/performance.md).
 *
 * Not V8's helpers: the matching thread waits for them in a collection, and its p99 at `commit` rose from 60 us to milliseconds when they gave way. Not the
 * read models: their slowest queries took two to three times as long, and nothing else was faster for it.
 */
import { constants, getPriority, setPriority } from 'node:os';

/** Has the calling thread give way to the program's own by so much, a difference of nice values: raising one needs no privilege. */
export function giveWay(nice: number): void {
  // 0 is the thread that calls on Linux, and the whole process elsewhere.
  if (process.platform !== 'linux') return;
  try {
    setPriority(0, Math.min(constants.priority.PRIORITY_LOW, getPriority(process.pid) + nice));
  } catch {
    // Not allowed here: others then wait for it as they would without this, which is slower and no fault.
  }
}
