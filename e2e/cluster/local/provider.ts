import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { z } from 'zod';
import { controlPlanePrograms, findOnPath } from '../binaries.ts';
import { ensureDebianPackages } from '../debian.ts';
import { holdLock } from '../lock.ts';
import { step, type Log } from '../progress.ts';
import { eventually } from '../../wait.ts';
import type { ClusterProvider, ClusterStatus } from '../provider.ts';
import { addonYaml } from './addons.ts';
import {
  cniConfig,
  containerdConfig,
  corefile,
  kubeletConfig,
  kubeProxyConfig,
  PAUSE_IMAGE,
  schedulerConfig,
  upstreamNameServer,
} from './configuration.ts';
import { clusterEnvironment, clusterProcesses, daemon, DAEMON_GRACE_MS, ensureRunning, logTail, stopProcesses } from './daemons.ts';
import { prepareMachine, restoreMachine } from './host.ts';
import { importArchive, writePauseArchive } from './images.ts';
import { ensurePki } from './pki.ts';
import { type Layout, layoutOf, NODE_NAME, PORTS } from './layout.ts';
import { commandLines, type DaemonName, DAEMONS, type Programs } from './programs.ts';

const PACKAGES = [
  'etcd-server',
  'containerd',
  'runc',
  'containernetworking-plugins',
  'catatonit',
  'iptables',
  'iproute2',
  'openssl',
  'ca-certificates',
];

const LOCK = '/run/lock/hftengine-cluster';

/** What each daemon reads at its start; a change there restarts it. */
const FILES: Partial<Record<DaemonName, (layout: Layout) => string[]>> = {
  etcd: (layout) => [layout.pair('etcd').certificatePath],
  containerd: (layout) => [layout.config('containerd.toml')],
  'kube-apiserver': (layout) => [layout.pair('kube-apiserver').certificatePath, layout.pair('ca').certificatePath],
  'kube-controller-manager': (layout) => [layout.kubeconfigOf('kube-controller-manager')],
  'kube-scheduler': (layout) => [layout.config('scheduler.yaml'), layout.kubeconfigOf('kube-scheduler')],
  'kube-proxy': (layout) => [layout.config('kube-proxy.yaml'), layout.kubeconfigOf('kube-proxy')],
  kubelet: (layout) => [layout.config('kubelet.yaml'), layout.kubeconfigOf('kubelet'), layout.config('resolv.conf')],
  coredns: (layout) => [layout.config('Corefile'), layout.kubeconfigOf('coredns')],
  volumes: (layout) => [
    join(import.meta.dirname, 'volumes.ts'),
    join(import.meta.dirname, 'volumes-main.ts'),
    layout.kubeconfigOf('volumes'),
  ],
};

const podListSchema = z.object({ items: z.array(z.object({ status: z.object({ phase: z.string().optional() }) })) });
const nodeListSchema = z.object({
  items: z.array(
    z.object({
      status: z.object({
        conditions: z.array(z.object({ type: z.string(), status: z.string(), lastHeartbeatTime: z.string() })).optional(),
      }),
    }),
  ),
});

/** A whole Kubernetes on this machine, as processes of root: no Docker, no registry. */
export class LocalProvider implements ClusterProvider {
  readonly name = 'local';
  readonly layout: Layout;

  constructor(name: string) {
    this.layout = layoutOf(name);
  }

