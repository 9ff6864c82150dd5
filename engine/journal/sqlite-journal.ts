/**
 * The journal in SQLite. What is pushed in one event-loop tick is one group commit: a transaction for each batch, one BLOB with its checksum. It runs on
 * the caller's thread, after the tick.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type Database from 'better-sqlite3';
import { BufferPool, bufferPoolMemory } from '../pools/buffer-pool.ts';
import type { LeakWatch } from '../pools/leak-watch.ts';
import { batchBytes, encodeBatch } from './batch-blob.ts';
import { BatchReader } from './batch-reader.ts';
import { SharedCommandRing, TakenCommands } from './command-ring.ts';
import { acceptLoss, examine, finishCut } from './cut.ts';
import { lockDirectory, type DirectoryLock } from './lock.ts';
import { JOURNAL_FILE, openWal, prepareDirectory, refuseLoss } from './open-database.ts';
import { JournalQueries } from './queries.ts';
import { migrate } from './schema.ts';
import { asJournalError, corrupt } from './sqlite-errors.ts';
import type { Durability, InstrumentRecord, Journal, JournalBatch, JournalError, JournalListener } from './types.ts';

/** OFF survives nothing for sure, NORMAL the death of the process, FULL the loss of power. */
const SYNCHRONOUS: Readonly<Record<Durability, string>> = { memory: 'OFF', commit: 'NORMAL', disk: 'FULL' };

/** Commands of one batch at most: half a megabyte or so, and what is read back at once. */
const MOST_BATCH_COMMANDS = 8192;
/** The WAL is copied back into the database between ticks once it has grown by this much. */
const CHECKPOINT_BYTES = 32 * 1024 * 1024;
/** What a commit adds to the WAL beyond its batch, at most: 4 to 11 KB were measured, for batches of 1 to 1000 commands. */
const BYTES_PER_COMMIT = 12_288;
/** Up to this size the whole database is checked page by page at start; beyond it the checksums of the batches have to do. */
const QUICK_CHECK_BYTES = 64 * 1024 * 1024;
/** What a probe writes to see whether there is room again. */
const PROBE_BYTES = 256 * 1024;

export class SqliteJournal implements Journal {
  readonly durability: Durability;
  readonly ring = new SharedCommandRing();
  readonly queries: JournalQueries;
  /** What was found at the opening and passed over, for people. */
  readonly warnings: readonly string[];
  readonly #database: Database.Database;
  readonly #lock: DirectoryLock;
  readonly #path: string;
  readonly #insert: Database.Statement<[number, number, number, Buffer]>;
  readonly #batches: BatchReader;
  readonly #taken = new TakenCommands(MOST_BATCH_COMMANDS);
  /** Figures of the buffers that batches are written through: `bufferFigures` reads them. */
  readonly bufferMemory = bufferPoolMemory();
  readonly #buffers = new BufferPool({ memory: this.bufferMemory });
  #listener: JournalListener | undefined;
  #scheduled: NodeJS.Immediate | undefined;
  #failure: JournalError | undefined;
  /** Last sequence in the database. */
  #committed: number;
  #bytesSinceCheckpoint = 0;

  /**
   * Opens the journal in `directory`, making both when they are not there. Throws JournalError when another process has it, when it is
   * corrupt, or when an engine of another schema wrote it. `acceptLossAfter` is the last sequence to keep of one that is damaged behind it.
   */
  static open(
    directory: string,
    durability: Durability,
    { acceptLossAfter }: { acceptLossAfter?: number | undefined } = {},
  ): SqliteJournal {
    prepareDirectory(directory);
    let lock: DirectoryLock | undefined;
    try {
      lock = lockDirectory(directory);
      finishCut(directory);
      const path = join(directory, JOURNAL_FILE);
      const warnings = acceptLossAfter === undefined ? [] : acceptLoss(directory, acceptLossAfter);
      const torn = refuseLoss(path);
      const journal = new SqliteJournal(path, durability, lock, warnings);
      if (torn)
        warnings.push(`the write-ahead log ended within a commit, which was cut: the journal ends at sequence ${journal.#committed}`);
      return journal;
    } catch (cause) {
      lock?.release();
      throw asJournalError(cause, directory);
    }
  }

  private constructor(path: string, durability: Durability, lock: DirectoryLock, warnings: string[]) {
    this.warnings = warnings;
    this.durability = durability;
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
        if (verdict !== 'ok') throw corrupt(path, String(verdict), examine(database, path).last);
      }
      migrate(database);
      this.queries = new JournalQueries(database);
      this.#insert = database.prepare('INSERT INTO batches (lastSequence, firstSequence, crc32, records) VALUES (?, ?, ?, ?)');
      this.#batches = new BatchReader(database, path);
      this.#committed = this.queries.lastSequence();
    } catch (cause) {
      database.close();
      throw cause;
    }
  }

  /** With durability `memory` a command counts as soon as it is pushed. */
  get durableSequence(): number {
    return this.durability === 'memory' && this.#failure === undefined ? this.#committed + this.ring.waiting : this.#committed;
  }

  /** Finds buffers that are not given back; undefined unless they are watched. */
  get leaks(): LeakWatch | undefined {
    return this.#buffers.leaks;
  }

  listen(listener: JournalListener): void {
    this.#listener = listener;
  }

  flush(): void {
    if (this.#scheduled !== undefined || this.#failure !== undefined) return;
    this.#scheduled = setImmediate(this.#commitTick);
  }

  readonly #commitTick = (): void => {
    this.#scheduled = undefined;
    const before = this.#committed;
    const start = process.hrtime.bigint();
    this.#commitWaiting();
    const commands = this.#committed - before;
    if (commands > 0) this.#listener?.durable(this.#committed, commands, Number(process.hrtime.bigint() - start));
    if (this.#failure !== undefined) this.#listener?.failed(this.#failure);
  };

  /** Writes what waits, batch by batch. A batch that fails keeps its places in the ring, and ends it. */
  #commitWaiting(): void {
    while (this.#failure === undefined && this.ring.take(this.#taken) > 0) {
      const last = this.#committed + this.#taken.commands;
      const buffer = this.#buffers.take(batchBytes(this.#taken));
      const blob = encodeBatch(this.#taken, buffer);
      try {
        this.#insert.run(last, this.#committed + 1, crc32(blob), blob);
      } catch (cause) {
        this.#failure = asJournalError(cause, this.#path);
        return;
      } finally {
        this.#buffers.give(buffer);
      }
      this.ring.release();
      this.#committed = last;
      this.#bytesSinceCheckpoint += BYTES_PER_COMMIT + blob.length;
    }
  }

  read(fromSequence: number, limit: number): JournalBatch[] {
    return this.#batches.read(fromSequence, limit);
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

  /** Writes what still waits, folds the WAL in, closes, and gives the directory free. Throws JournalError when what waited could not be written. */
  close(): void {
    clearImmediate(this.#scheduled);
    const failedBefore = this.#failure !== undefined;
    this.#commitWaiting();
    try {
      this.#database.pragma('wal_checkpoint(TRUNCATE)');
    } catch {
      // The WAL then stays and is read at the next start.
    }
    this.#database.close();
    this.#lock.release();
    if (this.#failure !== undefined && !failedBefore) throw this.#failure;
  }

  #guard(work: () => unknown): void {
    try {
      work();
    } catch (cause) {
      throw asJournalError(cause, this.#path);
    }
  }
}
