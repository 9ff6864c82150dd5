import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { execa, ExecaError } from 'execa';
import { z } from 'zod';
import { bundleProgram } from './bundle.ts';
import { imageName, PROGRAMS, programsOf, ROOT, type Program } from './program.ts';
import { basePart, hashParts, programParts, writeParts, type RootfsPart } from './rootfs.ts';

/** One image, ready to be loaded into a cluster. */
export interface BuiltImage {
  readonly program: Program;
  /** `hft-engine:dev`. The next build moves this name to its own image. */
  readonly name: string;
  /** `hft-engine:dev-<12 hex digits>`: a second name in the same archive that changes with the contents, so that a rollout notices a new build. */
  readonly contentName: string;
  /** docker-archive, uncompressed: for `ctr images import`, `docker load`, `kind load image-archive`. */
  readonly archivePath: string;
  /** `sha256:…` of the image configuration, the image ID of Docker and CRI. Same inputs, same digest. */
  readonly digest: string;
  /** Size of the archive: that of the image's uncompressed layers and some kilobytes. */
  readonly bytes: number;
  /** Nothing had changed, so nothing was built. */
  readonly cached: boolean;
}

export interface BuildImagesOptions {
  /** Default: both. */
  readonly images?: readonly Program[];
  /** Default `dev`. */
  readonly tag?: string;
  /** Default `dist/images` of the repository. */
  readonly outDir?: string;
  /** Source revision for the label; part of the image, so left out by default: it would change the digest on every commit. */
  readonly revision?: string;
  /** Build even when nothing has changed. */
  readonly force?: boolean;
  /** Entry points to use in place of `PROGRAM/main.ts`. */
  readonly entryPoints?: Partial<Record<Program, string>>;
  /** Receives a line for each step. */
  readonly log?: (line: string) => void;
}

const RECIPE = join(ROOT, 'images/Dockerfile');
const BUILDAH_TIMEOUT_MS = 300_000;

/**
 * Builds the images by buildah, without a registry or a daemon, and writes `OUT/hft-PROGRAM.tar`. An image whose inputs are unchanged is left alone.
 * Throws when buildah is missing or fails, or when a program does not bundle; the message says what to do.
 */
export async function buildImages(options: BuildImagesOptions = {}): Promise<BuiltImage[]> {
  const settings = await settingsOf(options);
  await mkdir(settings.outDir, { recursive: true });
  const built: BuiltImage[] = [];
  const stale: Program[] = [];
  for (const program of settings.programs) {
    const image = settings.force ? undefined : await upToDate(program, settings);
    if (image === undefined) stale.push(program);
    else built.push(report(settings, image, 'unchanged'));
  }
  if (stale.length > 0) built.push(...(await buildStale(stale, settings)));
  return PROGRAMS.flatMap((program) => built.filter((image) => image.program === program));
}

interface Settings {
  readonly programs: readonly Program[];
  readonly tag: string;
  readonly outDir: string;
  readonly buildArgs: readonly string[];
  readonly force: boolean;
  readonly entryPoints: Partial<Record<Program, string>>;
  readonly log: (line: string) => void;
  readonly startMs: number;
}

const packageSchema = z.object({ version: z.string() });

