/** Messages outside, the numbers of the core inside. Enums of messages are the core's plus {@link WIRE_SHIFT}: 0 there is "not given". */
import {
  WIRE_SHIFT,
  type FillMessage,
  type GetBookResponse,
  type InstrumentMessage,
  type LevelMessage,
  type OrderMessage,
  type PlaceOrderRequest,
  type ReplaceOrderRequest,
} from '../../client/grpc-contract.ts';
import { ACCOUNT_TEXT, CLIENT_ORDER_ID_TEXT } from '../../client/schemas.ts';
import {
  BUY,
  DAY,
  DECREMENT,
  GTC,
  IOC,
  MARKET,
  SELL,
  STOP_LIMIT,
  type BookView,
  type Level,
  type OrderType,
  type SelfTrade,
  type Side,
  type TimeInForce,
} from '../../core/types.ts';
import type { Instrument } from '../../service/instruments.ts';
import type { OrderTerms, ReplaceTerms } from '../../service/order-desk.ts';
import { Problem } from '../../service/problem.ts';
import type { FillRecord, OrderRecord } from '../../views/types.ts';

/** Throws Problem. */
export function requireAccount(account: string): void {
  if (account === '') throw new Problem('HFT_MISSING_FIELD', 'account must say on whose behalf', { field: 'account' });
  if (!ACCOUNT_TEXT.test(account)) {
    throw new Problem('HFT_INVALID_FIELD', 'account must be 1 to 32 letters, digits, dots, underscores and dashes', { field: 'account' });
  }
}

/** null for none. Throws Problem. */
export function clientOrderIdOf(text: string): string | null {
  if (text === '') return null;
  if (CLIENT_ORDER_ID_TEXT.test(text)) return text;
  throw new Problem('HFT_INVALID_FIELD', 'client_order_id must be 1 to 64 printable ASCII characters without spaces', {
    field: 'client_order_id',
  });
}

/** Throws Problem: an id beyond 2^53 was never given. */
export function requireOrderId(id: number): number {
  if (id === 0) throw new Problem('HFT_MISSING_FIELD', 'order_id must say which order', { field: 'order_id' });
  if (!Number.isSafeInteger(id)) throw new Problem('HFT_ORDER_NOT_FOUND', 'there is no such order', { field: 'order_id' });
  return id;
}

/** The order of a request. Whether its terms go together, and with the instrument, is for the core to judge. Throws Problem. */
export function termsOf(request: PlaceOrderRequest, instrument: number, session: number): OrderTerms {
  const type = requiredEnum<OrderType>('type', request.type, STOP_LIMIT);
  const timeInForce =
    request.timeInForce === 0 ? (type === MARKET ? IOC : GTC) : requiredEnum<TimeInForce>('time_in_force', request.timeInForce, DAY);
  return {
    instrument,
    side: requiredEnum<Side>('side', request.side, SELL),
    type,
    timeInForce,
    priceTicks: request.priceTicks,
    quantityLots: requirePositive('quantity_lots', request.quantityLots),
    stopTicks: request.stopPriceTicks,
    displayLots: request.displayLots,
    expiryMicros: request.expiresAtMicros,
    postOnly: request.postOnly,
    selfTrade: optionalEnum<SelfTrade>('self_trade_prevention', request.selfTradePrevention, DECREMENT),
    session,
  };
}

/** The first field in which a request asks for another order than `order` was at first; undefined when it asks for the same. */
export function differingField(request: PlaceOrderRequest, order: OrderRecord, symbol: string): string | undefined {
  if (request.symbol !== symbol) return 'symbol';
  const terms = termsOf(request, order.instrument, 0);
  if (terms.side !== order.side) return 'side';
  if (terms.type !== order.type) return 'type';
  if (terms.timeInForce !== order.timeInForce) return 'time_in_force';
  if (terms.priceTicks !== order.priceTicks) return 'price_ticks';
  if (terms.quantityLots !== order.quantityLots) return 'quantity_lots';
  if (terms.stopTicks !== order.stopTicks) return 'stop_price_ticks';
  if (terms.displayLots !== order.displayLots) return 'display_lots';
  if (terms.expiryMicros !== order.expiryMicros) return 'expires_at_micros';
  if (terms.postOnly !== (order.postOnly === 1)) return 'post_only';
  return terms.selfTrade === order.selfTrade ? undefined : 'self_trade_prevention';
}

