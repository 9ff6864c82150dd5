/** Installing what the operator needs on an API server, and HFTEngines for it to work on. */
import { operatorObjects } from '../../charts/operator.ts';
import { customResourceDefinition } from '../../crds/crd.ts';
import { API_VERSION, KIND, type HFTEngineSpecInput, type HFTEngineStatus } from '../../crds/hftengine.ts';
import type { KubeClient } from '../../operator/kube/client.ts';
import { defineResource, type KubeObject, type Live } from '../../operator/kube/resource.ts';
import { hftEngines } from '../../operator/engine/resource.ts';
import { eventually } from '../wait.ts';

export type EngineObject = Live<KubeObject & { spec?: HFTEngineSpecInput; status?: HFTEngineStatus }>;
export const engines = hftEngines as ReturnType<typeof defineResource<EngineObject>>;

const PLURALS: Readonly<Record<string, string>> = {
  CustomResourceDefinition: 'customresourcedefinitions',
  Namespace: 'namespaces',
  ServiceAccount: 'serviceaccounts',
  ClusterRole: 'clusterroles',
  ClusterRoleBinding: 'clusterrolebindings',
  Role: 'roles',
  RoleBinding: 'rolebindings',
};

/** Server-side applies one object of a kind in {@link PLURALS}. */
export async function applyObject(client: KubeClient, object: KubeObject): Promise<void> {
  const [group = '', version = ''] = object.apiVersion?.includes('/') === true ? object.apiVersion.split('/') : ['', object.apiVersion];
  const plural = PLURALS[object.kind ?? ''];
  if (plural === undefined) throw new Error(`${object.kind} is not installed by tests`);
  const resource = defineResource<KubeObject>({
    group,
    version,
    plural,
    kind: object.kind ?? '',
    namespaced: object.metadata.namespace !== undefined,
  });
  await client.patch(resource, object.metadata, object, { type: 'apply', fieldManager: 'test', force: true });
}

/** The CRD and the operator's rights, without its Deployment: for operators that run as processes of this machine. */
export async function installRights(client: KubeClient): Promise<void> {
  await applyObject(client, customResourceDefinition());
  for (const object of operatorObjects()) if (PLURALS[object.kind] !== undefined) await applyObject(client, object);
  await eventually('the CRD is served', async () => (await client.list(engines, {})) !== undefined);
}

export async function ensureNamespace(client: KubeClient, name: string): Promise<void> {
  await applyObject(client, {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name, labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
  });
}

export const BTC = { symbol: 'BTC-USD', tickSize: '0.01', lotSize: '0.0001' };

/** An HFTEngine with one instrument and whatever `spec` adds. */
export function engineObject(
  name: string,
  namespace: string,
  spec: Partial<HFTEngineSpecInput> = {},
): KubeObject & { spec: HFTEngineSpecInput } {
  return { apiVersion: API_VERSION, kind: KIND, metadata: { name, namespace }, spec: { instruments: [BTC], ...spec } };
}

/** Merges a change into the spec of an HFTEngine and returns the new generation. */
export async function changeSpec(
  client: KubeClient,
  ref: { name: string; namespace: string },
  spec: Record<string, unknown>,
): Promise<number> {
  const changed = await client.patch(engines, ref, { spec }, { type: 'merge', fieldManager: 'test' });
  return changed.metadata.generation ?? 0;
}
