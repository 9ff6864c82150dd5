import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureAuthority, ensureLeaf, ensureSigningKey, type LeafRequest } from '../certificates.ts';
import { writeKubeconfig } from '../kubeconfig.ts';
import { type Layout, NETWORK, NODE_NAME, PORTS } from './layout.ts';

const LOOPBACK = ['localhost', '127.0.0.1'];
const API_HOSTS = [
  'kubernetes',
  'kubernetes.default',
  'kubernetes.default.svc',
  'kubernetes.default.svc.cluster.local',
  NETWORK.nodeAddress,
  NETWORK.apiService,
  ...LOOPBACK,
];

/** Certificates below the cluster CA, by name; those without hosts are for clients. */
export const CLUSTER_LEAVES: Readonly<Record<string, LeafRequest>> = {
  'kube-apiserver': { user: 'kube-apiserver', hosts: API_HOSTS },
  'kube-controller-manager-serving': { user: 'kube-controller-manager', hosts: LOOPBACK },
  'kube-scheduler-serving': { user: 'kube-scheduler', hosts: LOOPBACK },
  'kubelet-serving': { user: `system:node:${NODE_NAME}`, groups: ['system:nodes'], hosts: [NODE_NAME, NETWORK.nodeAddress] },
  'kubelet-client': { user: 'kube-apiserver-kubelet-client' },
};

/** Who connects to the API server with a kubeconfig of its own. */
export const CLUSTER_USERS: Readonly<Record<string, LeafRequest>> = {
  admin: { user: 'kubernetes-admin', groups: ['system:masters'] },
  'kube-controller-manager': { user: 'system:kube-controller-manager' },
  'kube-scheduler': { user: 'system:kube-scheduler' },
  'kube-proxy': { user: 'system:kube-proxy' },
  kubelet: { user: `system:node:${NODE_NAME}`, groups: ['system:nodes'] },
  coredns: { user: 'hftengine:coredns' },
  volumes: { user: 'hftengine:volumes' },
};

/** Makes or renews both CAs, every certificate, the service-account key and all kubeconfigs. Idempotent. */
export async function ensurePki(layout: Layout): Promise<void> {
  const authority = layout.pair('ca');
  const etcdAuthority = layout.pair('etcd-ca');
  const signing = layout.pair('service-accounts');
  await mkdir(join(layout.state, 'kubeconfigs'), { recursive: true, mode: 0o700 });
  await Promise.all([
    ensureAuthority(authority, 'kubernetes'),
    ensureAuthority(etcdAuthority, 'etcd-ca'),
    ensureSigningKey(signing.keyPath, signing.certificatePath),
  ]);
  await Promise.all([
    ensureLeaf(layout.pair('etcd'), etcdAuthority, { user: 'etcd', hosts: LOOPBACK, client: true }),
    ensureLeaf(layout.pair('etcd-client'), etcdAuthority, { user: 'kube-apiserver' }),
    ...Object.entries(CLUSTER_LEAVES).map(([name, request]) => ensureLeaf(layout.pair(name), authority, request)),
    ...Object.entries(CLUSTER_USERS).map(async ([name, request]) => {
      const client = layout.pair(`user-${name}`);
      await ensureLeaf(client, authority, request);
      await writeKubeconfig(name === 'admin' ? layout.kubeconfig : layout.kubeconfigOf(name), {
        name: 'hftengine',
        server: `https://${NETWORK.nodeAddress}:${PORTS.apiServer}`,
        authorityPath: authority.certificatePath,
        client,
      });
    }),
  ]);
}
