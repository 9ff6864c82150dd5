/** Writing rows: every statement prepared once. The caller decides where transactions begin and end. */
import type { Database, Statement } from 'better-sqlite3';

/** What a fill must know of an order whose row was there before. */
export interface KnownOrder {
  readonly account: number;
  readonly terms: number;
}

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
  /** Values to set, in the order of the names; filledLots is added. */
  readonly updateFilled: Statement<[filledLots: number, remainingLots: number, updatedAtMicros: number, id: number]>;
  readonly updateState: Statement<
    [filledLots: number, remainingLots: number, status: number, reason: number, updatedAtMicros: number, id: number]
  >;
  readonly updateTerms: Statement<[priceTicks: number, stopTicks: number | null, id: number]>;
  readonly #knownOrder: Statement<[number], KnownOrder>;
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
    // Terms go first when they change with the rest: what stands on the right side is what was before. A column that is not set costs its indexes nothing.
    const update = (changes: string): string => `
      UPDATE orders SET firstState = coalesce(firstState, status | (reason << 2)), firstPriceTicks = coalesce(firstPriceTicks, priceTicks),
        firstStopTicks = coalesce(firstStopTicks, stopTicks), firstFilledLots = coalesce(firstFilledLots, filledLots),
        firstRemainingLots = coalesce(firstRemainingLots, remainingLots), ${changes} WHERE id = ?`;
    this.updateFilled = database.prepare(update('filledLots = filledLots + ?, remainingLots = ?, updatedAtMicros = ?'));
    this.updateState = database.prepare(
      update('filledLots = filledLots + ?, remainingLots = ?, status = ?, reason = ?, updatedAtMicros = ?'),
    );
    this.updateTerms = database.prepare(update('priceTicks = ?, stopTicks = coalesce(?, stopTicks)'));
    this.#knownOrder = database.prepare('SELECT account, terms FROM orders WHERE id = ?');
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
  knownOrder(id: number): KnownOrder {
    const known = this.#knownOrder.get(id);
    if (known === undefined) throw new Error(`order ${id} has traded and has no row`);
    return known;
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
    this.#database.pragma('wal_checkpoint(PASSIVE)');
  }
}
