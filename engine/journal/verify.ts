/** Whether a journal is what was written: every row of its record, over a read-only connection, while an engine runs or not. */
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { anchorFault, readAnchor } from './anchor.ts';
import { BatchReader } from './batch-reader.ts';
import { ChainFollower, stateHashSeal } from './chain.ts';
import { JOURNAL_FILE } from './open-database.ts';
import { JournalQueries } from './queries.ts';
import { requireChain } from './schema.ts';
import { snapshotChains } from './snapshot.ts';
import { asJournalError } from './sqlite-errors.ts';
import { JournalError } from './types.ts';

/** Read in one transaction: some milliseconds. */
const PIECE_COMMANDS = 8192;

/** A place in the chain: the hash of the batch that ends there, in hexadecimal. */
export interface JournalHead {
  readonly sequence: number;
  readonly hash: string;
}

interface JournalWhole {
  readonly head: JournalHead;
  /** The first that is there. */
  readonly firstSequence: number;
  /** Commands up to here have checksums only: they are of before there was a chain. */
  readonly unchainedThrough: number;
}

/**
 * Checks everything that the directory has of its journal against the chain of hashes, against the heads that its snapshots hold, and against `expected`,
 * heads that were told before. Throws JournalError, saying where it is wrong.
 */
export function verifyJournal(dataDirectory: string, expected: readonly JournalHead[] = []): JournalWhole {
  const path = join(dataDirectory, JOURNAL_FILE);
  // Before the journal is looked at: one that is written meanwhile is of what comes after.
  const heads = [...snapshotChains(dataDirectory), ...expected];
  try {
    const database = new Database(path, { readonly: true, fileMustExist: true, timeout: 1000 });
    try {
      requireChain(database, path);
      return verify(database, path, heads);
    } finally {
      database.close();
    }
  } catch (cause) {
    throw asJournalError(cause, path);
  }
}

function verify(database: Database.Database, path: string, heads: readonly JournalHead[]): JournalWhole {
  requireAnchor(database, path);
  const queries = new JournalQueries(database);
  // What is there now: an engine may write as fast as this reads.
  const end = queries.lastSequence();
  const reader = new BatchReader(database, path);
  let sequence = queries.compactedThrough();
  for (let last = -1; sequence < end && sequence > last;) {
    last = sequence;
    sequence = readPiece(reader, queries, sequence);
  }
  return database.transaction(() => verifyRest(database, path, heads, sequence))();
}

/** Reads some batches after `sequence`; gives where they end. In a short transaction: checkpoints wait for those that read, and commits for checkpoints. */
function readPiece(reader: BatchReader, queries: JournalQueries, sequence: number): number {
  try {
    return reader.read(sequence + 1, PIECE_COMMANDS).at(-1)?.lastSequence ?? sequence;
  } catch (cause) {
    // They have just been dropped: the chain goes on where those that are left begin.
    if (cause instanceof JournalError && cause.code === 'HFT_JOURNAL_COMPACTED') return queries.compactedThrough();
    throw cause;
  }
}

/** What is small, in one state of it. All batches up to `read` have been checked. */
function verifyRest(database: Database.Database, path: string, heads: readonly JournalHead[], read: number): JournalWhole {
  requireAnchor(database, path);
  const { throughSequence, unchainedThrough } = readAnchor(database);
  const before = database
    .prepare<[number], { lastSequence: number }>('SELECT lastSequence FROM batches WHERE lastSequence <= ?')
    .get(throughSequence);
  if (before !== undefined) throw wrong(path, `batch ${before.lastSequence} is there, and was compacted`);
  verifyStateHashes(database, path, unchainedThrough);
  const follower = new ChainFollower(database);
  const sequence = Math.max(read, throughSequence);
  for (const head of heads) verifyHead(follower, path, head, { throughSequence, last: sequence });
  const hash = follower.hashBefore(sequence)?.toString('hex') ?? '';
  return { head: { sequence, hash }, firstSequence: throughSequence + 1, unchainedThrough };
}

function requireAnchor(database: Database.Database, path: string): void {
  const fault = anchorFault(database);
  if (fault !== undefined) throw wrong(path, fault);
}

function verifyStateHashes(database: Database.Database, path: string, unchainedThrough: number): void {
  const rows = database.prepare<[], { sequence: number; stateHash: string; recordedAtMs: number; seal: string | null }>(
    'SELECT sequence, stateHash, recordedAtMs, seal FROM stateHashes ORDER BY sequence',
  );
  for (const { sequence, stateHash, recordedAtMs, seal } of rows.all()) {
    if (seal === null && sequence <= unchainedThrough) continue;
    if (seal !== stateHashSeal(sequence, stateHash, recordedAtMs)) throw wrong(path, `the state hash of sequence ${sequence} was changed`);
  }
}

function verifyHead(follower: ChainFollower, path: string, head: JournalHead, journal: { throughSequence: number; last: number }): void {
  const { sequence, hash } = head;
  // What was compacted says nothing any more.
  if (sequence < journal.throughSequence) return;
  if (sequence > journal.last)
    throw wrong(path, `it ends at sequence ${journal.last}, and once went to ${sequence}: what followed was cut off`);
  const found = follower.hashBefore(sequence)?.toString('hex');
  if (found !== hash)
    throw wrong(path, `at sequence ${sequence} its hash is ${found ?? 'none'}, and ${hash} was recorded: it was written anew`);
}

function wrong(path: string, found: string): JournalError {
  return new JournalError('HFT_JOURNAL_CORRUPT', `${path}: ${found}`);
}
