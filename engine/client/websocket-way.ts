/**
 * The one API over WebSocket: new orders, changes and cancels as frames; what they cannot tell (orders by id, what became of an order that
 * is not there any more) is asked over HTTP, on the same port.
 */
import { REJECT } from '../core/types.ts';
import { EngineError } from './engine-error.ts';
import { HttpWay } from './http-way.ts';
import type { OrderChange, OrderClient } from './orders.ts';
import {
  idOf,
  type ChangedOrder,
  type IdentifiedOrder,
  type MassCancelled,
  type OrderReference,
  type OrderWay,
  type OwnFill,
  type PlacedOrder,
} from './order-way.ts';
import { errorOfReject } from './reject-codes.ts';
import type { BookView, InstrumentView, OrderView } from './schemas.ts';
import type { ClientTls } from './tls.ts';
import { microsOf, requireHexId, shortest, timeText, Units, unknownSymbol } from './units.ts';
import { ConnectionLost, ConnectionRefused, WebSocketOrders, WireRejected, type WireOrder, type WithFills } from './websocket.ts';
import type { FrameOf } from './websocket-codec.ts';

type DoneFrame = WithFills<FrameOf<'placed'>> | WithFills<FrameOf<'replaced'>> | FrameOf<'cancelled'>;

/** Asked over HTTP instead: what the order is now decides which code it is. */
const ASK_OVER_HTTP: ReadonlySet<number> = new Set([REJECT.unknownOrder, REJECT.stale, REJECT.duplicate]);

export interface WebSocketWayOptions {
  readonly url: string;
  readonly token: string | (() => string);
  readonly timeoutMs: number;
  readonly mostInFlight: number;
  readonly tls?: ClientTls;
}

export class WebSocketWay implements OrderWay {
  readonly #ws: WebSocketOrders;
  readonly #http: HttpWay;
  readonly #units = new Map<string, Units>();

  private constructor(ws: WebSocketOrders, http: OrderClient) {
    this.#ws = ws;
    this.#http = new HttpWay(http);
  }

  static async connect(options: WebSocketWayOptions, http: OrderClient): Promise<WebSocketWay> {
    try {
      return new WebSocketWay(await WebSocketOrders.connect(options), http);
    } catch (cause) {
      throw errorOf(cause, false);
    }
  }

  async place(order: IdentifiedOrder, signal: AbortSignal | undefined): Promise<PlacedOrder> {
    const units = this.#unitsOf(order.symbol);
    const wire = wireOf(order, units);
    const placed = await told(this.#ws.place(wire, signal));
    if (placed.duplicate === true) return await this.#placedBefore(order, signal);
    const changed = changedOf(newView(order, units, placed), units, placed);
    return { ...changed, repeated: false };
  }

  /** The first answer of an order that is there: it is known only over HTTP, which also compares the terms. */
  async #placedBefore(order: IdentifiedOrder, signal: AbortSignal | undefined): Promise<PlacedOrder> {
    try {
      return await this.#http.place(order, signal);
    } catch (cause) {
      if (!(cause instanceof EngineError) || cause.code === 'HFT_CLIENT_ORDER_ID_REUSED') throw cause;
      const { code, status, message } = cause;
      throw new EngineError({ code, status, message, cause, inDoubt: true });
    }
  }

  async replace(reference: OrderReference, change: OrderChange, signal: AbortSignal | undefined): Promise<ChangedOrder> {
    const order = await this.#held(reference, signal);
    const units = this.#unitsOf(order.symbol);
    const totalLots = units.lots('quantity', change.quantity);
    const filledLots = lotsOf('filledQuantity', order, units);
    const remainingLots = totalLots === 0 ? 0 : totalLots - filledLots;
    const expectedLots = lotsOf('remainingQuantity', order, units);
    // The engine says which code that is: 409 HFT_ORDER_NOT_OPEN of an order that has ended, else 422 HFT_QUANTITY_FILLED.
    if (expectedLots === 0 || remainingLots < 0 || (totalLots > 0 && remainingLots === 0))
      return await this.#http.replace(reference, change, signal);
    const terms = {
      priceTicks: units.ticks('price', change.price),
      stopTicks: units.ticks('stopPrice', change.stopPrice),
      quantityLots: remainingLots,
      // The answer, and what is to remain, are worked out from what is filled: the engine refuses it when that is another by now.
      expectedLots,
    };
    try {
      const replaced = await this.#ws.replace(order.account, Number(order.id), terms, signal);
      const after = {
        ...order,
        ...(change.price !== undefined && { price: shortest(change.price) }),
        ...(change.stopPrice !== undefined && { stopPrice: shortest(change.stopPrice) }),
      };
      return changedOf(doneView(after, units, filledLots + replaced.filledLots, replaced), units, replaced);
    } catch (cause) {
      if (cause instanceof WireRejected && ASK_OVER_HTTP.has(cause.reject)) return await this.#http.replace(reference, change, signal);
      throw errorOf(cause, true);
    }
  }

