/**
 * What V8's optimizing compiler may inline. The defaults (460 and 920 bytes of bytecode) leave calls on the way of a plain order through the core:
 * with these it does 9 to 10 % more commands a second (docs/performance.md).
 *
 * Set by the program itself and not by whoever starts it, so that pods, `npm start`, benchmarks and tests run the same code, and a new value restarts no
 * engine but with the image that brings it. V8 reads them whenever it compiles a function, in every thread: before the first is hot is early enough.
 */
import { setFlagsFromString } from 'node:v8';

export const COMPILER_FLAGS = ['--max-inlined-bytecode-size=1500', '--max-inlined-bytecode-size-cumulative=4000'] as const;

/** Sets {@link COMPILER_FLAGS} for the whole process. */
export function setCompilerFlags(): void {
  for (const flag of COMPILER_FLAGS) setFlagsFromString(flag);
}
