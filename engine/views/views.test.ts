import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { snapshotSequences } from '../journal/snapshot.ts';
import { SqliteJournal } from '../journal/sqlite-journal.ts';
import { INSTRUMENTS, TestReplica } from './replica.test-support.ts';
import type { Views } from './types.ts';
import { openViews, type ViewsOptions } from './views.ts';

const MOST = Number.MAX_SAFE_INTEGER;
const NEVER = 1e9;

let test: TestReplica;
let open: Views[];
let warnings: string[];
let snapshots: number[];
beforeEach(() => {
  test = new TestReplica(21);
  open = [];
  warnings = [];
  snapshots = [];
});
afterEach(async () => {
  vi.restoreAllMocks();
  await Promise.all(open.map(async (views) => await views.close()));
  test[Symbol.dispose]();
});

async function start(options: Partial<ViewsOptions> = {}): Promise<Views> {
  const views = await openViews({
    dataDirectory: test.directory,
    instruments: INSTRUMENTS,
    // Random histories are from 2023.
    retentionMs: 1e12,
    snapshotEvery: NEVER,
    onSnapshot: (sequence) => snapshots.push(sequence),
    log: { warn: (details, message) => warnings.push(`${message} ${JSON.stringify(details)}`) },
    ...options,
  });
  open.push(views);
  return views;
}

async function grow(views: Views, commands: number): Promise<number> {
  await test.grow(commands);
  views.advance(test.journal.durableSequence);
  return test.journal.durableSequence;
}

