/** The questions, put to what is gathered in memory and to the rows together: what is in memory is newer than its row. */
import type { Database } from 'better-sqlite3';
import type { Core, OrderStatus, Side } from '../core/types.ts';
import type { Progress } from './rows.ts';
import {
  ACCOUNT,
  CREATED,
  DISPLAY,
  EXPIRY,
  FILL_DOUBLES,
  FILL_INDEX,
  FILL_INSTRUMENT,
  FILL_LOTS,
  FILL_MAKER,
  FILL_PRICE,
  FILL_SEQUENCE,
  FILL_TAKER,
  FILL_TAKER_SIDE,
  FILL_TIME,
  FILLED_LOTS,
  FIRST_FILLED,
  FIRST_PRICE,
  FIRST_REMAINING,
  FIRST_STATE,
  FIRST_STOP,
  ID,
  INSTRUMENT,
  type Part,
  PRICE,
  REASON,
  REMAINING,
  SENT,
  STATUS,
  STOP_PRICE,
  TERMS,
  UPDATED,
} from './part.ts';
import type { Projection } from './projection.ts';
import { RowQueries, type FirstState } from './queries.ts';
import { unpackState, unpackTerms } from './terms.ts';
import {
  ALL_POSITIONS,
  type FillPlace,
  type FillRecord,
  type FirstAnswer,
  type OrderFilter,
  type OrderRecord,
  type PositionRecord,
} from './types.ts';

/** Rows that are asked for at once at most, when memory has newer of those that were asked for before. */
const MOST_ROWS = 4096;

export interface ViewQueriesParts {
  readonly database: Database;
  readonly projection: Pick<Projection, 'parts' | 'lastFill' | 'lastOrder'>;
  readonly core: Pick<Core, 'sequence' | 'position' | 'eachPosition'>;
  readonly instruments: number;
  /** Up to where the rows are committed. */
  readonly committed: () => Progress;
}

export class ViewQueries {
  readonly #parts: ViewQueriesParts;
  readonly #rows: RowQueries;

  constructor(parts: ViewQueriesParts) {
    this.#parts = parts;
    this.#rows = new RowQueries(parts.database);
  }

  order(id: number): OrderRecord | undefined {
    const part = this.#partOf(id);
    return part === undefined ? this.#rows.order(id) : orderAt(part, part.find(id));
  }

  ordersById(ids: readonly number[]): OrderRecord[] {
    return [...new Set(ids)].flatMap((id) => this.order(id) ?? []);
  }

  orders(filter: OrderFilter, after: number, limit: number): OrderRecord[] {
    const { lastOrder } = this.#parts.projection;
    const found: OrderRecord[] = [];
    for (let from = after, rows = limit; from < lastOrder && found.length < limit; rows = Math.min(MOST_ROWS, rows * 4)) {
      const page = this.#rows.orders(filter, from, rows);
      for (const order of page) if (order.id <= lastOrder && this.#partOf(order.id) === undefined) found.push(order);
      if (page.length < rows) break;
      from = page.at(-1)?.id ?? lastOrder;
    }
    const through = found[limit - 1]?.id ?? Infinity;
    const ids = this.#gathered(filter, after, through, limit);
    if (ids.length === 0) return found.slice(0, limit);
    for (const id of ids.sort((a, b) => a - b).slice(0, limit)) {
      const order = this.order(id);
      if (order !== undefined) found.push(order);
    }
    return found.sort((a, b) => a.id - b.id).slice(0, limit);
  }

  firstAnswer(id: number, limit: number): FirstAnswer | undefined {
    const part = this.#partOf(id);
    const first = part === undefined ? this.#rows.firstState(id) : firstStateAt(part, part.find(id));
    if (first === undefined) return undefined;
    const { lastFill, parts } = this.#parts.projection;
    const through = id < lastFill.sequence ? Number.MAX_SAFE_INTEGER : id === lastFill.sequence ? lastFill.index : -1;
    const fills = this.#rows.ownFills(id, through, limit);
    let fillCount = this.#rows.ownFillCount(id, through);
    for (const gathered of parts)
      for (let n = gathered.firstFillAfter(id, -1); n < gathered.fillCount && gathered.fills[n * FILL_DOUBLES] === id; n += 1) {
        const fill = fillAt(gathered, n);
        if (fill.makerOrderId !== id && fill.takerOrderId !== id) continue;
        fillCount += 1;
        if (fills.length < limit) fills.push(fill);
      }
    return { ...first, fills, fillCount };
  }

  fills(after: FillPlace, limit: number): FillRecord[] {
    const { lastFill, parts } = this.#parts.projection;
    const found = isBefore(after, lastFill) ? this.#rows.fills(after, limit).filter((fill) => !isBefore(lastFill, fill)) : [];
    for (const part of parts)
      for (let n = part.firstFillAfter(after.sequence, after.index); n < part.fillCount && found.length < limit; n += 1)
        found.push(fillAt(part, n));
    return found;
  }

  trades(instrument: number, before: FillPlace, limit: number): FillRecord[] {
    const { lastFill, parts } = this.#parts.projection;
    const found: FillRecord[] = [];
    for (const part of parts.toReversed())
      for (let n = part.firstFillAfter(before.sequence, before.index - 1) - 1; n >= 0 && found.length < limit; n -= 1)
        if (part.fills[n * FILL_DOUBLES + FILL_INSTRUMENT] === instrument) found.push(fillAt(part, n));
    if (found.length === limit) return found;
    const next = { sequence: lastFill.sequence, index: lastFill.index + 1 };
    found.push(...this.#rows.trades(instrument, isBefore(before, next) ? before : next, limit - found.length));
    return found;
  }

  positions(account: number | undefined, page = ALL_POSITIONS): PositionRecord[] {
    const { core, committed, instruments } = this.#parts;
    // The core is behind the rows for a while after the opening.
    if (core.sequence < committed().sequence) return this.#rows.positions(account, page);
    const { after, limit } = page;
    const found: PositionRecord[] = [];
    const add = (position: PositionRecord | undefined): void => {
      if (position === undefined || position.lots === 0) return;
      const { account: holder, instrument, lots, averageTicks } = position;
      if (holder < after.account || (holder === after.account && instrument <= after.instrument)) return;
      found.push({ account: holder, instrument, lots, averageTicks });
    };
    if (account === undefined) {
      core.eachPosition(add);
      return found.sort((a, b) => a.account - b.account || a.instrument - b.instrument).slice(0, limit);
    }
    for (let instrument = 0; instrument < instruments; instrument += 1) add(core.position(account, instrument));
    return found.slice(0, limit);
  }

  /** The part with the newest of an order; undefined when none is newer than its row. */
  #partOf(id: number): Part | undefined {
    const [sealed, recent] = this.#parts.projection.parts;
    if (recent.find(id) >= 0) return recent;
    return sealed.find(id) >= 0 ? sealed : undefined;
  }

  /** Ids of the orders in memory that fit, after one and through another: at least the first `limit` of them, in any order. */
  #gathered({ account, status }: OrderFilter, after: number, through: number, limit: number): number[] {
    const [sealed, recent] = this.#parts.projection.parts;
    const ids: number[] = [];
    for (const part of [sealed, recent]) {
      const { orders } = part;
      const add = (at: number): void => {
        const id = orders[at + ID] as number;
        if (id <= after || id > through || (status !== undefined && orders[at + STATUS] !== status)) return;
        if (part === recent || recent.find(id) < 0) ids.push(id);
      };
      const isAsked = part.born > 0 && (orders[0] as number) <= through;
      if (account === undefined) {
        for (let n = part.born; n < part.born + part.carried; n += 1) add(part.at(n));
        const most = ids.length + limit;
        if (isAsked) for (let n = part.firstAfter(after); n < part.born && ids.length < most; n += 1) add(part.at(n));
      } else {
        for (let at = part.lastCarriedOf(account); at >= 0; at = part.before(at)) add(at);
        if (isAsked) for (let at = part.lastBornOf(account); at >= 0 && (orders[at + ID] as number) > after; at = part.before(at)) add(at);
      }
    }
    return ids;
  }
}

