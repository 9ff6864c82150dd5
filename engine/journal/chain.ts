/**
 * The hash chain over the batches. Each row carries the SHA-256 of the hash of the row before it, its sequences, the instruments that were listed, and
 * its records: so no row can be changed, taken out or moved without every later hash being another. It runs per commit, whatever a commit holds.
 *
 * Little-endian: 32 bytes the hash before, double firstSequence, double lastSequence, 32 bytes the SHA-256 of the instruments, the records.
 */
import { createHash, hash } from 'node:crypto';
import type Database from 'better-sqlite3';
import { readAnchor } from './anchor.ts';
import type { InstrumentRecord } from './types.ts';

const HASH_BYTES = 32;
/** Bytes that come before the records in what is hashed. */
export const CHAIN_HEAD_BYTES = 2 * HASH_BYTES + 16;
/** Up to this many bytes a copy costs less than hashing in two parts. */
const MOST_COPIED_BYTES = 8192;

/** What a row says, as far as its hash speaks of it. */
interface ChainedRow {
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly records: Buffer;
  /** NULL in rows of a journal that was made before there was a chain. */
  readonly chain: Buffer | null;
  /** How many instruments were listed. */
  readonly instruments: number;
}

/** What the first hash follows: of a journal whose batches up to `unchainedThrough` were written before there was a chain. */
function chainStart(unchainedThrough: number): Buffer {
  return hash('sha256', `hftengine journal ${unchainedThrough}`, 'buffer');
}

export function writeChainHead(into: Buffer, before: Buffer, instruments: Buffer, firstSequence: number, lastSequence: number): void {
  into.set(before, 0);
  into.writeDoubleLE(firstSequence, HASH_BYTES);
  into.writeDoubleLE(lastSequence, HASH_BYTES + 8);
  into.set(instruments, HASH_BYTES + 16);
}

/** The hash of a row, as Latin-1 text: of a small one that costs a quarter of what a Buffer does. */
export function chainLink(headAndRecords: Buffer): string {
  return hash('sha256', headAndRecords, 'binary');
}

/** The SHA-256 of `count` and of so many instruments. */
function instrumentsHash(instruments: readonly InstrumentRecord[], count: number): Buffer {
  const listed = instruments.slice(0, count).map(({ id, symbol, tickSize, lotSize }) => [id, symbol, tickSize, lotSize]);
  return hash('sha256', JSON.stringify([count, listed]), 'buffer');
}

/** What a recorded state hash is sealed with: it is of no batch. */
export function stateHashSeal(sequence: number, stateHash: string, recordedAtMs: number): string {
  return hash('sha256', `state ${sequence} ${stateHash} ${recordedAtMs}`, 'hex');
}

/** Follows the chain over rows as they are read, in order or from anywhere; one state of the database at a time, while it may grow and lose its beginning. */
export class ChainFollower {
  readonly #rowAt: Database.Statement<[number], { chain: Buffer | null }>;
  readonly #database: Database.Database;
  readonly #instruments: Database.Statement<[], InstrumentRecord>;
  readonly #head = Buffer.alloc(CHAIN_HEAD_BYTES + MOST_COPIED_BYTES);
  readonly #listed = new Map<number, Buffer>();
  /** Of the row that was followed last. */
  #last = -1;
  #hash: Buffer | undefined;
  #unchainedThrough = 0;

  constructor(database: Database.Database) {
    this.#rowAt = database.prepare('SELECT chain FROM batches WHERE lastSequence = ?');
    this.#database = database;
    this.#instruments = database.prepare('SELECT id, symbol, tickSize, lotSize FROM instruments ORDER BY id');
  }

  /** The hash that the row after `sequence` follows; undefined when there is none. */
  hashBefore(sequence: number): Buffer | undefined {
    const anchor = readAnchor(this.#database);
    this.#unchainedThrough = anchor.unchainedThrough;
    if (sequence === anchor.unchainedThrough) return chainStart(sequence);
    return (this.#rowAt.get(sequence) ?? (anchor.throughSequence === sequence ? anchor : undefined))?.chain ?? undefined;
  }

  /** The hash of what is listed now, and how many that are. */
  listed(): { count: number; hash: Buffer } {
    const all = this.#instruments.all();
    return { count: all.length, hash: instrumentsHash(all, all.length) };
  }

  /** What is wrong with the hash of a row; undefined when it follows. */
  faultOf(row: ChainedRow): string | undefined {
    const before = row.firstSequence - 1 === this.#last && this.#hash !== undefined ? this.#hash : this.hashBefore(row.firstSequence - 1);
    const fault = this.#faultAfter(before, row);
    this.#last = fault === undefined ? row.lastSequence : -1;
    this.#hash = row.chain ?? undefined;
    return fault;
  }

  #faultAfter(before: Buffer | undefined, row: ChainedRow): string | undefined {
    if (row.lastSequence <= this.#unchainedThrough)
      return row.chain === null ? undefined : 'has a hash, and is of before there was a chain';
    if (!Buffer.isBuffer(row.chain) || before?.length !== HASH_BYTES) return 'has no hash, or follows none';
    return this.#hashOf(row, before) === row.chain.toString('latin1')
      ? undefined
      : 'has another hash than follows from it and from the batch before it';
  }

  #hashOf({ firstSequence, lastSequence, records, instruments }: ChainedRow, before: Buffer): string {
    const head = this.#head;
    writeChainHead(head, before, this.#listedHash(instruments), firstSequence, lastSequence);
    const bytes = CHAIN_HEAD_BYTES + records.length;
    if (bytes > head.length) return createHash('sha256').update(head.subarray(0, CHAIN_HEAD_BYTES)).update(records).digest('binary');
    head.set(records, CHAIN_HEAD_BYTES);
    return chainLink(head.subarray(0, bytes));
  }

  #listedHash(count: number): Buffer {
    const known = this.#listed.get(count);
    if (known !== undefined) return known;
    const found = instrumentsHash(this.#instruments.all(), count);
    this.#listed.set(count, found);
    return found;
  }
}