  async cancel(reference: OrderReference, signal: AbortSignal | undefined): Promise<OrderView> {
    const order = await this.#held(reference, signal);
    const units = this.#unitsOf(order.symbol);
    try {
      const cancelled = await this.#ws.cancel(order.account, Number(order.id), signal);
      const quantityLots = units.lots('quantity', order.quantity);
      return doneView(order, units, Math.max(0, quantityLots - cancelled.remainingLots), cancelled);
    } catch (cause) {
      if (cause instanceof WireRejected && ASK_OVER_HTTP.has(cause.reject)) return await this.#http.cancel(reference, signal);
      throw errorOf(cause, true);
    }
  }

  async massCancel({ account, symbol }: { account: string; symbol?: string }, signal: AbortSignal | undefined): Promise<MassCancelled> {
    if (symbol !== undefined) this.#unitsOf(symbol);
    return { count: await told(this.#ws.massCancel(account, symbol, signal)) };
  }

  async order(id: string, signal: AbortSignal | undefined): Promise<OrderView> {
    return await this.#http.order(id, signal);
  }

  async book(symbol: string, depth: number | undefined, signal: AbortSignal | undefined): Promise<BookView> {
    return await this.#http.book(symbol, depth, signal);
  }

  async instruments(signal: AbortSignal | undefined): Promise<InstrumentView[]> {
    return await this.#http.instruments(signal);
  }

  async close(): Promise<void> {
    await this.#ws.close();
  }

  async #held(reference: OrderReference, signal: AbortSignal | undefined): Promise<OrderView> {
    return typeof reference === 'string' ? await this.order(idOf(reference), signal) : reference;
  }

  #unitsOf(symbol: string): Units {
    const known = this.#units.get(symbol);
    if (known !== undefined) return known;
    const instrument = this.#ws.instruments.get(symbol);
    if (instrument === undefined) throw unknownSymbol(symbol);
    const units = new Units(instrument);
    this.#units.set(symbol, units);
    return units;
  }
}

async function told<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (cause) {
    throw errorOf(cause, true);
  }
}

/** `mayBeSent`: whether a failure without a word of the engine leaves in doubt what was done. */
function errorOf(cause: unknown, mayBeSent: boolean): EngineError {
  if (cause instanceof EngineError) return cause;
  if (cause instanceof WireRejected) return errorOfReject(cause.reject, cause);
  const message = cause instanceof Error ? cause.message : String(cause);
  if (cause instanceof ConnectionRefused) {
    const code = cause.status === 401 ? 'HFT_UNAUTHORIZED' : 'HFT_FORBIDDEN';
    return new EngineError({ code, status: cause.status, message, cause });
  }
  // An order that was sent before its client was let in no more.
  if (cause instanceof ConnectionLost && cause.cause instanceof ConnectionRefused)
    return new EngineError({ code: 'HFT_UNAUTHORIZED', status: cause.cause.status, message, cause, inDoubt: true });
  const inDoubt = mayBeSent && cause instanceof ConnectionLost && cause.sent;
  if (cause instanceof RangeError) return new EngineError({ code: 'HFT_INVALID_FIELD', status: 400, message, cause });
  const code = cause instanceof ConnectionLost && cause.late ? 'HFT_CLIENT_TIMEOUT' : 'HFT_CLIENT_UNREACHABLE';
  return new EngineError({ code, status: 0, message, cause, inDoubt });
}

