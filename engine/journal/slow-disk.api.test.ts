/** A disk that hangs: a file system of its own, frozen. What was sent gets its real answer when the disk is back; what comes meanwhile is refused at once. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OrderClient, spawnEngine, untilReady } from '../prove/engine-process.ts';
import { temporaryDirectory } from '../testing/temporary-directory.ts';

function run(command: string, ...args: string[]): boolean {
  return spawnSync(command, args, { timeout: 20_000 }).status === 0;
}

let directory: string;
let data: string;
let isMounted = false;

beforeEach(() => {
  directory = temporaryDirectory();
  data = join(directory, 'data');
  mkdirSync(data);
  const image = join(directory, 'image');
  isMounted = run('truncate', '-s', '64M', image) && run('mkfs.ext4', '-q', image) && run('mount', '-o', 'loop', image, data);
});
afterEach(() => {
  run('fsfreeze', '-u', data);
  run('umount', '-l', data);
  rmSync(directory, { recursive: true, force: true });
});

const ORDER = { symbol: 'BTC-USD', account: 'alice', side: 'buy', type: 'limit', price: '100', quantity: '1' } as const;

describe.runIf(process.getuid?.() === 0 && process.platform === 'linux')('a disk that hangs (needs root for a loop device)', () => {
  it('opens the breakers before the journal and the queries, which close by themselves', async ({ skip }) => {
    if (!isMounted) skip('no loop device can be mounted here');
    const engine = await spawnEngine({ dataDirectory: data });
    const client = new OrderClient({ ...engine, timeoutMs: 60_000 });
    const state = async (breaker: string): Promise<number> =>
      Number(
        new RegExp(`hft_breaker_state{breaker="${breaker}"[^}]*} ([0-9])`).exec(
          await (await fetch(`${engine.opsUrl}/metrics`)).text(),
        )?.[1],
      );
    try {
      await untilReady(engine.baseUrl);
      const first = await client.place({ ...ORDER, clientOrderId: 'first' });
      expect(run('fsfreeze', '-f', data)).toBe(true);
      const pending = client.place({ ...ORDER, clientOrderId: 'pending' });
      await expect.poll(async () => await state('journal'), { timeout: 10_000 }).toBe(1);
      const startMs = performance.now();
      await expect(client.place({ ...ORDER, clientOrderId: 'refused' })).rejects.toMatchObject({
        status: 503,
        code: 'HFT_JOURNAL_BREAKER',
      });
      expect(performance.now() - startMs).toBeLessThan(1000);
      // It hangs with the queries that it is asked: they are given up, then refused.
      const queries = await Promise.allSettled(Array.from({ length: 12 }, async () => await client.orders({ account: 'alice' })));
      if (queries.every(({ status }) => status === 'rejected')) {
        expect(await state('views')).toBe(1);
        await expect(client.orders({ account: 'alice' })).rejects.toMatchObject({ status: 503, code: 'HFT_VIEWS_BREAKER' });
      }
      // Taken while nothing is committed; done when the disk is back.
      const cancel = client.cancel(first.order.id);
      expect(run('fsfreeze', '-u', data)).toBe(true);
      expect(await pending).toMatchObject({ repeated: false, order: { status: 'open' } });
      await cancel.catch((cause: unknown) => expect(cause).toMatchObject({ code: 'HFT_DONE_NOT_SHOWN' }));
      let sent = 0;
      const place = async (): Promise<number> => {
        await client.place({ ...ORDER, clientOrderId: `after-${sent}` }).then(
          () => (sent += 1),
          () => undefined,
        );
        return await state('journal');
      };
      await expect.poll(place, { timeout: 20_000 }).toBe(0);
      await expect
        .poll(async () => (await client.orders({ account: 'alice' }).then(() => state('views'))).valueOf(), { timeout: 20_000 })
        .toBe(0);
      // Exactly what was acknowledged, and nothing that was refused.
      expect((await client.book('BTC-USD')).bids).toMatchObject([{ price: '100', orders: sent + 1 }]);
    } finally {
      run('fsfreeze', '-u', data);
      await client.close();
      engine.kill('SIGKILL');
      await engine.ended;
    }
  });
});
