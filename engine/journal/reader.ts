/** The journal as others read it while an engine writes: over a read-only connection of their own, in any thread. */
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { anchoredNames } from './anchor.ts';
import { BatchReader } from './batch-reader.ts';
import { ChainFollower } from './chain.ts';
import { JOURNAL_FILE, MAPPED_BYTES } from './open-database.ts';
import { JournalQueries } from './queries.ts';
import type { PrincipalName } from './principals.ts';
import { requireChain } from './schema.ts';
import { asJournalError } from './sqlite-errors.ts';
import type { InstrumentRecord, JournalBatch } from './types.ts';

/** Batches are read once and in order: a cache would hold what nobody asks for again. */
const CACHE_KIB = 2048;

export class JournalReader {
  readonly #database: Database.Database;
  readonly #path: string;
  readonly #queries: JournalQueries;
  readonly #batches: BatchReader;
  #chain: ChainFollower | undefined;

  /**
   * Throws JournalError, also while the directory has no journal yet, and while the writer found no room for the index of its log, which it then
   * shares with nobody.
   */
  static open(dataDirectory: string): JournalReader {
    const path = join(dataDirectory, JOURNAL_FILE);
    let database: Database.Database | undefined;
    try {
      database = new Database(path, { readonly: true, fileMustExist: true, timeout: 1000 });
      database.pragma(`cache_size = -${CACHE_KIB}`);
      database.pragma(`mmap_size = ${MAPPED_BYTES}`);
      return new JournalReader(database, path);
    } catch (cause) {
      database?.close();
      throw asJournalError(cause, path);
    }
  }

  private constructor(database: Database.Database, path: string) {
    this.#database = database;
    this.#path = path;
    this.#queries = new JournalQueries(database);
    this.#batches = new BatchReader(database, path);
  }

  /** As `Journal.read`, of what is committed now. */
  read(fromSequence: number, limit: number): JournalBatch[] {
    return this.#guard(() => this.#batches.read(fromSequence, limit));
  }

  /** Of all commands that are or were in the journal. */
  lastSequence(): number {
    return this.#guard(() => this.#queries.lastSequence());
  }

  /** Batches up to this sequence have been dropped; 0 when none have. */
  compactedThrough(): number {
    return this.#guard(() => this.#queries.compactedThrough());
  }

  /** Hash of the chain at `sequence`, in hexadecimal; undefined unless a batch ends there. */
  chainAt(sequence: number): string | undefined {
    return this.#guard(() => (this.#chain ??= new ChainFollower(this.#database)).hashBefore(sequence)?.toString('hex'));
  }

  /** Throws JournalError for a journal of before there was a chain, which no engine has been started on since. */
  requireChain(): void {
    this.#guard(() => requireChain(this.#database, this.#path));
  }

  /** Names of principals that commands had introduced which have been dropped. */
  anchoredNames(): PrincipalName[] {
    return this.#guard(() => anchoredNames(this.#database));
  }

  instruments(): InstrumentRecord[] {
    return this.#guard(() => this.#queries.instruments());
  }

  close(): void {
    this.#database.close();
  }

  #guard<Result>(work: () => Result): Result {
    try {
      return work();
    } catch (cause) {
      throw asJournalError(cause, this.#path);
    }
  }
}
