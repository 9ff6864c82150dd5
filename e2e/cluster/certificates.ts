import { createPrivateKey, X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { isIP } from 'node:net';
import { dirname } from 'node:path';
import { execa } from 'execa';

/** Paths of a certificate and its private key, both PEM. */
export interface KeyPair {
  readonly certificatePath: string;
  readonly keyPath: string;
}

/** What a leaf certificate says; `groups` become O, which Kubernetes reads as groups. */
export interface LeafRequest {
  readonly user: string;
  readonly groups?: readonly string[];
  /** DNS names and IP addresses; giving any makes it a serving certificate. */
  readonly hosts?: readonly string[];
  /** Also usable as a client certificate. Default: true when there are no hosts. */
  readonly client?: boolean;
}

const VALID_DAYS = 365;
const RENEW_BEFORE_MS = 30 * 24 * 3600 * 1000;
const EC_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-sha256'];

export function keyPair(directory: string, name: string): KeyPair {
  return { certificatePath: `${directory}/${name}.crt`, keyPath: `${directory}/${name}.key` };
}

/** Creates a self-signed CA unless one is there that is valid for another month. Needs OpenSSL 3. */
export async function ensureAuthority(pair: KeyPair, name: string): Promise<void> {
  if (await stillGood(pair, undefined, undefined)) return;
  await openssl(pair, [
    'req',
    '-x509',
    ...EC_KEY,
    '-days',
    '3650',
    '-subj',
    subject({ user: name }),
    '-addext',
    'basicConstraints=critical,CA:TRUE',
    '-addext',
    'keyUsage=critical,keyCertSign,cRLSign,digitalSignature',
  ]);
}

/** Creates a leaf certificate signed by `authority`, unless the present one says the same and is valid for another month. */
export async function ensureLeaf(pair: KeyPair, authority: KeyPair, request: LeafRequest): Promise<void> {
  if (await stillGood(pair, authority, request)) return;
  await openssl(pair, [
    'req',
    '-x509',
    '-CA',
    authority.certificatePath,
    '-CAkey',
    authority.keyPath,
    ...EC_KEY,
    '-days',
    String(VALID_DAYS),
    '-subj',
    subject(request),
    ...leafExtensions(request),
  ]);
}

/** Creates a private key (PEM) for signing service-account tokens, and its public key, unless they are there. */
export async function ensureSigningKey(keyPath: string, publicKeyPath: string): Promise<void> {
  if (existsSync(keyPath) && existsSync(publicKeyPath)) return;
  await mkdir(dirname(keyPath), { recursive: true, mode: 0o700 });
  await execa('openssl', ['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-out', keyPath]);
  await execa('openssl', ['pkey', '-in', keyPath, '-pubout', '-out', publicKeyPath]);
}

/** The subject in OpenSSL's form; a slash or backslash in a name is escaped. */
export function subject(request: LeafRequest): string {
  const escape = (text: string) => text.replaceAll(/[\\/+=]/g, '\\$&');
  return [...(request.groups ?? []).map((group) => `/O=${escape(group)}`), `/CN=${escape(request.user)}`].join('');
}

/** The subject as `X509Certificate` shows it. */
function subjectLines(request: LeafRequest): string {
  return [...(request.groups ?? []).map((group) => `O=${group}`), `CN=${request.user}`].join('\n');
}

/** The `-addext` arguments of a leaf: usages and, for a server, its names. */
export function leafExtensions(request: LeafRequest): string[] {
  const hosts = request.hosts ?? [];
  const usages = [...(hosts.length > 0 ? ['serverAuth'] : []), ...((request.client ?? hosts.length === 0) ? ['clientAuth'] : [])];
  const extensions = ['basicConstraints=critical,CA:FALSE', 'keyUsage=critical,digitalSignature', `extendedKeyUsage=${usages.join(',')}`];
  if (hosts.length > 0) extensions.push(`subjectAltName=${hosts.map(alternativeName).join(',')}`);
  return extensions.flatMap((extension) => ['-addext', extension]);
}

function alternativeName(host: string): string {
  return `${isIP(host) ? 'IP' : 'DNS'}:${host}`;
}

async function openssl(pair: KeyPair, args: string[]): Promise<void> {
  await mkdir(dirname(pair.keyPath), { recursive: true, mode: 0o700 });
  await rm(pair.certificatePath, { force: true });
  const fresh = `${pair.certificatePath}.new`;
  try {
    await execa('openssl', [...args, '-keyout', pair.keyPath, '-out', fresh], { timeout: 20_000 });
  } catch (error) {
    throw new Error('openssl could not make a certificate: OpenSSL 3 or newer is needed on PATH (`openssl version`)', {
      cause: error,
    });
  }
  await rename(fresh, pair.certificatePath);
}

async function stillGood(pair: KeyPair, authority: KeyPair | undefined, request: LeafRequest | undefined): Promise<boolean> {
  try {
    const certificate = new X509Certificate(await readFile(pair.certificatePath));
    if (!certificate.checkPrivateKey(createPrivateKey(await readFile(pair.keyPath)))) return false;
    if (Date.parse(certificate.validTo) - Date.now() < RENEW_BEFORE_MS) return false;
    if (authority) {
      const issuer = new X509Certificate(await readFile(authority.certificatePath));
      if (!certificate.verify(issuer.publicKey)) return false;
    }
    if (request && certificate.subject !== subjectLines(request)) return false;
    return (request?.hosts ?? []).every((host) => (isIP(host) ? certificate.checkIP(host) : certificate.checkHost(host)));
  } catch {
    return false;
  }
}
