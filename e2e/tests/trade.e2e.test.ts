/** A resource never seen before becomes Ready and trades; engines in one namespace are strangers; what a user types works. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AdminClient } from '../../engine/client/admin.ts';
import { EngineError, OrderClient } from '../../engine/client/orders.ts';
import { resources } from '../../operator/kube/resource.ts';
import { TestCluster } from '../support/cluster.ts';

const cluster = new TestCluster();
const namespace = 'e2e-trade';
const metals = { name: 'precious-metals', namespace };
const crypto = { name: 'crypto', namespace };

beforeAll(async () => {
  await cluster.namespace(namespace);
  await cluster.createEngine(metals, {
    instruments: [
      { symbol: 'XAU-EUR', tickSize: '0.5', lotSize: '1' },
      { symbol: 'XAG-EUR', tickSize: '0.001', lotSize: '0.25' },
    ],
  });
  await cluster.createEngine(crypto);
  await cluster.waitReady(metals);
  await cluster.waitReady(crypto);
});
afterAll(async () => {
  await cluster.dropNamespace(namespace);
  await cluster[Symbol.asyncDispose]();
});

test('orders match in the pod that the operator made', async () => {
  const orders = await cluster.orders(metals);
  const resting = await orders.place({ symbol: 'XAU-EUR', account: 'miner', side: 'sell', type: 'limit', price: '2450.5', quantity: '10' });
  expect(resting.order.status).toBe('open');
  const taking = await orders.place({ symbol: 'XAU-EUR', account: 'jeweller', side: 'buy', type: 'market', quantity: '4' });
  expect(taking.order).toMatchObject({ status: 'filled', filledQuantity: '4', remainingQuantity: '0' });
  expect(taking.fills).toMatchObject([{ price: '2450.5', quantity: '4', makerOrderId: resting.order.id, takerOrderId: taking.order.id }]);
  expect(await orders.get(resting.order.id)).toMatchObject({ status: 'open', remainingQuantity: '6' });
  expect(await orders.book('XAU-EUR')).toMatchObject({ bids: [], asks: [{ price: '2450.5', quantity: '6', orders: 1 }] });
  expect((await orders.cancel(resting.order.id)).status).toBe('cancelled');
  expect(await orders.book('XAU-EUR')).toMatchObject({ bids: [], asks: [] });
  await orders.close();
});

test('two engines in one namespace do not touch each other', async () => {
  const [one, other] = [await cluster.orders(metals), await cluster.orders(crypto)];
  const { order } = await other.place({ symbol: 'BTC-USD', account: 'alice', side: 'buy', type: 'limit', price: '10', quantity: '1' });
  expect((await other.book('BTC-USD')).bids).toHaveLength(1);
  await expect(one.book('BTC-USD')).rejects.toMatchObject({ status: 404, code: expect.stringMatching(/^HFT_/) as string });
  expect((await one.orders()).items.some(({ account }) => account === 'alice')).toBe(false);
  expect((await other.instruments()).map(({ symbol }) => symbol)).toEqual(['BTC-USD']);
  // Each Service leads to exactly its own pod.
  for (const ref of [metals, crypto]) {
    const pod = await cluster.pod(ref);
    const endpoints = await cluster.kubectl([
      '-n',
      namespace,
      'get',
      'endpointslices',
      '-l',
      `kubernetes.io/service-name=${ref.name}-engine`,
      '-o',
      'jsonpath={.items[*].endpoints[*].targetRef.name}',
    ]);
    expect(endpoints).toBe(pod.metadata.name);
  }
  await other.cancel(order.id);
  await Promise.all([one.close(), other.close()]);
});

test('the status tells what runs', async () => {
  const { status, metadata } = await cluster.engine(metals);
  expect(status?.observedGeneration).toBe(metadata.generation);
  expect(status?.configHash).toMatch(/^[0-9a-f]{16}$/);
  expect(status?.configHash).toBe(status?.desiredConfigHash);
  expect(status?.heapFlags?.join(' ')).toContain('--max-old-space-size=');
  const container = (await cluster.pod(metals)).spec?.containers[0];
  for (const flag of status?.heapFlags ?? []) expect([...(container?.command ?? []), ...(container?.args ?? [])]).toContain(flag);
  expect(status?.conditions?.find(({ type }) => type === 'WholeCPUs')).toMatchObject({ status: 'False', reason: 'Fraction' });
  expect(status?.engines).toMatchObject([{ phase: 'serving', serving: true }]);
});

test('kubectl get hft shows what people need', async () => {
  const lines = (await cluster.kubectl(['-n', namespace, 'get', 'hft'])).split('\n');
  expect(lines[0]?.split(/ {2,}|\s+/)).toEqual(expect.arrayContaining(['NAME', 'READY', 'SEQUENCE', 'VERSION', 'CONFIG', 'AGE']));
  expect(lines.find((line) => line.startsWith('precious-metals'))).toMatch(/True/);
});

test('the pod is as restricted as its namespace demands, with requests equal to limits', async () => {
  const pod = await cluster.pod(crypto);
  const container = pod.spec?.containers[0];
  expect(container?.resources?.requests).toEqual(container?.resources?.limits);
  expect(pod.status?.qosClass).toBe('Guaranteed');
  expect(pod.spec?.automountServiceAccountToken).toBe(false);
  expect(container?.securityContext).toMatchObject({ readOnlyRootFilesystem: true, allowPrivilegeEscalation: false });
});

test('orders are taken only with a token of this very engine', async () => {
  const baseUrl = await cluster.ordersUrl(crypto);
  expect((await fetch(`${baseUrl}/v1/instruments`, { signal: AbortSignal.timeout(10_000) })).status).toBe(401);
  const wrong = new OrderClient({ baseUrl, token: await cluster.token(metals) });
  await expect(wrong.instruments()).rejects.toMatchObject({ status: 401, code: 'HFT_UNAUTHORIZED' });
  await wrong.close();
});

test('the admin endpoints are shut without the token of this very engine', async () => {
  const baseUrl = await cluster.operationsUrl(crypto);
  const tokenOf = async (name: string): Promise<string> =>
    Buffer.from(
      (await cluster.client.get(resources.secrets, { name: `${name}-keys`, namespace })).data?.['admin-token'] ?? '',
      'base64',
    ).toString('utf8');
  const wrong = new AdminClient({ baseUrl, token: await tokenOf('precious-metals') });
  await expect(wrong.status()).rejects.toThrow(EngineError);
  await expect(wrong.status()).rejects.toMatchObject({ status: 401 });
  const right = new AdminClient({ baseUrl, token: await tokenOf('crypto') });
  expect(await right.status()).toMatchObject({ name: 'crypto', phase: 'serving' });
  await Promise.all([wrong.close(), right.close()]);
});

const good = { symbol: 'BTC-USD', account: 'bob', side: 'buy', type: 'limit', price: '10.00', quantity: '0.5' };
const bad: readonly [string, string, RegExp, string?][] = [
  ['negative', JSON.stringify({ ...good, quantity: '-1' }), /^4/, 'quantity'],
  ['zero', JSON.stringify({ ...good, quantity: '0' }), /^4/, 'quantity'],
  ['NaN', JSON.stringify(good).replace('"10.00"', 'NaN'), /^400/],
  ['1e400', JSON.stringify({ ...good, price: '1e400' }), /^4/, 'price'],
  ['off tick', JSON.stringify({ ...good, price: '10.001' }), /^4/, 'price'],
  ['unknown symbol', JSON.stringify({ ...good, symbol: 'NO-SUCH' }), /^4/, 'symbol'],
  ['missing field', JSON.stringify({ ...good, side: undefined }), /^4/, 'side'],
  ['10 MB', JSON.stringify({ ...good, clientOrderId: 'x'.repeat(10_000_000) }), /^413/],
  ['duplicate key', JSON.stringify(good).replace('{', '{"price":"9",'), /^4/, 'price'],
];
test.each(bad)('a bad order (%s) is refused with a code and recorded nowhere', async (_name, body, status, field) => {
  const baseUrl = await cluster.ordersUrl(crypto);
  const token = await cluster.token(crypto);
  const client = new OrderClient({ baseUrl, token });
  const before = (await client.orders({ account: 'bob' })).items.length;
  const response = await fetch(`${baseUrl}/v1/orders`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body,
    signal: AbortSignal.timeout(10_000),
  });
  const problem = (await response.json()) as { code?: string; field?: string };
  expect(String(response.status)).toMatch(status);
  expect(problem.code).toMatch(/^HFT_[A-Z_]+$/);
  if (field !== undefined) expect(problem.field).toBe(field);
  expect((await client.orders({ account: 'bob' })).items).toHaveLength(before);
  expect((await client.place({ ...good, side: 'buy', type: 'limit' })).order.status).toBe('open');
  await client.close();
});

test('deleting an engine drains it, takes its children with it and keeps its volume', async () => {
  const ref = { name: 'short-lived', namespace };
  await cluster.createEngine(ref);
  await cluster.waitReady(ref);
  const orders = await cluster.orders(ref);
  const { order } = await orders.place({ symbol: 'BTC-USD', account: 'carol', side: 'buy', type: 'limit', price: '7', quantity: '1' });
  await orders.close();
  await cluster.kubectl(['-n', namespace, 'delete', 'hft', ref.name, '--timeout=60s'], { timeoutMs: 65_000 });
  expect(await cluster.client.find(resources.deployments, { name: 'short-lived-engine', namespace })).toBeUndefined();
  expect(await cluster.client.find(resources.persistentVolumeClaims, { name: 'short-lived-journal', namespace })).toBeDefined();

  // The same name finds its journal again.
  await cluster.createEngine(ref);
  await cluster.waitReady(ref);
  const again = await cluster.orders(ref);
  expect(await again.get(order.id)).toMatchObject({ status: 'open', account: 'carol', price: '7' });
  await again.close();
});
