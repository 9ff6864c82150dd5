import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setTimeout as wait } from 'node:timers/promises';
import { CoreV1Api } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApiServer } from '../cluster/api-only.ts';
import type { ApiOnly } from '../cluster/api-only.ts';
import { startFaultProxy } from '../fault-proxy/main.ts';
import type { FaultProxy } from '../fault-proxy/main.ts';
import { engineObjects } from '../../charts/engine.ts';
import { specSchema } from '../../crds/hftengine.ts';
import { Applier } from '../../operator/kube/apply.ts';
import { loadClient } from '../../operator/kube/client.ts';
import type { KubeClient } from '../../operator/kube/client.ts';
import { EventRecorder } from '../../operator/kube/events.ts';
import { KubeError } from '../../operator/kube/errors.ts';
import { LeaderElector } from '../../operator/kube/lease.ts';
import { Reflector } from '../../operator/kube/reflector.ts';
import { defineResource, resources } from '../../operator/kube/resource.ts';
import type { KubeObject, Live, Resource } from '../../operator/kube/resource.ts';

const MANAGER = 'apply-test';

let api: ApiOnly;
let proxy: FaultProxy;
/** Through the proxy, which counts. */
let client: KubeClient;
/** Somebody else, at the API server itself. */
let someone: KubeClient;

beforeAll(async () => {
  api = await startApiServer();
  proxy = await startFaultProxy({ kubeconfigPath: api.kubeconfigPath });
  client = loadClient({ kubeconfigPath: proxy.kubeconfigPath });
  someone = loadClient({ kubeconfigPath: api.kubeconfigPath });
});

afterAll(async () => {
  await Promise.all([client?.close(), someone?.close()]);
  await proxy?.stop();
  await api?.stop();
});

const makeApplier = (): Applier => new Applier({ client, fieldManager: MANAGER, annotationPrefix: 'example.io' });

type Loose = KubeObject & Record<string, unknown>;
const loose = (resource: Resource<KubeObject>): Resource<Loose> => defineResource<Loose>(resource);

const labels = { app: 'web' };
const metadata = { name: 'web', namespace: 'default', labels };
const podSpec = {
  automountServiceAccountToken: false,
  securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
  readinessGates: [{ conditionType: 'example.io/serving' }],
  containers: [
    {
      name: 'main',
      image: 'web:1',
      args: ['--port', '80'],
      env: [
        { name: 'A', value: '1' },
        { name: 'EMPTY', value: '' },
        { name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
      ],
      ports: [{ name: 'http', containerPort: 80 }],
      resources: { limits: { cpu: '1000m', memory: '1024Mi' }, requests: { cpu: 1, memory: '1Gi' } },
      readinessProbe: { httpGet: { path: '/ready', port: 'http' }, periodSeconds: 2 },
      securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] }, readOnlyRootFilesystem: true },
      volumeMounts: [
        { name: 'data', mountPath: '/data' },
        { name: 'config', mountPath: '/config', readOnly: true },
      ],
    },
  ],
  volumes: [
    { name: 'data', persistentVolumeClaim: { claimName: 'web' } },
    { name: 'config', configMap: { name: 'web' } },
  ],
};

/** One of every kind that an operator of one workload owns. */
const OBJECTS: readonly (readonly [Resource<Loose>, Loose])[] = [
  [loose(resources.serviceAccounts), { metadata, automountServiceAccountToken: false }],
  [loose(resources.configMaps), { metadata, data: { 'config.json': '{"a":1}', empty: '' } }],
  [loose(resources.secrets), { metadata, type: 'Opaque', stringData: { token: 'hunter2' } }],
  [
    loose(resources.services),
    {
      metadata,
      spec: {
        selector: labels,
        ports: [
          { name: 'http', port: 80, targetPort: 'http' },
          { name: 'udp', port: 80, protocol: 'UDP' },
        ],
      },
    },
  ],
  [
    loose(resources.persistentVolumeClaims),
    { metadata, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1024Mi' } } } },
  ],
  [loose(resources.podDisruptionBudgets), { metadata, spec: { maxUnavailable: '50%', selector: { matchLabels: labels } } }],
  [
    loose(resources.networkPolicies),
    {
      metadata,
      spec: {
        podSelector: { matchLabels: labels },
        policyTypes: ['Ingress', 'Egress'],
        ingress: [{ from: [{ namespaceSelector: {} }], ports: [{ port: 80 }] }],
        egress: [{ ports: [{ port: 53, protocol: 'UDP' }] }],
      },
    },
  ],
  [
    loose(resources.deployments),
    {
      metadata,
      spec: {
        replicas: 1,
        strategy: { type: 'Recreate' },
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: podSpec },
      },
    },
  ],
];

