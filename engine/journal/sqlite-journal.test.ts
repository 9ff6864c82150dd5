import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTick } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { encodeCommand } from '../core/command.ts';
import { CANCEL_ORDER } from '../core/types.ts';
import { bufferPoolMemory } from '../pools/buffer-pool.ts';
import { temporaryDirectory } from '../testing/temporary-directory.ts';
import { ringMemory, SharedCommandRing } from './command-ring.ts';
import { InlineCommitter } from './inline-committer.ts';
import { writeSnapshot } from './snapshot.ts';
import { SqliteJournal } from './sqlite-journal.ts';
import { append, push, sequences, upTo } from './commands.test-support.ts';
import { ACCOUNT_NAME, CLIENT_ORDER_ID, type Durability, type JournalListener } from './types.ts';

let directory: string;
let open: SqliteJournal[];
beforeEach(() => {
  directory = temporaryDirectory();
  open = [];
});
afterEach(() => {
  vi.restoreAllMocks();
  for (const journal of open) journal.close();
  rmSync(directory, { recursive: true, force: true });
});

function openJournal(durability: Durability = 'commit'): SqliteJournal {
  const journal = SqliteJournal.open(directory, durability);
  open.push(journal);
  return journal;
}

function closeJournal(journal: SqliteJournal): void {
  open = open.filter((other) => other !== journal);
  journal.close();
}

/** A listener that keeps what it hears. */
function listenTo(journal: SqliteJournal): { heard: unknown[] } {
  const heard: unknown[] = [];
  const listener: JournalListener = {
    durable: (sequence, commands, nanos) => {
      expect(nanos).toBeGreaterThan(0);
      heard.push([sequence, commands]);
    },
    failed: ({ code }) => heard.push(code),
  };
  journal.listen(listener);
  return { heard };
}

/** Makes the next insert of a batch fail as SQLite would. */
function failNextInsert(code: string): void {
  const probe = new Database(':memory:');
  const prototype = Object.getPrototypeOf(probe.prepare('SELECT 1')) as Database.Statement;
  probe.close();
  vi.spyOn(prototype, 'run').mockImplementationOnce(() => {
    throw new Database.SqliteError('as told', code);
  });
}

/** Changes the database behind the journal's back. */
function tamper(sql: string): void {
  const database = new Database(join(directory, 'journal.db'));
  database.exec(sql);
  database.close();
}

describe('the commands before a time', () => {
  it('are found to a batch', async () => {
    const journal = openJournal();
    expect(journal.queries.lastSequenceBefore(1)).toBe(0);
    // The time of each is its sequence.
    for (let first = 1; first <= 100; first += 10) await append(journal, first, first + 9);
    const found = [0, 1, 10, 11, 12, 21, 55, 100, 1000].map((timestamp) => journal.queries.lastSequenceBefore(timestamp));
    expect(found).toEqual([0, 0, 0, 0, 10, 10, 50, 90, 90]);
  });
});

