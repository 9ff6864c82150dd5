import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { stringify } from 'yaml';
import { z } from 'zod';
import { cacheDirectory, controlPlanePrograms, findOnPath, kindProgram } from './binaries.ts';
import { readArchive } from './local/images.ts';
import { step, type Log } from './progress.ts';
import { eventually } from '../wait.ts';
import type { ClusterProvider, ClusterStatus } from './provider.ts';

/** What the kind release in `kind-cli/go.mod` was made for; used when it is local or can be pulled. */
export const DEFAULT_NODE_IMAGE = 'kindest/node:v1.34.0';

export function kindConfig(name: string): string {
  return stringify({
    kind: 'Cluster',
    apiVersion: 'kind.x-k8s.io/v1alpha4',
    name,
    nodes: [{ role: 'control-plane' }],
    // Without CAP_SYS_RESOURCE (many CI machines) runc may not lower a score and no pod starts; harmless elsewhere.
    containerdConfigPatches: ['[plugins."io.containerd.grpc.v1.cri"]\n  restrict_oom_score_adj = true\n'],
    kubeadmConfigPatches: [
      stringify({
        kind: 'KubeletConfiguration',
        apiVersion: 'kubelet.config.k8s.io/v1beta1',
        imageGCHighThresholdPercent: 100,
        evictionHard: { 'memory.available': '100Mi', 'nodefs.available': '1%', 'imagefs.available': '1%' },
      }),
    ],
  });
}

/** The kind command lines, apart from the program. */
export const kindCommands = {
  create: (options: { name: string; image: string; configPath: string; kubeconfigPath: string }) => [
    'create',
    'cluster',
    '--name',
    options.name,
    '--image',
    options.image,
    '--config',
    options.configPath,
    '--kubeconfig',
    options.kubeconfigPath,
    '--wait',
    '180s',
    '--retain=false',
  ],
  delete: (options: { name: string; kubeconfigPath: string }) => [
    'delete',
    'cluster',
    '--name',
    options.name,
    '--kubeconfig',
    options.kubeconfigPath,
  ],
  load: (options: { name: string; archivePath: string }) => ['load', 'image-archive', options.archivePath, '--name', options.name],
  kubeconfig: (options: { name: string; kubeconfigPath: string }) => [
    'export',
    'kubeconfig',
    '--name',
    options.name,
    '--kubeconfig',
    options.kubeconfigPath,
  ],
};

/** Whether Docker has a cluster of that name, without asking (or building) kind. */
export async function kindClusterExists(name: string): Promise<boolean> {
  const docker = await findOnPath('docker');
  if (!docker) return false;
  const filter = `label=io.x-k8s.kind.cluster=${name}`;
  const { stdout, exitCode } = await execa(docker, ['ps', '-a', '--filter', filter, '--format', '{{.Names}}'], {
    reject: false,
    timeout: 15_000,
  });
  return exitCode === 0 && stdout.trim() !== '';
}

/** Why kind cannot be used here, or undefined when a Docker engine answers and has, or can pull, the node image. */
export async function kindObstacle(image: string, log: Log): Promise<string | undefined> {
  const docker = await findOnPath('docker');
  if (!docker) return 'no docker command on PATH';
  // The docker CLI honours DOCKER_HOST and the user's docker context by itself.
  const version = await execa(docker, ['version', '--format', '{{.Server.Version}}'], { reject: false, timeout: 15_000 });
  if (version.exitCode !== 0) return `no Docker engine answers (${version.stderr.split('\n').at(-1)?.trim()})`;
  const inspect = await execa(docker, ['image', 'inspect', image], { reject: false, timeout: 15_000 });
  if (inspect.exitCode === 0) return undefined;
  log(`pulling ${image}`);
  const pull = await execa(docker, ['pull', '--quiet', image], { reject: false, timeout: 5 * 60_000 });
  if (pull.exitCode === 0) return undefined;
  return `the node image ${image} is not local and cannot be pulled (${pull.stderr.split('\n').at(-1)?.trim()})`;
}

/** A cluster in Docker containers, by kind. */
export class KindProvider implements ClusterProvider {
  readonly name = 'kind';
  readonly #cluster: string;
  readonly #image: string;
  readonly #folder: string;

  constructor(cluster: string, image: string = DEFAULT_NODE_IMAGE) {
    this.#cluster = cluster;
    this.#image = image;
    this.#folder = join(cacheDirectory(), 'kind', cluster);
  }

  get #kubeconfig(): string {
    return join(this.#folder, 'kubeconfig');
  }

