/** What the operator may do: every rule names the step that needs it. */
import type { k8s } from 'cdk8s-plus-28';
import { GROUP, PLURAL } from '../crds/hftengine.ts';

const READ = ['get', 'list', 'watch'];
/** Server-side apply is a PATCH, and needs `create` as well when the object is not there yet. */
const APPLY = ['create', 'patch'];

/** Name of the Lease by which one replica leads. */
export const LEASE_NAME = 'hft-operator';

/**
 * Rules of the ClusterRole, for engines in any namespace.
 *
 * Secrets: the operator lists and watches them with the label selector `app.kubernetes.io/managed-by=hft-operator`, and so holds only its own
 * in memory. RBAC cannot grant by label, nor by a name that is not known beforehand, so the right itself is to all Secrets of the cluster (and
 * who may create Deployments could mount them anyway). Where that is too much, bind the same rules by a RoleBinding in each namespace that
 * holds engines instead of the ClusterRoleBinding. It may not exec, nor escalate, bind or impersonate.
 */
export const CLUSTER_RULES: readonly k8s.PolicyRule[] = [
  // The resource itself: watched; the finalizer is patched in and out.
  { apiGroups: [GROUP], resources: [PLURAL], verbs: [...READ, 'patch'] },
  { apiGroups: [GROUP], resources: [`${PLURAL}/status`], verbs: ['patch'] },
  // Asked for by the admission plugin OwnerReferencesPermissionEnforcement, because children carry blockOwnerDeletion.
  { apiGroups: [GROUP], resources: [`${PLURAL}/finalizers`], verbs: ['update'] },
  // Children. Those that are owned go with the HFTEngine by garbage collection; deleted by the operator itself are outdated ConfigMaps, the
  // Deployment (to drain before the rest goes), and the volume claim under deletionPolicy: Delete.
  { apiGroups: [''], resources: ['secrets', 'serviceaccounts', 'services'], verbs: [...READ, ...APPLY] },
  { apiGroups: [''], resources: ['configmaps', 'persistentvolumeclaims'], verbs: [...READ, ...APPLY, 'delete'] },
  { apiGroups: ['apps'], resources: ['deployments'], verbs: [...READ, ...APPLY, 'delete'] },
  { apiGroups: ['networking.k8s.io'], resources: ['networkpolicies'], verbs: [...READ, ...APPLY] },
  { apiGroups: ['policy'], resources: ['poddisruptionbudgets'], verbs: [...READ, ...APPLY] },
  // Engine pods: found by label, asked over HTTP, and told to serve by their readiness gate.
  { apiGroups: [''], resources: ['pods'], verbs: READ },
  { apiGroups: [''], resources: ['pods/status'], verbs: ['patch'] },
  { apiGroups: ['events.k8s.io'], resources: ['events'], verbs: APPLY },
];

/** Rules of the Role in the operator's own namespace: the Lease. `create` cannot be limited to a name. */
export const LEASE_RULES: readonly k8s.PolicyRule[] = [
  { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['create'] },
  { apiGroups: ['coordination.k8s.io'], resources: ['leases'], resourceNames: [LEASE_NAME], verbs: ['get', 'update'] },
];
