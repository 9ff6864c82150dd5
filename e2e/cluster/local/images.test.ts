import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect, it, onTestFinished } from 'vitest';
import { PAUSE_IMAGE } from './configuration.ts';
import { listedImages, readArchive, writePauseArchive } from './images.ts';

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'hft-images-'));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

it('writes a pause image that is a docker-archive, the same bytes each time', async () => {
  const path = await folder();
  await writeFile(join(path, 'catatonit'), 'a program');
  for (const name of ['one', 'two']) await writePauseArchive(join(path, `${name}.tar`), join(path, 'catatonit'));
  const { tags, configDigests } = await readArchive(join(path, 'one.tar'));
  expect(tags).toEqual([PAUSE_IMAGE]);
  const { stdout } = await execa('sha256sum', ['one.tar', 'two.tar'], { cwd: path });
  expect(new Set(stdout.split('\n').map((line) => line.split(' ')[0])).size).toBe(1);
  // The configuration's name is its digest, by which the kubelet knows the image.
  const config = await execa('sh', ['-c', `tar -xOf one.tar ${configDigests[0]}.json | sha256sum`], { cwd: path });
  expect(config.stdout.split(' ')[0]).toBe(configDigests[0]);
});

it('says what an archive is when it is none', async () => {
  const path = join(await folder(), 'x.tar');
  await writeFile(path, 'no archive');
  await expect(readArchive(path)).rejects.toThrow('is not a docker-archive');
  await expect(readArchive('/no/such/file.tar')).rejects.toThrow('/no/such/file.tar');
});

it('reads what containerd lists', () => {
  const list = listedImages('REF TYPE DIGEST SIZE PLATFORMS LABELS\nlocalhost/a:1 application/x sha256:aa 1 MiB linux/amd64 -\n');
  expect([...list]).toEqual([['localhost/a:1', 'sha256:aa']]);
});