function isBefore(one: FillPlace, other: FillPlace): boolean {
  return one.sequence < other.sequence || (one.sequence === other.sequence && one.index < other.index);
}

function orderAt(part: Part, at: number): OrderRecord {
  const { orders } = part;
  const filledLots = orders[at + FILLED_LOTS] as number;
  const remainingLots = orders[at + REMAINING] as number;
  return {
    id: orders[at + ID] as number,
    instrument: orders[at + INSTRUMENT] as number,
    account: orders[at + ACCOUNT] as number,
    ...unpackTerms(orders[at + TERMS] as number),
    priceTicks: orders[at + PRICE] as number,
    stopTicks: orders[at + STOP_PRICE] as number,
    displayLots: orders[at + DISPLAY] as number,
    expiryMicros: orders[at + EXPIRY] as number,
    quantityLots: filledLots + remainingLots,
    filledLots,
    remainingLots,
    status: orders[at + STATUS] as OrderStatus,
    reason: orders[at + REASON] as OrderRecord['reason'],
    clientOrderId: part.textAt(at),
    createdAtMicros: orders[at + CREATED] as number,
    updatedAtMicros: orders[at + UPDATED] as number,
  };
}

function firstStateAt(part: Part, at: number): FirstState | undefined {
  const { orders } = part;
  const now = orderAt(part, at);
  const sentLots = orders[at + SENT] as number;
  const updatedAtMicros = now.createdAtMicros;
  if (!part.isChanged(at)) return { order: { ...now, updatedAtMicros }, sentLots };
  const state = orders[at + FIRST_STATE] as number;
  if (state < 0) return undefined;
  const filledLots = orders[at + FIRST_FILLED] as number;
  const remainingLots = orders[at + FIRST_REMAINING] as number;
  const quantityLots = filledLots + remainingLots;
  const priceTicks = orders[at + FIRST_PRICE] as number;
  const stopTicks = orders[at + FIRST_STOP] as number;
  const first = { priceTicks, stopTicks, quantityLots, filledLots, remainingLots, updatedAtMicros, ...unpackState(state) };
  return { order: { ...now, ...first }, sentLots };
}

function fillAt(part: Part, n: number): FillRecord {
  const { fills } = part;
  const at = n * FILL_DOUBLES;
  return {
    sequence: fills[at + FILL_SEQUENCE] as number,
    index: fills[at + FILL_INDEX] as number,
    instrument: fills[at + FILL_INSTRUMENT] as number,
    priceTicks: fills[at + FILL_PRICE] as number,
    quantityLots: fills[at + FILL_LOTS] as number,
    makerOrderId: fills[at + FILL_MAKER] as number,
    takerOrderId: fills[at + FILL_TAKER] as number,
    takerSide: fills[at + FILL_TAKER_SIDE] as Side,
    timestampMicros: fills[at + FILL_TIME] as number,
  };
}
