import type { KeyPair } from './certificates.ts';

/** Everything that decides the command lines of etcd and the API server. Paths are absolute, ports TCP. */
export interface ApiServerSettings {
  readonly address: string;
  readonly port: number;
  readonly serviceRange: string;
  readonly serving: KeyPair;
  readonly clientAuthorityPath: string;
  readonly serviceAccountKeyPath: string;
  readonly serviceAccountPublicKeyPath: string;
  readonly etcd: { readonly url: string; readonly authorityPath: string; readonly client: KeyPair };
  /** How to call kubelets; without it there are none, and service accounts are not filled into pods either. */
  readonly kubelet?: { readonly client: KeyPair };
}

export function apiServerArguments(settings: ApiServerSettings): string[] {
  const url = `https://${settings.address}:${settings.port}`;
  const withNodes = settings.kubelet
    ? [
        '--authorization-mode=Node,RBAC',
        '--enable-admission-plugins=NodeRestriction',
        '--kubelet-preferred-address-types=InternalIP',
        `--kubelet-certificate-authority=${settings.clientAuthorityPath}`,
        `--kubelet-client-certificate=${settings.kubelet.client.certificatePath}`,
        `--kubelet-client-key=${settings.kubelet.client.keyPath}`,
      ]
    : [
        '--authorization-mode=RBAC',
        // Nobody creates the `default` service account without a controller manager, and no pod could be made.
        '--disable-admission-plugins=ServiceAccount',
        '--endpoint-reconciler-type=none',
      ];
  return [
    `--bind-address=${settings.address}`,
    `--advertise-address=${settings.address}`,
    `--secure-port=${settings.port}`,
    `--tls-cert-file=${settings.serving.certificatePath}`,
    `--tls-private-key-file=${settings.serving.keyPath}`,
    `--client-ca-file=${settings.clientAuthorityPath}`,
    '--anonymous-auth=true',
    '--allow-privileged=true',
    `--etcd-servers=${settings.etcd.url}`,
    `--etcd-cafile=${settings.etcd.authorityPath}`,
    `--etcd-certfile=${settings.etcd.client.certificatePath}`,
    `--etcd-keyfile=${settings.etcd.client.keyPath}`,
    `--service-cluster-ip-range=${settings.serviceRange}`,
    `--service-account-issuer=${url}`,
    '--api-audiences=https://kubernetes.default.svc.cluster.local',
    `--service-account-key-file=${settings.serviceAccountPublicKeyPath}`,
    `--service-account-signing-key-file=${settings.serviceAccountKeyPath}`,
    '--profiling=false',
    '--shutdown-delay-duration=0s',
    ...withNodes,
  ];
}

/** Everything that decides etcd's command line. */
export interface EtcdSettings {
  readonly dataDirectory: string;
  readonly clientPort: number;
  readonly peerPort: number;
  readonly serving: KeyPair;
  readonly authorityPath: string;
}

/** One member on loopback; both ports ask for a client certificate of the etcd CA. */
export function etcdArguments(settings: EtcdSettings): string[] {
  const client = `https://127.0.0.1:${settings.clientPort}`;
  const peer = `https://127.0.0.1:${settings.peerPort}`;
  const tls = (prefix: string) => [
    `--${prefix}cert-file=${settings.serving.certificatePath}`,
    `--${prefix}key-file=${settings.serving.keyPath}`,
    `--${prefix}trusted-ca-file=${settings.authorityPath}`,
    `--${prefix}client-cert-auth=true`,
  ];
  return [
    '--name=hftengine',
    `--data-dir=${settings.dataDirectory}`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=hftengine=${peer}`,
    ...tls(''),
    ...tls('peer-'),
    '--auto-compaction-mode=periodic',
    '--auto-compaction-retention=10m',
    '--quota-backend-bytes=2147483648',
    '--snapshot-count=10000',
    '--logger=zap',
    '--log-level=warn',
  ];
}
