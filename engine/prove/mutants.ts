/**
 * The mutation score of the core: breaks it in one place at a time, in a copy, and sees who notices. First the naive model is asked
 * (`mutant-trial.ts`), then, about those that live, the unit tests. A mutant that nobody notices is a hole in the tests, or changes nothing that
 * matters: then it stands in `equivalent-mutants.ts`.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { CoreCopy, NOT_CORE } from './core-copy.ts';
import { EQUIVALENT_MUTANTS, type EquivalentMutant } from './equivalent-mutants.ts';
import { mutantsOf, zerosOf, type Mutant } from './mutate.ts';
import { Verdicts } from './verdicts.ts';

const ROOT = resolve(import.meta.dirname, '../..');

export interface MutantOptions {
  /** Only mutants of this file, such as book.ts, or of this line, such as book.ts:153. */
  readonly only?: string | undefined;
  /** So many of them, by lot; all when left out. */
  readonly sample?: number | undefined;
  /** Of the lot: the same mutants as long as their lines stay. */
  readonly seed: number;
  /** File of verdicts: mutants that stand there are not tried again, and those that are tried are added. */
  readonly record?: string | undefined;
  /** No mutant is begun after this time of `performance.now()`. */
  readonly untilMs?: number | undefined;
  readonly progress?: (line: string) => void;
}

export interface MutantScore {
  /** Mutants tried, equivalent ones not counted. */
  readonly tried: number;
  readonly caught: number;
  readonly equivalent: number;
  /** Not tried, because the time was over. */
  readonly left: number;
  readonly survivors: readonly Mutant[];
  /** Listed as equivalent, and no mutants of this core any more. */
  readonly outdated: readonly EquivalentMutant[];
}

/** Tries mutants of the core one after the other. Throws when the core that is not broken is caught. */
export async function scoreMutants(options: MutantOptions): Promise<MutantScore> {
  const { only, sample, seed, record, untilMs = Infinity, progress = () => undefined } = options;
  const zeros = new Set([...coreFiles(), 'types.ts'].flatMap((file) => zerosOf(readCore(file))));
  const all = coreFiles().flatMap((file) => mutantsOf(file, readCore(file), zeros));
  const outdated = EQUIVALENT_MUTANTS.filter((entry) => !all.some((mutant) => covers(entry, mutant)));
  const wanted = all.filter(({ file, line }) => only === undefined || only === file || only === `${file}:${line}`);
  const chosen = sample === undefined ? wanted : drawn(wanted, sample, seed);
  const tried = chosen.filter((mutant) => !isEquivalent(mutant));
  const equivalent = chosen.length - tried.length;
  const verdicts = new Verdicts(record, coreFiles().map(readCore), testTexts());
  const toTry = tried.filter((mutant) => verdicts.of(mutant) === undefined);
  const left = toTry.length - (await tryAll(toTry, verdicts, untilMs, progress));
  const survivors = tried.filter((mutant) => verdicts.of(mutant) === null);
  return { tried: tried.length - left, caught: tried.length - left - survivors.length, equivalent, left, survivors, outdated };
}

/** Tries one after the other until the time is over; gives how many. */
async function tryAll(mutants: readonly Mutant[], verdicts: Verdicts, untilMs: number, progress: (line: string) => void): Promise<number> {
  if (mutants.length === 0) return 0;
  const copy = new CoreCopy();
  try {
    const failing = await copy.whoNotices();
    if (failing !== undefined) throw new Error(`${failing} without any mutant`);
    for (const [index, mutant] of mutants.entries()) {
      if (performance.now() >= untilMs) return index;
      const caught = (await copy.whoNotices(mutant)) ?? null;
      verdicts.add(mutant, caught);
      progress(`${index + 1}/${mutants.length} ${caught ?? 'LIVES:'} ${described(mutant)}`);
    }
  } finally {
    copy.remove();
  }
  return mutants.length;
}

const described = ({ file, line, before, after }: Mutant): string => `engine/core/${file}:${line}\n    - ${before}\n    + ${after}`;