/** What a replacement changes of `order`. Its quantity is the new total: what is filled by now counts. Throws Problem. */
export function replaceTermsOf(request: ReplaceOrderRequest, order: OrderRecord): ReplaceTerms {
  const { priceTicks, quantityLots: totalLots, stopPriceTicks } = request;
  if (priceTicks === 0 && totalLots === 0 && stopPriceTicks === 0) {
    throw new Problem('HFT_MISSING_FIELD', 'price_ticks, quantity_lots or stop_price_ticks must say what to change', {
      field: 'price_ticks',
    });
  }
  if (totalLots !== 0 && totalLots <= order.filledLots) {
    throw new Problem(
      'HFT_QUANTITY_FILLED',
      `quantity_lots ${totalLots} is not more than the ${order.filledLots} that are filled already: cancel the rest instead`,
      { field: 'quantity_lots' },
    );
  }
  return {
    priceTicks,
    quantityLots: totalLots === 0 ? 0 : totalLots - order.filledLots,
    stopTicks: stopPriceTicks,
    // A fill between the look and the change would make the total another one.
    expectedLots: totalLots === 0 ? 0 : order.remainingLots,
  };
}

export function orderMessage(order: OrderRecord, symbol: string, account: string): OrderMessage {
  return {
    id: order.id,
    symbol,
    account,
    side: order.side + WIRE_SHIFT,
    type: order.type + WIRE_SHIFT,
    timeInForce: order.timeInForce + WIRE_SHIFT,
    priceTicks: order.priceTicks,
    quantityLots: order.quantityLots,
    filledLots: order.filledLots,
    remainingLots: order.remainingLots,
    status: order.status + WIRE_SHIFT,
    reason: order.reason,
    stopPriceTicks: order.stopTicks,
    displayLots: order.displayLots,
    expiresAtMicros: order.expiryMicros,
    postOnly: order.postOnly === 1,
    selfTradePrevention: order.selfTrade,
    clientOrderId: order.clientOrderId ?? '',
    createdAtMicros: order.createdAtMicros,
    updatedAtMicros: order.updatedAtMicros,
  };
}

export function fillMessage(fill: FillRecord): FillMessage {
  return {
    sequence: fill.sequence,
    index: fill.index,
    priceTicks: fill.priceTicks,
    quantityLots: fill.quantityLots,
    makerOrderId: fill.makerOrderId,
    takerOrderId: fill.takerOrderId,
    takerSide: fill.takerSide + WIRE_SHIFT,
    executedAtMicros: fill.timestampMicros,
  };
}

export function instrumentMessage({ symbol, tick, lot }: Instrument, book: BookView): InstrumentMessage {
  return {
    symbol,
    tickSize: tick.text,
    lotSize: lot.text,
    state: book.state + WIRE_SHIFT,
    untilMicros: book.untilMicros,
    lastPriceTicks: book.lastTradeTicks,
  };
}

export function bookMessage(symbol: string, sequence: number, book: BookView, depth: number): GetBookResponse {
  return {
    symbol,
    sequence,
    state: book.state + WIRE_SHIFT,
    bids: book.depth(BUY, depth).map(levelMessage),
    asks: book.depth(SELL, depth).map(levelMessage),
  };
}

function levelMessage({ priceTicks, quantityLots, orders }: Level): LevelMessage {
  const lots = Number(quantityLots);
  return { priceTicks, quantityLots: Number.isSafeInteger(lots) ? lots : String(quantityLots), orders };
}

function requirePositive(field: string, value: number): number {
  if (value === 0) throw new Problem('HFT_NOT_POSITIVE', `${field} must be greater than zero`, { field });
  return value;
}

function requiredEnum<T extends number>(field: string, wire: number, last: T): T {
  if (wire === 0) throw new Problem('HFT_MISSING_FIELD', `${field} must be given`, { field });
  return optionalEnum(field, wire - WIRE_SHIFT, last);
}

function optionalEnum<T extends number>(field: string, value: number, last: T): T {
  if (value >= 0 && value <= last) return value as T;
  throw new Problem('HFT_INVALID_FIELD', `${field} is none of the numbers that engine.proto gives it`, { field });
}
