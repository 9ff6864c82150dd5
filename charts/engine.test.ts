import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { configHash, engineConfigSchema } from '../crds/engine-config.ts';
import { specSchema, type HFTEngineSpec, type HFTEngineSpecInput } from '../crds/hftengine.ts';
import { engineObjects } from './engine.ts';
import type { KubeObject } from './kube-object.ts';
import { CONFIG_HASH_ANNOTATION, configMapName, engineLabels, engineNames } from './names.ts';
import { podSpecs, restrictedViolations, type PodTemplate } from './pod-security.prop.ts';
import { engineName, engineSpec } from './spec.prop.ts';

const INSTRUMENTS = [{ symbol: 'BTC-USD', tickSize: '0.01', lotSize: '0.0001' }];
const spec = (input: Partial<HFTEngineSpecInput> = {}): HFTEngineSpec => specSchema.parse({ instruments: INSTRUMENTS, ...input });

const SIGNING_KEYS = '{"keys": [{"kid": "k", "x": "public", "d": "s3cret"}]}';

function objects(name: string, ofSpec: HFTEngineSpec = spec()): KubeObject[] {
  return engineObjects({
    name,
    namespace: 'trading',
    uid: 'uid-1',
    spec: ofSpec,
    secrets: { adminToken: 'token-1', signingKeys: SIGNING_KEYS },
  });
}

interface Deployment {
  progressDeadlineSeconds: number;
  strategy: { type: string };
  template: PodTemplate;
}
const one = (all: KubeObject[], kind: string): KubeObject => {
  const [found, ...others] = all.filter((object) => object.kind === kind);
  if (found === undefined || others.length > 0) throw new Error(`expected one ${kind}`);
  return found;
};
const deployment = (all: KubeObject[]): Deployment => one(all, 'Deployment')['spec'] as Deployment;

/** Every label selector in the objects, by the object that carries it. */
function selectors(all: KubeObject[]): { owner: string; labels: Record<string, string> }[] {
  return all.flatMap(({ kind, metadata, spec: specOf }) => {
    const { selector, podSelector } = (specOf ?? {}) as { selector?: Record<string, unknown>; podSelector?: Record<string, unknown> };
    const found = podSelector ?? selector;
    if (found === undefined) return [];
    return [{ owner: `${kind}/${metadata.name}`, labels: (found['matchLabels'] ?? found) as Record<string, string> }];
  });
}

const selects = (selector: Record<string, string>, labels: Record<string, string>): boolean =>
  Object.entries(selector).every(([key, value]) => labels[key] === value);

describe('engineObjects', () => {
  it('returns everything that a pod needs before the pod', () => {
    expect(objects('demo').map(({ kind, metadata }) => `${kind}/${metadata.name}`)).toEqual([
      'ServiceAccount/demo-engine',
      'Secret/demo-keys',
      expect.stringMatching(/^ConfigMap\/demo-config-[0-9a-f]{8}$/),
      'PersistentVolumeClaim/demo-journal',
      'NetworkPolicy/demo-engine',
      'Service/demo-engine',
      'Service/demo-ops',
      'PodDisruptionBudget/demo-engine',
      'Deployment/demo-engine',
    ]);
  });

  it('puts namespace and labels on every child, and the owner on all but the volume claim', () => {
    for (const { kind, metadata } of objects('demo')) {
      expect(metadata.namespace).toBe('trading');
      expect(metadata.labels).toEqual(engineLabels('demo'));
      const owner = {
        apiVersion: 'hftengine.io/v1alpha1',
        kind: 'HFTEngine',
        name: 'demo',
        uid: 'uid-1',
        controller: true,
        blockOwnerDeletion: true,
      };
      expect(metadata.ownerReferences).toEqual(kind === 'PersistentVolumeClaim' ? undefined : [owner]);
    }
  });

  it('carries the configuration, its hash and the token', () => {
    const all = objects('demo', spec({ risk: { killSwitch: true } }));
    const { data } = one(all, 'ConfigMap') as KubeObject & { data: Record<string, string> };
    const config = engineConfigSchema.parse(JSON.parse(data['config.json'] ?? ''));
    expect(config.risk.killSwitch).toBe(true);
    expect(deployment(all).template.metadata.annotations?.[CONFIG_HASH_ANNOTATION]).toBe(configHash(config));
    expect(one(all, 'ConfigMap').metadata.name).toBe(configMapName('demo', configHash(config)));
    const secret = one(all, 'Secret') as KubeObject & { data: Record<string, string> };
    const stored = (key: string): string => Buffer.from(secret.data[key] ?? '', 'base64').toString();
    expect(stored('admin-token')).toBe('token-1');
    expect(stored('signing-keys.json')).toBe(SIGNING_KEYS);
    expect(JSON.parse(stored('keys.json'))).toEqual({ keys: [{ kid: 'k', x: 'public' }] });
  });

  it('puts nothing secret anywhere but into the Secret, and no private key into the pod', () => {
    const all = objects('demo');
    for (const object of all.filter(({ kind }) => kind !== 'Secret'))
      expect(JSON.stringify(object)).not.toMatch(/token-1|s3cret|signing-keys/);
    const mounted = deployment(all).template.spec?.volumes?.find(({ name }) => name === 'keys') as {
      secret?: { items?: { key: string }[] };
    };
    expect(mounted.secret?.items?.map(({ key }) => key)).toEqual(['admin-token', 'keys.json']);
  });

  it('leaves the pod alone when only the operator reads what has changed', () => {
    const before = deployment(objects('demo'));
    const changed = spec({
      rollout: { autoRollback: false, progressDeadline: '1m500ms', slo: { gcPauseMs: 1 } },
      auth: { rotateEvery: '1h' },
      observability: { alerts: { latencyMs: 1 } },
      deletionPolicy: 'Delete',
      journal: { storage: '2Gi' },
    });
    const after = deployment(objects('demo', changed));
    expect(after.template).toEqual(before.template);
    expect([before.progressDeadlineSeconds, after.progressDeadlineSeconds]).toEqual([120, 61]);
  });

  it('does not tell quantities apart that mean the same', () => {
    const [a, b] = [spec({ resources: { cpu: 1, memory: '1Gi' } }), spec({ resources: { cpu: '1000m', memory: '1024Mi' } })];
    expect(objects('demo', b)).toEqual(objects('demo', a));
  });

  it('gives the container what it asks for as the limit, too, and runs the planned flags', () => {
    const [container] = deployment(objects('demo', spec({ resources: { cpu: '0.5', memory: '1Gi' } }))).template.spec.containers;
    expect(container?.resources).toEqual({ requests: { cpu: '500m', memory: '1Gi' }, limits: { cpu: '500m', memory: '1Gi' } });
    expect(container?.command).toEqual([
      'node',
      '--max-old-space-size=417',
      '--max-semi-space-size=4',
      '--min-semi-space-size=4',
      '/app/engine.mjs',
    ]);
  });

  it('names a storage class only when the resource does', () => {
    const claim = (all: KubeObject[]): object => one(all, 'PersistentVolumeClaim')['spec'] as object;
    expect(claim(objects('demo'))).not.toHaveProperty('storageClassName');
    expect(claim(objects('demo', spec({ journal: { storageClassName: 'fast' } })))).toHaveProperty('storageClassName', 'fast');
  });

  it('refuses a heap that does not fit', () => {
    const tight: HFTEngineSpec = { ...spec(), runtime: { heap: 'explicit', oldSpaceMi: 1000, semiSpaceMi: 16 } };
    expect(() => objects('demo', tight)).toThrow(/the heap does not fit/);
  });
});

