/** Whether the Secrets that `spec.tls` names can be served: looked at before a pod waits for what is not there, or an engine refuses to start. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { HFTEngine } from '../../crds/hftengine.ts';
import type { KubeClient } from '../kube/client.ts';
import { resources } from '../kube/resource.ts';

export interface TlsProblem {
  reason: 'CertificateMissing' | 'CertificateInvalid';
  message: string;
}

/** Keys of a Secret in base64; undefined when there is no such Secret. */
type SecretData = Readonly<Record<string, string>> | undefined;

/** Why the certificate of an engine cannot be served; undefined when it can, or when none is asked for. */
export async function tlsProblemOf(client: KubeClient, engine: HFTEngine, now: Date, signal: AbortSignal): Promise<TlsProblem | undefined> {
  const { tls } = engine.spec;
  if (tls === undefined) return undefined;
  const { namespace } = engine.metadata;
  const read = async (name: string): Promise<SecretData> => {
    const secret = await client.find(resources.secrets, { name, namespace }, { signal });
    return secret === undefined ? undefined : (secret.data ?? {});
  };
  const own = await read(tls.secretName);
  const { clientCaSecretName: authorities = tls.secretName } = tls;
  return judgeTls(tls, own, authorities === tls.secretName ? own : await read(authorities), now);
}

/** Pure. No message holds what a Secret holds. */
export function judgeTls(
  tls: NonNullable<HFTEngine['spec']['tls']>,
  own: SecretData,
  authorities: SecretData,
  now: Date,
): TlsProblem | undefined {
  const { secretName, clientCaSecretName: caSecretName = secretName, clientAuth } = tls;
  const missing = (message: string): TlsProblem => ({
    reason: 'CertificateMissing',
    message: `${message}: nothing is rolled out until it is there`,
  });
  const invalid = (message: string): TlsProblem => ({ reason: 'CertificateInvalid', message });
  if (own === undefined) {
    return missing(
      `spec.tls.secretName: there is no Secret ${secretName} in this namespace; make it with \`kubectl create secret tls ${secretName} --cert=FILE --key=FILE\` or a Certificate of cert-manager`,
    );
  }
  const [certificate, key] = [textOf(own, 'tls.crt'), textOf(own, 'tls.key')];
  for (const [name, text] of [['tls.crt', certificate] as const, ['tls.key', key] as const])
    if (text === '')
      return missing(`spec.tls.secretName: the Secret ${secretName} has no ${name}; it must be of the type kubernetes.io/tls`);
  try {
    const parsed = new X509Certificate(certificate);
    if (!parsed.checkPrivateKey(createPrivateKey(key)))
      return invalid(
        `spec.tls.secretName: tls.key of the Secret ${secretName} is not the key of its tls.crt: put in the two that belong together`,
      );
    if (parsed.validToDate.getTime() <= now.getTime())
      return invalid(
        `spec.tls.secretName: the certificate in the Secret ${secretName} ended on ${parsed.validToDate.toISOString()}: renew it`,
      );
  } catch {
    return invalid(`spec.tls.secretName: tls.crt or tls.key of the Secret ${secretName} is no PEM: put a certificate and its key in`);
  }
  if (clientAuth === 'none') return undefined;
  if (authorities === undefined)
    return missing(`spec.tls.clientCaSecretName: there is no Secret ${caSecretName} in this namespace; make it with an entry ca.crt`);
  const ca = textOf(authorities, 'ca.crt');
  if (ca === '')
    return missing(
      `spec.tls: the Secret ${caSecretName} has no ca.crt, which client certificates are verified by; add it, or name another with clientCaSecretName`,
    );
  try {
    void new X509Certificate(ca);
  } catch {
    return invalid(
      `spec.tls: ca.crt of the Secret ${caSecretName} is no certificate in PEM: put the authority of the client certificates in`,
    );
  }
  return undefined;
}

function textOf(data: Readonly<Record<string, string>>, key: string): string {
  return Buffer.from(data[key] ?? '', 'base64').toString('utf8');
}
