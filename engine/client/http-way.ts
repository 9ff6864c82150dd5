/** The one API over HTTP. */
import type { OrderClient, OrderChange } from './orders.ts';
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
import type { BookView, InstrumentView, OrderView } from './schemas.ts';

export class HttpWay implements OrderWay {
  readonly #http: OrderClient;

  constructor(http: OrderClient) {
    this.#http = http;
  }

  async place(order: IdentifiedOrder, signal: AbortSignal | undefined): Promise<PlacedOrder> {
    const placed = await this.#http.place(order, signal);
    return { ...placed, fills: placed.fills.map((fill) => ownFill(placed.order, fill)) };
  }

  async replace(order: OrderReference, change: OrderChange, signal: AbortSignal | undefined): Promise<ChangedOrder> {
    const changed = await this.#http.replace(idOf(order), change, signal);
    return { ...changed, fills: changed.fills.map((fill) => ownFill(changed.order, fill)) };
  }

  async cancel(order: OrderReference, signal: AbortSignal | undefined): Promise<OrderView> {
    return await this.#http.cancel(idOf(order), signal);
  }

  async massCancel(of: { account: string; symbol?: string }, signal: AbortSignal | undefined): Promise<MassCancelled> {
    return await this.#http.massCancel(of, signal);
  }

  async order(id: string, signal: AbortSignal | undefined): Promise<OrderView> {
    return await this.#http.get(id, signal);
  }

  async book(symbol: string, depth: number | undefined, signal: AbortSignal | undefined): Promise<BookView> {
    return await this.#http.book(symbol, depth, signal);
  }

  async instruments(signal: AbortSignal | undefined): Promise<InstrumentView[]> {
    return await this.#http.instruments(signal);
  }

  /** The connections are the client's, which closes them. */
  async close(): Promise<void> {}
}
