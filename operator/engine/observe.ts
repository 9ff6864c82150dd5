/** Step one of a reconcile: gather what is known of an HFTEngine, from the caches and from the engines themselves. */
import type { EngineSecrets } from '../../charts/engine.ts';
import { engineConfigOf } from '../../crds/engine-config.ts';
import type { HFTEngine } from '../../crds/hftengine.ts';
import { engineNames } from '../../charts/names.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Caches } from './caches.ts';
import type { Observed, ObservedPod } from './observed.ts';
import { isOver, isRunning, isTerminating } from './pods.ts';
import { needsCheck } from './plan.ts';
import type { EngineProbe } from './probe.ts';
import type { Deployment, Pod } from './resource.ts';
import { secretsOf } from './secrets.ts';
import { tlsProblemOf } from './tls.ts';
import { wantedOf, type Wanted } from './wanted.ts';

export interface Observer {
  client: KubeClient;
  caches: Caches;
  probe: EngineProbe;
  /** By uid of the HFTEngine: a Secret deleted by hand comes back with the token and the keys that the engine already has. */
  secrets: Map<string, EngineSecrets>;
  /** Namespace that the operator runs in. */
  operatorNamespace: string;
}

/** Throws KubeError when the Secret must be read and the API server does not answer. */
export async function observe(
  { client, caches, probe, secrets: known, operatorNamespace }: Observer,
  engine: HFTEngine,
  signal: AbortSignal,
): Promise<{ observed: Omit<Observed, 'applyFailure'>; wanted: Wanted }> {
  const ref = { name: engine.metadata.name, namespace: engine.metadata.namespace };
  const names = engineNames(ref.name);
  const now = new Date();
  const [observedSecrets, tlsProblem] = await Promise.all([
    secretsOf({ client, secrets: known }, engine, now, signal),
    tlsProblemOf(client, engine, now, signal),
  ]);
  const { secrets } = observedSecrets;
  const { adminToken } = secrets;
  const wanted = wantedOf({ engine, spec: engine.spec, secrets, operatorNamespace });
  const deployment: Deployment | undefined = caches
    .childrenOf('Deployment', ref)
    .find(({ metadata }) => metadata.name === names.deployment);
  const claim = caches.childrenOf('PersistentVolumeClaim', ref).find(({ metadata }) => metadata.name === names.journalClaim);
  const ask = async (pod: Pod): Promise<ObservedPod> =>
    isRunning(pod) && !isOver(pod) ? { pod, answer: await probe.status(pod, adminToken, signal) } : { pod };
  const pods = await Promise.all(caches.podsOf(ref).map(ask));
  const serving = pods.find(({ pod, answer }) => !isTerminating(pod) && answer?.reachable === true && answer.status.phase === 'serving');
  const check =
    serving !== undefined && needsCheck(wanted, deployment)
      ? await probe.check(serving.pod, adminToken, engineConfigOf(ref.name, engine.spec), signal)
      : undefined;
  const observed = {
    now,
    ...observedSecrets,
    ...(tlsProblem === undefined ? {} : { tlsProblem }),
    ...(deployment === undefined ? {} : { deployment }),
    configMaps: caches.childrenOf('ConfigMap', ref),
    ...(claim === undefined ? {} : { claim }),
    pods,
    ...(check === undefined ? {} : { check }),
  };
  return { observed, wanted };
}
