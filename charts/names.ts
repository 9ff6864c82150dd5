/**
 * Names, labels, ports and paths of what an HFTEngine is made of. The charts write them, the operator looks children up by them.
 *
 * Labels are our own: the ones that cdk8s-plus generates hash the construct path alone, and two engines in one namespace would select
 * each other's pods. Selectors of a Deployment are immutable, so {@link engineSelector} must never change for an engine that exists.
 */
import { GROUP } from '../crds/hftengine.ts';

export const FIELD_MANAGER = 'hft-operator';
/** Namespace that the operator is installed into unless told otherwise. */
export const OPERATOR_NAMESPACE = 'hft-system';
export const OPERATOR_NAME = 'hft-operator';

export const ENGINE_LABEL = `${GROUP}/engine`;
const SHARD_LABEL = `${GROUP}/shard`;
/** Namespaces, and pods beside an engine, that carry this label with value "true" may reach its operations port (9090). */
export const MONITORING_LABEL = `${GROUP}/monitoring`;
export const CONFIG_HASH_ANNOTATION = `${GROUP}/config-hash`;
/** Condition of the engine pod that the operator sets; Kubernetes sends no traffic to the pod without it. */
export const SERVING_GATE = `${GROUP}/serving`;
export const DRAIN_FINALIZER = `${GROUP}/drain`;

export const MANAGED_BY_LABEL = 'app.kubernetes.io/managed-by';

export const ENGINE_CONTAINER = 'engine';
export const ORDERS_PORT = 8080;
export const GRPC_PORT = 50_051;
export const MARKET_DATA_PORT = 8081;
export const MARKET_DATA_GRPC_PORT = 50_052;
export const OPERATIONS_PORT = 9090;
export const ENGINE_CONFIG_FILE = '/etc/hft-engine/config.json';
export const ENGINE_DATA_DIR = '/var/lib/hft-engine';
export const ADMIN_TOKEN_FILE = '/etc/hft-engine-keys/admin-token';
/** Key of the keys Secret that holds the bearer token of the admin endpoints. */
export const ADMIN_TOKEN_KEY = 'admin-token';
/** Key of the keys Secret that holds the public keys of tokens (JWKS): all that the engine is given. */
export const KEYS_KEY = 'keys.json';
export const KEYS_FILE = '/etc/hft-engine-keys/keys.json';
/** Key of the keys Secret that holds the same keys with their private parts: not mounted, for whoever may read the Secret. */
export const SIGNING_KEYS_KEY = 'signing-keys.json';
/** Key of the ConfigMap that holds the engine configuration. */
export const CONFIG_KEY = 'config.json';

export interface EngineNames {
  deployment: string;
  serviceAccount: string;
  disruptionBudget: string;
  networkPolicy: string;
  /** Service of the order API (8080): only the pod that serves. */
  ordersService: string;
  /** Service of the operations port (9090): every pod, ready or not. */
  operationsService: string;
  keysSecret: string;
  journalClaim: string;
}

/** Names of the children of the HFTEngine `name`, but for the ConfigMap, whose name depends on its content: {@link configMapName}. */
export function engineNames(name: string): EngineNames {
  const engine = `${name}-engine`;
  return {
    deployment: engine,
    serviceAccount: engine,
    disruptionBudget: engine,
    networkPolicy: engine,
    ordersService: engine,
    operationsService: `${name}-ops`,
    keysSecret: `${name}-keys`,
    journalClaim: `${name}-journal`,
  };
}

/** Name of the ConfigMap that holds the configuration with hash `configHash` (full hash). */
export function configMapName(name: string, configHash: string): string {
  return `${name}-config-${configHash.slice(0, 8)}`;
}

/** What selects the pods of the engine `name`, and of no other. Immutable for the life of the engine. */
export function engineSelector(name: string): Record<string, string> {
  return { 'app.kubernetes.io/name': 'hft-engine', 'app.kubernetes.io/instance': name, [SHARD_LABEL]: '0' };
}

/** Labels of every child of the engine `name`, pods included. */
export function engineLabels(name: string): Record<string, string> {
  return {
    ...engineSelector(name),
    'app.kubernetes.io/component': 'engine',
    'app.kubernetes.io/part-of': 'hftengine',
    [MANAGED_BY_LABEL]: FIELD_MANAGER,
    [ENGINE_LABEL]: name,
  };
}
