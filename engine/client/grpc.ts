/**
 * Client of an engine over gRPC: ticks and lots as whole numbers, see `proto/hftengine/v1/engine.proto`.
 *
 * ```ts
 * const client = new GrpcOrderClient({ address: 'localhost:50051', token });
 * const { order } = await client.place({ symbol: 'BTC-USD', account: 'alice', side: BUY, type: LIMIT, priceTicks: 10_000, quantityLots: 10 });
 * await client.cancel(order.id);
 * client.close();
 * ```
 */
import type { ClientDuplexStream, ServiceError } from '@grpc/grpc-js';
import {
  METHODS,
  type GetBookResponse,
  type InstrumentMessage,
  type MassCancelResponse,
  type OrderAnswer,
  type OrderCommand,
  type OrderEntryRequest,
  type OrderEntryResponse,
  type OrderMessage,
  type PlaceOrderRequest,
  type PlaceOrderResponse,
  type ReplaceOrderResponse,
} from './grpc-contract.ts';
import { errorOf, GrpcPool, type GrpcPoolOptions, type GrpcPoolStats } from './grpc-pool.ts';
import type { EngineError } from './engine-error.ts';

/** Sides, types and times in force as messages have them; 0 is "not given". */
export const WIRE = {
  buy: 1,
  sell: 2,
  limit: 1,
  market: 2,
  stop: 3,
  stopLimit: 4,
  GTC: 1,
  IOC: 2,
  FOK: 3,
  GTD: 4,
  DAY: 5,
} as const;

const NO_TERMS: PlaceOrderRequest = {
  symbol: '',
  account: '',
  side: 0,
  type: 0,
  timeInForce: 0,
  priceTicks: 0,
  quantityLots: 0,
  stopPriceTicks: 0,
  displayLots: 0,
  expiresAtMicros: 0,
  postOnly: false,
  selfTradePrevention: 0,
  clientOrderId: '',
  cancelOnDisconnect: false,
};
type Required = 'symbol' | 'account' | 'side' | 'type' | 'quantityLots';
export type GrpcNewOrder = Pick<PlaceOrderRequest, Required> & Partial<Omit<PlaceOrderRequest, 'cancelOnDisconnect'>>;

/** Every method throws {@link EngineError}. Placing is tried again only with a clientOrderId, or when the engine said that nothing was done. */
export class GrpcOrderClient {
  readonly #pool: GrpcPool;

  constructor(options: GrpcPoolOptions) {
    this.#pool = new GrpcPool(options);
  }

  get stats(): GrpcPoolStats {
    return this.#pool.stats;
  }

  /** Resolves when every channel is connected and the engine serves; calls do not need it, but the first ones are faster. */
  async ready(): Promise<void> {
    await this.#pool.ready();
  }

  /** Resolves when the order and its fills are durable. */
  async place(order: GrpcNewOrder, signal?: AbortSignal): Promise<PlaceOrderResponse> {
    const idempotent = (order.clientOrderId ?? '') !== '';
    return await this.#pool.unary(METHODS.placeOrder, { ...NO_TERMS, ...order }, { idempotent, signal });
  }

  async replace(
    change: { orderId: number; priceTicks?: number; quantityLots?: number; stopPriceTicks?: number },
    signal?: AbortSignal,
  ): Promise<ReplaceOrderResponse> {
    const request = { priceTicks: 0, quantityLots: 0, stopPriceTicks: 0, ...change };
    return await this.#pool.unary(METHODS.replaceOrder, request, { idempotent: false, signal });
  }

  async cancel(orderId: number, signal?: AbortSignal): Promise<OrderMessage> {
    return (await this.#pool.unary(METHODS.cancelOrder, { orderId }, { idempotent: false, signal })).order;
  }

  /** `symbol` left out for all instruments. */
  async massCancel(of: { account: string; symbol?: string }, signal?: AbortSignal): Promise<MassCancelResponse> {
    return await this.#pool.unary(METHODS.massCancel, { symbol: '', ...of }, { idempotent: false, signal });
  }

  async get(orderId: number, signal?: AbortSignal): Promise<OrderMessage> {
    return (await this.#pool.unary(METHODS.getOrder, { orderId }, { idempotent: true, signal })).order;
  }

  async instruments(signal?: AbortSignal): Promise<InstrumentMessage[]> {
    return (await this.#pool.unary(METHODS.instruments, {}, { idempotent: true, signal })).instruments;
  }

  async book(symbol: string, depth = 10, signal?: AbortSignal): Promise<GetBookResponse> {
    return await this.#pool.unary(METHODS.getBook, { symbol, depth }, { idempotent: true, signal });
  }

  /** Opens a stream of order entry. It is not opened again when it ends: what was not answered may have been done. */
  async orderEntry(listener: OrderEntryListener, signal?: AbortSignal): Promise<OrderEntryStream> {
    const { client, metadata, release } = await this.#pool.borrow(signal);
    const { path, requestSerialize, responseDeserialize } = METHODS.orderEntry;
    const call = client.makeBidiStreamRequest<OrderEntryRequest, OrderEntryResponse>(path, requestSerialize, responseDeserialize, metadata);
    return new OrderEntryStream(call, listener, release);
  }

  /** Calls in flight end by themselves. */
  close(): void {
    this.#pool.close();
  }
}

export interface OrderEntryListener {
  /** In the order in which they became durable. */
  answers(answers: readonly OrderAnswer[]): void;
  /** No more answers come; `error` says why when the stream was not ended by {@link OrderEntryStream.end}. */
  ended(error: EngineError | undefined): void;
}

export class OrderEntryStream {
  readonly #call: ClientDuplexStream<OrderEntryRequest, OrderEntryResponse>;

  constructor(call: ClientDuplexStream<OrderEntryRequest, OrderEntryResponse>, listener: OrderEntryListener, release: () => void) {
    this.#call = call;
    let failure: EngineError | undefined;
    call.on('data', ({ answers }: OrderEntryResponse) => listener.answers(answers));
    call.on('error', (error: ServiceError) => (failure = errorOf(error)));
    call.on('status', () => {
      release();
      // The error of a stream comes after its status.
      setImmediate(() => listener.ended(failure));
    });
  }

  /** Sends commands in one message. false when as much is on its way as the connection takes: wait for {@link drained} then. */
  send(commands: OrderCommand[]): boolean {
    return this.#call.write({ commands });
  }

  /** Resolves when more can be sent. */
  async drained(): Promise<void> {
    if (this.#call.writableNeedDrain) await new Promise<void>((resolve) => this.#call.once('drain', resolve));
  }

  /** Sends no more. What was sent is still answered. */
  end(): void {
    this.#call.end();
  }
}
