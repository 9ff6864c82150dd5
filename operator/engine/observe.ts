/** Step one of a reconcile: gather what is known of an HFTEngine, from the caches and from the engines themselves. */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { EngineSecrets } from '../../charts/engine.ts';
import { engineConfigOf } from '../../crds/engine-config.ts';
import type { HFTEngine } from '../../crds/hftengine.ts';
import { ADMIN_TOKEN_KEY, engineNames, SIGNING_KEYS_KEY } from '../../charts/names.ts';
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
  const secrets = await secretsOf({ client, secrets: known }, engine, signal);
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
    now: new Date(),
    secrets,
    ...(deployment === undefined ? {} : { deployment }),
    configMaps: caches.childrenOf('ConfigMap', ref),
    ...(claim === undefined ? {} : { claim }),
    pods,
    ...(check === undefined ? {} : { check }),
  };
  return { observed, wanted };
}

/**
 * The admin token and the signing keys of an engine: those that were seen in its Secret, or new ones. The Secret is read from the API server when
 * none was seen, because a new token would lock the operator out of an engine that runs with the old one. New ones are remembered only once they
 * are seen stored: another leader may have stored others meanwhile.
 */
async function secretsOf(
  { client, secrets }: Pick<Observer, 'client' | 'secrets'>,
  engine: HFTEngine,
  signal: AbortSignal,
): Promise<EngineSecrets> {
  const { name, namespace, uid } = engine.metadata;
  const remembered = secrets.get(uid);
  if (remembered !== undefined) return remembered;
  const secret = await client.find(resources.secrets, { name: engineNames(name).keysSecret, namespace }, { signal });
  const ours = secret !== undefined && ownershipOf(secret, engine, 'Secret') === 'ours';
  const stored = (key: string): string => (ours ? Buffer.from(secret.data?.[key] ?? '', 'base64').toString('utf8') : '');
  const [adminToken, signingKeys] = [stored(ADMIN_TOKEN_KEY), stored(SIGNING_KEYS_KEY)];
  const found = { adminToken: adminToken.length >= 32, signingKeys: hasPrivateKey(signingKeys) };
  const kept: EngineSecrets = {
    adminToken: found.adminToken ? adminToken : randomBytes(32).toString('base64url'),
    signingKeys: found.signingKeys ? signingKeys : newSigningKeys(),
  };
  if (found.adminToken && found.signingKeys) secrets.set(uid, kept);
  return kept;
}

const signingKeysSchema = z.object({ keys: z.array(z.looseObject({ kid: z.string(), d: z.string() })).min(1) });

function hasPrivateKey(text: string): boolean {
  try {
    return signingKeysSchema.safeParse(JSON.parse(text)).success;
  } catch {
    return false;
  }
}

/** A JWKS of one EdDSA key, private part included, as engine/access/keys.ts reads it. */
function newSigningKeys(): string {
  const { x, d } = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
  const key = { kid: randomBytes(8).toString('hex'), alg: 'EdDSA', use: 'sig', kty: 'OKP', crv: 'Ed25519', x, d };
  return `${JSON.stringify({ keys: [key] }, null, 2)}\n`;
}
