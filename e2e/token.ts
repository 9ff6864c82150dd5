/** Tokens for an engine on a cluster, by the signing keys in its Secret. */
import { engineNames, SIGNING_KEYS_KEY } from '../charts/names.ts';
import { signingKeyOf, signToken } from '../engine/access/sign.ts';
import type { Kubectl } from './kubectl.ts';

/** A token of a trader for all accounts, good for an hour. */
export async function traderToken(kubectl: Kubectl, { name, namespace }: { name: string; namespace: string }): Promise<string> {
  const secret = engineNames(name).keysSecret;
  const path = `jsonpath={.data.${SIGNING_KEYS_KEY.replace('.', String.raw`\.`)}}`;
  const encoded = await kubectl(['-n', namespace, 'get', 'secret', secret, '-o', path]);
  const key = signingKeyOf(Buffer.from(encoded, 'base64').toString('utf8'), `Secret ${namespace}/${secret}`);
  return await signToken(key, { engine: name, subject: 'e2e', roles: ['trader'], accounts: 'all', lifetimeMs: 3_600_000 });
}
