/** Telling our children from other people's objects of the same name. */
import { API_VERSION, KIND, type HFTEngine } from '../../crds/hftengine.ts';
import { ENGINE_LABEL } from '../../charts/names.ts';
import type { KubeObject, Live } from '../kube/resource.ts';

/**
 * - `ours`: made for this HFTEngine. The volume claim outlives its HFTEngine and is known by its label; so is a child whose owner
 *   reference was removed by hand.
 * - `former`: left by a deleted HFTEngine of the same name; Kubernetes is about to collect it.
 * - `foreign`: somebody else's.
 */
export type Ownership = 'ours' | 'former' | 'foreign';

export function ownershipOf(live: Live<KubeObject>, engine: HFTEngine, kind: string): Ownership {
  const { name, uid } = engine.metadata;
  const labelled = live.metadata.labels?.[ENGINE_LABEL] === name;
  if (kind === 'PersistentVolumeClaim') return labelled ? 'ours' : 'foreign';
  const owners = live.metadata.ownerReferences ?? [];
  if (owners.some((owner) => owner.uid === uid) || (owners.length === 0 && labelled)) return 'ours';
  return owners.some((owner) => owner.apiVersion === API_VERSION && owner.kind === KIND && owner.name === name) ? 'former' : 'foreign';
}
