import { chmod, copyFile, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { nodeBinary, sharedLibraries } from './rootfs.ts';

/** The system's files that the Dockerfile's build stage uses, besides what npm installs. */
const PROGRAMS = ['/bin/sh', '/bin/bash', '/bin/cat', '/usr/bin/ldd'];
const OTHERS = [
  ...['libc6', 'libgcc-s1', 'libstdc++6'].map((name) => `/usr/share/doc/${name}/copyright`),
  ...['libnss_dns.so.2', 'libnss_files.so.2', 'libresolv.so.2'].map((name) => join('LIBC', name)),
];

/**
 * Writes a Dockerfile and files for an image that takes the place of `node:24-bookworm-slim` where no registry can be reached, for tests: this
 * machine's shell, ldd and C library, and an npm that does nothing (the caller mounts `node_modules`). Debian 12 only, as that image is.
 */
export async function writeStandInBase(directory: string): Promise<void> {
  const node = await sharedLibraries(await nodeBinary());
  const libc = dirname(node.find((path) => path.endsWith('/libc.so.6')) ?? '/lib/libc.so.6');
  // ldd is a script: bash's libraries are all that it needs.
  const libraries = await Promise.all(PROGRAMS.filter((path) => !path.endsWith('ldd')).map((path) => sharedLibraries(path)));
  const others = OTHERS.map((path) => path.replace(/^LIBC/, libc));
  for (const path of new Set([...PROGRAMS, ...others, ...node, ...libraries.flat()])) {
    await mkdir(join(directory, 'base', dirname(path)), { recursive: true });
    await copyFile(path, join(directory, 'base', path));
  }
  for (const path of ['tmp', 'proc', 'dev', 'etc', 'usr/local/bin']) await mkdir(join(directory, 'base', path), { recursive: true });
  await writeFile(join(directory, 'base/etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
  await writeFile(join(directory, 'base/etc/group'), 'root:x:0:\n');
  await writeFile(join(directory, 'base/usr/local/bin/npm'), '#!/bin/sh\nexit 0\n');
  await chmod(join(directory, 'base/usr/local/bin/npm'), 0o755);
  await writeFile(join(directory, 'Dockerfile'), 'FROM scratch\nCOPY base/ /\nENV PATH=/usr/local/bin:/usr/bin:/bin\n');
}

/** Copies the repository's files, as a clone with today's changes would hold them. */
export async function copyTree(root: string, destination: string): Promise<void> {
  const { stdout } = await execa('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root });
  const { stdout: deleted } = await execa('git', ['ls-files', '-z', '--deleted'], { cwd: root });
  const gone = new Set(deleted.split('\0'));
  for (const path of stdout.split('\0').filter((path) => path !== '' && !gone.has(path))) {
    await mkdir(join(destination, dirname(path)), { recursive: true });
    await copyFile(join(root, path), join(destination, path));
  }
}
