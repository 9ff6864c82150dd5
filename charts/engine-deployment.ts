/** The Deployment of an engine: one pod that owns the journal volume. */
import { k8s } from 'cdk8s-plus-28';
import { CLIENT_CA_FILE, TLS_FILES } from '../crds/engine-config.ts';
import type { HFTEngineSpec } from '../crds/hftengine.ts';
import { parseBytes, parseDurationMs } from '../crds/quantity.ts';
import { heapPlan } from './heap.ts';
import {
  ADMIN_TOKEN_FILE,
  ADMIN_TOKEN_KEY,
  CONFIG_HASH_ANNOTATION,
  CONFIG_KEY,
  ENGINE_CONFIG_FILE,
  ENGINE_CONTAINER,
  ENGINE_DATA_DIR,
  GRPC_PORT,
  KEYS_FILE,
  KEYS_KEY,
  MARKET_DATA_GRPC_PORT,
  MARKET_DATA_PORT,
  OPERATIONS_PORT,
  ORDERS_PORT,
  SERVING_GATE,
  configMapName,
  engineLabels,
  engineNames,
  engineSelector,
} from './names.ts';
import { CONTAINER_SECURITY, POD_SECURITY } from './pod-security.ts';
import { canonicalBytes, canonicalCpu } from './quantities.ts';

const TERMINATION_LOG = '/dev/termination-log';
/** Owner and group may read, nobody else: the group is the pod's fsGroup. */
const SECRET_FILE_MODE = 0o440;
const CONFIG_FILE_MODE = 0o444;

const parentOf = (path: string): string => path.slice(0, path.lastIndexOf('/'));

/**
 * Spec of the Deployment of engine `name` under `spec` with the configuration `configHash` (full hash). Pure.
 *
 * - **Recreate**: the journal has one writer, so the old pod must be gone before the new one starts.
 * - **Startup probe**: recovery replays the journal, and a big one may take minutes; ten of them are allowed, looked at every second so that a
 *   quick start is seen at once. Readiness and liveness wait for it.
 * - **Liveness**: only an event loop that answered nothing for two minutes (24 probes of 5 s in a row) is taken for dead. A restart costs a
 *   recovery, so being merely slow must never cause one; the readiness probe and the operator's gate take traffic away long before.
 * - **Readiness** is asked on the order port itself, over TLS where it speaks that, every 2 s; on the operations port where clients must show a
 *   certificate, which the kubelet has not. The gate `hftengine.io/serving` is the operator's word on top.
 * - **No preStop**: its usual use is to keep serving until the endpoint is gone from all nodes. With one engine there is no other pod to go
 *   to, and each second of it would be a second more of a closed market. The engine drains on SIGTERM, within 60 s.
 * - `/tmp` is memory and counts against the container; 16 MiB of it are in the reserve of `heapPlan`.
 */
export function engineDeployment(name: string, spec: HFTEngineSpec, configHash: string): k8s.DeploymentSpec {
  const labels = engineLabels(name);
  const names = engineNames(name);
  return {
    replicas: 1,
    strategy: { type: 'Recreate' },
    revisionHistoryLimit: 3,
    progressDeadlineSeconds: Math.ceil(parseDurationMs(spec.rollout.progressDeadline) / 1000),
    selector: { matchLabels: engineSelector(name) },
    template: {
      metadata: { labels, annotations: { [CONFIG_HASH_ANNOTATION]: configHash } },
      spec: {
        serviceAccountName: names.serviceAccount,
        automountServiceAccountToken: false,
        enableServiceLinks: false,
        readinessGates: [{ conditionType: SERVING_GATE }],
        terminationGracePeriodSeconds: 60,
        securityContext: POD_SECURITY,
        containers: [engineContainer(spec)],
        volumes: [
          {
            name: 'config',
            configMap: {
              name: configMapName(name, configHash),
              defaultMode: CONFIG_FILE_MODE,
              items: [{ key: CONFIG_KEY, path: CONFIG_KEY }],
            },
          },
          {
            name: 'keys',
            secret: {
              secretName: names.keysSecret,
              defaultMode: SECRET_FILE_MODE,
              // Public keys only: the engine verifies tokens and signs none.
              items: [ADMIN_TOKEN_KEY, KEYS_KEY].map((key) => ({ key, path: key })),
            },
          },
          ...tlsVolumes(spec),
          { name: 'data', persistentVolumeClaim: { claimName: names.journalClaim } },
          { name: 'tmp', emptyDir: { medium: 'Memory', sizeLimit: k8s.Quantity.fromString('16Mi') } },
        ],
      },
    },
  };
}

