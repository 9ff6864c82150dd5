/**
 * Kubernetes objects as they are on the wire: plain JSON, timestamps as strings, nothing defaulted. client-node's model types describe its own
 * deserialised classes (`creationTimestamp` is a `Date` there), so `Wire<T>` turns them into what the API server really sends.
 */
import type {
  V1ConfigMap,
  V1Deployment,
  V1Lease,
  V1Namespace,
  V1NetworkPolicy,
  V1Node,
  V1PersistentVolumeClaim,
  V1Pod,
  V1PodDisruptionBudget,
  V1Secret,
  V1Service,
  V1ServiceAccount,
  EventsV1Event,
} from '@kubernetes/client-node';

/** A client-node model type as on the wire: every `Date` is a string. */
export type Wire<T> = T extends Date
  ? string
  : T extends readonly (infer U)[]
    ? Wire<U>[]
    : T extends object
      ? { [K in keyof T]: Wire<T[K]> }
      : T;

export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

export interface ManagedFieldsEntry {
  manager?: string;
  operation?: string;
  apiVersion?: string;
  time?: string;
  fieldsType?: string;
  fieldsV1?: object;
  subresource?: string;
}

export interface ObjectMeta {
  name: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
  ownerReferences?: OwnerReference[];
  managedFields?: ManagedFieldsEntry[];
}

export interface KubeObject {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
}

/** An object that the server returned, so that it has an identity and a version. */
export type Live<T extends KubeObject> = T & { metadata: ObjectMeta & { uid: string; resourceVersion: string } };

/** Names one collection of the API; `T` is the type of its objects. */
export interface Resource<T extends KubeObject> {
  /** '' is the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** Never set: it ties the type of the objects to the value. */
  readonly objectType?: T;
}

export interface ObjectRef {
  name: string;
  namespace?: string;
}

export function defineResource<T extends KubeObject>(definition: Omit<Resource<T>, 'objectType'>): Resource<T> {
  return definition;
}

type Model<T extends { metadata?: object }> = Omit<Wire<T>, 'metadata'> & KubeObject;

const core = { group: '', version: 'v1', namespaced: true };
const apps = { group: 'apps', version: 'v1', namespaced: true };

/** The built-in kinds that operators usually own or watch. */
export const resources = {
  pods: defineResource<Model<V1Pod>>({ ...core, plural: 'pods', kind: 'Pod' }),
  services: defineResource<Model<V1Service>>({ ...core, plural: 'services', kind: 'Service' }),
  configMaps: defineResource<Model<V1ConfigMap>>({ ...core, plural: 'configmaps', kind: 'ConfigMap' }),
  secrets: defineResource<Model<V1Secret>>({ ...core, plural: 'secrets', kind: 'Secret' }),
  persistentVolumeClaims: defineResource<Model<V1PersistentVolumeClaim>>({
    ...core,
    plural: 'persistentvolumeclaims',
    kind: 'PersistentVolumeClaim',
  }),
  serviceAccounts: defineResource<Model<V1ServiceAccount>>({ ...core, plural: 'serviceaccounts', kind: 'ServiceAccount' }),
  namespaces: defineResource<Model<V1Namespace>>({ ...core, namespaced: false, plural: 'namespaces', kind: 'Namespace' }),
  nodes: defineResource<Model<V1Node>>({ ...core, namespaced: false, plural: 'nodes', kind: 'Node' }),
  events: defineResource<Model<EventsV1Event>>({
    group: 'events.k8s.io',
    version: 'v1',
    namespaced: true,
    plural: 'events',
    kind: 'Event',
  }),
  deployments: defineResource<Model<V1Deployment>>({ ...apps, plural: 'deployments', kind: 'Deployment' }),
  podDisruptionBudgets: defineResource<Model<V1PodDisruptionBudget>>({
    group: 'policy',
    version: 'v1',
    namespaced: true,
    plural: 'poddisruptionbudgets',
    kind: 'PodDisruptionBudget',
  }),
  networkPolicies: defineResource<Model<V1NetworkPolicy>>({
    group: 'networking.k8s.io',
    version: 'v1',
    namespaced: true,
    plural: 'networkpolicies',
    kind: 'NetworkPolicy',
  }),
  leases: defineResource<Model<V1Lease>>({
    group: 'coordination.k8s.io',
    version: 'v1',
    namespaced: true,
    plural: 'leases',
    kind: 'Lease',
  }),
};

export function apiVersionOf(resource: Resource<KubeObject>): string {
  return resource.group === '' ? resource.version : `${resource.group}/${resource.version}`;
}

/** The URL path of a collection (all namespaces when none is given) or of one object. */
export function pathOf(resource: Resource<KubeObject>, namespace?: string, name?: string, subresource?: string): string {
  const parts = resource.group === '' ? ['api', resource.version] : ['apis', resource.group, resource.version];
  if (resource.namespaced && namespace !== undefined) parts.push('namespaces', namespace);
  parts.push(resource.plural);
  if (name !== undefined) parts.push(name);
  if (subresource !== undefined) parts.push(subresource);
  return `/${parts.map(encodeURIComponent).join('/')}`;
}

/** `namespace/name`, or `name` where there is no namespace. */
export function keyOf(object: KubeObject | ObjectRef): string {
  const { name, namespace } = 'metadata' in object ? object.metadata : object;
  return namespace === undefined ? name : `${namespace}/${name}`;
}

/** The reverse of `keyOf`. */
export function refOf(key: string): ObjectRef {
  const slash = key.indexOf('/');
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}
