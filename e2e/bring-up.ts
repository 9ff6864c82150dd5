/** From a provider to a cluster with the operator on it: what `npm run up` and the end-to-end tests share. Every step is safe to repeat. */
import { execa } from 'execa';
import { fileURLToPath } from 'node:url';
import { OPERATOR_NAME, OPERATOR_NAMESPACE } from '../charts/names.ts';
import { buildImages } from '../images/build.ts';
import { ensureDebianPackages } from './cluster/debian.ts';
import type { ClusterProvider } from './cluster/provider.ts';
import { kubectlFor, type Kubectl } from './kubectl.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

export type Log = (line: string) => void;

export interface BroughtUp {
  provider: ClusterProvider;
  kubeconfigPath: string;
  kubectl: Kubectl;
  /** Name of the engine image that was just built: one for each content, so that a new build is a change that rolls out. */
  engineImage: string;
}

/** Runs a step and says how long it took. */
export async function step<T>(log: Log, title: string, work: () => Promise<T>): Promise<T> {
  const startedMs = performance.now();
  log(`${title} ...`);
  const result = await work();
  log(`${title}: done in ${((performance.now() - startedMs) / 1_000).toFixed(1)} s`);
  return result;
}

/** Brings the cluster up, loads the images, installs the operator and waits until it leads. */
export async function bringUp(provider: ClusterProvider, log: Log): Promise<BroughtUp> {
  await provider.up(log);
  const kubeconfigPath = await provider.kubeconfigPath();
  const kubectl = kubectlFor(await provider.kubectlPath(), kubeconfigPath);
  const images = await step(log, 'images', async () => {
    await ensureDebianPackages(['buildah'], log);
    return await buildImages({ log });
  });
  await step(log, 'load images', async () => {
    for (const { archivePath } of images) await provider.loadImage(archivePath);
  });
  const nameOf = (program: 'engine' | 'operator'): string => {
    const image = images.find((candidate) => candidate.program === program);
    if (image === undefined) throw new Error(`no image was built for the ${program}`);
    return image.contentName;
  };
  await step(log, 'install the operator', async () => {
    await execa(
      'cdk8s',
      [
        'synth',
        '--check-upgrade=false',
        '--app',
        `node cdk8s/main.ts --operator-image ${nameOf('operator')} --engine-image ${nameOf('engine')}`,
      ],
      {
        cwd: ROOT,
        preferLocal: true,
        timeout: 60_000,
      },
    );
    await kubectl(['apply', '--server-side', '--force-conflicts', '-f', `${ROOT}dist/`]);
    await kubectl(['wait', '--for=condition=Established', '--timeout=30s', 'crd/hftengines.hftengine.io']);
    await kubectl(['-n', OPERATOR_NAMESPACE, 'rollout', 'status', `deployment/${OPERATOR_NAME}`, '--timeout=180s'], { timeoutMs: 200_000 });
  });
  return { provider, kubeconfigPath, kubectl, engineImage: nameOf('engine') };
}
