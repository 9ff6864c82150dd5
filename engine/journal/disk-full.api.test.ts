import { spawnSync } from 'node:child_process';
import { rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EngineError, type NewOrder } from '../client/orders.ts';
import { startLocalEngine } from '../testing/local-engine.ts';
import { temporaryDirectory } from '../testing/temporary-directory.ts';

const isRoot = process.getuid?.() === 0 && process.platform === 'linux';
let directory: string;

beforeEach(() => {
  directory = temporaryDirectory();
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', directory], { encoding: 'utf8', timeout: 10_000 });
  if (mounted.status !== 0) throw new Error(`no tmpfs: ${mounted.stderr}`);
});
afterEach(() => {
  spawnSync('umount', ['-l', directory], { timeout: 10_000 });
  rmSync(directory, { recursive: true, force: true });
});

const ORDER: NewOrder = { symbol: 'BTC-USD', account: 'alice', side: 'buy', type: 'limit', price: '100', quantity: '1' };

describe.runIf(isRoot)('a full disk (needs root for a tmpfs)', () => {
  it.each(['commit', 'disk'] as const)(
    'refuses orders with a code, keeps the books right, and goes on when there is room: %s',
    async (durability) => {
      await using engine = await startLocalEngine({ dataDirectory: directory, config: { journal: { durability } } });
      await engine.orders.place({ ...ORDER, side: 'sell', price: '101' });
      const ballast = join(directory, 'ballast');
      const { bavail, bsize } = statfsSync(directory);
      writeFileSync(ballast, Buffer.alloc(Math.max(0, bavail * bsize - 128 * 1024)));
      let taken = 0;
      const refusal = await (async (): Promise<unknown> => {
        for (;;) {
          try {
            await engine.orders.place({ ...ORDER, clientOrderId: `c${taken}` });
          } catch (cause) {
            return cause;
          }
          taken += 1;
        }
      })();
      expect(refusal).toMatchObject({ status: 503, code: 'HFT_JOURNAL_FULL', retryAfterMs: 1000 });
      // Books are made anew from the journal: what was refused is not in them.
      await expect.poll(async () => (await fetch(`${engine.baseUrl}/ready`)).status, { timeout: 10_000 }).toBe(200);
      expect((await engine.orders.book('BTC-USD')).bids).toEqual([{ price: '100', quantity: String(taken), orders: taken }]);
      await expect(engine.orders.place({ ...ORDER, side: 'sell' })).rejects.toBeInstanceOf(EngineError);
      expect((await engine.orders.fills()).items).toEqual([]);

      rmSync(ballast);
      const deadlineMs = performance.now() + 10_000;
      let placed: unknown;
      while (placed === undefined && performance.now() < deadlineMs) {
        placed = await engine.orders.place({ ...ORDER, clientOrderId: `c${taken}` }).catch(async () => await delay(100));
      }
      expect(placed).toMatchObject({ repeated: false, order: { status: 'open' } });
      const status = await engine.admin.status();
      expect(status.sequence).toBe(taken + 2);
      await engine.running.stop();
      await using again = await startLocalEngine({ dataDirectory: directory });
      expect(await again.admin.status()).toMatchObject({ sequence: taken + 2, stateHash: status.stateHash, openOrders: taken + 2 });
    },
  );
});
