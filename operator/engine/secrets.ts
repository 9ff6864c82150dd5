/** What is secret of an engine: kept as it stands in its Secret, made where there is none, and its keys replaced when their time has come. */
import { randomBytes } from 'node:crypto';
import type { EngineSecrets } from '../../charts/engine.ts';
import { ADMIN_TOKEN_KEY, engineNames, SIGNING_KEYS_KEY } from '../../charts/names.ts';
import type { HFTEngine, HFTEngineStatus } from '../../crds/hftengine.ts';
import { parseDurationMs } from '../../crds/quantity.ts';
import type { KubeClient } from '../kube/client.ts';
import { resources } from '../kube/resource.ts';
import { ownershipOf } from './ownership.ts';
import { newSigningKey, parseSigningKeys, planKeys, SigningKeysFault, type KeyPlan } from './signing-keys.ts';

export interface ObservedSecrets {
  readonly secrets: EngineSecrets;
  /** What is to be said of the keys in the Secret; absent while there are none. */
  readonly keys?: NonNullable<HFTEngineStatus['keys']>;
  /** Why the keys in the Secret cannot be used: nothing is written to it then. */
  readonly keysFault?: string;
  /** Whether {@link secrets} holds other keys than the Secret does. */
  readonly keysChanged: boolean;
  readonly nextKeyChange?: Date;
}

interface Stored {
  readonly adminToken: string;
  readonly signingKeys: string;
}

/**
 * The admin token and the signing keys of an engine: those that were seen in its Secret, or new ones. The Secret is read from the API server when
 * none was seen, because a new token would lock the operator out of an engine that runs with the old one, and before keys are replaced. New ones
 * are remembered only once they are seen stored: another leader may have stored others meanwhile.
 */
export async function secretsOf(
  { client, secrets: known }: { client: KubeClient; secrets: Map<string, EngineSecrets> },
  engine: HFTEngine,
  now: Date,
  signal: AbortSignal,
): Promise<ObservedSecrets> {
  const { uid } = engine.metadata;
  const remembered = known.get(uid);
  if (remembered !== undefined) {
    const seen = judge(engine, remembered, now);
    if (!seen.keysChanged) return seen;
    // By keys that somebody has taken out or added meanwhile nothing should be planned.
    known.delete(uid);
  }
  const stored = await read(client, engine, signal);
  const hasToken = stored.adminToken.length >= 32;
  const adminToken = hasToken ? stored.adminToken : randomBytes(32).toString('base64url');
  const seen = judge(engine, { adminToken, signingKeys: stored.signingKeys }, now);
  if (hasToken && !seen.keysChanged && seen.keysFault === undefined) known.set(uid, seen.secrets);
  return seen;
}

async function read(client: KubeClient, engine: HFTEngine, signal: AbortSignal): Promise<Stored> {
  const { name, namespace } = engine.metadata;
  const secret = await client.find(resources.secrets, { name: engineNames(name).keysSecret, namespace }, { signal });
  const ours = secret !== undefined && ownershipOf(secret, engine, 'Secret') === 'ours';
  const stored = (key: string): string => (ours ? Buffer.from(secret.data?.[key] ?? '', 'base64').toString('utf8') : '');
  return { adminToken: stored(ADMIN_TOKEN_KEY), signingKeys: stored(SIGNING_KEYS_KEY) };
}

function judge({ metadata, spec: { auth } }: HFTEngine, { adminToken, signingKeys }: Stored, now: Date): ObservedSecrets {
  const rotation = { rotateEveryMs: parseDurationMs(auth.rotateEvery), overlapMs: parseDurationMs(auth.overlap) };
  try {
    const keys = signingKeys === '' ? [] : parseSigningKeys(signingKeys);
    const planned = planKeys(keys, rotation, now, newSigningKey);
    return {
      secrets: { adminToken, signingKeys: planned.changed ? `${JSON.stringify({ keys: planned.keys }, null, 2)}\n` : signingKeys },
      // What is told is what is stored: keys that were only planned may never come to be.
      ...(!planned.changed && { keys: told(planned) }),
      keysChanged: planned.changed,
      nextKeyChange: planned.nextChange,
    };
  } catch (fault) {
    if (!(fault instanceof SigningKeysFault)) throw fault;
    const { keysSecret } = engineNames(metadata.name);
    const keysFault =
      `the Secret ${keysSecret} has been edited and its ${SIGNING_KEYS_KEY} cannot be used: ${fault.message}; correct it, or remove that ` +
      'entry and a new key is made; until then the Secret is left as it is, and a running engine keeps the keys that it has';
    return { secrets: { adminToken, signingKeys: '{"keys": []}' }, keysFault, keysChanged: false };
  }
}

function told({ keys: [signing, ...others], nextRotation }: KeyPlan): NonNullable<HFTEngineStatus['keys']> {
  const time = (seconds: number): string => new Date(seconds * 1000).toISOString();
  return {
    signing: signing?.kid ?? '',
    nextRotation: nextRotation.toISOString(),
    valid: [...(signing === undefined ? [] : [signing]), ...others].map(({ kid, nbf, exp }) => ({
      id: kid,
      ...(nbf !== undefined && { from: time(nbf) }),
      ...(exp !== undefined && { until: time(exp) }),
    })),
  };
}
