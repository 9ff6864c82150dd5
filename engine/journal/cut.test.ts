import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../testing/temporary-directory.ts';
import { SqliteJournal } from './sqlite-journal.ts';
import { append, sequences, upTo } from './commands.test-support.ts';

const INSTRUMENT = { id: 0, symbol: 'BTC-USD', tickSize: '0.01', lotSize: '1' };
let directory: string;

/** Batches 1 to 2, 3, 4 to 6, 7. */
beforeEach(async () => {
  directory = temporaryDirectory();
  const journal = SqliteJournal.open(directory, 'memory');
  journal.addInstruments([INSTRUMENT]);
  await append(journal, 1, 2);
  await append(journal, 3, 3);
  await append(journal, 4, 6);
  await append(journal, 7, 7);
  journal.recordStateHash(3, 'aa', 1);
  journal.recordStateHash(7, 'bb', 1);
  journal.close();
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function tamper(sql: string): void {
  const database = new Database(join(directory, 'journal.db'));
  database.exec(sql);
  database.close();
}

/** What a journal holds, or why it cannot be opened or read. */
function contents(acceptLossAfter?: number) {
  let journal: SqliteJournal | undefined;
  try {
    journal = SqliteJournal.open(directory, 'memory', { acceptLossAfter });
    const { warnings, durableSequence, queries } = journal;
    return {
      warnings,
      durableSequence,
      sequences: sequences(journal.read(1, 100)),
      instruments: queries.instruments(),
      hashes: [...queries.stateHashes()],
    };
  } catch (cause) {
    return String(cause);
  } finally {
    journal?.close();
  }
}

describe('a damaged journal', () => {
  it.each([
    ['a changed batch', 'UPDATE batches SET crc32 = crc32 + 1 WHERE lastSequence = 6', 3],
    ['a missing batch', 'DELETE FROM batches WHERE lastSequence = 3', 2],
    ['a batch that is none', "UPDATE batches SET records = x'00', crc32 = 3523407757 WHERE lastSequence = 7", 6],
    ['nothing good', 'UPDATE batches SET crc32 = 0', 0],
  ])('with %s is given up after the sequence that it names, and no other', (_name, sql, keep) => {
    tamper(sql);
    const advice = `--accept-loss-after ${keep} to give up`;
    expect(contents()).toContain(advice);
    expect(contents(keep + 1)).toContain(advice);
    expect(contents(keep - 1)).toContain(advice);
    expect(contents(keep)).toEqual({
      warnings: [expect.stringContaining(`the journal was cut after sequence ${keep}; what was damaged is in ${directory}`)],
      durableSequence: keep,
      sequences: upTo(keep),
      instruments: [INSTRUMENT],
      hashes: keep >= 3 ? [[3, 'aa']] : [],
    });
    expect(contents()).toMatchObject({ warnings: [], sequences: upTo(keep) });
  });

  it('whose pages are damaged is cut before them', () => {
    const path = join(directory, 'journal.db');
    const bytes = readFileSync(path);
    // Where the cells of the table's only page are.
    const database = new Database(path, { readonly: true });
    const root = Number(database.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'batches'").pluck().get());
    database.close();
    bytes.fill(0xff, (root - 1) * 4096 + 8, (root - 1) * 4096 + 16);
    writeFileSync(path, bytes);
    const keep = Number(/--accept-loss-after ([0-9]+)/.exec(JSON.stringify(contents()))?.[1]);
    expect(keep).toBeLessThan(7);
    expect(contents(keep)).toMatchObject({ durableSequence: keep, sequences: upTo(keep), instruments: [INSTRUMENT] });
  });

  it('that is not damaged gives nothing up', () => {
    expect(contents(3)).toMatchObject({
      warnings: ['nothing of the journal is damaged: --accept-loss-after 3 was not needed, and nothing was given up'],
      sequences: upTo(7),
    });
  });

  it('that is new has nothing to give up', () => {
    rmSync(directory, { recursive: true });
    mkdirSync(directory);
    expect(contents(3)).toMatchObject({ durableSequence: 0 });
  });

  it('takes its new place also after a crash in between', () => {
    tamper('UPDATE batches SET crc32 = 0 WHERE lastSequence = 7');
    expect(contents(6)).toMatchObject({ sequences: upTo(6) });
    const kept = readdirSync(directory).find((name) => name.startsWith('damaged-')) ?? '';
    // As it was when the damaged file had been moved away and its log had not.
    renameSync(join(directory, 'journal.db'), join(directory, 'journal.db.cut'));
    writeFileSync(join(directory, 'journal.db-wal'), 'the log of the damaged file');
    expect(contents()).toMatchObject({ sequences: upTo(6) });
    const both = readdirSync(directory).filter((name) => name.startsWith('damaged-'));
    expect(both).toHaveLength(2);
    const other = both.find((name) => name !== kept) ?? '';
    expect(readFileSync(join(directory, other, 'journal.db-wal'), 'utf8')).toBe('the log of the damaged file');
    expect(statSync(join(directory, kept, 'journal.db')).size).toBeGreaterThan(0);
    expect(existsSync(join(directory, 'journal.db.cut'))).toBe(false);
  });
});
