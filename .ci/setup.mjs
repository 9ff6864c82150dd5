// Runs a TypeScript program of this repository on a machine where nothing is installed yet:
//
//   node .ci/setup.mjs PROGRAM.ts [ARGUMENT ...]
//
// Plain JavaScript, because it starts under whatever Node the machine has (20 or newer): it installs the npm packages when the lock file
// has changed since the last time, then runs PROGRAM under the Node 24 that the lock file brings.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bin = join(root, 'node_modules', '.bin');
const stamp = join(root, 'node_modules', '.installed-lock-hash');

function fail(message) {
  console.error(`setup: ${message}`);
  process.exit(1);
}

function installPackages() {
  const wanted = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  const startedMs = Date.now();
  console.error('setup: installing npm packages (npm ci) ...');
  const result = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: root, stdio: ['ignore', 2, 2] });
  if (result.status !== 0) fail('npm ci failed; its message stands above');
  writeFileSync(stamp, wanted);
  console.error(`setup: npm packages installed in ${((Date.now() - startedMs) / 1000).toFixed(0)} s`);
}

function node24() {
  const bundled = join(bin, 'node');
  if (existsSync(bundled)) return bundled;
  if (Number(process.versions.node.split('.')[0]) >= 24) return process.execPath;
  return fail(`no Node 24 for ${process.platform}-${process.arch} comes with the packages: install Node 24 and run this again`);
}

const [program, ...programArguments] = process.argv.slice(2);
if (program === undefined) fail('usage: node .ci/setup.mjs PROGRAM.ts [ARGUMENT ...]');
installPackages();
const child = spawn(node24(), [join(root, program), ...programArguments], {
  stdio: 'inherit',
  env: { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH ?? ''}` },
});
// The program decides what a signal means (an engine drains); this process only waits for it. A terminal sends Ctrl-C to both.
for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT']) {
  process.on(signal, () => {
    if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
  });
}
child.once('error', (error) => fail(`${program} could not be started: ${error.message}`));
child.once('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
