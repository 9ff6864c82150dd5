/** What is read of the journal besides its batches. None of it is hot. */
import type { Database } from 'better-sqlite3';
import type { InstrumentRecord } from './types.ts';

export class JournalQueries {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  lastSequence(): number {
    return this.#database.prepare<[], { last: number | null }>('SELECT max(lastSequence) AS last FROM batches').get()?.last ?? 0;
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
