import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { imageName, PROGRAMS, ROOT, UID } from './program.ts';
import { basePart, hashParts, programParts, sharedLibraries, writeParts, type RootfsPart } from './rootfs.ts';

const bundle = { files: [{ path: 'x.mjs', contents: Buffer.from('x') }], packages: [], sources: [] };

describe('basePart', () => {
  it('holds Node, its loader and libraries, and a user without a shell', async () => {
    const { entries } = await basePart();
    const paths = entries.map(({ path }) => path);
    expect(paths).toContain('/usr/local/bin/node');
    expect(paths.filter((path) => /\/(ld-linux[^/]*|libc|libstdc\+\+|libm)\.so\.\d$/.test(path))).toHaveLength(4);
    expect(paths).toEqual([...paths].sort());
    const passwd = entries.find(({ path }) => path === '/etc/passwd');
    expect(passwd?.kind === 'text' && passwd.contents).toContain(`hft:x:${UID}:${UID}:`);
  });

  it('names what a file links, and refuses what links nothing', async () => {
    expect(await sharedLibraries(process.execPath)).toEqual(expect.arrayContaining([expect.stringMatching(/^\/.*libc\.so\.6$/)]));
    await expect(sharedLibraries(join(ROOT, 'package.json'))).rejects.toThrow(/ldd|names no library/);
  });
});

describe('writing and hashing', () => {
  const part = (mode: number, contents: string): RootfsPart => ({
    name: 'p',
    entries: [
      { kind: 'directory', path: '/tmp', mode: 0o1777 },
      { kind: 'text', path: '/a/b/c', mode, contents },
    ],
  });

  it('gives every file its mode and every time the epoch, whatever the umask', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'rootfs-'));
    await writeParts([part(0o640, 'text')], directory);
    const seen = await Promise.all(['p', 'p/tmp', 'p/a', 'p/a/b', 'p/a/b/c'].map((path) => stat(join(directory, path))));
    expect(seen.map(({ mode }) => (mode & 0o7777).toString(8))).toEqual(['755', '1777', '755', '755', '640']);
    expect(seen.map(({ mtimeMs }) => mtimeMs)).toEqual([0, 0, 0, 0, 0]);
    expect(await readFile(join(directory, 'p/a/b/c'), 'utf8')).toBe('text');
    await rm(directory, { recursive: true });
  });

  it('hashes contents and modes', async () => {
    const hashes = await Promise.all([part(0o644, 'a'), part(0o644, 'a'), part(0o644, 'b'), part(0o600, 'a')].map((p) => hashParts([p])));
    expect(hashes[1]).toBe(hashes[0]);
    expect(new Set(hashes).size).toBe(3);
  });
});

/** The recipe that buildah and Docker share, as instructions by stage. */
async function recipe(): Promise<Map<string, string[]>> {
  const text = (await readFile(join(ROOT, 'images/Dockerfile'), 'utf8')).replace(/^#.*\n/gm, '').replace(/\\\n\s*/g, '');
  const stages = new Map<string, string[]>();
  let instructions: string[] = [];
  for (const line of text.split('\n').filter((line) => line !== '')) {
    const from = /^FROM (\S+) AS (\S+)$/.exec(line);
    if (from?.[2] !== undefined) stages.set(from[2], (instructions = []));
    instructions.push(line);
  }
  return stages;
}

describe('the Dockerfile and the local build', () => {
  it('copy the same parts: what the build stage writes is what the images take, to the last folder', async () => {
    const stages = await recipe();
    expect(stages.get('build')?.at(-1)).toBe('RUN node_modules/.bin/node images/rootfs.ts --out /rootfs');
    expect([...stages.keys()]).toEqual(['build', 'base', ...PROGRAMS.map(imageName)]);
    const taken = (stage: string) =>
      (stages.get(stage) ?? [])
        .filter((line) => /^(COPY|ADD)/.test(line))
        .map((line) => /^COPY --from=build (?:--chown=\S+ )?\/rootfs\/(\S+)\/ \//.exec(line)?.[1]);
    expect(taken('base')).toEqual(['base']);
    for (const program of PROGRAMS) {
      expect(new Set(taken(imageName(program)))).toEqual(new Set(programParts(program, bundle).map(({ name }) => name)));
    }
  });

  it('hold nothing but those parts: images start from scratch and run no command', async () => {
    const stages = await recipe();
    for (const [stage, lines] of stages) {
      if (stage === 'build') continue;
      expect(lines[0]).toBe(stage === 'base' ? 'FROM scratch AS base' : `FROM base AS ${stage}`);
      expect(lines.filter((line) => line.startsWith('RUN'))).toEqual([]);
    }
  });

  it.each(PROGRAMS)('run %s as the unprivileged user', async (program) => {
    const lines = (await recipe()).get(imageName(program)) ?? [];
    expect(lines).toContain(`USER ${UID}:${UID}`);
    expect(lines).toContain(`ENTRYPOINT ["node", "/app/${program}.mjs"]`);
    for (const owner of lines.flatMap((line) => /--chown=(\S+)/.exec(line)?.[1] ?? [])) expect(owner).toBe(`${UID}:${UID}`);
  });
});
