/** A copy of the core in which files may be broken, and who notices: the naive model (`mutant-trial.ts`), or the unit tests. */
import { execa } from 'execa';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { mutated, type Mutant } from './mutate.ts';

const ROOT = resolve(import.meta.dirname, '../..');
/** What does not ship: the model, the generators of commands, the tests; and what is vocabulary only. */
export const NOT_CORE = /^naive-|^random-commands\.ts$|^scenario\.ts$|^types\.ts$|\.test(-support)?\.ts$|\.prop\.ts$/;

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
/**
 * For a run that sleeps for ever, as Node may when it gets no more memory: so many seconds, and so many more for each of its CPU time. The CPU time is
 * what ends endless loops, whatever else the machine does.
 */
const LEAST_SECONDS = 20;
const SECONDS_PER_CPU_SECOND = 5;

/** A copy of the core, its tests and the proofs, in which files may be broken. */
export class CoreCopy {
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
      timeout: (LEAST_SECONDS + SECONDS_PER_CPU_SECOND * cpuSeconds) * 1000,
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
