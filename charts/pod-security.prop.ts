/** The restricted Pod Security Standard as a check on pod specs, for tests. */
import type { KubeObject } from './kube-object.ts';

interface SecurityContext {
  runAsNonRoot?: boolean;
  runAsUser?: number;
  allowPrivilegeEscalation?: boolean;
  privileged?: boolean;
  readOnlyRootFilesystem?: boolean;
  capabilities?: { add?: string[]; drop?: string[] };
  seccompProfile?: { type: string };
}

export interface PodSpec {
  serviceAccountName?: string;
  automountServiceAccountToken?: boolean;
  hostNetwork?: boolean;
  hostPID?: boolean;
  hostIPC?: boolean;
  securityContext?: SecurityContext & { fsGroup?: number };
  containers: {
    name: string;
    command?: string[];
    securityContext?: SecurityContext;
    ports?: { hostPort?: number }[];
    resources?: { requests?: Record<string, string>; limits?: Record<string, string> };
  }[];
  volumes?: Record<string, unknown>[];
}

export interface PodTemplate {
  metadata: { labels: Record<string, string>; annotations?: Record<string, string> };
  spec: PodSpec;
}

const RESTRICTED_VOLUMES = ['configMap', 'csi', 'downwardAPI', 'emptyDir', 'ephemeral', 'persistentVolumeClaim', 'projected', 'secret'];

/** The pod specs of the Deployments among `objects`. */
export function podSpecs(objects: readonly KubeObject[]): PodSpec[] {
  return objects.flatMap(({ kind, spec }) => (kind === 'Deployment' ? [(spec as { template: PodTemplate }).template.spec] : []));
}

/** What in `pod` the restricted standard, or our own rule of a read-only root, forbids; empty when nothing. */
export function restrictedViolations(pod: PodSpec): string[] {
  const violations: string[] = [];
  const demand = (holds: boolean, violation: string): void => {
    if (!holds) violations.push(violation);
  };
  demand(pod.hostNetwork !== true && pod.hostPID !== true && pod.hostIPC !== true, 'host namespaces');
  for (const volume of pod.volumes ?? []) {
    const kinds = Object.keys(volume).filter((key) => key !== 'name');
    demand(kinds.length === 1 && kinds.every((kind) => RESTRICTED_VOLUMES.includes(kind)), `volume of kind ${kinds.join()}`);
  }
  for (const { name, securityContext = {}, ports = [] } of pod.containers) {
    demand(securityContext.runAsNonRoot === true, `${name}: may run as root`);
    demand((securityContext.runAsUser ?? 0) > 0, `${name}: runs as user 0`);
    demand(securityContext.allowPrivilegeEscalation === false, `${name}: may escalate`);
    demand(securityContext.privileged !== true, `${name}: privileged`);
    demand(securityContext.readOnlyRootFilesystem === true, `${name}: writable root`);
    demand(securityContext.capabilities?.drop?.includes('ALL') === true, `${name}: keeps capabilities`);
    demand(securityContext.capabilities?.add === undefined, `${name}: adds capabilities`);
    demand(securityContext.seccompProfile?.type === 'RuntimeDefault', `${name}: no seccomp profile`);
    demand(
      ports.every(({ hostPort }) => hostPort === undefined),
      `${name}: host port`,
    );
  }
  demand(pod.securityContext?.runAsNonRoot === true, 'pod may run as root');
  demand(pod.securityContext?.seccompProfile?.type === 'RuntimeDefault', 'pod without seccomp profile');
  return violations;
}
