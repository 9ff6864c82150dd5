import { describe, expect, test } from 'vitest';
import type { HFTEngineSpecInput, HFTEngineStatus } from '../../crds/hftengine.ts';
import {
  answerOf,
  engineWith,
  liveObjects,
  NOW,
  observedWith,
  planOf,
  podOf,
  wantedFor,
  type PodOptions,
} from './fixtures.test-support.ts';
import type { Observed } from './observed.ts';
import { needsCheck } from './plan.ts';

const conditionOf = (status: HFTEngineStatus, type: string) => {
  const found = status.conditions?.find((condition) => condition.type === type);
  return found === undefined ? 'absent' : `${found.status} ${found.reason}`;
};
const messageOf = (status: HFTEngineStatus, type: string): string =>
  status.conditions?.find((condition) => condition.type === type)?.message ?? '';
const planned = (engine = engineWith(), observed: Partial<Observed> = {}) => planOf(engine, observedWith(observed));

/** What decides which pod runs with which configuration. */
const isOfPod = ({ kind }: { kind?: string }): boolean => kind === 'Deployment' || kind === 'ConfigMap';

const VERIFIED = `container 0123456789ab recovered and runs configuration `;

describe('a new engine', () => {
  test('everything is to be created and nothing is claimed', () => {
    const { objects, status, gates } = planned();
    expect(objects.map(({ kind }) => kind ?? '').toSorted((a, b) => a.localeCompare(b))).toEqual([
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
    expect(objects.at(-1)?.kind).toBe('Deployment');
    expect(gates).toEqual([]);
    expect(status.plan).toEqual({ class: 'create', changes: [{ class: 'create', field: 'spec', reason: 'there is no engine yet' }] });
    expect(conditionOf(status, 'Ready')).toBe('False Creating');
    expect(conditionOf(status, 'Progressing')).toBe('True Creating');
    expect(conditionOf(status, 'Degraded')).toBe('False AsExpected');
    expect(conditionOf(status, 'ConfigApplied')).toBe('Unknown NoAnswer');
    expect(status.sequence).toBeUndefined();
    expect(status.configHash).toBeUndefined();
  });

  test('the same input gives the same plan', () => {
    expect(JSON.stringify(planned())).toBe(JSON.stringify(planned()));
  });
});

/** An engine whose Deployment is applied and whose one pod is as `options` say. */
function running(
  options: PodOptions & {
    answer?: ReturnType<typeof answerOf> | { reachable: false; reason: string } | 'none';
    status?: HFTEngineStatus;
    annotations?: Record<string, string>;
    spec?: Partial<HFTEngineSpecInput>;
  },
) {
  const engine = engineWith(options.spec ?? {}, {
    ...(options.status ? { status: options.status } : {}),
    ...(options.annotations ? { annotations: options.annotations } : {}),
  });
  const live = liveObjects(engine);
  const answer = options.answer ?? answerOf(engine);
  const pod = podOf(live.deployment, options);
  return planned(engine, { ...live, pods: [answer === 'none' ? { pod } : { pod, answer }] });
}

describe('the way to Ready', () => {
  test.each([
    [
      'the container does not run yet',
      { answer: 'none' as const, state: { waiting: { reason: 'ContainerCreating' } } },
      'False Starting',
      false,
    ],
    ['the engine replays its journal', { answer: answerOf(engineWith(), { phase: 'recovering' }) }, 'False Recovering', false],
    ['the engine warms up', { answer: answerOf(engineWith(), { phase: 'warming' }) }, 'False WarmingUp', false],
    ['the engine does not answer', { answer: { reachable: false as const, reason: 'no answer' } }, 'False Unreachable', false],
    ['another configuration', { answer: answerOf(engineWith(), { configHash: 'ffffffffffffffff' }) }, 'False ConfigMismatch', false],
    ['other heap flags', { answer: answerOf(engineWith(), { heapFlags: ['--max-old-space-size=1'] }) }, 'False HeapFlagsMismatch', false],
    ['verified, the probe is still to come', {}, 'False Opening', true],
    ['the engine drains', { answer: answerOf(engineWith(), { phase: 'draining' }) }, 'False Draining', false],
  ])('%s', (_name, options, ready, open) => {
    const { status, gates } = running(options);
    expect(conditionOf(status, 'Ready')).toBe(ready);
    expect(gates).toHaveLength(1);
    expect(gates[0]?.decision.open).toBe(open);
    expect(conditionOf(status, 'Progressing').startsWith('True')).toBe(true);
  });

  test('verified and ready', () => {
    const { status, requeueAfterMs } = running({ ready: true, gate: { status: 'True', message: VERIFIED } });
    expect(conditionOf(status, 'Ready')).toBe('True Serving');
    expect(conditionOf(status, 'Progressing')).toBe('False Complete');
    expect(conditionOf(status, 'ConfigApplied')).toBe('True Reported');
    expect(status.plan).toEqual({ class: 'none', changes: [] });
    expect(status).toMatchObject({ sequence: 40, version: '0.1.0', stateHash: '00112233aabbccdd', observedGeneration: 1 });
    expect(status.configHash).toBe(status.desiredConfigHash);
    expect(requeueAfterMs).toBe(10_000);
  });
});

describe('the readiness gate', () => {
  const status = { sequence: 41, conditions: [] };
  test('stays open for a verified engine that is silent for a moment', () => {
    const hash = running({}).status.configHash ?? '';
    const { gates } = running({
      ready: true,
      gate: { status: 'True', message: VERIFIED + hash },
      answer: { reachable: false, reason: 'no answer' },
    });
    expect(gates[0]?.decision.open).toBe(true);
  });

  test('closes when the container inside the pod is another one and does not answer yet', () => {
    const hash = running({}).status.configHash ?? '';
    const { gates } = running({
      containerId: 'containerd://ffffffffffffffff',
      gate: { status: 'True', message: VERIFIED + hash },
      answer: { reachable: false, reason: 'no answer' },
    });
    expect(gates[0]?.decision).toMatchObject({ open: false, reason: 'Unreachable' });
  });

  test('stays shut when the journal ends before what was acknowledged, and the sequence is not forgotten', () => {
    const result = running({ status });
    expect(result.gates[0]?.decision).toMatchObject({ open: false, reason: 'JournalBehind' });
    expect(conditionOf(result.status, 'Degraded')).toBe('True JournalBehind');
    expect(messageOf(result.status, 'Degraded')).toContain('kubectl annotate hft');
    expect(result.status.sequence).toBe(41);
  });

  test('opens when a person accepts exactly that sequence, and only that', () => {
    expect(running({ status, annotations: { 'hftengine.io/accept-sequence': '39' } }).gates[0]?.decision.open).toBe(false);
    expect(running({ status, annotations: { 'hftengine.io/accept-sequence': '40' } }).gates[0]?.decision.open).toBe(true);
  });

  test('promises nothing with durability memory', () => {
    expect(running({ status, spec: { journal: { durability: 'memory' } } }).gates[0]?.decision.open).toBe(true);
  });

  test('a pod that is being stopped is left alone', () => {
    expect(running({ terminating: true }).gates).toEqual([]);
  });
});

describe('a change', () => {
  const before = engineWith();
  const live = liveObjects(before);
  const servingPod = {
    pod: podOf(live.deployment, { ready: true, gate: { status: 'True', message: VERIFIED } }),
    answer: answerOf(before),
  };
  const change = (spec: Partial<HFTEngineSpecInput>, more: Partial<Observed> = {}) =>
    planned(engineWith(spec, { generation: 2, status: { observedGeneration: 1, sequence: 40 } }), { ...live, pods: [servingPod], ...more });

  test.each<[string, Partial<HFTEngineSpecInput>, string[]]>([
    ['risk', { risk: { killSwitch: true } }, ['spec.risk.killSwitch']],
    ['a limit', { limits: { ordersPerSecond: 5, burst: 7 } }, ['spec.limits.ordersPerSecond', 'spec.limits.burst']],
    ['instruments', { instruments: [{ symbol: 'ETH-USD', tickSize: '0.01', lotSize: '0.01' }] }, ['spec.instruments']],
    ['memory', { resources: { memory: '2Gi' } }, ['spec.resources', 'spec.runtime']],
    ['cpu', { resources: { cpu: 2 } }, ['spec.resources']],
    ['image', { image: 'hft-engine:next' }, ['spec.image']],
    ['durability', { journal: { durability: 'commit' } }, ['spec.journal.durability']],
    ['TLS', { tls: { secretName: 'demo-tls' } }, ['spec.tls']],
  ])('of %s restarts the engine, says so first, and names the field', (_name, spec, fields) => {
    const { status, objects } = change(spec);
    expect(status.plan?.class).toBe('restart');
    expect(status.plan?.changes.map(({ field }) => field)).toEqual(fields);
    expect(conditionOf(status, 'Ready')).toBe('False RollingOut');
    expect(conditionOf(status, 'Progressing')).toBe('True RollingOut');
    expect(status.observedGeneration).toBe(2);
    expect(objects.some(({ kind }) => kind === 'Deployment')).toBe(true);
  });

  test('of what only the cluster sees restarts nothing', () => {
    const { status } = change({ journal: { storage: '5Gi' }, deletionPolicy: 'Delete' });
    expect(status.plan).toEqual({ class: 'none', changes: [] });
    expect(conditionOf(status, 'Ready')).toBe('True Serving');
  });

  test('of the Secret of the certificate, or to none, is one of spec.tls', () => {
    const tls = (secretName: string) => engineWith({ tls: { secretName } });
    const fieldsOf = (from: ReturnType<typeof tls>, to: ReturnType<typeof tls>) =>
      planned(to, liveObjects(from)).status.plan?.changes.map(({ field }) => field);
    expect(fieldsOf(tls('one'), tls('two'))).toEqual(['spec.tls']);
    expect(fieldsOf(tls('one'), engineWith())).toEqual(['spec.tls']);
    expect(fieldsOf(tls('one'), engineWith({ tls: { secretName: 'one', clientAuth: 'require' } }))).toEqual(['spec.tls']);
    const asked = (clientAuth: 'request' | 'require') => engineWith({ tls: { secretName: 'one', clientAuth } });
    expect(fieldsOf(asked('request'), asked('require'))).toEqual(['spec.tls.clientAuth']);
  });

  const tlsProblem = { reason: 'CertificateMissing', message: 'there is no Secret demo-tls' } as const;
  test('to a certificate that is not there is not applied, and the old engine serves on', () => {
    const { status, objects, requeueAfterMs } = change({ tls: { secretName: 'demo-tls' } }, { tlsProblem });
    expect(status.plan).toMatchObject({ class: 'refused', changes: [{ field: 'spec.tls', reason: tlsProblem.message }] });
    expect(conditionOf(status, 'Degraded')).toBe('True CertificateMissing');
    expect(conditionOf(status, 'Ready')).toBe('True Serving');
    expect(objects.find(({ kind }) => kind === 'Deployment')).toMatchObject({
      spec: { template: { spec: { volumes: expect.not.arrayContaining([expect.objectContaining({ name: 'tls' })]) } } },
    });
    expect(requeueAfterMs).toBe(2000);
  });

  test('a new engine waits for its certificate, and says so', () => {
    const { status, objects } = planned(engineWith({ tls: { secretName: 'demo-tls' } }), { tlsProblem });
    expect(objects.some(isOfPod)).toBe(false);
    expect(conditionOf(status, 'Ready')).toBe('False CertificateMissing');
    expect(messageOf(status, 'Degraded')).toContain('there is no Secret demo-tls');
  });

  test('while the old engine drains, Ready is False and the old sequence is kept up to date', () => {
    const after = engineWith({ risk: { killSwitch: true } }, { generation: 2, status: { observedGeneration: 1, sequence: 40 } });
    const pods = [{ pod: podOf(live.deployment, { terminating: true }), answer: answerOf(before, { phase: 'draining', sequence: 55 }) }];
    const { status } = planned(after, { ...liveObjects(after), pods });
    expect(conditionOf(status, 'Ready')).toBe('False Draining');
    expect(status.sequence).toBe(55);
  });

  test('that the running engine refuses is not applied; the old one serves on and its reason is told', () => {
    const refused = {
      accepted: false as const,
      code: 'HFT_INSTRUMENT_HAS_OPEN_ORDERS',
      message: 'BTC-USD has 3 open orders: cancel them first',
    };
    const { status, objects, prune } = change(
      { instruments: [{ symbol: 'ETH-USD', tickSize: '0.01', lotSize: '0.01' }] },
      { check: refused },
    );
    expect(objects.filter(isOfPod)).toEqual(planOf(before, observedWith()).objects.filter(isOfPod));
    expect(prune).toEqual([]);
    expect(status.plan?.class).toBe('refused');
    expect(conditionOf(status, 'Ready')).toBe('True Serving');
    // kubectl wait compares this with the generation of the spec: it must not say that the refused one serves.
    expect(status.conditions?.find(({ type }) => type === 'Ready')?.observedGeneration).toBe(1);
    expect(conditionOf(status, 'Degraded')).toBe('True ConfigRefused');
    expect(messageOf(status, 'Degraded')).toContain('BTC-USD has 3 open orders');
    expect(conditionOf(status, 'Progressing')).toBe('False ConfigRefused');
    expect(conditionOf(status, 'ConfigApplied')).toBe('False Refused');
  });

  const toEth: Partial<HFTEngineSpecInput> = { instruments: [{ symbol: 'ETH-USD', tickSize: '0.01', lotSize: '0.01' }] };
  const refusedBefore = {
    type: 'Degraded',
    status: 'True',
    reason: 'ConfigRefused',
    message: 'HFT_X: 3 open orders',
    lastTransitionTime: NOW.toISOString(),
  } as const;
  test.each<[string, Partial<Observed>]>([
    ['does not answer the check', { check: 'unanswered' }],
    ['restarts', { pods: [{ pod: podOf(live.deployment) }] }],
    ['is gone', { pods: [] }],
    ['is gone and its Deployment with it', { pods: [], deployment: undefined }],
  ])('that was refused is not rolled out because the engine %s', (_name, seen) => {
    const status = {
      observedGeneration: 2,
      sequence: 40,
      configHash: answerOf(before).status.configHash,
      conditions: [{ ...refusedBefore, observedGeneration: 2 }],
    };
    const result = planned(engineWith(toEth, { generation: 2, status }), { ...live, pods: [servingPod], ...seen });
    expect(result.objects.filter(isOfPod)).toEqual(planOf(before, observedWith()).objects.filter(isOfPod));
    expect(conditionOf(result.status, 'Degraded')).toBe('True ConfigRefused');
    // The next spec is judged anew.
    const next = planned(engineWith({ ...toEth, risk: { killSwitch: true } }, { generation: 3, status }), { ...live, pods: [] });
    expect(conditionOf(next.status, 'Degraded')).toBe('False AsExpected');
  });

  test('that the engine has not judged yet waits for its answer', () => {
    const { status, objects } = change(toEth, { check: 'unanswered' });
    expect(objects.filter(isOfPod)).toEqual(planOf(before, observedWith()).objects.filter(isOfPod));
    expect(conditionOf(status, 'Progressing')).toBe('True AskingEngine');
    expect(conditionOf(status, 'Ready')).toBe('True Serving');
    expect(conditionOf(status, 'Degraded')).toBe('False AsExpected');
  });

  test('is held back while the claim of the journal is being deleted: a restart would lose it', () => {
    const metadata = {
      name: 'demo-journal',
      namespace: 'trading',
      uid: 'uid-claim',
      resourceVersion: '3',
      deletionTimestamp: '2026-01-02T03:04:00Z',
    };
    const claim = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata };
    const { status, objects } = change({ risk: { killSwitch: true } }, { claim });
    expect(objects.filter(isOfPod)).toEqual(planOf(before, observedWith()).objects.filter(isOfPod));
    expect(conditionOf(status, 'Ready')).toBe('True Serving');
    expect(conditionOf(status, 'Degraded')).toBe('True JournalClaimDeleting');
    expect(messageOf(status, 'Degraded')).toContain('Retain');
    const unchanged = planned(before, { ...live, pods: [servingPod], claim }).status;
    expect(conditionOf(unchanged, 'Degraded')).toBe('True JournalClaimDeleting');
    expect(conditionOf(unchanged, 'ConfigApplied')).toBe('True Reported');
  });

  test('the running engine is asked only when the pod template would change', () => {
    expect(needsCheck(wantedFor(before), live.deployment)).toBe(false);
    expect(needsCheck(wantedFor(engineWith({ risk: { killSwitch: true } })), live.deployment)).toBe(true);
  });

  test('configurations that no pod uses are pruned once the new one serves, and not before', () => {
    const after = engineWith({ risk: { killSwitch: true } });
    const next = liveObjects(after);
    const configMaps = [...live.configMaps, ...next.configMaps];
    const serving = planned(after, {
      deployment: next.deployment,
      configMaps,
      pods: [{ pod: podOf(next.deployment, { ready: true }), answer: answerOf(after) }],
    });
    expect(serving.prune.map(({ metadata }) => metadata.name)).toEqual(live.configMaps.map(({ metadata }) => metadata.name));
    const starting = planned(after, {
      deployment: next.deployment,
      configMaps,
      pods: [{ pod: podOf(next.deployment), answer: answerOf(after) }],
    });
    expect(starting.prune).toEqual([]);
  });
});

test('the plan of a change stands until the change serves', () => {
  const before = engineWith();
  const after = (status: HFTEngineStatus) => engineWith({ risk: { killSwitch: true } }, { generation: 2, status });
  const announced = planned(after({ observedGeneration: 1, sequence: 40 }), { ...liveObjects(before), pods: [] }).status;
  expect(announced.plan?.class).toBe('restart');
  const applied = liveObjects(after({}));
  const draining = planned(after(announced), {
    ...applied,
    pods: [{ pod: podOf(liveObjects(before).deployment, { terminating: true }) }],
  }).status;
  expect(draining.plan).toEqual(announced.plan);
  const serving = planned(after(draining), {
    ...applied,
    pods: [{ pod: podOf(applied.deployment, { ready: true }), answer: answerOf(after({})) }],
  }).status;
  expect(serving.plan).toEqual({ class: 'none', changes: [] });
});

test('the kubelet that waits after a crash is told, with how the engine ended', () => {
  const waiting = { reason: 'CrashLoopBackOff', message: 'back-off 20s restarting failed container' };
  const crashed = { terminated: { exitCode: 137, message: '{"level":30,"msg":"serving"}' } };
  const { status } = running({ answer: 'none', state: { waiting }, lastState: crashed });
  expect(conditionOf(status, 'Ready')).toBe('False BackOff');
  expect(messageOf(status, 'Ready')).toContain('back-off 20s');
  expect(messageOf(status, 'Degraded')).toContain('exit code 137 (signal 9)');
  expect(messageOf(status, 'Degraded')).not.toContain('level');
});

describe('pods that are over', () => {
  test('are neither shown nor keep old configurations', () => {
    const engine = engineWith();
    const live = liveObjects(engine);
    const evicted = podOf(live.deployment, { name: 'demo-engine-evicted' });
    const over = { ...evicted, status: { ...evicted.status, phase: 'Failed' } };
    const { status, gates } = planned(engine, {
      ...live,
      pods: [{ pod: over }, { pod: podOf(live.deployment, { ready: true }), answer: answerOf(engine) }],
    });
    expect(status.engines?.map(({ pod }) => pod)).toEqual(['demo-engine-abc']);
    expect(gates).toHaveLength(1);
  });
});

describe('trouble', () => {
  test('a Deployment that cannot make its pod', () => {
    const engine = engineWith();
    const live = liveObjects(engine);
    const conditions = [{ type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message: 'exceeded quota: small' }];
    const { status } = planned(engine, { ...live, deployment: { ...live.deployment, status: { conditions } } });
    expect(conditionOf(status, 'Degraded')).toBe('True FailedCreate');
    expect(messageOf(status, 'Degraded')).toContain('exceeded quota');
  });

  test('in a crash loop does not come and go with every restart', () => {
    const loop = {
      lastState: { terminated: { exitCode: 1, message: 'HFT_BROKEN' } },
      answer: answerOf(engineWith(), { phase: 'recovering' }),
    };
    expect(conditionOf(running({ ...loop, state: { running: {} } }).status, 'Degraded')).toBe('True EngineFailed');
    expect(conditionOf(running({ ...loop, state: { running: {} }, ready: true, answer: answerOf(engineWith()) }).status, 'Degraded')).toBe(
      'False AsExpected',
    );
  });

  test('two long images still make a status that the CRD takes', () => {
    const before = engineWith({ image: `a${'x'.repeat(511)}` });
    const { status } = planned(engineWith({ image: `b${'x'.repeat(511)}` }), liveObjects(before));
    expect(status.plan?.changes[0]?.reason.length).toBeLessThanOrEqual(1024);
  });

  const ended = (message: string, extra = {}) => ({ terminated: { exitCode: 1, message, ...extra } });
  test.each<[string, PodOptions, string, string]>([
    [
      'the engine refuses to start',
      {
        state: { waiting: { reason: 'CrashLoopBackOff' } },
        lastState: ended('{"code":"HFT_TICK_CHANGED","message":"BTC-USD: tick size was 0.01"}'),
      },
      'EngineFailed',
      'HFT_TICK_CHANGED: BTC-USD: tick size was 0.01',
    ],
    ['the engine crashes', { state: ended('segmentation fault') }, 'EngineFailed', 'segmentation fault'],
    ['the engine says nothing', { state: ended('') }, 'EngineFailed', 'kubectl logs --previous'],
    ['out of memory', { state: ended('', { reason: 'OOMKilled', exitCode: 137 }) }, 'OutOfMemory', 'raise spec.resources.memory'],
    ['no image', { state: { waiting: { reason: 'ErrImagePull', message: 'no such image' } } }, 'ErrImagePull', 'no such image'],
    [
      'no node',
      {
        state: {},
        conditions: [
          { type: 'PodScheduled', status: 'False', message: '0/1 nodes: Insufficient cpu', lastTransitionTime: '2026-01-02T03:00:00Z' },
        ],
      },
      'Unschedulable',
      'Insufficient cpu',
    ],
  ])('%s is told as Degraded', (_name, options, reason, text) => {
    const { status } = running({ ...options, answer: 'none' });
    expect(conditionOf(status, 'Degraded')).toBe(`True ${reason}`);
    expect(messageOf(status, 'Degraded')).toContain(text);
    expect(conditionOf(status, 'Ready').startsWith('False')).toBe(true);
  });

  test('a certificate that ends or goes under a running engine, or that it refuses, closes nothing', () => {
    const engine = engineWith({ tls: { secretName: 'demo-tls' } });
    const live = liveObjects(engine);
    const seen = (tls: object, more: Partial<Observed> = {}) => {
      const pod = podOf(live.deployment, { ready: true, gate: { status: 'True', message: VERIFIED } });
      return planned(engine, {
        ...live,
        pods: [{ pod, answer: answerOf(engine, { tls: { expiresAt: '2026-03-01T00:00:00.000Z', ...tls } }) }],
        ...more,
      }).status;
    };
    expect(seen({})).toMatchObject({
      tls: { expiresAt: '2026-03-01T00:00:00.000Z' },
      endpoints: { orders: expect.stringMatching(/^https:/) },
    });
    expect(conditionOf(seen({}), 'Degraded')).toBe('False AsExpected');
    expect(conditionOf(seen({ failure: 'tls.key: is not the key' }), 'Degraded')).toBe('True CertificateRefused');
    const gone = seen({}, { tlsProblem: { reason: 'CertificateMissing', message: 'there is no Secret' } });
    expect(conditionOf(gone, 'Degraded')).toBe('True CertificateMissing');
    expect(conditionOf(gone, 'Ready')).toBe('True Serving');
    expect(gone.plan).toEqual({ class: 'none', changes: [] });
  });

  test('keys that cannot be used are not written over', () => {
    const { objects, status } = planned(engineWith(), { keysFault: 'the Secret demo-keys has been edited' });
    expect(objects.map(({ kind }) => kind)).not.toContain('Secret');
    expect(objects.map(({ kind }) => kind)).toContain('Deployment');
    expect(conditionOf(status, 'Degraded')).toBe('True SigningKeysInvalid');
  });

  test('keys are looked at again when their time comes', () => {
    expect(planned(engineWith(), { nextKeyChange: new Date(NOW.getTime() + 100) }).requeueAfterMs).toBe(100);
    expect(planned(engineWith(), { nextKeyChange: NOW }).requeueAfterMs).toBe(1);
    expect(planned(engineWith(), { nextKeyChange: new Date(NOW.getTime() + 3_600_000) }).requeueAfterMs).toBe(500);
  });

  test('an object that the API server refuses', () => {
    expect(conditionOf(planned(engineWith(), { applyFailure: 'the API server refuses Service' }).status, 'Degraded')).toBe(
      'True ApplyFailed',
    );
  });

  test('a revision that does not serve in time', () => {
    const since = (seconds: number) => new Date(NOW.getTime() - seconds * 1000).toISOString();
    const late = (seconds: number) =>
      running({
        answer: 'none',
        status: {
          conditions: [
            {
              type: 'Progressing',
              status: 'True',
              reason: 'Starting',
              message: '',
              lastTransitionTime: since(seconds),
              observedGeneration: 1,
            },
          ],
        },
      }).status;
    expect(conditionOf(late(119), 'Progressing')).toBe('True Starting');
    expect(conditionOf(late(121), 'Progressing')).toBe('False DeadlineExceeded');
    expect(conditionOf(late(121), 'Degraded')).toBe('True DeadlineExceeded');
  });
});

test.each([
  [1, 'True Whole', ''],
  ['2', 'True Whole', ''],
  ['500m', 'False Fraction', '50 ms'],
  ['1.25', 'False Fraction', '75 ms'],
])('cpu %s', (cpu, expected, text) => {
  const { status } = planned(engineWith({ resources: { cpu } }));
  expect(conditionOf(status, 'WholeCPUs')).toBe(expected);
  expect(messageOf(status, 'WholeCPUs')).toContain(text);
});
