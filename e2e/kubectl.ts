/** kubectl on one cluster, for programs. */
import { execa } from 'execa';

export interface Kubectl {
  /** Standard output of a call; rejects with kubectl's own message when it fails. `input` goes to standard input. */
  (args: readonly string[], options?: { input?: string; timeoutMs?: number }): Promise<string>;
}

/** @param program Path of kubectl. */
export function kubectlFor(program: string, kubeconfigPath: string): Kubectl {
  return async (args, { input, timeoutMs = 60_000 } = {}) => {
    const run = await execa(program, ['--kubeconfig', kubeconfigPath, ...args], {
      timeout: timeoutMs,
      ...(input === undefined ? {} : { input }),
    });
    return run.stdout;
  };
}
