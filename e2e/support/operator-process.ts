/** The operator as a process of this machine, against any API server: for tests that kill it, or that put a fault between the two. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { eventually } from '../wait.ts';

const MAIN = fileURLToPath(new URL('../../operator/main.ts', import.meta.url));

export interface OperatorProcess extends AsyncDisposable {
  readonly pid: number;
  /** Everything that it has logged. */
  log(): string;
  /** Status and body of a path of its health server. */
  get(path: string): Promise<{ status: number; body: string }>;
  kill(signal: NodeJS.Signals): Promise<void>;
}

export interface OperatorProcessOptions {
  kubeconfigPath: string;
  /** Namespace of the Lease. */
  namespace: string;
  /** Default 15. */
  leaseSeconds?: number;
  watchNamespace?: string;
}

/** Resolves once the process listens; it may still be waiting for the Lease. */
export async function startOperator(options: OperatorProcessOptions): Promise<OperatorProcess> {
  const args = ['--kubeconfig', options.kubeconfigPath, '--namespace', options.namespace, '--port', '0', '--host', '127.0.0.1'];
  if (options.leaseSeconds !== undefined) args.push('--lease-seconds', String(options.leaseSeconds));
  if (options.watchNamespace !== undefined) args.push('--watch-namespace', options.watchNamespace);
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  const endWithParent = (): void => void child.kill('SIGKILL');
  process.once('exit', endWithParent);
  child.once('exit', () => process.off('exit', endWithParent));
  const port = await eventually(
    'the operator listens',
    () => {
      if (hasEnded(child)) throw new Error(`the operator ended: ${text}`);
      return /"port":([0-9]+)/.exec(text)?.[1];
    },
    { timeoutMs: 20_000, everyMs: 10 },
  );
  const kill = async (signal: NodeJS.Signals): Promise<void> => {
    if (hasEnded(child)) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    const force = setTimeout(() => child.kill('SIGKILL'), 15_000);
    await ended;
    clearTimeout(force);
  };
  return {
    pid: child.pid ?? 0,
    log: () => text,
    get: async (path) => {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(5_000) });
      return { status: response.status, body: await response.text() };
    },
    kill,
    [Symbol.asyncDispose]: () => kill('SIGKILL'),
  };
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}