const readCore = (file: string): string => readFileSync(join(ROOT, 'engine/core', file), 'utf8');

const coreFiles = (): string[] => readdirSync(join(ROOT, 'engine/core')).filter((file) => file.endsWith('.ts') && !NOT_CORE.test(file));

/** All that is asked about a mutant, and what it asks with. */
function testTexts(): string[] {
  const proofs = ['core-copy.ts', 'differential.ts', 'history.ts', 'mutant-trial.ts'].map((file) => join(ROOT, 'engine/prove', file));
  const tests = readdirSync(join(ROOT, 'engine/core')).filter((file) => file.endsWith('.ts') && NOT_CORE.test(file));
  return [...proofs, ...tests.map((file) => join(ROOT, 'engine/core', file))].map((path) => readFileSync(path, 'utf8'));
}

const isEquivalent = (mutant: Mutant): boolean => EQUIVALENT_MUTANTS.some((entry) => covers(entry, mutant));

function covers({ file, before, after }: EquivalentMutant, mutant: Mutant): boolean {
  if (file !== mutant.file || before !== mutant.before) return false;
  return after === undefined || (typeof after === 'string' ? after === mutant.after : after.test(mutant.after));
}

/** `count` of the mutants, chosen by what they change and not by where they stand, so that an edit elsewhere leaves the choice alone. */
function drawn(mutants: readonly Mutant[], count: number, seed: number): Mutant[] {
  const lot = ({ file, before, after }: Mutant): string => createHash('sha256').update(`${seed} ${file} ${before} ${after}`).digest('hex');
  return mutants
    .map((mutant) => ({ mutant, lot: lot(mutant) }))
    .toSorted((one, other) => (one.lot < other.lot ? -1 : 1))
    .slice(0, count)
    .map(({ mutant }) => mutant);
}

const HELP = `npm run prove -- mutants [OPTION ...]

Breaks engine/core in one place at a time (a comparison, an operator, a constant, a condition, a statement left out, an early return left out)
and asks the naive model and the unit tests whether they notice. Prints the score, caught / (all - equivalent), and every mutant that lives.
Exit code 1 when the score is below --least, 2 when the clock stopped the run. All mutants take hours; a sample of 400 some minutes.

  --sample N    so many mutants, by lot (all)
  --seed N      of the lot (1)
  --only WHERE  only those of one file or line, such as book.ts or book.ts:153
  --record FILE where verdicts are kept: a run that is started again with it goes on where it stopped, as long as the core is the same; mutants
                that lived are tried again when a test has changed
  --minutes N   begin no mutant later than that (no limit)
  --least N     the score that is enough (0.95)`;

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      sample: { type: 'string' },
      seed: { type: 'string', default: '1' },
      only: { type: 'string' },
      record: { type: 'string' },
      minutes: { type: 'string', default: 'Infinity' },
      least: { type: 'string', default: '0.95' },
      help: { type: 'boolean', default: false },
    },
  });
  const sample = values.sample === undefined ? undefined : Number(values.sample);
  if (values.help) console.log(HELP);
  else {
    const { tried, caught, equivalent, left, survivors, outdated } = await scoreMutants({
      only: values.only,
      sample,
      seed: Number(values.seed),
      record: values.record,
      untilMs: performance.now() + Number(values.minutes) * 60_000,
      progress: console.log,
    });
    if (survivors.length > 0) console.log(`\nalive:\n${survivors.map(described).join('\n')}\n`);
    for (const { file, before } of outdated) console.log(`no longer there, though listed as equivalent: ${file}: ${before}`);
    console.log(`score ${(caught / tried).toFixed(3)}: ${caught} of ${tried} mutants caught, ${equivalent} equivalent ones left out`);
    if (left > 0)
      console.log(`stopped by the clock: ${left} mutants are not tried${values.record === undefined ? '' : '; run again to go on'}`);
    process.exitCode = left > 0 ? 2 : caught / tried >= Number(values.least) ? 0 : 1;
  }
}
