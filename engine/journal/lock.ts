/** One engine a data directory: a lock that the kernel drops with the process, however it ends. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { JournalError } from './types.ts';

export interface DirectoryLock {
  release(): void;
}

/** Takes the lock of `directory` or throws JournalError `HFT_JOURNAL_LOCKED`, naming the holder when it is known. */
export function lockDirectory(directory: string): DirectoryLock {
  const holderFile = join(directory, 'engine.pid');
  // SQLite's exclusive lock is a POSIX lock on the file: it needs no clean-up after a crash, unlike a lock file.
  const database = new Database(join(directory, 'lock.db'), { timeout: 0 });
  try {
    // In a file, it would need room on a disk that may be full.
    database.pragma('journal_mode = MEMORY');
    database.exec('BEGIN EXCLUSIVE');
  } catch (cause) {
    database.close();
    if (!(cause instanceof Database.SqliteError) || !cause.code.startsWith('SQLITE_BUSY')) throw cause;
    const holder = readHolder(holderFile);
    throw new JournalError(
      'HFT_JOURNAL_LOCKED',
      `another engine${holder === '' ? '' : ` (pid ${holder})`} uses the data directory ${directory}: stop it, or give this one its own with --data`,
      cause,
    );
  }
  try {
    writeFileSync(holderFile, `${process.pid}\n`);
  } catch {
    // Only a courtesy to whoever is refused; a full disk must not keep an engine from starting to drain its reads.
  }
  return { release: () => database.close() };
}

function readHolder(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return '';
  }
}
