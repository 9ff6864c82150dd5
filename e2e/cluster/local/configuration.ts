import { stringify } from 'yaml';
import { type Layout, NETWORK, NODE_NAME, PORTS } from './layout.ts';

/** Name of the pause image, built here because no registry is asked for anything. */
export const PAUSE_IMAGE = 'localhost/hft-pause:1';

export function containerdConfig(layout: Layout): string {
  return `version = 2
root = "${layout.state}/containerd"
state = "${layout.run}/containerd"
oom_score = 0

[grpc]
  address = "${layout.containerdSocket}"

[ttrpc]
  address = "${layout.containerdSocket}.ttrpc"

[debug]
  address = "${layout.containerdSocket}.debug"
  level = "warn"

[plugins."io.containerd.internal.v1.opt"]
  path = "${layout.state}/containerd/opt"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${PAUSE_IMAGE}"
  # Without CAP_SYS_RESOURCE (many CI machines) runc may not lower a score and dies with a message about a pipe.
  restrict_oom_score_adj = true
  disable_tcp_service = true
  # Under our own folder, so that down knows whose they are.
  netns_mounts_under_state_dir = true

  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"

    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"

      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
        Root = "${layout.run}/runc"

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "${layout.config('cni')}"
`;
}

/** The pod network: a bridge on which this machine is the gateway, addresses from a file-based pool. */
export function cniConfig(layout: Layout): string {
  return JSON.stringify(
    {
      cniVersion: '0.4.0',
      name: `hftengine-${layout.name}`,
      plugins: [
        {
          type: 'bridge',
          bridge: NETWORK.podBridge,
          isGateway: true,
          hairpinMode: true,
          ipMasq: false,
          ipam: {
            type: 'host-local',
            dataDir: `${layout.run}/cni`,
            ranges: [[{ subnet: NETWORK.podRange, gateway: NETWORK.podAddress }]],
            routes: [{ dst: '0.0.0.0/0' }],
          },
        },
        { type: 'portmap', capabilities: { portMappings: true } },
      ],
    },
    undefined,
    2,
  );
}

export function kubeletConfig(layout: Layout): string {
  const serving = layout.pair('kubelet-serving');
  return stringify({
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    address: NETWORK.nodeAddress,
    port: PORTS.kubelet,
    readOnlyPort: 0,
    healthzBindAddress: '127.0.0.1',
    healthzPort: PORTS.kubeletHealth,
    tlsCertFile: serving.certificatePath,
    tlsPrivateKeyFile: serving.keyPath,
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true, cacheTTL: '10s' },
      x509: { clientCAFile: layout.pair('ca').certificatePath },
    },
    authorization: { mode: 'Webhook' },
    containerRuntimeEndpoint: `unix://${layout.containerdSocket}`,
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/${layout.cgroup}`,
    failSwapOn: false,
    clusterDNS: [NETWORK.dnsService],
    clusterDomain: 'cluster.local',
    // The machine's search domains are of no use to a pod and make every lookup slower.
    resolvConf: layout.config('resolv.conf'),
    podLogsDir: `${layout.state}/pod-logs`,
    staticPodPath: '',
    maxPods: 100,
    seccompDefault: true,
    makeIPTablesUtilChains: false,
    // A developer's disk is rarely empty, and images cannot be pulled again: keep them, and evict late.
    evictionHard: {
      'memory.available': '100Mi',
      'nodefs.available': '1%',
      'nodefs.inodesFree': '1%',
      'imagefs.available': '1%',
      'imagefs.inodesFree': '1%',
    },
    imageGCHighThresholdPercent: 100,
    imageGCLowThresholdPercent: 99,
    // Config maps, secrets and volumes of a running pod are looked at this often.
    syncFrequency: '10s',
    fileCheckFrequency: '20s',
    nodeStatusUpdateFrequency: '4s',
    // Unset it would follow the line above, and an idle cluster would not be idle.
    nodeStatusReportFrequency: '5m',
    shutdownGracePeriod: '0s',
  });
}

export function kubeProxyConfig(layout: Layout): string {
  return stringify({
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    mode: 'iptables',
    bindAddress: NETWORK.nodeAddress,
    hostnameOverride: NODE_NAME,
    clientConnection: { kubeconfig: layout.kubeconfigOf('kube-proxy') },
    healthzBindAddress: `127.0.0.1:${PORTS.proxyHealth}`,
    metricsBindAddress: `127.0.0.1:${PORTS.proxyMetrics}`,
    nodePortAddresses: [NETWORK.nodeRange],
    detectLocalMode: 'BridgeInterface',
    detectLocal: { bridgeInterface: NETWORK.podBridge },
    iptables: { minSyncPeriod: '100ms', syncPeriod: '30s', localhostNodePorts: false },
    // Zero leaves the machine's own connection-tracking limits alone.
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
  });
}

export function schedulerConfig(layout: Layout): string {
  return stringify({
    apiVersion: 'kubescheduler.config.k8s.io/v1',
    kind: 'KubeSchedulerConfiguration',
    leaderElection: { leaderElect: false },
    clientConnection: { kubeconfig: layout.kubeconfigOf('kube-scheduler') },
  });
}

export function corefile(layout: Layout, upstream: string | undefined): string {
  return `.:${PORTS.dns} {
    bind ${NETWORK.nodeAddress}
    errors
    health 127.0.0.1:${PORTS.dnsHealth}
    ready 127.0.0.1:${PORTS.dnsReady}
    kubernetes cluster.local in-addr.arpa {
        kubeconfig ${layout.kubeconfigOf('coredns')} hftengine
        pods insecure
        ttl 5
    }
${upstream ? `    forward . ${upstream}\n` : ''}    cache 30 {
        disable success cluster.local
        disable denial cluster.local
    }
    loadbalance
}
`;
}

/** The first name server of a resolv.conf that CoreDNS can ask, or undefined. */
export function upstreamNameServer(resolvConf: string): string | undefined {
  return /^\s*nameserver\s+([0-9.]+)\s*$/m.exec(resolvConf)?.[1];
}
