/**
 * The operator with a real engine but without a kubelet: the engine is a process of this machine on a loopback address of its own, and the
 * pod that would hold it is written by the test. What a cluster would make slow or rare can be had at will here.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { signingKeyOf, signToken } from '../../engine/access/sign.ts';
import { OrderClient } from '../../engine/client/orders.ts';
import { heapFlagsOf } from '../../operator/engine/pods.ts';
import { loadClient, type KubeClient } from '../../operator/kube/client.ts';
import { resources } from '../../operator/kube/resource.ts';
import { startApiServer, type ApiOnly } from '../cluster/api-only.ts';
import { countWrites } from '../support/api-metrics.ts';
import { engineObject, engines, ensureNamespace, installRights, type EngineObject } from '../support/install.ts';
import { startOperator, type OperatorProcess } from '../support/operator-process.ts';
import { eventually } from '../wait.ts';

const ADDRESS = '127.0.0.77';
const ref = { name: 'busy', namespace: 'trading' };
const podRef = { name: 'busy-engine-0', namespace: 'trading' };
let server: ApiOnly;
let admin: KubeClient;
let operator: OperatorProcess;
let directory: string;
let engine: ChildProcess | undefined;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hft-operator-engine-'));
  server = await startApiServer();
  admin = loadClient({ kubeconfigPath: server.kubeconfigPath });
  await installRights(admin);
  await ensureNamespace(admin, ref.namespace);
  operator = await startOperator({
    kubeconfigPath: await server.kubeconfigForServiceAccount({ namespace: 'hft-system', name: 'hft-operator' }),
    namespace: 'hft-system',
  });
  await admin.create(
    engines,
    engineObject(ref.name, ref.namespace, { limits: { ordersPerSecond: 100_000, burst: 100_000 } }) as EngineObject,
  );
  await eventually('the Deployment is made', () => admin.find(resources.deployments, { name: 'busy-engine', namespace: ref.namespace }));
});
afterAll(async () => {
  await stopEngine();
  await operator?.kill('SIGTERM');
  await admin?.close();
  await server?.stop();
  await rm(directory, { recursive: true, force: true });
});

async function stopEngine(): Promise<void> {
  if (engine === undefined || engine.exitCode !== null || engine.signalCode !== null) return;
  const ended = once(engine, 'exit');
  engine.kill('SIGKILL');
  await ended;
}

/** Starts what the Deployment would start, over the journal in `data`. */
async function startEngine(data: string): Promise<void> {
  const deployment = await admin.get(resources.deployments, { name: 'busy-engine', namespace: ref.namespace });
  const { items } = await admin.list(resources.configMaps, { namespace: ref.namespace, labelSelector: 'hftengine.io/engine=busy' });
  const secret = await admin.get(resources.secrets, { name: 'busy-keys', namespace: ref.namespace });
  const [configFile, tokenFile, keysFile] = ['config.json', 'token', 'keys.json'].map((file) => join(directory, file)) as [
    string,
    string,
    string,
  ];
  await writeFile(configFile, items[0]?.data?.['config.json'] ?? '');
  await writeFile(tokenFile, Buffer.from(secret.data?.['admin-token'] ?? '', 'base64'), { mode: 0o600 });
  await writeFile(keysFile, Buffer.from(secret.data?.['keys.json'] ?? '', 'base64'));
  const flags = heapFlagsOf(deployment.spec?.template.spec?.containers[0]);
  const main = fileURLToPath(new URL('../../engine/main.ts', import.meta.url));
  const args = [
    '--config',
    configFile,
    '--data',
    join(directory, data),
    '--host',
    ADDRESS,
    '--port',
    '8080',
    '--ops-port',
    '9090',
    '--admin-token-file',
    tokenFile,
    '--keys-file',
    keysFile,
  ];
  engine = spawn(process.execPath, [...flags, main, ...args], { stdio: 'ignore' });
  await eventually(
    'the engine serves',
    async () => (await fetch(`http://${ADDRESS}:8080/ready`, { signal: AbortSignal.timeout(1_000) })).ok,
  );
}

