import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { differenceOf, manifestOf } from './difference.ts';
import { drift } from './drift.ts';
import { foreignFields, takenParts } from './foreign.ts';
import { hashOf } from './json.ts';
import { normaliseQuantity, sameQuantity } from './quantity.ts';
import { resources } from './resource.ts';
import type { KubeObject, Resource } from './resource.ts';

describe('quantities', () => {
  it.each([
    ['1000m', '1'],
    ['1', 1],
    ['0.5', '500m'],
    ['1024Mi', '1Gi'],
    ['1Gi', '1073741824'],
    ['1e3', '1k'],
    ['1E', '1000P'],
    ['100', '1e2'],
    ['0', '0Gi'],
    ['1.5Gi', '1536Mi'],
    ['9007199254740993', '9007199254740993'],
  ])('%s is %s', (a, b) => {
    expect(sameQuantity(a, b)).toBe(true);
  });

  it.each([
    ['1', '1m'],
    ['1Gi', '1G'],
    ['9007199254740993', '9007199254740992'],
    ['1', '-1'],
    ['', ''],
    ['abc', 'abc'],
    ['1GB', '1GB'],
  ])('%s is not %s', (a, b) => {
    expect(sameQuantity(a, b)).toBe(false);
  });

  it('agrees with exact arithmetic for any number and scale', () => {
    const scales = { n: -9, u: -6, m: -3, '': 0, k: 3, M: 6, G: 9 } as const;
    const scale = fc.constantFrom(...(Object.keys(scales) as (keyof typeof scales)[]));
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 15n }), scale, scale, (value, a, b) => {
        const shift = scales[a] - scales[b];
        if (shift < 0) return;
        expect(normaliseQuantity(`${value}${a}`)).toBe(normaliseQuantity(`${value * 10n ** BigInt(shift)}${b}`));
        expect(sameQuantity(`${value}${a}`, `${value + 1n}${a}`)).toBe(false);
      }),
    );
  });
});

/** As the API server returns a Deployment: defaults filled in, numbers rewritten. */
const DESIRED = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'shop', labels: { app: 'web' } },
  spec: {
    replicas: 1,
    strategy: { type: 'Recreate' },
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web' } },
      spec: {
        containers: [
          {
            name: 'main',
            image: 'web:1',
            args: ['--port', '80'],
            env: [
              { name: 'A', value: '1' },
              { name: 'EMPTY', value: '' },
            ],
            ports: [{ name: 'http', containerPort: 80 }],
            resources: { limits: { cpu: '1000m', memory: '1024Mi' }, requests: { cpu: 1, memory: '1Gi' } },
            volumeMounts: [{ name: 'data', mountPath: '/data' }],
          },
        ],
        volumes: [{ name: 'data', emptyDir: {} }],
      },
    },
  },
};

function liveCopy(): typeof DESIRED & Record<string, unknown> {
  const live = structuredClone(DESIRED);
  const container = live.spec.template.spec.containers[0];
  if (!container) throw new Error('no container');
  Object.assign(live.metadata, { uid: 'u', resourceVersion: '1', annotations: { 'deployment.kubernetes.io/revision': '1' } });
  Object.assign(live.spec, { progressDeadlineSeconds: 600, revisionHistoryLimit: 10 });
  Object.assign(live.spec.template.spec, { restartPolicy: 'Always', dnsPolicy: 'ClusterFirst', securityContext: {} });
  Object.assign(container, { imagePullPolicy: 'IfNotPresent', terminationMessagePath: '/dev/termination-log' });
  Object.assign(container.ports[0] ?? {}, { protocol: 'TCP' });
  container.resources.limits = { cpu: '1', memory: '1Gi' };
  Object.assign(container.resources.requests, { cpu: '1' });
  container.env = [{ name: 'A', value: '1' }, { name: 'EMPTY' } as { name: string; value: string }];
  return live;
}

type Editable = ReturnType<typeof liveCopy>;
const container = (live: Editable): (typeof DESIRED.spec.template.spec.containers)[number] => {
  const first = live.spec.template.spec.containers[0];
  if (!first) throw new Error('no container');
  return first;
};

