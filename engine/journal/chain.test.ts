import { rmSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../testing/temporary-directory.ts';
import { anchoredNames } from './anchor.ts';
import { append, sequences, upTo } from './commands.test-support.ts';
import { compactionStep } from './compaction.ts';
import { JournalReader } from './reader.ts';
import { SqliteJournal } from './sqlite-journal.ts';
import { PRINCIPAL_NAME, type Durability } from './types.ts';
import { verifyJournal } from './verify.ts';

let directory: string;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

async function write(first: number, last: number, durability: Durability = 'commit'): Promise<void> {
  const journal = SqliteJournal.open(directory, durability);
  for (let sequence = first; sequence <= last; sequence += 1) await append(journal, sequence, sequence);
  journal.close();
}

function tamper(sql: string): void {
  const database = new Database(join(directory, 'journal.db'));
  database.exec(sql);
  database.close();
}

/** As version 3 of the format had it. */
const UNCHAIN = `
  ALTER TABLE batches DROP COLUMN chain;
  ALTER TABLE batches DROP COLUMN instruments;
  ALTER TABLE stateHashes DROP COLUMN seal;
  ALTER TABLE compaction DROP COLUMN chain;
  ALTER TABLE compaction DROP COLUMN unchainedThrough;
  ALTER TABLE compaction DROP COLUMN seal;
  DROP TABLE principals;
  PRAGMA user_version = 3`;

describe('the chain of a journal', () => {
  it('goes on over restarts and both ways to commit', async () => {
    await write(1, 3);
    await write(4, 6, 'disk');
    await write(7, 9, 'memory');
    expect(verifyJournal(directory)).toMatchObject({ head: { sequence: 9 }, firstSequence: 1, unchainedThrough: 0 });
  });

  it('keeps a journal whose chain is broken from being read, and is cut where it breaks', async () => {
    await write(1, 6);
    tamper('UPDATE batches SET chain = zeroblob(32) WHERE lastSequence = 4');
    const journal = SqliteJournal.open(directory, 'commit');
    expect(() => journal.read(1, 100)).toThrow('batch 4 to 4 has another hash');
    // As recovery reads it: from wherever the state goes on.
    expect(() => journal.read(4, 100)).toThrow('batch 4 to 4 has another hash');
    journal.close();
    const cut = SqliteJournal.open(directory, 'commit', { acceptLossAfter: 3 });
    await append(cut, 4, 5);
    cut.close();
    expect(verifyJournal(directory).head.sequence).toBe(5);
  });

  it('begins behind what was written before there was one', async () => {
    await write(1, 4);
    tamper(UNCHAIN);
    expect(() => verifyJournal(directory)).toThrow('before there was a chain');
    const reader = JournalReader.open(directory);
    expect(() => reader.requireChain()).toThrow('before there was a chain');
    reader.close();
    await write(5, 8);
    const whole = verifyJournal(directory);
    expect(whole).toMatchObject({ head: { sequence: 8 }, firstSequence: 1, unchainedThrough: 4 });
    const journal = SqliteJournal.open(directory, 'commit');
    expect(sequences(journal.read(1, 100))).toEqual(upTo(8));
    journal.close();
    // Nobody makes it begin later.
    tamper('UPDATE batches SET chain = NULL WHERE lastSequence = 5; UPDATE compaction SET unchainedThrough = 5');
    expect(() => verifyJournal(directory)).toThrow('batch 6 to 6 has another hash');
  });

  it('of a damaged journal of before is cut and begins at the cut', async () => {
    await write(1, 6);
    tamper(`${UNCHAIN}; UPDATE batches SET crc32 = crc32 + 1 WHERE lastSequence = 5`);
    const journal = SqliteJournal.open(directory, 'commit', { acceptLossAfter: 4 });
    await append(journal, 5, 5);
    journal.close();
    expect(verifyJournal(directory)).toMatchObject({ head: { sequence: 5 }, unchainedThrough: 4 });
  });

  it('goes on after a compaction of everything, which keeps the names of principals', async () => {
    const journal = SqliteJournal.open(directory, 'commit');
    journal.ring.text(PRINCIPAL_NAME, 'alice');
    await append(journal, 1, 2);
    journal.close();
    const database = new Database(join(directory, 'journal.db'));
    compactionStep(database, 2);
    expect(anchoredNames(database)).toEqual([[0, 'alice', 1]]);
    database.close();
    await write(3, 4);
    expect(verifyJournal(directory)).toMatchObject({ head: { sequence: 4 }, firstSequence: 3 });
  });
});
