import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { AdminClient } from '../client/admin.ts';
import { OrderClient, type NewOrder } from '../client/orders.ts';
import { spawnEngine, untilReady, type EngineProcess } from '../prove/engine-process.ts';
import { temporaryDirectory } from '../testing/temporary-directory.ts';

const ORDER: NewOrder = { symbol: 'BTC-USD', account: 'alice', side: 'buy', type: 'limit', price: '100', quantity: '1' };
let directory: string;
let engine: EngineProcess | undefined;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(async () => {
  await stop('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

async function start(args: readonly string[] = []): Promise<EngineProcess> {
  const terminationLog = join(directory, 'termination-log');
  engine = await spawnEngine({ dataDirectory: join(directory, 'data'), args, environment: { HFT_TERMINATION_LOG: terminationLog } });
  return engine;
}

async function stop(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
  engine?.kill(signal);
  await engine?.ended;
  engine = undefined;
}

/** Starts an engine, lets it take so many orders, and gives the sequence of the last. */
async function place(count: number, args: readonly string[] = []): Promise<number> {
  const started = await start(args);
  await untilReady(started.baseUrl);
  const client = new OrderClient(started);
  let last = 0;
  for (let placed = 0; placed < count; placed += 1) last = Number((await client.place(ORDER)).order.id);
  await client.close();
  return last;
}

/** What an engine that is ready shows: from its books, from its read models, and how it came to be. */
async function shown({ baseUrl, opsUrl, token }: EngineProcess) {
  const client = new OrderClient({ baseUrl, token });
  const admin = new AdminClient({ baseUrl: opsUrl, token });
  const { openOrders, sequence, recovery } = await admin.status();
  await expect.poll(async () => await client.orders({ limit: 1000 }).catch(String), { timeout: 20_000 }).toHaveProperty('items');
  const ids = (await client.orders({ limit: 1000 })).items.map(({ id }) => Number(id));
  await Promise.all([client.close(), admin.close()]);
  return { openOrders, sequence, ids, warnings: recovery.warnings };
}

it('an engine whose journal is damaged says what it would give up, gives up just that when told, and nothing when told again', async () => {
  const stopped = await place(5);
  // With a snapshot; what follows is only in the journal.
  await stop('SIGTERM');
  const last = await place(5);
  await stop('SIGKILL');
  const database = new Database(join(directory, 'data', 'journal.db'));
  const damaged = last - 2;
  expect(damaged).toBeGreaterThan(stopped);
  expect(database.prepare('UPDATE batches SET crc32 = crc32 + 1 WHERE lastSequence = ?').run(damaged).changes).toBe(1);
  database.close();

  const refusing = await start();
  expect(await refusing.ended).toBe(2);
  const keep = damaged - 1;
  expect(JSON.parse(readFileSync(join(directory, 'termination-log'), 'utf8'))).toMatchObject({
    code: 'HFT_JOURNAL_CORRUPT',
    message: expect.stringContaining(`start once with --accept-loss-after ${keep} to give up every command after that sequence`),
  });

  await place(0, ['--accept-loss-after', String(keep)]);
  const kept = await shown(engine as EngineProcess);
  expect(kept).toMatchObject({ warnings: [expect.stringContaining(`the journal was cut after sequence ${keep}`)] });
  expect(kept.ids).toHaveLength(kept.openOrders);
  expect(Math.max(...kept.ids)).toBeLessThanOrEqual(keep);
  await stop('SIGKILL');

  const again = await place(3, ['--accept-loss-after', String(keep)]);
  const { ids, openOrders, warnings } = await shown(engine as EngineProcess);
  expect(ids).toContain(again);
  expect([ids.length, openOrders]).toEqual([kept.ids.length + 3, kept.ids.length + 3]);
  expect(warnings).toEqual([expect.stringContaining('nothing was given up')]);
}, 120_000);
