/** Resources, pods and engine answers for the tests of the plan. */
import type { EngineStatus } from '../../engine/client/admin.ts';
import { SERVING_GATE, engineLabels } from '../../charts/names.ts';
import { configHash, engineConfigOf } from '../../crds/engine-config.ts';
import { hftEngineSchema, type HFTEngine, type HFTEngineSpecInput, type HFTEngineStatus } from '../../crds/hftengine.ts';
import { heapFlagsOf } from './pods.ts';
import { plan, type ReconcilePlan } from './plan.ts';
import type { Observed } from './observed.ts';
import type { ConfigMap, Deployment, Pod } from './resource.ts';
import { templateOf } from './revision.ts';
import { wantedOf, type Wanted } from './wanted.ts';

export const NOW = new Date('2026-01-02T03:04:05.000Z');
const SECRETS = { adminToken: 'token-token-token-token-token-token', signingKeys: '{"keys": []}' };
const OPERATOR_NAMESPACE = 'hft-system';

export function engineWith(
  spec: Partial<HFTEngineSpecInput> = {},
  more: { generation?: number; status?: HFTEngineStatus; annotations?: Record<string, string> } = {},
): HFTEngine {
  return hftEngineSchema.parse({
    apiVersion: 'hftengine.io/v1alpha1',
    kind: 'HFTEngine',
    metadata: {
      name: 'demo',
      namespace: 'trading',
      uid: 'uid-1',
      generation: more.generation ?? 1,
      resourceVersion: '7',
      annotations: more.annotations ?? {},
    },
    spec: { instruments: [{ symbol: 'BTC-USD', tickSize: '0.01', lotSize: '0.0001' }], ...spec },
    ...(more.status === undefined ? {} : { status: more.status }),
  });
}

export function observedWith(more: Partial<Observed> = {}): Observed {
  return { now: NOW, secrets: SECRETS, keysChanged: false, configMaps: [], pods: [], ...more };
}

export function wantedFor(engine: HFTEngine): Wanted {
  return wantedOf({ engine, spec: engine.spec, secrets: SECRETS, operatorNamespace: OPERATOR_NAMESPACE });
}

export function planOf(engine: HFTEngine, observed: Observed): ReconcilePlan {
  return plan({ engine, observed, wanted: wantedFor(engine), operatorNamespace: OPERATOR_NAMESPACE });
}

/** The live objects that a cluster would hold after `engine` was applied. */
export function liveObjects(engine: HFTEngine): { deployment: Deployment; configMaps: ConfigMap[] } {
  const { objects } = planOf(engine, observedWith());
  const live = (kind: string) =>
    objects
      .filter((object) => object.kind === kind)
      .map((object) => ({ ...object, metadata: { ...object.metadata, uid: `uid-${object.metadata.name}`, resourceVersion: '9' } }));
  const [deployment] = live('Deployment');
  if (deployment === undefined) throw new Error('no Deployment was planned');
  return { deployment, configMaps: live('ConfigMap') };
}

export interface PodOptions {
  name?: string;
  containerId?: string;
  gate?: { status: 'True' | 'False'; message: string; reason?: string };
  ready?: boolean;
  terminating?: boolean;
  state?: Record<string, unknown>;
  lastState?: Record<string, unknown>;
  conditions?: Record<string, unknown>[];
}

/** A pod that a ReplicaSet would have made from `deployment`. */
export function podOf(deployment: Deployment, options: PodOptions = {}): Pod {
  const template = templateOf(deployment);
  const {
    name = 'demo-engine-abc',
    containerId = 'containerd://0123456789abcdef',
    gate,
    ready = false,
    terminating = false,
    state = { running: {} },
  } = options;
  const conditions = [
    ...(gate === undefined ? [] : [{ type: SERVING_GATE, reason: 'Verified', lastTransitionTime: '2026-01-02T03:00:00Z', ...gate }]),
    { type: 'Ready', status: ready ? 'True' : 'False' },
    ...(options.conditions ?? []),
  ];
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'trading',
      uid: `uid-${name}`,
      resourceVersion: '11',
      labels: engineLabels('demo'),
      annotations: template?.metadata?.annotations ?? {},
      ...(terminating ? { deletionTimestamp: '2026-01-02T03:04:00Z' } : {}),
    },
    spec: template?.spec,
    status: {
      phase: 'Running',
      podIP: '10.0.0.9',
      conditions,
      containerStatuses: [
        { name: 'engine', containerID: containerId, state, ...(options.lastState === undefined ? {} : { lastState: options.lastState }) },
      ],
    },
  };
  return pod as Pod;
}

/** What a healthy engine of `engine` answers. */
export function answerOf(engine: HFTEngine, more: Partial<EngineStatus> = {}): { reachable: true; status: EngineStatus } {
  const { deployment } = liveObjects(engine);
  return {
    reachable: true,
    status: {
      name: 'demo',
      version: '0.1.0',
      phase: 'serving',
      configHash: configHash(engineConfigOf('demo', engine.spec)),
      heapFlags: heapFlagsOf(templateOf(deployment)?.spec?.containers?.[0]),
      sequence: 40,
      stateHash: '00112233aabbccdd',
      recovery: { sequence: 40, stateHash: '00112233aabbccdd', commands: 40, durationMs: 3 },
      warmup: { orders: 1000, p99Micros: 20 },
      openOrders: 1,
      ordersAccepted: 40,
      ordersRejected: 0,
      fills: 3,
      ordersPerSecond: 5,
      startedAt: '2026-01-02T03:00:00.000Z',
      pid: 1,
      ...more,
    },
  };
}
