/** Tables of the journal database. `batches` is the record; `orders` and `fills` are read models written in the same transaction. */
import type { Database } from 'better-sqlite3';
import { JournalError } from './types.ts';

/** Increased with every change of the tables; older ones are brought up by MIGRATIONS, newer ones are refused. */
export const SCHEMA_VERSION = 2;

/** MIGRATIONS[n] brings version n to n + 1. */
const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE instruments (id INTEGER PRIMARY KEY, symbol TEXT NOT NULL UNIQUE, tickSize TEXT NOT NULL, lotSize TEXT NOT NULL) STRICT;
  CREATE TABLE accounts (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
  CREATE TABLE batches (lastSequence INTEGER PRIMARY KEY, firstSequence INTEGER NOT NULL, crc32 INTEGER NOT NULL, records BLOB NOT NULL) STRICT;
  CREATE TABLE orders (
    id INTEGER PRIMARY KEY, instrument INTEGER NOT NULL, account INTEGER NOT NULL, side INTEGER NOT NULL, type INTEGER NOT NULL,
    timeInForce INTEGER NOT NULL, priceTicks INTEGER NOT NULL, quantityLots INTEGER NOT NULL, remainingLots INTEGER NOT NULL,
    status INTEGER NOT NULL, clientOrderId TEXT, createdAtMicros INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX ordersByAccount ON orders (account, id);
  CREATE UNIQUE INDEX ordersByClientOrderId ON orders (account, clientOrderId) WHERE clientOrderId IS NOT NULL;
  CREATE INDEX openOrders ON orders (id) WHERE status = 0;
  CREATE TABLE fills (
    sequence INTEGER NOT NULL, idx INTEGER NOT NULL, instrument INTEGER NOT NULL, priceTicks INTEGER NOT NULL, quantityLots INTEGER NOT NULL,
    makerOrderId INTEGER NOT NULL, takerOrderId INTEGER NOT NULL, PRIMARY KEY (sequence, idx)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE stateHashes (sequence INTEGER PRIMARY KEY, stateHash TEXT NOT NULL, recordedAtMs INTEGER NOT NULL) STRICT;
  CREATE TABLE probe (id INTEGER PRIMARY KEY, filler BLOB NOT NULL) STRICT;
  `,
  // The tables stay. Records may say FOK from here on, which an older engine would take for damage: it says instead that they are too new for it.
  '',
];

/** Brings the tables to {@link SCHEMA_VERSION}, or throws JournalError when they are newer. */
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
  database
    .transaction(() => {
      for (let version = found; version < SCHEMA_VERSION; version += 1) database.exec(MIGRATIONS[version] ?? '');
      database.pragma(`user_version = ${SCHEMA_VERSION}`);
    })
    .immediate();
}
