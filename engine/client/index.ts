/** What `hftengine/client` exports: docs/client.md. */
export { connect, type ConnectOptions } from './connect.ts';
export type { ClientTls } from './tls.ts';
export { EngineClient, type BatchOutcome, type Transport } from './engine-client.ts';
export type { MarketEvent } from './market-events.ts';
export { Subscription, type SubscribeOptions } from './subscription.ts';
export { EngineError } from './engine-error.ts';
export type { ChangedOrder, MassCancelled, OrderReference, OwnFill, PlacedOrder } from './order-way.ts';
export type {
  BatchOperationInput as BatchOperation,
  Fill,
  Instrument,
  NewOrder,
  Order,
  OrderBook,
  OrderChange,
  Page,
  Position,
} from './orders.ts';
export type { AccountLimits } from './account-schemas.ts';
export type { BestView as BestPrices, BookOrdersView as BookOrders } from './book-schemas.ts';
