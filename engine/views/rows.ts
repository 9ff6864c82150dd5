/** Writing rows: every statement prepared once. The caller decides where transactions begin and end. */
import type { Database, Statement } from 'better-sqlite3';

/** What an update tells of the order that it has changed: account, terms. */
type UpdatedOrder = [account: number, terms: number];

/** Up to where the rows go: the last command, and the checksum of its slot, by which another journal is known. */
export interface Progress {
  readonly sequence: number;
  readonly commandCrc: number;
}

/** What a probe writes to see whether there is room. */
const PROBE_BYTES = 256 * 1024;

export class Rows {
  readonly #database: Database;
  /** An order that is as simple as most are, and still as it was at the end of its own command. */
  readonly insertPlain: Statement<[number, number, number, number, number, number, number, number, number, number, number, string | null]>;
  readonly insertOrder: Statement<(number | string | null)[]>;
  /** filledLots (to add), remainingLots, status, reason, priceTicks, stopTicks (null: as before), updatedAtMicros, id. */
  readonly #updateOrder: Statement<(number | null)[], UpdatedOrder>;
  readonly insertFill: Statement<[number, number, number, number, number, number, number, number, number]>;
  readonly upsertPosition: Statement<[number, number, number, number]>;
  readonly #setProgress: Statement<[number, number]>;
  readonly #begin: Statement<[]>;
  readonly #commit: Statement<[]>;

  constructor(database: Database) {
    this.#database = database;
    this.insertPlain = database.prepare(`
      INSERT INTO orders (id, account, instrument, terms, status, reason, priceTicks, filledLots, remainingLots, createdAtMicros,
        updatedAtMicros, clientOrderId)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`);
    this.insertOrder = database.prepare(`INSERT INTO orders VALUES (${Array.from({ length: 21 }, () => '?').join(', ')})`);
    // On the right side stands what was before.
    this.#updateOrder = database
      .prepare<(number | null)[], UpdatedOrder>(
        `UPDATE orders SET
        firstState = coalesce(firstState, status | (reason << 2)),
        firstPriceTicks = coalesce(firstPriceTicks, priceTicks),
        firstStopTicks = coalesce(firstStopTicks, stopTicks),
        firstFilledLots = coalesce(firstFilledLots, filledLots),
        firstRemainingLots = coalesce(firstRemainingLots, remainingLots),
        filledLots = filledLots + ?,
        remainingLots = coalesce(?, remainingLots),
        status = coalesce(?, status),
        reason = coalesce(?, reason),
        priceTicks = coalesce(?, priceTicks),
        stopTicks = coalesce(?, stopTicks),
        updatedAtMicros = ?
        WHERE id = ? RETURNING account, terms`,
      )
      .raw();
    this.insertFill = database.prepare('INSERT INTO fills VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)');
    this.upsertPosition = database.prepare(`
      INSERT INTO positions VALUES (?, ?, ?, ?)
      ON CONFLICT DO UPDATE SET lots = excluded.lots, averageTicks = excluded.averageTicks`);
    this.#setProgress = database.prepare('UPDATE progress SET sequence = ?, commandCrc = ?');
    this.#begin = database.prepare('BEGIN IMMEDIATE');
    this.#commit = database.prepare('COMMIT');
  }

  /** Changes an order that has a row. Throws when it has none: rows and replica have parted. */
  updateOrder(
    id: number,
    filledLots: number,
    remainingLots: number | null,
    status: number | null,
    reason: number | null,
    priceTicks: number | null,
    stopTicks: number | null,
    updatedAtMicros: number,
  ): UpdatedOrder {
    const updated = this.#updateOrder.get(filledLots, remainingLots, status, reason, priceTicks, stopTicks, updatedAtMicros, id);
    if (updated === undefined) throw new Error(`order ${id} has changed and has no row`);
    return updated;
  }

  progress(): Progress {
    const found = this.#database.prepare<[], Progress>('SELECT sequence, commandCrc FROM progress').get();
    if (found === undefined) throw new Error('the read models do not say how far they go');
    return found;
  }

  begin(): void {
    if (!this.#database.inTransaction) this.#begin.run();
  }

  commit(progress: Progress): void {
    this.begin();
    this.#setProgress.run(progress.sequence, progress.commandCrc);
    this.#commit.run();
  }

  rollback(): void {
    if (this.#database.inTransaction) this.#database.exec('ROLLBACK');
  }

  /** Throws when there is no room to write. */
  probe(): void {
    this.#database.prepare('INSERT INTO probe (filler) VALUES (zeroblob(?))').run(PROBE_BYTES);
    this.#database.prepare('DELETE FROM probe').run();
  }

  checkpoint(): void {
    this.#database.pragma('wal_checkpoint(PASSIVE)');
  }
}