describe('drift', () => {
  it('is silent about server defaults, rewritten quantities and left-out empty values', () => {
    expect(drift(DESIRED, liveCopy())).toEqual([]);
  });

  const edits: readonly [string, (live: Editable) => void, string][] = [
    ['a scalar', (live) => (live.spec.replicas = 5), 'spec.replicas: 5, wanted 1'],
    ['a removed label', (live) => Object.assign(live.metadata, { labels: {} }), 'metadata.labels.app: absent, wanted "web"'],
    ['an image', (live) => (container(live).image = 'web:2'), 'spec.template.spec.containers["main"].image: "web:2", wanted "web:1"'],
    ['an argument more', (live) => container(live).args.push('-v'), 'spec.template.spec.containers["main"].args: 3 elements, wanted 2'],
    [
      'arguments in another order',
      (live) => (container(live).args = container(live).args.toReversed()),
      'spec.template.spec.containers["main"].args[0]: "80", wanted "--port"',
    ],
    [
      'an environment variable gone',
      (live) => void container(live).env.shift(),
      'spec.template.spec.containers["main"].env["A"]: absent, wanted {"name":"A","value":"1"}',
    ],
    [
      'an environment variable that looks like an equal quantity',
      (live) => Object.assign(container(live).env[0] ?? {}, { value: '1000m' }),
      'spec.template.spec.containers["main"].env["A"].value: "1000m", wanted "1"',
    ],
    [
      'a limit',
      (live) => (container(live).resources.limits.cpu = '2'),
      'spec.template.spec.containers["main"].resources.limits.cpu: "2", wanted "1000m"',
    ],
    ['a whole section gone', (live) => Reflect.deleteProperty(live.spec, 'strategy'), 'spec.strategy: absent, wanted {"type":"Recreate"}'],
  ];
  it.each(edits)('finds %s', (_name, edit, reason) => {
    const live = liveCopy();
    edit(live);
    expect(drift(DESIRED, live)[0]).toBe(reason);
  });

  it('does not mind the order of lists that are merged by key', () => {
    const live = liveCopy();
    container(live).env = container(live).env.toReversed();
    expect(drift(DESIRED, live)).toEqual([]);
  });

  it('keys Service ports by port and protocol, and tells http from its double on UDP', () => {
    const service = { kind: 'Service', metadata: {}, spec: { ports: [{ port: 53, protocol: 'UDP', targetPort: 5353 }, { port: 53 }] } };
    const live = {
      kind: 'Service',
      metadata: {},
      spec: {
        ports: [
          { port: 53, protocol: 'TCP', targetPort: 53 },
          { port: 53, protocol: 'UDP', targetPort: 5353 },
        ],
      },
    };
    expect(drift(service, live)).toEqual([]);
    expect(drift(service, { ...live, spec: { ports: live.spec.ports.slice(0, 1) } })).toHaveLength(1);
  });

  const policy = (spec: object): Record<string, unknown> => ({ kind: 'NetworkPolicy', metadata: {}, spec });
  it.each([
    [
      'a port more in front',
      { ingress: [{ ports: [{ port: 80, protocol: 'TCP' }] }] },
      {
        ingress: [
          {
            ports: [
              { port: 9090, protocol: 'TCP' },
              { port: 80, protocol: 'TCP' },
            ],
          },
        ],
      },
      'spec.ingress[0].ports: 2 elements, wanted 1',
    ],
    [
      'another port with the same protocol',
      { ingress: [{ ports: [{ port: 80, protocol: 'TCP' }] }] },
      { ingress: [{ ports: [{ port: 90, protocol: 'TCP' }] }] },
      'spec.ingress[0].ports[0].port: 90, wanted 80',
    ],
    [
      'a label more in a selector',
      { podSelector: { matchLabels: { app: 'web' } } },
      { podSelector: { matchLabels: { app: 'web', hack: 'yes' } } },
      'spec.podSelector.matchLabels.hack: "yes", wanted none',
    ],
    [
      'an empty label more in a selector',
      { podSelector: { matchLabels: { app: 'web' } } },
      { podSelector: { matchLabels: { app: 'web', hack: '' }, matchExpressions: [] } },
      'spec.podSelector.matchLabels.hack: "", wanted none',
    ],
    [
      'an expression in a selector of everything',
      { ingress: [{ from: [{ podSelector: {} }] }] },
      { ingress: [{ from: [{ podSelector: { matchExpressions: [{ key: 'a', operator: 'Exists' }] } }] }] },
      'spec.ingress[0].from[0].podSelector.matchExpressions: [{"key":"a","operator":"Exists"}], wanted none',
    ],
  ])('takes lists without keys and label selectors as a whole: %s', (_name, desired, live, reason) => {
    expect(drift(policy(desired), policy(live))).toEqual([reason]);
    expect(drift(policy(desired), policy(desired))).toEqual([]);
  });

  it('leaves what is added to a Service’s selector to foreign.ts, which removes it', () => {
    const service = (selector: object) => ({ kind: 'Service', metadata: {}, spec: { selector } });
    expect(drift(service({ app: 'web' }), service({ app: 'web', hack: 'yes' }))).toEqual([]);
  });

  it('lets others add finalizers, owners, labels and annotations', () => {
    const desired = { metadata: { finalizers: ['a'], labels: { x: '1' }, ownerReferences: [{ uid: 'o', name: 'owner' }] } };
    const live = {
      metadata: {
        finalizers: ['b', 'a'],
        labels: { x: '1', y: '2' },
        ownerReferences: [
          { uid: 'p', name: 'other' },
          { uid: 'o', name: 'owner' },
        ],
      },
    };
    expect(drift(desired, live)).toEqual([]);
    expect(drift(desired, { metadata: { ...live.metadata, finalizers: ['b'] } })).toEqual(['metadata.finalizers: "a" is missing']);
  });

  it('finds any one change of a value in any JSON object, and none in a copy with more in it', () => {
    // Only objects and scalars: lists have rules of their own, tested above.
    const { tree } = fc.letrec<{ tree: Record<string, unknown> }>((tie) => ({
      tree: fc.dictionary(
        fc.constantFrom('a', 'b', 'c', 'd'),
        fc.oneof({ maxDepth: 3 }, fc.integer({ min: 1 }), fc.constantFrom('x', 'y'), tie('tree')),
        {
          minKeys: 1,
        },
      ),
    }));
    fc.assert(
      fc.property(tree, (spec) => {
        const more = structuredClone({ spec });
        Object.assign(more.spec, { defaulted: true });
        expect(drift({ spec }, more)).toEqual([]);
        const changed = structuredClone({ spec });
        const key = Object.keys(changed.spec)[0] ?? '';
        changed.spec[key] = 'something else';
        expect(drift({ spec }, changed).length).toBeGreaterThan(0);
      }),
    );
  });
});

