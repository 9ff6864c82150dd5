/** Reaching a Service of the cluster from this machine. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Kubectl } from './kubectl.ts';

export interface Reached extends AsyncDisposable {
  /** `http://HOST:PORT` */
  readonly url: string;
}

export interface ReachOptions {
  kubectl: Kubectl;
  kubectlPath: string;
  kubeconfigPath: string;
  namespace: string;
  service: string;
  port: number;
  /** Whether this machine routes to Service addresses, as the local provider does. */
  direct: boolean;
}

/** The address of a Service: its own where this machine routes to it, else a port-forward that ends with the disposal. */
export async function reach(options: ReachOptions): Promise<Reached> {
  const { kubectl, namespace, service, port, direct } = options;
  if (!direct) return await portForward(options);
  const address = await kubectl(['-n', namespace, 'get', 'service', service, '-o', 'jsonpath={.spec.clusterIP}']);
  const url = `http://${address}:${port}`;
  await answering(url);
  return { url, [Symbol.asyncDispose]: () => Promise.resolve() };
}

const ANSWER_TIMEOUT_MS = 15_000;

/** A pod is Ready before every node's kube-proxy knows it: up to a second in which its Service still refuses connections. */
async function answering(url: string): Promise<void> {
  const deadlineMs = performance.now() + ANSWER_TIMEOUT_MS;
  for (;;) {
    try {
      const response = await fetch(`${url}/health`, { signal: AbortSignal.timeout(2_000) });
      await response.body?.cancel();
      return;
    } catch (error) {
      if (performance.now() > deadlineMs) throw new Error(`${url} does not answer within ${ANSWER_TIMEOUT_MS} ms`, { cause: error });
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

const FORWARD_TIMEOUT_MS = 30_000;

/** A port-forward follows one pod: when that pod goes, it ends, and the address with it. */
async function portForward({ kubectlPath, kubeconfigPath, namespace, service, port }: ReachOptions): Promise<Reached> {
  const args = [
    '--kubeconfig',
    kubeconfigPath,
    '-n',
    namespace,
    'port-forward',
    '--address',
    '127.0.0.1',
    `service/${service}`,
    `:${port}`,
  ];
  const child = spawn(kubectlPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const endWithParent = (): void => void child.kill();
  process.once('exit', endWithParent);
  child.once('exit', () => process.off('exit', endWithParent));
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (said += chunk));
  const localPort = await new Promise<string>((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`kubectl port-forward did not answer within ${FORWARD_TIMEOUT_MS} ms: ${said}`)),
      FORWARD_TIMEOUT_MS,
    );
    child.once('exit', () => reject(new Error(`kubectl port-forward ended: ${said}`)));
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      said += chunk;
      const found = /127\.0\.0\.1:([0-9]+) ->/.exec(said)?.[1];
      if (found === undefined) return;
      clearTimeout(timer);
      resolve(found);
    });
  });
  return {
    url: `http://127.0.0.1:${localPort}`,
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      child.kill();
      await ended;
    },
  };
}
