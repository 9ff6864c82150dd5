import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { buildTarget, openWorkshop, saveArchive, type Workshop } from './buildah.ts';
import { bundleProgram } from './bundle.ts';
import { command, imageName, PROGRAMS, programsOf, ROOT, type Program } from './program.ts';
import { basePart, hashParts, programParts, writeParts, type RootfsPart } from './rootfs.ts';

/** One image, ready to be loaded into a cluster. */
export interface BuiltImage {
  readonly program: Program;
  /** `hft-engine:dev`. The next build moves this name to its own image. */
  readonly name: string;
  /** `hft-engine:dev-<12 digits of the digest>`: a second name in the same archive, so that a rollout notices a new build. */
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
  /** Default `build/images` of the repository. */
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
    outDir: resolve(options.outDir ?? join(ROOT, 'build/images')),
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
  return stamp !== undefined && stamp.signs === (await signsOf(stamp.sources, settings))
    ? imageOf(program, stamp, settings, true)
    : undefined;
}

function imageOf(program: Program, stamp: Stamp, settings: Settings, cached: boolean): BuiltImage {
  const { name, contentName, digest, bytes } = stamp;
  return { program, name, contentName, archivePath: paths(program, settings).archivePath, digest, bytes, cached };
}

async function signsOf(sources: readonly string[], settings: Settings): Promise<string> {
  const hash = createHash('sha256').update(settingsKey(settings));
  const signs = await Promise.all(
    sources.map((path) =>
      stat(path).then(
        ({ size, ctimeMs }) => `${path} ${size} ${ctimeMs}`,
        () => `${path} gone`,
      ),
    ),
  );
  return hash.update(signs.join('\n')).digest('hex');
}

function settingsKey({ tag, buildArgs, entryPoints }: Settings): string {
  return JSON.stringify([tag, buildArgs, entryPoints]);
}

async function buildStale(programs: readonly Program[], settings: Settings): Promise<BuiltImage[]> {
  await using workshop = await openWorkshop();
  const base = await basePart();
  const recipe = await readFile(RECIPE, 'utf8');
  const method = await readFile(join(ROOT, 'images/buildah.ts'), 'utf8');
  const built: BuiltImage[] = [];
  for (const program of programs) {
    const entryPoint = settings.entryPoints[program];
    const bundle = await bundleProgram({ program, ...(entryPoint === undefined ? {} : { entryPoint }) });
    say(settings, `${imageName(program)}: bundled ${bundle.packages.length} packages`);
    const parts = [base, ...programParts(program, bundle)];
    const contents = createHash('sha256')
      .update([settingsKey(settings), recipe, method, await hashParts(parts)].join('\n'))
      .digest('hex');
    const sources = [...new Set([...bundle.sources, ...copied(parts), ...(await ownSources())])].sort();
    // Before the build, so that a change in the midst of it is seen by the next run.
    const signs = await signsOf(sources, settings);
    const old = settings.force ? undefined : await readStamp(program, settings);
    const same = old !== undefined && old.contents === contents;
    const image = same ? old : { contents, ...(await writeImage(program, parts, workshop, settings)) };
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

async function writeImage(
  program: Program,
  parts: readonly RootfsPart[],
  workshop: Workshop,
  settings: Settings,
): Promise<Pick<Stamp, 'name' | 'contentName' | 'digest' | 'bytes'>> {
  const { archivePath } = paths(program, settings);
  const unfinished = `${archivePath}.${process.pid}`;
  await writeParts(parts, workshop.rootfs);
  const digest = await buildTarget(workshop, { recipe: RECIPE, target: imageName(program), buildArgs: settings.buildArgs });
  const name = `${imageName(program)}:${settings.tag}`;
  const contentName = `${name}-${digest.replace('sha256:', '').slice(0, 12)}`;
  await saveArchive(workshop, digest, { names: [name, contentName], path: unfinished });
  const { size } = await stat(unfinished);
  await rename(unfinished, archivePath);
  return { name, contentName, digest, bytes: size };
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

  --tag TAG        tag of the images (default dev); a second tag, TAG-<digest>, is in the archive too
  --out DIR        where the archives go (default build/images)
  --revision REV   source revision for the image label
  --force          build even when nothing has changed
  --json           print the result as JSON on standard output, progress on standard error
`;

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      tag: { type: 'string', default: 'dev' },
      out: { type: 'string', default: join(ROOT, 'build/images') },
      revision: { type: 'string' },
      force: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
  } else {
    const { tag, out, force, json } = values;
    const revision = values.revision === undefined ? {} : { revision: values.revision };
    const log = (line: string) => (json ? console.error(line) : console.log(line));
    const images = await buildImages({ images: programsOf(positionals), tag, outDir: out, force, log, ...revision });
    if (json) process.stdout.write(`${JSON.stringify(images, null, 2)}\n`);
  }
}

if (import.meta.main) await command(main);
