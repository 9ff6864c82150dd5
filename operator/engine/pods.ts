/** Reading engine pods: pure functions over the pod as the API server shows it. */
import { CONFIG_HASH_ANNOTATION, ENGINE_CONTAINER, SERVING_GATE } from '../../charts/names.ts';
import type { Pod } from './resource.ts';

function engineContainer(pod: Pod) {
  return pod.status?.containerStatuses?.find(({ name }) => name === ENGINE_CONTAINER);
}

export function isTerminating(pod: Pod): boolean {
  return pod.metadata.deletionTimestamp !== undefined;
}

/** Whether the pod can be asked: it has an address and its engine container runs. */
export function isRunning(pod: Pod): boolean {
  return pod.status?.podIP !== undefined && engineContainer(pod)?.state?.running !== undefined;
}

/** Whether Kubernetes sends the pod traffic: probes pass and every readiness gate is open. */
export function isReady(pod: Pod): boolean {
  return pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true;
}

/** Whether the pod finished or failed for good; the Deployment replaces it. */
export function isOver(pod: Pod): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
}

export function gateCondition(pod: Pod) {
  return pod.status?.conditions?.find(({ type }) => type === SERVING_GATE);
}

/** Twelve digits that name the running container: a restart inside the pod gives others. Empty when none runs. */
export function containerId(pod: Pod): string {
  return (engineContainer(pod)?.containerID ?? '').replace(/^.*:\/\//, '').slice(0, 12);
}

export function configHashOf(pod: Pod): string | undefined {
  return pod.metadata.annotations?.[CONFIG_HASH_ANNOTATION];
}

/** The V8 flags on the container's command line. */
export function heapFlagsOf(container: { command?: string[]; args?: string[] } | undefined): string[] {
  return [...(container?.command ?? []), ...(container?.args ?? [])].filter((argument) => V8_FLAG.test(argument));
}
const V8_FLAG = /^--(max-|min-|initial-)?(old-space|semi-space|heap)[a-z-]*=/;

export interface PodTrouble {
  reason: string;
  message: string;
}

/** How long a pod may stay unscheduled before it is called a trouble: a volume binds and an old pod leaves in that time. */
const UNSCHEDULABLE_AFTER_MS = 5_000;
const TROUBLED_WAITS = new Set([
  'ErrImagePull',
  'ImagePullBackOff',
  'InvalidImageName',
  'ErrImageNeverPull',
  'CreateContainerConfigError',
  'CreateContainerError',
  'RunContainerError',
]);

/**
 * What keeps a pod from running, in words for a person; undefined when nothing does.
 * An engine that refuses to start writes `{"code", "message"}` to its termination log: that text is the message then.
 */
export function troubleOf(pod: Pod, now: Date): PodTrouble | undefined {
  const scheduled = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled');
  if (scheduled?.status === 'False' && now.getTime() - Date.parse(scheduled.lastTransitionTime ?? '') > UNSCHEDULABLE_AFTER_MS) {
    return {
      reason: 'Unschedulable',
      message: `no node takes pod ${pod.metadata.name}: ${scheduled.message ?? scheduled.reason ?? 'no reason given'}`,
    };
  }
  const container = engineContainer(pod);
  const waiting = container?.state?.waiting;
  if (waiting?.reason !== undefined && TROUBLED_WAITS.has(waiting.reason)) {
    return { reason: waiting.reason, message: waiting.message ?? `the kubelet cannot start the engine: ${waiting.reason}` };
  }
  // In a crash loop the container runs for a moment each time: what ended it stands until the pod is Ready.
  const ended = container?.state?.terminated ?? (isReady(pod) ? undefined : container?.lastState?.terminated);
  if (ended === undefined || ended.exitCode === 0) return undefined;
  if (ended.reason === 'OOMKilled') {
    return { reason: 'OutOfMemory', message: 'the engine was killed at its memory limit: raise spec.resources.memory' };
  }
  const cause = `the engine ended with exit code ${ended.exitCode}${ended.exitCode > 128 ? ` (signal ${ended.exitCode - 128})` : ''}`;
  const message = engineReason(ended.message) ?? `${cause}; see kubectl logs --previous ${pod.metadata.name}`;
  return { reason: 'EngineFailed', message };
}

/** `code: message` of the engine's own report, or the last words of a crash; undefined when there is only an ordinary log. */
function engineReason(log: string | undefined): string | undefined {
  const lastLine = log?.trim().split('\n').at(-1) ?? '';
  if (lastLine === '') return undefined;
  try {
    const parsed: unknown = JSON.parse(lastLine);
    const told = typeof parsed === 'object' && parsed !== null && 'code' in parsed && 'message' in parsed;
    return told ? `${String(parsed.code)}: ${String(parsed.message)}` : undefined;
  } catch {
    return lastLine.slice(-600);
  }
}

/** What the kubelet waits for before it starts the engine, in its own words; undefined when it does not wait. */
export function waitingOf(pod: Pod): string | undefined {
  const waiting = engineContainer(pod)?.state?.waiting;
  return waiting?.reason === 'CrashLoopBackOff' ? (waiting.message ?? waiting.reason) : undefined;
}