/** Writes the pod as a kubelet would report it: running, and ready as soon as its gate is open. */
async function writePod(containerId: string): Promise<void> {
  const template = (await admin.get(resources.deployments, { name: 'busy-engine', namespace: ref.namespace })).spec?.template;
  if ((await admin.find(resources.pods, podRef)) === undefined) {
    const { labels, annotations } = template?.metadata ?? {};
    await admin.create(resources.pods, { metadata: { ...podRef, labels, annotations }, spec: template?.spec });
  }
  const containerStatuses = [
    {
      name: 'engine',
      image: 'x',
      imageID: 'x',
      ready: true,
      restartCount: 0,
      containerID: `containerd://${containerId}`,
      state: { running: { startedAt: null } },
    },
  ];
  const conditions = [{ type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' }];
  const status = { phase: 'Running', podIP: ADDRESS, podIPs: [{ ip: ADDRESS }], containerStatuses, conditions };
  await admin.patch(
    resources.pods,
    podRef,
    { apiVersion: 'v1', kind: 'Pod', metadata: podRef, status },
    { type: 'apply', subresource: 'status', fieldManager: 'kubelet', force: true },
  );
}

const gate = async () => (await admin.get(resources.pods, podRef)).status?.conditions?.find(({ type }) => type === 'hftengine.io/serving');

test('an engine that trades is looked at every ten seconds, and no oftener', { timeout: 60_000 }, async () => {
  await startEngine('first');
  await writePod('aaaaaaaaaaaaaaaa');
  await eventually('the gate is open', async () => (await gate())?.status === 'True');
  await eventually('it is Ready', async () =>
    (await admin.get(engines, ref)).status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True'),
  );
  const secret = await admin.get(resources.secrets, { name: 'busy-keys', namespace: ref.namespace });
  const key = signingKeyOf(Buffer.from(secret.data?.['signing-keys.json'] ?? '', 'base64').toString('utf8'), 'the Secret');
  const token = await signToken(key, { engine: 'busy', subject: 's', roles: ['trader'], accounts: 'all', lifetimeMs: 600_000 });
  const orders = new OrderClient({ baseUrl: `http://${ADDRESS}:8080`, token });
  const trade = () => orders.place({ symbol: 'BTC-USD', account: 'a', side: 'buy', type: 'limit', price: '10', quantity: '0.001' });
  await trade();
  // Events about the start are flushed first.
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  const [before, endMs] = [await countWrites(admin), performance.now() + 12_000];
  while (performance.now() < endMs) await trade();
  expect((await countWrites(admin)) - before).toBeLessThanOrEqual(2);
  await eventually('the status follows the engine', async () => ((await admin.get(engines, ref)).status?.sequence ?? 0) > 100, {
    timeoutMs: 15_000,
  });
  await orders.close();
});

test('a gate shuts on a lost journal even while another object cannot be applied', { timeout: 60_000 }, async () => {
  const budget = { name: 'busy-engine', namespace: ref.namespace };
  // Somebody else's object takes the place of ours: the operator may not overwrite it, and says so.
  const foreign = { metadata: { ...budget, labels: {} }, spec: { maxUnavailable: 1, selector: { matchLabels: { app: 'x' } } } };
  await eventually('the foreign object is in place', async () => {
    await admin.delete(resources.podDisruptionBudgets, budget);
    const made = await admin.create(resources.podDisruptionBudgets, foreign);
    return made.metadata.uid;
  });
  await eventually('the conflict is told', async () => {
    const { status } = await admin.get(engines, ref);
    return status?.conditions?.some(({ type, reason }) => type === 'Degraded' && reason === 'ApplyFailed');
  });
  await stopEngine();
  await startEngine('empty');
  await writePod('bbbbbbbbbbbbbbbb');
  const shut = await eventually('the gate is shut', async () => {
    const condition = await gate();
    return condition?.status === 'False' && condition.reason === 'JournalBehind' && condition;
  });
  expect(shut.message).toContain('hftengine.io/accept-sequence=0');
  await admin.delete(resources.podDisruptionBudgets, budget);
  await eventually('the loss is told once nothing else is wrong', async () => {
    const { status } = await admin.get(engines, ref);
    return status?.conditions?.some(({ type, reason }) => type === 'Degraded' && reason === 'JournalBehind');
  });
});

test('nothing secret is in a ConfigMap, a status, an event or a log', async () => {
  const { data = {} } = await admin.get(resources.secrets, { name: 'busy-keys', namespace: ref.namespace });
  const text = (key: string): string => Buffer.from(data[key] ?? '', 'base64').toString('utf8');
  const { keys } = JSON.parse(text('signing-keys.json')) as { keys: { d: string }[] };
  const secrets = [text('admin-token'), ...keys.map(({ d }) => d)];
  expect(secrets.every((secret) => secret.length >= 43)).toBe(true);
  const { namespace } = ref;
  const shown = [
    operator.log(),
    ...(await Promise.all(
      [resources.configMaps, resources.events, resources.deployments, resources.pods].map(async (resource) =>
        JSON.stringify((await admin.list(resource as typeof resources.configMaps, { namespace })).items),
      ),
    )),
    JSON.stringify(await admin.get(engines, ref)),
  ];
  for (const secret of secrets)
    for (const form of [secret, Buffer.from(secret).toString('base64')])
      for (const one of shown) expect(one.includes(form.slice(0, 24))).toBe(false);
});

test('a token that somebody stored meanwhile is kept out of events and logs', async () => {
  const secret = { name: 'busy-keys', namespace: ref.namespace };
  const token = (await admin.get(resources.secrets, secret)).data?.['admin-token'] ?? '';
  expect(token.length).toBeGreaterThan(40);
  await admin.patch(
    resources.secrets,
    secret,
    { data: { 'admin-token': Buffer.from('edited by hand, long enough to be a token').toString('base64') } },
    { type: 'merge', fieldManager: 'kubectl-edit' },
  );
  await eventually('the token is put right', async () => (await admin.get(resources.secrets, secret)).data?.['admin-token'] === token);
  const note = await eventually('the repair is told', async () => {
    const { items } = await admin.list(resources.events, { namespace: ref.namespace });
    return items.find(({ reason, note: text }) => reason === 'Repaired' && (text ?? '').includes('busy-keys'))?.note;
  });
  expect(note).not.toContain(token.slice(0, 12));
  expect(operator.log()).not.toContain(token.slice(0, 12));
});
