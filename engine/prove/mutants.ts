/**
 * The mutation score of the core: breaks it in one place at a time, in a copy, and sees who notices. First the naive model is asked
 * (`mutant-trial.ts`), then, about those that live, the unit tests. A mutant that nobody notices is a hole in the tests, or changes nothing that
 * matters: then it stands in `equivalent-mutants.ts`.
 */
import { execa } from 'execa';
import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { EQUIVALENT_MUTANTS, type EquivalentMutant } from './equivalent-mutants.ts';
import { mutantsOf, mutated, zerosOf, type Mutant } from './mutate.ts';

const ROOT = resolve(import.meta.dirname, '../..');
/** What does not ship: the model, the generators of commands, the tests; and what is vocabulary only. */
const NOT_CORE = /^naive-|^random-commands\.ts$|^scenario\.ts$|^types\.ts$|\.test\.ts$|\.prop\.ts$/;

/** Histories and commands of each, in the order in which they are tried: most mutants fall at once. */
const TRIALS = [
  { seeds: 6, commands: 300, cpuSeconds: 3 },
  { seeds: 16, commands: 2000, cpuSeconds: 20 },
] as const;
/** CPU time of the unit tests: some times what they take. */
const TESTS_CPU_SECONDS = 20;
/** Address space, because typed arrays do not count as heap. Node alone reserves more than one GiB, and again for each of the tests' threads. */
const TRIAL_KIB = 4 * 2 ** 20;
const TESTS_KIB = 16 * 2 ** 20;
/** For a run that sleeps rather than works; the CPU time is what ends endless loops, whatever else the machine does. */
const TIMEOUT_MS = 300_000;

export interface MutantOptions {
  /** Only mutants of this file, such as book.ts, or of this line, such as book.ts:153. */
  readonly only?: string | undefined;
  /** So many of them, by lot; all when left out. */
  readonly sample?: number | undefined;
  /** Of the lot: the same mutants as long as their lines stay. */
  readonly seed: number;
  readonly progress?: (line: string) => void;
}

export interface MutantScore {
  /** Mutants tried, equivalent ones not counted. */
  readonly tried: number;
  readonly caught: number;
  readonly equivalent: number;
  readonly survivors: readonly Mutant[];
  /** Listed as equivalent, and no mutants of this core any more. */
  readonly outdated: readonly EquivalentMutant[];
}

/** Tries mutants of the core one after the other. Throws when the core that is not broken is caught. */
export async function scoreMutants({ only, sample, seed, progress = () => undefined }: MutantOptions): Promise<MutantScore> {
  const zeros = new Set([...coreFiles(), 'types.ts'].flatMap((file) => zerosOf(readCore(file))));
  const all = coreFiles().flatMap((file) => mutantsOf(file, readCore(file), zeros));
  const outdated = EQUIVALENT_MUTANTS.filter((entry) => !all.some((mutant) => covers(entry, mutant)));
  const wanted = all.filter(({ file, line }) => only === undefined || only === file || only === `${file}:${line}`);
  const chosen = sample === undefined ? wanted : drawn(wanted, sample, seed);
  const survivors: Mutant[] = [];
  let equivalent = 0;
  const copy = new CoreCopy();
  try {
    const failing = await copy.whoNotices();
    if (failing !== undefined) throw new Error(`${failing} without any mutant`);
    for (const [index, mutant] of chosen.entries()) {
      if (isEquivalent(mutant)) {
        equivalent += 1;
        continue;
      }
      const caught = await copy.whoNotices(mutant);
      if (caught === undefined) survivors.push(mutant);
      progress(`${index + 1}/${chosen.length} ${caught ?? 'LIVES:'} ${described(mutant)}`);
    }
  } finally {
    copy.remove();
  }
  const tried = chosen.length - equivalent;
  return { tried, caught: tried - survivors.length, equivalent, survivors, outdated };
}

const described = ({ file, line, before, after }: Mutant): string => `engine/core/${file}:${line}\n    - ${before}\n    + ${after}`;

const readCore = (file: string): string => readFileSync(join(ROOT, 'engine/core', file), 'utf8');

const coreFiles = (): string[] => readdirSync(join(ROOT, 'engine/core')).filter((file) => file.endsWith('.ts') && !NOT_CORE.test(file));

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

