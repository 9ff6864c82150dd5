/** What the restricted Pod Security Standard asks of a pod, and a little more: one user, nothing writable but the mounts. */
import type { k8s } from 'cdk8s-plus-28';

/** User and group of every container; the images own their files by it. */
export const RUN_AS_ID = 10_001;

/** Security context of a pod. */
export const POD_SECURITY: k8s.PodSecurityContext = {
  runAsNonRoot: true,
  runAsUser: RUN_AS_ID,
  runAsGroup: RUN_AS_ID,
  fsGroup: RUN_AS_ID,
  // A journal of many files is not chowned again at each start.
  fsGroupChangePolicy: 'OnRootMismatch',
  seccompProfile: { type: 'RuntimeDefault' },
};

/** Security context of each container; repeated from the pod so that a container added later does not fall short of it. */
export const CONTAINER_SECURITY: k8s.SecurityContext = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
  privileged: false,
  readOnlyRootFilesystem: true,
  runAsNonRoot: true,
  runAsUser: RUN_AS_ID,
  runAsGroup: RUN_AS_ID,
  seccompProfile: { type: 'RuntimeDefault' },
};

/** Labels of a namespace that admits only restricted pods and warns about anything less. */
export const RESTRICTED_NAMESPACE_LABELS: Readonly<Record<string, string>> = {
  'pod-security.kubernetes.io/enforce': 'restricted',
  'pod-security.kubernetes.io/warn': 'restricted',
};
