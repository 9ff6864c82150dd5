/** Step one of a reconcile: gather what is known of an HFTEngine, from the caches and from the engines themselves. */
import { randomBytes } from 'node:crypto';
import { engineConfigOf } from '../../crds/engine-config.ts';
import type { HFTEngine } from '../../crds/hftengine.ts';
import { ADMIN_TOKEN_KEY, engineNames } from '../../charts/names.ts';
import type { KubeClient } from '../kube/client.ts';
import { resources } from '../kube/resource.ts';
import type { Caches } from './caches.ts';
import type { Observed, ObservedPod } from './observed.ts';
import { ownershipOf } from './ownership.ts';
import { isOver, isRunning, isTerminating } from './pods.ts';
import { needsCheck } from './plan.ts';
import type { EngineProbe } from './probe.ts';
import type { Deployment, Pod } from './resource.ts';
import { wantedOf, type Wanted } from './wanted.ts';

export interface Observer {
  client: KubeClient;
  caches: Caches;
  probe: EngineProbe;
  /** Admin tokens by uid of the HFTEngine: a Secret deleted by hand comes back with the token that the engine already has. */
  tokens: Map<string, string>;
  /** Namespace that the operator runs in. */
  operatorNamespace: string;
}

/** Throws KubeError when the Secret must be read and the API server does not answer. */
export async function observe(
  { client, caches, probe, tokens, operatorNamespace }: Observer,
  engine: HFTEngine,
  signal: AbortSignal,
): Promise<{ observed: Omit<Observed, 'applyFailure'>; wanted: Wanted }> {
  const ref = { name: engine.metadata.name, namespace: engine.metadata.namespace };
  const names = engineNames(ref.name);
  const adminToken = await adminTokenOf({ client, tokens }, engine, signal);
  const wanted = wantedOf({ engine, spec: engine.spec, adminToken, operatorNamespace });
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
    now: new Date(),
    adminToken,
    ...(deployment === undefined ? {} : { deployment }),
    configMaps: caches.childrenOf('ConfigMap', ref),
    ...(claim === undefined ? {} : { claim }),
    pods,
    ...(check === undefined ? {} : { check }),
  };
  return { observed, wanted };
}

/**
 * The admin token of an engine: the one that was seen in its Secret, or a new one. The Secret is read from the API server when none was seen,
 * because a new token would lock the operator out of an engine that runs with the old one. A new token is remembered only once it is seen
 * stored: another leader may have stored another meanwhile.
 */
async function adminTokenOf(
  { client, tokens }: Pick<Observer, 'client' | 'tokens'>,
  engine: HFTEngine,
  signal: AbortSignal,
): Promise<string> {
  const { name, namespace, uid } = engine.metadata;
  const remembered = tokens.get(uid);
  if (remembered !== undefined) return remembered;
  const secret = await client.find(resources.secrets, { name: engineNames(name).keysSecret, namespace }, { signal });
  const ours = secret !== undefined && ownershipOf(secret, engine, 'Secret') === 'ours';
  const stored = ours ? Buffer.from(secret.data?.[ADMIN_TOKEN_KEY] ?? '', 'base64').toString('utf8') : '';
  if (stored.length < 32) return randomBytes(32).toString('base64url');
  tokens.set(uid, stored);
  return stored;
}
