/** Changing an engine while the market is open: nothing acknowledged is lost, the change is in force afterwards, and the status never lied. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { resources } from '../../operator/kube/resource.ts';
import { TestCluster } from '../support/cluster.ts';
import { BTC, changeSpec, type EngineObject } from '../support/install.ts';
import { traceStatus } from '../support/trace.ts';
import { eventually } from '../wait.ts';

const cluster = new TestCluster();
const namespace = 'e2e-rollout';
const ref = { name: 'venue', namespace };
const ETH = { symbol: 'ETH-USD', tickSize: '0.01', lotSize: '0.001' };

beforeAll(async () => {
  await cluster.namespace(namespace);
  await cluster.createEngine(ref);
  await cluster.waitReady(ref);
});
afterAll(async () => {
  await cluster.dropNamespace(namespace);
  await cluster[Symbol.asyncDispose]();
});

const condition = (engine: EngineObject, type: string) => engine.status?.conditions?.find((candidate) => candidate.type === type);

/** What must hold of every status that was ever shown. */
function lies(engine: EngineObject): string[] {
  const found: string[] = [];
  const { status, metadata } = engine;
  const ready = condition(engine, 'Ready');
  const progressing = condition(engine, 'Progressing');
  if ((status?.observedGeneration ?? 0) > (metadata.generation ?? 0)) found.push('speaks of a generation that does not exist');
  const asking = progressing?.reason === 'AskingEngine';
  const held = asking || condition(engine, 'Degraded')?.reason === 'ConfigRefused';
  if (ready?.status === 'True' && !held && ready.observedGeneration !== status?.observedGeneration)
    found.push('Ready speaks of another generation than the status');
  if (ready?.status === 'True' && progressing?.status === 'True' && !asking) found.push('Ready and still Progressing');
  if (ready?.status === 'True' && status?.plan?.class === 'restart' && !asking) found.push('Ready with a restart ahead');
  if (
    ready?.status === 'True' &&
    !asking &&
    condition(engine, 'Degraded')?.reason !== 'ConfigRefused' &&
    status?.configHash !== status?.desiredConfigHash
  )
    found.push('Ready with another configuration than the spec asks for');
  return found.map((lie) => `${lie}: ${JSON.stringify(status)}`);
}

/** Changes the spec under a stream of orders, waits until the change serves, and returns what was seen on the way. */
async function changeUnderLoad(
  spec: Record<string, unknown>,
): Promise<{ trace: readonly EngineObject[]; generation: number; after: EngineObject }> {
  await using trace = await traceStatus(cluster.client, ref);
  const stream = cluster.stream(ref);
  await eventually('orders flow', () => stream.acknowledged >= 50);
  const generation = await changeSpec(cluster.client, ref, spec);
  const after = await cluster.waitReady(ref);
  expect(after.metadata.generation).toBe(generation);
  const atReady = stream.acknowledged;
  await eventually('orders flow again', () => stream.acknowledged >= atReady + 50);
  const report = await stream.stop();
  expect(report.acknowledged).toBeGreaterThan(100);
  const client = await cluster.orders(ref);
  expect(await stream.differences(client)).toEqual([]);
  await client.close();
  expect(trace.seen.flatMap(lies)).toEqual([]);
  return { trace: trace.seen, generation, after };
}

