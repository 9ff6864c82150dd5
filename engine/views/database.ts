/** The file of the read models. Everything in it follows from the journal, but not all of it can be made again once the journal is compacted. */
import { rmSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';

const VIEWS_FILE = 'views.db';

/** Increased with every change of the tables or of what their numbers mean. */
const SCHEMA_VERSION = 1;
/** Up to this size the whole file is checked page by page when it is opened. */
const QUICK_CHECK_BYTES = 64 * 1024 * 1024;
/** What a second of much trading changes should fit, or it goes into the write-ahead log early. */
const CACHE_KIB = 32_768;

/**
 * `terms` is packed, see `terms.ts`. The columns that begin with `first` say how the order was at the end of its own command; they are NULL while it
 * still is so, and `firstState` is -1 when nobody knows. `firstLostLots` is what self-trade prevention took of it in its own command, NULL for nothing. `quantityLots` is no column: it is what is filled and what remains.
 */
const TABLES = `
  CREATE TABLE orders (
    id INTEGER PRIMARY KEY,
    account INTEGER NOT NULL,
    instrument INTEGER NOT NULL,
    terms INTEGER NOT NULL,
    status INTEGER NOT NULL,
    reason INTEGER NOT NULL,
    priceTicks INTEGER NOT NULL,
    filledLots INTEGER NOT NULL,
    remainingLots INTEGER NOT NULL,
    createdAtMicros INTEGER NOT NULL,
    updatedAtMicros INTEGER NOT NULL,
    clientOrderId TEXT,
    stopTicks INTEGER NOT NULL DEFAULT 0,
    displayLots INTEGER NOT NULL DEFAULT 0,
    expiryMicros INTEGER NOT NULL DEFAULT 0,
    firstState INTEGER,
    firstPriceTicks INTEGER,
    firstStopTicks INTEGER,
    firstFilledLots INTEGER,
    firstRemainingLots INTEGER,
    firstLostLots INTEGER
  ) STRICT;
  CREATE INDEX ordersByAccount ON orders (account, status, id);
  CREATE INDEX ordersByStatus ON orders (status, id);
  CREATE TABLE fills (
    sequence INTEGER NOT NULL,
    fillIndex INTEGER NOT NULL,
    instrument INTEGER NOT NULL,
    priceTicks INTEGER NOT NULL,
    quantityLots INTEGER NOT NULL,
    makerOrderId INTEGER NOT NULL,
    takerOrderId INTEGER NOT NULL,
    takerSide INTEGER NOT NULL,
    timestampMicros INTEGER NOT NULL,
    PRIMARY KEY (sequence, fillIndex)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX fillsByInstrument ON fills (instrument, sequence, fillIndex);
  CREATE TABLE positions (
    account INTEGER NOT NULL,
    instrument INTEGER NOT NULL,
    lots INTEGER NOT NULL,
    averageTicks REAL NOT NULL,
    PRIMARY KEY (account, instrument)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE progress (
    id INTEGER PRIMARY KEY CHECK (id = 0),
    sequence INTEGER NOT NULL,
    commandCrc INTEGER NOT NULL
  ) STRICT;
  INSERT INTO progress VALUES (0, 0, 0);
`;

/** The file cannot be used; what is in it must be made again. */
export class ViewsDamaged extends Error {
  override readonly name = 'ViewsDamaged';
}

/** Opens the file, and makes it when it is not there. Throws ViewsDamaged, or what SQLite throws. */
export function openViewsFile(dataDirectory: string): Database.Database {
  const path = join(dataDirectory, VIEWS_FILE);
  const database = new Database(path, { timeout: 1000 });
  try {
    database.pragma('journal_mode = WAL');
    // The loss of power takes the last commits; they are made again from the journal.
    database.pragma('synchronous = NORMAL');
    // Checkpoints are ours to time: they wait for the disk.
    database.pragma('wal_autocheckpoint = 0');
    database.pragma(`cache_size = -${CACHE_KIB}`);
    database.pragma('temp_store = MEMORY');
    const version = database.pragma('user_version', { simple: true });
    if (version === 0) {
      database
        .transaction(() => {
          database.exec(TABLES);
          database.pragma(`user_version = ${SCHEMA_VERSION}`);
        })
        .immediate();
    } else if (version !== SCHEMA_VERSION) throw new ViewsDamaged(`${path} has schema version ${String(version)}, not ${SCHEMA_VERSION}`);
    else if (statSync(path).size <= QUICK_CHECK_BYTES) {
      const verdict = database.pragma('quick_check(1)', { simple: true });
      if (verdict !== 'ok') throw new ViewsDamaged(`${path} is damaged: ${String(verdict)}`);
    }
    return database;
  } catch (cause) {
    database.close();
    throw asDamage(cause);
  }
}

/** Removes the file, so that it is made anew. Nobody may have it open. */
export function discardViews(dataDirectory: string): void {
  for (const suffix of ['', '-wal', '-shm']) rmSync(join(dataDirectory, `${VIEWS_FILE}${suffix}`), { force: true });
}

/** A failure of SQLite that says that the file is damaged, as ViewsDamaged; any other as it is. */
export function asDamage(cause: unknown): unknown {
  if (!(cause instanceof Database.SqliteError) || !/^SQLITE_(CORRUPT|NOTADB)/.test(cause.code)) return cause;
  return new ViewsDamaged(`the read models are damaged: ${cause.message}`, { cause });
}

/** Bytes that can still be written where the file is. */
export function freeBytes(dataDirectory: string): number {
  const { bavail, bsize } = statfsSync(dataDirectory);
  return bavail * bsize;
}

/** Whether a failure says that no room is left. */
export function isFull(cause: unknown): boolean {
  return cause instanceof Database.SqliteError && cause.code === 'SQLITE_FULL';
}
