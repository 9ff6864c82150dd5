/**
 * Client of the order API over HTTP.
 *
 * ```ts
 * const client = new OrderClient({ baseUrl: 'http://localhost:8080', token });
 * const { order, fills } = await client.place({ symbol: 'BTC-USD', account: 'alice', side: 'buy', type: 'limit', price: '100', quantity: '1' });
 * await client.cancel(order.id);
 * await client.close();
 * ```
 */
import type { z } from 'zod';
import { accountLimitsSchema, type AccountLimits } from './account-schemas.ts';
import { batchAnswerSchema, type BatchAnswer, type batchBody } from './batch-schemas.ts';
import { bestSchema, bookOrdersSchema, type BestView, type BookOrdersView } from './book-schemas.ts';
import { EngineError } from './engine-error.ts';
import { HttpCaller } from './http.ts';
import {
  bookSchema,
  fillsAnswerSchema,
  instrumentsSchema,
  massCancelAnswerSchema,
  orderAnswerSchema,
  ordersAnswerSchema,
  placedSchema,
  positionsAnswerSchema,
  type BookView,
  type FillView,
  type InstrumentView,
  type MassCancelAnswer,
  type OrderView,
  type placeOrderBody,
  type PositionView,
  type replaceOrderBody,
} from './schemas.ts';
import type { ClientTls } from './tls.ts';

export type NewOrder = z.input<typeof placeOrderBody>;
export type BatchOperationInput = z.input<typeof batchBody>['operations'][number];
export type OrderChange = z.input<typeof replaceOrderBody>;
export type Order = OrderView;
export type Fill = FillView;
export type OrderBook = BookView;
export type Instrument = InstrumentView;
export type Position = PositionView;

export interface PlacedOrder {
  order: Order;
  /** The first 1000 fills that it had when it arrived. */
  fills: Fill[];
  /** `after` for {@link OrderClient.fills}, where its further fills begin (as long as their `sequence` is the order's); null when all are here. */
  next: string | null;
  /** true when the same account and clientOrderId had been accepted before: this is the first answer again. */
  repeated: boolean;
}

export interface Page<T> {
  items: T[];
  /** `after` of the next page; null at the end. */
  next: string | null;
}

export interface OrderClientOptions {
  /** Address of the orders port, for example `http://localhost:8080`. */
  baseUrl: string;
  /** Bearer token that says who sends (docs/security.md), or what gives one for each call. Never logged. */
  token?: string | (() => string);
  /** Bound on each call, connecting included. Default 5000. */
  timeoutMs?: number;
  /** For an address that begins with https. */
  tls?: ClientTls;
  /** Connections at most; each carries one request at a time. Default 16. */
  connections?: number;
}

/**
 * Places, cancels and reads orders of one engine. Prices and quantities are decimal strings. Every method throws {@link EngineError}; none
 * retries: after `HFT_CLIENT_TIMEOUT` or `HFT_CLIENT_UNREACHABLE` an order may have been accepted, and sending it again with the same
 * clientOrderId gives its answer.
 */
export class OrderClient {
  readonly #http: HttpCaller;

