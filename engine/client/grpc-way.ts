/** The one API over gRPC: unary calls over a pool. */
import type { FillMessage, InstrumentMessage, LevelMessage, OrderMessage, PlaceOrderRequest, PlaceOrderResponse } from './grpc-contract.ts';
import { WIRE_SHIFT } from './grpc-contract.ts';
import { GrpcOrderClient } from './grpc.ts';
import type { GrpcPoolOptions } from './grpc-pool.ts';
import type { OrderChange } from './orders.ts';
import {
  idOf,
  ownFill,
  type ChangedOrder,
  type IdentifiedOrder,
  type MassCancelled,
  type OrderReference,
  type OrderWay,
  type PlacedOrder,
} from './order-way.ts';
import { REJECT } from '../core/types.ts';
import { errorOfReject } from './reject-codes.ts';
import type { BookView, FillView, InstrumentView, OrderView } from './schemas.ts';
import { microsOf, timeText, Units, unknownSymbol } from './units.ts';
import {
  REASON_VALUES,
  SELF_TRADE_VALUES,
  SIDE_VALUES,
  STATE_VALUES,
  STATUS_VALUES,
  TIME_IN_FORCE_VALUES,
  TYPE_VALUES,
} from './websocket-values.ts';

export class GrpcWay implements OrderWay {
  readonly #grpc: GrpcOrderClient;
  readonly #units = new Map<string, Units>();

  constructor(options: GrpcPoolOptions) {
    this.#grpc = new GrpcOrderClient(options);
  }

  async place(order: IdentifiedOrder, signal: AbortSignal | undefined): Promise<PlacedOrder> {
    const units = await this.#unitsOf(order.symbol, signal);
    const placed = await this.#grpc.place(requestOf(order, units), signal);
    return { ...changedOf(placed, units), repeated: placed.repeated };
  }

