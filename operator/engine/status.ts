/** What is said of an engine: conditions with reasons and messages that tell a person what happens and what to do. Pure. */
import type { HFTEngineStatus, Plan } from '../../crds/hftengine.ts';
import type { EngineStatus } from '../../engine/client/admin.ts';
import { parseCpuMillis, parseDurationMs } from '../../crds/quantity.ts';
import { findCondition, setConditions, type Condition } from '../kube/conditions.ts';
import { endpointsOf } from './endpoints.ts';
import type { Judgement, JudgedPod } from './judgement.ts';
import { isReady, troubleOf, type PodTrouble } from './pods.ts';

type NewCondition = Omit<Condition, 'lastTransitionTime'>;

/** One step of bringing an engine up, as a condition's reason and message. */
interface Stage {
  ready: boolean;
  reason: string;
  message: string;
}

export function statusOf(judgement: Judgement): HFTEngineStatus {
  const { engine, observed, pods } = judgement;
  const shown = pods.find(({ current }) => current) ?? pods.find(({ answer }) => answer?.reachable === true) ?? pods[0];
  const stage = stageOf(judgement);
  const trouble = troubleIn(judgement);
  const reported = shown?.answer?.reachable === true ? shown.answer.status : undefined;
  const previous = engine.status;
  // An engine that runs but does not answer just now is still what it last said; when none runs, nothing is claimed.
  const kept = shown?.answer === undefined ? undefined : previous;
  return {
    observedGeneration: engine.metadata.generation,
    conditions: conditionsOf(judgement, stage, trouble),
    plan: planOfStatus(judgement, stage),
    ...optional('configHash', reported?.configHash ?? kept?.configHash),
    desiredConfigHash: judgement.desiredConfigHash,
    ...optional('heapFlags', reported?.heapFlags ?? kept?.heapFlags),
    ...optional('sequence', sequenceOf(judgement)),
    ...optional('stateHash', reported === undefined ? kept?.stateHash : reported.recovery.stateHash || undefined),
    ...optional('keys', observed.keys ?? previous?.keys),
    ...optional('tls', tlsOf(judgement, reported, kept)),
    ...optional('version', reported?.version ?? kept?.version),
    endpoints: endpointsOf(engine),
    engines: pods.slice(0, 16).map(engineOf),
  };
}

function tlsOf({ engine }: Judgement, reported: EngineStatus | undefined, kept: HFTEngineStatus | undefined): HFTEngineStatus['tls'] {
  if (engine.spec.tls === undefined) return undefined;
  return reported === undefined ? kept?.tls : reported.tls && { expiresAt: reported.tls.expiresAt };
}

function optional<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]?: V });
}

function engineOf({ pod, answer, gate }: JudgedPod): NonNullable<HFTEngineStatus['engines']>[number] {
  const status = answer?.reachable === true ? answer.status : undefined;
  return {
    pod: pod.metadata.name,
    ...optional('node', pod.spec?.nodeName),
    phase: status?.phase ?? (answer === undefined ? 'starting' : 'unreachable'),
    serving: gate.open,
    ...optional('sequence', status?.sequence),
    ...optional('configHash', status?.configHash),
  };
}

/** The last durable sequence: never lowered by an engine that has not passed its gate, so that a journal that lost orders is noticed. */
function sequenceOf({ engine, pods }: Judgement): number | undefined {
  const open = pods.find(({ gate, answer }) => gate.open && answer?.reachable === true);
  if (open?.answer?.reachable === true) return open.answer.status.sequence;
  const draining = pods.flatMap(({ gate, answer }) =>
    gate.reason === 'Draining' && answer?.reachable === true ? [answer.status.sequence] : [],
  );
  const known = Math.max(engine.status?.sequence ?? -1, ...draining);
  return known < 0 ? undefined : known;
}

