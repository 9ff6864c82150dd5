import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../wait.ts';
import { clusterProcesses, daemon, ensureRunning, logTail, stopProcesses } from './daemons.ts';

describe.runIf(existsSync('/proc/self/environ'))('daemons', () => {
  let state: string;
  const start = async (name: string, script: string) =>
    ensureRunning(await daemon(name, ['/bin/sh', '-c', script], []), state, join(state, 'logs'));
  const running = async () => (await clusterProcesses(state)).filter((entry) => entry.daemon !== undefined);

  beforeEach(async () => {
    state = await mkdtemp(join(tmpdir(), 'hft-daemons-'));
  });
  afterEach(async () => {
    await stopProcesses(state, () => true, 0);
    await rm(state, { recursive: true, force: true });
  });

  it('starts once, and again only for another command line', async () => {
    expect(await start('a', 'echo hello; sleep 60; true')).toBe(true);
    const [first] = await running();
    expect(await start('a', 'echo hello; sleep 60; true')).toBe(false);
    expect((await running()).map((entry) => entry.pid)).toEqual([first?.pid]);
    expect(await start('a', 'echo other; sleep 60; true')).toBe(true);
    const after = await running();
    expect(after).toHaveLength(1);
    expect(after[0]?.pid).not.toBe(first?.pid);
    await eventually('output', async () => (await logTail(join(state, 'logs'), 'a')).includes('other'), { timeoutMs: 5_000 });
  });

  it('knows a child of a daemon as its cluster’s, but not as the daemon', async () => {
    await start('a', 'sleep 61; true');
    await eventually('child', async () => (await clusterProcesses(state)).length === 2, { timeoutMs: 5_000 });
    expect((await running()).map((entry) => entry.daemon)).toEqual(['a']);
    await stopProcesses(state, () => true, 0);
    expect(await clusterProcesses(state)).toEqual([]);
  });

  it('kills what does not end when asked', async () => {
    await start('deaf', 'trap "" TERM; echo deaf; while :; do sleep 0.1; done');
    await eventually('trap', async () => (await logTail(join(state, 'logs'), 'deaf')).includes('deaf'), { timeoutMs: 5_000 });
    await stopProcesses(state, (entry) => entry.daemon === 'deaf', 200);
    expect(await running()).toEqual([]);
  });

  it('leaves the processes of another cluster alone', async () => {
    await start('a', 'sleep 62; true');
    await stopProcesses(`${state}-other`, () => true, 0);
    expect(await running()).toHaveLength(1);
  });

  it('gives a daemon another revision when a file that it reads changes', async () => {
    const one = await daemon('a', ['/bin/true'], [import.meta.filename]);
    const two = await daemon('a', ['/bin/true'], []);
    expect(one.revision).not.toBe(two.revision);
  });
});
