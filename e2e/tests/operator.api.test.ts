/**
 * The operator as a process against a real API server that has no controllers and no kubelet: what it writes, what it puts right, and that
 * being killed changes nothing. It runs as its own ServiceAccount, so that a right missing from the ClusterRole fails here.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ADMIN_TOKEN_KEY } from '../../charts/names.ts';
import { API_VERSION, KIND } from '../../crds/hftengine.ts';
import { loadClient, type KubeClient } from '../../operator/kube/client.ts';
import { CHILD_RESOURCES, childResource } from '../../operator/engine/resource.ts';
import { resources, type KubeObject, type Live } from '../../operator/kube/resource.ts';
import { startApiServer, type ApiOnly } from '../cluster/api-only.ts';
import { countWrites } from '../support/api-metrics.ts';
import { changeSpec, engineObject, engines, ensureNamespace, installRights, type EngineObject } from '../support/install.ts';
import { startOperator, type OperatorProcess } from '../support/operator-process.ts';
import { eventually } from '../wait.ts';

const NAMESPACE = 'trading';
let server: ApiOnly;
let admin: KubeClient;
let operatorKubeconfig: string;

beforeAll(async () => {
  server = await startApiServer();
  admin = loadClient({ kubeconfigPath: server.kubeconfigPath });
  await installRights(admin);
  await ensureNamespace(admin, NAMESPACE);
  operatorKubeconfig = await server.kubeconfigForServiceAccount({ namespace: 'hft-system', name: 'hft-operator' });
});

afterAll(async () => {
  await admin?.close();
  await server?.stop();
});

const operator = (): Promise<OperatorProcess> =>
  startOperator({ kubeconfigPath: operatorKubeconfig, namespace: 'hft-system', leaseSeconds: 3 });
const labelled = (name: string, namespace = NAMESPACE) => ({ namespace, labelSelector: `hftengine.io/engine=${name}` });

async function childrenOf(name: string, namespace = NAMESPACE): Promise<Live<KubeObject>[]> {
  const lists = await Promise.all(
    CHILD_RESOURCES.map(async ({ kind }) =>
      (await admin.list(childResource(kind), labelled(name, namespace))).items.map((item) => ({ ...item, kind })),
    ),
  );
  return lists.flat();
}

async function settled(name: string, generation: number, namespace = NAMESPACE): Promise<EngineObject> {
  return await eventually(`${name} is applied at generation ${generation}`, async () => {
    const engine = await admin.get(engines, { name, namespace });
    const deployment = await admin.find(resources.deployments, { name: `${name}-engine`, namespace });
    const waiting = engine.status?.conditions?.find(({ type }) => type === 'Progressing');
    return engine.status?.observedGeneration === generation && deployment !== undefined && waiting?.reason === 'Starting' && engine;
  });
}

describe('one operator', () => {
  let running: OperatorProcess;
  beforeAll(async () => {
    running = await operator();
    await admin.create(engines, engineObject('steady', NAMESPACE) as EngineObject);
    await settled('steady', 1);
  });
  afterAll(() => running?.kill('SIGTERM'));

  test('makes every child, owned by the resource but for the volume claim', async () => {
    const engine = await admin.get(engines, { name: 'steady', namespace: NAMESPACE });
    const children = await childrenOf('steady');
    expect(children.map(({ kind }) => kind ?? '').toSorted((a, b) => a.localeCompare(b))).toEqual([
      'ConfigMap',
      'Deployment',
      'NetworkPolicy',
      'PersistentVolumeClaim',
      'PodDisruptionBudget',
      'Secret',
      'Service',
      'Service',
      'ServiceAccount',
    ]);
    for (const { kind, metadata } of children) {
      expect(metadata.ownerReferences?.map(({ uid }) => uid) ?? [], kind).toEqual(
        kind === 'PersistentVolumeClaim' ? [] : [engine.metadata.uid],
      );
    }
    expect(engine.metadata.finalizers).toEqual(['hftengine.io/drain']);
  });

  test('a second reconcile writes nothing, as the API server counts it', async () => {
    const reconciles = async (): Promise<number> => {
      const { body } = await running.get('/metrics');
      return [...body.matchAll(/controller_runtime_reconcile_total\{[^}]*\} ([0-9]+)/g)].reduce((sum, [, count]) => sum + Number(count), 0);
    };
    await eventually('events are flushed', async () => {
      const before = await countWrites(admin);
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      return (await countWrites(admin)) === before;
    });
    const [writes, before] = [await countWrites(admin), await reconciles()];
    // It waits for a pod that never comes here, so it looks again twice a second.
    await eventually('three more reconciles', async () => (await reconciles()) >= before + 3);
    expect(await countWrites(admin)).toBe(writes);
  });

  test.each(CHILD_RESOURCES.map(({ kind }) => kind))('a deleted %s comes back within 2 s', async (kind) => {
    const resource = childResource(kind);
    const before = (await admin.list(resource, labelled('steady'))).items;
    for (const { metadata } of before) {
      if (kind === 'PersistentVolumeClaim')
        await admin.patch(resource, metadata, { metadata: { finalizers: [] } }, { type: 'merge', fieldManager: 'test' });
      await admin.delete(resource, metadata);
    }
    const uids = new Set(before.map(({ metadata }) => metadata.uid));
    await eventually(
      `${kind} is there again`,
      async () => {
        const { items } = await admin.list(resource, labelled('steady'));
        return items.length === before.length && items.every(({ metadata }) => !uids.has(metadata.uid));
      },
      { timeoutMs: 2_000, everyMs: 20 },
    );
  });

  const EDITS: readonly [string, string, object][] = [
    ['Deployment', 'steady-engine', { spec: { replicas: 3 } }],
    ['Deployment', 'steady-engine', { spec: { template: { spec: { containers: [{ name: 'engine', image: 'evil:1' }] } } } }],
    ['Service', 'steady-engine', { spec: { selector: { 'app.kubernetes.io/instance': 'another' } } }],
    ['NetworkPolicy', 'steady-engine', { spec: { ingress: [] } }],
    ['PodDisruptionBudget', 'steady-engine', { spec: { minAvailable: 0 } }],
    ['ServiceAccount', 'steady-engine', { automountServiceAccountToken: true }],
    ['Secret', 'steady-keys', { data: { 'admin-token': Buffer.from('stolen').toString('base64') } }],
    ['ConfigMap', '', { data: { 'config.json': '{}' } }],
    ['PersistentVolumeClaim', 'steady-journal', { metadata: { labels: { 'app.kubernetes.io/part-of': 'nothing' } } }],
    ['Service', 'steady-ops', { metadata: { labels: { 'hftengine.io/engine': null } } }],
  ];
  test.each(EDITS)('%s %s edited by hand is put right within 2 s', async (kind, given, edit) => {
    const resource = childResource(kind);
    const name = given === '' ? ((await admin.list(resource, labelled('steady'))).items[0]?.metadata.name ?? '') : given;
    const ref = { name, namespace: NAMESPACE };
    // What the operator wrote, without what the server adds to every write.
    const essence = ({ metadata, ...rest }: Live<KubeObject>): string =>
      JSON.stringify({ ...rest, status: undefined, labels: metadata.labels, owners: metadata.ownerReferences });
    const before = essence(await admin.get(resource, ref));
    const edited = await admin.patch(resource, ref, edit, { type: 'merge', fieldManager: 'kubectl-edit' });
    expect(essence(edited)).not.toBe(before);
    await eventually(`${kind} ${name} is put right`, async () => essence(await admin.get(resource, ref)) === before, {
      timeoutMs: 2_000,
      everyMs: 20,
    });
  });

  test('what it put right is told in an event', async () => {
    await eventually('a Repaired event', async () => {
      const { items } = await admin.list(resources.events, { namespace: NAMESPACE });
      return items.some(({ reason, note }) => reason === 'Repaired' && (note ?? '').includes('steady'));
    });
  });

  test('an object that belongs to somebody else is left alone, and the status says what to do', async () => {
    const foreign = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'taken-engine', namespace: NAMESPACE },
      spec: { ports: [{ port: 1 }] },
    };
    await admin.create(resources.services, foreign);
    await admin.create(engines, engineObject('taken', NAMESPACE) as EngineObject);
    const degraded = await eventually('the conflict is told', async () => {
      const { status } = await admin.get(engines, { name: 'taken', namespace: NAMESPACE });
      return status?.conditions?.find(({ type, reason }) => type === 'Degraded' && reason === 'ApplyFailed');
    });
    expect(degraded.message).toContain('Service taken-engine exists and belongs to somebody else');
    expect((await admin.get(resources.services, { name: 'taken-engine', namespace: NAMESPACE })).metadata.labels).toBeUndefined();
    await admin.delete(resources.services, { name: 'taken-engine', namespace: NAMESPACE });
    await eventually('it goes on when the name is free', async () => {
      const { status } = await admin.get(engines, { name: 'taken', namespace: NAMESPACE });
      return status?.conditions?.some(({ type, status: value }) => type === 'Degraded' && value === 'False');
    });
  });

  test('beside the Secret of a deleted HFTEngine of the same name nothing is started', async () => {
    const owner = { apiVersion: API_VERSION, kind: KIND, name: 'reborn', uid: '00000000-0000-4000-8000-000000000001' };
    const former = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: {
        name: 'reborn-keys',
        namespace: NAMESPACE,
        labels: { 'hftengine.io/engine': 'reborn', 'app.kubernetes.io/managed-by': 'hft-operator' },
        ownerReferences: [{ ...owner, controller: true }],
      },
      stringData: { [ADMIN_TOKEN_KEY]: 'f'.repeat(43) },
    };
    await admin.create(resources.secrets, former);
    await admin.create(engines, engineObject('reborn', NAMESPACE) as EngineObject);
    await eventually(
      'it is looked at',
      async () => (await admin.get(engines, { name: 'reborn', namespace: NAMESPACE })).status?.conditions,
    );
    // Several looks at the Secret, which no garbage collector takes away here.
    await sleep(2_000);
    expect(await admin.find(resources.deployments, { name: 'reborn-engine', namespace: NAMESPACE })).toBeUndefined();
    await admin.delete(resources.secrets, { name: 'reborn-keys', namespace: NAMESPACE });
    await settled('reborn', 1);
    const secret = await admin.get(resources.secrets, { name: 'reborn-keys', namespace: NAMESPACE });
    expect(Buffer.from(secret.data?.[ADMIN_TOKEN_KEY] ?? '', 'base64').toString()).not.toBe('f'.repeat(43));
  });

  test('a change is planned, announced and applied', async () => {
    const generation = await changeSpec(admin, { name: 'steady', namespace: NAMESPACE }, { risk: { killSwitch: true } });
    const before = (await admin.get(resources.deployments, { name: 'steady-engine', namespace: NAMESPACE })).spec?.template.metadata
      ?.annotations;
    const engine = await settled('steady', generation);
    const after = (await admin.get(resources.deployments, { name: 'steady-engine', namespace: NAMESPACE })).spec?.template.metadata
      ?.annotations;
    expect(after?.['hftengine.io/config-hash']).toBe(engine.status?.desiredConfigHash);
    expect(after?.['hftengine.io/config-hash']).not.toBe(before?.['hftengine.io/config-hash']);
    expect(after?.['hftengine.io/revision']).not.toBe(before?.['hftengine.io/revision']);
  });

  test.each(['Retain', 'Delete'] as const)('deletion with deletionPolicy %s', async (deletionPolicy) => {
    const name = `gone-${deletionPolicy.toLowerCase()}`;
    const ref = { name, namespace: NAMESPACE };
    await admin.create(engines, engineObject(name, NAMESPACE, { deletionPolicy }) as EngineObject);
    await settled(name, 1);
    await admin.delete(engines, ref);
    await eventually('the resource is gone', async () => (await admin.find(engines, ref)) === undefined);
    expect(await admin.find(resources.deployments, { name: `${name}-engine`, namespace: NAMESPACE })).toBeUndefined();
    const claim = await admin.find(resources.persistentVolumeClaims, { name: `${name}-journal`, namespace: NAMESPACE });
    if (deletionPolicy === 'Retain') expect(claim?.metadata.deletionTimestamp).toBeUndefined();
    expect(claim === undefined || claim.metadata.deletionTimestamp !== undefined).toBe(deletionPolicy === 'Delete');
  });

  test('needed no right that its ClusterRole does not give', () => {
    expect(running.log()).not.toContain('forbidden');
  });
});

test('killed at a random moment 20 times, the outcome is the same', { timeout: 180_000 }, async () => {
  /** Everything of an engine that must not depend on who made it when: names, labels, specs; not uids, versions, times, tokens, addresses. */
  const outcome = async (namespace: string): Promise<string> => {
    const children = await childrenOf('same', namespace);
    // A configuration that was replaced before any pod ran with it stays until a pod serves: none does here, and not every round got to write it.
    const deployment = JSON.stringify(children.find(({ kind }) => kind === 'Deployment'));
    const wanted = children.filter(({ kind, metadata }) => kind !== 'ConfigMap' || deployment.includes(metadata.name));
    const plain = wanted.map(({ kind, metadata, ...rest }) => ({
      kind,
      name: metadata.name,
      labels: metadata.labels,
      owners: metadata.ownerReferences?.length ?? 0,
      ...rest,
      status: undefined,
      ...(kind === 'Secret' ? { data: undefined } : {}),
    }));
    const text = JSON.stringify(plain.sort((a, b) => (`${a.kind}/${a.name}` < `${b.kind}/${b.name}` ? -1 : 1)));
    return text.replaceAll(/"clusterIPs?":("[^"]*"|\[[^\]]*\]),?/g, '');
  };
  const create = async (namespace: string): Promise<void> => {
    await ensureNamespace(admin, namespace);
    await admin.create(engines, engineObject('same', namespace) as EngineObject);
  };

  const undisturbed = await operator();
  await create('calm');
  await settled('same', 1, 'calm');
  const expected = await outcome('calm');
  expect(JSON.parse(expected)).toHaveLength(9);
  await undisturbed.kill('SIGTERM');

  let seed = 20_260_123;
  const random = (): number => (seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0) / 2 ** 32;
  const killedAfter: number[] = [];
  for (let round = 0; round < 20; round++) {
    const victim = await operator();
    // Half of the rounds are killed while they make an engine, half while they change one.
    if (round % 2 === 0) await create(`kill-${round}`);
    // Killing an operator that does not lead yet would prove nothing.
    await eventually(
      'it leads',
      async () => (await victim.get('/metrics')).body.includes('leader_election_master_status{name="hft-operator"} 1'),
      { everyMs: 5 },
    );
    if (round % 2 === 1) await changeSpec(admin, { name: 'same', namespace: `kill-${round - 1}` }, { risk: { killSwitch: true } });
    const afterMs = random() * 400;
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    killedAfter.push((await childrenOf('same', `kill-${round - (round % 2)}`)).length);
    await victim.kill('SIGKILL');
    // Its successor would wait for the dead leader's Lease to expire; another test shows that it does.
    await admin.delete(resources.leases, { name: 'hft-operator', namespace: 'hft-system' });
  }
  // The kills fell where they should: some while children were missing.
  expect(killedAfter.some((count) => count < 9)).toBe(true);

  const survivor = await operator();
  await changeSpec(admin, { name: 'same', namespace: 'calm' }, { risk: { killSwitch: true } });
  await settled('same', 2, 'calm');
  const changed = await outcome('calm');
  expect(changed).not.toBe(expected);
  for (let round = 0; round < 20; round += 2) {
    await settled('same', 2, `kill-${round}`);
    expect(await outcome(`kill-${round}`), `round ${round}`).toBe(changed);
  }
  await survivor.kill('SIGTERM');
});

test('a standby takes over when the leader dies, and not before', async () => {
  const leads = async (process: OperatorProcess): Promise<boolean> =>
    (await process.get('/metrics')).body.includes('leader_election_master_status{name="hft-operator"} 1');
  await using first = await operator();
  await eventually('the first leads', () => leads(first));
  await using second = await operator();
  await eventually('the standby is ready to lead', async () => (await second.get('/readyz')).status === 200);
  await admin.create(engines, engineObject('handover', NAMESPACE) as EngineObject);
  await settled('handover', 1);
  expect(await leads(second)).toBe(false);
  await first.kill('SIGKILL');
  const generation = await changeSpec(admin, { name: 'handover', namespace: NAMESPACE }, { risk: { killSwitch: true } });
  await settled('handover', generation);
  expect(await leads(second)).toBe(true);
});
