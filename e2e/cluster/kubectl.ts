import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chooseProvider } from './choose.ts';

// `npm run --silent kubectl -- ARGS`: kubectl of the cluster's release on the cluster that is up. HFT_PROVIDER and
// HFT_CONTEXT choose another; every argument is kubectl's.

try {
  const provider = await chooseProvider({ context: process.env['HFT_CONTEXT'], log: (line) => console.error(line) });
  const [kubectl, kubeconfig] = await Promise.all([provider.kubectlPath(), provider.kubeconfigPath()]);
  const child = spawn(kubectl, process.argv.slice(2), { stdio: 'inherit', env: { ...process.env, KUBECONFIG: kubeconfig } });
  // The terminal sends Ctrl-C to both; kubectl decides what it means.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
  const [code, signal] = await once(child, 'exit');
  process.exitCode = typeof code === 'number' ? code : 128 + (signal === 'SIGINT' ? 2 : 15);
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