const deployments = loose(resources.deployments);
const configMaps = loose(resources.configMaps);

async function applyAll(applier: Applier): Promise<string[]> {
  const actions: string[] = [];
  for (const [resource, desired] of OBJECTS) {
    const live = await someone.find(resource, desired.metadata);
    const { action, reasons } = await applier.apply(resource, desired, live);
    actions.push(action === 'unchanged' ? action : `${resource.kind} ${action}: ${reasons.join('; ')}`);
  }
  return actions;
}

describe('apply against a real API server', () => {
  it('creates every kind, then makes no write at all, whatever the server defaulted', async () => {
    const applier = makeApplier();
    expect(await applyAll(applier)).toEqual(OBJECTS.map(([{ kind }]) => `${kind} created: absent`));
    proxy.clearRequests();
    expect(await applyAll(applier)).toEqual(OBJECTS.map(() => 'unchanged'));
    // Neither does a process that starts anew and remembers nothing.
    expect(await applyAll(makeApplier())).toEqual(OBJECTS.map(() => 'unchanged'));
    expect(proxy.writes()).toEqual([]);
  });

  const edit = (resource: Resource<Loose>, body: object, type: 'merge' | 'json' = 'merge'): Promise<Live<Loose>> =>
    someone.patch(resource, metadata, body, { type, fieldManager: 'kubectl-edit' });
  const path = '/spec/template/spec/containers/0';

  const EDITS: readonly [string, Resource<Loose>, () => Promise<unknown>, RegExp][] = [
    ['a changed value', deployments, () => edit(deployments, { spec: { replicas: 4 } }), /^spec\.replicas: 4, wanted 1$/],
    ['an added ConfigMap key', configMaps, () => edit(configMaps, { data: { extra: 'x' } }), /^\/data\/extra was added by kubectl-edit$/],
    ['a removed ConfigMap key', configMaps, () => edit(configMaps, { data: { 'config.json': null } }), /^data\.config\.json: absent/],
    ['a removed label', configMaps, () => edit(configMaps, { metadata: { labels: null } }), /^metadata\.labels: absent/],
    [
      'an added environment variable',
      deployments,
      () => edit(deployments, [{ op: 'add', path: `${path}/env/-`, value: { name: 'HACK', value: '1' } }], 'json'),
      /env\/3 was added by kubectl-edit$/,
    ],
    [
      'an added container',
      deployments,
      () => edit(deployments, [{ op: 'add', path: '/spec/template/spec/containers/-', value: { name: 'side', image: 'x' } }], 'json'),
      /containers\/1 was added by kubectl-edit$/,
    ],
    [
      'an added field',
      deployments,
      () => edit(deployments, { spec: { template: { spec: { hostNetwork: true } } } }),
      /hostNetwork was added/,
    ],
    [
      'a default overridden',
      deployments,
      () => edit(deployments, { spec: { template: { spec: { terminationGracePeriodSeconds: 3 } } } }),
      /terminationGracePeriodSeconds was added/,
    ],
    [
      'a Service selector that selects less',
      loose(resources.services),
      () => edit(loose(resources.services), { spec: { selector: { hack: 'yes' } } }),
      /selector\/hack was added/,
    ],
    [
      'a Secret value',
      loose(resources.secrets),
      () => edit(loose(resources.secrets), { stringData: { token: 'changed' } }),
      /^data\.token differs$/,
    ],
    [
      'a peer in a rule whose ports the server completed',
      loose(resources.networkPolicies),
      () =>
        edit(
          loose(resources.networkPolicies),
          [{ op: 'add', path: '/spec/egress/0/to', value: [{ podSelector: { matchLabels: { hack: 'yes' } } }] }],
          'json',
        ),
      /^\/spec\/egress was changed by kubectl-edit$/,
    ],
    [
      'a removed volume mount',
      deployments,
      () => edit(deployments, [{ op: 'remove', path: `${path}/volumeMounts/1` }], 'json'),
      /volumeMounts\["\/config"\]: absent/,
    ],
  ];

  it.each(EDITS)('puts right %s by hand, and rests', async (_name, resource, tamper, reason) => {
    const applier = makeApplier();
    await applyAll(applier);
    const desired = OBJECTS.find(([{ kind }]) => kind === resource.kind)?.[1];
    if (!desired) throw new Error(`no ${resource.kind}`);
    const before = await someone.get(resource, metadata);
    await tamper();

    const outcome = await applier.apply(resource, desired, await someone.get(resource, metadata));
    expect(outcome.action).toBe('updated');
    expect(outcome.reasons.join('\n')).toMatch(new RegExp(reason.source, 'm'));
    const content = ({ metadata: _metadata, status: _status, ...rest }: Loose): object => rest;
    expect(content(outcome.object)).toEqual(content(before));
    expect(outcome.object.metadata.labels).toEqual(labels);
    proxy.clearRequests();
    expect(new Set(await applyAll(applier))).toEqual(new Set(['unchanged']));
    expect(new Set(await applyAll(makeApplier()))).toEqual(new Set(['unchanged']));
    expect(proxy.writes()).toEqual([]);
  });

  describe('atomic parts of an engine’s NetworkPolicy and PodDisruptionBudget', () => {
    const networkPolicies = loose(resources.networkPolicies);
    const budgets = loose(resources.podDisruptionBudgets);
    const spec = specSchema.parse({ instruments: [{ symbol: 'BTC-USD', tickSize: '0.01', lotSize: '0.0001' }] });
    const objects = engineObjects({
      name: 'atomic',
      namespace: 'default',
      uid: 'u',
      spec,
      secrets: { adminToken: 'x', signingKeys: '{"keys": []}' },
    });
    const wanted = (resource: Resource<Loose>): Loose => {
      const found = objects.find(({ kind }) => kind === resource.kind);
      if (!found) throw new Error(`the chart has no ${resource.kind}`);
      return { ...found };
    };
    const write = async (applier: Applier, resource: Resource<Loose>) =>
      applier.apply(resource, wanted(resource), await someone.find(resource, wanted(resource).metadata));

    const json = (op: string, path: string, value?: unknown) => [{ op, path, value }];
    const hack = { hack: 'yes' };
    const by = { fieldManager: 'kubectl-edit' };
    const ATOMIC_EDITS: readonly [string, Resource<Loose>, object[] | object, RegExp][] = [
      ['an extra label in podSelector', networkPolicies, json('add', '/spec/podSelector/matchLabels/hack', 'yes'), /podSelector/],
      [
        'an expression in podSelector',
        networkPolicies,
        { spec: { podSelector: { matchExpressions: [{ key: 'x', operator: 'Exists' }] } } },
        /podSelector/,
      ],
      ['a port prepended to a rule', networkPolicies, json('add', '/spec/ingress/0/ports/0', { port: 9090 }), /ingress/],
      ['a port appended to a rule', networkPolicies, json('add', '/spec/ingress/0/ports/-', { port: 9090 }), /ingress/],
      ['a port range', networkPolicies, json('add', '/spec/ingress/0/ports/0/endPort', 9090), /ingress/],
      ['from added to a rule', networkPolicies, json('add', '/spec/ingress/0/from', [{ podSelector: { matchLabels: hack } }]), /ingress/],
      ['from taken away from a rule', networkPolicies, json('remove', '/spec/ingress/1/from'), /ingress/],
      ['a label in a peer', networkPolicies, json('add', '/spec/ingress/1/from/2/podSelector/matchLabels/hack', 'yes'), /ingress/],
      ['a selector added to a peer', networkPolicies, json('add', '/spec/ingress/1/from/0/podSelector', { matchLabels: hack }), /ingress/],
      ['a rule more', networkPolicies, json('add', '/spec/ingress/-', {}), /ingress/],
      ['egress', networkPolicies, { spec: { egress: [{}] } }, /egress/],
      ['a budget narrowed by a label', budgets, json('add', '/spec/selector/matchLabels/hack', 'yes'), /selector/],
    ];

    const pristine = new Map<string, unknown>();

    it('are written once', async () => {
      for (const resource of [networkPolicies, budgets]) {
        const { action, object } = await write(makeApplier(), resource);
        expect(action).toBe('created');
        pristine.set(resource.kind, object['spec']);
      }
      proxy.clearRequests();
      for (const resource of [networkPolicies, budgets]) expect((await write(makeApplier(), resource)).action).toBe('unchanged');
      expect(proxy.writes()).toEqual([]);
    });

    it.each(ATOMIC_EDITS)('are put right after %s by hand, and rest', async (_name, resource, body, reason) => {
      const applier = makeApplier();
      const ref = wanted(resource).metadata;
      await someone.patch(resource, ref, body, { type: Array.isArray(body) ? 'json' : 'merge', ...by });

      const outcome = await write(applier, resource);
      expect(outcome.action).toBe('updated');
      expect(outcome.reasons.join('\n')).toMatch(reason);
      expect(outcome.reasons).toHaveLength(1);
      expect(outcome.object['spec']).toEqual(pristine.get(resource.kind));
      proxy.clearRequests();
      expect((await write(applier, resource)).action).toBe('unchanged');
      expect((await write(makeApplier(), resource)).action).toBe('unchanged');
      expect(proxy.writes()).toEqual([]);
    });

    it('are put right after a replace, and after a forced apply by another manager', async () => {
      const before = pristine.get('NetworkPolicy') as { podSelector: { matchLabels: object } };
      const ref = wanted(networkPolicies).metadata;
      const narrowed = { podSelector: { matchLabels: { ...before.podSelector.matchLabels, ...hack } } };
      const live = await someone.get(networkPolicies, ref);
      await someone.replace(networkPolicies, { ...live, spec: { ...before, ...narrowed } });
      expect((await write(makeApplier(), networkPolicies)).object['spec']).toEqual(before);

      const ingress = {
        apiVersion: 'networking.k8s.io/v1',
        kind: 'NetworkPolicy',
        metadata: ref,
        spec: { ingress: [{ from: [{ podSelector: {} }] }] },
      };
      await someone.patch(networkPolicies, ref, ingress, { type: 'apply', fieldManager: 'gitops', force: true });
      expect((await write(makeApplier(), networkPolicies)).object['spec']).toEqual(before);
      proxy.clearRequests();
      expect((await write(makeApplier(), networkPolicies)).action).toBe('unchanged');
      expect(proxy.writes()).toEqual([]);
    });
  });

  it('says no value of a Secret, in reasons, logs and errors', async () => {
    const lines: string[] = [];
    const write = (fields: object, message: string): void => void lines.push(`${message} ${JSON.stringify(fields)}`);
    const log = { debug: write, info: write, warn: write, error: write };
    const secrets = loose(resources.secrets);
    // Turns the server's answers into such that do not hold what was applied, as a webhook that rewrites Secrets would.
    const meddling = loadClient({ kubeconfigPath: api.kubeconfigPath });
    const patch = meddling.patch.bind(meddling);
    let meddle = true;
    meddling.patch = async (...call) => {
      const answer = await patch(...call);
      if (meddle) Object.assign(answer, { data: { token: base64('meddled') } });
      return answer;
    };
    const base64 = (text: string): string => Buffer.from(text).toString('base64');
    const applier = new Applier({ client: meddling, fieldManager: MANAGER, annotationPrefix: 'example.io', log });
    const ref = { namespace: 'default', name: 'quiet' };
    const desired = { metadata: ref, stringData: { token: 'hunter2' } };
    const { object } = await applier.apply(secrets, desired, undefined);
    expect(lines.join('\n')).toContain('data.token differs');
    expect((await applier.apply(secrets, desired, object)).action).toBe('unchanged');

    // What was accepted of the server covers no edit that comes later.
    meddle = false;
    const live = await someone.patch(secrets, ref, { stringData: { token: 'tampered' } }, { type: 'merge', fieldManager: 'kubectl-edit' });
    const repaired = await applier.apply(secrets, desired, live);
    expect(repaired).toMatchObject({ action: 'updated', reasons: ['data.token differs'], object: { data: { token: base64('hunter2') } } });

    const refused = await applier
      .apply(secrets, { metadata: ref, data: { token: 'not base64!' } }, repaired.object)
      .then(() => 'accepted', String);
    expect(refused).toContain('base64');
    const said = [...lines, ...repaired.reasons, refused].join('\n');
    for (const value of ['hunter2', 'tampered', 'meddled', 'not base64!']) {
      expect(said).not.toContain(value);
      expect(said).not.toContain(base64(value));
    }
    await meddling.close();
  });

  it('leaves alone what is nobody’s business here: other labels, annotations, a restart', async () => {
    const applier = makeApplier();
    await applyAll(applier);
    await edit(deployments, {
      metadata: { labels: { team: 'x' }, annotations: { note: 'y' } },
      spec: { template: { metadata: { annotations: { 'kubectl.kubernetes.io/restartedAt': 'now' } } } },
    });
    proxy.clearRequests();
    expect(new Set(await applyAll(applier))).toEqual(new Set(['unchanged']));
    expect(proxy.writes()).toEqual([]);
  });

  it('removes what the manifest no longer names', async () => {
    const applier = makeApplier();
    const both = { metadata: { ...metadata, name: 'shrinks' }, data: { a: '1', b: '2' } };
    const { object } = await applier.apply(configMaps, both, undefined);
    const { object: after } = await applier.apply(configMaps, { ...both, data: { a: '1' } }, object);
    expect(after['data']).toEqual({ a: '1' });
  });

  it('does not write again for a cache that has not caught up', async () => {
    const applier = makeApplier();
    const desired = { metadata: { ...metadata, name: 'stale' }, data: { a: '1' } };
    const { object: old } = await applier.apply(configMaps, desired, undefined);
    await applier.apply(configMaps, { ...desired, data: { a: '2' } }, old);
    proxy.clearRequests();
    expect((await applier.apply(configMaps, { ...desired, data: { a: '2' } }, old)).action).toBe('unchanged');
    expect(proxy.writes()).toEqual([]);
  });

  it('makes again what was deleted, and does not touch what is being deleted', async () => {
    const applier = makeApplier();
    const desired = { metadata: { ...metadata, name: 'goes', finalizers: ['example.io/hold'] }, data: { a: '1' } };
    const { object } = await applier.apply(configMaps, desired, undefined);
    expect(await applier.remove(configMaps, object)).toBe('deleted');
    const terminating = await someone.get(configMaps, desired.metadata);
    expect(await applier.apply(configMaps, { ...desired, data: { a: '2' } }, terminating)).toMatchObject({
      action: 'unchanged',
      reasons: ['is being deleted'],
    });
    await someone.patch(configMaps, desired.metadata, { metadata: { finalizers: null } }, { type: 'merge' });
    const again = await applier.apply(configMaps, desired, undefined);
    expect(again.action).toBe('created');
    expect(again.object.metadata.uid).not.toBe(object.metadata.uid);
    // A precondition protects the new one from a decision about the old one.
    expect(await applier.remove(configMaps, object)).toBe('absent');
    expect((await someone.get(configMaps, desired.metadata)).metadata.deletionTimestamp).toBeUndefined();
  });

  it('passes on the server’s own words', async () => {
    const applier = makeApplier();
    const live = await someone.get(deployments, metadata);
    const [, deployment] = OBJECTS.at(-1) ?? [];
    const other = { metadata, spec: { ...(deployment?.['spec'] as object), selector: { matchLabels: { app: 'other' } } } };
    const refused = await applier.apply(deployments, other, live).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(KubeError);
    expect(refused).toMatchObject({ code: 'invalid', statusCode: 422, reason: 'Invalid' });
    expect(String(refused)).toContain('selector');
    const nobody = loadClient({ kubeconfigPath: await api.kubeconfigFor({ user: 'nobody' }) });
    await expect(nobody.list(resources.secrets)).rejects.toMatchObject({ code: 'forbidden', statusCode: 403 });
    await nobody.close();
    await expect(someone.get(configMaps, { name: 'missing', namespace: 'default' })).rejects.toMatchObject({ code: 'notFound' });
    await expect(someone.create(configMaps, { metadata })).rejects.toMatchObject({ code: 'alreadyExists' });
    const stale = { ...live, metadata: { ...live.metadata, resourceVersion: '1' } };
    await expect(someone.replace(deployments, stale)).rejects.toMatchObject({ code: 'conflict' });
  });

  it('writes a status once, and a readiness gate beside the conditions of others', async () => {
    const applier = makeApplier();
    const pods = loose(resources.pods);
    await someone.create(loose(resources.serviceAccounts), { metadata: { name: 'default', namespace: 'default' } }).catch(() => undefined);
    const pod = await someone.create(pods, {
      metadata: { name: 'p', namespace: 'default' },
      spec: { ...podSpec, automountServiceAccountToken: false },
    });
    const kubelet = { status: { conditions: [{ type: 'Ready', status: 'False' }] } };
    await someone.patch(pods, pod.metadata, kubelet, { type: 'merge', subresource: 'status', fieldManager: 'kubelet' });
    const gate = (status: string) => ({ conditions: [{ type: 'example.io/serving', status, reason: 'Checked' }] });

    const first = await applier.applyStatus(pods, await someone.get(pods, pod.metadata), gate('True'), { partial: true });
    expect(first.action).toBe('updated');
    proxy.clearRequests();
    expect((await applier.applyStatus(pods, first.object, gate('True'), { partial: true })).action).toBe('unchanged');
    expect((await applier.applyStatus(pods, pod, gate('True'), { partial: true })).action).toBe('unchanged');
    expect(proxy.writes()).toEqual([]);
    expect((await applier.applyStatus(pods, first.object, gate('False'), { partial: true })).action).toBe('updated');
    const status = (await someone.get(pods, pod.metadata))['status'] as { conditions: { type: string; status: string }[] };
    expect(Object.fromEntries(status.conditions.map(({ type, status: value }) => [type, value]))).toMatchObject({
      Ready: 'False',
      'example.io/serving': 'False',
    });
    await someone.delete(pods, pod.metadata, { gracePeriodSeconds: 0 });
    await expect(applier.applyStatus(pods, pod, gate('True'), { partial: true })).rejects.toBeInstanceOf(KubeError);
  });
});

