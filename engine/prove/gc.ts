/**
 * Proof that garbage collection stays out of the way: orders at half of the peak rate, with the heap flags of the charts. The pauses of all kinds must be short,
 * and what lives on the heap must not grow.
 */
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { loadUnder, TUNED_FLAGS } from '../bench/gc.ts';
import { loadOptionsSchema, type LoadFigures, type LoadOptions } from '../bench/gc-load.ts';
import { gcOverHttp, type HttpGcFigures } from './gc-http.ts';

export interface GcLimits {
  readonly p99Ms: number;
  readonly longestMs: number;
  /** By how many bytes what lives may have grown: the compiler's feedback and code come late. */
  readonly grownBytes: number;
}

export const GC_LIMITS: GcLimits = { p99Ms: 2, longestMs: 10, grownBytes: 1_048_576 };

const proofOptionsSchema = loadOptionsSchema.extend({ path: z.enum(['objects', 'slots', 'http']) });

export interface GcProof {
  readonly figures: LoadFigures | HttpGcFigures;
  /** Empty when the proof holds. */
  readonly violations: string[];
}

/** Sequencer, core and journal in one process; rejects when it fails. */
export async function proveGc(options: LoadOptions, limits: GcLimits = GC_LIMITS): Promise<GcProof & { figures: LoadFigures }> {
  const figures = await loadUnder(TUNED_FLAGS, options);
  return { figures, violations: judge(figures, limits) };
}

/** The whole engine over HTTP; rejects when it fails. */
export async function proveGcOverHttp(
  options: Omit<LoadOptions, 'path'>,
  limits: GcLimits = GC_LIMITS,
): Promise<GcProof & { figures: HttpGcFigures }> {
  const figures = await gcOverHttp({ ...options, flags: TUNED_FLAGS });
  return { figures, violations: judgeHttp(figures, limits) };
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

/** The pauses of the thread that matches; how its heap grows is for {@link proveGc}, which can have everything collected. */
export function judgeHttp({ threads }: HttpGcFigures, limits: Pick<GcLimits, 'p99Ms' | 'longestMs'>): string[] {
  const main = threads.find(({ thread }) => thread === 'main');
  if (main === undefined || main.count === 0) return ['no pause of the main thread was told'];
  const violations: string[] = [];
  if (main.p99Ms > limits.p99Ms) violations.push(`99 of 100 pauses stay within ${main.p99Ms} ms, not within ${limits.p99Ms}`);
  if (main.longestMs > limits.longestMs) violations.push(`a pause took longer than ${limits.longestMs} ms: up to ${main.longestMs}`);
  return violations;
}

const HELP = `npm run prove -- gc [OPTION ...]

Orders pass sequencer, core and journal at half of the rate that they reach when nothing holds them, under ${TUNED_FLAGS.join(' ')}.
On the path http they are sent to an engine of its own, whose main thread is judged. Prints the pauses; exit status 1 when one in a hundred takes
${GC_LIMITS.p99Ms} ms or more, one at all more than ${GC_LIMITS.longestMs} ms, or the heap grows.
The journal grows by some 5 MB a second, in a temporary directory.

  --seconds N                      how long (600)
  --path objects|slots|http        with the garbage of a request each, or none; or the whole engine over HTTP (objects)
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
  const parsed = proofOptionsSchema.safeParse({
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
    const { path, ...options } = parsed.data;
    const { figures, violations } = path === 'http' ? await proveGcOverHttp(options) : await proveGc({ path, ...options });
    console.log(JSON.stringify(figures, undefined, 2));
    for (const violation of violations) console.log(`VIOLATION ${violation}`);
    console.log(violations.length === 0 ? 'the proof holds' : 'the proof does not hold');
    process.exitCode = violations.length === 0 ? 0 : 1;
  }
}
