/**
 * The Kubernetes objects of one HFTEngine, as a cdk8s chart.
 *
 * The constructs are the generated, fully typed ones of cdk8s-plus (`k8s.Kube…`), not its higher level: that one burstably requests 1 CPU
 * of a 1.5 CPU limit, always pulls, hashes names and selectors from the construct path, and knows neither readiness gates nor disruption budgets,
 * so that nearly every field had to be patched back.
 */
import { App, Chart, type ApiObject } from 'cdk8s';
import { k8s } from 'cdk8s-plus-28';
import type { Construct } from 'constructs';
import { configHash, engineConfigOf } from '../crds/engine-config.ts';
import { API_VERSION, KIND, type HFTEngineSpec } from '../crds/hftengine.ts';
import { engineDeployment } from './engine-deployment.ts';
import { toKubeObjects, type KubeObject } from './kube-object.ts';
import {
  ADMIN_TOKEN_KEY,
  CONFIG_KEY,
  GRPC_PORT,
  KEYS_KEY,
  MONITORING_LABEL,
  MARKET_DATA_GRPC_PORT,
  MARKET_DATA_PORT,
  OPERATIONS_PORT,
  OPERATOR_NAMESPACE,
  ORDERS_PORT,
  SIGNING_KEYS_KEY,
  configMapName,
  engineLabels,
  engineNames,
  engineSelector,
} from './names.ts';
import { canonicalBytes } from './quantities.ts';

/** What is secret of an engine: generated once by the operator and given back from the stored Secret ever after. */
export interface EngineSecrets {
  /** Bearer token of the engine's admin endpoints. */
  adminToken: string;
  /** Text of a JWKS with private parts: signs tokens of users. */
  signingKeys: string;
}

export interface EngineObjectsInput {
  /** Name, namespace and uid of the HFTEngine; the uid goes into the owner references. */
  name: string;
  namespace: string;
  uid: string;
  spec: HFTEngineSpec;
  secrets: EngineSecrets;
  /** Namespace that the operator runs in: the one that reaches the operations port. */
  operatorNamespace?: string;
}

/**
 * The objects of one engine, in the order in which they are added to {@link objects}: what a pod needs before the pod.
 *
 * - All but the volume claim are owned by the HFTEngine and go with it. The claim has no owner: the journal outlives the resource unless
 *   `deletionPolicy: Delete`, which the operator carries out.
 * - **NetworkPolicy**: orders (8080), gRPC (50051) and market data (8081, 50052) from anywhere; operations (9090) from the operator's namespace, from any namespace labelled
 *   `hftengine.io/monitoring: "true"` and from pods beside the engine with that label. No egress at all, DNS included: an engine calls nobody.
 * - **PodDisruptionBudget** `minAvailable: 1` over one replica: an eviction closes a market, so nothing that evicts by itself (autoscaler,
 *   descheduler, `kubectl drain`) may do it. To empty a node, cordon it and delete the pod when closing is acceptable: the engine drains,
 *   stops with everything on disk, and starts elsewhere. A pod that does not serve holds no market and may always be evicted (AlwaysAllow).
 */
export class EngineChart extends Chart {
  /** In apply order. */
  readonly objects: readonly ApiObject[];

