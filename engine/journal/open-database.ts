/** Opening the file of the journal: what is refused before SQLite sees it, and how SQLite opens it. */
import { closeSync, existsSync, mkdirSync, openSync, statSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { JournalQueries } from './queries.ts';
import { snapshotDirectory, snapshotSequences } from './snapshot.ts';
import { corrupt, messageOf } from './sqlite-errors.ts';
import { examineWal } from './wal-check.ts';
import { JournalError, type Durability } from './types.ts';

export const JOURNAL_FILE = 'journal.db';
/** A journal that has been cut and is whole, and has not taken the place of the damaged one yet. */
export const CUT_FILE = 'journal.db.cut';

/** Makes the directory and the file when they were never there. Throws JournalError when they cannot be, or were and have vanished. */
export function prepareDirectory(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true });
    const path = join(directory, JOURNAL_FILE);
    if (existsSync(path) || existsSync(join(directory, CUT_FILE))) return;
    refuseVanished(directory);
    // Before the lock's file: that then always shows that there has been a journal.
    closeSync(openSync(path, 'a'));
  } catch (cause) {
    if (cause instanceof JournalError) throw cause;
    throw new JournalError('HFT_JOURNAL_UNUSABLE', `the data directory ${directory} cannot be made or written: ${messageOf(cause)}`, cause);
  }
}

/** An engine must not begin anew where there was a journal. */
function refuseVanished(directory: string): void {
  const path = join(directory, JOURNAL_FILE);
  const traces = [join(directory, 'lock.db'), `${path}-wal`].filter((file) => existsSync(file));
  if (snapshotSequences(directory).length > 0) traces.push(snapshotDirectory(directory));
  if (traces.length === 0) return;
  throw new JournalError(
    'HFT_JOURNAL_CORRUPT',
    `${path} is missing, and ${traces.join(' and ')} show${traces.length === 1 ? 's' : ''} that it was there: restore the directory from a backup, or remove what is left of it to begin with an empty journal`,
  );
}

/**
 * Refuses what SQLite would pass over: a write-ahead log of which it would drop committed transactions. Gives whether it will drop one that was torn
 * before its commit.
 */
export function refuseLoss(path: string): boolean {
  const log = `${path}-wal`;
  if (statSync(path).size === 0 && (statSync(log, { throwIfNoEntry: false })?.size ?? 0) > 0) {
    throw new JournalError('HFT_JOURNAL_CORRUPT', `${path} is empty but ${log} is not: restore the directory from a backup`);
  }
  const { damage, torn } = examineWal(log);
  if (damage !== undefined) throw corrupt(path, `in its write-ahead log ${damage}`, lastReadable(path));
  return torn;
}

/** Last sequence of what SQLite still reads of a damaged journal; undefined when it reads nothing. Changes nothing. */
function lastReadable(path: string): number | undefined {
  try {
    const database = new Database(path, { readonly: true });
    try {
      return new JournalQueries(database).lastSequence();
    } finally {
      database.close();
    }
  } catch {
    return undefined;
  }
}

/** OFF survives nothing for sure, NORMAL the death of the process, FULL the loss of power. */
const SYNCHRONOUS: Readonly<Record<Durability, string>> = { memory: 'OFF', commit: 'NORMAL', disk: 'FULL' };
/** Batches are written once, and read once and in order: a cache would hold what nobody asks for again. */
const CACHE_KIB = 4096;
/**
 * Mapped where batches are read: a tenth less work than copying them. It is the kernel's memory, which takes it back when it is needed, but counts as the
 * process's once for each connection; so no more than this.
 */
export const MAPPED_BYTES = 64 * 1024 * 1024;
/** What a log that has grown beyond it is cut back to when it begins anew. */
const LOG_BYTES = 128 * 1024 * 1024;
/** How long a connection waits at its opening for one that is closing. */
const OPEN_WAIT_MS = 1000;

/**
 * Opens the database in WAL mode. The index of the WAL is a file that others can share, and memory of this process where the disk is too full for it:
 * nobody else can open the database then.
 */
export function openWal(path: string, durability: Durability): { database: Database.Database; shared: boolean } {
  const database = new Database(path, { timeout: OPEN_WAIT_MS });
  try {
    database.pragma('journal_mode = WAL');
    configure(database, durability);
    database.pragma(`mmap_size = ${MAPPED_BYTES}`);
    return { database, shared: true };
  } catch (cause) {
    database.close();
    if (!(cause instanceof Database.SqliteError) || !/^SQLITE_(IOERR_SHM|FULL)/.test(cause.code)) throw cause;
  }
  const alone = new Database(path, { timeout: OPEN_WAIT_MS });
  try {
    alone.pragma('locking_mode = EXCLUSIVE');
    alone.pragma('journal_mode = WAL');
    configure(alone, durability);
    return { database: alone, shared: false };
  } catch (cause) {
    alone.close();
    throw cause;
  }
}

/** One more connection to a database that {@link openWal} has opened, for another thread; it waits so long for those that write. */
export function openAnother(path: string, durability: Durability, waitMs: number): Database.Database {
  const database = new Database(path, { timeout: waitMs, fileMustExist: true });
  configure(database, durability);
  return database;
}

function configure(database: Database.Database, durability: Durability): void {
  database.pragma(`synchronous = ${SYNCHRONOUS[durability]}`);
  // Checkpoints are ours to time: an automatic one stalls the commit that happens to trigger it.
  database.pragma('wal_autocheckpoint = 0');
  database.pragma(`journal_size_limit = ${LOG_BYTES}`);
  database.pragma(`cache_size = -${CACHE_KIB}`);
  database.pragma('temp_store = MEMORY');
}
