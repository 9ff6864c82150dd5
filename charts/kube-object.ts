/** A Kubernetes object as plain JSON: what the charts return and what the operator applies. */
import type { ApiObject } from 'cdk8s';

export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

export interface KubeObjectMeta {
  name: string;
  namespace?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: OwnerReference[];
}

export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: KubeObjectMeta;
  [field: string]: unknown;
}

function isKubeObject(value: unknown): value is KubeObject {
  if (typeof value !== 'object' || value === null) return false;
  if (!('apiVersion' in value) || !('kind' in value) || !('metadata' in value)) return false;
  const { apiVersion, kind, metadata } = value;
  return (
    typeof apiVersion === 'string' &&
    typeof kind === 'string' &&
    typeof metadata === 'object' &&
    metadata !== null &&
    'name' in metadata &&
    typeof metadata.name === 'string'
  );
}

/** The JSON of cdk8s objects in the order given; keys are sorted, so equal input gives equal text. Throws TypeError on an object without a name. */
export function toKubeObjects(objects: readonly ApiObject[]): KubeObject[] {
  return objects.map((object) => {
    const json: unknown = object.toJson();
    if (!isKubeObject(json)) throw new TypeError(`not a Kubernetes object: ${object.node.path}`);
    return json;
  });
}
