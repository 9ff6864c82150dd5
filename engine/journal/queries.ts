/** What is read of the journal besides its batches. None of it is hot. */
import type { Database } from 'better-sqlite3';
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

  instruments(): InstrumentRecord[] {
    return this.#database.prepare<[], InstrumentRecord>('SELECT id, symbol, tickSize, lotSize FROM instruments ORDER BY id').all();
  }

  /** Every recorded state hash, by sequence. */
  stateHashes(): Map<number, string> {
    const rows = this.#database.prepare<[], { sequence: number; stateHash: string }>('SELECT sequence, stateHash FROM stateHashes').all();
    return new Map(rows.map(({ sequence, stateHash }) => [sequence, stateHash]));
  }
}