/** A copy of the core, its tests and the proofs, in which files may be broken. */
class CoreCopy {
  readonly #directory = mkdtempSync(join(tmpdir(), 'hft-mutants-'));
  readonly #tests: readonly string[];

  constructor() {
    for (const path of ['engine/core', 'engine/prove', 'package.json', 'tsconfig.json', 'vitest.config.ts'])
      cpSync(join(ROOT, path), join(this.#directory, path), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules'), join(this.#directory, 'node_modules'));
    // The model has been asked already; its own tests and those of the commands it is asked with say nothing about the core.
    this.#tests = readdirSync(join(ROOT, 'engine/core'))
      .filter((file) => file.endsWith('.test.ts') && !file.endsWith('.prop.test.ts') && !NOT_CORE.test(file.replace('.test.ts', '.ts')))
      .map((file) => `engine/core/${file}`);
  }

  /** Who notices a mutant, in words; undefined when nobody does. Without a mutant, who fails as it is. */
  async whoNotices(mutant?: Mutant): Promise<string | undefined> {
    if (mutant === undefined) return await this.#firstFailure();
    const path = join(this.#directory, 'engine/core', mutant.file);
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, mutated(text, mutant));
    try {
      return await this.#firstFailure();
    } finally {
      writeFileSync(path, text);
    }
  }

  remove(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async #firstFailure(): Promise<string | undefined> {
    for (const { seeds, commands, cpuSeconds } of TRIALS) {
      if (await this.#fails(cpuSeconds, TRIAL_KIB, 'node', ['engine/prove/mutant-trial.ts', String(seeds), String(commands)]))
        return `the model differs in ${seeds} × ${commands} commands`;
    }
    const testing = ['run', '--project', 'unit', '--bail', '1', ...this.#tests];
    return (await this.#fails(TESTS_CPU_SECONDS, TESTS_KIB, 'vitest', testing)) ? 'a unit test fails' : undefined;
  }

  async #fails(cpuSeconds: number, memoryKib: number, program: string, programArguments: readonly string[]): Promise<boolean> {
    const limits = `ulimit -t ${cpuSeconds}; ulimit -v ${memoryKib}; exec "$@"`;
    const run = await execa('sh', ['-c', limits, 'sh', program, ...programArguments], {
      cwd: this.#directory,
      preferLocal: true,
      reject: false,
      stdin: 'ignore',
      timeout: TIMEOUT_MS,
      killSignal: 'SIGKILL',
      env: {
        NODE_COMPILE_CACHE: join(this.#directory, 'compiled'),
        // Its guard regions take more address space than a run may have.
        NODE_OPTIONS: '--disable-wasm-trap-handler',
      },
    });
    return run.exitCode !== 0;
  }
}

const HELP = `npm run prove -- mutants [OPTION ...]

Breaks engine/core in one place at a time (a comparison, an operator, a constant, a condition, a statement left out, an early return left out)
and asks the naive model and the unit tests whether they notice. Prints the score, caught / (all - equivalent), and every mutant that lives.
Exit code 1 when the score is below --least. All mutants take hours; a sample of 400 some minutes.

  --sample N    so many mutants, by lot (all)
  --seed N      of the lot (1)
  --only WHERE  only those of one file or line, such as book.ts or book.ts:153
  --least N     the score that is enough (0.95)`;

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      sample: { type: 'string' },
      seed: { type: 'string', default: '1' },
      only: { type: 'string' },
      least: { type: 'string', default: '0.95' },
      help: { type: 'boolean', default: false },
    },
  });
  const sample = values.sample === undefined ? undefined : Number(values.sample);
  if (values.help) console.log(HELP);
  else {
    const { tried, caught, equivalent, survivors, outdated } = await scoreMutants({
      only: values.only,
      sample,
      seed: Number(values.seed),
      progress: console.log,
    });
    if (survivors.length > 0) console.log(`\nalive:\n${survivors.map(described).join('\n')}\n`);
    for (const { file, before } of outdated) console.log(`no longer there, though listed as equivalent: ${file}: ${before}`);
    console.log(`score ${(caught / tried).toFixed(3)}: ${caught} of ${tried} mutants caught, ${equivalent} equivalent ones left out`);
    process.exitCode = caught / tried >= Number(values.least) ? 0 : 1;
  }
}
