import { apiServerArguments, etcdArguments } from '../control-plane-arguments.ts';
import type { ControlPlaneProgram } from '../binaries.ts';
import { type Layout, NETWORK, NODE_NAME, PORTS } from './layout.ts';

export const DAEMONS = [
  'etcd',
  'containerd',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kube-proxy',
  'kubelet',
  'coredns',
  'volumes',
] as const;
export type DaemonName = (typeof DAEMONS)[number];

/** Where the programs that are not built here were found. */
export type Programs = Readonly<Record<ControlPlaneProgram | 'etcd' | 'containerd' | 'node', string>>;

/** The command line of each daemon; a pure function, so that `up` can see whether a running one is out of date. */
export function commandLines(layout: Layout, programs: Programs): Record<DaemonName, readonly string[]> {
  const ca = layout.pair('ca').certificatePath;
  const signing = layout.pair('service-accounts');
  const etcdAuthority = layout.pair('etcd-ca').certificatePath;
  const serving = (name: string) => {
    const pair = layout.pair(name);
    return [`--tls-cert-file=${pair.certificatePath}`, `--tls-private-key-file=${pair.keyPath}`];
  };
  const delegated = (user: string) => [
    `--kubeconfig=${layout.kubeconfigOf(user)}`,
    `--authentication-kubeconfig=${layout.kubeconfigOf(user)}`,
    `--authorization-kubeconfig=${layout.kubeconfigOf(user)}`,
    `--client-ca-file=${ca}`,
  ];
  return {
    etcd: [
      programs.etcd,
      ...etcdArguments({
        dataDirectory: `${layout.state}/etcd`,
        clientPort: PORTS.etcdClient,
        peerPort: PORTS.etcdPeer,
        serving: layout.pair('etcd'),
        authorityPath: etcdAuthority,
      }),
    ],
    containerd: [programs.containerd, '--config', layout.config('containerd.toml')],
    'kube-apiserver': [
      programs['kube-apiserver'],
      ...apiServerArguments({
        address: NETWORK.nodeAddress,
        port: PORTS.apiServer,
        serviceRange: NETWORK.serviceRange,
        serving: layout.pair('kube-apiserver'),
        clientAuthorityPath: ca,
        serviceAccountKeyPath: signing.keyPath,
        serviceAccountPublicKeyPath: signing.certificatePath,
        etcd: {
          url: `https://127.0.0.1:${PORTS.etcdClient}`,
          authorityPath: etcdAuthority,
          client: layout.pair('etcd-client'),
        },
        kubelet: { client: layout.pair('kubelet-client') },
      }),
    ],
    'kube-controller-manager': [
      programs['kube-controller-manager'],
      ...delegated('kube-controller-manager'),
      ...serving('kube-controller-manager-serving'),
      '--bind-address=127.0.0.1',
      `--secure-port=${PORTS.controllerManager}`,
      // One instance only; electing would make it exit whenever a test stops the API server for long.
      '--leader-elect=false',
      '--use-service-account-credentials=true',
      `--root-ca-file=${ca}`,
      `--service-account-private-key-file=${signing.keyPath}`,
      `--cluster-signing-cert-file=${ca}`,
      `--cluster-signing-key-file=${layout.pair('ca').keyPath}`,
      // A node that dies is noticed in 20 s instead of 50.
      '--node-monitor-grace-period=20s',
    ],
    'kube-scheduler': [
      programs['kube-scheduler'],
      `--config=${layout.config('scheduler.yaml')}`,
      ...delegated('kube-scheduler').slice(1),
      ...serving('kube-scheduler-serving'),
      '--bind-address=127.0.0.1',
      `--secure-port=${PORTS.scheduler}`,
    ],
    'kube-proxy': [programs['kube-proxy'], `--config=${layout.config('kube-proxy.yaml')}`],
    kubelet: [
      programs.kubelet,
      `--config=${layout.config('kubelet.yaml')}`,
      `--kubeconfig=${layout.kubeconfigOf('kubelet')}`,
      `--root-dir=${layout.state}/kubelet`,
      `--cert-dir=${layout.state}/kubelet/pki`,
      `--hostname-override=${NODE_NAME}`,
      `--node-ip=${NETWORK.nodeAddress}`,
    ],
    coredns: [programs.coredns, '-conf', layout.config('Corefile'), '-quiet'],
    volumes: [programs.node, `${import.meta.dirname}/volumes-main.ts`, layout.kubeconfigOf('volumes'), layout.volumes],
  };
}