describe('under a stream of orders', () => {
  let before: EngineObject;
  beforeEach(async () => {
    before = await cluster.waitReady(ref);
  });

  test('spec.risk', async () => {
    const { trace, generation, after } = await changeUnderLoad({ risk: { maxOrderQty: '5' } });
    // The plan was shown before the old engine was touched: announced, rolled out, served, in this order.
    const steps = trace
      .filter(({ status }) => status?.observedGeneration === generation)
      .map((engine) => condition(engine, 'Ready')?.reason);
    expect(steps[0]).toBe('RollingOut');
    expect(steps.indexOf('Serving')).toBeGreaterThan(steps.indexOf('RollingOut'));
    expect(steps.at(-1)).toBe('Serving');
    const announced = trace.find(({ status }) => status?.plan?.class === 'restart');
    expect(announced?.status?.plan?.changes).toMatchObject([{ class: 'restart', field: 'spec.risk.maxOrderQty' }]);
    expect(announced?.status?.configHash).toBe(before.status?.configHash);
    expect(after.status?.configHash).not.toBe(before.status?.configHash);
    // In force: what was allowed is refused now.
    const client = await cluster.orders(ref);
    await expect(
      client.place({ symbol: 'BTC-USD', account: 'x', side: 'buy', type: 'limit', price: '1', quantity: '5.5' }),
    ).rejects.toMatchObject({ status: 422 });
    await client.close();
  });

  test('spec.resources', async () => {
    const { after } = await changeUnderLoad({ resources: { cpu: '300m', memory: '512Mi' } });
    expect(after.status?.heapFlags).not.toEqual(before.status?.heapFlags);
    expect(after.status?.configHash).toBe(before.status?.configHash);
    expect((await cluster.pod(ref)).spec?.containers[0]?.resources?.limits).toEqual({ cpu: '300m', memory: '512Mi' });
  });

  test('spec.instruments', async () => {
    await changeUnderLoad({ instruments: [BTC, ETH] });
    const client = await cluster.orders(ref);
    expect((await client.instruments()).map(({ symbol }) => symbol)).toEqual(['BTC-USD', 'ETH-USD']);
    expect(
      (await client.place({ symbol: 'ETH-USD', account: 'x', side: 'buy', type: 'limit', price: '1', quantity: '1' })).order.status,
    ).toBe('open');
    await client.close();
  });
});

test('a spec that the engine refuses leaves it serving and Degraded with its own reason', async () => {
  const pod = await cluster.pod(ref);
  const generation = await changeSpec(cluster.client, ref, { instruments: [BTC] });
  const refused = await eventually('the refusal is told', async () => {
    const engine = await cluster.engine(ref);
    return condition(engine, 'Degraded')?.reason === 'ConfigRefused' && engine;
  });
  expect(condition(refused, 'Degraded')?.message).toContain('ETH-USD');
  expect(condition(refused, 'Degraded')?.message).toMatch(/HFT_[A-Z_]+/);
  expect(refused.status).toMatchObject({ observedGeneration: generation, plan: { class: 'refused' } });
  expect(condition(refused, 'Ready')?.status).toBe('True');
  // Who waits for the new spec is not told that it serves.
  await expect(cluster.kubectl(['-n', namespace, 'wait', '--for=condition=Ready', 'hft/venue', '--timeout=2s'])).rejects.toThrow(
    'timed out',
  );
  expect((await cluster.pod(ref)).metadata.uid).toBe(pod.metadata.uid);

  // Doing what the reason says lets the change through without another edit.
  const client = await cluster.orders(ref);
  for (const order of (await client.orders({ account: 'x' })).items)
    if (order.symbol === 'ETH-USD' && order.status === 'open') await client.cancel(order.id);
  await client.close();
  await eventually('the change goes through', async () => (await cluster.engine(ref)).status?.plan?.class !== 'refused', {
    timeoutMs: 20_000,
  });
  const after = await cluster.waitReady(ref);
  expect(condition(after, 'Degraded')?.status).toBe('False');
});

test('an engine that cannot start leaves Degraded with the reason, and the old spec brings it back', async () => {
  const before = await cluster.engine(ref);
  await changeSpec(cluster.client, ref, { image: 'hft-engine:no-such-image', imagePullPolicy: 'Never' });
  const degraded = await eventually(
    'the reason is told',
    async () => {
      const engine = await cluster.engine(ref);
      return condition(engine, 'Degraded')?.status === 'True' && engine;
    },
    { timeoutMs: 90_000 },
  );
  expect(condition(degraded, 'Degraded')?.reason).toBe('ErrImageNeverPull');
  expect(condition(degraded, 'Ready')?.status).toBe('False');
  await changeSpec(cluster.client, ref, { image: cluster.image, imagePullPolicy: 'IfNotPresent' });
  const after = await cluster.waitReady(ref);
  expect(after.status?.configHash).toBe(before.status?.configHash);
  expect(after.status?.sequence).toBeGreaterThanOrEqual(before.status?.sequence ?? 0);
});

test('what the status tells is told in events, too', async () => {
  const { items } = await cluster.client.list(resources.events, { namespace });
  const reasons = new Set(items.filter(({ regarding }) => regarding?.kind === 'HFTEngine').map(({ reason }) => reason));
  for (const reason of ['Serving', 'RollingOut', 'ConfigRefused', 'ErrImageNeverPull', 'Recovered']) expect(reasons).toContain(reason);
});