function wireOf(order: IdentifiedOrder, units: Units): WireOrder {
  const resting = order.type === 'market' ? undefined : order;
  return {
    account: order.account,
    symbol: order.symbol,
    side: order.side,
    type: order.type,
    ...(order.timeInForce !== undefined && { timeInForce: order.timeInForce }),
    ...(order.selfTradePrevention !== undefined && { selfTrade: order.selfTradePrevention }),
    priceTicks: units.ticks('price', 'price' in order ? order.price : undefined),
    quantityLots: units.lots('quantity', order.quantity),
    stopTicks: units.ticks('stopPrice', 'stopPrice' in order ? order.stopPrice : undefined),
    displayLots: units.lots('displayQuantity', 'displayQuantity' in order ? order.displayQuantity : undefined),
    expiryMicros: microsOf(resting?.expiresAt),
    postOnly: 'postOnly' in order && order.postOnly === true,
    cancelOnDisconnect: resting?.cancelOnDisconnect === true,
    clientOrderId: requireHexId(order.clientOrderId),
  };
}

/** An order as its `placed` frame and what was sent make it. */
function newView(order: IdentifiedOrder, units: Units, placed: WithFills<FrameOf<'placed'>>): OrderView {
  const { symbol, account, side, type, selfTradePrevention = 'none', clientOrderId } = order;
  const terms: Partial<OrderView> = {
    ...('price' in order && { price: shortest(order.price) }),
    ...('stopPrice' in order && { stopPrice: shortest(order.stopPrice) }),
    ...('displayQuantity' in order && order.displayQuantity !== undefined && { displayQuantity: shortest(order.displayQuantity) }),
    ...('expiresAt' in order && order.expiresAt !== undefined && { expiresAt: timeText(microsOf(order.expiresAt)) }),
    ...('postOnly' in order && order.postOnly === true && { postOnly: true }),
    ...(selfTradePrevention !== 'none' && { selfTradePrevention }),
  };
  const view: OrderView = {
    id: String(placed.orderId),
    sequence: placed.orderId,
    symbol,
    account,
    side,
    type,
    timeInForce: order.timeInForce ?? (type === 'market' ? 'IOC' : 'GTC'),
    ...terms,
    quantity: order.quantity,
    filledQuantity: '0',
    remainingQuantity: order.quantity,
    status: 'open',
    clientOrderId,
    createdAt: timeText(placed.timeMicros),
    updatedAt: timeText(placed.timeMicros),
  };
  return doneView(view, units, placed.filledLots, placed);
}

/** `order` after a command. */
function doneView(order: OrderView, { lot }: Units, filledLots: number, done: DoneFrame): OrderView {
  const { reason: before, ...terms } = order;
  const reason = done.reason === 'none' ? undefined : (done.reason as NonNullable<typeof before>);
  return {
    ...terms,
    quantity: lot.format(filledLots + done.remainingLots),
    filledQuantity: lot.format(filledLots),
    remainingQuantity: lot.format(done.remainingLots),
    status: done.status as OrderView['status'],
    ...(reason !== undefined && { reason }),
    updatedAt: timeText(done.timeMicros),
  };
}

function changedOf(order: OrderView, { symbol, tick, lot }: Units, done: WithFills<FrameOf<'placed'> | FrameOf<'replaced'>>): ChangedOrder {
  const fills = done.fillFrames.map((fill): OwnFill => ({
    sequence: fill.sequence,
    index: fill.index,
    orderId: order.id,
    role: fill.taker === true ? 'taker' : 'maker',
    symbol,
    side: order.side,
    price: tick.format(fill.priceTicks),
    quantity: lot.format(fill.quantityLots),
    executedAt: timeText(fill.timeMicros),
  }));
  return { order, fills, next: nextOf(done.sequence, done.fills, fills) };
}

/** `after` of the fills that an answer does not have; null when it has all. */
function nextOf(sequence: number, count: number, fills: readonly OwnFill[]): string | null {
  if (fills.length >= count) return null;
  const last = fills.at(-1);
  // Before its first fill there is nothing of this command: the end of the one before is where it begins.
  return last === undefined ? `${sequence - 1}.999999999` : `${last.sequence}.${last.index}`;
}

function lotsOf(field: 'filledQuantity' | 'remainingQuantity', order: OrderView, units: Units): number {
  return /[1-9]/.test(order[field]) ? units.lots(field, order[field]) : 0;
}
