/** Step four of a reconcile: make the cluster hold what the plan says. Writes only what differs. */
import type { HFTEngine } from '../../crds/hftengine.ts';
import { ENGINE_LABEL, SERVING_GATE } from '../../charts/names.ts';
import type { Applier } from '../kube/apply.ts';
import type { KubeClient } from '../kube/client.ts';
import { isKubeError } from '../kube/errors.ts';
import { resources, type KubeObject, type Live } from '../kube/resource.ts';
import type { Caches } from './caches.ts';
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

/** An object could not be brought to what the plan says; the message names it and what to do. */
export class ApplyError extends Error {
  override readonly name = 'ApplyError';
}

/** Applies the objects in order. Throws {@link ApplyError} for one that the API server refuses, KubeError when it does not answer. */
export async function applyObjects(
  { client, caches, applier }: ApplyDeps,
  engine: HFTEngine,
  objects: ReconcilePlan['objects'],
  signal: AbortSignal,
): Promise<Written[]> {
  const written: Written[] = [];
  for (const desired of objects) {
    const resource = childResource(desired.kind);
    const ref = { name: desired.metadata.name, namespace: engine.metadata.namespace };
    const cached = caches.childrenOf(resource.kind, engine.metadata).find(({ metadata }) => metadata.name === ref.name);
    // What the cache does not show may be new, may have lost its labels by hand, or may be somebody else's: only the API server can tell.
    const live = cached ?? (await client.find(resource, ref, { signal }));
    if (live !== undefined && !isOurs(live, engine)) {
      throw new ApplyError(
        `${resource.kind} ${ref.name} exists and belongs to somebody else: rename or delete it, or rename the HFTEngine; the operator does not take over what it did not make`,
      );
    }
    try {
      const result = await applier.apply(resource, desired, live, { signal });
      if (result.action !== 'unchanged') written.push({ object: result.object, action: result.action, reasons: result.reasons });
    } catch (error) {
      if (isKubeError(error, 'invalid') || isKubeError(error, 'forbidden')) {
        throw new ApplyError(`the API server refuses ${resource.kind} ${ref.name}: ${error.message}`, { cause: error });
      }
      throw error;
    }
  }
  return written;
}

/** Whether a child was made for this HFTEngine: owned by it, or, for the volume claim that outlives it, labelled with its name. */
function isOurs(live: Live<KubeObject>, engine: HFTEngine): boolean {
  if (live.kind === 'PersistentVolumeClaim' || live.metadata.name.endsWith('-journal')) {
    const label = live.metadata.labels?.[ENGINE_LABEL];
    return label === engine.metadata.name;
  }
  const owners = live.metadata.ownerReferences ?? [];
  // A child whose owner reference was removed by hand still carries the label; a child of a deleted namesake has that one's uid.
  return (
    owners.some(({ uid }) => uid === engine.metadata.uid) ||
    (owners.length === 0 && live.metadata.labels?.[ENGINE_LABEL] === engine.metadata.name)
  );
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