  async up(log: Log): Promise<void> {
    if (!(await kindClusterExists(this.#cluster))) {
      const obstacle = await kindObstacle(this.#image, log);
      if (obstacle)
        throw new Error(`kind cannot be used: ${obstacle}. Start Docker, name a local image with --node-image, or use --provider local`);
      await mkdir(this.#folder, { recursive: true });
      const configPath = join(this.#folder, 'kind.yaml');
      await writeFile(configPath, kindConfig(this.#cluster));
      const options = { name: this.#cluster, image: this.#image, configPath, kubeconfigPath: this.#kubeconfig };
      await step(log, `kind cluster ${this.#cluster} created`, async () => this.#kind(kindCommands.create(options), log));
    }
    await this.#export();
    // `--wait` covers the control plane only.
    await step(log, 'every node ready', () =>
      this.#kubectl(['wait', '--for=condition=Ready', 'nodes', '--all', '--timeout=180s'], 190_000),
    );
    await step(log, 'DNS and storage ready', () =>
      this.#kubectl(['wait', '--for=condition=Available', 'deployments', '--all', '-A', '--timeout=180s'], 190_000),
    );
  }

  async down(log: Log): Promise<void> {
    await step(log, `kind cluster ${this.#cluster} deleted`, () =>
      this.#kind(kindCommands.delete({ name: this.#cluster, kubeconfigPath: this.#kubeconfig }), log),
    );
    await rm(this.#folder, { recursive: true, force: true });
  }

  async status(): Promise<ClusterStatus> {
    const base = { provider: this.name, name: this.#cluster } as const;
    if (!(await kindClusterExists(this.#cluster))) return { ...base, state: 'absent', parts: [] };
    try {
      await this.#export();
      const { gitVersion } = z.object({ gitVersion: z.string() }).parse(JSON.parse(await this.#kubectl(['get', '--raw', '/version'])));
      const nodes = (await this.#kubectl(['get', 'nodes', '--no-headers'])).split('\n').filter(Boolean);
      const parts = nodes.map((line) => {
        const [node = '', state = ''] = line.split(/\s+/);
        return { name: `node ${node}`, state: state.toLowerCase(), detail: '' };
      });
      return {
        ...base,
        state: parts.length > 0 && parts.every((part) => part.state === 'ready') ? 'ready' : 'broken',
        version: gitVersion,
        parts,
      };
    } catch {
      return { ...base, state: 'broken', parts: [] };
    }
  }

  async loadImage(archivePath: string): Promise<string[]> {
    const { tags } = await readArchive(archivePath);
    await this.#kind(kindCommands.load({ name: this.#cluster, archivePath }), () => {});
    return tags;
  }

  async kubeconfigPath(): Promise<string> {
    if (!existsSync(this.#kubeconfig)) await this.#export();
    return this.#kubeconfig;
  }

  async kubectlPath(): Promise<string> {
    return (await findOnPath('kubectl')) ?? (await controlPlanePrograms(() => {})).kubectl;
  }

  async restartApiServer(options: { downForMs?: number } = {}): Promise<void> {
    const docker = (await findOnPath('docker')) ?? 'docker';
    const node = `${this.#cluster}-control-plane`;
    const manifest = '/etc/kubernetes/manifests/kube-apiserver.yaml';
    const run = (script: string) => execa(docker, ['exec', node, 'sh', '-ec', script], { timeout: 60_000 });
    // The kubelet starts a killed API server at once, unless its manifest is away.
    if (options.downForMs) await run(`mv ${manifest} /tmp/`);
    await run('pkill -KILL -x kube-apiserver || true');
    if (options.downForMs) {
      await new Promise((resolve) => setTimeout(resolve, options.downForMs));
      await run(`mv /tmp/kube-apiserver.yaml ${manifest}`);
    }
    await eventually('API server', async () => (await this.#kubectl(['get', '--raw', '/readyz'])) === 'ok', {
      timeoutMs: 120_000,
      everyMs: 250,
    });
  }

  async #export(): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
    await this.#kind(kindCommands.kubeconfig({ name: this.#cluster, kubeconfigPath: this.#kubeconfig }), () => {});
  }

  async #kind(args: readonly string[], log: Log): Promise<void> {
    try {
      await execa(await kindProgram(log), args, { timeout: 10 * 60_000 });
    } catch (error) {
      throw new Error(`kind ${args.slice(0, 2).join(' ')} failed`, { cause: error });
    }
  }

  async #kubectl(args: readonly string[], timeoutMs = 30_000): Promise<string> {
    const { stdout } = await execa(await this.kubectlPath(), ['--kubeconfig', this.#kubeconfig, ...args], { timeout: timeoutMs });
    return stdout;
  }
}
