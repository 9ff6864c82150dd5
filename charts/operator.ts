/** The objects that install the operator (the CRD apart, which comes first), as a cdk8s chart. */
import { App, Chart, type ApiObject } from 'cdk8s';
import { k8s } from 'cdk8s-plus-28';
import type { Construct } from 'constructs';
import { toKubeObjects, type KubeObject } from './kube-object.ts';
import { OPERATOR_NAME, OPERATOR_NAMESPACE } from './names.ts';
import { CLUSTER_RULES, LEASE_RULES } from './operator-rbac.ts';
import { CONTAINER_SECURITY, POD_SECURITY, RESTRICTED_NAMESPACE_LABELS } from './pod-security.ts';

/** Port of /metrics, /livez, /healthz and /readyz. */
export const OPERATOR_PORT = 8080;
export const OPERATOR_CONTAINER = 'operator';
/** Service of the operator's metrics. */
export const OPERATOR_METRICS_SERVICE = `${OPERATOR_NAME}-metrics`;

const RBAC_GROUP = 'rbac.authorization.k8s.io';

export interface OperatorObjectsInput {
  /** Image of the operator, by default `hft-operator:dev`. */
  image?: string;
  imagePullPolicy?: 'Always' | 'IfNotPresent' | 'Never';
  /** Namespace that is made for it. */
  namespace?: string;
  /** One replica leads, the others stand by; 2 by default. */
  replicas?: number;
}

/** Labels of everything of the operator; also what selects its pods. */
export const OPERATOR_LABELS: Readonly<Record<string, string>> = {
  'app.kubernetes.io/name': OPERATOR_NAME,
  'app.kubernetes.io/instance': OPERATOR_NAME,
};

/**
 * - **Two replicas, one leads by Lease**; the other takes over within the Lease's duration. The new revision is up before the old one
 *   goes (maxUnavailable 0), and the replicas prefer different nodes but also start where there is one.
 * - **CPU is requested, not limited**: a throttled leader misses renewals of its Lease and steps down. Memory is limited to what is requested.
 * - **A standby answers /readyz with 200 too**: readiness means "could lead", or a roll-out would wait for ever for its second replica.
 * - **Liveness** asks /livez, not /healthz: that one turns bad while a watch is deaf, and an API server that is merely away makes watches deaf.
 *   A restart does not bring it back; it would run into the kubelet's back-off and make the operator late when it returns.
 * - Configuration comes by environment: POD_NAME (identity in the Lease), POD_NAMESPACE (where the Lease is), HFT_OPERATOR_PORT.
 */
export class OperatorChart extends Chart {
  /** In apply order. */
  readonly objects: readonly ApiObject[];

