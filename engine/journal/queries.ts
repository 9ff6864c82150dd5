/** What is read of the journal besides its batches. None of it is hot. */
import type { Database } from 'better-sqlite3';
import { FIRST_TIMESTAMP_AT } from './batch-blob.ts';
import type { InstrumentRecord } from './types.ts';

export class JournalQueries {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Of all commands that are or were in the journal. */
  lastSequence(): number {
    const last = this.#database.prepare<[], { last: number | null }>('SELECT max(lastSequence) AS last FROM batches').get()?.last;
    return last ?? this.compactedThrough();
  }

  /** Batches up to this sequence have been dropped; 0 when none have. */
  compactedThrough(): number {
    const row = this.#database.prepare<[], { throughSequence: number }>('SELECT throughSequence FROM compaction').get();
    return row?.throughSequence ?? 0;
  }

  /** A sequence up to which all commands are older than `timestampMicros`; at most a batch earlier than the last one that is. */
  lastSequenceBefore(timestampMicros: number): number {
    const from = this.#database.prepare<[number], { firstSequence: number; lastSequence: number; timestamp: Buffer }>(
      `SELECT firstSequence, lastSequence, substr(records, ${FIRST_TIMESTAMP_AT + 1}, 8) AS timestamp
       FROM batches WHERE lastSequence >= ? ORDER BY lastSequence LIMIT 1`,
    );
    let before = this.compactedThrough();
    let low = before + 1;
    let high = this.lastSequence();
    while (low <= high) {
      const middle = low + Math.floor((high - low) / 2);
      const batch = from.get(middle);
      if (batch === undefined) break;
      if (batch.timestamp.readDoubleLE() < timestampMicros) {
        before = batch.firstSequence - 1;
        low = batch.lastSequence + 1;
      } else high = batch.firstSequence - 1;
    }
    return before;
  }

  instruments(): InstrumentRecord[] {
    return this.#database.prepare<[], InstrumentRecord>('SELECT id, symbol, tickSize, lotSize FROM instruments ORDER BY id').all();
  }

  /** Every recorded state hash, by sequence. */
  stateHashes(): Map<number, string> {
    const rows = this.#database.prepare<[], { sequence: number; stateHash: string }>('SELECT sequence, stateHash FROM stateHashes').all();
    return new Map(rows.map(({ sequence, stateHash }) => [sequence, stateHash]));
  }
}
