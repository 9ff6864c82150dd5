/** `npm run check`: everything that can be said of the code without running it, in seconds. Exit code 1 when a check fails. */
import { runChecks } from './checks.ts';

const { failed } = await runChecks();
process.exit(failed === 0 ? 0 : 1);
