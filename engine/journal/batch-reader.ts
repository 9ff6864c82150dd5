/** Reads batches back over any connection to the journal, and checks that none is missing or changed, and that the hash chain goes through them. */
import { crc32 } from 'node:zlib';
import Database from 'better-sqlite3';
import { decodeBatch } from './batch-blob.ts';
import { ChainFollower } from './chain.ts';
import { JournalQueries } from './queries.ts';
import { isChained } from './schema.ts';
import { corrupt } from './sqlite-errors.ts';
import { JournalError, type JournalBatch } from './types.ts';

type BatchRow = { firstSequence: number; lastSequence: number; crc32: number; records: Buffer; chain: Buffer | null; instruments: number };

export class BatchReader {
  readonly #path: string;
  readonly #queries: JournalQueries;
  readonly #chain: ChainFollower | undefined;
  readonly #from: Database.Statement<[number], BatchRow>;

  /** `path` is for messages. */
  constructor(database: Database.Database, path: string) {
    this.#path = path;
    this.#queries = new JournalQueries(database);
    const chained = isChained(database);
    this.#chain = chained ? new ChainFollower(database) : undefined;
    this.#from = database.prepare(
      `SELECT firstSequence, lastSequence, crc32, records, ${chained ? 'chain, instruments' : 'NULL AS chain, 0 AS instruments'}
       FROM batches WHERE lastSequence >= ? ORDER BY lastSequence`,
    );
  }

  /** As `Journal.read`. */
  read(fromSequence: number, limit: number): JournalBatch[] {
    const batches: JournalBatch[] = [];
    for (const batch of this.batches(fromSequence)) {
      batches.push(batch);
      if (batch.lastSequence - fromSequence >= limit - 1) break;
    }
    return batches;
  }

  /** The batch that holds `fromSequence` and all after it. Throws JournalError where one is missing or damaged. */
  *batches(fromSequence: number): Generator<JournalBatch> {
    let next = fromSequence;
    try {
      for (const row of this.#from.iterate(fromSequence)) {
        // The first may begin before what was asked for; the others must follow one another.
        if (next === fromSequence ? row.firstSequence > next : row.firstSequence !== next) {
          this.#refuseCompacted(next);
          throw corrupt(this.#path, `sequence ${next} is missing, ${row.firstSequence} follows`, next - 1);
        }
        yield this.#decode(row);
        next = row.lastSequence + 1;
      }
    } catch (cause) {
      if (cause instanceof JournalError || !(cause instanceof Database.SqliteError) || cause.code !== 'SQLITE_CORRUPT') throw cause;
      throw corrupt(this.#path, cause.message, next - 1);
    }
    if (next === fromSequence) this.#refuseCompacted(next);
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
    const { firstSequence, lastSequence, crc32: expected, records } = row;
    try {
      // A damaged page may give anything.
      if (!Buffer.isBuffer(records)) throw new RangeError('is no blob');
      if (crc32(records) !== expected) throw new RangeError('does not match its checksum');
      const batch = decodeBatch(records, firstSequence, lastSequence);
      const fault = this.#chain?.faultOf(row);
      if (fault !== undefined) throw new RangeError(fault);
      return batch;
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
      throw corrupt(this.#path, `batch ${firstSequence} to ${lastSequence} ${cause.message}`, firstSequence - 1);
    }
  }
}
