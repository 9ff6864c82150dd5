/** Locks that another program would look at before it takes the write-ahead log for its own. */
import { readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { temporaryDirectory } from '../testing/temporary-directory.ts';
import { JOURNAL_FILE } from './open-database.ts';
import { JournalReader } from './reader.ts';
import { SqliteJournal } from './sqlite-journal.ts';

let directory: string;
beforeEach(() => (directory = temporaryDirectory()));
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** How many locks this process has on the database. */
function locks(): number {
  const { ino } = statSync(join(directory, JOURNAL_FILE));
  return readFileSync('/proc/locks', 'utf8')
    .split('\n')
    .filter((line) => line.includes(` ${process.pid} `) && line.includes(`:${ino} `)).length;
}

it('stay with a reader while the journal is closed and opened again under it', () => {
  const journal = SqliteJournal.open(directory, 'commit');
  const reader = JournalReader.open(directory);
  expect(reader.lastSequence()).toBe(0);
  expect(locks()).toBeGreaterThan(0);
  const file = journal.handOver();
  expect(locks()).toBeGreaterThan(0);
  const again = SqliteJournal.open(directory, 'commit', { file });
  expect(locks()).toBeGreaterThan(0);
  reader.close();
  again.close();
  expect(locks()).toBe(0);
});
