/** Deletes rows that are older than they are kept, a few at a time: of orders that are finished, and of fills. */
import type { Database, Statement } from 'better-sqlite3';

/** Orders that one step looks at. */
const STEP_ORDERS = 256;

/** From an id, excluded, to another, included; what was last changed before a time; client order ids are kept from an order on. */
type Range = { after: number; through: number; beforeMicros: number; keptFrom: number };

export class Retention {
  readonly #next: Statement<[number], [id: number, createdAtMicros: number]>;
  readonly #deleteOrders: Statement<[Range]>;
  readonly #deleteFills: Statement<[Range]>;
  #after = 0;

  constructor(database: Database) {
    this.#next = database
      .prepare<[number], [number, number]>(`SELECT id, createdAtMicros FROM orders WHERE id > ? ORDER BY id LIMIT ${STEP_ORDERS}`)
      .raw();
    this.#deleteOrders = database.prepare(`
      DELETE FROM orders WHERE id > @after AND id <= @through AND status IN (1, 2) AND updatedAtMicros < @beforeMicros
        AND (clientOrderId IS NULL OR id < @keptFrom)`);
    // What an order's first answer shows stays with the order.
    this.#deleteFills = database.prepare(`
      DELETE FROM fills WHERE sequence > @after AND sequence <= @through AND timestampMicros < @beforeMicros
        AND NOT EXISTS (SELECT 1 FROM orders WHERE id = sequence AND clientOrderId IS NOT NULL)`);
  }

  /**
   * Looks at the next oldest orders, and deletes what was last changed before `beforeMicros`. Orders from `keptFrom` on that have a client order id
   * stay: their first answer may be asked for again. Gives false when all that is so old has been looked at; the next step begins with the oldest again.
   */
  step(beforeMicros: number, keptFrom: number): boolean {
    const found = this.#next.all(this.#after);
    // Ids rise with time.
    const old = found.filter(([, createdAtMicros]) => createdAtMicros < beforeMicros);
    const through = old.at(-1)?.[0];
    if (through !== undefined) {
      const range = { after: this.#after, through, beforeMicros, keptFrom };
      this.#deleteOrders.run(range);
      this.#deleteFills.run(range);
    }
    const isMore = through !== undefined && old.length === STEP_ORDERS;
    this.#after = isMore ? through : 0;
    return isMore;
  }
}
