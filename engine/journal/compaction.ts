/**
 * Dropping old batches. Their pages are used again for new ones: the file stays as large as the most that was ever kept. That costs nothing on the
 * way; a file that shrinks (auto_vacuum) would cost every batch an entry for each of its pages.
 */
import type { Database } from 'better-sqlite3';
import { TIMESTAMP_AT } from './batch-blob.ts';
import { JournalQueries } from './queries.ts';

/** Of batches, dropped in one transaction: nobody else can write meanwhile. */
const STEP_BYTES = 256 * 1024;
const STEP_BATCHES = 256;

/** What may be dropped: batches that end by a sequence, of commands before a time. */
export interface Droppable {
  readonly throughSequence: number;
  /** Infinity for any time. */
  readonly beforeMicros: number;
}

type Candidate = { lastSequence: number; bytes: number; timestamp: Buffer };

/** Drops some of the oldest batches that may be, and remembers it. `done` when none is left. */
export function compactionStep(
  database: Database,
  { throughSequence, beforeMicros }: Droppable,
): { done: boolean; compactedThrough: number } {
  const oldest = database.prepare<[number], Candidate>(
    `SELECT lastSequence, length(records) AS bytes, substr(records, ${TIMESTAMP_AT + 1}, 8) AS timestamp
     FROM batches WHERE lastSequence <= ? ORDER BY lastSequence`,
  );
  let through = 0;
  let bytes = 0;
  let batches = 0;
  // One by one: each is read whole for its time.
  for (const batch of oldest.iterate(throughSequence)) {
    if (batches === STEP_BATCHES || batch.timestamp.readDoubleLE() >= beforeMicros) break;
    if (batches > 0 && bytes + batch.bytes > STEP_BYTES) break;
    batches += 1;
    bytes += batch.bytes;
    through = batch.lastSequence;
  }
  if (through === 0) return { done: true, compactedThrough: new JournalQueries(database).compactedThrough() };
  database
    .transaction(() => {
      database.prepare('DELETE FROM batches WHERE lastSequence <= ?').run(through);
      // That of the end stays: a snapshot of it can still be checked against it.
      database.prepare('DELETE FROM stateHashes WHERE sequence < ?').run(through);
      database.prepare('UPDATE compaction SET throughSequence = ?').run(through);
    })
    .immediate();
  return { done: false, compactedThrough: through };
}
