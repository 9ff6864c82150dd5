/**
 * Proof that garbage collection stays out of the way: the load of engine/bench/gc-load.ts at half of its peak rate, with the heap flags of the charts. The
 * pauses of all kinds must be short, and what lives on the heap must not grow.
 */
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { loadUnder, TUNED_FLAGS } from '../bench/gc.ts';
import { loadOptionsSchema, type LoadFigures, type LoadOptions } from '../bench/gc-load.ts';

export interface GcLimits {
  readonly p99Ms: number;
  readonly longestMs: number;
  /** By how many bytes what lives may have grown: the compiler's feedback and code come late. */
  readonly grownBytes: number;
}

export const GC_LIMITS: GcLimits = { p99Ms: 2, longestMs: 10, grownBytes: 1_048_576 };

export interface GcProof {
  readonly figures: LoadFigures;
  /** Empty when the proof holds. */
  readonly violations: string[];
}

export async function proveGc(options: LoadOptions, limits: GcLimits = GC_LIMITS): Promise<GcProof> {
  const figures = await loadUnder(TUNED_FLAGS, options);
  return { figures, violations: judge(figures, limits) };
}

export function judge({ all, liveBefore, liveAfter, stallMs }: LoadFigures, limits: GcLimits): string[] {
  const violations: string[] = [];
  const machine = `the machine alone stalled a loop that only reads the clock for ${stallMs.toFixed(1)} ms`;
  if (all.p99Ms >= limits.p99Ms)
    violations.push(`99 of 100 pauses stay under ${all.p99Ms.toFixed(2)} ms, not under ${limits.p99Ms} (${machine})`);
  if (all.longestMs > limits.longestMs)
    violations.push(`the longest pause took ${all.longestMs.toFixed(2)} ms, more than ${limits.longestMs} (${machine})`);
  if (liveAfter - liveBefore > limits.grownBytes)
    violations.push(`what lives on the heap grew from ${liveBefore} to ${liveAfter} bytes, by more than ${limits.grownBytes}`);
  return violations;
}

const HELP = `npm run prove -- gc [OPTION ...]

Orders pass sequencer, core and journal at half of the rate that they reach when nothing holds them, under ${TUNED_FLAGS.join(' ')}.
Prints the pauses; exit status 1 when 99 of 100 take ${GC_LIMITS.p99Ms} ms or more, one takes more than ${GC_LIMITS.longestMs} ms, or the heap grows.
The journal grows by some 5 MB a second, in a temporary directory.

  --seconds N                      how long (600)
  --path objects|slots             with the garbage of a request each, or none (objects)
  --durability memory|commit|disk  (commit)
  --share N                        of the peak rate (0.5)`;

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '600' },
      path: { type: 'string', default: 'objects' },
      durability: { type: 'string', default: 'commit' },
      share: { type: 'string', default: '0.5' },
      help: { type: 'boolean', default: false },
    },
  });
  const parsed = loadOptionsSchema.safeParse({
    ...values,
    seconds: Number(values.seconds),
    warmUpSeconds: Math.min(10, Number(values.seconds)),
    share: Number(values.share),
  });
  if (values.help) {
    console.log(HELP);
  } else if (!parsed.success) {
    console.error(`${z.prettifyError(parsed.error)}\n\n${HELP}`);
    process.exitCode = 2;
  } else {
    const { figures, violations } = await proveGc(parsed.data);
    console.log(JSON.stringify(figures, undefined, 2));
    for (const violation of violations) console.log(`VIOLATION ${violation}`);
    console.log(violations.length === 0 ? 'every pause was short, and the heap did not grow' : 'the proof does not hold');
    process.exitCode = violations.length === 0 ? 0 : 1;
  }
}
