/** The HFTEngine resource and the kinds of its children, as collections of the API. */
import { GROUP, KIND, PLURAL, VERSION } from '../../crds/hftengine.ts';
import { defineResource, resources, type KubeObject, type Live, type Resource } from '../kube/resource.ts';

/** An HFTEngine as it comes from the API server, before zod has looked at it. */
export interface RawHFTEngine extends KubeObject {
  spec?: unknown;
  status?: unknown;
}

export const hftEngines = defineResource<RawHFTEngine>({ group: GROUP, version: VERSION, plural: PLURAL, kind: KIND, namespaced: true });

/** Every kind that `engineObjects` makes. Watched, so that a change by hand is noticed and put right. */
export const CHILD_RESOURCES = [
  resources.serviceAccounts,
  resources.secrets,
  resources.configMaps,
  resources.persistentVolumeClaims,
  resources.networkPolicies,
  resources.services,
  resources.podDisruptionBudgets,
  resources.deployments,
] as const satisfies readonly Resource<KubeObject>[];

/** The collection of a child; throws on a kind that is not in {@link CHILD_RESOURCES}, which is a mistake in the charts. */
export function childResource(kind: string | undefined): Resource<KubeObject> {
  const resource = CHILD_RESOURCES.find((candidate) => candidate.kind === kind);
  if (resource === undefined) throw new TypeError(`the charts made a ${kind}, a kind that the operator does not watch`);
  return resource;
}

export type Pod = Live<NonNullable<(typeof resources.pods)['objectType']>>;
export type Deployment = Live<NonNullable<(typeof resources.deployments)['objectType']>>;
export type ConfigMap = Live<NonNullable<(typeof resources.configMaps)['objectType']>>;
