import { getPriority } from 'node:os';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';

it.runIf(process.platform === 'linux')('lowers the thread that asks, and no other', async () => {
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
