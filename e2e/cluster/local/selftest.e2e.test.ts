import { join } from 'node:path';
import { execa } from 'execa';
import { expect, it } from 'vitest';

const TIMEOUT_MS = 280_000;

it.runIf(process.env['HFT_E2E_PROVIDER'] === 'local')(
  'down leaves the machine as it was, after crashes too',
  async () => {
    const main = join(import.meta.dirname, '..', 'main.ts');
    const result = await execa(process.execPath, [main, 'selftest', '--rounds', '2'], { reject: false, all: true, timeout: TIMEOUT_MS });
    expect(result.all).toContain('round 2: the machine is as it was');
    expect(result.exitCode).toBe(0);
  },
  TIMEOUT_MS + 10_000,
);
