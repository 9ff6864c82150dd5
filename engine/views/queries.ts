/** The questions that can be put to the rows alone, each a prepared statement that walks an index and ends at its limit. */
import type { Database, Statement } from 'better-sqlite3';
import { CANCELLED, FILLED, OPEN, PENDING, type OrderStatus } from '../core/types.ts';
import { unpackState, unpackTerms } from './terms.ts';
import { ALL_POSITIONS, type FillPlace, type FillRecord, type OrderFilter, type OrderRecord, type PositionRecord } from './types.ts';

const ORDER_COLUMNS = `id, account, instrument, terms, status, reason, priceTicks, filledLots, remainingLots, createdAtMicros, updatedAtMicros,
  clientOrderId, stopTicks, displayLots, expiryMicros`;

interface OrderRow {
  readonly id: number;
  readonly account: number;
  readonly instrument: number;
  readonly terms: number;
  readonly status: OrderStatus;
  readonly reason: OrderRecord['reason'];
  readonly priceTicks: number;
  readonly filledLots: number;
  readonly remainingLots: number;
  readonly createdAtMicros: number;
  readonly updatedAtMicros: number;
  readonly clientOrderId: string | null;
  readonly stopTicks: number;
  readonly displayLots: number;
  readonly expiryMicros: number;
}

const FILL_COLUMNS =
  'sequence, fillIndex AS "index", instrument, priceTicks, quantityLots, makerOrderId, takerOrderId, takerSide, timestampMicros';
/** The order of a first answer: as it was at the end of its own command. */
const FIRST_ORDER = `
  SELECT id, account, instrument, terms, coalesce(firstState, status | (reason << 2)) AS state, coalesce(firstPriceTicks, priceTicks) AS priceTicks,
    coalesce(firstFilledLots, filledLots) AS filledLots, coalesce(firstRemainingLots, remainingLots) AS remainingLots, createdAtMicros,
    createdAtMicros AS updatedAtMicros, clientOrderId, coalesce(firstStopTicks, stopTicks) AS stopTicks, displayLots, expiryMicros,
    coalesce(firstLostLots, 0) AS lostLots
  FROM orders WHERE id = ? AND firstState IS NOT -1`;
/** All of an account, in order of id: the first of each status, and of those the first. */
const FIRST_OF_EACH = [OPEN, FILLED, CANCELLED, PENDING]
  .map(
    (status) =>
      `SELECT * FROM (SELECT id FROM orders WHERE account = @account AND status = ${status} AND id > @after ORDER BY id LIMIT @limit)`,
  )
  .join(' UNION ALL ');

type Page = { account?: number | undefined; status?: OrderStatus | undefined; after: number; limit: number };
type PageStatement = Statement<[Page], OrderRow>;

/** An order at the end of its own command, and the quantity that was sent. */
export interface FirstState {
  readonly order: OrderRecord;
  readonly sentLots: number;
}

export class RowQueries {
  readonly #order: Statement<[number], OrderRow>;
  readonly #firstOrder: Statement<[number], Omit<OrderRow, 'status' | 'reason'> & { state: number; lostLots: number }>;
  readonly #orders: PageStatement;
  readonly #ordersOf: PageStatement;
  readonly #ordersWith: PageStatement;
  readonly #ordersOfWith: PageStatement;
  readonly #ownFills: Statement<[{ id: number; through: number; limit: number }], FillRecord>;
  readonly #ownFillCount: Statement<[{ id: number; through: number }], number>;
  readonly #fills: Statement<[number, number, number], FillRecord>;
  readonly #trades: Statement<[number, number, number, number], FillRecord>;
  readonly #allPositions: Statement<[number, number, number], PositionRecord>;
  readonly #positions: Statement<[number, number, number], PositionRecord>;