  async up(log: Log): Promise<void> {
    requireLinuxRoot();
    await ensureDebianPackages(PACKAGES, log);
    const programs = await this.#programs(log);
    await using _lock = await holdLock(LOCK, log);
    await this.#oneUpAtATime();
    const commands = commandLines(this.layout, programs);
    const start = async (name: DaemonName) => {
      const files = FILES[name]?.(this.layout) ?? [];
      return ensureRunning(await daemon(name, commands[name], files), this.layout.state, this.layout.logs);
    };

    await step(log, 'certificates and configuration', () => this.#configure());
    await step(log, 'network and cgroup', () => prepareMachine(this.layout));
    await step(log, 'API server ready', async () => {
      await Promise.all([start('etcd'), start('containerd'), start('kube-apiserver')]);
      await this.#whenApiReady();
    });
    await step(log, 'node, network and DNS ready', async () => {
      await Promise.all([
        this.#ensurePauseImage(),
        start('kube-controller-manager'),
        start('kube-scheduler'),
        start('kube-proxy'),
        this.#kubectl(['apply', '--server-side', '--force-conflicts', '--field-manager=hftengine-cluster', '-f', '-'], addonYaml()),
      ]);
      const [kubeletStarted] = await Promise.all([start('kubelet'), start('coredns'), start('volumes')]);
      await this.#whenNodeReady(kubeletStarted ? Date.now() : 0);
    });
  }

  async down(log: Log): Promise<void> {
    requireLinuxRoot();
    await using _lock = await holdLock(LOCK, log);
    const { state, run } = this.layout;
    await step(log, 'processes stopped', async () => {
      // The kubelet first, or it would start again what is stopped; then shims and pods with everything else.
      await stopProcesses(state, (entry) => entry.daemon === 'kubelet', DAEMON_GRACE_MS);
      await stopProcesses(state, () => true, 2_000);
    });
    await step(log, 'machine as it was before', () => restoreMachine(this.layout));
    await step(log, 'data removed', async () => {
      for (const folder of [state, run]) await rm(folder, { recursive: true, force: true, maxRetries: 5 });
      // The parents go when no other cluster is in them.
      for (const folder of [state, run]) await rmdir(dirname(folder)).catch(() => {});
    });
  }

  /** Whether this cluster was brought up and not down since; its daemons may have ended, by a reboot for one. */
  exists(): boolean {
    return existsSync(this.layout.kubeconfig);
  }

  async status(): Promise<ClusterStatus> {
    const processes = await clusterProcesses(this.layout.state);
    const parts = DAEMONS.map((name) => {
      const found = processes.find((entry) => entry.daemon === name);
      return {
        name,
        state: found ? 'running' : 'stopped',
        detail: found ? `pid ${found.pid}, ${Math.round(found.residentBytes / 1e6)} MB` : '',
      };
    });
    const base = { provider: this.name, name: this.layout.name } as const;
    if (!this.exists() && processes.length === 0) return { ...base, state: 'absent', parts };
    try {
      const { gitVersion } = z.object({ gitVersion: z.string() }).parse(JSON.parse(await this.#kubectl(['get', '--raw', '/version'])));
      const ready = (await this.#nodeReady()) && parts.every((part) => part.state === 'running');
      const pods = podListSchema.parse(JSON.parse(await this.#kubectl(['get', 'pods', '-A', '-o', 'json']))).items;
      const running = pods.filter((pod) => pod.status.phase === 'Running').length;
      const summary = { name: 'pods', state: `${running} of ${pods.length} running`, detail: '' };
      return { ...base, state: ready ? 'ready' : 'broken', version: gitVersion, parts: [...parts, summary] };
    } catch {
      return { ...base, state: 'broken', parts };
    }
  }

  async loadImage(archivePath: string): Promise<string[]> {
    await this.kubeconfigPath();
    return importArchive(this.layout, archivePath);
  }

  async kubeconfigPath(): Promise<string> {
    if (!this.exists()) {
      throw new Error('The local cluster is not up: `npm run cluster -- up --provider local` starts it');
    }
    return this.layout.kubeconfig;
  }

  async kubectlPath(): Promise<string> {
    return (await controlPlanePrograms(() => {})).kubectl;
  }

  async restartApiServer(options: { downForMs?: number } = {}): Promise<void> {
    const { state, logs } = this.layout;
    const command = commandLines(this.layout, await this.#programs(() => {}))['kube-apiserver'];
    const wanted = await daemon('kube-apiserver', command, FILES['kube-apiserver']?.(this.layout) ?? []);
    await stopProcesses(state, (entry) => entry.daemon === 'kube-apiserver', 0);
    await new Promise((resolve) => setTimeout(resolve, options.downForMs ?? 0));
    await ensureRunning(wanted, state, logs);
    await this.#whenApiReady();
  }

  async #programs(log: Log): Promise<Programs> {
    const [built, etcd, containerd] = await Promise.all([controlPlanePrograms(log), findOnPath('etcd'), findOnPath('containerd')]);
    if (!etcd || !containerd) throw new Error('etcd and containerd are not on PATH though their packages are installed');
    return { ...built, etcd, containerd, node: process.execPath };
  }

  /** Bridges, ports and iptables chains are the machine's; a second local cluster would take them over. */
  async #oneUpAtATime(): Promise<void> {
    const { stdout } = await execa('sh', ['-c', 'ls -d /var/lib/hftengine-cluster/*/ 2>/dev/null || true']);
    for (const line of stdout.split('\n').filter(Boolean)) {
      const state = line.replace(/\/$/, '');
      if (state !== this.layout.state && (await clusterProcesses(state)).length > 0) {
        const other = state.split('/').pop();
        throw new Error(
          `The local cluster ${other} is up, and only one can be: \`npm run cluster -- down --provider local --name ${other}\``,
        );
      }
    }
  }

  async #configure(): Promise<void> {
    const { layout } = this;
    for (const folder of [layout.state, layout.run, layout.logs, layout.volumes, layout.config('cni'), join(layout.state, 'kubelet')]) {
      await mkdir(folder, { recursive: true });
    }
    // Others must be able to reach the volumes and sockets below; the keys are in folders of their own.
    await chmod(layout.state, 0o711);
    await ensurePki(layout);
    const resolvConf = await readFile('/etc/resolv.conf', 'utf8').catch(() => '');
    const upstream = upstreamNameServer(resolvConf);
    const files = {
      'containerd.toml': containerdConfig(layout),
      'cni/10-hftengine.conflist': cniConfig(layout),
      'kubelet.yaml': kubeletConfig(layout),
      'kube-proxy.yaml': kubeProxyConfig(layout),
      'scheduler.yaml': schedulerConfig(layout),
      Corefile: corefile(layout, upstream),
      'resolv.conf': upstream ? `nameserver ${upstream}\n` : '',
    };
    for (const [name, content] of Object.entries(files)) await writeWhenChanged(layout.config(name), content);
  }

  async #ensurePauseImage(): Promise<void> {
    const { layout } = this;
    const ctr = (...args: string[]) => execa('ctr', ['-a', layout.containerdSocket, '-n', 'k8s.io', ...args], { timeout: 60_000 });
    await eventually('containerd', async () => (await ctr('version')).exitCode === 0, {
      timeoutMs: 30_000,
      hint: () => logTail(layout.logs, 'containerd'),
    });
    if ((await ctr('images', 'ls', '-q')).stdout.split('\n').includes(PAUSE_IMAGE)) return;
    const archive = join(layout.state, 'pause.tar');
    await writePauseArchive(archive, (await findOnPath('catatonit')) ?? '/usr/bin/catatonit');
    await importArchive(layout, archive);
  }

  async #whenApiReady(): Promise<void> {
    await eventually('API server', async () => (await this.#kubectl(['get', '--raw', '/readyz'])) === 'ok', {
      timeoutMs: 90_000,
      everyMs: 150,
      hint: async () => `${await logTail(this.layout.logs, 'kube-apiserver')}\n${await logTail(this.layout.logs, 'etcd')}`,
    });
  }

  /** Whether the node is ready, as said at `since` (ms) or later: what its status says may be from before its kubelet ended. */
  async #nodeReady(since = 0): Promise<boolean> {
    const { items } = nodeListSchema.parse(JSON.parse(await this.#kubectl(['get', 'nodes', '-o', 'json'])));
    const ready = items
      .flatMap((node) => node.status.conditions ?? [])
      .filter((condition) => condition.type === 'Ready' && condition.status === 'True');
    // Times in a status have whole seconds.
    return ready.some((condition) => Date.parse(condition.lastHeartbeatTime) + 1_000 > since);
  }

  async #whenNodeReady(kubeletStartedAt: number): Promise<void> {
    const healthy = async (port: number, path: string) =>
      (await fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(2_000) })).ok;
    const hint = (name: DaemonName) => ({ timeoutMs: 90_000, everyMs: 200, hint: () => logTail(this.layout.logs, name) });
    await Promise.all([
      eventually(`node ${NODE_NAME}`, () => this.#nodeReady(kubeletStartedAt), hint('kubelet')),
      eventually('kube-proxy', () => healthy(PORTS.proxyHealth, '/healthz'), hint('kube-proxy')),
      eventually('CoreDNS', () => healthy(PORTS.dnsReady, '/ready'), hint('coredns')),
      // Pods of a namespace without this account are refused.
      eventually(
        'service account default',
        async () => (await this.#kubectl(['get', 'serviceaccount', 'default', '-o', 'name'])) !== '',
        hint('kube-controller-manager'),
      ),
    ]);
  }

  async #kubectl(args: readonly string[], input?: string): Promise<string> {
    const kubectl = await this.kubectlPath();
    const { stdout } = await execa(kubectl, ['--kubeconfig', this.layout.kubeconfig, '--request-timeout=10s', ...args], {
      timeout: 30_000,
      env: clusterEnvironment(this.layout.state),
      ...(input !== undefined && { input }),
    });
    return stdout;
  }
}

/** kube-proxy ends itself when its file is written, even with what was in it. */
async function writeWhenChanged(path: string, content: string): Promise<void> {
  const present = await readFile(path, 'utf8').catch(() => undefined);
  if (present !== content) await writeFile(path, content);
}

function requireLinuxRoot(): void {
  if (process.platform !== 'linux') throw new Error('The local provider needs Linux: use a Docker engine (--provider kind)');
  if (process.getuid?.() !== 0) throw new Error('The local provider needs root: run with sudo, or use a Docker engine (--provider kind)');
}
