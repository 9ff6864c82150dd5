/**
 * The readiness gate `hftengine.io/serving`: Kubernetes sends an engine traffic only after the operator has asked the engine itself and
 * found it recovered to at least the sequence that was acknowledged before, with the configuration and the heap flags of its own pod.
 * A verification belongs to one container: an engine that restarts inside its pod is verified anew.
 */
import type { EngineStatus } from '../../engine/client/admin.ts';
import { ENGINE_CONTAINER } from '../../charts/names.ts';
import type { EngineAnswer } from './observed.ts';
import { configHashOf, containerId, gateCondition, heapFlagsOf, isTerminating, waitingOf } from './pods.ts';
import type { Pod } from './resource.ts';

export interface GateDecision {
  open: boolean;
  reason: string;
  message: string;
}

/**
 * What the gate of `pod` must be, given the engine's answer and `durableSequence`, the last sequence known durable before (undefined when
 * the engine promises nothing, `durability: memory`, or is new).
 */
export function decideGate(pod: Pod, answer: EngineAnswer | undefined, durableSequence: number | undefined): GateDecision {
  if (isTerminating(pod)) return { open: false, reason: 'Draining', message: 'the pod is being stopped' };
  const container = containerId(pod);
  if (answer === undefined) {
    const waiting = waitingOf(pod);
    if (waiting !== undefined)
      return { open: false, reason: 'BackOff', message: `the kubelet waits before it starts the engine again: ${waiting}` };
    return { open: false, reason: 'NotRunning', message: 'the engine container does not run yet' };
  }
  const verified = verifiedMessage(container, configHashOf(pod));
  if (!answer.reachable) {
    // Silence alone does not close the gate of an engine that was verified: the kubelet probes it and takes it out when it is really gone.
    const gate = gateCondition(pod);
    if (gate?.status === 'True' && gate.message === verified) return { open: true, reason: 'Verified', message: verified };
    return { open: false, reason: 'Unreachable', message: answer.reason };
  }
  return verify(pod, answer.status, durableSequence) ?? { open: true, reason: 'Verified', message: verified };
}

function verifiedMessage(container: string, configHash: string | undefined): string {
  return `container ${container} recovered and runs configuration ${configHash ?? 'unknown'}`;
}

/** The first reason why an engine that answers must not serve; undefined when it may. */
function verify(pod: Pod, status: EngineStatus, durableSequence: number | undefined): GateDecision | undefined {
  const closed = (reason: string, message: string): GateDecision => ({ open: false, reason, message });
  if (status.phase === 'recovering') return closed('Recovering', 'the engine replays its journal');
  if (status.phase === 'warming') return closed('WarmingUp', 'the engine warms up');
  if (status.phase === 'draining') return closed('Draining', 'the engine finishes what it accepted and stops');
  const wantedHash = configHashOf(pod);
  // What was changed while it runs is no reason to take an engine out of service. Older engines take nothing over.
  const startHash = status.startConfigHash ?? status.configHash;
  if (startHash !== wantedHash) {
    return closed('ConfigMismatch', `the engine runs configuration ${startHash}, its pod asks for ${wantedHash ?? 'none'}`);
  }
  const container = pod.spec?.containers?.find(({ name }) => name === ENGINE_CONTAINER);
  const wantedFlags = heapFlagsOf(container);
  if (wantedFlags.some((flag) => !status.heapFlags.includes(flag))) {
    return closed(
      'HeapFlagsMismatch',
      `the engine runs with ${status.heapFlags.join(' ') || 'no heap flags'}, its pod asks for ${wantedFlags.join(' ')}`,
    );
  }
  if (durableSequence !== undefined && status.sequence < durableSequence) {
    return closed(
      'JournalBehind',
      `the journal ends at sequence ${status.sequence}, but ${durableSequence} was acknowledged: restore the volume, ` +
        `or accept the loss with: kubectl annotate hft NAME hftengine.io/accept-sequence=${status.sequence}`,
    );
  }
  return undefined;
}