describe('the views', () => {
  it('answer every question as the naive read models do, as soon as a command is durable', async () => {
    const views = await start();
    for (const commands of [1, 30, 500, 1]) {
      const sequence = await grow(views, commands);
      const { market } = test;
      const orders = [...market.views.orders.values()];
      expect(await views.orders({}, 0, MOST, sequence)).toEqual(orders);
      expect(views.sequence).toBe(sequence);
      const last = orders.at(-1);
      expect(await views.order(last?.id ?? 0, sequence)).toEqual(last);
      expect(await views.firstAnswer(last?.id ?? 0, MOST, sequence)).toEqual(market.firstAnswers.get(last?.id ?? 0));
      expect(await views.fills({ sequence: 0, index: -1 }, MOST, sequence)).toEqual(market.views.fills);
      expect(await views.trades(0, { sequence: MOST, index: 0 }, 1, sequence)).toEqual(
        market.views.fills.filter(({ instrument }) => instrument === 0).slice(-1),
      );
      expect(await views.positions(undefined, sequence)).toEqual(market.positions());
      expect(await views.state(sequence)).toEqual({ sequence, stateHash: market.core.stateHash(), openOrders: market.core.openOrders });
    }
    expect(await views.order(MOST, 0)).toBeUndefined();
    expect(warnings).toEqual([]);
  });

  it('let a question wait for its sequence, and refuse it when that does not come', async () => {
    const views = await start();
    const sequence = await grow(views, 20);
    const later = views.order(sequence + 1, sequence + 1);
    const never = Promise.allSettled([views.order(1, sequence + 1000), views.state(sequence + 1000)]);
    await delay(50);
    await grow(views, 1);
    expect(await later).toEqual(test.market.views.orders.get(sequence + 1));
    // Others are not kept from their answers meanwhile.
    expect(await views.order(11, 0)).toEqual(test.market.views.orders.get(11));
    const behind = { status: 'rejected', reason: { code: 'HFT_VIEWS_BEHIND' } };
    expect(await never).toMatchObject([behind, behind]);
  }, 15_000);

  it('refuse questions beyond what may wait', async () => {
    const views = await start();
    const sequence = await grow(views, 20);
    const waiting = Array.from({ length: 4096 }, async () => await views.order(1, sequence + 1));
    await expect(views.order(1, 0)).rejects.toMatchObject({ code: 'HFT_VIEWS_BEHIND' });
    await grow(views, 1);
    expect(await Promise.all(waiting)).toHaveLength(4096);
    expect(await views.order(1, 0)).toBeUndefined();
  });

  it('wait for what is durable in memory only', async () => {
    const views = await start();
    test.market.run(test.journal, 50);
    const sequence = test.market.core.sequence;
    views.advance(sequence);
    const answer = views.orders({}, 0, MOST, sequence);
    await delay(20);
    expect(await answer).toEqual([...test.market.views.orders.values()]);
  });

  it('take snapshots unasked and when asked, and tell of them', async () => {
    const views = await start({ snapshotEvery: 100 });
    const first = await grow(views, 150);
    await vi.waitFor(() => expect(snapshots).toEqual([first]), 5000);
    const second = await grow(views, 10);
    expect(await views.snapshot(second)).toMatchObject({ sequence: second, stateHash: test.market.core.stateHash() });
    expect(snapshotSequences(test.directory)).toEqual([second, first]);
    expect(snapshots).toEqual([first, second]);
  });

  it('say so when a snapshot cannot be written, and go on', async () => {
    const views = await start({ snapshotEvery: 100 });
    writeFileSync(join(test.directory, 'snapshots'), 'no directory');
    const sequence = await grow(views, 150);
    await vi.waitFor(() => expect(warnings).toEqual([expect.stringContaining('no snapshot could be written')]), 5000);
    await expect(views.snapshot(sequence)).rejects.toMatchObject({ code: 'HFT_VIEWS_UNAVAILABLE' });
    rmSync(join(test.directory, 'snapshots'));
    const { sequence: shown } = await views.snapshot(await grow(views, 10));
    expect(shown).toBe(test.market.core.sequence);
    expect(await views.positions(undefined, shown)).toEqual(test.market.positions());
  });

  it('delete what is older than it is kept', async () => {
    const views = await start({ retentionMs: 1000 });
    const sequence = await grow(views, 1500);
    const open = [...test.market.views.orders.values()].filter(
      ({ status, clientOrderId }) => status === 0 || status === 3 || clientOrderId !== null,
    );
    await vi.waitFor(async () => expect(await views.orders({}, 0, MOST, sequence)).toEqual(open), { timeout: 8000, interval: 200 });
  });

  it('go on where they ended', async () => {
    const views = await start();
    await grow(views, 300);
    await views.close();
    expect(readdirSync(test.directory)).toContain('views.db');
    const again = await start();
    const sequence = await grow(again, 300);
    expect(await again.orders({}, 0, MOST, sequence)).toEqual([...test.market.views.orders.values()]);
    expect(await again.state(sequence)).toMatchObject({ sequence, stateHash: test.market.core.stateHash() });
    expect(warnings).toEqual([]);
  });

  it('are made again when their file is damaged', async () => {
    await test.grow(400);
    writeFileSync(join(test.directory, 'views.db'), 'this is no database, however long one looks at it'.repeat(100));
    const views = await start();
    const sequence = await grow(views, 10);
    await vi.waitFor(async () => expect(await views.orders({}, 0, MOST, sequence)).toEqual([...test.market.views.orders.values()]), 8000);
    expect(warnings).toEqual([expect.stringContaining('discarded, and made again')]);
  });

  it('survive that the journal is closed and opened again', async () => {
    const views = await start();
    await grow(views, 100);
    for (let time = 0; time < 3; time += 1) {
      test.journal.close();
      test.journal = SqliteJournal.open(test.directory, 'commit');
      const sequence = await grow(views, 50);
      expect(await views.orders({}, 0, MOST, sequence)).toEqual([...test.market.views.orders.values()]);
    }
    expect(warnings).toEqual([]);
  });

  it('fail alone when the journal cannot be read, and are started again when it can', async () => {
    const views = await start();
    await views.positions(undefined, await grow(views, 100));
    const database = new Database(join(test.directory, 'journal.db'));
    await test.grow(50);
    database.exec('UPDATE batches SET crc32 = crc32 + 1 WHERE lastSequence = (SELECT max(lastSequence) FROM batches)');
    views.advance(test.journal.durableSequence);
    await expect(views.orders({}, 0, 1, test.journal.durableSequence)).rejects.toMatchObject({ code: 'HFT_VIEWS_UNAVAILABLE' });
    await expect(views.orders({}, 0, 1, 0)).rejects.toMatchObject({ code: 'HFT_VIEWS_UNAVAILABLE' });
    database.exec('UPDATE batches SET crc32 = crc32 - 1 WHERE lastSequence = (SELECT max(lastSequence) FROM batches)');
    database.close();
    const sequence = await grow(views, 10);
    await vi.waitFor(async () => expect(await views.orders({}, 0, MOST, sequence)).toEqual([...test.market.views.orders.values()]), 8000);
    expect(warnings[0]).toContain('does not match its checksum');
  });

  it('start without a journal that they can read, and answer once there is one', async () => {
    test.journal.close();
    const path = join(test.directory, 'journal.db');
    const kept = readFileSync(path);
    rmSync(path);
    mkdirSync(path);
    const views = await start();
    await expect(views.order(1, 0)).rejects.toMatchObject({ code: 'HFT_VIEWS_UNAVAILABLE' });
    rmSync(path, { recursive: true });
    writeFileSync(path, kept);
    test.journal = SqliteJournal.open(test.directory, 'commit');
    const sequence = await grow(views, 50);
    await vi.waitFor(async () => expect(await views.orders({}, 0, MOST, sequence)).toEqual([...test.market.views.orders.values()]), 8000);
    expect(warnings[0]).toContain('started again');
  });
});
