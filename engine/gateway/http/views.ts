/** Integers inside, decimal strings outside. */
import {
  ALLOW,
  AUCTION,
  BUY,
  CANCEL_BOTH,
  CANCEL_NEWEST,
  CANCEL_OLDEST,
  CANCELLED,
  DAY,
  DAY_END,
  DECREMENT,
  DISCONNECTED,
  EXPIRED,
  FILLED,
  FOK,
  GTC,
  GTD,
  IMMEDIATE,
  INTERRUPTED,
  IOC,
  KILLED,
  LIMIT,
  MARKET,
  MASS,
  NO_REASON,
  NOT_FILLABLE,
  OPEN,
  PENDING,
  PRE_OPEN,
  REQUESTED,
  SELF_TRADE,
  SELL,
  STOP,
  STOP_LIMIT,
  type BookOrder,
  type BookView as CoreBook,
  type Level,
  type OrderStatus,
  type OrderType,
  type Reason,
  type SelfTrade,
  type Side,
  type TimeInForce,
  type TradingState,
} from '../../core/types.ts';
import type { BestView, BookOrdersView } from '../../client/book-schemas.ts';
import type { BookView, FillView, InstrumentView, OrderView, PositionView } from '../../client/schemas.ts';
import type { Instrument } from '../../service/instruments.ts';
import { signed, STATE_NAMES } from '../../service/rejects.ts';
import type { FillRecord, OrderRecord, PositionRecord } from '../../views/types.ts';

export const TYPE_NAMES = {
  [LIMIT]: 'limit',
  [MARKET]: 'market',
  [STOP]: 'stop',
  [STOP_LIMIT]: 'stop-limit',
} as const satisfies Readonly<Record<OrderType, OrderView['type']>>;
export const TIME_IN_FORCE_NAMES = {
  [GTC]: 'GTC',
  [IOC]: 'IOC',
  [FOK]: 'FOK',
  [GTD]: 'GTD',
  [DAY]: 'DAY',
} as const satisfies Readonly<Record<TimeInForce, OrderView['timeInForce']>>;
export const SELF_TRADE_NAMES = {
  [ALLOW]: 'none',
  [CANCEL_NEWEST]: 'cancel-newest',
  [CANCEL_OLDEST]: 'cancel-oldest',
  [CANCEL_BOTH]: 'cancel-both',
  [DECREMENT]: 'decrement',
} as const satisfies Readonly<Record<SelfTrade, OrderView['selfTradePrevention']>>;
export const STATUS_NAMES = {
  [OPEN]: 'open',
  [FILLED]: 'filled',
  [CANCELLED]: 'cancelled',
  [PENDING]: 'pending',
} as const satisfies Readonly<Record<OrderStatus, OrderView['status']>>;
const REASON_NAMES = {
  [NO_REASON]: undefined,
  [REQUESTED]: 'requested',
  [IMMEDIATE]: 'immediate',
  [NOT_FILLABLE]: 'not-fillable',
  [SELF_TRADE]: 'self-trade',
  [EXPIRED]: 'expired',
  [DAY_END]: 'day-end',
  [MASS]: 'mass-cancel',
  [KILLED]: 'kill-switch',
  [DISCONNECTED]: 'disconnected',
  [INTERRUPTED]: 'interrupted',
} as const satisfies Readonly<Record<Reason, OrderView['reason']>>;

let lastMs = 0;
let lastText = timeOf(0);

/** RFC 3339 in UTC, to the millisecond. Many orders share one. */
export function timeText(micros: number): string {
  const ms = Math.floor(micros / 1000);
  if (ms === lastMs) return lastText;
  lastText = timeOf(ms);
  lastMs = ms;
  return lastText;
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}

export function orderView(order: OrderRecord, instrument: Instrument, account: string): OrderView {
  const { lot, tick } = instrument;
  return {
    id: String(order.id),
    sequence: order.id,
    symbol: instrument.symbol,
    account,
    side: order.side === BUY ? 'buy' : 'sell',
    type: TYPE_NAMES[order.type],
    timeInForce: TIME_IN_FORCE_NAMES[order.timeInForce],
    price: order.priceTicks > 0 ? tick.format(order.priceTicks) : undefined,
    stopPrice: order.stopTicks > 0 ? tick.format(order.stopTicks) : undefined,
    displayQuantity: order.displayLots > 0 ? lot.format(order.displayLots) : undefined,
    expiresAt: order.expiryMicros > 0 ? timeText(order.expiryMicros) : undefined,
    postOnly: order.postOnly === 1 ? true : undefined,
    selfTradePrevention: order.selfTrade === ALLOW ? undefined : SELF_TRADE_NAMES[order.selfTrade],
    quantity: lot.format(order.quantityLots),
    filledQuantity: lot.format(order.filledLots),
    remainingQuantity: lot.format(order.remainingLots),
    status: STATUS_NAMES[order.status],
    reason: REASON_NAMES[order.reason],
    clientOrderId: order.clientOrderId ?? undefined,
    createdAt: timeText(order.createdAtMicros),
    updatedAt: timeText(order.updatedAtMicros),
  };
}

