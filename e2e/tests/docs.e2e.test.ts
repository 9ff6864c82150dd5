/** `npm run up` does what the README says, and every command of docs/operations.md works as it stands. */
import { readFile } from 'node:fs/promises';
import { delimiter, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestCluster } from '../support/cluster.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const cluster = new TestCluster();
let said = '';

beforeAll(async () => {
  const run = await execa('node', ['e2e/up.ts', '--provider', cluster.provider, '--orders', '400'], {
    cwd: ROOT,
    preferLocal: true,
    all: true,
    timeout: 400_000,
  });
  said = run.all;
});
afterAll(() => cluster[Symbol.asyncDispose]());

test('npm run up trades, and says what happened and where to look', () => {
  expect(said).toMatch(/Ready +True/);
  expect(said).toMatch(/orders +400 acknowledged/);
  expect(Number(/fills +([0-9]+)/.exec(said)?.[1])).toBeGreaterThan(0);
  expect(said).toMatch(/latency +p50 [0-9.]+ ms, p99 [0-9.]+ ms/);
  expect(said).toContain('/dashboard');
});

const text = await readFile(`${ROOT}docs/operations.md`, 'utf8');
const blocks = [...text.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block]) => block ?? '');

describe('docs/operations.md', () => {
  test('has commands', () => expect(blocks.length).toBeGreaterThan(3));

  test.each(blocks)('%s', async (block) => {
    const kubectl = process.env['HFT_E2E_KUBECTL'] ?? '';
    const path = `${dirname(kubectl)}${delimiter}${process.env['PATH'] ?? ''}`;
    const run = await execa('bash', ['-euc', block], {
      env: { PATH: path, KUBECONFIG: process.env['HFT_E2E_KUBECONFIG'] },
      reject: false,
      all: true,
      timeout: 250_000,
    });
    expect(run.exitCode, run.all).toBe(0);
    expect(run.all).not.toBe('');
  });
});