describe('two engines in one namespace', () => {
  it('select their own pods and never each other’s', () => {
    fc.assert(
      fc.property(engineName, engineName, engineSpec, (a, b, ofSpec) => {
        fc.pre(a !== b);
        const [mine, theirs] = [objects(a, ofSpec), objects(b, ofSpec)];
        const [myPod, theirPod] = [deployment(mine).template.metadata.labels, deployment(theirs).template.metadata.labels];
        const carried = selectors(mine);
        expect(carried.map(({ owner }) => owner.split('/')[0])).toEqual([
          'NetworkPolicy',
          'Service',
          'Service',
          'PodDisruptionBudget',
          'Deployment',
        ]);
        for (const { labels } of carried) {
          expect(selects(labels, myPod)).toBe(true);
          expect(selects(labels, theirPod)).toBe(false);
        }
      }),
    );
  });

  it('share no object, whatever their names', () => {
    fc.assert(
      fc.property(engineName, engineName, fc.constantFrom('', '-engine', '-ops', '-keys', '-journal', '-config'), (a, prefix, suffix) => {
        const b = `${prefix}${suffix}`;
        fc.pre(a !== b && b.length <= 40);
        const identities = [...objects(a), ...objects(b), ...objects(`${a}${suffix}`.slice(0, 40))].map(
          ({ kind, metadata }) => `${kind}/${metadata.name}`,
        );
        const distinctEngines = new Set([a, b, `${a}${suffix}`.slice(0, 40)]).size;
        expect(new Set(identities).size).toBe(distinctEngines * 9);
      }),
    );
  });
});

describe('any spec that the CRD admits', () => {
  it('synthesizes, the same each time, into restricted pods with requests equal to limits', () => {
    fc.assert(
      fc.property(engineName, engineSpec, (name, ofSpec) => {
        const all = objects(name, ofSpec);
        expect(JSON.stringify(objects(name, structuredClone(ofSpec)))).toBe(JSON.stringify(all));
        for (const pod of podSpecs(all)) {
          expect(restrictedViolations(pod)).toEqual([]);
          for (const { resources } of pod.containers) expect(resources?.requests).toEqual(resources?.limits);
        }
        for (const { metadata } of all) expect(metadata.name).toMatch(/^[a-z][-a-z0-9]{0,62}$/);
        expect(engineNames(name).ordersService).toBe(`${name}-engine`);
      }),
    );
  });

  it('synthesizes in about a millisecond', () => {
    const times = Array.from({ length: 101 }, () => {
      const startedAt = performance.now();
      objects('demo');
      return performance.now() - startedAt;
    });
    // Ten times what it takes, so that a busy machine does not matter and a slip into file output or a re-parse does.
    expect(times.sort((a, b) => a - b)[50]).toBeLessThan(10);
  });
});
