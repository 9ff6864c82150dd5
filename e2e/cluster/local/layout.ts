import { join } from 'node:path';
import { keyPair, type KeyPair } from '../certificates.ts';

/**
 * Addresses of the local cluster. Node and pods live on two bridges of this machine, and a route sends the service
 * range to the node's bridge, so that no packet for the cluster ever leaves the machine.
 */
export const NETWORK = {
  range: '10.203.0.0/16',
  nodeBridge: 'hft-node0',
  nodeAddress: '10.203.0.1',
  nodeRange: '10.203.0.0/24',
  podBridge: 'hft-pod0',
  podAddress: '10.203.1.1',
  podRange: '10.203.1.0/24',
  serviceRange: '10.203.2.0/24',
  /** First of the service range: the Service `kubernetes`. */
  apiService: '10.203.2.1',
  dnsService: '10.203.2.10',
} as const;

/** TCP ports on the node's own address (or loopback), away from what people run at their usual places. */
export const PORTS = {
  apiServer: 16443,
  etcdClient: 16379,
  etcdPeer: 16380,
  kubelet: 16250,
  kubeletHealth: 16248,
  proxyHealth: 16256,
  proxyMetrics: 16249,
  controllerManager: 16257,
  scheduler: 16259,
  dns: 16053,
  dnsHealth: 16054,
  dnsReady: 16055,
} as const;

export const NODE_NAME = 'hft-node';

/** Where everything of one local cluster is. */
export interface Layout {
  readonly name: string;
  /** Survives a reboot: certificates, etcd, images, volumes, logs. */
  readonly state: string;
  /** Sockets and mounts; gone after a reboot. */
  readonly run: string;
  readonly logs: string;
  readonly volumes: string;
  readonly kubeconfig: string;
  readonly containerdSocket: string;
  /** Name of the parent of every pod's cgroup, below each controller's root. */
  readonly cgroup: string;
  pair(name: string): KeyPair;
  kubeconfigOf(user: string): string;
  config(file: string): string;
}

export function layoutOf(name: string): Layout {
  if (!/^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/.test(name)) {
    throw new Error(`--name ${name}: use up to 32 lower-case letters, digits and dashes`);
  }
  const state = `/var/lib/hftengine-cluster/${name}`;
  const run = `/run/hftengine-cluster/${name}`;
  return {
    name,
    state,
    run,
    logs: join(state, 'logs'),
    volumes: join(state, 'volumes'),
    kubeconfig: join(state, 'kubeconfig'),
    containerdSocket: join(run, 'containerd.sock'),
    cgroup: `hftengine-${name}`,
    pair: (user) => keyPair(join(state, 'pki'), user),
    kubeconfigOf: (user) => join(state, 'kubeconfigs', user),
    config: (file) => join(state, 'config', file),
  };
}
