import { spawnSync } from 'node:child_process';
import { readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EngineError, OrderClient, type NewOrder } from '../client/orders.ts';
import { spawnEngine, untilReady } from '../prove/engine-process.ts';
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
      rmSync(ballast);
      const deadlineMs = performance.now() + 10_000;
      let placed: unknown;
      while (placed === undefined && performance.now() < deadlineMs) {
        placed = await engine.orders.place({ ...ORDER, clientOrderId: `c${taken}` }).catch(async () => await delay(100));
      }
      expect(placed).toMatchObject({ repeated: false, order: { status: 'open' } });
      // Queries need room, too, and go on by themselves.
      await expect.poll(async () => await engine.orders.fills().catch(String), { timeout: 20_000 }).toMatchObject({ items: [] });
      const status = await engine.admin.status();
      expect(status.sequence).toBe(taken + 2);
      await engine.running.stop();
      await using again = await startLocalEngine({ dataDirectory: directory });
      expect(await again.admin.status()).toMatchObject({ sequence: taken + 2, stateHash: status.stateHash, openOrders: taken + 2 });
    },
  );

  it.each(['SIGKILL', 'SIGTERM'] as const)('does not keep an engine from starting again: after %s', async (signal) => {
    let engine = await spawnEngine({ dataDirectory: directory });
    try {
      await untilReady(engine.baseUrl);
      const client = new OrderClient(engine);
      const ballast = join(directory, 'ballast');
      const { bavail, bsize } = statfsSync(directory);
      writeFileSync(ballast, Buffer.alloc(Math.max(0, bavail * bsize - 128 * 1024)));
      let taken = 0;
      const place = async (): Promise<boolean> =>
        await client.place({ ...ORDER, clientOrderId: `c${taken}` }).then(
          () => true,
          () => false,
        );
      while (await place()) taken += 1;
      expect(taken).toBeGreaterThan(0);
      await client.close();
      engine.kill(signal);
      await engine.ended;
      // Not one block is left: whatever the stop has freed is taken too.
      let block = 0;
      for (let room = true; room; block += 1) {
        try {
          writeFileSync(`${ballast}-${block}`, Buffer.alloc(4096));
        } catch {
          room = false;
        }
      }
      for (let starts = 0; starts < 2; starts += 1) {
        engine = await spawnEngine({ dataDirectory: directory });
        await untilReady(engine.baseUrl);
        const again = new OrderClient(engine);
        expect((await again.book('BTC-USD')).bids).toMatchObject([{ orders: taken }]);
        await expect(again.place(ORDER)).rejects.toMatchObject({ status: 503, code: 'HFT_JOURNAL_FULL' });
        await again.close();
        if (starts === 0) {
          engine.kill(signal);
          await engine.ended;
        }
      }
      for (const file of readdirSync(directory)) if (file.startsWith('ballast')) rmSync(join(directory, file));
      const last = new OrderClient(engine);
      await expect
        .poll(async () => await last.place({ ...ORDER, clientOrderId: 'room' }).catch(() => 'refused'), { timeout: 10_000 })
        .toMatchObject({ order: { status: 'open' } });
      await expect
        .poll(async () => await last.orders({ limit: 1000 }).catch(String), { timeout: 20_000 })
        .toMatchObject({ items: expect.objectContaining({ length: taken + 1 }) });
      await last.close();
    } finally {
      engine.kill('SIGKILL');
      await engine.ended;
    }
  });
});
