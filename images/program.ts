import { dirname } from 'node:path';

/** The two programs of the product, in the order in which their images are built. */
export const PROGRAMS = ['engine', 'operator'] as const;
export type Program = (typeof PROGRAMS)[number];

/** Repository root: every path in this folder is worked out from it, so the commands run from any directory. */
export const ROOT = dirname(import.meta.dirname);

/** Directory of the programs in their images. */
export const APP_DIR = '/app';

/** User and group of both images, as the manifests name them too. */
export const UID = 10001;

export function isProgram(text: string): text is Program {
  return PROGRAMS.some((program) => program === text);
}

/** Image name without a tag: `hft-engine`. */
export function imageName(program: Program): string {
  return `hft-${program}`;
}

/** Programs named on a command line; none named means all. Throws on an unknown name, saying which exist. */
export function programsOf(names: readonly string[]): Program[] {
  const programs = names.map((name) => {
    const program = name.replace(/^hft-/, '');
    if (!isProgram(program)) throw new Error(`unknown program ${JSON.stringify(name)}: expected ${PROGRAMS.join(' or ')}`);
    return program;
  });
  return programs.length === 0 ? [...PROGRAMS] : PROGRAMS.filter((program) => programs.includes(program));
}

/** Runs a command line: an error becomes its message on standard error and exit code 1, without a stack. */
export async function command(main: () => Promise<void>): Promise<void> {
  try {
    await main();
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
