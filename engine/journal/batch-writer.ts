/** Writes what waits in the ring as batches: each one BLOB with its checksum and its hash in the chain, one transaction. In whatever thread commits. */
import { crc32 } from 'node:zlib';
import Database from 'better-sqlite3';
import type { BufferPool } from '../pools/buffer-pool.ts';
import { batchBytes, encodeBatch } from './batch-blob.ts';
import { CHAIN_HEAD_BYTES, chainLink, ChainFollower, writeChainHead } from './chain.ts';
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
  readonly #database: Database.Database;
  readonly #insert: Database.Statement<[number, number, number, Buffer, number, Buffer]>;
  readonly #taken = new TakenCommands(MOST_BATCH_COMMANDS);
  readonly #buffers: BufferPool;
  /** Of the pool. */
  #buffer: Buffer | undefined;
  /** What was taken and could not be written yet. */
  #pending: Buffer | undefined;
  /** Hash of the last batch, or of the one that is pending. */
  readonly #chain = Buffer.alloc(32);
  /** Instruments that are listed: read with the first batch, before which they are recorded. */
  #listed: { count: number; hash: Buffer } | undefined;

  constructor(database: Database.Database, ring: SharedCommandRing, committed: number, buffers: BufferPool) {
    this.#buffers = buffers;
    this.#ring = ring;
    this.committed = committed;
    this.#database = database;
    this.#insert = database.prepare(
      'INSERT INTO batches (lastSequence, firstSequence, crc32, chain, instruments, records) VALUES (?, ?, ?, ?, ?, ?)',
    );
  }

  /**
   * Commits the next batch; false when nothing waits, or when another connection writes: it is tried again with the next call. Throws what SQLite
   * throws: the batch then keeps its places in the ring.
   */
  commit(): boolean {
    // Not before: what a start lists, it lists before its first command.
    if (this.#pending === undefined && this.#ring.waiting === 0) return false;
    const listed = (this.#listed ??= this.#readChain());
    if (this.#pending === undefined) {
      if (this.#ring.take(this.#taken) === 0) return false;
      this.#pending = this.#encode(listed.hash);
    }
    const last = this.committed + this.#taken.commands;
    try {
      this.#insert.run(last, this.committed + 1, crc32(this.#pending), this.#chain, listed.count, this.#pending);
    } catch (cause) {
      if (cause instanceof Database.SqliteError && cause.code === 'SQLITE_BUSY') return false;
      throw cause;
    }
    this.#ring.release();
    this.committed = last;
    this.walBytes += frames(this.#pending.length + this.#chain.length) * FRAME_BYTES;
    this.#pending = undefined;
    if (this.#buffer !== undefined) this.#buffers.give(this.#buffer);
    return true;
  }

  /** What was taken as a batch, behind what goes before it into its hash. */
  #encode(instruments: Buffer): Buffer {
    const bytes = batchBytes(this.#taken);
    const buffer = this.#buffers.take(CHAIN_HEAD_BYTES + bytes);
    this.#buffer = buffer;
    writeChainHead(buffer, this.#chain, instruments, this.committed + 1, this.committed + this.#taken.commands);
    const blob = encodeBatch(this.#taken, buffer, CHAIN_HEAD_BYTES);
    this.#chain.write(chainLink(buffer.subarray(0, CHAIN_HEAD_BYTES + bytes)), 'latin1');
    return blob;
  }

  /** Where the chain goes on; throws what SQLite throws. */
  #readChain(): { count: number; hash: Buffer } {
    const follower = new ChainFollower(this.#database);
    // A journal whose last row has no hash is damaged: reading it has said so.
    follower.hashBefore(this.committed)?.copy(this.#chain);
    return follower.listed();
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
