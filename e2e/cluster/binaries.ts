import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { access, constants, mkdir, readFile, symlink } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { execa } from 'execa';
import type { Log } from './progress.ts';

/** The programs in the one control-plane binary; each is a symlink to it, because it dispatches on its own name. */
export const CONTROL_PLANE_PROGRAMS = [
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kubelet',
  'kube-proxy',
  'kubectl',
  'coredns',
] as const;
export type ControlPlaneProgram = (typeof CONTROL_PLANE_PROGRAMS)[number];

/** Where built binaries are kept: `$HFT_CACHE_DIR`, else `hftengine` in the user's cache folder. */
export function cacheDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  return environment['HFT_CACHE_DIR'] || join(environment['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'hftengine');
}

/** The absolute path of `program` on PATH (and the sbin folders, which a user's PATH may lack), or undefined. */
export async function findOnPath(program: string): Promise<string | undefined> {
  for (const folder of [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin', '/usr/local/go/bin']) {
    if (!folder) continue;
    const candidate = join(folder, program);
    try {
      await access(candidate, constants.X_OK);
      return candidate;
    } catch {
      // not in this folder
    }
  }
  return undefined;
}

let controlPlane: Promise<Record<ControlPlaneProgram, string>> | undefined;

/**
 * The control-plane programs of the Kubernetes release that `control-plane/go.mod` names, built on first use
 * (minutes; later runs find them in the cache) and safe to call from several processes at once.
 */
export function controlPlanePrograms(log: Log): Promise<Record<ControlPlaneProgram, string>> {
  controlPlane ??= buildControlPlane(log).catch((error: unknown) => {
    controlPlane = undefined;
    throw error;
  });
  return controlPlane;
}

async function buildControlPlane(log: Log): Promise<Record<ControlPlaneProgram, string>> {
  const module = join(import.meta.dirname, 'control-plane');
  const version = kubernetesVersion(await readFile(join(module, 'go.mod'), 'utf8'));
  const [major, minor] = version.slice(1).split('.');
  const stamp = (name: string, value: string) => `-X k8s.io/component-base/version.${name}=${value}`;
  const folder = await buildGoModule({
    module,
    title: `Kubernetes ${version} control plane (5-6 minutes on two cores, once)`,
    output: 'control-plane',
    target: '.',
    ldflags: [
      '-s -w',
      stamp('gitVersion', version),
      stamp('gitMajor', major ?? ''),
      stamp('gitMinor', minor ?? ''),
      stamp('gitTreeState', 'clean'),
    ].join(' '),
    links: CONTROL_PLANE_PROGRAMS,
    log,
  });
  const path = (program: ControlPlaneProgram) => join(folder, program);
  return {
    'kube-apiserver': path('kube-apiserver'),
    'kube-controller-manager': path('kube-controller-manager'),
    'kube-scheduler': path('kube-scheduler'),
    kubelet: path('kubelet'),
    'kube-proxy': path('kube-proxy'),
    kubectl: path('kubectl'),
    coredns: path('coredns'),
  };
}

/** The Kubernetes release (`v1.34.4`) that a go.mod requires. */
export function kubernetesVersion(goMod: string): string {
  const version = /k8s\.io\/kubernetes (v\d+\.\d+\.\d+)/.exec(goMod)?.[1];
  if (!version) throw new Error('control-plane/go.mod requires no release of k8s.io/kubernetes');
  return version;
}

/** `kind` from PATH, else built from `kind-cli/go.mod` (seconds). */
export async function kindProgram(log: Log): Promise<string> {
  const installed = await findOnPath('kind');
  if (installed) return installed;
  const folder = await buildGoModule({
    module: join(import.meta.dirname, 'kind-cli'),
    title: 'kind',
    output: 'kind',
    target: 'sigs.k8s.io/kind',
    ldflags: '-s -w',
    links: [],
    log,
  });
  return join(folder, 'kind');
}

interface GoBuild {
  readonly module: string;
  readonly title: string;
  readonly output: string;
  readonly target: string;
  readonly ldflags: string;
  readonly links: readonly string[];
  readonly log: Log;
}

/** Builds a Go program into a cache folder named after its sources' hash; returns that folder. */
async function buildGoModule(build: GoBuild): Promise<string> {
  const folder = join(cacheDirectory(), `${build.output}-${await sourceHash(build)}`);
  const binary = join(folder, build.output);
  if (!existsSync(binary)) {
    const go = await findGo();
    await mkdir(folder, { recursive: true });
    // The lock is the kernel's, so a killed build leaves none behind; whoever waited for it finds the binary there.
    // The binary appears by rename, whole or not at all.
    const script =
      'test -e "$2" || { rm -f "$2".[0-9]*; "$1" build -v -trimpath -buildvcs=false -mod=readonly -ldflags="$3" -o "$2.$$" "$4" && mv "$2.$$" "$2"; }';
    const subprocess = execa('flock', [join(folder, 'lock'), 'sh', '-ec', script, 'build', go, binary, build.ldflags, build.target], {
      cwd: build.module,
      env: { CGO_ENABLED: '0', GOFLAGS: '', GOWORK: 'off' },
      timeout: 45 * 60_000,
      all: true,
    });
    let compiled = 0;
    const startedMs = performance.now();
    const seconds = () => `${Math.round((performance.now() - startedMs) / 1000)} s`;
    subprocess.stderr.on('data', (chunk: Buffer) => {
      compiled += chunk.toString().split('\n').length - 1;
    });
    build.log(`building ${build.title}`);
    const ticker = setInterval(() => build.log(`  ${seconds()}: ${compiled} packages compiled`), 20_000);
    try {
      await subprocess;
    } catch (error) {
      throw new Error(
        `could not build ${build.title}: go must reach its module proxy (\`go env GOPROXY\`), and ${folder} must be writable`,
        { cause: error },
      );
    } finally {
      clearInterval(ticker);
    }
    build.log(`✓ built ${build.title} (${seconds()})`);
  }
  for (const link of build.links) {
    await symlink(build.output, join(folder, link)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  }
  return folder;
}

async function sourceHash(build: GoBuild): Promise<string> {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch} ${build.target} ${build.ldflags}`);
  for (const file of ['go.mod', 'go.sum', 'main.go']) {
    const path = join(build.module, file);
    if (existsSync(path)) hash.update(await readFile(path));
  }
  return hash.digest('hex').slice(0, 16);
}

async function findGo(): Promise<string> {
  const go = await findOnPath('go');
  if (!go) throw new Error('Go is needed to build the cluster: install Go 1.24 or newer (https://go.dev/dl) and put it on PATH');
  const { stdout } = await execa(go, ['env', 'GOVERSION'], { timeout: 60_000 });
  const [, major, minor] = /go(\d+)\.(\d+)/.exec(stdout) ?? [];
  // From 1.21 on Go fetches a newer toolchain by itself when it is allowed to.
  if (Number(major) === 1 && Number(minor) < 21) {
    throw new Error(`${go} is ${stdout}: install Go 1.24 or newer (https://go.dev/dl) and put it first on PATH`);
  }
  return go;
}
