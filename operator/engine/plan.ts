/**
 * The decision of a reconcile, without I/O: from the resource and what was observed to the objects to apply, the gates to set, what to
 * prune and the status to report. Tested by table; the steps around it (observe, report, apply) decide nothing.
 */
import { configHash, engineConfigOf, type EngineConfig } from '../../crds/engine-config.ts';
import { GROUP, type HFTEngine, type HFTEngineStatus } from '../../crds/hftengine.ts';
import { configMapName } from '../../charts/names.ts';
import type { Condition } from '../kube/conditions.ts';
import type { KubeObject } from '../kube/resource.ts';
import { changesOf, clip, configHashOfTemplate, type Change } from './changes.ts';
import { decideGate, type GateDecision } from './gate.ts';
import type { JudgedPod, Judgement } from './judgement.ts';
import type { Observed, ObservedPod } from './observed.ts';
import { isOver, isTerminating } from './pods.ts';
import { ownershipOf } from './ownership.ts';
import type { ConfigMap, Deployment, Pod } from './resource.ts';
import { revisionOfPod, revisionOfTemplate } from './revision.ts';
import { statusOf } from './status.ts';
import { acceptedSpec, wantedOf, type Wanted } from './wanted.ts';

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

/** How often an engine is asked: one that serves, one that does not yet, one that missed its deadline, and one that refuses a change. */
const STEADY_MS = 10_000;
const WAITING_MS = 500;
const LATE_MS = 5_000;
const HELD_MS = 2_000;
/** Other keys are remembered, and told, once they are seen stored. */
const AT_ONCE_MS = 1;

export interface PlanInput {
  engine: HFTEngine;
  observed: Observed;
  /** What the engine's spec asks for. */
  wanted: Wanted;
  /** Namespace whose pods may reach the operations port of the engine. */
  operatorNamespace: string;
}

export function plan({ engine, observed, wanted, operatorNamespace }: PlanInput): ReconcilePlan {
  const config = engineConfigOf(engine.metadata.name, engine.spec);
  const refusal = refusalOf(engine, observed, wanted);
  // A refused configuration, or one that the engine has not judged yet, must not reach the pod: what runs is kept as it was accepted.
  const held = refusal !== undefined || observed.check === 'unanswered';
  const applied = held ? acceptedOf(engine, observed, operatorNamespace) : wanted;
  const objects = (applied?.objects ?? wanted.objects.filter(({ kind }) => kind !== 'Deployment' && kind !== 'ConfigMap')).filter(
    // Keys that somebody has put in and that cannot be used are not ours to throw away.
    ({ kind }) => kind !== 'Secret' || observed.keysFault === undefined,
  );
  const revision = revisionOfTemplate(applied?.deployment ?? observed.deployment);
  const pods = observed.pods.filter(({ pod }) => !isOver(pod)).map((seen) => judge(seen, revision, engine));
  const changes = classified(changesOf(observed.deployment, wanted.deployment, observed.configMaps, config), refusal);
  const status = statusOf({ engine, observed, desiredConfigHash: configHash(config), changes, refusal, held, pods });
  const conditionOf = (type: string): Condition | undefined => status.conditions?.find((condition) => condition.type === type);
  const steady = conditionOf('Ready')?.status === 'True';
  const late = conditionOf('Progressing')?.reason === 'DeadlineExceeded';
  return {
    objects,
    prune: steady && !held ? unusedConfigMaps(engine, observed, config) : [],
    gates: pods.filter(({ pod }) => !isTerminating(pod)).map(({ pod, gate }) => ({ pod, decision: gate })),
    status,
    requeueAfterMs: Math.min(held ? HELD_MS : steady ? STEADY_MS : late ? LATE_MS : WAITING_MS, untilKeys(observed)),
  };
}

/** Milliseconds until the keys change. */
function untilKeys({ now, nextKeyChange, keysChanged }: Observed): number {
  if (keysChanged) return AT_ONCE_MS;
  return nextKeyChange === undefined ? Infinity : Math.max(AT_ONCE_MS, nextKeyChange.getTime() - now.getTime());
}

/** Whether the running engine must be asked about the wanted configuration before the plan is made. */
export function needsCheck(wanted: Wanted, deployment: Deployment | undefined): boolean {
  return deployment !== undefined && revisionOfTemplate(wanted.deployment) !== revisionOfTemplate(deployment);
}

/** What was last accepted, rendered anew, so that it is put right like anything else while a change is held back. */
function acceptedOf(engine: HFTEngine, observed: Observed, operatorNamespace: string): Wanted | undefined {
  const running = configHashOfTemplate(observed.deployment) ?? engine.status?.configHash;
  const spec = acceptedSpec(engine, observed.configMaps, running);
  return spec === undefined ? undefined : wantedOf({ engine, spec, secrets: observed.secrets, operatorNamespace });
}

/**
 * Why nothing may be rolled out: the engine refuses the configuration, or a restart would lose the journal. A refusal stands until the engine
 * says otherwise or the spec changes: an engine that is just away has not changed its mind.
 */
function refusalOf(engine: HFTEngine, observed: Observed, wanted: Wanted): Judgement['refusal'] {
  const { check, claim, deployment, tlsProblem } = observed;
  if (claim?.metadata.deletionTimestamp !== undefined && deployment !== undefined) {
    return {
      reason: 'JournalClaimDeleting',
      message:
        `the claim ${claim.metadata.name} is being deleted and goes with its data as soon as the engine pod stops: nothing is rolled out; ` +
        'to keep the data, set persistentVolumeReclaimPolicy of its volume to Retain before the pod stops',
    };
  }
  // A pod without its certificate would wait for it, and the engine that runs would have stopped for that.
  if (tlsProblem !== undefined && (deployment === undefined || needsCheck(wanted, deployment))) return tlsProblem;
  if (check === undefined || check === 'unanswered') {
    const told = engine.status?.conditions?.find(({ type }) => type === 'Degraded');
    const stands = told?.reason === 'ConfigRefused' && told.status === 'True' && told.observedGeneration === engine.metadata.generation;
    return stands ? { reason: 'ConfigRefused', message: told.message } : undefined;
  }
  if (check.accepted) return undefined;
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
  return changes.map(({ field }) => ({ class: 'refused' as const, field, reason: clip(refusal.message) }));
}

/** Configurations of this engine that neither the spec nor any pod uses. */
function unusedConfigMaps(engine: HFTEngine, observed: Observed, config: EngineConfig): ConfigMap[] {
  const used = new Set([configMapName(config.engine, configHash(config))]);
  for (const { pod } of observed.pods) {
    if (isOver(pod)) continue;
    for (const volume of pod.spec?.volumes ?? []) if (volume.configMap?.name !== undefined) used.add(volume.configMap.name);
  }
  const prefix = configMapName(config.engine, '');
  return observed.configMaps.filter(
    (configMap) =>
      configMap.metadata.name.startsWith(prefix) &&
      !used.has(configMap.metadata.name) &&
      ownershipOf(configMap, engine, 'ConfigMap') === 'ours',
  );
}
