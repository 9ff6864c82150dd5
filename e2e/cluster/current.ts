import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { z } from 'zod';
import { cacheDirectory, controlPlanePrograms, findOnPath, kindProgram } from './binaries.ts';
import { readArchive } from './local/images.ts';
import { LocalProvider } from './local/provider.ts';
import type { Log } from './progress.ts';
import type { ClusterProvider, ClusterStatus } from './provider.ts';

const nodesSchema = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string() }),
      status: z.object({ conditions: z.array(z.object({ type: z.string(), status: z.string() })) }),
    }),
  ),
});

/** The user's own cluster, as kubectl finds it. Nothing of it is ever created or torn down here. */
export class CurrentProvider implements ClusterProvider {
  readonly name = 'current';
  readonly #context: string | undefined;

  constructor(context: string | undefined) {
    this.#context = context;
  }

  async up(log: Log): Promise<void> {
    const status = await this.status();
    if (status.state !== 'ready') {
      throw new Error(
        `The context ${status.name} is not ready (${status.parts.map((part) => `${part.name} ${part.state}`).join(', ') || 'no answer'}): ` +
          'check it with `kubectl get nodes`, or choose another with --context',
      );
    }
    log(`✓ context ${status.name}, Kubernetes ${status.version}`);
  }

  async down(log: Log): Promise<void> {
    log('The current context is your own cluster: left as it is');
  }

  async status(): Promise<ClusterStatus> {
    const name = await this.#contextName();
    try {
      const { gitVersion } = z.object({ gitVersion: z.string() }).parse(JSON.parse(await this.#kubectl(['get', '--raw', '/version'])));
      const { items } = nodesSchema.parse(JSON.parse(await this.#kubectl(['get', 'nodes', '-o', 'json'])));
      const parts = items.map((node) => ({
        name: `node ${node.metadata.name}`,
        state: node.status.conditions.some((entry) => entry.type === 'Ready' && entry.status === 'True') ? 'ready' : 'not ready',
        detail: '',
      }));
      const ready = parts.some((part) => part.state === 'ready');
      return { provider: this.name, name, state: ready ? 'ready' : 'broken', version: gitVersion, parts };
    } catch (error) {
      const detail = error instanceof Error ? (error.message.split('\n').at(-1) ?? '') : '';
      return { provider: this.name, name, state: 'broken', parts: [{ name: 'API server', state: 'no answer', detail }] };
    }
  }

  async loadImage(archivePath: string): Promise<string[]> {
    const { tags } = await readArchive(archivePath);
    const context = await this.#contextName();
    // kind names its contexts after its clusters, and takes archives like our own kind provider.
    if (context.startsWith('kind-')) {
      await execa(await kindProgram(() => {}), ['load', 'image-archive', archivePath, '--name', context.slice('kind-'.length)], {
        timeout: 300_000,
      });
      return tags;
    }
    if (await this.#isLocalCluster()) return new LocalProvider('hftengine').loadImage(archivePath);
    throw new Error(
      `Images cannot be loaded into ${context} from here. Push ${tags.join(', ')} to a registry that its nodes can pull from ` +
        `(for example: skopeo copy docker-archive:${archivePath} docker://REGISTRY/NAME:TAG) and name that image in spec.image`,
    );
  }

  /** The user's own file when it is one file and no other context is asked for; else a copy of that context alone, in the cache folder. */
  async kubeconfigPath(): Promise<string> {
    const own = process.env['KUBECONFIG'] || join(homedir(), '.kube', 'config');
    if (!this.#context && existsSync(own)) return own;
    const folder = join(cacheDirectory(), 'current');
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const path = join(folder, `${(await this.#contextName()).replaceAll(/[^A-Za-z0-9.-]/g, '_')}.kubeconfig`);
    await writeFile(path, await this.#contextConfig(), { mode: 0o600 });
    return path;
  }

  async kubectlPath(): Promise<string> {
    return (await findOnPath('kubectl')) ?? (await controlPlanePrograms(() => {})).kubectl;
  }

  async restartApiServer(): Promise<void> {
    throw new Error('The API server of your own cluster is not restarted from here: use --provider local or kind for fault tests');
  }

  /** The context alone, certificates included, as YAML. */
  async #contextConfig(): Promise<string> {
    const args = ['config', 'view', '--raw', '--minify', '--flatten', ...(this.#context ? ['--context', this.#context] : [])];
    const { stdout } = await execa(await this.kubectlPath(), args, { timeout: 30_000 });
    return `${stdout}\n`;
  }

  /** Whether the context is this machine's local cluster: only that has its CA. */
  async #isLocalCluster(): Promise<boolean> {
    const local = new LocalProvider('hftengine');
    if (!local.exists()) return false;
    const text = await readFile(await local.kubeconfigPath(), 'utf8').catch(() => '');
    const authority = /certificate-authority-data: (\S+)/.exec(text)?.[1];
    return authority !== undefined && (await this.#contextConfig()).includes(authority);
  }

  async #contextName(): Promise<string> {
    if (this.#context) return this.#context;
    const { stdout, exitCode } = await execa(await this.kubectlPath(), ['config', 'current-context'], { reject: false, timeout: 30_000 });
    if (exitCode !== 0) throw new Error('kubectl has no current context: set KUBECONFIG, or name one with --context');
    return stdout.trim();
  }

  async #kubectl(args: readonly string[]): Promise<string> {
    const context = this.#context ? ['--context', this.#context] : [];
    const { stdout } = await execa(await this.kubectlPath(), [...context, '--request-timeout=10s', ...args], { timeout: 30_000 });
    return stdout;
  }
}
