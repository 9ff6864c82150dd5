import { stringify } from 'yaml';
import { NETWORK, PORTS } from './layout.ts';
import { PROVISIONER } from './volumes.ts';

/** Objects that make the bare control plane a usual cluster: rights of its parts, cluster DNS, a default StorageClass. */
export function addonObjects(): object[] {
  const bind = (name: string, role: string, user: string) => ({
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: user }],
  });
  const role = (name: string, rules: object[]) => ({
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name },
    rules,
  });
  const dnsLabels = { 'k8s-app': 'kube-dns', 'kubernetes.io/name': 'CoreDNS' };
  const dnsPorts = [
    { name: 'dns', protocol: 'UDP' },
    { name: 'dns-tcp', protocol: 'TCP' },
  ];
  return [
    bind('hftengine:api-server-to-kubelet', 'system:kubelet-api-admin', 'kube-apiserver-kubelet-client'),
    role('hftengine:coredns', [
      { apiGroups: [''], resources: ['endpoints', 'services', 'pods', 'namespaces'], verbs: ['list', 'watch'] },
      { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch'] },
    ]),
    bind('hftengine:coredns', 'hftengine:coredns', 'hftengine:coredns'),
    role('hftengine:volumes', [
      { apiGroups: [''], resources: ['persistentvolumeclaims'], verbs: ['get', 'list'] },
      { apiGroups: [''], resources: ['persistentvolumes'], verbs: ['get', 'list', 'create', 'delete'] },
      { apiGroups: ['storage.k8s.io'], resources: ['storageclasses'], verbs: ['get', 'list'] },
    ]),
    bind('hftengine:volumes', 'hftengine:volumes', 'hftengine:volumes'),
    {
      apiVersion: 'storage.k8s.io/v1',
      kind: 'StorageClass',
      metadata: { name: 'standard', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
      provisioner: PROVISIONER,
      reclaimPolicy: 'Delete',
      volumeBindingMode: 'WaitForFirstConsumer',
    },
    // CoreDNS is a process on the node, so its Service selects no pods and the slice names the node.
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'kube-dns', namespace: 'kube-system', labels: dnsLabels },
      spec: {
        clusterIP: NETWORK.dnsService,
        ports: dnsPorts.map((port) => ({ ...port, port: 53, targetPort: PORTS.dns })),
      },
    },
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: {
        name: 'kube-dns',
        namespace: 'kube-system',
        labels: { 'kubernetes.io/service-name': 'kube-dns', 'endpointslice.kubernetes.io/managed-by': 'hftengine-cluster' },
      },
      addressType: 'IPv4',
      endpoints: [{ addresses: [NETWORK.nodeAddress], conditions: { ready: true } }],
      ports: dnsPorts.map((port) => ({ ...port, port: PORTS.dns })),
    },
  ];
}

export function addonYaml(): string {
  return addonObjects()
    .map((object) => stringify(object))
    .join('---\n');
}
