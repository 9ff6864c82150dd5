import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { access, chmod, copyFile, mkdir, utimes, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import { bundleProgram, type Bundle } from './bundle.ts';
import { APP_DIR, command, imageName, programsOf, ROOT, UID, type Program } from './program.ts';

/**
 * What the images contain, as lists worked out before anything is written: hashing a list tells whether an image is up to date, writing it
 * gives the folders that `images/Dockerfile` copies from. Both ways of building (buildah here, the `build` stage of the Dockerfile) use it.
 */

/** One file or directory of an image. Owner and time are not in the list: the Dockerfile gives the owner, and every time is the epoch. */
export type RootfsEntry = { readonly path: string; readonly mode: number } & (
  | { readonly kind: 'directory' }
  | { readonly kind: 'copy'; readonly source: string }
  | { readonly kind: 'text'; readonly contents: string | Uint8Array }
);

/** A folder that the Dockerfile copies (`base`, `hft-engine`, …) and its entries, sorted by path. */
export interface RootfsPart {
  readonly name: string;
  readonly entries: readonly RootfsEntry[];
}

const GLIBC_RESOLVERS = ['libnss_dns.so.2', 'libnss_files.so.2', 'libresolv.so.2'];
const DEBIAN_COPYRIGHTS = ['libc6', 'libgcc-s1', 'libstdc++6'];

/** Node of the lock file for this machine's architecture. Throws with the fix when it is not installed. */
export async function nodeBinary(arch: string = process.arch): Promise<string> {
  const path = join(ROOT, 'node_modules', `node-linux-${arch}`, 'bin/node');
  try {
    await access(path);
  } catch (cause) {
    throw new Error(`no Node binary for linux-${arch} at ${path}: run npm ci on a Linux ${arch} machine`, { cause });
  }
  return path;
}

/** Shared libraries and the loader that a program links, as absolute paths of this machine, sorted. Throws when one is not found. */
export async function sharedLibraries(binary: string): Promise<string[]> {
  const { stdout } = await execa('ldd', [binary], { timeout: 10_000 });
  if (stdout.includes('not found')) throw new Error(`${binary} links a library that this machine lacks:\n${stdout}`);
  const libraries = [...stdout.matchAll(/(?:=>\s+|^\s*)(\/\S+) \(0x/gm)].map((match) => match[1] ?? '');
  if (libraries.length === 0) throw new Error(`ldd names no library of ${binary}:\n${stdout}`);
  return libraries.sort();
}

/** The layer that both images share: Node, what it links, users, `/tmp`. */
export async function basePart(): Promise<RootfsPart> {
  const node = await nodeBinary();
  const libraries = await sharedLibraries(node);
  const libc = libraries.find((path) => path.endsWith('/libc.so.6'));
  // Older glibc loads these when a name is looked up, so ldd does not name them.
  const resolvers = await existing(libc === undefined ? [] : GLIBC_RESOLVERS.map((name) => join(dirname(libc), name)));
  const copyrights = await existing(DEBIAN_COPYRIGHTS.map((name) => `/usr/share/doc/${name}/copyright`));
  return part('base', [
    copy('/usr/local/bin/node', node, 0o755),
    copy('/usr/share/doc/node/LICENSE', join(dirname(node), '../LICENSE')),
    ...[...new Set([...libraries, ...resolvers])].map((path) => copy(path, path, 0o755)),
    ...copyrights.map((path) => copy(path, path)),
    text('/etc/passwd', `root:x:0:0:root:/root:/sbin/nologin\nhft:x:${UID}:${UID}:hftengine:/tmp:/sbin/nologin\n`),
    text('/etc/group', `root:x:0:\nhft:x:${UID}:\n`),
    text('/etc/nsswitch.conf', 'passwd: files\ngroup: files\nhosts: files dns\n'),
    directory('/tmp', 0o1777),
    directory('/var/lib'),
    directory(APP_DIR),
  ]);
}

/** What one program adds to the base. The engine's data directory is a part of its own, since it belongs to the engine's user. */
export function programParts(program: Program, bundle: Bundle): RootfsPart[] {
  const name = imageName(program);
  const app = part(
    name,
    bundle.files.map(({ path, contents }) => text(join(APP_DIR, path), contents)),
  );
  return program === 'engine' ? [app, part(`${name}-state`, [directory('/hft-engine', 0o750)])] : [app];
}

/** Hash of all that the parts hold: names, modes and contents. */
export async function hashParts(parts: readonly RootfsPart[]): Promise<string> {
  const hash = createHash('sha256');
  for (const { name, entries } of parts) {
    for (const entry of entries) {
      hash.update(`\0${name}\0${entry.path}\0${entry.mode}\0${entry.kind}\0`);
      if (entry.kind === 'text') hash.update(entry.contents);
      if (entry.kind === 'copy') await hashFile(hash, entry.source);
    }
  }
  return hash.digest('hex');
}

/** Writes the parts as folders of `directory`, every time set to the epoch so that layers are the same bytes each time. */
export async function writeParts(parts: readonly RootfsPart[], directory: string): Promise<void> {
  for (const { name, entries } of parts) {
    const made = new Set<string>();
    for (const entry of entries) {
      const path = join(directory, name, entry.path);
      const parent = entry.kind === 'directory' ? path : dirname(path);
      await mkdir(parent, { recursive: true });
      for (let above = parent; above.length >= join(directory, name).length; above = dirname(above)) {
        if (!made.has(above)) await chmod(above, 0o755);
        made.add(above);
      }
      if (entry.kind === 'copy') await copyFile(entry.source, path);
      if (entry.kind === 'text') await writeFile(path, entry.contents);
      await chmod(path, entry.mode);
      if (entry.kind !== 'directory') await utimes(path, 0, 0);
    }
    for (const path of [...made].sort().toReversed()) await utimes(path, 0, 0);
  }
}

function part(name: string, entries: readonly RootfsEntry[]): RootfsPart {
  return { name, entries: [...entries].sort((a, b) => (a.path < b.path ? -1 : 1)) };
}

function copy(path: string, source: string, mode = 0o644): RootfsEntry {
  return { kind: 'copy', path, source, mode };
}

function text(path: string, contents: string | Uint8Array): RootfsEntry {
  return { kind: 'text', path, contents, mode: 0o644 };
}

function directory(path: string, mode = 0o755): RootfsEntry {
  return { kind: 'directory', path, mode };
}

async function existing(paths: readonly string[]): Promise<string[]> {
  const found = await Promise.all(
    paths.map((path) =>
      access(path).then(
        () => [path],
        () => [],
      ),
    ),
  );
  return found.flat();
}

async function hashFile(hash: Hash, path: string): Promise<void> {
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
}

const HELP = `Usage: node images/rootfs.ts [engine|operator]... [--out DIR]

Writes the folders that images/Dockerfile copies from (base, hft-engine, hft-engine-state, hft-operator) into DIR (default build/rootfs).
The Dockerfile's build stage runs this; node images/build.ts does the same by itself.
`;

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { out: { type: 'string', default: join(ROOT, 'build/rootfs') }, help: { type: 'boolean', short: 'h' } },
  });
  if (values.help) {
    process.stdout.write(HELP);
  } else {
    const parts = [await basePart()];
    for (const program of programsOf(positionals)) parts.push(...programParts(program, await bundleProgram({ program })));
    await writeParts(parts, resolve(values.out));
    for (const { name, entries } of parts) console.log(`${name}: ${entries.length} entries -> ${join(resolve(values.out), name)}`);
  }
}

if (import.meta.main) await command(main);
