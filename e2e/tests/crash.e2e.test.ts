/** What is lost when something dies: nothing. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { OPERATOR_NAME, OPERATOR_NAMESPACE } from '../../charts/names.ts';
import { resources } from '../../operator/kube/resource.ts';
import { TestCluster } from '../support/cluster.ts';
import { changeSpec } from '../support/install.ts';
import { processesOfPod } from '../support/processes.ts';
import { eventually } from '../wait.ts';

const cluster = new TestCluster();
const namespace = 'e2e-crash';
const ref = { name: 'venue', namespace };

beforeAll(async () => {
  await cluster.namespace(namespace);
  await cluster.createEngine(ref, { limits: { ordersPerSecond: 100_000, burst: 100_000 } });
  await cluster.waitReady(ref);
});
afterAll(async () => {
  await cluster.dropNamespace(namespace);
  await cluster[Symbol.asyncDispose]();
});

const restarts = async (): Promise<number> => (await cluster.pod(ref)).status?.containerStatuses?.[0]?.restartCount ?? 0;

/** Ends the engine at once: by its process where this machine runs it, else by deleting the pod without grace. */
async function killEngine(): Promise<void> {
  const pod = await cluster.pod(ref);
  const [pid] = cluster.provider === 'current' ? [] : await processesOfPod(pod.metadata.uid, 'engine.mjs');
  if (pid !== undefined) {
    process.kill(pid, 'SIGKILL');
    return;
  }
  expect(cluster.provider, 'the engine runs on this machine').toBe('current');
  await cluster.client.delete(resources.pods, pod.metadata, { gracePeriodSeconds: 0 });
}

test('kill -9 of the engine while orders flow, three times: every acknowledged order and fill is there, none twice', async () => {
  const stream = cluster.stream(ref, { workers: 8 });
  for (let round = 0; round < 3; round++) {
    const [acknowledged, before, uid] = [stream.acknowledged, await restarts(), (await cluster.pod(ref)).metadata.uid];
    await eventually('orders flow', () => stream.acknowledged >= acknowledged + 200, { timeoutMs: 90_000 });
    await killEngine();
    await eventually('the engine is another', async () => (await restarts()) > before || (await cluster.pod(ref)).metadata.uid !== uid, {
      timeoutMs: 60_000,
    });
    await eventually(
      'it serves again',
      async () => {
        const { status } = await cluster.engine(ref);
        return status?.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True');
      },
      { timeoutMs: 90_000 },
    );
  }
  const acknowledged = stream.acknowledged;
  await eventually('orders flow after the last', () => stream.acknowledged >= acknowledged + 100);
  const report = await stream.stop();
  expect(report.fills).toBeGreaterThan(100);
  const client = await cluster.orders(ref);
  expect(await stream.differences(client)).toEqual([]);
  await client.close();
});

test('the leading operator dies during a rollout: another one finishes it', async () => {
  const stream = cluster.stream(ref);
  const generation = await changeSpec(cluster.client, ref, { risk: { maxOrderQty: '77' } });
  const lease = await cluster.client.get(resources.leases, { name: OPERATOR_NAME, namespace: OPERATOR_NAMESPACE });
  await cluster.client.delete(
    resources.pods,
    { name: lease.spec?.holderIdentity ?? '', namespace: OPERATOR_NAMESPACE },
    { gracePeriodSeconds: 0 },
  );
  const after = await cluster.waitReady(ref);
  expect(after.metadata.generation).toBe(generation);
  const acknowledged = stream.acknowledged;
  await eventually('orders flow', () => stream.acknowledged >= acknowledged + 50);
  await stream.stop();
  const client = await cluster.orders(ref);
  expect(await stream.differences(client)).toEqual([]);
  await client.close();
});

test('a new operator restarts no engine', async () => {
  const pod = await cluster.pod(ref);
  const before = await restarts();
  await cluster.kubectl(['-n', OPERATOR_NAMESPACE, 'rollout', 'restart', `deployment/${OPERATOR_NAME}`]);
  await cluster.kubectl(['-n', OPERATOR_NAMESPACE, 'rollout', 'status', `deployment/${OPERATOR_NAME}`, '--timeout=120s'], {
    timeoutMs: 125_000,
  });
  // The new leader has reconciled: it gives the engine back what a hand took.
  await cluster.client.delete(resources.podDisruptionBudgets, { name: 'venue-engine', namespace });
  await eventually(
    'the new leader works',
    async () => cluster.client.find(resources.podDisruptionBudgets, { name: 'venue-engine', namespace }),
    { timeoutMs: 60_000 },
  );
  expect((await cluster.pod(ref)).metadata.uid).toBe(pod.metadata.uid);
  expect(await restarts()).toBe(before);
});

test('a pod deleted by hand comes back with everything that was acknowledged', async () => {
  const stream = cluster.stream(ref);
  await eventually('orders flow', () => stream.acknowledged >= 100);
  const pod = await cluster.pod(ref);
  await cluster.client.delete(resources.pods, pod.metadata);
  await eventually(
    'another pod serves',
    async () => {
      const engine = await cluster.engine(ref);
      return engine.status?.engines?.some(({ pod: name, serving }) => name !== pod.metadata.name && serving);
    },
    { timeoutMs: 90_000 },
  );
  const acknowledged = stream.acknowledged;
  await eventually('orders flow again', () => stream.acknowledged >= acknowledged + 50, { timeoutMs: 60_000 });
  await stream.stop();
  const client = await cluster.orders(ref);
  expect(await stream.differences(client)).toEqual([]);
  await client.close();
});

test('the Deployment deleted by hand comes back, and two engines never write one journal', async () => {
  const stream = cluster.stream(ref);
  await eventually('orders flow', () => stream.acknowledged >= 50);
  const before = await cluster.client.get(resources.deployments, { name: 'venue-engine', namespace });
  await cluster.client.delete(resources.deployments, before.metadata);
  await eventually(
    'the Deployment is back',
    async () => {
      const now = await cluster.client.find(resources.deployments, before.metadata);
      return now !== undefined && now.metadata.uid !== before.metadata.uid;
    },
    { timeoutMs: 2_000 },
  );
  await cluster.waitReady(ref, 120);
  const acknowledged = stream.acknowledged;
  await eventually('orders flow again', () => stream.acknowledged >= acknowledged + 50, { timeoutMs: 60_000 });
  await stream.stop();
  const client = await cluster.orders(ref);
  expect(await stream.differences(client)).toEqual([]);
  await client.close();
});
