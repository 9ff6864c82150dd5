/**
 * The one API of an engine, whatever the transport. Prices and quantities are decimals in strings. Every method throws {@link EngineError}.
 *
 * No order is placed twice: each has a client order id, one is made where none is given. What is in doubt after a lost connection or a restart is
 * settled by asking, within `timeoutMs`; only what could not be settled by then fails with `inDoubt`.
 */
import { randomBytes, randomInt } from 'node:crypto';
import type { AccountLimits } from './account-schemas.ts';
import type { BatchResult } from './batch-schemas.ts';
import type { BestView, BookOrdersView } from './book-schemas.ts';
import { EngineError } from './engine-error.ts';
import {
  idOf,
  ownFill,
  type ChangedOrder,
  type IdentifiedOrder,
  type MassCancelled,
  type OrderReference,
  type OrderWay,
  type OwnFill,
  type PlacedOrder,
} from './order-way.ts';
import type {
  BatchOperationInput,
  Fill,
  Instrument,
  NewOrder,
  Order,
  OrderBook,
  OrderChange,
  OrderClient,
  Page,
  Position,
} from './orders.ts';
import { saysNothing, settle } from './settle.ts';
import type { SubscribeOptions, Subscription } from './subscription.ts';
import { Turns } from './turns.ts';
import { shortest } from './units.ts';

export type Transport = 'http' | 'websocket' | 'grpc';

/** What became of one operation of a batch: its order and fills, or why it was refused. */
export interface BatchOutcome {
  readonly order?: Order;
  readonly fills: readonly OwnFill[];
  /** As in the answer to one order. */
  readonly next: string | null;
  readonly error?: EngineError;
}

type SentOperation = Exclude<BatchOperationInput, { op: 'place' }> | { op: 'place'; order: IdentifiedOrder };

export interface EngineClientParts {
  readonly transport: Transport;
  readonly way: OrderWay;
  /** For what the transport has no call of its own for. */
  readonly http: OrderClient;
  readonly subscribe: (instruments: readonly Instrument[], options: SubscribeOptions) => Promise<Subscription>;
  readonly timeoutMs: number;
  readonly maxInFlight: number;
}

export class EngineClient implements AsyncDisposable {
  readonly transport: Transport;
  readonly #way: OrderWay;
  readonly #http: OrderClient;
  readonly #subscribe: EngineClientParts['subscribe'];
  readonly #subscriptions = new Set<Subscription>();
  readonly #timeoutMs: number;
  readonly #turns: Turns;
  readonly #idPrefix = randomBytes(4).toString('hex');
  #lastId = randomInt(0xffff_ffff);
  #closed = false;

  constructor(parts: EngineClientParts) {
    this.transport = parts.transport;
    this.#way = parts.way;
    this.#http = parts.http;
    this.#subscribe = parts.subscribe;
    this.#timeoutMs = parts.timeoutMs;
    this.#turns = new Turns(parts.maxInFlight);
  }

  /** Calls that were sent and are not answered, and those that wait for their turn. */
  get load(): { inFlight: number; waiting: number } {
    return { inFlight: this.#turns.inFlight, waiting: this.#turns.waiting };
  }

  /** Resolves when the order and its fills are durable. */
  async place(order: NewOrder, signal?: AbortSignal): Promise<PlacedOrder> {
    const identified = this.#identified(order);
    // With the same id the second try gives the first one's answer.
    return await this.#settled(async () => await this.#way.place(identified, signal), signal);
  }

  /**
   * Changes an order; `quantity` is its new total, what is filled already included. Resolves when that, and the fills that it caused, are durable.
   * Over WebSocket the answer is worked out from the order that you give; give its id to have it read first.
   */
  async replace(order: OrderReference, change: OrderChange, signal?: AbortSignal): Promise<ChangedOrder> {
    return await this.#settled(async (inDoubt) => {
      const done = inDoubt ? await this.#replaced(order, change, signal) : undefined;
      return done ?? (await this.#way.replace(order, change, signal));
    }, signal);
  }