describe('the values of a Secret', () => {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  const secret = (data: object | undefined): Record<string, unknown> => ({ kind: 'Secret', metadata: {}, type: 'Opaque', data });
  const wanted = secret({ 'admin-token': base64('hunter2') });

  it.each([
    ['edited', secret({ 'admin-token': base64('tampered') }), ['data.admin-token differs']],
    ['removed', secret({ other: base64('tampered') }), ['data.admin-token: absent']],
    ['removed with all data', secret(undefined), ['data: absent']],
    ['of another type', secret({ 'admin-token': [base64('tampered')] }), ['data.admin-token differs']],
  ])('are in no reason when %s', (_name, live, reasons) => {
    expect(drift(wanted, live)).toEqual(reasons);
  });

  it('are not in the reasons below stringData either, while other parts say what they hold', () => {
    const live = { kind: 'Secret', metadata: {}, type: 'Other', stringData: { a: 'tampered' } };
    expect(drift({ kind: 'Secret', metadata: {}, type: 'Opaque', stringData: { a: 'hunter2' } }, live)).toEqual([
      'type: "Other", wanted "Opaque"',
      'stringData.a differs',
    ]);
  });

  it('are shown of a ConfigMap', () => {
    expect(drift({ kind: 'ConfigMap', metadata: {}, data: { a: '1' } }, { kind: 'ConfigMap', metadata: {}, data: { a: '2' } })).toEqual([
      'data.a: "2", wanted "1"',
    ]);
  });
});