  async replace(reference: OrderReference, change: OrderChange, signal: AbortSignal | undefined): Promise<ChangedOrder> {
    const { symbol } = typeof reference === 'string' ? await this.#grpc.get(numberOf(reference), signal) : reference;
    const units = await this.#unitsOf(symbol, signal);
    const request = {
      orderId: numberOf(reference),
      priceTicks: units.ticks('price', change.price),
      quantityLots: units.lots('quantity', change.quantity),
      stopPriceTicks: units.ticks('stopPrice', change.stopPrice),
    };
    return changedOf(await this.#grpc.replace(request, signal), units);
  }

  async cancel(reference: OrderReference, signal: AbortSignal | undefined): Promise<OrderView> {
    return await this.#view(await this.#grpc.cancel(numberOf(reference), signal), signal);
  }

  async massCancel(of: { account: string; symbol?: string }, signal: AbortSignal | undefined): Promise<MassCancelled> {
    const { count, orderIds } = await this.#grpc.massCancel(of, signal);
    return { count, ids: orderIds.map(String) };
  }

  async order(id: string, signal: AbortSignal | undefined): Promise<OrderView> {
    return await this.#view(await this.#grpc.get(numberOf(id), signal), signal);
  }

  async instruments(signal: AbortSignal | undefined): Promise<InstrumentView[]> {
    const messages = await this.#grpc.instruments(signal);
    for (const message of messages) this.#units.set(message.symbol, new Units(message));
    return messages.map(instrumentView);
  }

  async book(symbol: string, depth: number | undefined, signal: AbortSignal | undefined): Promise<BookView> {
    const book = await this.#grpc.book(symbol, depth, signal);
    const units = await this.#unitsOf(symbol, signal);
    return {
      symbol,
      sequence: book.sequence,
      state: named(STATE_VALUES, book.state - WIRE_SHIFT) as BookView['state'],
      bids: book.bids.map((level) => levelView(level, units)),
      asks: book.asks.map((level) => levelView(level, units)),
    };
  }

  close(): Promise<void> {
    this.#grpc.close();
    return Promise.resolve();
  }

  async #view(message: OrderMessage, signal: AbortSignal | undefined): Promise<OrderView> {
    return orderView(message, await this.#unitsOf(message.symbol, signal));
  }

  async #unitsOf(symbol: string, signal: AbortSignal | undefined): Promise<Units> {
    if (!this.#units.has(symbol)) await this.instruments(signal);
    const units = this.#units.get(symbol);
    if (units === undefined) throw unknownSymbol(symbol);
    return units;
  }
}

/** An id that is no number names no order. */
function numberOf(reference: OrderReference): number {
  const id = idOf(reference);
  if (!/^[1-9][0-9]{0,15}$/.test(id)) throw errorOfReject(REJECT.unknownOrder, undefined);
  return Number(id);
}

function requestOf(order: IdentifiedOrder, units: Units): PlaceOrderRequest {
  return {
    symbol: order.symbol,
    account: order.account,
    side: SIDE_VALUES.indexOf(order.side) + WIRE_SHIFT,
    type: TYPE_VALUES.indexOf(order.type) + WIRE_SHIFT,
    timeInForce: order.timeInForce === undefined ? 0 : TIME_IN_FORCE_VALUES.indexOf(order.timeInForce) + WIRE_SHIFT,
    priceTicks: units.ticks('price', 'price' in order ? order.price : undefined),
    quantityLots: units.lots('quantity', order.quantity),
    stopPriceTicks: units.ticks('stopPrice', 'stopPrice' in order ? order.stopPrice : undefined),
    displayLots: units.lots('displayQuantity', 'displayQuantity' in order ? order.displayQuantity : undefined),
    expiresAtMicros: microsOf('expiresAt' in order ? order.expiresAt : undefined),
    postOnly: 'postOnly' in order && order.postOnly === true,
    selfTradePrevention: SELF_TRADE_VALUES.indexOf(order.selfTradePrevention ?? 'none'),
    clientOrderId: order.clientOrderId,
    cancelOnDisconnect: false,
  };
}

function changedOf({ order: message, fills, fillCount }: Omit<PlaceOrderResponse, 'repeated'>, units: Units): ChangedOrder {
  const order = orderView(message, units);
  const last = fills.at(-1);
  return {
    order,
    fills: fills.map((fill) => ownFill(order, fillView(fill, units))),
    next: fills.length < fillCount && last !== undefined ? `${last.sequence}.${last.index}` : null,
  };
}

function orderView(order: OrderMessage, { symbol, tick, lot }: Units): OrderView {
  return {
    id: String(order.id),
    sequence: order.id,
    symbol,
    account: order.account,
    side: named(SIDE_VALUES, order.side - WIRE_SHIFT) as OrderView['side'],
    type: named(TYPE_VALUES, order.type - WIRE_SHIFT) as OrderView['type'],
    timeInForce: named(TIME_IN_FORCE_VALUES, order.timeInForce - WIRE_SHIFT) as OrderView['timeInForce'],
    ...(order.priceTicks > 0 && { price: tick.format(order.priceTicks) }),
    ...(order.stopPriceTicks > 0 && { stopPrice: tick.format(order.stopPriceTicks) }),
    ...(order.displayLots > 0 && { displayQuantity: lot.format(order.displayLots) }),
    ...(order.expiresAtMicros > 0 && { expiresAt: timeText(order.expiresAtMicros) }),
    ...(order.postOnly && { postOnly: true }),
    ...(order.selfTradePrevention !== 0 && {
      selfTradePrevention: named(SELF_TRADE_VALUES, order.selfTradePrevention) as NonNullable<OrderView['selfTradePrevention']>,
    }),
    quantity: lot.format(order.quantityLots),
    filledQuantity: lot.format(order.filledLots),
    remainingQuantity: lot.format(order.remainingLots),
    status: named(STATUS_VALUES, order.status - WIRE_SHIFT) as OrderView['status'],
    ...(order.reason !== 0 && { reason: named(REASON_VALUES, order.reason) as NonNullable<OrderView['reason']> }),
    ...(order.clientOrderId !== '' && { clientOrderId: order.clientOrderId }),
    createdAt: timeText(order.createdAtMicros),
    updatedAt: timeText(order.updatedAtMicros),
  };
}

function fillView(fill: FillMessage, { symbol, tick, lot }: Units): FillView {
  return {
    sequence: fill.sequence,
    index: fill.index,
    symbol,
    price: tick.format(fill.priceTicks),
    quantity: lot.format(fill.quantityLots),
    makerOrderId: String(fill.makerOrderId),
    takerOrderId: String(fill.takerOrderId),
    takerSide: named(SIDE_VALUES, fill.takerSide - WIRE_SHIFT) as FillView['takerSide'],
    executedAt: timeText(fill.executedAtMicros),
  };
}

function levelView({ priceTicks, quantityLots, orders }: LevelMessage, { tick, lot }: Units): BookView['bids'][number] {
  return { price: tick.format(priceTicks), quantity: lot.format(BigInt(quantityLots)), orders };
}

function instrumentView(message: InstrumentMessage): InstrumentView {
  const { symbol, tickSize, lotSize, state, untilMicros, lastPriceTicks } = message;
  return {
    symbol,
    tickSize,
    lotSize,
    state: named(STATE_VALUES, state - WIRE_SHIFT) as InstrumentView['state'],
    ...(untilMicros > 0 && { until: timeText(untilMicros) }),
    ...(lastPriceTicks > 0 && { lastPrice: new Units(message).tick.format(lastPriceTicks) }),
  };
}

/** The name of a code; a number that a newer engine has added stays a number in text. */
function named(names: readonly string[], code: number): string {
  return names[code] ?? String(code);
}
