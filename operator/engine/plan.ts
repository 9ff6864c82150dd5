/**
 * The decision of a reconcile, without I/O: from the resource and what was observed to the objects to apply, the gates to set, what to
 * prune and the status to report. Tested by table; the steps around it (observe, report, apply) decide nothing.
 */
import { configHash, engineConfigOf, type EngineConfig } from '../../crds/engine-config.ts';
import { GROUP, type HFTEngine, type HFTEngineStatus } from '../../crds/hftengine.ts';
import { engineObjects } from '../../charts/engine.ts';
import { configMapName } from '../../charts/names.ts';
import type { KubeObject } from '../kube/resource.ts';
import { changesOf, type Change } from './changes.ts';
import { decideGate, type GateDecision } from './gate.ts';
import type { JudgedPod, Judgement } from './judgement.ts';
import type { Observed, ObservedPod } from './observed.ts';
import { isOver, isTerminating } from './pods.ts';
import type { ConfigMap, Pod } from './resource.ts';
import { revisionOfPod, revisionOfTemplate, withRevision } from './revision.ts';
import { statusOf } from './status.ts';

/** Annotation of the HFTEngine by which a person accepts that the journal ends at exactly this sequence. */
const ACCEPT_SEQUENCE_ANNOTATION = `${GROUP}/accept-sequence`;

export interface ReconcilePlan {
  /** To apply, in this order. */
  objects: readonly KubeObject[];
  /** ConfigMaps of earlier revisions that no pod uses any more. */
  prune: readonly ConfigMap[];
  gates: readonly { pod: Pod; decision: GateDecision }[];
  status: HFTEngineStatus;
  /** When to look again even if nothing is heard. */
  requeueAfterMs: number;
}

/** How often a serving engine is asked for its sequence, and how often one that is not yet. */
const STEADY_MS = 10_000;
const WAITING_MS = 500;

/** @param operatorNamespace Namespace whose pods may reach the operations port of the engine. */
export function plan(engine: HFTEngine, observed: Observed, operatorNamespace: string): ReconcilePlan {
  const { name, namespace, uid } = engine.metadata;
  const config = engineConfigOf(name, engine.spec);
  const wanted = wantedObjects({ name, namespace, uid, spec: engine.spec, adminToken: observed.adminToken, operatorNamespace });
  const refusal = refusalOf(observed);
  // A refused configuration must not reach the pod: the running engine keeps its own, everything else is still kept right.
  const objects = refusal === undefined ? wanted.all : wanted.all.filter(({ kind }) => kind !== 'Deployment' && kind !== 'ConfigMap');
  const revision = refusal === undefined ? revisionOfTemplate(wanted.deployment) : revisionOfTemplate(observed.deployment);
  const pods = observed.pods.map((seen) => judge(seen, revision, engine));
  const changes = classified(changesOf(observed.deployment, wanted.deployment, observed.configMaps, config), refusal);
  const status = statusOf({ engine, observed, desiredConfigHash: configHash(config), changes, refusal, pods });
  const steady = status.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True') === true;
  return {
    objects,
    prune: steady && refusal === undefined ? unusedConfigMaps(observed, config) : [],
    gates: pods.filter(({ pod }) => !isTerminating(pod) && !isOver(pod)).map(({ pod, gate }) => ({ pod, decision: gate })),
    status,
    requeueAfterMs: steady ? STEADY_MS : WAITING_MS,
  };
}

/** Whether the running engine must be asked about the wanted configuration before the plan is made. */
export function needsCheck(engine: HFTEngine, observed: Pick<Observed, 'deployment' | 'adminToken'>): boolean {
  if (observed.deployment === undefined) return false;
  const { name, namespace, uid } = engine.metadata;
  const wanted = wantedObjects({ name, namespace, uid, spec: engine.spec, adminToken: observed.adminToken });
  return revisionOfTemplate(wanted.deployment) !== revisionOfTemplate(observed.deployment);
}

function wantedObjects(input: Parameters<typeof engineObjects>[0]): { all: KubeObject[]; deployment: KubeObject } {
  const all: KubeObject[] = engineObjects(input).map((object) => (object.kind === 'Deployment' ? withRevision(object) : object));
  const deployment = all.find(({ kind }) => kind === 'Deployment');
  if (deployment === undefined) throw new TypeError('the engine chart has no Deployment');
  return { all, deployment };
}

/** Why nothing may be rolled out: the engine refuses the configuration, or a restart would lose the journal. */
function refusalOf({ check, claim, deployment }: Observed): Judgement['refusal'] {
  if (claim?.metadata.deletionTimestamp !== undefined && deployment !== undefined) {
    return {
      reason: 'JournalClaimDeleting',
      message:
        `the claim ${claim.metadata.name} is being deleted and goes with its data as soon as the engine pod stops: nothing is rolled out; ` +
        'to keep the data, set persistentVolumeReclaimPolicy of its volume to Retain before the pod stops',
    };
  }
  if (check?.accepted !== false) return undefined;
  return {
    reason: 'ConfigRefused',
    message: `the engine refuses the new configuration and keeps the old one: ${check.code}: ${check.message}`,
  };
}

function judge(seen: ObservedPod, revision: string | undefined, engine: HFTEngine): JudgedPod {
  const { spec, status, metadata } = engine;
  const accepted = metadata.annotations?.[ACCEPT_SEQUENCE_ANNOTATION];
  const reached = seen.answer?.reachable === true ? String(seen.answer.status.sequence) : undefined;
  const durableSequence =
    spec.journal.durability === 'memory' || (accepted !== undefined && accepted === reached) ? undefined : status?.sequence;
  const current = !isTerminating(seen.pod) && !isOver(seen.pod) && revision !== undefined && revisionOfPod(seen.pod) === revision;
  return { ...seen, gate: decideGate(seen.pod, seen.answer, durableSequence), current };
}

function classified(changes: readonly Change[], refusal: Judgement['refusal']): readonly Change[] {
  if (refusal === undefined) return changes;
  return changes.map(({ field }) => ({ class: 'refused' as const, field, reason: refusal.message.slice(0, 1024) }));
}

function unusedConfigMaps(observed: Observed, config: EngineConfig): ConfigMap[] {
  const used = new Set([configMapName(config.engine, configHash(config))]);
  for (const { pod } of observed.pods) {
    for (const volume of pod.spec?.volumes ?? []) if (volume.configMap?.name !== undefined) used.add(volume.configMap.name);
  }
  return observed.configMaps.filter(({ metadata }) => !used.has(metadata.name));
}