async function settingsOf(options: BuildImagesOptions): Promise<Settings> {
  const { version } = packageSchema.parse(JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')));
  return {
    programs: options.images ?? PROGRAMS,
    tag: options.tag ?? 'dev',
    outDir: resolve(options.outDir ?? join(ROOT, 'dist/images')),
    buildArgs: [`VERSION=${version}`, `REVISION=${options.revision ?? 'development'}`],
    force: options.force ?? false,
    entryPoints: options.entryPoints ?? {},
    log: options.log ?? (() => undefined),
    startMs: performance.now(),
  };
}

/** What is remembered beside an archive: from which files it was made, and what came out. */
const stampSchema = z.object({
  /** Files whose size or change time would make a new build worth trying. */
  sources: z.array(z.string()),
  /** Hash of the sources' sizes and change times and of the settings. */
  signs: z.string(),
  /** Hash of everything in the image and of the settings. */
  contents: z.string(),
  name: z.string(),
  contentName: z.string(),
  digest: z.string(),
  bytes: z.number(),
});
type Stamp = z.infer<typeof stampSchema>;

function paths(program: Program, { outDir }: Settings): { archivePath: string; stampPath: string } {
  return { archivePath: join(outDir, `${imageName(program)}.tar`), stampPath: join(outDir, `${imageName(program)}.json`) };
}

/** The stamp beside an archive, when the archive is the one that it describes. */
async function readStamp(program: Program, settings: Settings): Promise<Stamp | undefined> {
  const { archivePath, stampPath } = paths(program, settings);
  try {
    const stamp = stampSchema.parse(JSON.parse(await readFile(stampPath, 'utf8')));
    return (await stat(archivePath)).size === stamp.bytes ? stamp : undefined;
  } catch {
    return undefined;
  }
}

async function upToDate(program: Program, settings: Settings): Promise<BuiltImage | undefined> {
  const stamp = await readStamp(program, settings);
  return stamp !== undefined && stamp.signs === (await signsOf(stamp.sources, settings)) ? imageOf(program, stamp, settings, true) : undefined;
}

function imageOf(program: Program, stamp: Stamp, settings: Settings, cached: boolean): BuiltImage {
  const { name, contentName, digest, bytes } = stamp;
  return { program, name, contentName, archivePath: paths(program, settings).archivePath, digest, bytes, cached };
}

async function signsOf(sources: readonly string[], settings: Settings): Promise<string> {
  const hash = createHash('sha256').update(settingsKey(settings));
  const signs = await Promise.all(sources.map((path) => stat(path).then(({ size, ctimeMs }) => `${path} ${size} ${ctimeMs}`, () => `${path} gone`)));
  return hash.update(signs.join('\n')).digest('hex');
}

function settingsKey({ tag, buildArgs, entryPoints }: Settings): string {
  return JSON.stringify([tag, buildArgs, entryPoints]);
}

async function buildStale(programs: readonly Program[], settings: Settings): Promise<BuiltImage[]> {
  const base = await basePart();
  const recipe = await readFile(RECIPE, 'utf8');
  const built: BuiltImage[] = [];
  await using workshop = await openWorkshop();
  for (const program of programs) {
    const entryPoint = settings.entryPoints[program];
    const bundle = await bundleProgram({ program, ...(entryPoint === undefined ? {} : { entryPoint }) });
    say(settings, `${imageName(program)}: bundled ${bundle.packages.length} packages`);
    const parts = [base, ...programParts(program, bundle)];
    const contents = createHash('sha256').update(`${settingsKey(settings)}\n${recipe}\n${await hashParts(parts)}`).digest('hex');
    const sources = [...new Set([...bundle.sources, ...copied(parts), ...(await ownSources())])].sort();
    // Before the build, so that a change in the midst of it is seen by the next run.
    const signs = await signsOf(sources, settings);
    const old = settings.force ? undefined : await readStamp(program, settings);
    const same = old !== undefined && old.contents === contents;
    const image = same ? old : { contents, ...(await runBuildah(program, parts, contents, workshop, settings)) };
    const stamp: Stamp = { ...image, sources, signs };
    await writeFile(paths(program, settings).stampPath, `${JSON.stringify(stamp)}\n`);
    built.push(report(settings, imageOf(program, stamp, settings, same), same ? 'same contents' : 'built'));
  }
  return built;
}

function copied(parts: readonly RootfsPart[]): string[] {
  return parts.flatMap(({ entries }) => entries.flatMap((entry) => (entry.kind === 'copy' ? [entry.source] : [])));
}

/** This folder's sources and the version: a change in the way of building is a change of the images too. */
async function ownSources(): Promise<string[]> {
  const names = await readdir(join(ROOT, 'images'));
  return [join(ROOT, 'package.json'), ...names.filter((name) => !name.endsWith('.test.ts')).map((name) => join(ROOT, 'images', name))];
}

interface Workshop extends AsyncDisposable {
  /** Arguments that keep buildah inside the workshop. */
  readonly storage: readonly string[];
  readonly policy: string;
  /** Build context `build` of the Dockerfile; the parts go to its `rootfs`. */
  readonly context: string;
  /** The main context, empty. */
  readonly empty: string;
}

/** A folder of its own for each run, outside the tree: no state is shared, nothing is left. Folders of runs that died are removed. */
async function openWorkshop(): Promise<Workshop> {
  await requireBuildah();
  const cache = process.env['HFT_CACHE_DIR'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'hftengine');
  const parent = join(cache, 'images');
  await mkdir(parent, { recursive: true });
  for (const name of await readdir(parent)) {
    if (!isRunning(Number.parseInt(name, 10))) await rm(join(parent, name), { recursive: true, force: true });
  }
  const directory = await mkdtemp(join(parent, `${process.pid}-`));
  const [root, runroot, context, empty, policy] = ['root', 'run', 'context', 'empty', 'policy.json'].map((name) => join(directory, name));
  if (root === undefined || runroot === undefined || context === undefined || empty === undefined || policy === undefined) throw new Error('unreachable');
  await mkdir(join(context, 'rootfs'), { recursive: true });
  await mkdir(empty);
  await writeFile(policy, JSON.stringify({ default: [{ type: 'insecureAcceptAnything' }] }));
  return {
    storage: ['--root', root, '--runroot', runroot],
    policy,
    context,
    empty,
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
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

function isRunning(pid: number): boolean {
  try {
    return Number.isInteger(pid) && process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

async function runBuildah(
  program: Program,
  parts: readonly RootfsPart[],
  contents: string,
  workshop: Workshop,
  settings: Settings,
): Promise<Pick<Stamp, 'name' | 'contentName' | 'digest' | 'bytes'>> {
  const name = `${imageName(program)}:${settings.tag}`;
  const contentName = `${name}-${contents.slice(0, 12)}`;
  const { archivePath } = paths(program, settings);
  const unfinished = `${archivePath}.${process.pid}`;
  const idFile = join(workshop.context, 'id');
  await writeParts(parts, join(workshop.context, 'rootfs'));
  // Docker's own name for a short name; buildah would write localhost/ into the archive.
  const names = [name, contentName].flatMap((short) => ['--tag', `docker.io/library/${short}`]);
  await buildah([
    ...workshop.storage,
    ...['build', '--layers', '--timestamp', '0', '--identity-label=false', '--signature-policy', workshop.policy],
    ...['--file', RECIPE, '--target', imageName(program), '--build-context', `build=${workshop.context}`, '--iidfile', idFile],
    ...settings.buildArgs.flatMap((argument) => ['--build-arg', argument]),
    ...names,
    workshop.empty,
  ]);
  const destination = `docker-archive:${unfinished}:docker.io/library/${name}`;
  await rm(unfinished, { force: true });
  await buildah([...workshop.storage, 'push', '--signature-policy', workshop.policy, `docker.io/library/${name}`, destination]);
  const { size } = await stat(unfinished);
  await rename(unfinished, archivePath);
  return { name, contentName, digest: (await readFile(idFile, 'utf8')).trim(), bytes: size };
}

async function buildah(args: readonly string[]): Promise<void> {
  const env = { BUILDAH_ISOLATION: 'chroot', STORAGE_DRIVER: 'vfs' };
  try {
    await execa('buildah', args, { env, timeout: BUILDAH_TIMEOUT_MS });
  } catch (cause) {
    const said = cause instanceof ExecaError ? String(cause.stderr) : String(cause);
    throw new Error(`buildah ${args.includes('push') ? 'push' : 'build'} failed:\n${said}`, { cause });
  }
}

function report(settings: Settings, image: BuiltImage, how: string): BuiltImage {
  const id = image.digest.slice(0, 'sha256:'.length + 12);
  say(settings, `${image.name}: ${how}, ${(image.bytes / 1e6).toFixed(1)} MB, ${id} -> ${relative(process.cwd(), image.archivePath)}`);
  return image;
}

function say(settings: Settings, line: string): void {
  settings.log(`[${((performance.now() - settings.startMs) / 1000).toFixed(1)} s] ${line}`);
}

const HELP = `Usage: node images/build.ts [engine|operator]... [options]

Builds hft-engine and hft-operator (or the one named) with buildah: no registry, no daemon. Same inputs give the same digest, and an image
whose inputs have not changed is left alone. With Docker and registries, images/Dockerfile is the same recipe.

  --tag TAG        tag of the images (default dev); a second tag, TAG-<contents hash>, is in the archive too
  --out DIR        where the archives go (default dist/images)
  --revision REV   source revision for the image label
  --force          build even when nothing has changed
  --json           print the result as JSON on standard output, progress on standard error
`;

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      tag: { type: 'string', default: 'dev' },
      out: { type: 'string', default: join(ROOT, 'dist/images') },
      revision: { type: 'string' },
      force: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
  } else {
    try {
      const { tag, out, force, json } = values;
      const revision = values.revision === undefined ? {} : { revision: values.revision };
      const log = (line: string) => (json ? console.error(line) : console.log(line));
      const images = await buildImages({ images: programsOf(positionals), tag, outDir: out, force, log, ...revision });
      if (json) process.stdout.write(`${JSON.stringify(images, null, 2)}\n`);
    } catch (error) {
      console.error(error instanceof Error ? error.message : error);
      process.exitCode = 1;
    }
  }
}