export function fillView(fill: FillRecord, { symbol, tick, lot }: Instrument): FillView {
  return {
    sequence: fill.sequence,
    index: fill.index,
    symbol,
    price: tick.format(fill.priceTicks),
    quantity: lot.format(fill.quantityLots),
    makerOrderId: String(fill.makerOrderId),
    takerOrderId: String(fill.takerOrderId),
    takerSide: fill.takerSide === BUY ? 'buy' : 'sell',
    executedAt: timeText(fill.timestampMicros),
  };
}

export function positionView(position: PositionRecord, instrument: Instrument, account: string): PositionView {
  return {
    account,
    symbol: instrument.symbol,
    quantity: signed(instrument, position.lots),
    averagePrice: averageText(position.averageTicks, instrument),
  };
}

/** A price between ticks, to a thousandth of one. */
function averageText(ticks: number, { tick }: Instrument): string {
  const whole = Math.floor(ticks);
  const thousandths = Math.round((ticks - whole) * 1000);
  const [units = '', fraction = ''] = tick.format(BigInt(whole) * 1000n + BigInt(thousandths)).split('.');
  const padded = units.padStart(4, '0');
  return `${padded.slice(0, -3)}.${padded.slice(-3)}${fraction}`.replace(/\.?0+$/, '');
}

export function bookView(symbol: string, sequence: number, book: CoreBook, depth: number, instrument: Instrument): BookView {
  return {
    symbol,
    sequence,
    state: STATE_NAMES[book.state],
    bids: book.depth(BUY, depth).map((level) => levelView(level, instrument)),
    asks: book.depth(SELL, depth).map((level) => levelView(level, instrument)),
  };
}

export function bestView(instrument: Instrument, sequence: number, book: CoreBook): BestView {
  const best = (side: Side): BestView['bid'] => {
    const [level] = book.depth(side, 1);
    return level === undefined ? null : levelView(level, instrument);
  };
  return {
    symbol: instrument.symbol,
    sequence,
    state: STATE_NAMES[book.state],
    bid: best(BUY),
    ask: best(SELL),
    ...(book.lastTradeTicks > 0 && { lastPrice: instrument.tick.format(book.lastTradeTicks) }),
  };
}

export function bookOrdersView(
  { symbol, tick, lot }: Instrument,
  sequence: number,
  state: TradingState,
  sides: { bids: readonly BookOrder[]; asks: readonly BookOrder[] },
  limit: number,
): BookOrdersView {
  const shown = (orders: readonly BookOrder[]): BookOrdersView['bids'] =>
    orders.slice(0, limit).map(({ orderId, priceTicks, quantityLots }) => ({
      id: String(orderId),
      price: tick.format(priceTicks),
      quantity: lot.format(quantityLots),
    }));
  const complete = sides.bids.length <= limit && sides.asks.length <= limit;
  return { symbol, sequence, state: STATE_NAMES[state], bids: shown(sides.bids), asks: shown(sides.asks), complete };
}

export function instrumentView(instrument: Instrument, book: CoreBook): InstrumentView {
  const { symbol, tick, lot } = instrument;
  const crossing = book.state === PRE_OPEN || book.state === AUCTION;
  return {
    symbol,
    tickSize: tick.text,
    lotSize: lot.text,
    state: STATE_NAMES[book.state],
    ...(book.untilMicros > 0 && { until: timeText(book.untilMicros) }),
    ...(book.lastTradeTicks > 0 && { lastPrice: tick.format(book.lastTradeTicks) }),
    ...(crossing && { indication: indicationView(book, instrument) }),
  };
}

function indicationView(book: CoreBook, { tick, lot }: Instrument): NonNullable<InstrumentView['indication']> {
  const { priceTicks, quantityLots, imbalanceLots } = book.indication();
  const imbalance = imbalanceLots < 0n ? -imbalanceLots : imbalanceLots;
  return {
    price: priceTicks === 0 ? null : tick.format(priceTicks),
    quantity: lot.format(quantityLots),
    imbalance: lot.format(imbalance),
    imbalanceSide: imbalanceLots === 0n ? null : imbalanceLots > 0n ? 'buy' : 'sell',
  };
}

function levelView(level: Level, instrument: Instrument): { price: string; quantity: string; orders: number } {
  return { price: instrument.tick.format(level.priceTicks), quantity: instrument.lot.format(level.quantityLots), orders: level.orders };
}
