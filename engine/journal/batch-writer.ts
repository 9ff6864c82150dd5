/** Writes what waits in the ring as batches: each one BLOB with its checksum, one transaction. In whatever thread commits. */
import { crc32 } from 'node:zlib';
import Database from 'better-sqlite3';
import type { BufferPool } from '../pools/buffer-pool.ts';
import { batchBytes, encodeBatch } from './batch-blob.ts';
import { TakenCommands, type SharedCommandRing } from './command-ring.ts';

/** Commands of one batch at most: half a megabyte or so, and what is read back at once. */
const MOST_BATCH_COMMANDS = 8192;
const PAGE_BYTES = 4096;
const FRAME_BYTES = 24 + PAGE_BYTES;

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
    this.walBytes += frames(this.#pending.length) * FRAME_BYTES;
    this.#pending = undefined;
    if (this.#buffer !== undefined) this.#buffers.give(this.#buffer);
    return true;
  }
}

/**
 * How many pages a commit of so many bytes writes, on average: the leaf that it is in; now and then, as leaves fill, a new one with its parent and the
 * page of the file's size; and its own pages when it is larger than one. Measured for batches of 1 to 8,000 commands: never less than 0.95 of what
 * was written, at most 1.6 (of batches that take just one page).
 */
function frames(bytes: number): number {
  return 1 + 3 * Math.min(1, bytes / PAGE_BYTES) + (bytes < PAGE_BYTES ? 0 : bytes / PAGE_BYTES);
}
