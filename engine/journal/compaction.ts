/**
 * Dropping old batches. Their pages are used again for new ones: the file stays as large as the most that was ever kept. That costs nothing on the
 * way; a file that shrinks (auto_vacuum) would cost every batch an entry for each of its pages.
 */
import type { Database } from 'better-sqlite3';
import { decodeBatch } from './batch-blob.ts';
import { readAnchor, writeAnchor } from './anchor.ts';
import { principalsIn, type PrincipalName } from './principals.ts';
import { JournalQueries } from './queries.ts';

/** Of batches, dropped in one transaction: nobody else can write meanwhile. */
const STEP_BYTES = 256 * 1024;
const STEP_BATCHES = 256;

/** Drops some of the oldest batches that end by `throughSequence`, and remembers it. `done` when none is left. */
export function compactionStep(database: Database, throughSequence: number): { done: boolean; compactedThrough: number } {
  const oldest = database
    .prepare<[number, number], { lastSequence: number; bytes: number }>(
      'SELECT lastSequence, length(records) AS bytes FROM batches WHERE lastSequence <= ? ORDER BY lastSequence LIMIT ?',
    )
    .all(throughSequence, STEP_BATCHES);
  let through = 0;
  let bytes = 0;
  for (const batch of oldest) {
    if (bytes > 0 && bytes + batch.bytes > STEP_BYTES) break;
    bytes += batch.bytes;
    through = batch.lastSequence;
  }
  if (through === 0) return { done: true, compactedThrough: new JournalQueries(database).compactedThrough() };
  database
    .transaction(() => {
      keepAnchor(database, through);
      database.prepare('DELETE FROM batches WHERE lastSequence <= ?').run(through);
      // That of the end stays: a snapshot of it can still be checked against it.
      database.prepare('DELETE FROM stateHashes WHERE sequence < ?').run(through);
    })
    .immediate();
  return { done: false, compactedThrough: through };
}

/** Keeps of what is dropped what later rows build on: the hash at the cut, and the names of principals. */
function keepAnchor(database: Database, through: number): void {
  const upsert = database.prepare('INSERT OR REPLACE INTO principals (number, name, sequence) VALUES (?, ?, ?)');
  const dropped = database.prepare<[number], { firstSequence: number; lastSequence: number; records: Buffer }>(
    'SELECT firstSequence, lastSequence, records FROM batches WHERE lastSequence <= ? ORDER BY lastSequence',
  );
  for (const { firstSequence, lastSequence, records } of dropped.all(through))
    for (const name of namesOf(records, firstSequence, lastSequence)) upsert.run(...name);
  const last = database.prepare<[number], { chain: Buffer | null }>('SELECT chain FROM batches WHERE lastSequence = ?').get(through);
  const { unchainedThrough } = readAnchor(database);
  writeAnchor(database, { throughSequence: through, chain: last?.chain ?? null, unchainedThrough });
}

/** Of a batch that is damaged there are none: no start needs it any more. */
function namesOf(records: Buffer, firstSequence: number, lastSequence: number): readonly PrincipalName[] {
  try {
    return principalsIn(decodeBatch(records, firstSequence, lastSequence));
  } catch (cause) {
    if (cause instanceof RangeError) return [];
    throw cause;
  }
}