describe('foreign fields', () => {
  const entry = (manager: string, fieldsV1: object, extra: object = {}): object => ({ manager, operation: 'Update', fieldsV1, ...extra });
  const find = (live: object, managedFields: object[], desired: Record<string, unknown> = DESIRED): string[] =>
    foreignFields(desired, { ...live, metadata: { managedFields } }, 'ours').map(({ pointer }) => pointer);
  const inContainer = (fields: object): object => ({
    'f:spec': { 'f:template': { 'f:spec': { 'f:containers': { 'k:{"name":"main"}': fields } } } },
  });

  it('finds an environment variable that somebody added, at its place in the list', () => {
    const live = liveCopy();
    container(live).env.push({ name: 'HACK', value: '1' });
    const fields = inContainer({
      'f:env': { 'k:{"name":"HACK"}': { '.': {}, 'f:name': {}, 'f:value': {} }, 'k:{"name":"A"}': { 'f:value': {} } },
    });
    expect(find(live, [entry('kubectl-edit', fields)])).toEqual(['/spec/template/spec/containers/0/env/2']);
  });

  it('takes two added elements of a list from the end', () => {
    const live = liveCopy();
    container(live).env.push({ name: 'H1', value: '1' }, { name: 'H2', value: '2' });
    const fields = inContainer({ 'f:env': { 'k:{"name":"H1"}': { '.': {} }, 'k:{"name":"H2"}': { '.': {} } } });
    expect(find(live, [entry('kubectl-edit', fields)])).toEqual([
      '/spec/template/spec/containers/0/env/3',
      '/spec/template/spec/containers/0/env/2',
    ]);
  });

  it('finds an added field and an added structure, as a whole', () => {
    const live = liveCopy();
    Object.assign(live.spec.template.spec, { hostNetwork: true });
    Object.assign(container(live), { lifecycle: { preStop: { sleep: { seconds: 9 } } } });
    const fields = {
      'f:spec': {
        'f:template': {
          'f:spec': {
            'f:hostNetwork': {},
            'f:containers': { 'k:{"name":"main"}': { 'f:lifecycle': { '.': {}, 'f:preStop': { '.': {}, 'f:sleep': {} } } } },
          },
        },
      },
    };
    expect(find(live, [entry('kubectl-patch', fields)])).toEqual([
      '/spec/template/spec/hostNetwork',
      '/spec/template/spec/containers/0/lifecycle',
    ]);
  });

  it('leaves alone what we want too, our own fields, controllers, subresources, metadata and stale entries', () => {
    const live = liveCopy();
    const hack = { 'f:spec': { 'f:progressDeadlineSeconds': {} } };
    expect(
      find(live, [entry('kubectl', { 'f:spec': { 'f:replicas': {}, 'f:template': { 'f:metadata': { 'f:labels': { 'f:app': {} } } } } })]),
    ).toEqual([]);
    expect(find(live, [entry('ours', hack)])).toEqual([]);
    expect(find(live, [entry('kube-controller-manager', hack)])).toEqual([]);
    expect(find(live, [entry('kubectl', hack, { subresource: 'scale' })])).toEqual([]);
    expect(find(live, [entry('kubectl', { 'f:metadata': { 'f:labels': { 'f:x': {} } }, 'f:status': { 'f:replicas': {} } })])).toEqual([]);
    expect(find(live, [entry('kubectl', { 'f:spec': { 'f:paused': {} } })])).toEqual([]);
    Object.assign(live.spec.template.metadata, { annotations: { restartedAt: 'now' } });
    const restart = { 'f:spec': { 'f:template': { 'f:metadata': { 'f:annotations': { '.': {}, 'f:restartedAt': {} } } } } };
    expect(find(live, [entry('kubectl-rollout', restart)])).toEqual([]);
    // and the same entry is found when it is somebody else's
    expect(find(live, [entry('kubectl', hack)])).toEqual(['/spec/progressDeadlineSeconds']);
  });

  it('finds keys of our ConfigMap that no manager claims, with their pointer escaped', () => {
    const desired = { kind: 'ConfigMap', metadata: {}, data: { a: '1' } };
    expect(find({ data: { a: '1', 'x/y~z': '2' } }, [], desired)).toEqual(['/data/x~1y~0z']);
  });

  describe('atomic parts', () => {
    const desired = { kind: 'NetworkPolicy', metadata: {}, spec: { ingress: [{ ports: [{ port: 80 }] }] } };
    const live = {
      kind: 'NetworkPolicy',
      metadata: {},
      spec: { ingress: [{ from: [{ podSelector: {} }], ports: [{ port: 80, protocol: 'TCP' }] }] },
    };
    const leaf = { 'f:spec': { 'f:ingress': {} } };
    const ours = (fieldsV1: object): object => ({ manager: 'ours', operation: 'Apply', fieldsV1 });
    const taken = (managedFields: object[], present: object = live): string[] =>
      takenParts(desired, { ...present, metadata: { managedFields } }, 'ours');

    it('that others changed and own now are found', () => {
      expect(taken([ours({ 'f:spec': {} }), entry('kubectl-edit', leaf)])).toEqual(['/spec/ingress was changed by kubectl-edit']);
      expect(taken([entry('kubectl-edit', leaf)])).toEqual(['/spec/ingress was changed by kubectl-edit']);
    });

    it('are left alone when we own them, alone or with others, or a controller or nobody does', () => {
      expect(taken([ours(leaf)])).toEqual([]);
      expect(taken([ours(leaf), entry('kubectl-edit', leaf)])).toEqual([]);
      expect(taken([entry('kube-controller-manager', leaf)])).toEqual([]);
      expect(taken([entry('kubectl', leaf, { subresource: 'status' })])).toEqual([]);
      expect(taken([])).toEqual([]);
    });

    it('are left alone when they hold just what is wanted, and to drift when they lack some of it', () => {
      expect(taken([entry('kubectl-edit', leaf)], { ...desired })).toEqual([]);
      expect(taken([entry('kubectl-edit', leaf)], { spec: { ingress: [{ ports: [{ port: 90 }] }] } })).toEqual([]);
    });

    it('of an element of a list that is merged by key are found in it', () => {
      const selected = {
        ...DESIRED,
        spec: { topologySpreadConstraints: [{ topologyKey: 'z', whenUnsatisfiable: 'x', spread: { a: '1' } }] },
      };
      const changed = {
        ...DESIRED,
        spec: { topologySpreadConstraints: [{ topologyKey: 'z', whenUnsatisfiable: 'x', spread: { a: '1', b: '2' } }] },
      };
      const key = 'k:{"topologyKey":"z","whenUnsatisfiable":"x"}';
      const fields = (below: object): object => ({ 'f:spec': { 'f:topologySpreadConstraints': { [key]: below } } });
      const find2 = (below: object): string[] =>
        takenParts(
          selected,
          { ...changed, metadata: { managedFields: [ours(fields(below)), entry('kubectl-edit', fields({ 'f:spread': {} }))] } },
          'ours',
        );
      expect(find2({ 'f:topologyKey': {} })).toEqual(['/spec/topologySpreadConstraints/0/spread was changed by kubectl-edit']);
      expect(find2({ 'f:spread': {} })).toEqual([]);
    });
  });

  it('does not touch sections that the manifest does not have', () => {
    const desired = { kind: 'ServiceAccount', metadata: {} };
    expect(find({ secrets: [{ name: 's' }] }, [entry('openshift', { 'f:secrets': { 'k:{"name":"s"}': { '.': {} } } })], desired)).toEqual(
      [],
    );
  });
});

