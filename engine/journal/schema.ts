/** Tables of the journal database. `batches` is the record: everything else that an engine knows follows from it. */
import type { Database } from 'better-sqlite3';
import { JournalError } from './types.ts';

/** Increased with every change of the tables or of what batches hold. Versions 1 and 2 kept read models and other records; 3 had no hash chain. */
export const SCHEMA_VERSION = 4;
/** The last without the chain: it is migrated. */
const UNCHAINED_VERSION = 3;

const TABLES = `
  CREATE TABLE instruments (id INTEGER PRIMARY KEY, symbol TEXT NOT NULL UNIQUE, tickSize TEXT NOT NULL, lotSize TEXT NOT NULL) STRICT;
  CREATE TABLE batches (lastSequence INTEGER PRIMARY KEY, firstSequence INTEGER NOT NULL, crc32 INTEGER NOT NULL, chain BLOB, instruments INTEGER NOT NULL DEFAULT 0, records BLOB NOT NULL) STRICT;
  CREATE TABLE stateHashes (sequence INTEGER PRIMARY KEY, stateHash TEXT NOT NULL, recordedAtMs INTEGER NOT NULL, seal TEXT) STRICT;
  CREATE TABLE compaction (id INTEGER PRIMARY KEY CHECK (id = 0), throughSequence INTEGER NOT NULL, chain BLOB, unchainedThrough INTEGER NOT NULL, seal TEXT) STRICT;
  INSERT INTO compaction VALUES (0, 0, NULL, 0, NULL);
  CREATE TABLE principals (number INTEGER PRIMARY KEY, name TEXT NOT NULL, sequence INTEGER NOT NULL) STRICT;
  CREATE TABLE probe (id INTEGER PRIMARY KEY, filler BLOB NOT NULL) STRICT;
`;

/** The chain begins after what is there. */
const CHAIN = `
  ALTER TABLE batches ADD COLUMN chain BLOB;
  ALTER TABLE batches ADD COLUMN instruments INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE stateHashes ADD COLUMN seal TEXT;
  ALTER TABLE compaction ADD COLUMN chain BLOB;
  ALTER TABLE compaction ADD COLUMN unchainedThrough INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE compaction ADD COLUMN seal TEXT;
  UPDATE compaction SET unchainedThrough = max(throughSequence, (SELECT coalesce(max(lastSequence), 0) FROM batches));
  CREATE TABLE principals (number INTEGER PRIMARY KEY, name TEXT NOT NULL, sequence INTEGER NOT NULL) STRICT;
`;

/** Whether the batches of a journal have hashes: one that was not migrated yet has none. */
export function isChained(database: Database): boolean {
  return Number(database.pragma('user_version', { simple: true })) > UNCHAINED_VERSION;
}

/** Throws JournalError for a journal that was not migrated yet; `path` is for the message. */
export function requireChain(database: Database, path: string): void {
  if (isChained(database)) return;
  throw new JournalError('HFT_JOURNAL_TOO_OLD', `${path}: it was written before there was a chain: start an engine on it once`);
}

/** Makes the tables in a new file, and those of the chain in one of before it. Throws JournalError when an engine of another schema made them. */
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
  if (found > 0 && found < UNCHAINED_VERSION) {
    throw new JournalError(
      'HFT_JOURNAL_TOO_OLD',
      `the journal has schema version ${found} and this engine knows only ${UNCHAINED_VERSION} and ${SCHEMA_VERSION}: run the older engine that wrote it, or give this one an empty directory`,
    );
  }
  database
    .transaction(() => {
      database.exec(found === UNCHAINED_VERSION ? CHAIN : TABLES);
      database.pragma(`user_version = ${SCHEMA_VERSION}`);
    })
    .immediate();
}
