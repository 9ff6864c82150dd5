/**
 * `npm test`: everything, in the order in which a mistake is cheapest to hear of: static checks, unit, API server, cluster, browser.
 * Ends with `N passed, N failed`; exit code 1 when anything failed or when a stage ran no test.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import { z } from 'zod';
import { ensureDebianPackages } from '../e2e/cluster/debian.ts';
import { runChecks } from './checks.ts';

const STAGES = ['check', 'unit', 'api', 'e2e', 'browser'] as const;
type Stage = (typeof STAGES)[number];

const HELP = `npm test -- [--only STAGE[,STAGE]]

Stages: ${STAGES.join(', ')}. All run unless --only names some.`;

const STAGE_TIMEOUT_MS: Record<Exclude<Stage, 'check'>, number> = { unit: 600_000, api: 1_200_000, e2e: 2_700_000, browser: 600_000 };

const reportSchema = z.object({
  numPassedTests: z.int(),
  numFailedTests: z.int(),
  numPendingTests: z.int(),
  numFailedTestSuites: z.int(),
});

interface Outcome {
  passed: number;
  failed: number;
  skipped: number;
}

async function runVitest(stage: Exclude<Stage, 'check'>): Promise<Outcome> {
  const directory = await mkdtemp(join(tmpdir(), 'hft-test-'));
  const reportFile = join(directory, 'report.json');
  try {
    const program: [string, ...string[]] = stage === 'e2e' ? ['node', 'e2e/run.ts'] : ['vitest', 'run', '--project', stage];
    const [command, ...rest]: [string, ...string[]] = [
      ...program,
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${reportFile}`,
    ];
    const run = await execa(command, rest, {
      preferLocal: true,
      stdio: ['ignore', 'inherit', 'inherit'],
      reject: false,
      timeout: STAGE_TIMEOUT_MS[stage],
    });
    const text = await readFile(reportFile, 'utf8').catch(() => undefined);
    if (text === undefined) {
      console.log(
        `FAIL  ${stage}: the run ended without a report (exit code ${run.exitCode ?? 'none'}${run.timedOut ? ', out of time' : ''})`,
      );
      return { passed: 0, failed: 1, skipped: 0 };
    }
    const report = reportSchema.parse(JSON.parse(text));
    // A file that cannot be loaded fails as a suite without a test; an exit code without a failed test is an unhandled error.
    const unseen = run.exitCode !== 0 && report.numFailedTests === 0 ? Math.max(1, report.numFailedTestSuites) : 0;
    const none = report.numPassedTests + report.numFailedTests === 0 ? 1 : 0;
    if (none === 1) console.log(`FAIL  ${stage}: no test ran`);
    return { passed: report.numPassedTests, failed: report.numFailedTests + Math.max(unseen, none), skipped: report.numPendingTests };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

const { values } = parseArgs({ options: { only: { type: 'string' }, help: { type: 'boolean' } } });
if (values.help === true) {
  console.log(HELP);
  process.exit(0);
}
const chosen = values.only?.split(',') ?? [...STAGES];
const unknown = chosen.filter((name) => !(STAGES as readonly string[]).includes(name));
if (unknown.length > 0) {
  console.error(`no such stage: ${unknown.join(', ')}\n\n${HELP}`);
  process.exit(2);
}

const total: Outcome = { passed: 0, failed: 0, skipped: 0 };
if (chosen.includes('browser')) await ensureDebianPackages(['chromium'], console.log);
for (const stage of STAGES.filter((name) => chosen.includes(name))) {
  const startedMs = Date.now();
  console.log(`\n== ${stage}`);
  const outcome: Outcome = stage === 'check' ? { ...(await runChecks()), skipped: 0 } : await runVitest(stage);
  total.passed += outcome.passed;
  total.failed += outcome.failed;
  total.skipped += outcome.skipped;
  console.log(`== ${stage}: ${outcome.passed} passed, ${outcome.failed} failed in ${((Date.now() - startedMs) / 1000).toFixed(0)} s`);
}
console.log(`\n${total.passed} passed, ${total.failed} failed${total.skipped === 0 ? '' : `, ${total.skipped} skipped`}`);
process.exit(total.failed === 0 ? 0 : 1);
