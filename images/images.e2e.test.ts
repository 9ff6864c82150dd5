import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { buildImages, type BuiltImage } from './build.ts';
import { PROGRAMS, ROOT, UID } from './program.ts';
import { copyTree, writeStandInBase } from './stand-in-base.ts';

/** Needs buildah and root; builds the real images away from `build/`. */
const LIMIT_BYTES = 160e6;
const manifestSchema = z.tuple([z.object({ Config: z.string(), RepoTags: z.array(z.string()), Layers: z.array(z.string()) })]);
const configSchema = z.object({
  created: z.string(),
  config: z.object({
    User: z.string(),
    Env: z.array(z.string()),
    Entrypoint: z.array(z.string()),
    Labels: z.record(z.string(), z.string()),
  }),
});

let directory: string;
let images: BuiltImage[];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'images-'));
  images = await buildImages({ outDir: join(directory, 'first'), force: true });
});
afterAll(() => rm(directory, { recursive: true, force: true }));

function built(program: string): BuiltImage {
  const image = images.find((image) => image.program === program);
  if (image === undefined) throw new Error(`${program} was not built`);
  return image;
}

async function inArchive(image: BuiltImage, path: string): Promise<unknown> {
  return JSON.parse((await execa('tar', ['-xOf', image.archivePath, path])).stdout);
}

/** Unpacks the layers as a container runtime does. */
async function unpack(image: BuiltImage): Promise<string> {
  const root = await mkdtemp(join(directory, 'root-'));
  await chmod(root, 0o755);
  const [{ Layers }] = manifestSchema.parse(await inArchive(image, 'manifest.json'));
  for (const layer of Layers) await execa({ shell: '/bin/sh' })`tar -xOf ${image.archivePath} ${layer} | tar -xp -C ${root}`;
  return root;
}

it('builds the same archive again, byte for byte, also one image at a time', async () => {
  const again = await Promise.all(
    PROGRAMS.map((program) => buildImages({ outDir: join(directory, 'again'), images: [program], force: true })),
  );
  for (const image of again.flat()) {
    expect(image.digest).toBe(built(image.program).digest);
    await execa('cmp', [image.archivePath, built(image.program).archivePath]);
  }
});

it('leaves an image alone when nothing has changed, in under two seconds', async () => {
  const startMs = performance.now();
  const again = await buildImages({ outDir: join(directory, 'first') });
  expect(performance.now() - startMs).toBeLessThan(2000);
  expect(again).toEqual(images.map((image) => ({ ...image, cached: true })));
});

it('builds anew when the archive is gone or the settings differ', async () => {
  const outDir = join(directory, 'again');
  await rm(join(outDir, 'hft-operator.tar'));
  const [second] = await buildImages({ outDir, images: ['operator'] });
  expect(second).toMatchObject({ cached: false, digest: built('operator').digest });
  const [other] = await buildImages({ outDir, images: ['operator'], revision: 'abc' });
  expect(other?.cached).toBe(false);
  expect(other?.digest).not.toBe(second?.digest);
});

it('says how to get buildah where there is none', async () => {
  const { exitCode, stderr } = await execa(process.execPath, [join(ROOT, 'images/build.ts'), '--out', join(directory, 'none')], {
    env: { PATH: '/nowhere' },
    reject: false,
    timeout: 30_000,
  });
  expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: expect.stringContaining('apt-get install -y buildah') });
});

it('has the same digest when the Dockerfile runs its own build stage', { timeout: 300_000 }, async () => {
  const source = join(directory, 'source');
  await copyTree(ROOT, source);
  await writeStandInBase(join(directory, 'base'));
  const storage = ['--storage-driver', 'vfs', '--root', join(directory, 'storage'), '--runroot', join(directory, 'run')];
  const buildah = (...args: string[]) =>
    execa('buildah', [...storage, ...args], { env: { BUILDAH_ISOLATION: 'chroot' }, timeout: 240_000 });
  await buildah('build', '--tag', 'docker.io/library/node:24-bookworm-slim', join(directory, 'base'));
  const { version } = z.object({ version: z.string() }).parse(JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')));
  const packages = `${join(ROOT, 'node_modules')}:/src/node_modules:ro`;
  for (const program of PROGRAMS) {
    const idFile = join(directory, `${program}.id`);
    const recipe = ['--file', join(source, 'images/Dockerfile'), '--target', `hft-${program}`, '--build-arg', `VERSION=${version}`];
    const same = ['--layers=false', '--timestamp', '0', '--identity-label=false', '--pull-never', '--iidfile', idFile];
    await buildah('build', ...recipe, ...same, '--volume', packages, source);
    expect(await readFile(idFile, 'utf8')).toBe(built(program).digest);
  }
});

describe.each(PROGRAMS)('hft-%s', (program) => {
  it('is small, unprivileged and named twice', async () => {
    const image = built(program);
    expect(image.bytes).toBeLessThan(LIMIT_BYTES);
    const [manifest] = manifestSchema.parse(await inArchive(image, 'manifest.json'));
    expect(manifest.RepoTags.sort()).toEqual([image.name, image.contentName].map((name) => `docker.io/library/${name}`).sort());
    expect(manifest.Config).toBe(`${image.digest.replace('sha256:', '')}.json`);
    const { created, config } = configSchema.parse(await inArchive(image, manifest.Config));
    expect(created).toBe('1970-01-01T00:00:00Z');
    expect(config).toMatchObject({ User: `${UID}:${UID}`, Entrypoint: ['node', `/app/${program}.mjs`] });
    expect(config.Env).toContain('PATH=/usr/local/bin');
    expect(config.Labels['org.opencontainers.image.title']).toBe(`hft-${program}`);
  });

  it('runs from its own files alone, as its user, with nothing writable but /tmp and its data', async () => {
    const root = await unpack(built(program));
    const inside = ['--userspec', `${UID}:${UID}`, root, '/usr/local/bin/node'];
    const help = await execa('chroot', [...inside, `/app/${program}.mjs`, '--help'], { timeout: 30_000 });
    expect(help.stdout).toMatch(/usage/i);
    const { version } = z
      .object({ version: z.string() })
      .parse(JSON.parse(await readFile(join(ROOT, `node_modules/node-linux-${process.arch}/package.json`), 'utf8')));
    expect((await execa('chroot', [...inside, '--version'], { timeout: 30_000 })).stdout).toBe(`v${version}`);
    const { stdout } = await execa('find', [
      root,
      '-mindepth',
      '1',
      '(',
      '-uid',
      String(UID),
      '-o',
      '-perm',
      '/6002',
      ')',
      '-printf',
      '%P %U:%G %m\\n',
    ]);
    const data = program === 'engine' ? [`var/lib/hft-engine ${UID}:${UID} 750`] : [];
    expect(stdout.split('\n').sort()).toEqual(['tmp 0:0 1777', ...data].sort());
  });
});
