/** The static checks: types, lint, format, layout, dead code, generated files. */
import { execa } from 'execa';

interface Check {
  name: string;
  command: readonly [string, ...string[]];
  /** What to do when it fails. */
  fix: string;
}

const CHECKS: readonly Check[] = [
  { name: 'types', command: ['tsc', '-p', '.'], fix: 'correct the types' },
  { name: 'lint', command: ['oxlint', '--type-aware', '--deny-warnings'], fix: 'correct the code, or try `npx oxlint --type-aware --fix`' },
  { name: 'format', command: ['oxfmt', '--check'], fix: 'run `npm run format`' },
  {
    name: 'layout',
    command: ['depcruise', '--config', '.dependency-cruiser.cjs', 'crds', 'charts', 'cdk8s', 'operator', 'engine', 'images', 'e2e'],
    fix: 'imports point one way: see .dependency-cruiser.cjs',
  },
  { name: 'dead code', command: ['knip', '--no-progress'], fix: 'delete what nothing uses' },
  { name: 'generated files', command: ['node', 'crds/generate.ts', '--check'], fix: 'run `npm run generate` and commit the result' },
];

/** Runs all checks at once, prints a line for each and the output of those that fail. */
export async function runChecks(): Promise<{ passed: number; failed: number }> {
  let failed = 0;
  await Promise.all(
    CHECKS.map(async ({ name, command: [program, ...programArguments], fix }) => {
      const startedMs = Date.now();
      const result = await execa(program, programArguments, {
        all: true,
        reject: false,
        preferLocal: true,
        stdin: 'ignore',
        timeout: 300_000,
      });
      const seconds = ((Date.now() - startedMs) / 1000).toFixed(1);
      if (result.exitCode === 0) {
        console.log(`ok    ${name} (${seconds} s)`);
        return;
      }
      failed += 1;
      console.log(`FAIL  ${name} (${seconds} s): ${fix}\n${result.all}`);
    }),
  );
  return { passed: CHECKS.length - failed, failed };
}
