/** Fetches the books that ours is compared with, once, into the project's cache. */
import { execa } from 'execa';
import { existsSync, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const FETCH_TIMEOUT_MS = 300_000;
const NODE_ORDER_BOOK = 'nodejs-order-book@10.1.1';

/** Where peers are kept: `bench-peers` in the cache of the project. */
export function peersDirectory(environment: NodeJS.ProcessEnv): string {
  const cache = environment['HFT_CACHE_DIR'] || join(environment['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'hftengine');
  return join(cache, 'bench-peers');
}

/**
 * Puts nodejs-order-book (by npm) and exchange-core with what it needs (by Maven, when java and mvn are here) into `directory`, unless they are there. What
 * cannot be had is told to `log` and left out.
 */
export async function fetchPeers(directory: string, log: (line: string) => void): Promise<void> {
  mkdirSync(directory, { recursive: true });
  const fetch = async (name: string, there: string, command: string, args: readonly string[]): Promise<void> => {
    if (existsSync(join(directory, there))) return;
    log(`fetching ${name} ...`);
    const run = await execa(command, args, { timeout: FETCH_TIMEOUT_MS, stdin: 'ignore', reject: false });
    if (!existsSync(join(directory, there)))
      log(`${name} is left out: ${(run.stderr || run.stdout || run.shortMessage || '').trim().slice(-500)}`);
  };
  await fetch('nodejs-order-book', 'node_modules/nodejs-order-book', 'npm', [
    'install',
    '--no-audit',
    '--no-fund',
    '--prefix',
    directory,
    NODE_ORDER_BOOK,
  ]);
  const java = await execa('java', ['-version'], { reject: false, stdin: 'ignore' });
  if (java.exitCode !== 0) {
    log('exchange-core is left out: there is no java');
    return;
  }
  await fetch('exchange-core', 'lib/exchange-core-0.5.3.jar', 'mvn', [
    '--quiet',
    '--batch-mode',
    '--file',
    join(import.meta.dirname, 'peers', 'pom.xml'),
    'dependency:copy-dependencies',
    `-DoutputDirectory=${join(directory, 'lib')}`,
  ]);
}