describe('a reflector and the pool against a real API server', () => {
  it('lists more than one page, follows a selector, and never opens more connections than it may', async () => {
    const many = Array.from({ length: 620 }, (_, i) => `many-${i}`);
    for (let i = 0; i < many.length; i += 20) {
      await Promise.all(
        many
          .slice(i, i + 20)
          .map((name) => client.create(configMaps, { metadata: { name, namespace: 'default', labels: { many: 'yes' } } })),
      );
    }
    // 16 pooled, at most.
    expect(proxy.connections()).toBeLessThanOrEqual(16);
    const reflector = new Reflector({ client, resource: configMaps, labelSelector: 'many=yes' });
    reflector.start();
    await reflector.whenSynced({ timeoutMs: 10_000 });
    expect(reflector.list()).toHaveLength(620);
    expect(reflector.get('default/many-7')).toMatchObject({ kind: 'ConfigMap', apiVersion: 'v1' });
    expect(() => Object.assign(reflector.get('default/many-7')?.metadata ?? {}, { name: 'x' })).toThrow(TypeError);
    // Out of the selection is out of the store.
    await someone.patch(configMaps, { namespace: 'default', name: 'many-7' }, { metadata: { labels: null } }, { type: 'merge' });
    await expect.poll(() => reflector.list().length, { timeout: 5_000 }).toBe(619);
    await reflector.stop();
    await someone.request({ method: 'DELETE', path: '/api/v1/namespaces/default/configmaps', query: { labelSelector: 'many=yes' } });
  });
});

