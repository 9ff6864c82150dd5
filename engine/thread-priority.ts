/**
 * Which threads give way when there are more of them than cores: nobody waits for the read models or the copying of the log, and the matching and the
 * committing thread should. A thread that has used its share of a core and wakes behind one of the same weight waits for the kernel's next tick (4 ms at
 * 250 Hz); before a lighter one it goes at once (docs/performance.md).
 *
 * Raising a nice value needs no privilege; only Linux has one for each thread.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { constants, getPriority, setPriority } from 'node:os';

/** By how much a thread is nicer than the program's own. Not 19: the log must be copied back, and queries answered, when all cores are busy as well. */
export const VIEWS_NICE = 5;
export const FILES_NICE = 10;
const HELPER_NICE = 5;
/** V8's threads that compile and collect beside the program's own. */
const HELPERS: ReadonlySet<string> = new Set(['V8Worker', 'DelayedTaskSche']);

/** Has the calling thread give way to the program's own by so much. */
export function giveWay(nice: number): void {
  // 0 is the thread that calls on Linux, and the whole process elsewhere.
  if (process.platform === 'linux') lower(0, nice);
}

/** Has V8's helpers in this process give way; they are there from the start. */
export function lowerHelpers(): void {
  if (process.platform !== 'linux') return;
  for (const id of readdirSync('/proc/self/task')) if (HELPERS.has(nameOf(id))) lower(Number(id), HELPER_NICE);
}

function nameOf(id: string): string {
  try {
    return readFileSync(`/proc/self/task/${id}/comm`, 'utf8').trim();
  } catch {
    // It has ended meanwhile.
    return '';
  }
}

function lower(id: number, nice: number): void {
  try {
    setPriority(id, Math.min(constants.priority.PRIORITY_LOW, getPriority(process.pid) + nice));
  } catch {
    // Ended meanwhile, or not allowed here: others then wait for it as they did before, which is slower and no fault.
  }
}
