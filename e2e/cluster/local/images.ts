import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { z } from 'zod';
import { PAUSE_IMAGE } from './configuration.ts';
import type { Layout } from './layout.ts';

/** Writes a docker-archive of one static binary that waits for ever and reaps: what holds a pod's namespaces. */
export async function writePauseArchive(archive: string, catatonit: string): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), 'hft-pause-'));
  try {
    await mkdir(join(work, 'root'));
    await copyFile(catatonit, join(work, 'root', 'pause'));
    const layer = join(work, 'layer.tar');
    const same = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner'];
    await execa('tar', [...same, '--mode=0755', '-C', join(work, 'root'), '-cf', layer, 'pause'], { timeout: 20_000 });
    const digest = createHash('sha256')
      .update(await readFile(layer))
      .digest('hex');
    const config = JSON.stringify({
      architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
      os: 'linux',
      config: { Entrypoint: ['/pause', '-P'], User: '65535:65535' },
      rootfs: { type: 'layers', diff_ids: [`sha256:${digest}`] },
      history: [{ created: '1970-01-01T00:00:00Z', created_by: 'hftengine' }],
    });
    const configName = `${createHash('sha256').update(config).digest('hex')}.json`;
    await writeFile(join(work, configName), config);
    await writeFile(join(work, 'manifest.json'), JSON.stringify([{ Config: configName, RepoTags: [PAUSE_IMAGE], Layers: ['layer.tar'] }]));
    await execa('tar', [...same, '-C', work, '-cf', archive, 'manifest.json', configName, 'layer.tar'], { timeout: 20_000 });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

const manifestSchema = z.array(z.object({ Config: z.string(), RepoTags: z.array(z.string()).nullable() })).min(1);

/** Names and configuration digests in a docker-archive; throws when it is none. */
export async function readArchive(archive: string): Promise<{ tags: string[]; configDigests: string[] }> {
  if (!existsSync(archive)) throw new Error(`${archive}: there is no such file (npm run images builds build/images/*.tar)`);
  const { stdout } = await execa('tar', ['-xOf', archive, 'manifest.json'], { timeout: 60_000, reject: false });
  let manifest: z.infer<typeof manifestSchema>;
  try {
    manifest = manifestSchema.parse(JSON.parse(stdout));
  } catch (error) {
    throw new Error(`${archive} is not a docker-archive (docker save, or buildah push docker-archive:FILE:NAME)`, { cause: error });
  }
  return {
    tags: manifest.flatMap((image) => image.RepoTags ?? []),
    configDigests: manifest.map((image) => image.Config.replace(/^blobs\/sha256\//, '').replace(/\.json$/, '')),
  };
}

/** The image names and manifest digests that `ctr images ls` printed. */
export function listedImages(output: string): Map<string, string> {
  const rows = output
    .split('\n')
    .slice(1)
    .map((line) => line.split(/\s+/));
  return new Map(rows.flatMap(([name, , digest]) => (name && digest ? [[name, digest] as const] : [])));
}

/** Imports a docker-archive into the cluster's containerd, where pods name it as the archive does; quick when it is there. */
export async function importArchive(layout: Layout, archive: string): Promise<string[]> {
  const { tags, configDigests } = await readArchive(archive);
  if (tags.length === 0) throw new Error(`${archive} names no image: give it one (docker save NAME, or docker-archive:FILE:NAME)`);
  const ctr = (...args: string[]) => execa('ctr', ['-a', layout.containerdSocket, '-n', 'k8s.io', 'images', ...args], { timeout: 180_000 });
  const present = listedImages((await ctr('ls')).stdout);
  // The kubelet's side of containerd names each image by its configuration's digest as well.
  const wanted = configDigests.length === 1 ? present.get(`sha256:${configDigests[0]}`) : undefined;
  if (wanted && tags.every((tag) => present.get(tag) === wanted)) return tags;
  await ctr('import', '--snapshotter', 'overlayfs', archive);
  return tags;
}
