/** TLS in a pod: the kubelet's probe over HTTPS, orders by name and authority, a renewed Secret without a restart, and client certificates. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { OrderClient } from '../../engine/client/orders.ts';
import type { ClientTls } from '../../engine/client/tls.ts';
import { resources } from '../../operator/kube/resource.ts';
import { ensureAuthority, ensureLeaf, keyPair } from '../cluster/certificates.ts';
import { TestCluster, type EngineRef } from '../support/cluster.ts';
import { eventually } from '../wait.ts';

const cluster = new TestCluster();
const namespace = 'e2e-tls';
const open = { name: 'open', namespace };
const closed = { name: 'closed', namespace };
let directory: string;

const pem = (file: string): string => readFileSync(join(directory, file), 'utf8');
const hostOf = ({ name }: EngineRef): string => `${name}-engine.${namespace}.svc`;
const secretOf = (name: string) => ({
  'tls.crt': Buffer.from(pem(`${name}.crt`)).toString('base64'),
  'tls.key': Buffer.from(pem(`${name}.key`)).toString('base64'),
  'ca.crt': Buffer.from(pem('ca.crt')).toString('base64'),
});

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'hft-e2e-tls-'));
  const authority = keyPair(directory, 'ca');
  await ensureAuthority(authority, 'authority of a test');
  for (const name of ['first', 'second'])
    await ensureLeaf(keyPair(directory, name), authority, { user: name, hosts: [hostOf(open), hostOf(closed)] });
  await ensureLeaf(keyPair(directory, 'client'), authority, { user: 'client' });
  await cluster.namespace(namespace);
  // One engine before its Secret: it waits, and goes on by itself.
  await cluster.createEngine(open, { tls: { secretName: 'certificate' } });
  await eventually('it waits for its certificate', async () =>
    (await cluster.engine(open)).status?.conditions?.some(({ reason }) => reason === 'CertificateMissing'),
  );
  await cluster.client.create(resources.secrets, {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'kubernetes.io/tls',
    metadata: { name: 'certificate', namespace },
    data: secretOf('first'),
  });
  await cluster.createEngine(closed, { tls: { secretName: 'certificate', clientAuth: 'require' } });
  await cluster.waitReady(open);
  await cluster.waitReady(closed);
});
afterAll(async () => {
  await cluster.dropNamespace(namespace);
  await cluster[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

const ORDER = { symbol: 'BTC-USD', account: 'alice', side: 'buy', type: 'limit', price: '10', quantity: '1' } as const;

async function place(ref: EngineRef, tls: ClientTls): Promise<string> {
  const url = new URL(await cluster.ordersUrl(ref));
  const client = new OrderClient({
    baseUrl: `https://${url.host}`,
    token: await cluster.token(ref),
    tls: { ca: pem('ca.crt'), serverName: hostOf(ref), ...tls },
  });
  const outcome = await client.place(ORDER).then(
    ({ order }) => order.status,
    (cause: unknown) => String(Reflect.get(cause as object, 'code')),
  );
  await client.close();
  return outcome;
}

/** The name in the certificate that new connections get. */
async function shownBy(ref: EngineRef): Promise<string> {
  const url = new URL(await cluster.ordersUrl(ref));
  return await new Promise((resolve, reject) => {
    const socket = connect({ host: url.hostname, port: Number(url.port), ca: pem('ca.crt'), servername: hostOf(ref) }, () => {
      const { CN } = socket.getPeerCertificate().subject;
      socket.destroy();
      resolve(String(CN));
    });
    socket.once('error', reject);
  });
}

test('orders are placed by name and authority, and not otherwise', async () => {
  expect((await cluster.engine(open)).status?.endpoints?.orders).toBe(`https://${hostOf(open)}:8080`);
  expect(await place(open, {})).toBe('open');
  expect(await place(open, { serverName: 'engine.example' })).toBe('HFT_CLIENT_UNREACHABLE');
  const plain = await fetch(`${await cluster.ordersUrl(open)}/v1/instruments`);
  expect(plain.status).toBe(400);
  expect(await plain.json()).toMatchObject({ code: 'HFT_TLS_REQUIRED' });
});

test('under require a client needs a certificate, and the kubelet does not', async () => {
  expect(await place(closed, {})).toBe('HFT_CLIENT_UNREACHABLE');
  expect(await place(closed, { cert: pem('client.crt'), key: pem('client.key') })).toBe('open');
});

test('a renewed Secret is shown to new connections by the same pod', { timeout: 200_000 }, async () => {
  const before = await cluster.pod(open);
  expect(await shownBy(open)).toBe('first');
  await cluster.client.patch(
    resources.secrets,
    { name: 'certificate', namespace },
    { data: secretOf('second') },
    { type: 'merge', fieldManager: 'test' },
  );
  // A kubelet brings a changed Secret to its pods within about a minute and a half.
  await eventually('the renewed certificate is shown', async () => (await shownBy(open)) === 'second', {
    timeoutMs: 180_000,
    everyMs: 500,
  });
  const after = await cluster.pod(open);
  expect(after.metadata.uid).toBe(before.metadata.uid);
  expect(after.status?.containerStatuses?.[0]?.restartCount).toBe(0);
  await eventually('the status tells when it ends', async () => (await cluster.engine(open)).status?.tls?.expiresAt);
});
