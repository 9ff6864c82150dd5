/**
 * The journal in SQLite. What is pushed in one event-loop tick is one group commit: a transaction for each batch, one BLOB with its checksum. Where a
 * commit waits for the disk, a thread of its own makes it; otherwise it is made on the caller's thread, after the tick.
 */
import { closeSync, openSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type Database from 'better-sqlite3';
import { bufferPoolMemory } from '../pools/buffer-pool.ts';
import type { LeakWatch } from '../pools/leak-watch.ts';
import { BatchReader } from './batch-reader.ts';
import { stateHashSeal } from './chain.ts';
import { ringMemory, SharedCommandRing } from './command-ring.ts';
import type { CommitEvents, Committer } from './committer.ts';
import { acceptLoss, examine, finishCut } from './cut.ts';
import { InlineCommitter } from './inline-committer.ts';
import { lockDirectory, type DirectoryLock } from './lock.ts';
import { Maintenance } from './maintenance.ts';
import { JOURNAL_FILE, openWal, prepareDirectory, refuseLoss } from './open-database.ts';
import { JournalQueries } from './queries.ts';
import { migrate } from './schema.ts';
import { asJournalError, corrupt } from './sqlite-errors.ts';
import { JournalError, type Durability, type InstrumentRecord, type Journal, type JournalBatch, type JournalListener } from './types.ts';
import { WorkerCommitter } from './worker-committer.ts';

/** The WAL is copied back into the database once it has grown by this much: little at a time, so that no commit waits long behind it at the disk. */
const CHECKPOINT_BYTES = 4 * 1024 * 1024;
/** It begins anew once it has grown by this much, or by this part of a small volume. */
const RESTART_BYTES = 64 * 1024 * 1024;
const RESTART_PART = 1 / 16;
/** How many times as large it must be before commits keep apart, and by how much. */
const LARGE_LOG_RESTARTS = 4;
const LARGE_LOG_SPACING_MS = 2;
/** Up to this size the whole database is checked page by page at start; beyond it the checksums of the batches have to do. */
const QUICK_CHECK_BYTES = 64 * 1024 * 1024;
/** What a probe writes to see whether there is room again. */
const PROBE_BYTES = 256 * 1024;
/** How long rare work waits for whoever writes or checkpoints. */
const BUSY_WAIT_MS = 5000;

export class SqliteJournal implements Journal {
  readonly durability: Durability;
  readonly ring: SharedCommandRing;
  readonly queries: JournalQueries;
  /** What was found at the opening and passed over, for people. */
  readonly warnings: readonly string[];
  readonly #database: Database.Database;
  /** The database, for who syncs it. Closing it gives up the locks that this process has on it by whatever connection: so it is closed after all of those. */
  readonly #file: number;
  readonly #lock: DirectoryLock;
  readonly #path: string;
  readonly #batches: BatchReader;
  readonly #committer: Committer;
  /** Figures of the buffers that batches are written through: `bufferFigures` reads them. */
  readonly bufferMemory = bufferPoolMemory();
  /** undefined where nobody else can open the database. */
  readonly #maintenance: Maintenance | undefined;
  #listener: JournalListener | undefined;
  #failed = false;
  readonly #restartBytes: number;
  #bytesSinceCheckpoint = 0;
  #bytesSinceRestart = 0;
  #checkpointing = false;
  #checkpointFailure: unknown;

  /**
   * Opens the journal in `directory`, making both when they are not there. Throws JournalError when another process has it, when it is
   * corrupt, or when an engine of another schema wrote it. `acceptLossAfter` is the last sequence to keep of one that is damaged behind it; `file` what
   * {@link handOver} gave.
   */
  static open(
    directory: string,
    durability: Durability,
    { acceptLossAfter, file }: { acceptLossAfter?: number | undefined; file?: number | undefined } = {},
  ): SqliteJournal {
    prepareDirectory(directory);
    let lock: DirectoryLock | undefined;
    try {
      lock = lockDirectory(directory);
      finishCut(directory);
      const path = join(directory, JOURNAL_FILE);
      const warnings = acceptLossAfter === undefined ? [] : acceptLoss(directory, acceptLossAfter);
      const torn = refuseLoss(path);
      const journal = new SqliteJournal(path, durability, lock, warnings, file);
      if (torn)
        warnings.push(`the write-ahead log ended within a commit, which was cut: the journal ends at sequence ${journal.durableSequence}`);
      return journal;
    } catch (cause) {
      lock?.release();
      throw asJournalError(cause, directory);
    }
  }

  private constructor(path: string, durability: Durability, lock: DirectoryLock, warnings: string[], file: number | undefined) {
    this.warnings = warnings;
    this.durability = durability;
    this.#path = path;
    this.#lock = lock;
    const { database, shared } = openWal(path, durability);
    this.#database = database;
    try {
      this.#file = file ?? openSync(path, 'r+');
    } catch (cause) {
      database.close();
      throw cause;
    }
    try {
      if (statSync(path).size <= QUICK_CHECK_BYTES) {
        const verdict = database.pragma('quick_check(1)', { simple: true });
        if (verdict !== 'ok') throw corrupt(path, String(verdict), examine(database, path).last);
      }
      migrate(database);
      this.queries = new JournalQueries(database);
      this.#batches = new BatchReader(database, path);
      const { blocks, bsize } = statfsSync(path);
      this.#restartBytes = Math.min(RESTART_BYTES, blocks * bsize * RESTART_PART);
      const last = this.queries.lastSequence();
      const memory = ringMemory();
      this.ring = new SharedCommandRing(memory);
      const events: CommitEvents = {
        committed: (sequence, commands, nanos) => this.#listener?.durable(sequence, commands, nanos),
        failed: (cause) => this.#fail(cause),
      };
      this.#setBusyWait(0);
      this.#maintenance = shared ? new Maintenance(path, durability, this.#file) : undefined;
      this.#committer =
        durability === 'disk' && shared
          ? new WorkerCommitter(path, memory, this.ring, last, this.bufferMemory, events)
          : new InlineCommitter(database, this.ring, last, this.bufferMemory, events, () => this.#spacingMs());
    } catch (cause) {
      database.close();
      closeSync(this.#file);
      throw cause;
    }
  }

  /** With durability `memory` a command counts as soon as it is pushed. */
  get durableSequence(): number {
    const { committed } = this.#committer;
    return this.durability === 'memory' && !this.#failed ? committed + this.ring.waiting : committed;
  }

  /** Finds buffers of this thread that are not given back; undefined unless they are watched. */
  get leaks(): LeakWatch | undefined {
    return this.#committer.leaks;
  }

  listen(listener: JournalListener): void {
    this.#listener = listener;
  }

  flush(): void {
    this.#committer.flush();
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
        .prepare('INSERT OR REPLACE INTO stateHashes (sequence, stateHash, recordedAtMs, seal) VALUES (?, ?, ?, ?)')
        .run(sequence, stateHash, nowMs, stateHashSeal(sequence, stateHash, nowMs)),
    );
  }

  /**
   * Has the log copied back into the database when it has grown enough, in another thread. Call now and then, between ticks. Gives whether it began;
   * throws JournalError when the last one failed: it is tried again with the next call.
   */
  checkpointIfDue(): boolean {
    const failure = this.#checkpointFailure;
    this.#checkpointFailure = undefined;
    if (failure !== undefined) throw asJournalError(failure, this.#path);
    const grown = this.#committer.takeWalBytes();
    this.#bytesSinceCheckpoint += grown;
    this.#bytesSinceRestart += grown;
    const restart = this.#bytesSinceRestart >= this.#restartBytes;
    if (this.#checkpointing || (this.#bytesSinceCheckpoint < CHECKPOINT_BYTES && !restart)) return false;
    if (this.#maintenance === undefined) {
      // Nobody else has the database, and nothing is written meanwhile: the log begins anew.
      this.#guard(() => this.#database.pragma('wal_checkpoint(PASSIVE)'));
      this.#bytesSinceCheckpoint = 0;
      this.#bytesSinceRestart = 0;
    } else void this.#checkpoint(this.#maintenance, restart);
    return true;
  }

  async #checkpoint(maintenance: Maintenance, restart: boolean): Promise<void> {
    const bytes = this.#bytesSinceCheckpoint;
    this.#checkpointing = true;
    try {
      const restarted = await maintenance.checkpoint(restart);
      // Only now: one that fails stays due.
      this.#bytesSinceCheckpoint -= bytes;
      if (restarted) this.#bytesSinceRestart = this.#bytesSinceCheckpoint;
    } catch (cause) {
      this.#checkpointFailure = cause;
    }
    this.#checkpointing = false;
  }

  /** A disk that takes the log back more slowly than it grows would let it grow for ever: then fewer and larger commits write less of it. */
  #spacingMs(): number {
    return this.#bytesSinceRestart < LARGE_LOG_RESTARTS * this.#restartBytes ? 0 : LARGE_LOG_SPACING_MS;
  }

  /**
   * Drops batches whose commands are of times before `beforeMicros`, up to the older of the two newest good snapshots: in another thread, in steps
   * between commits. A batch more may stay. Gives the last sequence that has been dropped, now or before. Rejects with JournalError; what has been
   * dropped until then stays so.
   */
  async compact(beforeMicros: number): Promise<number> {
    return this.#maintenance === undefined ? this.queries.compactedThrough() : await this.#maintenance.compact(beforeMicros);
  }

  /** Whether there is room to write: tries it. Throws JournalError when it fails for another reason. */
  probe(): boolean {
    try {
      this.#guard(() => this.#database.pragma('wal_checkpoint(PASSIVE)'));
    } catch {
      // No room to copy back is no proof that there is no room to append.
    }
    try {
      this.#guard(() => {
        this.#database.prepare('INSERT INTO probe (filler) VALUES (zeroblob(?))').run(PROBE_BYTES);
        this.#database.prepare('DELETE FROM probe').run();
      });
      return true;
    } catch (cause) {
      if (cause instanceof JournalError && cause.code === 'HFT_JOURNAL_FULL') return false;
      throw cause;
    }
  }

  /** Bytes on disk, the WAL included. */
  sizeBytes(): number {
    return [this.#path, `${this.#path}-wal`].reduce((sum, file) => sum + (statSync(file, { throwIfNoEntry: false })?.size ?? 0), 0);
  }

  /** Writes what still waits, folds the WAL in, closes, and gives the directory free. Throws JournalError when what waited could not be written. */
  close(): void {
    this.#close(() => closeSync(this.#file));
  }

  /**
   * As {@link close}, where another connection of this process stays open, whose locks must stay: gives the descriptor of the database, for the next
   * {@link SqliteJournal.open}.
   */
  handOver(): number {
    this.#close(() => undefined);
    return this.#file;
  }

  #close(closeFile: () => void): void {
    const failure = this.#committer.close();
    this.#maintenance?.close();
    try {
      this.#guard(() => this.#database.pragma('wal_checkpoint(TRUNCATE)'));
    } catch {
      // The WAL then stays and is read at the next start.
    }
    this.#database.close();
    closeFile();
    this.#lock.release();
    if (failure !== undefined) throw failure;
  }

  #fail(cause: JournalError): void {
    this.#failed = true;
    this.#listener?.failed(cause);
  }

  /** Work that is rare enough to wait for whoever writes. */
  #guard(work: () => unknown): void {
    this.#setBusyWait(BUSY_WAIT_MS);
    try {
      work();
    } catch (cause) {
      throw asJournalError(cause, this.#path);
    } finally {
      this.#setBusyWait(0);
    }
  }

  #setBusyWait(waitMs: number): void {
    this.#database.pragma(`busy_timeout = ${waitMs}`);
  }
}
