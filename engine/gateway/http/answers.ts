/** What the routes share: names and ids to what they stand for, records to answers. */
import type { FillView, OrderView, Placement } from '../../client/schemas.ts';
import type { Instrument } from '../../service/instruments.ts';
import type { Market } from '../../service/market.ts';
import type { Placed } from '../../service/placed.ts';
import { Problem } from '../../service/problem.ts';
import type { FillRecord, OrderRecord } from '../../views/types.ts';
import { fillView, orderView } from './views.ts';

/** Throws Problem (422): the instrument of an order. */
export function requireTraded(market: Market, symbol: string): Instrument {
  const instrument = market.bySymbol.get(symbol);
  if (instrument !== undefined) return instrument;
  throw new Problem('HFT_UNKNOWN_SYMBOL', `${symbol} is not traded here: GET /v1/instruments lists those that are`, { field: 'symbol' });
}

/** Throws Problem (404): the instrument of a path. */
export function requireListed(market: Market, symbol: string): Instrument {
  const instrument = market.bySymbol.get(symbol);
  if (instrument !== undefined) return instrument;
  throw new Problem('HFT_INSTRUMENT_NOT_FOUND', `${symbol} is not traded here: GET /v1/instruments lists those that are`, {
    field: 'symbol',
  });
}

export function instrumentById(market: Market, id: number): Instrument {
  const instrument = market.instruments[id];
  if (instrument === undefined) throw new RangeError(`no instrument ${id}`);
  return instrument;
}

/** Ids are validated as text; beyond 2^53 none was ever given. Throws Problem. */
export function orderNumber(id: string): number {
  const number = Number(id);
  if (!Number.isSafeInteger(number)) throw new Problem('HFT_ORDER_NOT_FOUND', `there is no order ${id}`, { field: 'id' });
  return number;
}

export function viewOf(market: Market, order: OrderRecord): OrderView {
  return orderView(order, instrumentById(market, order.instrument), market.accounts.name(order.account));
}

export function fillViews(market: Market, fills: readonly FillRecord[]): FillView[] {
  return fills.map((fill) => fillView(fill, instrumentById(market, fill.instrument)));
}

/** A place in a list of fills, and back. */
export function fillCursor({ sequence, index }: Pick<FillRecord, 'sequence' | 'index'>): string {
  return `${sequence}.${index}`;
}

export function fillPlaceOf(cursor: string): { sequence: number; index: number } {
  const [sequence = 0, index = 0] = cursor.split('.').map(Number);
  return { sequence, index };
}

export function placementOf(market: Market, { order, fills, fillCount }: Placed): Placement {
  const last = fills.at(-1);
  return {
    order: viewOf(market, order),
    fills: fillViews(market, fills),
    next: last === undefined || fills.length === fillCount ? null : fillCursor(last),
  };
}
