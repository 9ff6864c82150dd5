/** Writes what waits in the ring as batches: each one BLOB with its checksum, one transaction. In whatever thread commits. */
import { crc32 } from 'node:zlib';
import Database from 'better-sqlite3';
import type { BufferPool } from '../pools/buffer-pool.ts';
import { batchBytes, encodeBatch } from './batch-blob.ts';
import { TakenCommands, type SharedCommandRing } from './command-ring.ts';

/** Commands of one batch at most: half a megabyte or so, and what is read back at once. */
const MOST_BATCH_COMMANDS = 8192;
/** What a commit adds to the WAL beyond its batch, at most: 4 to 11 KB were measured, for batches of 1 to 1000 commands. */
const BYTES_PER_COMMIT = 12_288;

export class BatchWriter {
  /** Last sequence in the database. */
  committed: number;
  /** By how much the WAL has grown, about; whoever checkpoints begins anew with 0. */
  walBytes = 0;
  readonly #ring: SharedCommandRing;
  readonly #insert: Database.Statement<[number, number, number, Buffer]>;
  readonly #taken = new TakenCommands(MOST_BATCH_COMMANDS);
  readonly #buffers: BufferPool;
  /** Of the pool. */
  #buffer: Buffer | undefined;
  /** What was taken and could not be written yet. */
  #pending: Buffer | undefined;

  constructor(database: Database.Database, ring: SharedCommandRing, committed: number, buffers: BufferPool) {
    this.#buffers = buffers;
    this.#ring = ring;
    this.committed = committed;
    this.#insert = database.prepare('INSERT INTO batches (lastSequence, firstSequence, crc32, records) VALUES (?, ?, ?, ?)');
  }

  /**
   * Commits the next batch; false when nothing waits, or when another connection writes: it is tried again with the next call. Throws what SQLite
   * throws: the batch then keeps its places in the ring.
   */
  commit(): boolean {
    if (this.#pending === undefined) {
      if (this.#ring.take(this.#taken) === 0) return false;
      this.#buffer = this.#buffers.take(batchBytes(this.#taken));
      this.#pending = encodeBatch(this.#taken, this.#buffer);
    }
    const last = this.committed + this.#taken.commands;
    try {
      this.#insert.run(last, this.committed + 1, crc32(this.#pending), this.#pending);
    } catch (cause) {
      if (cause instanceof Database.SqliteError && cause.code === 'SQLITE_BUSY') return false;
      throw cause;
    }
    this.#ring.release();
    this.committed = last;
    this.walBytes += BYTES_PER_COMMIT + this.#pending.length;
    this.#pending = undefined;
    if (this.#buffer !== undefined) this.#buffers.give(this.#buffer);
    return true;
  }
}
