import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { execa, ExecaError } from 'execa';

/** buildah without a registry, a daemon or shared state. */

const TIMEOUT_MS = 300_000;

/** A folder of its own for each run, outside the tree, removed on disposal. */
export interface Workshop extends AsyncDisposable {
  readonly directory: string;
  /** The folder that the recipe sees as `/rootfs` of its stage `build`. */
  readonly rootfs: string;
}

/** Opens a workshop and removes those of runs that died. Throws when buildah is missing, saying how to get it. */
export async function openWorkshop(): Promise<Workshop> {
  await requireBuildah();
  const cache = process.env['HFT_CACHE_DIR'] || join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'hftengine');
  const parent = join(cache, 'images');
  await mkdir(parent, { recursive: true });
  for (const name of await readdir(parent)) {
    if (!isRunning(Number.parseInt(name, 10))) await rm(join(parent, name), { recursive: true, force: true });
  }
  const directory = await mkdtemp(join(parent, `${process.pid}-`));
  const rootfs = join(directory, 'context/rootfs');
  await mkdir(rootfs, { recursive: true });
  await mkdir(join(directory, 'empty'));
  await writeFile(join(directory, 'policy.json'), JSON.stringify({ default: [{ type: 'insecureAcceptAnything' }] }));
  return { directory, rootfs, [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }) };
}

/** Builds one target of the recipe, its stage `build` replaced by the workshop's files. Returns the image's digest. */
export async function buildTarget(
  workshop: Workshop,
  { recipe, target, buildArgs }: { recipe: string; target: string; buildArgs: readonly string[] },
): Promise<string> {
  const idFile = join(workshop.directory, 'id');
  // Every time in the image is the epoch, and no version of buildah is in it: same files, same digest.
  const reproducible = ['--layers=false', '--timestamp', '0', '--identity-label=false'];
  const what = ['--file', recipe, '--target', target, '--build-context', `build=${join(workshop.directory, 'context')}`];
  const named = buildArgs.flatMap((argument) => ['--build-arg', argument]);
  await buildah(workshop, 'build', [...reproducible, ...what, ...named, '--iidfile', idFile, join(workshop.directory, 'empty')]);
  return (await readFile(idFile, 'utf8')).trim();
}

/** Writes an image as a docker-archive that carries both names. */
export async function saveArchive(
  workshop: Workshop,
  digest: string,
  { names: [name, otherName], path }: { names: readonly [string, string]; path: string },
): Promise<void> {
  await rm(path, { force: true });
  await buildah(workshop, 'tag', [digest, fullName(otherName)]);
  // The archive gets the name of the source and that of the destination.
  await buildah(workshop, 'push', [fullName(otherName), `docker-archive:${path}:${fullName(name)}`]);
}

/** Docker's own long form of a short name; buildah's would be `localhost/…`. */
function fullName(name: string): string {
  return `docker.io/library/${name}`;
}

async function requireBuildah(): Promise<void> {
  try {
    await execa('buildah', ['--version'], { timeout: 10_000 });
  } catch (cause) {
    if (cause instanceof ExecaError && cause.code === 'ENOENT') {
      throw new Error('buildah is not installed, and the images are built with it: apt-get install -y buildah', { cause });
    }
    throw cause;
  }
}

async function buildah({ directory }: Workshop, command: 'build' | 'push' | 'tag', args: readonly string[]): Promise<void> {
  // As flags: with --root, buildah takes no heed of STORAGE_DRIVER, and its overlay driver would leave mounts behind when it is killed.
  const storage = ['--storage-driver', 'vfs', '--root', join(directory, 'root'), '--runroot', join(directory, 'run')];
  const policy = command === 'tag' ? [] : ['--signature-policy', join(directory, 'policy.json')];
  const env = { BUILDAH_ISOLATION: 'chroot' };
  try {
    await execa('buildah', [...storage, command, ...policy, ...args], { env, timeout: TIMEOUT_MS });
  } catch (cause) {
    throw new Error(cause instanceof ExecaError ? `${cause.shortMessage}\n${cause.stderr}` : String(cause), { cause });
  }
}

function isRunning(pid: number): boolean {
  try {
    return Number.isInteger(pid) && process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
