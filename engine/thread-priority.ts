/**
 * Which threads give way when there are more of them than cores: nobody waits for the read models or the copying of the log, and the matching and the
 * committing thread should. A thread that has used its share of a core and wakes behind one of the same weight waits for the kernel's next tick (4 ms at
 * 250 Hz); before a lighter one it goes at once (docs/performance.md).
 *
 * Not V8's helpers: the matching thread waits for them in a collection, and its p99 at `commit` rose from 60 us to milliseconds when they gave way.
 *
 * Raising a nice value needs no privilege; only Linux has one for each thread.
 */
import { constants, getPriority, setPriority } from 'node:os';

/** By how much a thread is nicer than the program's own. Not 19: the log must be copied back, and queries answered, when all cores are busy as well. */
export const VIEWS_NICE = 5;
export const FILES_NICE = 10;
export const MARKET_DATA_NICE = 10;

/** Has the calling thread give way to the program's own by so much. */
export function giveWay(nice: number): void {
  // 0 is the thread that calls on Linux, and the whole process elsewhere.
  if (process.platform !== 'linux') return;
  try {
    setPriority(0, Math.min(constants.priority.PRIORITY_LOW, getPriority(process.pid) + nice));
  } catch {
    // Not allowed here: others then wait for it as they would without this, which is slower and no fault.
  }
}