describe('connections over TLS', () => {
  it('are shared by hundreds of requests, of the generated APIs too', async () => {
    const own = loadClient({ kubeconfigPath: api.kubeconfigPath });
    let sockets = 0;
    const count = (): void => void (sockets += 1);
    subscribe('net.client.socket', count);
    try {
      const generated = own.config.makeApiClient(CoreV1Api);
      for (let i = 0; i < 100; i++) await own.get(resources.namespaces, { name: 'default' });
      for (let i = 0; i < 100; i++) await generated.readNamespace({ name: 'default' });
      expect(sockets).toBeLessThanOrEqual(2);
      await Promise.all(Array.from({ length: 200 }, () => own.get(resources.namespaces, { name: 'default' })));
      expect(sockets).toBeLessThanOrEqual(16);
      expect(sockets).toBeGreaterThan(0);
    } finally {
      unsubscribe('net.client.socket', count);
      await own.close();
    }
  });
});

describe('leader election on a real Lease', () => {
  const timing = { leaseDurationMs: 3_000, renewDeadlineMs: 2_000, retryPeriodMs: 300 };

  function candidate(
    identity: string,
    through: KubeClient,
    log: string[],
  ): { elector: LeaderElector; stop: AbortController; ended: Promise<void> } {
    const stop = new AbortController();
    const elector = new LeaderElector({
      client: through,
      namespace: 'default',
      name: `lease-${identity.split('-')[0]}`,
      identity,
      ...timing,
      onStartedLeading: (signal) => {
        log.push(`${identity} leads`);
        signal.addEventListener('abort', () => log.push(`${identity} stops`));
      },
    });
    return { elector, stop, ended: elector.run(stop.signal) };
  }

  it('has one leader, hands over at once when it stops, and after its lease when it is cut off', async () => {
    const log: string[] = [];
    const first = candidate('x-1', client, log);
    await expect.poll(() => first.elector.isLeader, { timeout: 5_000 }).toBe(true);
    const second = candidate('x-2', someone, log);
    await expect.poll(() => second.elector.leader, { timeout: 5_000 }).toBe('x-1');
    await wait(2 * timing.retryPeriodMs);
    expect(second.elector.isLeader).toBe(false);

    // Cut off: it gives up by itself before the other may take over.
    proxy.setFault('hang');
    const cutAtMs = performance.now();
    await expect.poll(() => second.elector.isLeader, { timeout: 8_000, interval: 10 }).toBe(true);
    expect(performance.now() - cutAtMs).toBeGreaterThan(timing.renewDeadlineMs);
    expect(first.elector.isLeader).toBe(false);
    expect(log).toEqual(['x-1 leads', 'x-1 stops', 'x-2 leads']);
    proxy.setFault(undefined);
    await first.ended;

    const third = candidate('x-3', client, log);
    await expect.poll(() => third.elector.leader, { timeout: 5_000 }).toBe('x-2');
    const stoppedAtMs = performance.now();
    second.stop.abort();
    await second.ended;
    await expect.poll(() => third.elector.isLeader, { timeout: 5_000, interval: 10 }).toBe(true);
    expect(performance.now() - stoppedAtMs).toBeLessThan(timing.leaseDurationMs);
    const lease = await someone.get(resources.leases, { namespace: 'default', name: 'lease-x' });
    expect(lease.spec).toMatchObject({ holderIdentity: 'x-3', leaseDurationSeconds: 3, leaseTransitions: 2 });
    third.stop.abort();
    await third.ended;
    expect((await someone.get(resources.leases, { namespace: 'default', name: 'lease-x' })).spec?.holderIdentity).toBe('');
  });

  it('elects exactly one of many that start at once', async () => {
    const log: string[] = [];
    const all = Array.from({ length: 6 }, (_, i) => candidate(`race-${i}`, someone, log));
    await expect.poll(() => log.length, { timeout: 5_000 }).toBe(1);
    await wait(3 * timing.retryPeriodMs);
    expect(log).toHaveLength(1);
    expect(all.filter(({ elector }) => elector.isLeader)).toHaveLength(1);
    for (const { stop } of all) stop.abort();
    await Promise.all(all.map(({ ended }) => ended));
  });

  it('stops when the Lease is taken by force', async () => {
    const log: string[] = [];
    const holder = candidate('forced-1', someone, log);
    await expect.poll(() => holder.elector.isLeader, { timeout: 5_000 }).toBe(true);
    const usurped = { spec: { holderIdentity: 'usurper', renewTime: '2026-01-01T00:00:00.000000Z' } };
    await someone.patch(resources.leases, { namespace: 'default', name: 'lease-forced' }, usurped, { type: 'merge' });
    await holder.ended;
    expect(log).toEqual(['forced-1 leads', 'forced-1 stops']);
    expect((await someone.get(resources.leases, { namespace: 'default', name: 'lease-forced' })).spec?.holderIdentity).toBe('usurper');
  });
});

describe('events on a real API server', () => {
  it('writes one object for an event that repeats, and counts', async () => {
    const recorder = new EventRecorder({ client: someone, component: 'example.io/test', instance: 'pod-1' });
    const about = await someone.get(configMaps, metadata);
    for (let i = 0; i < 50; i++) recorder.event(about, 'Warning', 'Broken', 'it broke', 'Checking');
    recorder.event(about, 'Normal', 'Fixed', 'x'.repeat(5_000));
    await recorder.stop();
    const { items } = await someone.list(resources.events, { namespace: 'default' });
    const ours = items.filter(({ reportingController }) => reportingController === 'example.io/test');
    expect(new Map(ours.map(({ reason, series }) => [reason, series?.count]))).toEqual(
      new Map([
        ['Broken', 50],
        ['Fixed', undefined],
      ]),
    );
    expect(ours).toHaveLength(2);
    expect(ours.find(({ reason }) => reason === 'Broken')?.regarding).toMatchObject({
      kind: 'ConfigMap',
      name: 'web',
      uid: about.metadata.uid,
    });
  });
});
