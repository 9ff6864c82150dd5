/** What {@link plan} has found out about an engine; the status is worked out from it. */
import type { HFTEngine } from '../../crds/hftengine.ts';
import type { Change } from './changes.ts';
import type { GateDecision } from './gate.ts';
import type { Observed, ObservedPod } from './observed.ts';
import type { TlsProblem } from './tls.ts';

export interface JudgedPod extends ObservedPod {
  gate: GateDecision;
  /** Whether the pod is of the wanted revision and here to stay. */
  current: boolean;
}

export interface Judgement {
  engine: HFTEngine;
  observed: Observed;
  desiredConfigHash: string;
  changes: readonly Change[];
  /** Why a change is not rolled out while the old revision runs on. */
  refusal: { reason: 'ConfigRefused' | 'JournalClaimDeleting' | TlsProblem['reason']; message: string } | undefined;
  /** Whether what runs is kept: a change was refused, or the engine has not said yet. */
  held: boolean;
  /** Those that are not over. */
  pods: readonly JudgedPod[];
}
