import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DESIRED, container, liveCopy } from './deployment.test-support.ts';
import type { Editable } from './deployment.test-support.ts';
import { drift } from './drift.ts';

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
