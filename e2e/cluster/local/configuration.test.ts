import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { addonObjects, addonYaml } from './addons.ts';
import { cniConfig, containerdConfig, corefile, kubeletConfig, kubeProxyConfig, upstreamNameServer } from './configuration.ts';
import { layoutOf, NETWORK, PORTS } from './layout.ts';
import { CLUSTER_LEAVES } from './pki.ts';
import { commandLines } from './programs.ts';

const layout = layoutOf('t');
const program = (name: string) => `/bin/${name}`;
const commands = commandLines(layout, {
  'kube-apiserver': program('kube-apiserver'),
  'kube-controller-manager': program('kube-controller-manager'),
  'kube-scheduler': program('kube-scheduler'),
  'kube-proxy': program('kube-proxy'),
  kubelet: program('kubelet'),
  kubectl: program('kubectl'),
  coredns: program('coredns'),
  etcd: program('etcd'),
  containerd: program('containerd'),
  node: program('node'),
});

describe('configuration of the local cluster', () => {
  it('uses a containerd of its own, without raising scores it may not raise', () => {
    const config = containerdConfig(layout);
    for (const path of config.match(/"\/[^"]*"/g) ?? [])
      expect(path).toMatch(/^"\/(var\/lib|run)\/hftengine-cluster\/t\/|^"\/usr\/lib\/cni/);
    expect(config).toContain('restrict_oom_score_adj = true');
    expect(config).toContain('address = "/run/hftengine-cluster/t/containerd.sock"');
  });

  it('gives pods addresses of the bridge that this machine owns', () => {
    const config = JSON.parse(cniConfig(layout));
    expect(config.plugins[0]).toMatchObject({ type: 'bridge', bridge: NETWORK.podBridge, isGateway: true, hairpinMode: true });
    expect(config.plugins[0].ipam.ranges).toEqual([[{ subnet: NETWORK.podRange, gateway: NETWORK.podAddress }]]);
  });

  it('lets nobody in anonymously at the kubelet', () => {
    const config = parse(kubeletConfig(layout));
    expect(config.authentication.anonymous.enabled).toBe(false);
    expect(config.authorization.mode).toBe('Webhook');
    expect(config.readOnlyPort).toBe(0);
    expect(config).toMatchObject({
      cgroupDriver: 'cgroupfs',
      cgroupRoot: '/hftengine-t',
      failSwapOn: false,
      clusterDNS: [NETWORK.dnsService],
    });
  });

  it('leaves the machine its own connection-tracking limits', () => {
    expect(parse(kubeProxyConfig(layout)).conntrack).toEqual({
      maxPerCore: 0,
      min: 0,
      tcpEstablishedTimeout: '0s',
      tcpCloseWaitTimeout: '0s',
    });
  });

  it('forwards what is no cluster name only when there is somebody to ask', () => {
    expect(corefile(layout, '192.0.2.53')).toContain('forward . 192.0.2.53\n');
    expect(corefile(layout, undefined)).not.toContain('forward');
    expect(corefile(layout, undefined)).toContain(`bind ${NETWORK.nodeAddress}`);
  });

  it.each([
    ['search x\nnameserver 192.0.2.1\nnameserver 192.0.2.2\n', '192.0.2.1'],
    ['# nameserver 192.0.2.1\nnameserver fe80::1\n', undefined],
    ['', undefined],
  ])('finds the name server of %j', (text, expected) => {
    expect(upstreamNameServer(text)).toBe(expected);
  });

  it('checks every certificate, everywhere', () => {
    const all = Object.values(commands).flat().join(' ');
    expect(all).not.toMatch(/insecure|skip-tls|AlwaysAllow|http:\/\//);
    expect(commands['kube-apiserver']).toContain('--authorization-mode=Node,RBAC');
    expect(commands['kube-apiserver']).toContain('--enable-admission-plugins=NodeRestriction');
    expect(commands['kube-apiserver']).toContain(`--kubelet-certificate-authority=${layout.pair('ca').certificatePath}`);
    expect(commands.etcd).toContain('--client-cert-auth=true');
    expect(commands.etcd).toContain('--peer-client-cert-auth=true');
    // etcd has a CA of its own: a certificate of the cluster's CA must not open the database.
    expect(commands.etcd).toContain(`--trusted-ca-file=${layout.pair('etcd-ca').certificatePath}`);
  });

  it('shares no port with the engine, or with itself', () => {
    const ports = Object.values(PORTS);
    expect(new Set(ports).size).toBe(ports.length);
    for (const port of [6443, 8080, 9090]) expect(ports).not.toContain(port);
  });

  it('names every address under which the API server is called', () => {
    const hosts = CLUSTER_LEAVES['kube-apiserver']?.hosts;
    expect(hosts).toEqual(expect.arrayContaining([NETWORK.nodeAddress, NETWORK.apiService, 'kubernetes.default.svc', '127.0.0.1']));
    expect(CLUSTER_LEAVES['kubelet-serving']?.hosts).toContain(NETWORK.nodeAddress);
  });

  it('keeps names out of paths that they could leave', () => {
    for (const name of ['', '../x', 'A', 'a/b', '-a', 'a'.repeat(40)]) expect(() => layoutOf(name)).toThrow('--name');
  });

  it('grants the volume provisioner and CoreDNS no right to read secrets, nor any wildcard', () => {
    const text = JSON.stringify(addonObjects());
    expect(text).not.toContain('"secrets"');
    expect(text).not.toContain('"*"');
    expect(addonYaml().split('---\n')).toHaveLength(addonObjects().length);
  });
});
