import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureAuthority, ensureLeaf, keyPair, leafExtensions, subject, type KeyPair } from './certificates.ts';

let folder: string;
let authority: KeyPair;
const read = async (pair: KeyPair) => new X509Certificate(await readFile(pair.certificatePath));

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hft-certificates-'));
  authority = keyPair(folder, 'ca');
  await ensureAuthority(authority, 'kubernetes');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('certificates', () => {
  it('escapes what would end a part of the subject', () => {
    expect(subject({ user: 'a/b', groups: ['x=y', 'z'] })).toBe('/O=x\\=y/O=z/CN=a\\/b');
  });

  it('asks for a serving certificate only when there are hosts', () => {
    expect(leafExtensions({ user: 'me' }).join(' ')).toContain('extendedKeyUsage=clientAuth');
    const serving = leafExtensions({ user: 'me', hosts: ['a.b', '10.0.0.1', '::1'] }).join(' ');
    expect(serving).toContain('extendedKeyUsage=serverAuth');
    expect(serving).not.toContain('clientAuth');
    expect(serving).toContain('subjectAltName=DNS:a.b,IP:10.0.0.1,IP:::1');
  });

  it('makes a CA that may sign and a leaf that may not', async () => {
    const leaf = keyPair(folder, 'both');
    await ensureLeaf(leaf, authority, { user: 'etcd', hosts: ['localhost', '127.0.0.1'], client: true });
    const [ca, certificate] = [await read(authority), await read(leaf)];
    expect(ca.ca).toBe(true);
    expect(certificate.ca).toBe(false);
    expect(certificate.verify(ca.publicKey)).toBe(true);
    expect(certificate.checkHost('localhost')).toBe('localhost');
    expect(certificate.checkIP('127.0.0.1')).toBe('127.0.0.1');
    expect(certificate.checkHost('example.org')).toBeUndefined();
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
  });

  it('keeps a certificate that says the same, and replaces one that does not', async () => {
    const leaf = keyPair(folder, 'kept');
    const request = { user: 'system:node:a', groups: ['system:nodes'], hosts: ['kubernetes', '10.0.0.1'] };
    await ensureLeaf(leaf, authority, request);
    const first = (await read(leaf)).serialNumber;
    await ensureLeaf(leaf, authority, request);
    expect((await read(leaf)).serialNumber).toBe(first);
    await ensureLeaf(leaf, authority, { ...request, hosts: [...request.hosts, '10.0.0.2'] });
    const second = await read(leaf);
    expect(second.serialNumber).not.toBe(first);
    expect(second.checkIP('10.0.0.2')).toBe('10.0.0.2');
    await ensureLeaf(leaf, authority, { ...request, user: 'system:node:b' });
    expect((await read(leaf)).subject).toBe('O=system:nodes\nCN=system:node:b');
  });

  it('replaces what another CA signed', async () => {
    const [other, leaf] = [keyPair(folder, 'other-ca'), keyPair(folder, 'moved')];
    await ensureAuthority(other, 'kubernetes');
    await ensureLeaf(leaf, other, { user: 'me' });
    await ensureLeaf(leaf, authority, { user: 'me' });
    expect((await read(leaf)).verify((await read(authority)).publicKey)).toBe(true);
  });
});
