/**
 * What engines and their clients say over gRPC: the services of `proto/hftengine/v1/engine.proto`, loaded from that file, and its messages as
 * types (a test compares the two). Numbers of messages are JavaScript numbers: what a safe integer cannot hold is refused as too large.
 */
import { fileURLToPath } from 'node:url';
import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';
import { loadSync, type PackageDefinition } from '@grpc/proto-loader';
import { service as HEALTH_SERVICE } from 'grpc-health-check';
import type { MarketDataMessage } from './market-messages.ts';

/** Everything in the file, for reflection. */
export const PACKAGE: PackageDefinition = loadSync(fileURLToPath(new URL('./proto/hftengine/v1/engine.proto', import.meta.url)), {
  longs: Number,
  defaults: true,
  oneofs: true,
});

/** Enums on the wire: 0 is "not given", the others are the numbers of engine/core/types.ts plus one, and those of reasons the numbers themselves. */
export const WIRE_SHIFT = 1;

export interface PlaceOrderRequest {
  symbol: string;
  account: string;
  side: number;
  type: number;
  timeInForce: number;
  priceTicks: number;
  quantityLots: number;
  stopPriceTicks: number;
  displayLots: number;
  expiresAtMicros: number;
  postOnly: boolean;
  selfTradePrevention: number;
  clientOrderId: string;
  cancelOnDisconnect: boolean;
}

export interface PlaceOrderResponse {
  order: OrderMessage;
  fills: FillMessage[];
  fillCount: number;
  repeated: boolean;
}

export interface ReplaceOrderRequest {
  orderId: number;
  priceTicks: number;
  quantityLots: number;
  stopPriceTicks: number;
}

export interface ReplaceOrderResponse {
  order: OrderMessage;
  fills: FillMessage[];
  fillCount: number;
}

export interface OrderIdRequest {
  orderId: number;
}

export interface OrderResponse {
  order: OrderMessage;
}

export interface MassCancelRequest {
  account: string;
  symbol: string;
}

export interface MassCancelResponse {
  count: number;
  orderIds: number[];
}

export interface OrderMessage {
  id: number;
  symbol: string;
  account: string;
  side: number;
  type: number;
  timeInForce: number;
  priceTicks: number;
  quantityLots: number;
  filledLots: number;
  remainingLots: number;
  status: number;
  reason: number;
  stopPriceTicks: number;
  displayLots: number;
  expiresAtMicros: number;
  postOnly: boolean;
  selfTradePrevention: number;
  clientOrderId: string;
  createdAtMicros: number;
  updatedAtMicros: number;
}

export interface FillMessage {
  sequence: number;
  index: number;
  priceTicks: number;
  quantityLots: number;
  makerOrderId: number;
  takerOrderId: number;
  takerSide: number;
  executedAtMicros: number;
}

export type InstrumentsRequest = Readonly<Record<string, never>>;

export interface InstrumentsResponse {
  instruments: InstrumentMessage[];
}

export interface InstrumentMessage {
  symbol: string;
  tickSize: string;
  lotSize: string;
  state: number;
  untilMicros: number;
  lastPriceTicks: number;
}

export interface GetBookRequest {
  symbol: string;
  depth: number;
}

export interface GetBookResponse {
  symbol: string;
  sequence: number;
  state: number;
  bids: LevelMessage[];
  asks: LevelMessage[];
}

export interface LevelMessage {
  priceTicks: number;
  /** As text when a level holds more than a safe integer counts. */
  quantityLots: number | string;
  orders: number;
}

export interface EntryReplace {
  account: string;
  orderId: number;
  priceTicks: number;
  remainingLots: number;
  stopPriceTicks: number;
  expectedLots: number;
}

export interface EntryCancel {
  account: string;
  orderId: number;
}

/** `request`, and one of the others. */
export interface OrderCommand {
  request: number;
  place?: Partial<PlaceOrderRequest>;
  replace?: Partial<EntryReplace>;
  cancel?: Partial<EntryCancel>;
  massCancel?: Partial<MassCancelRequest>;
}

export interface OrderEntryRequest {
  commands: OrderCommand[];
}

export interface OrderAnswer {
  request: number;
  kind: number;
  orderId: number;
  sequence: number;
  filledLots: number;
  remainingLots: number;
  status: number;
  reason: number;
  fillCount: number;
  repeated: boolean;
  reject: number;
  atMicros: number;
  priceTicks: number;
  fillIndex: number;
  taker: boolean;
  retryAfterMs: number;
}

export interface OrderEntryResponse {
  answers: OrderAnswer[];
}

export interface SubscribeRequest {
  /** Place in CHANNELS, from 1. */
  channel: number;
  symbol: string;
  depth: number;
  account: string;
  fromSequence: number;
}

export const ORDER_SERVICE = service('hftengine.v1.OrderService');
export const MARKET_SERVICE = service('hftengine.v1.MarketService');
export const MARKET_DATA_SERVICE = service('hftengine.v1.MarketDataService');

/** A method: its path and codecs, and the types of both messages. */
export type Method<Request, Response> = MethodDefinition<Request, Response>;

export const METHODS = {
  placeOrder: method<PlaceOrderRequest, PlaceOrderResponse>(ORDER_SERVICE, 'PlaceOrder'),
  replaceOrder: method<ReplaceOrderRequest, ReplaceOrderResponse>(ORDER_SERVICE, 'ReplaceOrder'),
  cancelOrder: method<OrderIdRequest, OrderResponse>(ORDER_SERVICE, 'CancelOrder'),
  massCancel: method<MassCancelRequest, MassCancelResponse>(ORDER_SERVICE, 'MassCancel'),
  orderEntry: method<OrderEntryRequest, OrderEntryResponse>(ORDER_SERVICE, 'OrderEntry'),
  getOrder: method<OrderIdRequest, OrderResponse>(ORDER_SERVICE, 'GetOrder'),
  instruments: method<InstrumentsRequest, InstrumentsResponse>(MARKET_SERVICE, 'Instruments'),
  subscribe: method<SubscribeRequest, MarketDataMessage>(MARKET_DATA_SERVICE, 'Subscribe'),
  getBook: method<GetBookRequest, GetBookResponse>(MARKET_SERVICE, 'GetBook'),
} as const;

export const HEALTH_CHECK = method<{ service: string }, { status: string }>(HEALTH_SERVICE, 'Check');

function service(name: string): ServiceDefinition {
  const found = PACKAGE[name];
  if (found === undefined || 'format' in found) throw new RangeError(`engine.proto has no service ${name}`);
  return found;
}

function method<Request, Response>(of: ServiceDefinition, name: string): Method<Request, Response> {
  const found = of[name];
  if (found === undefined) throw new RangeError(`there is no method ${name}`);
  return found as Method<Request, Response>;
}
