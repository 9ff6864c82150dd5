/** What is known already about mutants, in a file, so that a long run can be done in pieces. */
import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import type { Mutant } from './mutate.ts';

/** A line of the file. */
interface Line {
  /** Hash of the files that mutants are made of. */
  readonly core: string;
  /** Hash of the tests that were asked. */
  readonly tests: string;
  readonly mutant: string;
  /** Who noticed; null when nobody did. */
  readonly caught: string | null;
}

/**
 * Verdicts of the same core. A mutant that was caught stays caught, whatever is added to the tests (who takes one away begins a new file); one that
 * lived is to be tried again as soon as any test has changed.
 */
export class Verdicts {
  readonly #path: string | undefined;
  readonly #core: string;
  readonly #tests: string;
  readonly #known = new Map<string, string | null>();

  /** Reads `path` when it is there; without one, nothing is known and nothing is kept. */
  constructor(path: string | undefined, core: readonly string[], tests: readonly string[]) {
    this.#path = path;
    this.#core = hashOf(core);
    this.#tests = hashOf(tests);
    if (path === undefined || !existsSync(path)) return;
    for (const text of readFileSync(path, 'utf8').split('\n').filter(Boolean)) {
      const { core: ofCore, tests: ofTests, mutant, caught } = JSON.parse(text) as Line;
      if (ofCore === this.#core && (caught !== null || ofTests === this.#tests)) this.#known.set(mutant, caught);
    }
  }

  /** Who noticed it; null when nobody did; undefined when it is to be tried. */
  of(mutant: Mutant): string | null | undefined {
    return this.#known.get(nameOf(mutant));
  }

  add(mutant: Mutant, caught: string | null): void {
    const line: Line = { core: this.#core, tests: this.#tests, mutant: nameOf(mutant), caught };
    this.#known.set(line.mutant, caught);
    if (this.#path !== undefined) appendFileSync(this.#path, `${JSON.stringify(line)}\n`);
  }
}

const hashOf = (texts: readonly string[]): string => createHash('sha256').update(JSON.stringify(texts)).digest('hex').slice(0, 16);

const nameOf = ({ file, start, end, replacement }: Mutant): string => `${file} ${start}-${end} ${replacement}`;
