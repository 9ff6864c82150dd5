/** The package as others get it: packed, unpacked into a project of its own, and the example of docs/client.md run there by Node as it is. */
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startLocalEngine, type LocalEngine } from '../testing/local-engine.ts';
import { temporaryDirectory } from '../testing/temporary-directory.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const project = temporaryDirectory();
let engine: LocalEngine;

beforeAll(async () => {
  engine = await startLocalEngine();
  const modules = join(project, 'node_modules');
  mkdirSync(join(modules, 'hftengine'), { recursive: true });
  await execa('npm', ['pack', '--silent', '--pack-destination', project], { cwd: ROOT, preferLocal: true, timeout: 60_000 });
  const { version, dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    version: string;
    dependencies: Record<string, string>;
  };
  const archive = join(project, `hftengine-${version}.tgz`);
  await execa('tar', ['-xzf', archive, '--strip-components=1', '-C', join(modules, 'hftengine')]);
  // What the package depends on, as it is installed here.
  for (const name of [...Object.keys(dependencies), '@types/node']) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules', name), join(modules, name));
  }
  writeFileSync(join(project, 'package.json'), JSON.stringify({ type: 'module' }));
  const [, example] = /```ts\n([\s\S]*?)```/.exec(readFileSync(join(ROOT, 'docs', 'client.md'), 'utf8')) ?? [];
  writeFileSync(join(project, 'example.ts'), example ?? '');
});
afterAll(async () => {
  await engine[Symbol.asyncDispose]();
  rmSync(project, { recursive: true, force: true });
});

it.each(['http', 'ws', 'grpc'])('runs the example over %s', async (scheme) => {
  const port = scheme === 'grpc' ? engine.running.grpcPort : engine.running.port;
  const url = `${scheme}://127.0.0.1:${port}`;
  const { stdout } = await execa(process.execPath, ['example.ts'], {
    cwd: project,
    env: { HFT_URL: url, HFT_TOKEN: engine.token },
    timeout: 20_000,
  });
  expect(stdout).toContain('bob buy 1 at 100.5 as taker');
  expect(stdout).toContain('HFT_PRICE_OFF_TICK: price must be a whole number of ticks of 0.01, found "100.505"');
  expect(stdout).toContain("symbol: 'BTC-USD'");
});

it('has types that hold', async () => {
  const wrong = `import { connect } from 'hftengine/client';
    const engine = await connect({ url: '', token: '' });
    // @ts-expect-error: a decimal is a string
    await engine.place({ symbol: 'X', account: 'a', side: 'buy', type: 'limit', price: 100, quantity: '1' });
    // @ts-expect-error: and so it is in answers
    const price: number = (await engine.order('1')).price;
    export { price };`;
  writeFileSync(join(project, 'wrong.ts'), wrong);
  const flags = [
    '--ignoreConfig',
    '--noEmit',
    '--strict',
    '--skipLibCheck',
    '--target',
    'es2024',
    '--module',
    'nodenext',
    '--types',
    'node',
  ];
  const { stdout, exitCode } = await execa(join(ROOT, 'node_modules/.bin/tsc'), [...flags, 'example.ts', 'wrong.ts'], {
    cwd: project,
    reject: false,
    timeout: 60_000,
  });
  expect(stdout).toBe('');
  expect(exitCode).toBe(0);
});
