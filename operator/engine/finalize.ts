/**
 * Deleting an HFTEngine: the Deployment goes first and its pods drain (the engine commits what it accepted and stops); only then the
 * finalizer is taken off and Kubernetes collects the other children. The volume stays unless `deletionPolicy: Delete`.
 */
import type { HFTEngine } from '../../crds/hftengine.ts';
import { DRAIN_FINALIZER, ENGINE_LABEL, engineNames } from '../../charts/names.ts';
import { isKubeError } from '../kube/errors.ts';
import { resources } from '../kube/resource.ts';
import type { ApplyDeps } from './apply.ts';
import { ownershipOf } from './ownership.ts';
import { isOver } from './pods.ts';
import { hftEngines } from './resource.ts';

/** What is still in the way of the deletion; undefined once the resource may go. Reads from the API server: a cache may not show what was made a moment ago. */
export async function finalize({ applier, client }: ApplyDeps, engine: HFTEngine, signal: AbortSignal): Promise<string | undefined> {
  const { name, namespace } = engine.metadata;
  const names = engineNames(name);
  const deployment = await client.find(resources.deployments, { name: names.deployment, namespace }, { signal });
  if (deployment !== undefined && ownershipOf(deployment, engine, 'Deployment') === 'ours') {
    if (deployment.metadata.deletionTimestamp === undefined) {
      await applier.remove(resources.deployments, deployment, { signal, propagationPolicy: 'Background' });
    }
  }
  const { items } = await client.list(resources.pods, { namespace, labelSelector: `${ENGINE_LABEL}=${name}`, signal });
  const pods = items.filter((pod) => !isOver(pod));
  if (pods.length > 0) return `draining ${pods.map(({ metadata }) => metadata.name).join(', ')}`;
  if (engine.spec.deletionPolicy === 'Delete') {
    const claim = await client.find(resources.persistentVolumeClaims, { name: names.journalClaim, namespace }, { signal });
    if (
      claim !== undefined &&
      ownershipOf(claim, engine, 'PersistentVolumeClaim') === 'ours' &&
      claim.metadata.deletionTimestamp === undefined
    ) {
      await applier.remove(resources.persistentVolumeClaims, claim, { signal });
    }
  }
  await setFinalizer({ client }, engine, false, signal);
  return undefined;
}

/** Puts the finalizer on or takes it off, unless that is so already. The resource version guards against finalizers that others set meanwhile. */
export async function setFinalizer(
  { client }: Pick<ApplyDeps, 'client'>,
  engine: HFTEngine,
  present: boolean,
  signal: AbortSignal,
): Promise<void> {
  const finalizers = engine.metadata.finalizers ?? [];
  if (finalizers.includes(DRAIN_FINALIZER) === present) return;
  const next = present ? [...finalizers, DRAIN_FINALIZER] : finalizers.filter((finalizer) => finalizer !== DRAIN_FINALIZER);
  const { name, namespace, resourceVersion } = engine.metadata;
  try {
    await client.patch(hftEngines, { name, namespace }, { metadata: { resourceVersion, finalizers: next } }, { type: 'merge', signal });
  } catch (error) {
    if (!isKubeError(error, 'notFound')) throw error;
  }
}
