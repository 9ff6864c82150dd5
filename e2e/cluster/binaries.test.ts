import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cacheDirectory, findOnPath, kubernetesVersion } from './binaries.ts';

describe('binaries', () => {
  it('reads the Kubernetes release from the Go module', async () => {
    const goMod = await readFile(join(import.meta.dirname, 'control-plane', 'go.mod'), 'utf8');
    const version = kubernetesVersion(goMod);
    expect(version).toMatch(/^v1\.34\.\d+$/);
    // Every staging module must be of the same release, or the program is a mixture.
    const staging = [...goMod.matchAll(/^\tk8s\.io\/\S+ => k8s\.io\/\S+ (\S+)$/gm)].map((match) => match[1]);
    expect(staging.length).toBeGreaterThan(25);
    expect(new Set(staging)).toEqual(new Set([version.replace('v1.', 'v0.')]));
  });

  it('says so when there is no release', () => {
    expect(() => kubernetesVersion('module x')).toThrow('requires no release');
  });

  it.each([
    [{ HFT_CACHE_DIR: '/a', XDG_CACHE_HOME: '/b' }, '/a'],
    [{ XDG_CACHE_HOME: '/b' }, '/b/hftengine'],
    [{ HFT_CACHE_DIR: '', XDG_CACHE_HOME: '/b' }, '/b/hftengine'],
  ])('keeps builds outside the tree: %o', (environment, expected) => {
    expect(cacheDirectory(environment)).toBe(expected);
  });

  it('finds programs on PATH and nothing else', async () => {
    expect(await findOnPath('sh')).toMatch(/\/sh$/);
    expect(await findOnPath('no-such-program-here')).toBeUndefined();
  });
});
