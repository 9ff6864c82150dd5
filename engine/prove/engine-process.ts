/** A real engine process for tests and proofs. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { localToken } from '../access/local-token.ts';
import { EngineError, OrderClient } from '../client/orders.ts';
import { DEFAULT_CONFIG } from '../config/config.ts';

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));
const POLL_MS = 20;

export interface EngineProcess {
  readonly pid: number;
  readonly baseUrl: string;
  readonly opsUrl: string;
  /** For every role and account. */
  readonly token: string;
  /** Resolves at the end of the process, with its exit code or the signal's name. */
  readonly ended: Promise<number | string>;
  /** Everything it has written so far. */
  output(): string;
  kill(signal: NodeJS.Signals): void;
}

/** Starts an engine on free loopback ports and waits until it listens. Rejects with its output when it ends before. */
export async function spawnEngine(options: {
  dataDirectory: string;
  args?: readonly string[];
  /** For node itself, before the program. */
  nodeFlags?: readonly string[];
  environment?: Record<string, string>;
  timeoutMs?: number;
}): Promise<EngineProcess> {
  const child = spawn(
    process.execPath,
    [
      ...(options.nodeFlags ?? []),
      MAIN,
      '--data',
      options.dataDirectory,
      '--host',
      '127.0.0.1',
      '--port',
      '0',
      '--ops-port',
      '0',
      '--grpc-port',
      '0',
      '--market-data-port',
      '0',
      '--market-data-grpc-port',
      '0',
      ...(options.args ?? []),
    ],
    {
      env: { ...process.env, ...options.environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const output = collect(child);
  const ended = once(child, 'exit').then(([code, signal]): number | string => (typeof code === 'number' ? code : String(signal)));
  const urls = (): string[] => [...output().matchAll(/listening on (http:\/\/127\.0\.0\.1:[0-9]+)/g)].map(([, url]) => url ?? '');
  const deadline = AbortSignal.timeout(options.timeoutMs ?? 30_000);
  const over = { ended: false };
  void ended.then(() => (over.ended = true));
  // The operations port is listened on first.
  while (urls().length < 2) {
    if (over.ended || deadline.aborted) {
      child.kill('SIGKILL');
      throw new Error(`the engine does not listen:\n${output()}`);
    }
    await delay(POLL_MS);
  }
  const [opsUrl = '', baseUrl = ''] = urls();
  const token = await localToken(options.dataDirectory, DEFAULT_CONFIG.engine);
  return { pid: child.pid ?? 0, baseUrl, opsUrl, token, ended, output, kill: (signal) => void child.kill(signal) };
}

function collect(child: ChildProcess): () => string {
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
  }
  return () => text;
}

/** Waits until `/ready` answers 200. */
export async function untilReady(baseUrl: string, timeoutMs = 30_000): Promise<void> {
  const deadline = AbortSignal.timeout(timeoutMs);
  for (;;) {
    const ready = await fetch(`${baseUrl}/ready`, { signal: AbortSignal.timeout(2000) }).then(
      (answer) => answer.ok,
      () => false,
    );
    if (ready) return;
    if (deadline.aborted) throw new Error(`${baseUrl} is not ready after ${timeoutMs} ms`);
    await delay(POLL_MS);
  }
}

/** Every page of a listing. */
export async function allPages<T>(
  read: (after: string | undefined) => Promise<{ items: T[]; next: string | null }>,
  from?: string,
): Promise<T[]> {
  const items: T[] = [];
  for (let after = from; ;) {
    const page = await read(after);
    items.push(...page.items);
    if (page.next === null) return items;
    after = page.next;
  }
}

export { EngineError, OrderClient };