/** What is about to be done, and, until it serves, what is being done. */
function planOfStatus({ engine, changes }: Judgement, stage: Stage): Plan {
  const previous = engine.status;
  const underWay = changes.length === 0 && !stage.ready && previous?.observedGeneration === engine.metadata.generation;
  if (underWay && previous.plan !== undefined && previous.plan.class !== 'refused') return previous.plan;
  return { class: planClass(changes), changes: [...changes] };
}

const CLASS_WEIGHT: Record<Plan['class'], number> = { none: 0, create: 1, restart: 2, refused: 3 };

function planClass(changes: Judgement['changes']): Plan['class'] {
  return changes.reduce<Plan['class']>(
    (heaviest, change) => (CLASS_WEIGHT[change.class] > CLASS_WEIGHT[heaviest] ? change.class : heaviest),
    'none',
  );
}

function stageOf({ observed, refusal, held, changes, pods }: Judgement): Stage {
  const waiting = (reason: string, message: string): Stage => ({ ready: false, reason, message });
  if (observed.deployment === undefined && refusal !== undefined) return waiting(refusal.reason, refusal.message);
  if (observed.deployment === undefined) return waiting('Creating', 'the objects of the engine are being created');
  if (!held && changes.length > 0) {
    return waiting('RollingOut', `a new revision is being applied: ${changes.map(({ field }) => field).join(', ')}`);
  }
  const current = pods.find((pod) => pod.current);
  if (current === undefined) {
    return pods.length > 0
      ? waiting('Draining', 'the old engine finishes what it accepted and stops; the new one starts after it')
      : waiting('Starting', 'waiting for the Deployment to make the engine pod');
  }
  if (!current.gate.open) return waiting(current.gate.reason === 'NotRunning' ? 'Starting' : current.gate.reason, current.gate.message);
  if (!isReady(current.pod)) return waiting('Opening', 'the engine is verified; waiting for its readiness probe');
  return { ready: true, reason: 'Serving', message: 'the engine is recovered, verified and takes orders' };
}

function troubleIn({ observed, refusal, pods }: Judgement): PodTrouble | undefined {
  if (refusal !== undefined) return refusal;
  if (observed.applyFailure !== undefined) return { reason: 'ApplyFailed', message: observed.applyFailure };
  const failure = observed.deployment?.status?.conditions?.find(({ type, status }) => type === 'ReplicaFailure' && status === 'True');
  if (failure !== undefined)
    return { reason: failure.reason ?? 'ReplicaFailure', message: `no pod can be made: ${failure.message ?? 'no reason given'}` };
  if (observed.keysFault !== undefined) return { reason: 'SigningKeysInvalid', message: observed.keysFault };
  if (observed.tlsProblem !== undefined) return observed.tlsProblem;
  for (const { pod, gate, current, answer } of pods) {
    if (!current) continue;
    if (gate.reason === 'JournalBehind' || gate.reason === 'HeapFlagsMismatch' || gate.reason === 'ConfigMismatch')
      return { reason: gate.reason, message: gate.message };
    const trouble = troubleOf(pod, observed.now);
    if (trouble !== undefined) return trouble;
    const failure = answer?.reachable === true ? answer.status.tls?.failure : undefined;
    if (failure !== undefined)
      return {
        reason: 'CertificateRefused',
        message: `the engine shows the certificate from before and not the one in its Secret: ${failure}`,
      };
  }
  return undefined;
}

