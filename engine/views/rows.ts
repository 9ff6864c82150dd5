/** Writing rows: every statement prepared once. The caller decides where transactions begin and end. */
import type { Database, Statement } from 'better-sqlite3';

/** An order as its row says: the columns of LOADED. */
export type LoadedOrder = readonly [
  account: number,
  instrument: number,
  terms: number,
  status: number,
  reason: number,
  priceTicks: number,
  filledLots: number,
  remainingLots: number,
  createdAtMicros: number,
  updatedAtMicros: number,
  clientOrderId: string | null,
  stopTicks: number,
  displayLots: number,
  expiryMicros: number,
  firstState: number | null,
  firstPriceTicks: number | null,
  firstStopTicks: number | null,
  firstFilledLots: number | null,
  firstRemainingLots: number | null,
  firstLostLots: number | null,
];
const LOADED = `account, instrument, terms, status, reason, priceTicks, filledLots, remainingLots, createdAtMicros, updatedAtMicros, clientOrderId,
  stopTicks, displayLots, expiryMicros, firstState, firstPriceTicks, firstStopTicks, firstFilledLots, firstRemainingLots, firstLostLots`;

/** Up to where the rows go: the last command, and the checksum of its slot, by which another journal is known. */
export interface Progress {
  readonly sequence: number;
  readonly commandCrc: number;
}

const PAGE_BYTES = 4096;

export class Rows {
  readonly #database: Database;
  /** An order that is as simple as most are, and still as it was at the end of its own command. */
  readonly insertPlain: Statement<[number, number, number, number, number, number, number, number, number, number, number, string | null]>;
  readonly insertOrder: Statement<(number | string | null)[]>;
  /** What can change of an order, but for its status, in the order of the columns; and its id. */
  readonly updateOrder: Statement<number[]>;
  readonly updateStatus: Statement<[status: number, id: number]>;
  readonly #load: Statement<[number], LoadedOrder>;
  readonly insertFill: Statement<[number, number, number, number, number, number, number, number, number]>;
  readonly upsertPosition: Statement<[number, number, number, number]>;
  readonly #setProgress: Statement<[number, number]>;
  readonly #pageCount: Statement<[], number>;
  readonly #begin: Statement<[]>;
  readonly #commit: Statement<[]>;

  constructor(database: Database) {
    this.#database = database;
    this.insertPlain = database.prepare(`
      INSERT INTO orders (id, account, instrument, terms, status, reason, priceTicks, filledLots, remainingLots, createdAtMicros,
        updatedAtMicros, clientOrderId)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`);
    this.insertOrder = database.prepare(`INSERT INTO orders VALUES (${Array.from({ length: 21 }, () => '?').join(', ')})`);
    this.updateOrder = database.prepare(`
      UPDATE orders SET reason = ?, priceTicks = ?, stopTicks = ?, filledLots = ?, remainingLots = ?, updatedAtMicros = ?, firstState = ?, firstPriceTicks = ?,
        firstStopTicks = ?, firstFilledLots = ?, firstRemainingLots = ? WHERE id = ?`);
    this.updateStatus = database.prepare('UPDATE orders SET status = ? WHERE id = ?');
    this.#load = database.prepare<[number], LoadedOrder>(`SELECT ${LOADED} FROM orders WHERE id = ?`).raw();
    this.insertFill = database.prepare('INSERT INTO fills VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)');
    this.upsertPosition = database.prepare(`
      INSERT INTO positions VALUES (?, ?, ?, ?)
      ON CONFLICT DO UPDATE SET lots = excluded.lots, averageTicks = excluded.averageTicks`);
    this.#setProgress = database.prepare('UPDATE progress SET sequence = ?, commandCrc = ?');
    this.#pageCount = database.prepare<[], number>('PRAGMA page_count').pluck();
    this.#begin = database.prepare('BEGIN IMMEDIATE');
    this.#commit = database.prepare('COMMIT');
  }

  /** Throws when the order has no row: rows and replica have parted. */
  load(id: number): LoadedOrder {
    const row = this.#load.get(id);
    if (row === undefined) throw new Error(`order ${id} changes and has no row`);
    return row;
  }

  progress(): Progress {
    const found = this.#database.prepare<[], Progress>('SELECT sequence, commandCrc FROM progress').get();
    if (found === undefined) throw new Error('the read models do not say how far they go');
    return found;
  }

  get inTransaction(): boolean {
    return this.#database.inTransaction;
  }

  begin(): void {
    if (!this.inTransaction) this.#begin.run();
  }

  commit(progress: Progress): void {
    this.begin();
    this.#setProgress.run(progress.sequence, progress.commandCrc);
    this.#commit.run();
  }

  rollback(): void {
    if (this.#database.inTransaction) this.#database.exec('ROLLBACK');
  }

  /** Bytes of the file, with what is not committed. */
  sizeBytes(): number {
    return (this.#pageCount.get() ?? 0) * PAGE_BYTES;
  }

  checkpoint(): void {
    this.#database.pragma('wal_checkpoint(TRUNCATE)');
  }
}