  constructor(database: Database) {
    this.#order = database.prepare(`SELECT ${ORDER_COLUMNS} FROM orders WHERE id = ?`);
    this.#firstOrder = database.prepare(FIRST_ORDER);
    const orders = (where: string): PageStatement =>
      database.prepare(`SELECT ${ORDER_COLUMNS} FROM orders WHERE ${where} ORDER BY id LIMIT @limit`);
    this.#orders = orders('id > @after');
    this.#ordersOf = orders(`id IN (${FIRST_OF_EACH})`);
    this.#ordersWith = orders('status = @status AND id > @after');
    this.#ordersOfWith = orders('account = @account AND status = @status AND id > @after');
    const own = 'WHERE sequence = @id AND fillIndex <= @through AND (makerOrderId = @id OR takerOrderId = @id)';
    this.#ownFills = database.prepare(`SELECT ${FILL_COLUMNS} FROM fills ${own} ORDER BY fillIndex LIMIT @limit`);
    this.#ownFillCount = database.prepare<[{ id: number; through: number }], number>(`SELECT count(*) FROM fills ${own}`).pluck();
    this.#fills = database.prepare(
      `SELECT ${FILL_COLUMNS} FROM fills WHERE (sequence, fillIndex) > (?, ?) ORDER BY sequence, fillIndex LIMIT ?`,
    );
    this.#trades = database.prepare(
      `SELECT ${FILL_COLUMNS} FROM fills WHERE instrument = ? AND (sequence, fillIndex) < (?, ?) ORDER BY sequence DESC, fillIndex DESC LIMIT ?`,
    );
    const positions = 'SELECT account, instrument, lots, averageTicks FROM positions WHERE lots <> 0';
    this.#allPositions = database.prepare(`${positions} AND (account, instrument) > (?, ?) ORDER BY account, instrument LIMIT ?`);
    this.#positions = database.prepare(`${positions} AND account = ? AND instrument > ? ORDER BY instrument LIMIT ?`);
  }

  order(id: number): OrderRecord | undefined {
    const row = this.#order.get(id);
    return row === undefined ? undefined : recordOf(row);
  }

  orders({ account, status }: OrderFilter, after: number, limit: number): OrderRecord[] {
    const [any, one] = account === undefined ? [this.#orders, this.#ordersWith] : [this.#ordersOf, this.#ordersOfWith];
    return (status === undefined ? any : one).all({ account, status, after, limit }).map(recordOf);
  }

  firstState(id: number): FirstState | undefined {
    const row = this.#firstOrder.get(id);
    if (row === undefined) return undefined;
    const { state, lostLots, ...columns } = row;
    const order = recordOf({ ...columns, ...unpackState(state) });
    return { order, sentLots: order.quantityLots + lostLots };
  }

  /** Fills that an order had in its own command, up to fill `through` of it; and how many they are. */
  ownFills(id: number, through: number, limit: number): FillRecord[] {
    return this.#ownFills.all({ id, through, limit });
  }

  ownFillCount(id: number, through: number): number {
    return this.#ownFillCount.get({ id, through }) ?? 0;
  }

  fills(after: FillPlace, limit: number): FillRecord[] {
    return this.#fills.all(after.sequence, after.index, limit);
  }

  trades(instrument: number, before: FillPlace, limit: number): FillRecord[] {
    return this.#trades.all(instrument, before.sequence, before.index, limit);
  }

  positions(account: number | undefined, { after, limit } = ALL_POSITIONS): PositionRecord[] {
    if (account === undefined) return this.#allPositions.all(after.account, after.instrument, limit);
    return this.#positions.all(account, after.account >= account ? after.instrument : -1, limit);
  }
}

function recordOf(row: OrderRow): OrderRecord {
  return {
    id: row.id,
    instrument: row.instrument,
    account: row.account,
    ...unpackTerms(row.terms),
    priceTicks: row.priceTicks,
    stopTicks: row.stopTicks,
    displayLots: row.displayLots,
    expiryMicros: row.expiryMicros,
    quantityLots: row.filledLots + row.remainingLots,
    filledLots: row.filledLots,
    remainingLots: row.remainingLots,
    status: row.status,
    reason: row.reason,
    clientOrderId: row.clientOrderId,
    createdAtMicros: row.createdAtMicros,
    updatedAtMicros: row.updatedAtMicros,
  };
}