/** Name of the Secret that holds the authorities of clients; undefined where none are asked for a certificate. */
function clientCaSecret({ tls }: HFTEngineSpec): string | undefined {
  return tls === undefined || tls.clientAuth === 'none' ? undefined : (tls.clientCaSecretName ?? tls.secretName);
}

function tlsVolumes(spec: HFTEngineSpec): k8s.Volume[] {
  const volume = (name: string, secretName: string, keys: readonly string[]): k8s.Volume => ({
    name,
    secret: { secretName, defaultMode: SECRET_FILE_MODE, items: keys.map((key) => ({ key, path: key })) },
  });
  const authorities = clientCaSecret(spec);
  return [
    ...(spec.tls === undefined ? [] : [volume('tls', spec.tls.secretName, ['tls.crt', 'tls.key'])]),
    ...(authorities === undefined ? [] : [volume('client-ca', authorities, ['ca.crt'])]),
  ];
}

function engineContainer(spec: HFTEngineSpec): k8s.Container {
  const { flags } = heapPlan({ memoryBytes: parseBytes(spec.resources.memory), runtime: spec.runtime });
  const resources = {
    cpu: k8s.Quantity.fromString(canonicalCpu(spec.resources.cpu)),
    memory: k8s.Quantity.fromString(canonicalBytes(spec.resources.memory)),
  };
  const probe = (path: string, port: string, scheme = 'HTTP'): k8s.HttpGetAction => ({
    path,
    port: k8s.IntOrString.fromString(port),
    scheme,
  });
  const { tls } = spec;
  const ready =
    tls?.clientAuth === 'require' ? probe('/ready', 'operations') : probe('/ready', 'orders', tls === undefined ? 'HTTP' : 'HTTPS');
  return {
    name: ENGINE_CONTAINER,
    image: spec.image,
    imagePullPolicy: spec.imagePullPolicy,
    command: ['node', ...flags, '/app/engine.mjs'],
    args: [
      '--config',
      ENGINE_CONFIG_FILE,
      '--data',
      ENGINE_DATA_DIR,
      '--port',
      String(ORDERS_PORT),
      '--ops-port',
      String(OPERATIONS_PORT),
      '--grpc-port',
      String(GRPC_PORT),
      '--market-data-port',
      String(MARKET_DATA_PORT),
      '--market-data-grpc-port',
      String(MARKET_DATA_GRPC_PORT),
    ],
    env: [
      { name: 'HFT_ADMIN_TOKEN_FILE', value: ADMIN_TOKEN_FILE },
      { name: 'HFT_KEYS_FILE', value: KEYS_FILE },
      { name: 'HFT_TERMINATION_LOG', value: TERMINATION_LOG },
    ],
    ports: [
      { name: 'orders', containerPort: ORDERS_PORT, protocol: 'TCP' },
      { name: 'grpc', containerPort: GRPC_PORT, protocol: 'TCP' },
      { name: 'market-data', containerPort: MARKET_DATA_PORT, protocol: 'TCP' },
      { name: 'grpc-market', containerPort: MARKET_DATA_GRPC_PORT, protocol: 'TCP' },
      { name: 'operations', containerPort: OPERATIONS_PORT, protocol: 'TCP' },
    ],
    resources: { requests: resources, limits: resources },
    startupProbe: { httpGet: probe('/health', 'operations'), periodSeconds: 1, timeoutSeconds: 1, failureThreshold: 600 },
    livenessProbe: { httpGet: probe('/health', 'operations'), periodSeconds: 5, timeoutSeconds: 5, failureThreshold: 24 },
    readinessProbe: { httpGet: ready, periodSeconds: 2, timeoutSeconds: 2, failureThreshold: 3, successThreshold: 1 },
    terminationMessagePath: TERMINATION_LOG,
    // A crash that wrote no message leaves the end of its log in the status.
    terminationMessagePolicy: 'FallbackToLogsOnError',
    securityContext: CONTAINER_SECURITY,
    volumeMounts: [
      { name: 'config', mountPath: parentOf(ENGINE_CONFIG_FILE), readOnly: true },
      { name: 'keys', mountPath: parentOf(ADMIN_TOKEN_FILE), readOnly: true },
      ...(tls === undefined ? [] : [{ name: 'tls', mountPath: parentOf(TLS_FILES.certFile), readOnly: true }]),
      ...(clientCaSecret(spec) === undefined ? [] : [{ name: 'client-ca', mountPath: parentOf(CLIENT_CA_FILE), readOnly: true }]),
      { name: 'data', mountPath: ENGINE_DATA_DIR },
      { name: 'tmp', mountPath: '/tmp' },
    ],
  };
}
