import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { PROBLEMS } from '../../service/problem.ts';
import { startLocalEngine, TEST_TOKEN } from '../../testing/local-engine.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';

const PROTOCOL = readFileSync(new URL('../../../docs/protocol.md', import.meta.url), 'utf8');

it('docs/protocol.md lists every code with its status, and no other', () => {
  const listed = [...PROTOCOL.matchAll(/^\| `(HFT_[A-Z_]+)` \| ([0-9]{3}) \|/gm)].map(([, code, status]) => [code, Number(status)]);
  expect(Object.fromEntries(listed)).toEqual(Object.fromEntries(Object.entries(PROBLEMS).map(([code, { status }]) => [code, status])));
});

it.runIf(spawnSync('curl', ['--version']).status === 0)('the examples of docs/protocol.md work', async () => {
  const directory = temporaryDirectory();
  mkdirSync(join(directory, 'data'));
  writeFileSync(join(directory, 'data', 'admin-token'), TEST_TOKEN);
  await using engine = await startLocalEngine({ config: { journal: { durability: 'memory' } }, marketData: true });
  writeFileSync(join(directory, 'auth'), `authorization: Bearer ${engine.token}\n`);
  const examples = [...PROTOCOL.matchAll(/^```sh\n([\s\S]*?)^```/gm)].map(([, example = '']) => example);
  expect(examples.length).toBeGreaterThan(10);
  const outcomes = [];
  for (const example of examples) {
    const command = example
      .replaceAll('localhost:8080', `127.0.0.1:${engine.running.port}`)
      .replaceAll('localhost:8081', `127.0.0.1:${engine.running.marketDataPort}`)
      .replaceAll('localhost:9090', `127.0.0.1:${engine.running.opsPort}`);
    const child = spawn('sh', ['-c', command], { cwd: directory, timeout: 10_000, stdio: ['ignore', 'pipe', 'inherit'] });
    const [answer, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
    outcomes.push({ example, code, json: answer.startsWith('{') });
  }
  rmSync(directory, { recursive: true });
  expect(outcomes).toEqual(examples.map((example) => ({ example, code: 0, json: true })));
  expect((await engine.orders.fills()).items).toMatchObject([{ makerOrderId: '1', takerOrderId: '2', price: '100.5' }]);
});
