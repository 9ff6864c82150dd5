/** Step four of a reconcile: make the cluster hold what the plan says. Writes only what differs. */
import type { HFTEngine } from '../../crds/hftengine.ts';
import { SERVING_GATE } from '../../charts/names.ts';
import type { Applier } from '../kube/apply.ts';
import type { KubeClient } from '../kube/client.ts';
import { isKubeError } from '../kube/errors.ts';
import { resources, type KubeObject, type Live } from '../kube/resource.ts';
import type { Caches } from './caches.ts';
import { ownershipOf } from './ownership.ts';
import { gateCondition } from './pods.ts';
import type { ReconcilePlan } from './plan.ts';
import { childResource } from './resource.ts';

export interface ApplyDeps {
  client: KubeClient;
  caches: Caches;
  applier: Applier;
}

/** One object that was written, and why. */
export interface Written {
  object: Live<KubeObject>;
  action: 'created' | 'updated';
  reasons: readonly string[];
}

/** Objects could not be brought to what the plan says; the message names them and what to do. */
export class ApplyError extends Error {
  override readonly name = 'ApplyError';
}

/** Children of a deleted HFTEngine of the same name are still being collected: nothing is wrong, it takes a moment. */
export class WaitingForCollection extends Error {
  override readonly name = 'WaitingForCollection';
}

/**
 * Applies the objects in order. One that is refused does not keep the others from being applied: throws {@link ApplyError} at the end. Throws at
 * once KubeError when the API server does not answer, and {@link WaitingForCollection}: a Deployment made beside the old Secret would start its
 * pod with the old admin token.
 */
export async function applyObjects(
  deps: ApplyDeps,
  engine: HFTEngine,
  objects: ReconcilePlan['objects'],
  onWritten: (written: Written) => void,
  signal: AbortSignal,
): Promise<void> {
  const refusals: string[] = [];
  for (const desired of objects) {
    try {
      const written = await applyObject(deps, engine, desired, signal);
      if (written !== undefined) onWritten(written);
    } catch (error) {
      if (!(error instanceof ApplyError)) throw error;
      refusals.push(error.message);
    }
  }
  if (refusals.length > 0) throw new ApplyError(refusals.join('; '));
}

async function applyObject(
  { client, caches, applier }: ApplyDeps,
  engine: HFTEngine,
  desired: KubeObject,
  signal: AbortSignal,
): Promise<Written | undefined> {
  const resource = childResource(desired.kind);
  const ref = { name: desired.metadata.name, namespace: engine.metadata.namespace };
  const cached = caches.childrenOf(resource.kind, engine.metadata).find(({ metadata }) => metadata.name === ref.name);
  // What the cache does not show may be new, may have lost its labels by hand, or may be somebody else's: only the API server can tell.
  const live = cached ?? (await client.find(resource, ref, { signal }));
  const ownership = live === undefined ? 'ours' : ownershipOf(live, engine, resource.kind);
  if (ownership === 'former') throw new WaitingForCollection(`${resource.kind} ${ref.name} of a deleted HFTEngine is being collected`);
  if (ownership === 'foreign') {
    throw new ApplyError(
      `${resource.kind} ${ref.name} exists and belongs to somebody else: rename or delete it, or rename the HFTEngine; the operator does not take over what it did not make`,
    );
  }
  try {
    const { action, object, reasons } = await applier.apply(resource, desired, live, { signal });
    return action === 'unchanged' ? undefined : { object, action, reasons };
  } catch (error) {
    if (isKubeError(error, 'invalid') || isKubeError(error, 'forbidden')) {
      throw new ApplyError(`the API server refuses ${resource.kind} ${ref.name}: ${error.message}`, { cause: error });
    }
    throw error;
  }
}

export async function setGates({ applier }: ApplyDeps, gates: ReconcilePlan['gates'], now: Date, signal: AbortSignal): Promise<void> {
  for (const { pod, decision } of gates) {
    const status = decision.open ? 'True' : 'False';
    const present = gateCondition(pod);
    if (present?.status === status && present.reason === decision.reason && present.message === decision.message) continue;
    const lastTransitionTime =
      present?.status === status && present.lastTransitionTime !== undefined ? present.lastTransitionTime : wireTime(now);
    const condition = { type: SERVING_GATE, status, reason: decision.reason, message: decision.message, lastTransitionTime };
    try {
      await applier.applyStatus(resources.pods, pod, { conditions: [condition] }, { signal, partial: true });
    } catch (error) {
      // The pod went away meanwhile: there is no gate to set.
      if (!isKubeError(error, 'notFound') && !isKubeError(error, 'conflict')) throw error;
    }
  }
}

/** Kubernetes keeps condition times in whole seconds. */
function wireTime(date: Date): string {
  return date.toISOString().replace(/\.[0-9]+Z$/, 'Z');
}

export async function prune({ applier }: ApplyDeps, stale: ReconcilePlan['prune'], signal: AbortSignal): Promise<void> {
  for (const configMap of stale) await applier.remove(resources.configMaps, configMap, { signal });
}