  constructor(scope: Construct, id: string, input: OperatorObjectsInput = {}) {
    const namespace = input.namespace ?? OPERATOR_NAMESPACE;
    super(scope, id, {
      labels: { ...OPERATOR_LABELS, 'app.kubernetes.io/component': 'operator', 'app.kubernetes.io/part-of': 'hftengine' },
    });
    const named = { name: OPERATOR_NAME, namespace };
    const subjects: k8s.Subject[] = [{ kind: 'ServiceAccount', name: OPERATOR_NAME, namespace }];

    this.objects = [
      new k8s.KubeNamespace(this, 'namespace', { metadata: { name: namespace, labels: RESTRICTED_NAMESPACE_LABELS } }),
      // The token is mounted by the pod that asks for it.
      new k8s.KubeServiceAccount(this, 'service-account', { metadata: named, automountServiceAccountToken: false }),
      new k8s.KubeClusterRole(this, 'cluster-role', { metadata: { name: OPERATOR_NAME }, rules: [...CLUSTER_RULES] }),
      new k8s.KubeClusterRoleBinding(this, 'cluster-role-binding', {
        metadata: { name: OPERATOR_NAME },
        roleRef: { apiGroup: RBAC_GROUP, kind: 'ClusterRole', name: OPERATOR_NAME },
        subjects,
      }),
      new k8s.KubeRole(this, 'role', { metadata: named, rules: [...LEASE_RULES] }),
      new k8s.KubeRoleBinding(this, 'role-binding', {
        metadata: named,
        roleRef: { apiGroup: RBAC_GROUP, kind: 'Role', name: OPERATOR_NAME },
        subjects,
      }),
      new k8s.KubeService(this, 'metrics', {
        metadata: { name: OPERATOR_METRICS_SERVICE, namespace },
        spec: {
          type: 'ClusterIP',
          selector: OPERATOR_LABELS,
          ports: [
            {
              name: 'metrics',
              port: OPERATOR_PORT,
              protocol: 'TCP',
              appProtocol: 'http',
              targetPort: k8s.IntOrString.fromString('metrics'),
            },
          ],
        },
      }),
      new k8s.KubePodDisruptionBudget(this, 'disruption-budget', {
        metadata: named,
        spec: {
          maxUnavailable: k8s.IntOrString.fromNumber(1),
          selector: { matchLabels: OPERATOR_LABELS },
          unhealthyPodEvictionPolicy: 'AlwaysAllow',
        },
      }),
      new k8s.KubeDeployment(this, 'deployment', {
        metadata: named,
        spec: {
          replicas: input.replicas ?? 2,
          revisionHistoryLimit: 3,
          strategy: {
            type: 'RollingUpdate',
            rollingUpdate: { maxSurge: k8s.IntOrString.fromNumber(1), maxUnavailable: k8s.IntOrString.fromNumber(0) },
          },
          selector: { matchLabels: OPERATOR_LABELS },
          template: { metadata: { labels: this.labels }, spec: operatorPod(input) },
        },
      }),
    ];
  }
}

function operatorPod(input: OperatorObjectsInput): k8s.PodSpec {
  const fieldEnv = (name: string, fieldPath: string): k8s.EnvVar => ({ name, valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath } } });
  const probe = (path: string): k8s.HttpGetAction => ({ path, port: k8s.IntOrString.fromString('metrics'), scheme: 'HTTP' });
  const memory = k8s.Quantity.fromString('256Mi');
  return {
    serviceAccountName: OPERATOR_NAME,
    automountServiceAccountToken: true,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: 30,
    securityContext: POD_SECURITY,
    topologySpreadConstraints: [
      {
        maxSkew: 1,
        topologyKey: 'kubernetes.io/hostname',
        whenUnsatisfiable: 'ScheduleAnyway',
        labelSelector: { matchLabels: OPERATOR_LABELS },
      },
    ],
    containers: [
      {
        name: OPERATOR_CONTAINER,
        image: input.image ?? 'hft-operator:dev',
        imagePullPolicy: input.imagePullPolicy ?? 'IfNotPresent',
        command: ['node', '--max-old-space-size=144', '/app/operator.mjs'],
        env: [
          fieldEnv('POD_NAME', 'metadata.name'),
          fieldEnv('POD_NAMESPACE', 'metadata.namespace'),
          { name: 'HFT_OPERATOR_PORT', value: String(OPERATOR_PORT) },
        ],
        ports: [{ name: 'metrics', containerPort: OPERATOR_PORT, protocol: 'TCP' }],
        resources: { requests: { cpu: k8s.Quantity.fromString('50m'), memory }, limits: { memory } },
        startupProbe: { httpGet: probe('/livez'), periodSeconds: 1, timeoutSeconds: 1, failureThreshold: 60 },
        livenessProbe: { httpGet: probe('/livez'), periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 3 },
        readinessProbe: { httpGet: probe('/readyz'), periodSeconds: 5, timeoutSeconds: 2, failureThreshold: 2 },
        terminationMessagePolicy: 'FallbackToLogsOnError',
        securityContext: CONTAINER_SECURITY,
        volumeMounts: [{ name: 'tmp', mountPath: '/tmp' }],
      },
    ],
    volumes: [{ name: 'tmp', emptyDir: { medium: 'Memory', sizeLimit: k8s.Quantity.fromString('16Mi') } }],
  };
}

/** The objects that install the operator, in apply order: namespace, rights, service, budget, Deployment. Pure and deterministic. */
export function operatorObjects(input: OperatorObjectsInput = {}): KubeObject[] {
  return toKubeObjects(new OperatorChart(new App(), 'operator', input).objects);
}
