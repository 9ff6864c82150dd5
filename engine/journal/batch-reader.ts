/** Reads batches back over any connection to the journal, and checks that none is missing or changed. */
import { crc32 } from 'node:zlib';
import type { Database, Statement } from 'better-sqlite3';
import { decodeBatch } from './batch-blob.ts';
import { JournalQueries } from './queries.ts';
import { JournalError, type JournalBatch } from './types.ts';

type BatchRow = { firstSequence: number; lastSequence: number; crc32: number; records: Buffer };

export class BatchReader {
  readonly #path: string;
  readonly #queries: JournalQueries;
  readonly #from: Statement<[number], BatchRow>;

  /** `path` is for messages. */
  constructor(database: Database, path: string) {
    this.#path = path;
    this.#queries = new JournalQueries(database);
    this.#from = database.prepare(
      'SELECT firstSequence, lastSequence, crc32, records FROM batches WHERE lastSequence >= ? ORDER BY lastSequence',
    );
  }

  /** As `Journal.read`. */
  read(fromSequence: number, limit: number): JournalBatch[] {
    const batches: JournalBatch[] = [];
    let next = fromSequence;
    for (const row of this.#from.iterate(fromSequence)) {
      // The first may begin before what was asked for; the others must follow one another.
      if (batches.length === 0 ? row.firstSequence > next : row.firstSequence !== next) {
        this.#refuseCompacted(next);
        throw this.#corrupt(`sequence ${next} is missing, ${row.firstSequence} follows`);
      }
      batches.push(this.#decode(row));
      next = row.lastSequence + 1;
      if (next - fromSequence >= limit) break;
    }
    if (batches.length === 0) this.#refuseCompacted(next);
    return batches;
  }

  #refuseCompacted(sequence: number): void {
    const through = this.#queries.compactedThrough();
    if (sequence > through) return;
    throw new JournalError(
      'HFT_JOURNAL_COMPACTED',
      `${this.#path} was compacted: it begins at sequence ${through + 1}, and ${sequence} was asked for. A snapshot has what came before`,
    );
  }

  #decode(row: BatchRow): JournalBatch {
    if (crc32(row.records) !== row.crc32)
      throw this.#corrupt(`batch ${row.firstSequence} to ${row.lastSequence} does not match its checksum`);
    return decodeBatch(row.records, row.firstSequence, row.lastSequence);
  }

  #corrupt(found: string): JournalError {
    return new JournalError(
      'HFT_JOURNAL_CORRUPT',
      `${this.#path} is damaged: ${found}. Restore the directory from a backup; nothing has been changed`,
    );
  }
}
