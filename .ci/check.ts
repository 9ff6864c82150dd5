/** `npm run check`: everything that can be said of the code without running it, in seconds. Exit code 1 when a check fails. */
import { runChecks } from './checks.ts';

if (process.argv.includes('--help')) {
  console.log(
    'npm run check\n\nTypes, lint, format, import directions, dead code, generated files. Takes no options; exit code 1 when a check fails.',
  );
} else {
  const { failed } = await runChecks();
  process.exitCode = failed === 0 ? 0 : 1;
}
