/**
 * The journal in SQLite. One group commit is one transaction: one BLOB of records with its checksum, and the rows of the read models. It runs
 * on the caller's thread; `append` is a promise so that a worker thread can take its place.
 */
import { closeSync, existsSync, mkdirSync, openSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import Database from 'better-sqlite3';
import { OPEN } from '../core/types.ts';
import { lockDirectory, type DirectoryLock } from './lock.ts';
import { JournalQueries } from './queries.ts';
import { decodeEntries, encodeEntries } from './records.ts';
import { migrate } from './schema.ts';
import { findWalDamage } from './wal-check.ts';
import { JournalError, type AccountRecord, type InstrumentRecord, type Journal, type JournalBatch, type JournalEntry } from './types.ts';

const FILE = 'journal.db';

export type Durability = 'memory' | 'commit' | 'disk';

/** OFF survives nothing for sure, NORMAL the death of the process, FULL the loss of power. */
const SYNCHRONOUS: Readonly<Record<Durability, string>> = { memory: 'OFF', commit: 'NORMAL', disk: 'FULL' };

/** The WAL is copied back into the database between ticks once it has grown by this much. */
const CHECKPOINT_BYTES = 32 * 1024 * 1024;
/** What the WAL grows by, as measured under load: a commit touches about ten pages, tables and indexes together. */
const BYTES_PER_COMMIT = 40_960;
const BYTES_PER_COMMAND = 1024;
/** Up to this size the whole database is checked page by page at start; beyond it the checksums of the batches have to do. */
const QUICK_CHECK_BYTES = 64 * 1024 * 1024;
/** What a probe writes to see whether there is room again. */
const PROBE_BYTES = 256 * 1024;

type BatchRow = { firstSequence: number; lastSequence: number; crc32: number; records: Buffer };

export class SqliteJournal implements Journal {
  readonly queries: JournalQueries;
  readonly #database: Database.Database;
  readonly #lock: DirectoryLock;
  readonly #path: string;
  readonly #write: (batch: JournalBatch, first: number, last: number) => void;
  readonly #read: Database.Statement<[number, number], BatchRow>;
  #lastSequence: number;
  #bytesSinceCheckpoint = 0;

  /**
   * Opens the journal in `directory`, making both when they are not there. Throws JournalError when another process has it, when it is
   * corrupt, or when a newer engine wrote it.
   */
  static open(directory: string, durability: Durability): SqliteJournal {
    try {
      mkdirSync(directory, { recursive: true });
      refuseVanished(directory);
      // Before the lock's file: that then always shows that there has been a journal.
      closeSync(openSync(join(directory, FILE), 'a'));
    } catch (cause) {
      if (cause instanceof JournalError) throw cause;
      throw new JournalError(
        'HFT_JOURNAL_UNUSABLE',
        `the data directory ${directory} cannot be made or written: ${messageOf(cause)}`,
        cause,
      );
    }
    let lock: DirectoryLock | undefined;
    try {
      lock = lockDirectory(directory);
      const path = join(directory, FILE);
      refuseLoss(path);
      return new SqliteJournal(path, durability, lock);
    } catch (cause) {
      lock?.release();
      throw asJournalError(cause, directory);
    }
  }

  private constructor(path: string, durability: Durability, lock: DirectoryLock) {
    this.#path = path;
    this.#lock = lock;
    this.#database = openWal(path);
    const database = this.#database;
    try {
      database.pragma(`synchronous = ${SYNCHRONOUS[durability]}`);
      // Checkpoints are ours to time: an automatic one stalls the commit that happens to trigger it.
      database.pragma('wal_autocheckpoint = 0');
      database.pragma('cache_size = -32768');
      database.pragma('temp_store = MEMORY');
      if (statSync(path).size <= QUICK_CHECK_BYTES) {
        const verdict = database.pragma('quick_check(1)', { simple: true });
        if (verdict !== 'ok') throw new JournalError('HFT_JOURNAL_CORRUPT', `${path} is damaged: ${String(verdict)}`);
      }
      migrate(database);
      this.queries = new JournalQueries(database);
      this.#write = prepareWrite(database);
      this.#read = database.prepare(
        'SELECT firstSequence, lastSequence, crc32, records FROM batches WHERE lastSequence >= ? ORDER BY lastSequence LIMIT ?',
      );
      this.#lastSequence = this.queries.lastSequence();
    } catch (cause) {
      database.close();
      throw cause;
    }
  }

  get lastSequence(): number {
    return this.#lastSequence;
  }

  append(expectedSequence: number, batch: JournalBatch): Promise<void> {
    try {
      if (expectedSequence !== this.#lastSequence + 1 || batch.entries[0]?.sequence !== expectedSequence) {
        throw new JournalError('HFT_JOURNAL_FENCED', `a batch at ${expectedSequence} does not follow ${this.#lastSequence}`);
      }
      const last = expectedSequence + batch.entries.length - 1;
      this.#write(batch, expectedSequence, last);
      this.#lastSequence = last;
      this.#bytesSinceCheckpoint += BYTES_PER_COMMIT + batch.entries.length * BYTES_PER_COMMAND;
      return Promise.resolve();
    } catch (cause) {
      return Promise.reject(asJournalError(cause, this.#path));
    }
  }

  read(fromSequence: number, limit: number): JournalEntry[] {
    const entries: JournalEntry[] = [];
    let next = fromSequence;
    while (entries.length < limit) {
      const rows = this.#read.all(next, 64);
      for (const row of rows) {
        const batch = this.#check(row);
        for (const entry of batch) {
          if (entry.sequence < fromSequence) continue;
          if (entry.sequence !== next) throw this.#corrupt(`sequence ${next} is missing, ${entry.sequence} follows`);
          entries.push(entry);
          next += 1;
        }
        if (entries.length >= limit) return entries;
      }
      if (rows.length < 64) break;
    }
    return entries;
  }

  #check(row: BatchRow): JournalEntry[] {
    const range = `batch ${row.firstSequence} to ${row.lastSequence}`;
    if (crc32(row.records) !== row.crc32) throw this.#corrupt(`${range} does not match its checksum`);
    const entries = decodeEntries(row.records);
    if (entries[0]?.sequence !== row.firstSequence || entries.at(-1)?.sequence !== row.lastSequence)
      throw this.#corrupt(`${range} holds other sequences`);
    return entries;
  }

  #corrupt(found: string): JournalError {
    return new JournalError(
      'HFT_JOURNAL_CORRUPT',
      `${this.#path} is damaged: ${found}. Restore the directory from a backup; nothing has been changed`,
    );
  }

  /** Lists instruments for good: their ids are in every record. */
  addInstruments(instruments: readonly InstrumentRecord[]): void {
    const insert = this.#database.prepare(
      'INSERT INTO instruments (id, symbol, tickSize, lotSize) VALUES (@id, @symbol, @tickSize, @lotSize)',
    );
    this.#guard(() => this.#database.transaction(() => instruments.forEach((instrument) => insert.run(instrument)))());
  }

  /** Remembers the hash of the matching state at `sequence`; recovery compares it. */
  recordStateHash(sequence: number, stateHash: string, nowMs: number): void {
    this.#guard(() =>
      this.#database
        .prepare('INSERT OR REPLACE INTO stateHashes (sequence, stateHash, recordedAtMs) VALUES (?, ?, ?)')
        .run(sequence, stateHash, nowMs),
    );
  }

  /** Copies the WAL back when it has grown enough. Call between ticks. Gives whether it did. */
  checkpointIfDue(): boolean {
    if (this.#bytesSinceCheckpoint < CHECKPOINT_BYTES) return false;
    this.#database.pragma('wal_checkpoint(PASSIVE)');
    // Only now: one that fails stays due.
    this.#bytesSinceCheckpoint = 0;
    return true;
  }

  /** Whether there is room to write: tries it. Throws JournalError when it fails for another reason. */
  probe(): boolean {
    try {
      this.#database.pragma('wal_checkpoint(PASSIVE)');
    } catch {
      // No room to copy back is no proof that there is no room to append.
    }
    try {
      this.#database.prepare('INSERT INTO probe (filler) VALUES (zeroblob(?))').run(PROBE_BYTES);
      this.#database.prepare('DELETE FROM probe').run();
      return true;
    } catch (cause) {
      const failure = asJournalError(cause, this.#path);
      if (failure.code === 'HFT_JOURNAL_FULL') return false;
      throw failure;
    }
  }

  /** Bytes on disk, the WAL included. */
  sizeBytes(): number {
    return [this.#path, `${this.#path}-wal`].reduce((sum, file) => sum + (statSync(file, { throwIfNoEntry: false })?.size ?? 0), 0);
  }

  /** Folds the WAL in, closes, and gives the directory free. */
  close(): void {
    try {
      this.#database.pragma('wal_checkpoint(TRUNCATE)');
    } catch {
      // The WAL then stays and is read at the next start.
    }
    this.#database.close();
    this.#lock.release();
  }

  #guard(work: () => unknown): void {
    try {
      work();
    } catch (cause) {
      throw asJournalError(cause, this.#path);
    }
  }
}

/** An engine must not begin anew where there was a journal. */
function refuseVanished(directory: string): void {
  const path = join(directory, FILE);
  const traces = [join(directory, 'lock.db'), `${path}-wal`].filter((file) => existsSync(file));
  if (existsSync(path) || traces.length === 0) return;
  throw new JournalError(
    'HFT_JOURNAL_CORRUPT',
    `${path} is missing, and ${traces.join(' and ')} show${traces.length === 1 ? 's' : ''} that it was there: restore the directory from a backup, or remove what is left of it to begin with an empty journal`,
  );
}

/** Refuses what SQLite would pass over: a write-ahead log of which it would drop committed transactions. */
function refuseLoss(path: string): void {
  const log = `${path}-wal`;
  if (statSync(path).size === 0 && (statSync(log, { throwIfNoEntry: false })?.size ?? 0) > 0) {
    throw new JournalError('HFT_JOURNAL_CORRUPT', `${path} is empty but ${log} is not: restore the directory from a backup`);
  }
  const damage = findWalDamage(log);
  if (damage === undefined) return;
  const accept =
    damage.validBytes === undefined
      ? `accept the loss of all that ${log} holds: move it away`
      : `accept the loss of what comes after it: keep a copy of the file and cut it with "truncate --size=${damage.validBytes} ${log}"`;
  throw new JournalError(
    'HFT_JOURNAL_CORRUPT',
    `${log}: ${damage.found}. Restore the directory from a backup, or ${accept}. Nothing has been changed`,
  );
}

/** Opens the database in WAL mode. The index of the WAL is a file that others can share, and memory of this process where the disk is too full for it. */
function openWal(path: string): Database.Database {
  const database = new Database(path, { timeout: 1000 });
  try {
    database.pragma('journal_mode = WAL');
    return database;
  } catch (cause) {
    database.close();
    if (!(cause instanceof Database.SqliteError) || !/^SQLITE_(IOERR_SHM|FULL)/.test(cause.code)) throw cause;
  }
  const alone = new Database(path, { timeout: 1000 });
  try {
    alone.pragma('locking_mode = EXCLUSIVE');
    alone.pragma('journal_mode = WAL');
    return alone;
  } catch (cause) {
    alone.close();
    throw cause;
  }
}

function prepareWrite(database: Database.Database): (batch: JournalBatch, first: number, last: number) => void {
  const account = database.prepare<[AccountRecord]>('INSERT INTO accounts (id, name) VALUES (@id, @name)');
  const records = database.prepare('INSERT INTO batches (lastSequence, firstSequence, crc32, records) VALUES (?, ?, ?, ?)');
  const order = database.prepare(
    `INSERT INTO orders (id, instrument, account, side, type, timeInForce, priceTicks, quantityLots, remainingLots, status, clientOrderId, createdAtMicros)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const change = database.prepare(`UPDATE orders SET remainingLots = ?, status = ? WHERE id = ? AND status = ${OPEN}`);
  const fill = database.prepare(
    'INSERT INTO fills (sequence, idx, instrument, priceTicks, quantityLots, makerOrderId, takerOrderId) VALUES (?, ?, ?, ?, ?, ?, ?)',
  );
  const transaction = database.transaction((batch: JournalBatch, first: number, last: number) => {
    const blob = encodeEntries(batch.entries);
    for (const added of batch.accounts) account.run(added);
    records.run(last, first, crc32(blob), blob);
    for (const o of batch.orders) {
      order.run(
        o.id,
        o.instrument,
        o.account,
        o.side,
        o.type,
        o.timeInForce,
        o.priceTicks,
        o.quantityLots,
        o.remainingLots,
        o.status,
        o.clientOrderId,
        o.createdAtMicros,
      );
    }
    for (const [id, { remainingLots, status }] of batch.changes) {
      if (change.run(remainingLots, status, id).changes !== 1)
        throw new JournalError('HFT_JOURNAL_DIVERGED', `order ${id} is not open in the journal`);
    }
    for (const f of batch.fills) fill.run(f.sequence, f.index, f.instrument, f.priceTicks, f.quantityLots, f.makerOrderId, f.takerOrderId);
  });
  return (batch, first, last) => transaction.immediate(batch, first, last);
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

function asJournalError(cause: unknown, place: string): JournalError {
  if (cause instanceof JournalError) return cause;
  const code = cause instanceof Database.SqliteError ? cause.code : '';
  const message = messageOf(cause);
  if (code === 'SQLITE_FULL')
    return new JournalError('HFT_JOURNAL_FULL', `no room is left for the journal ${place}: make room or enlarge the volume`, cause);
  if (/^SQLITE_(CORRUPT|NOTADB)/.test(code)) {
    return new JournalError(
      'HFT_JOURNAL_CORRUPT',
      `the journal ${place} is damaged: ${message}. Restore the directory from a backup; nothing has been changed`,
      cause,
    );
  }
  if (/^SQLITE_(CANTOPEN|READONLY|PERM)/.test(code)) {
    return new JournalError(
      'HFT_JOURNAL_UNUSABLE',
      `the journal ${place} cannot be opened for writing: ${message}. Check the owner and mode of the directory`,
      cause,
    );
  }
  return new JournalError('HFT_JOURNAL_FAILED', `the journal ${place} cannot be written: ${message}`, cause);
}
