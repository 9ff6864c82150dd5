import { readdirSync, readFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { lowerHelpers } from './thread-priority.ts';

const isLinux = process.platform === 'linux';

it.runIf(isLinux)('lowers the thread that asks, and no other', async () => {
  const url = new URL('./thread-priority.ts', import.meta.url).href;
  const before = getPriority(process.pid);
  const source = `
    import { getPriority } from 'node:os';
    import { parentPort } from 'node:worker_threads';
    import { giveWay } from ${JSON.stringify(url)};
    giveWay(3);
    parentPort.postMessage(getPriority(0));`;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`));
  const [nice] = (await once(worker, 'message')) as [number];
  expect(nice).toBe(before + 3);
  expect(getPriority(process.pid)).toBe(before);
});

it.runIf(isLinux)('lowers the helpers of V8, and not the thread that runs the program', () => {
  const before = getPriority(process.pid);
  lowerHelpers();
  const helpers = readdirSync('/proc/self/task').filter((id) => readFileSync(`/proc/self/task/${id}/comm`, 'utf8').trim() === 'V8Worker');
  expect(helpers.length).toBeGreaterThan(0);
  for (const id of helpers) expect(getPriority(Number(id))).toBe(before + 5);
  expect(getPriority(process.pid)).toBe(before);
});