  constructor(scope: Construct, id: string, input: EngineObjectsInput) {
    super(scope, id, { namespace: input.namespace, labels: engineLabels(input.name) });
    const { name, spec, uid } = input;
    const names = engineNames(name);
    const selector = engineSelector(name);
    const config = engineConfigOf(name, spec);
    const hash = configHash(config);
    const owned = (objectName: string): k8s.ObjectMeta => ({
      name: objectName,
      ownerReferences: [{ apiVersion: API_VERSION, kind: KIND, name, uid, controller: true, blockOwnerDeletion: true }],
    });

    this.objects = [
      new k8s.KubeServiceAccount(this, 'service-account', {
        metadata: owned(names.serviceAccount),
        automountServiceAccountToken: false,
      }),
      new k8s.KubeSecret(this, 'keys', {
        metadata: owned(names.keysSecret),
        type: 'Opaque',
        // `data`, not `stringData`: the latter is never read back, so drift in it could not be seen.
        data: {
          [ADMIN_TOKEN_KEY]: base64(input.secrets.adminToken),
          [KEYS_KEY]: base64(publicKeys(input.secrets.signingKeys)),
          [SIGNING_KEYS_KEY]: base64(input.secrets.signingKeys),
        },
      }),
      new k8s.KubeConfigMap(this, 'config', {
        metadata: owned(configMapName(name, hash)),
        data: { [CONFIG_KEY]: `${JSON.stringify(config, null, 2)}\n` },
      }),
      new k8s.KubePersistentVolumeClaim(this, 'journal', {
        metadata: { name: names.journalClaim },
        spec: {
          accessModes: ['ReadWriteOnce'],
          resources: { requests: { storage: k8s.Quantity.fromString(canonicalBytes(spec.journal.storage)) } },
          ...(spec.journal.storageClassName === undefined ? {} : { storageClassName: spec.journal.storageClassName }),
        },
      }),
      this.networkPolicy(owned(names.networkPolicy), selector, input.operatorNamespace ?? OPERATOR_NAMESPACE),
      new k8s.KubeService(this, 'orders', {
        metadata: owned(names.ordersService),
        spec: {
          type: 'ClusterIP',
          selector,
          ports: [
            servicePort('orders', ORDERS_PORT, spec.tls),
            servicePort('grpc', GRPC_PORT, spec.tls),
            servicePort('market-data', MARKET_DATA_PORT, spec.tls),
            servicePort('grpc-market', MARKET_DATA_GRPC_PORT, spec.tls),
          ],
        },
      }),
      new k8s.KubeService(this, 'operations', {
        metadata: owned(names.operationsService),
        spec: {
          type: 'ClusterIP',
          // The operator, a scraper and a person must reach an engine that recovers or refuses to serve.
          publishNotReadyAddresses: true,
          selector,
          ports: [servicePort('operations', OPERATIONS_PORT)],
        },
      }),
      new k8s.KubePodDisruptionBudget(this, 'disruption-budget', {
        metadata: owned(names.disruptionBudget),
        spec: {
          minAvailable: k8s.IntOrString.fromNumber(1),
          selector: { matchLabels: selector },
          unhealthyPodEvictionPolicy: 'AlwaysAllow',
        },
      }),
      new k8s.KubeDeployment(this, 'deployment', {
        metadata: owned(names.deployment),
        spec: engineDeployment(name, spec, hash),
      }),
    ];
  }

  private networkPolicy(metadata: k8s.ObjectMeta, selector: Record<string, string>, operatorNamespace: string): ApiObject {
    const port = (number: number): k8s.NetworkPolicyPort => ({ protocol: 'TCP', port: k8s.IntOrString.fromNumber(number) });
    return new k8s.KubeNetworkPolicy(this, 'network-policy', {
      metadata,
      spec: {
        podSelector: { matchLabels: selector },
        policyTypes: ['Ingress', 'Egress'],
        ingress: [
          { ports: [port(ORDERS_PORT), port(GRPC_PORT), port(MARKET_DATA_PORT), port(MARKET_DATA_GRPC_PORT)] },
          {
            ports: [port(OPERATIONS_PORT)],
            from: [
              { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': operatorNamespace } } },
              { namespaceSelector: { matchLabels: { [MONITORING_LABEL]: 'true' } } },
              { podSelector: { matchLabels: { [MONITORING_LABEL]: 'true' } } },
            ],
          },
        ],
        // `egress` absent with Egress listed means none; an empty list would not be stored.
      },
    });
  }
}

function base64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}

/** A JWKS without its private parts. */
function publicKeys(text: string): string {
  const { keys } = JSON.parse(text) as { keys: Record<string, unknown>[] };
  return `${JSON.stringify({ keys: keys.map(({ d: _private, ...publicPart }) => publicPart) }, null, 2)}\n`;
}

function servicePort(name: string, port: number, tls?: HFTEngineSpec['tls']): k8s.ServicePort {
  return {
    name,
    port,
    protocol: 'TCP',
    appProtocol: tls !== undefined ? 'https' : name.startsWith('grpc') ? 'kubernetes.io/h2c' : 'http',
    targetPort: k8s.IntOrString.fromString(name),
  };
}

/**
 * The objects that make up an HFTEngine, in apply order. Pure and deterministic: the same input gives byte-identical JSON; about a
 * millisecond, no file is touched. Throws RangeError on a spec that the CRD's rules refuse (see `heapPlan`).
 */
export function engineObjects(input: EngineObjectsInput): KubeObject[] {
  return toKubeObjects(new EngineChart(new App(), 'engine', input).objects);
}