  constructor(options: OrderClientOptions) {
    this.#http = new HttpCaller({
      baseUrl: options.baseUrl,
      timeoutMs: options.timeoutMs ?? 5000,
      tls: options.tls,
      connections: options.connections ?? 16,
      ...(options.token !== undefined && { token: options.token }),
    });
  }

  /** Resolves when the order and its fills are durable. */
  async place(order: NewOrder, signal?: AbortSignal): Promise<PlacedOrder> {
    const { status, body } = await this.#http.answer({ method: 'POST', path: '/v1/orders', body: order, schema: placedSchema, signal });
    return { ...body, repeated: status === 200 };
  }

  /**
   * Changes an order; `quantity` is its new total, what is filled already included. Resolves when that, and the fills that it caused, are durable.
   * `HFT_ORDER_NOT_OPEN` when it was filled or cancelled before.
   */
  async replace(id: string, change: OrderChange, signal?: AbortSignal): Promise<Omit<PlacedOrder, 'repeated'>> {
    return await this.#http.json({
      method: 'PATCH',
      path: `/v1/orders/${encodeURIComponent(id)}`,
      body: change,
      schema: placedSchema,
      signal,
    });
  }

  /**
   * Places, replaces and cancels up to 1000 orders in one request, in their order with nothing of others in between. Each is accepted or refused by
   * itself: its result has `order`, or `problem`. With `idempotencyKey` (1 to 60 characters) the same batch may be sent again.
   */
  async batch(operations: readonly BatchOperationInput[], idempotencyKey?: string, signal?: AbortSignal): Promise<BatchAnswer> {
    return await this.#http.json({
      method: 'POST',
      path: '/v1/orders/batch',
      body: { operations },
      schema: batchAnswerSchema,
      headers: idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey },
      signal,
    });
  }

  /** Cancels every order of an account, in one instrument or in all. Resolves when that is durable. */
  async massCancel(of: { account: string; symbol?: string }, signal?: AbortSignal): Promise<MassCancelAnswer> {
    return await this.#http.json({ method: 'DELETE', path: '/v1/orders', query: of, schema: massCancelAnswerSchema, signal });
  }

  /** Resolves with the cancelled order when the cancel is durable. `HFT_ORDER_NOT_OPEN` when it was filled or cancelled before. */
  async cancel(id: string, signal?: AbortSignal): Promise<Order> {
    return (await this.#http.json({ method: 'DELETE', path: `/v1/orders/${encodeURIComponent(id)}`, schema: orderAnswerSchema, signal }))
      .order;
  }

  async get(id: string, signal?: AbortSignal): Promise<Order> {
    return (await this.#http.json({ method: 'GET', path: `/v1/orders/${encodeURIComponent(id)}`, schema: orderAnswerSchema, signal }))
      .order;
  }

  /** The best `depth` prices of each side, best first (default 10). */
  async book(symbol: string, depth?: number, signal?: AbortSignal): Promise<OrderBook> {
    return await this.#http.json({
      method: 'GET',
      path: `/v1/book/${encodeURIComponent(symbol)}`,
      query: { depth },
      schema: bookSchema,
      signal,
    });
  }

  /** The best price of each side. */
  async best(symbol: string, signal?: AbortSignal): Promise<BestView> {
    return await this.#http.json({ method: 'GET', path: `/v1/book/${encodeURIComponent(symbol)}/best`, schema: bestSchema, signal });
  }

  /** The first `limit` orders of each side, in the order in which they would trade (default 100). */
  async bookOrders(symbol: string, limit?: number, signal?: AbortSignal): Promise<BookOrdersView> {
    const path = `/v1/book/${encodeURIComponent(symbol)}/orders`;
    return await this.#http.json({ method: 'GET', path, query: { limit }, schema: bookOrdersSchema, signal });
  }

  /** The risk and rate limits of an account, and what is used of them. */
  async limits(account: string, signal?: AbortSignal): Promise<AccountLimits> {
    const path = `/v1/accounts/${encodeURIComponent(account)}/limits`;
    return await this.#http.json({ method: 'GET', path, schema: accountLimitsSchema, signal });
  }

  /** Orders with ids above `after`, oldest first; of all accounts when none is named, of every status when none is. */
  async orders(
    page: { account?: string; status?: Order['status']; after?: string; limit?: number } = {},
    signal?: AbortSignal,
  ): Promise<Page<Order>> {
    const { orders, next } = await this.#http.json({ method: 'GET', path: '/v1/orders', query: page, schema: ordersAnswerSchema, signal });
    return { items: orders, next };
  }

  /** Fills after `after` (`SEQUENCE.INDEX`), oldest first. */
  async fills(page: { after?: string; limit?: number } = {}, signal?: AbortSignal): Promise<Page<Fill>> {
    const { fills, next } = await this.#http.json({ method: 'GET', path: '/v1/fills', query: page, schema: fillsAnswerSchema, signal });
    return { items: fills, next };
  }

  /** Trades of an instrument before `before` (`SEQUENCE.INDEX`), newest first; `next` is the `before` of the next page. */
  async trades(symbol: string, page: { before?: string; limit?: number } = {}, signal?: AbortSignal): Promise<Page<Fill>> {
    const { fills, next } = await this.#http.json({
      method: 'GET',
      path: `/v1/trades/${encodeURIComponent(symbol)}`,
      query: page,
      schema: fillsAnswerSchema,
      signal,
    });
    return { items: fills, next };
  }

  /** Positions that are not flat, by account and instrument; of all accounts when none is named. */
  async positions(page: { account?: string; after?: string; limit?: number } = {}, signal?: AbortSignal): Promise<Page<Position>> {
    const path = '/v1/positions';
    const { positions, next } = await this.#http.json({ method: 'GET', path, query: page, schema: positionsAnswerSchema, signal });
    return { items: positions, next };
  }

  async instruments(signal?: AbortSignal): Promise<Instrument[]> {
    return (await this.#http.json({ method: 'GET', path: '/v1/instruments', schema: instrumentsSchema, signal })).instruments;
  }

  /** Closes the connections. Calls in flight fail. */
  async close(): Promise<void> {
    await this.#http.close();
  }
}

export { EngineError };