describe('SqliteJournal', () => {
  it('gives back what was pushed, across batches and restarts', async () => {
    let journal = openJournal();
    await append(journal, 1, 3);
    await append(journal, 4, 9000);
    await append(journal, 9001, 20_000);
    closeJournal(journal);
    journal = openJournal();
    expect(journal.durableSequence).toBe(20_000);
    const all = journal.read(1, 100_000);
    expect(sequences(all)).toEqual(upTo(20_000));
    expect(all.map(({ lastSequence }) => lastSequence)).toEqual([3, 8195, 9000, 17_192, 20_000]);
    expect(journal.read(2, 1).map(({ firstSequence, lastSequence }) => [firstSequence, lastSequence])).toEqual([[1, 3]]);
    expect(journal.read(4, 8193).map(({ firstSequence }) => firstSequence)).toEqual([4, 8196]);
    expect(journal.read(20_001, 10)).toEqual([]);
    await append(journal, 20_001, 20_001);
    expect(sequences(journal.read(20_001, 10))).toEqual([20_001]);
  });

  it('keeps the texts of a command with it', async () => {
    const journal = openJournal();
    push(journal, 1, 1);
    journal.ring.text(CLIENT_ORDER_ID, 'mine');
    journal.ring.text(ACCOUNT_NAME, 'zoë');
    push(journal, 2, 2);
    await nextTick();
    expect(journal.read(1, 10).map(({ texts }) => texts)).toEqual([
      [
        { sequence: 2, kind: CLIENT_ORDER_ID, text: 'mine' },
        { sequence: 2, kind: ACCOUNT_NAME, text: 'zoë' },
      ],
    ]);
  });

  it('commits once a tick and tells it after', async () => {
    const journal = openJournal('commit');
    const { heard } = listenTo(journal);
    push(journal, 1, 10);
    expect([journal.durableSequence, journal.ring.waiting, heard]).toEqual([0, 10, []]);
    await nextTick();
    expect([journal.durableSequence, journal.ring.waiting, heard]).toEqual([10, 0, [[10, 10]]]);
    expect(journal.read(1, 100)).toHaveLength(1);
  });

  it('gathers more for a commit while it is told to', async () => {
    const journal = openJournal('memory');
    const database = new Database(join(directory, 'journal.db'));
    const memory = ringMemory();
    const ring = new SharedCommandRing(memory);
    const told: number[] = [];
    let spacingMs = 50;
    const events = { committed: (sequence: number) => told.push(sequence), failed: () => told.push(-1) };
    const committer = new InlineCommitter(database, ring, 0, bufferPoolMemory(), events, () => spacingMs);
    const one = (): void => {
      encodeCommand(ring.slots, ring.at(), 1, { kind: CANCEL_ORDER, account: 0, orderId: 1 });
      ring.push();
      committer.flush();
    };
    one();
    await nextTick();
    one();
    await nextTick();
    expect(told).toEqual([]);
    await expect.poll(() => told, { timeout: 5000 }).toEqual([2]);
    spacingMs = 0;
    one();
    await nextTick();
    expect(told).toEqual([2, 3]);
    one();
    expect(committer.close()).toBeUndefined();
    await nextTick();
    expect([committer.committed, told]).toEqual([4, [2, 3]]);
    database.close();
    expect(journal.read(1, 10)).toHaveLength(3);
  });

  it('leaves a tick that finds others writing to the next', async () => {
    const journal = openJournal('commit');
    const { heard } = listenTo(journal);
    const other = new Database(join(directory, 'journal.db'));
    other.exec('BEGIN IMMEDIATE');
    await append(journal, 1, 5);
    await append(journal, 6, 8);
    expect([journal.durableSequence, journal.ring.waiting, heard]).toEqual([0, 8, []]);
    other.exec('COMMIT');
    other.close();
    await nextTick();
    expect([journal.durableSequence, heard]).toEqual([8, [[8, 8]]]);
    expect(journal.read(1, 100).map(({ lastSequence }) => lastSequence)).toEqual([5, 8]);
  });

  it('counts what is pushed as durable with memory, and tells it after the tick', async () => {
    const journal = openJournal('memory');
    const { heard } = listenTo(journal);
    push(journal, 1, 10);
    expect([journal.durableSequence, heard]).toEqual([10, []]);
    await nextTick();
    expect([journal.durableSequence, heard]).toEqual([10, [[10, 10]]]);
  });

  it.each([
    ['SQLITE_FULL', 'HFT_JOURNAL_FULL'],
    ['SQLITE_IOERR_WRITE', 'HFT_JOURNAL_FAILED'],
  ])('tells %s once as %s, writes nothing after it, and has all before it', async (sqlite, code) => {
    const journal = openJournal();
    const { heard } = listenTo(journal);
    await append(journal, 1, 5);
    failNextInsert(sqlite);
    await append(journal, 6, 8);
    await append(journal, 9, 9);
    expect(heard).toEqual([[5, 5], code]);
    expect([journal.durableSequence, journal.ring.waiting]).toEqual([5, 4]);
    closeJournal(journal);
    expect(sequences(openJournal().read(1, 100))).toEqual(upTo(5));
  });

  it('writes what waits when it is closed', () => {
    const journal = openJournal();
    push(journal, 1, 4);
    closeJournal(journal);
    expect(sequences(openJournal().read(1, 100))).toEqual(upTo(4));
  });

  it('keeps instruments and state hashes', () => {
    let journal = openJournal();
    const instrument = { id: 0, symbol: 'BTC-USD', tickSize: '0.01', lotSize: '0.1' };
    journal.addInstruments([instrument]);
    journal.recordStateHash(7, 'aa', 1);
    journal.recordStateHash(7, 'bb', 2);
    closeJournal(journal);
    journal = openJournal();
    expect(journal.queries.instruments()).toEqual([instrument]);
    expect([...journal.queries.stateHashes()]).toEqual([[7, 'bb']]);
    expect(journal.probe()).toBe(true);
    expect(journal.sizeBytes()).toBeGreaterThan(4096);
  });

  it('refuses a second holder of the directory by name, and frees it on close', () => {
    const journal = openJournal();
    expect(() => SqliteJournal.open(directory, 'disk')).toThrow(
      expect.objectContaining({ code: 'HFT_JOURNAL_LOCKED', message: expect.stringContaining(`pid ${process.pid}`) }),
    );
    closeJournal(journal);
    expect(openJournal().durableSequence).toBe(0);
  });

  it.each([
    [
      'a flipped bit in a batch',
      "UPDATE batches SET records = CAST(substr(records, 1, 40) || x'ff' || substr(records, 42) AS BLOB) WHERE lastSequence = 2",
      'does not match its checksum',
    ],
    ['a missing first batch', 'DELETE FROM batches WHERE lastSequence = 2', 'sequence 1 is missing, 3 follows'],
    ['a missing batch', 'DELETE FROM batches WHERE lastSequence = 3', 'sequence 3 is missing, 4 follows'],
    ['a batch under other sequences', 'UPDATE batches SET firstSequence = 4, lastSequence = 5 WHERE lastSequence = 4', 'holds 1 commands'],
  ])('tells %s', async (_name, sql, message) => {
    const journal = openJournal();
    await append(journal, 1, 2);
    await append(journal, 3, 3);
    await append(journal, 4, 4);
    closeJournal(journal);
    tamper(sql);
    const damaged = openJournal();
    expect(() => damaged.read(1, 100)).toThrow(
      expect.objectContaining({ code: 'HFT_JOURNAL_CORRUPT', message: expect.stringContaining(message) }),
    );
  });

  it('refuses a file that is no database, and those of other engines', () => {
    closeJournal(openJournal());
    tamper('PRAGMA user_version = 99');
    expect(() => openJournal()).toThrow(
      expect.objectContaining({ code: 'HFT_JOURNAL_TOO_NEW', message: expect.stringContaining('schema version 99') }),
    );
    for (const version of [1, 2]) {
      tamper(`PRAGMA user_version = ${version}`);
      expect(() => openJournal()).toThrow(
        expect.objectContaining({ code: 'HFT_JOURNAL_TOO_OLD', message: expect.stringContaining(`schema version ${version}`) }),
      );
    }
    writeFileSync(join(directory, 'journal.db'), 'this is no database, this is no database, this is no database'.repeat(200));
    expect(() => openJournal()).toThrow(expect.objectContaining({ code: 'HFT_JOURNAL_CORRUPT' }));
  });

  it('does not begin anew where there was a journal', () => {
    closeJournal(openJournal());
    rmSync(join(directory, 'journal.db'));
    const lost = expect.objectContaining({
      code: 'HFT_JOURNAL_CORRUPT',
      message: expect.stringContaining('lock.db shows that it was there'),
    });
    expect(() => openJournal()).toThrow(lost);
    expect(() => openJournal()).toThrow(lost);
    rmSync(join(directory, 'lock.db'));
    writeFileSync(join(directory, 'journal.db-wal'), 'orders');
    expect(() => openJournal()).toThrow(expect.objectContaining({ message: expect.stringContaining('journal.db-wal shows') }));
    writeFileSync(join(directory, 'journal.db'), '');
    expect(() => openJournal()).toThrow(expect.objectContaining({ message: expect.stringContaining('journal.db is empty but') }));
    rmSync(join(directory, 'journal.db-wal'));
    for (const file of ['journal.db', 'lock.db']) rmSync(join(directory, file));
    writeSnapshot(directory, { sequence: 7, timestampMicros: 1, stateHash: '0'.repeat(16), words: new Float64Array(), accounts: [] });
    expect(() => openJournal()).toThrow(expect.objectContaining({ message: expect.stringContaining('snapshots shows that it was there') }));
    rmSync(join(directory, 'snapshots'), { recursive: true });
    expect(openJournal().durableSequence).toBe(0);
  });
});