  /** Resolves with the cancelled order when the cancel is durable. `HFT_ORDER_NOT_OPEN` when it was filled or cancelled before. */
  async cancel(order: OrderReference, signal?: AbortSignal): Promise<Order> {
    return await this.#settled(
      async (inDoubt) => (inDoubt ? await this.#cancelled(order, signal) : await this.#way.cancel(order, signal)),
      signal,
    );
  }

  /** Cancels every order of an account, in one instrument or in all. After a lost connection it counts only what the last try has cancelled. */
  async massCancel(of: { account: string; symbol?: string }, signal?: AbortSignal): Promise<MassCancelled> {
    return await this.#settled(async () => await this.#way.massCancel(of, signal), signal);
  }

  /**
   * Places, replaces and cancels up to 1000 orders in one request (over HTTP on each transport), in their order with nothing of others in between.
   * Each is done or refused by itself. After a lost connection each operation is settled by itself, in their order.
   */
  async batch(operations: readonly BatchOperationInput[], signal?: AbortSignal): Promise<BatchOutcome[]> {
    const sent = operations.map((each) => (each.op === 'place' ? { ...each, order: this.#identified(each.order) } : each));
    return await this.#settled(async (inDoubt) => {
      if (!inDoubt) return (await this.#http.batch(sent, undefined, signal)).results.map(outcomeOf);
      const outcomes: BatchOutcome[] = [];
      for (const operation of sent) outcomes.push(await this.#settleOne(operation, signal));
      return outcomes;
    }, signal);
  }

  async order(id: string, signal?: AbortSignal): Promise<Order> {
    return await this.#settled(async () => await this.#way.order(id, signal), signal);
  }

  async instruments(signal?: AbortSignal): Promise<Instrument[]> {
    return await this.#settled(async () => await this.#way.instruments(signal), signal);
  }

  /** Orders with ids above `after`, oldest first; of all accounts when none is named, of every status when none is. */
  async orders(
    page: { account?: string; status?: Order['status']; after?: string; limit?: number } = {},
    signal?: AbortSignal,
  ): Promise<Page<Order>> {
    return await this.#settled(async () => await this.#http.orders(page, signal), signal);
  }

  /** Fills of all accounts after `after` (`SEQUENCE.INDEX`), oldest first. */
  async fills(page: { after?: string; limit?: number } = {}, signal?: AbortSignal): Promise<Page<Fill>> {
    return await this.#settled(async () => await this.#http.fills(page, signal), signal);
  }

  /** Trades of an instrument before `before` (`SEQUENCE.INDEX`), newest first; `next` is the `before` of the next page. */
  async trades(symbol: string, page: { before?: string; limit?: number } = {}, signal?: AbortSignal): Promise<Page<Fill>> {
    return await this.#settled(async () => await this.#http.trades(symbol, page, signal), signal);
  }

  /** Positions that are not flat, by account and instrument; of all accounts when none is named. */
  async positions(page: { account?: string; after?: string; limit?: number } = {}, signal?: AbortSignal): Promise<Page<Position>> {
    return await this.#settled(async () => await this.#http.positions(page, signal), signal);
  }

  /** The best `depth` prices of each side, best first (default 10). */
  async book(symbol: string, depth?: number, signal?: AbortSignal): Promise<OrderBook> {
    return await this.#settled(async () => await this.#way.book(symbol, depth, signal), signal);
  }

  /** The best price of each side. */
  async best(symbol: string, signal?: AbortSignal): Promise<BestView> {
    return await this.#settled(async () => await this.#http.best(symbol, signal), signal);
  }

  /** The first `limit` orders of each side, in the order in which they would trade (default 100). */
  async bookOrders(symbol: string, limit?: number, signal?: AbortSignal): Promise<BookOrdersView> {
    return await this.#settled(async () => await this.#http.bookOrders(symbol, limit, signal), signal);
  }

  /** The risk and rate limits of an account, and what is used of them. */
  async limits(account: string, signal?: AbortSignal): Promise<AccountLimits> {
    return await this.#settled(async () => await this.#http.limits(account, signal), signal);
  }

  /**
   * Market data, or an account's own orders and fills, as they happen: `for await (const event of await client.subscribe({channel: 'trades'}))`.
   * Resolves when the stream has begun. A lost connection is made again and the stream goes on from where it was; what cannot be filled is a `gap`.
   */
  async subscribe(options: SubscribeOptions): Promise<Subscription> {
    const subscription = await this.#subscribe(await this.instruments(), options);
    for (const other of this.#subscriptions) if (other.isClosed) this.#subscriptions.delete(other);
    this.#subscriptions.add(subscription);
    return subscription;
  }

  /** Ends the connections and subscriptions. Calls in flight fail. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const subscription of this.#subscriptions) subscription.close();
    await Promise.all([this.#way.close(), this.#http.close()]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #settled<T>(attempt: (inDoubt: boolean) => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    const orClosed = async (inDoubt: boolean): Promise<T> => {
      if (this.#closed) throw new EngineError({ code: 'HFT_CLIENT_CLOSED', status: 0, message: 'the client was closed' });
      return await attempt(inDoubt);
    };
    const work = async (): Promise<T> => await settle(orClosed, { deadlineMs: performance.now() + this.#timeoutMs, signal });
    return await this.#turns.take(work, signal);
  }

  #identified(order: NewOrder): IdentifiedOrder {
    if (this.transport !== 'websocket' && 'cancelOnDisconnect' in order && order.cancelOnDisconnect === true) {
      throw new EngineError({
        code: 'HFT_CLIENT_UNSUPPORTED',
        status: 0,
        message: 'cancelOnDisconnect is for a connection that stays: connect with ws:// or wss://',
        field: 'cancelOnDisconnect',
      });
    }
    return { ...order, clientOrderId: order.clientOrderId ?? this.#newId() };
  }

  /** Of a cancel that may have been done: that, or the cancel. */
  async #cancelled(reference: OrderReference, signal: AbortSignal | undefined): Promise<Order> {
    const now = await this.#way.order(idOf(reference), signal);
    return now.status === 'cancelled' && now.reason === 'requested' ? now : await this.#way.cancel(now, signal);
  }

  /** The order, when it is as the change wants it. Whether it had been so before nobody asks: it is what the caller wanted. */
  async #replaced(reference: OrderReference, change: OrderChange, signal: AbortSignal | undefined): Promise<ChangedOrder | undefined> {
    const order = await this.#way.order(idOf(reference), signal);
    const fields = ['price', 'quantity', 'stopPrice'] as const;
    const differs = fields.some((field) => change[field] !== undefined && shortest(change[field]) !== order[field]);
    return differs ? undefined : { order, fills: [], next: `${order.id}.0` };
  }

  /** One operation of a batch that may have been done. */
  async #settleOne(operation: SentOperation, signal: AbortSignal | undefined): Promise<BatchOutcome> {
    try {
      if (operation.op === 'place') return await this.#way.place(operation.order, signal);
      if (operation.op === 'cancel') return { order: await this.#cancelled(operation.id, signal), fills: [], next: null };
      const { id, change } = operation;
      return (await this.#replaced(id, change, signal)) ?? (await this.#way.replace(id, change, signal));
    } catch (cause) {
      if (!(cause instanceof EngineError) || cause.inDoubt || saysNothing(cause)) throw cause;
      return { fills: [], next: null, error: cause };
    }
  }

  /** 16 hex digits, which every transport takes: a prefix of this client's own and a counter that begins anywhere, as prefixes of many clients meet. */
  #newId(): string {
    this.#lastId = (this.#lastId % 0xffff_ffff) + 1;
    return this.#idPrefix + this.#lastId.toString(16).padStart(8, '0');
  }
}

function outcomeOf({ order, fills = [], next = null, problem }: BatchResult): BatchOutcome {
  if (problem !== undefined) {
    const { code, status, detail, field, number } = problem;
    const error = new EngineError({
      code,
      status,
      message: detail,
      ...(field !== undefined && { field }),
      ...(number !== undefined && { number }),
    });
    return { fills: [], next: null, error };
  }
  return order === undefined ? { fills: [], next } : { order, fills: fills.map((fill) => ownFill(order, fill)), next };
}
