import { mkdir } from 'node:fs/promises';
import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { dirname } from 'node:path';
import type { Log } from './progress.ts';

const WAIT_SECONDS = 600;

/**
 * Takes the machine-wide lock of the file `path`, waiting up to ten minutes for who has it. The kernel holds it for a child
 * that ends with this process, however that goes, so a crash never leaves it locked.
 */
export async function holdLock(path: string, log: Log): Promise<AsyncDisposable> {
  await mkdir(dirname(path), { recursive: true });
  const child = spawn('flock', ['--wait', String(WAIT_SECONDS), path, 'sh', '-c', 'echo locked; exec cat'], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const patience = setTimeout(() => log(`waiting for another command that holds ${path}`), 1_000);
  const taken = await Promise.race([once(child.stdout, 'data').then(() => true), once(child, 'exit').then(() => false)]);
  clearTimeout(patience);
  if (!taken) throw new Error(`another command held ${path} for ${WAIT_SECONDS} s: end it, then try again`);
  return {
    async [Symbol.asyncDispose]() {
      const ended = once(child, 'exit');
      child.stdin.end();
      await ended;
    },
  };
}
