/** Tables of the journal database. `batches` is the record: everything else that an engine knows follows from it. */
import type { Database } from 'better-sqlite3';
import { JournalError } from './types.ts';

/** Increased with every change of the tables or of what batches hold. Versions 1 and 2 kept read models and other records. */
export const SCHEMA_VERSION = 3;

const TABLES = `
  CREATE TABLE instruments (id INTEGER PRIMARY KEY, symbol TEXT NOT NULL UNIQUE, tickSize TEXT NOT NULL, lotSize TEXT NOT NULL) STRICT;
  CREATE TABLE batches (lastSequence INTEGER PRIMARY KEY, firstSequence INTEGER NOT NULL, crc32 INTEGER NOT NULL, records BLOB NOT NULL) STRICT;
  CREATE TABLE stateHashes (sequence INTEGER PRIMARY KEY, stateHash TEXT NOT NULL, recordedAtMs INTEGER NOT NULL) STRICT;
  CREATE TABLE compaction (id INTEGER PRIMARY KEY CHECK (id = 0), throughSequence INTEGER NOT NULL) STRICT;
  INSERT INTO compaction VALUES (0, 0);
  CREATE TABLE probe (id INTEGER PRIMARY KEY, filler BLOB NOT NULL) STRICT;
`;

/** Makes the tables in a new file. Throws JournalError when an engine of another schema made them. */
export function migrate(database: Database): void {
  const found = database.pragma('user_version', { simple: true });
  if (typeof found !== 'number' || found > SCHEMA_VERSION) {
    throw new JournalError(
      'HFT_JOURNAL_TOO_NEW',
      `the journal has schema version ${String(found)} and this engine knows up to ${SCHEMA_VERSION}: run the newer engine that wrote it`,
    );
  }
  // Not even an empty transaction: on a full disk it fails, and the engine could not start to show what it has.
  if (found === SCHEMA_VERSION) return;
  if (found > 0) {
    throw new JournalError(
      'HFT_JOURNAL_TOO_OLD',
      `the journal has schema version ${found} and this engine knows only ${SCHEMA_VERSION}: run the older engine that wrote it, or give this one an empty directory`,
    );
  }
  database
    .transaction(() => {
      database.exec(TABLES);
      database.pragma(`user_version = ${SCHEMA_VERSION}`);
    })
    .immediate();
}