describe('the difference', () => {
  const ANNOTATION = 'example.io/applied-hash';
  const values = (resource: Resource<KubeObject>, desired: KubeObject, content: object, appliedHash: string): string[] => {
    const manifest = manifestOf(resource, desired);
    const metadata = { ...desired.metadata, uid: 'u', resourceVersion: '1', annotations: { [ANNOTATION]: appliedHash } };
    return differenceOf(manifest, { ...content, metadata }, hashOf(manifest), 'ours', ANNOTATION).values;
  };

  it('is there for a changed manifest even where the live object holds all of it', () => {
    const desired = { metadata: { name: 'c', namespace: 'n' }, data: { a: '1' } };
    const hash = hashOf({ apiVersion: 'v1', kind: 'ConfigMap', ...desired });
    expect(values(resources.configMaps, desired, { data: desired.data }, hash)).toEqual([]);
    const fewer = { metadata: { name: 'c', namespace: 'n', labels: {} }, data: { a: '1' } };
    expect(values(resources.configMaps, fewer, { data: desired.data }, hash)).toEqual(['the manifest changed']);
  });

  it('compares stringData with the data that the server made of it', () => {
    const secret = (value: string) => ({ metadata: { name: 's', namespace: 'n' }, stringData: { token: value } });
    const data = { token: Buffer.from('hunter2').toString('base64') };
    const hash = hashOf({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 's', namespace: 'n' }, data });
    expect(values(resources.secrets, secret('hunter2'), { data }, hash)).toEqual([]);
    expect(values(resources.secrets, secret('hunter3'), { data }, hash)).toEqual(['the manifest changed', 'data.token differs']);
  });
});
