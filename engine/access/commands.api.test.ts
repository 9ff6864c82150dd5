/** `npm run token` and `npm run audit`, as processes. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { OrderClient } from '../client/orders.ts';
import { startLocalEngine, type LocalEngine } from '../testing/local-engine.ts';

let engine: LocalEngine;
beforeAll(async () => {
  engine = await startLocalEngine({ config: { journal: { durability: 'memory' } } });
});
afterAll(async () => {
  await engine[Symbol.asyncDispose]();
});

function run(program: string, args: readonly string[], input = ''): { status: number | null; stdout: string; stderr: string } {
  const file = fileURLToPath(new URL(program, import.meta.url));
  return spawnSync(process.execPath, [file, ...args], { encoding: 'utf8', timeout: 20_000, input });
}
const token = (...args: string[]) => run('./make-token.ts', args);

it('a token is made by the keys of a data directory, and trades for its account only', async () => {
  const { status, stdout } = token('--data', engine.dataDirectory, '--role', 'trader', '--account', 'alice', '--expires', '1m');
  expect(status).toBe(0);
  const client = new OrderClient({ baseUrl: engine.baseUrl, token: stdout.trim() });
  const order = { symbol: 'BTC-USD', side: 'buy', type: 'limit', price: '100', quantity: '1' } as const;
  expect((await client.place({ ...order, account: 'alice' })).order.status).toBe('open');
  await expect(client.place({ ...order, account: 'bob' })).rejects.toMatchObject({ status: 403 });
  await client.close();
});

it('or by keys from standard input, as the header that curl sends', async () => {
  const keys = readFileSync(join(engine.dataDirectory, 'keys.json'), 'utf8');
  const { stdout } = run('./make-token.ts', ['--keys', '-', '--header', '--role', 'viewer', '--role', 'risk'], keys);
  expect(stdout).toMatch(/^authorization: Bearer [\w-]+\.[\w-]+\.[\w-]+\n$/);
  const answer = await fetch(`${engine.opsUrl}/admin/status`, { headers: { authorization: stdout.trim().replace('authorization: ', '') } });
  expect(answer.status).toBe(200);
});

it.each([
  [['--help'], 0, 'Usage: npm run --silent token'],
  [['--role', 'root'], 1, '--role root: must be viewer, trader, risk, admin'],
  [['--account', 'a b'], 1, '--account a b: must be'],
  [['--expires', 'soon'], 1, '--expires soon: must be a time such as 15m or 8h'],
  [['--data', '/nowhere'], 1, 'start an engine once with npm start'],
  [['--colour', 'red'], 1, 'colour'],
])('token %j ends with %d and says so', (args, status, said) => {
  const outcome = token(...args);
  expect([outcome.status, outcome.stdout + outcome.stderr]).toEqual([status, expect.stringContaining(said)]);
});

it('the audit log of an engine is verified, and an edit is found', async () => {
  await engine.admin.killSwitch({ account: 'alice', on: false });
  await engine.admin.snapshot();
  const whole = run('./audit-main.ts', ['verify', '--data', engine.dataDirectory]);
  expect([whole.status, whole.stdout]).toEqual([0, expect.stringMatching(/whole, 2 entries, head 2:[0-9a-f]{64}$/m)]);
  const [head = ''] = /2:[0-9a-f]{64}/.exec(whole.stdout) ?? [];
  const text = readFileSync(join(engine.dataDirectory, 'audit.jsonl'), 'utf8');
  const copy = join(engine.dataDirectory, 'copy.jsonl');
  writeFileSync(copy, `${text.split('\n')[0]}\n`);
  expect(run('./audit-main.ts', ['verify', copy]).status).toBe(0);
  expect(run('./audit-main.ts', ['verify', copy, '--head', head])).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('missing at the end'),
  });
  writeFileSync(copy, text.replace('"on":false', '"on":true '));
  expect(run('./audit-main.ts', ['verify', copy])).toMatchObject({ status: 1, stderr: expect.stringContaining('line 1') });
  expect(run('./audit-main.ts', []).status).toBe(1);
});