function conditionsOf(judgement: Judgement, stage: Stage, trouble: PodTrouble | undefined): Condition[] {
  const { engine, observed, refusal } = judgement;
  const { generation } = engine.metadata;
  const previous = engine.status?.conditions ?? [];
  // While a change is held back, Ready speaks of the spec that runs: who waits for the new one must not be told that it serves.
  const before = findCondition(previous, 'Ready')?.observedGeneration ?? generation - 1;
  const readyGeneration = judgement.held ? Math.min(before, generation - 1) : generation;
  const nexts: NewCondition[] = [
    {
      type: 'Ready',
      status: stage.ready ? 'True' : 'False',
      reason: stage.reason,
      message: stage.message,
      observedGeneration: Math.max(0, readyGeneration),
    },
  ];
  // A new generation starts its own progress, and with it its own deadline.
  const progressing = findCondition(previous, 'Progressing');
  const fresh = progressing?.observedGeneration === generation ? previous : previous.filter(({ type }) => type !== 'Progressing');
  const sinceMs =
    progressing?.observedGeneration === generation && progressing.status === 'True'
      ? Date.parse(progressing.lastTransitionTime)
      : observed.now.getTime();
  const wasLate = progressing?.observedGeneration === generation && progressing.reason === 'DeadlineExceeded';
  const late =
    !stage.ready &&
    refusal === undefined &&
    (wasLate || observed.now.getTime() - sinceMs > parseDurationMs(engine.spec.rollout.progressDeadline));
  nexts.push({
    type: 'Progressing',
    observedGeneration: generation,
    ...progressOf(stage, judgement, late, engine.spec.rollout.progressDeadline),
  });
  nexts.push({
    type: 'Degraded',
    observedGeneration: generation,
    ...degradedOf(stage, trouble, late, engine.spec.rollout.progressDeadline),
  });
  nexts.push({ type: 'ConfigApplied', observedGeneration: generation, ...configAppliedOf(judgement) });
  nexts.push({ type: 'WholeCPUs', observedGeneration: generation, ...wholeCpusOf(engine.spec.resources.cpu) });
  return setConditions(fresh, nexts, observed.now);
}

type Verdict = Pick<NewCondition, 'status' | 'reason' | 'message'>;

function progressOf(stage: Stage, { refusal, held }: Judgement, late: boolean, deadline: string): Verdict {
  if (refusal !== undefined) return { status: 'False', reason: refusal.reason, message: 'nothing is rolled out, see Degraded' };
  if (held && stage.ready)
    return { status: 'True', reason: 'AskingEngine', message: 'the running engine is asked whether its state fits the new configuration' };
  if (stage.ready) return { status: 'False', reason: 'Complete', message: 'the running engine is what the spec asks for' };
  if (late)
    return { status: 'False', reason: 'DeadlineExceeded', message: `the engine did not serve within ${deadline}: ${stage.message}` };
  return { status: 'True', reason: stage.reason, message: stage.message };
}

function degradedOf(stage: Stage, trouble: PodTrouble | undefined, late: boolean, deadline: string): Verdict {
  if (trouble !== undefined) return { status: 'True', reason: trouble.reason, message: trouble.message };
  if (late) return { status: 'True', reason: 'DeadlineExceeded', message: `the engine did not serve within ${deadline}: ${stage.message}` };
  return { status: 'False', reason: 'AsExpected', message: 'nothing is wrong' };
}

function configAppliedOf({ desiredConfigHash, refusal, changes, pods }: Judgement): Verdict {
  if (refusal !== undefined && changes.length > 0) return { status: 'False', reason: 'Refused', message: refusal.message };
  const answer = pods.find(({ current }) => current)?.answer;
  if (answer?.reachable !== true)
    return { status: 'Unknown', reason: 'NoAnswer', message: `waiting for an engine that reports configuration ${desiredConfigHash}` };
  if (answer.status.configHash !== desiredConfigHash) {
    return {
      status: 'False',
      reason: 'Differs',
      message: `the engine reports configuration ${answer.status.configHash}, the spec asks for ${desiredConfigHash}`,
    };
  }
  return { status: 'True', reason: 'Reported', message: `the engine reports configuration ${desiredConfigHash}` };
}

function wholeCpusOf(cpu: string | number): Verdict {
  const millis = parseCpuMillis(cpu);
  if (millis % 1000 === 0)
    return { status: 'True', reason: 'Whole', message: 'whole CPUs: the kernel does not throttle the engine between ticks' };
  const pauseMs = Math.ceil(100 - ((millis % 1000) / 1000) * 100);
  return {
    status: 'False',
    reason: 'Fraction',
    message: `${millis}m is a fraction: once it is used up in a 100 ms period the kernel stops the engine for up to ${pauseMs} ms; ask for whole CPUs for steady latency`,
  };
}
