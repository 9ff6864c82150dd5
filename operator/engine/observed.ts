/** What the operator knows of one HFTEngine at the moment of a reconcile: the input of {@link plan}, gathered by `observe.ts`. */
import type { ConfigCheck, EngineStatus } from '../../engine/client/admin.ts';
import type { KubeObject, Live } from '../kube/resource.ts';
import type { ConfigMap, Deployment, Pod } from './resource.ts';
import type { ObservedSecrets } from './secrets.ts';
import type { TlsProblem } from './tls.ts';

/** An engine's answer to `GET /admin/status`, or why there is none. */
export type EngineAnswer = { reachable: true; status: EngineStatus } | { reachable: false; reason: string };

export interface ObservedPod {
  pod: Pod;
  /** Absent when the pod has no running container to ask. */
  answer?: EngineAnswer;
}

export interface Observed extends ObservedSecrets {
  now: Date;
  /** Why the certificate that the spec names cannot be served. */
  tlsProblem?: TlsProblem;
  deployment?: Deployment;
  configMaps: readonly ConfigMap[];
  /** The claim of the journal's volume. */
  claim?: Live<KubeObject>;
  pods: readonly ObservedPod[];
  /** What the running engine said to the wanted configuration; absent when there was none to ask or nothing to ask about. */
  check?: ConfigCheck | 'unanswered';
  /** The last failure to apply objects at this generation, if it still stands. */
  applyFailure?: string;
}
