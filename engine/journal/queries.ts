/** Prepared reads over the journal's read models. */
import type { Database, Statement } from 'better-sqlite3';
import { OPEN } from '../core/types.ts';
import type { AccountRecord, FillRecord, InstrumentRecord, OrderRecord } from './types.ts';

const ORDER =
  'id, instrument, account, side, type, timeInForce, priceTicks, quantityLots, remainingLots, status, clientOrderId, createdAtMicros';
const FILL = 'sequence, idx AS "index", instrument, priceTicks, quantityLots, makerOrderId, takerOrderId';

export class JournalQueries {
  readonly #database: Database;
  readonly #order: Statement<[number], OrderRecord>;
  readonly #byClientOrderId: Statement<[number, string], OrderRecord>;
  readonly #orders: Statement<[number, number], OrderRecord>;
  readonly #ordersOf: Statement<[number, number, number], OrderRecord>;
  readonly #fills: Statement<[number, number, number], FillRecord>;
  readonly #fillsAt: Statement<[number], FillRecord>;

  constructor(database: Database) {
    this.#database = database;
    this.#order = database.prepare(`SELECT ${ORDER} FROM orders WHERE id = ?`);
    this.#byClientOrderId = database.prepare(`SELECT ${ORDER} FROM orders WHERE account = ? AND clientOrderId = ?`);
    this.#orders = database.prepare(`SELECT ${ORDER} FROM orders WHERE id > ? ORDER BY id LIMIT ?`);
    this.#ordersOf = database.prepare(`SELECT ${ORDER} FROM orders WHERE account = ? AND id > ? ORDER BY id LIMIT ?`);
    this.#fills = database.prepare(`SELECT ${FILL} FROM fills WHERE (sequence, idx) > (?, ?) ORDER BY sequence, idx LIMIT ?`);
    this.#fillsAt = database.prepare(`SELECT ${FILL} FROM fills WHERE sequence = ? ORDER BY idx`);
  }

  order(id: number): OrderRecord | undefined {
    return this.#order.get(id);
  }

  orderByClientOrderId(account: number, clientOrderId: string): OrderRecord | undefined {
    return this.#byClientOrderId.get(account, clientOrderId);
  }

  /** Orders with ids above `after`, oldest first; of all accounts when `account` is undefined. */
  orders(account: number | undefined, after: number, limit: number): OrderRecord[] {
    return account === undefined ? this.#orders.all(after, limit) : this.#ordersOf.all(account, after, limit);
  }

  /** Fills after fill `index` of `sequence`, oldest first. */
  fills(sequence: number, index: number, limit: number): FillRecord[] {
    return this.#fills.all(sequence, index, limit);
  }

  /** Fills that the command at `sequence` caused. */
  fillsAt(sequence: number): FillRecord[] {
    return this.#fillsAt.all(sequence);
  }

  lastSequence(): number {
    return this.#database.prepare<[], { last: number | null }>('SELECT max(lastSequence) AS last FROM batches').get()?.last ?? 0;
  }

  accounts(): AccountRecord[] {
    return this.#database.prepare<[], AccountRecord>('SELECT id, name FROM accounts ORDER BY id').all();
  }

  instruments(): InstrumentRecord[] {
    return this.#database.prepare<[], InstrumentRecord>('SELECT id, symbol, tickSize, lotSize FROM instruments ORDER BY id').all();
  }

  /** Every recorded state hash, by sequence. */
  stateHashes(): Map<number, string> {
    const rows = this.#database.prepare<[], { sequence: number; stateHash: string }>('SELECT sequence, stateHash FROM stateHashes').all();
    return new Map(rows.map(({ sequence, stateHash }) => [sequence, stateHash]));
  }

  /** Open orders in the read model: recovery compares them with the books. */
  openOrders(): { id: number; remainingLots: number }[] {
    return this.#database
      .prepare<[], { id: number; remainingLots: number }>(`SELECT id, remainingLots FROM orders WHERE status = ${OPEN}`)
      .all();
  }
}
