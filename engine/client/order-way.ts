/** What each transport does of the one API: one try of each command, and the reads that it has of its own. Everything throws EngineError. */
import type { OrderChange, NewOrder } from './orders.ts';
import type { BookView, FillView, InstrumentView, MassCancelAnswer, OrderView } from './schemas.ts';

/** A fill, as one of its two orders sees it. */
export interface OwnFill {
  /** Sequence of the command that caused it, and its place among the fills of that command: together its name. */
  readonly sequence: number;
  readonly index: number;
  readonly orderId: string;
  /** taker: the order had just arrived; maker: it had rested. */
  readonly role: 'maker' | 'taker';
  readonly symbol: string;
  readonly side: 'buy' | 'sell';
  readonly price: string;
  readonly quantity: string;
  /** RFC 3339, UTC. */
  readonly executedAt: string;
}

export interface ChangedOrder {
  readonly order: OrderView;
  /** The first 1000 fills that the command caused. */
  readonly fills: readonly OwnFill[];
  /** `after` for `fills()`, where the further ones begin; null when all are here. */
  readonly next: string | null;
}

export interface PlacedOrder extends ChangedOrder {
  /** The same account and clientOrderId had been accepted before, by an earlier call or by an earlier try of this one: this is that order. */
  readonly repeated: boolean;
}

export interface MassCancelled {
  readonly count: number;
  /** The first 1000 of them; not told over WebSocket. */
  readonly ids?: MassCancelAnswer['ids'];
}

/** An order that you hold, or its id. */
export type OrderReference = OrderView | string;

export type IdentifiedOrder = NewOrder & { readonly clientOrderId: string };

export interface OrderWay {
  place(order: IdentifiedOrder, signal: AbortSignal | undefined): Promise<PlacedOrder>;
  replace(order: OrderReference, change: OrderChange, signal: AbortSignal | undefined): Promise<ChangedOrder>;
  cancel(order: OrderReference, signal: AbortSignal | undefined): Promise<OrderView>;
  massCancel(of: { account: string; symbol?: string }, signal: AbortSignal | undefined): Promise<MassCancelled>;
  order(id: string, signal: AbortSignal | undefined): Promise<OrderView>;
  instruments(signal: AbortSignal | undefined): Promise<InstrumentView[]>;
  book(symbol: string, depth: number | undefined, signal: AbortSignal | undefined): Promise<BookView>;
  close(): Promise<void>;
}

export function idOf(order: OrderReference): string {
  return typeof order === 'string' ? order : order.id;
}

/** A fill of an answer, as the order sees it that was answered. */
export function ownFill({ id, side }: OrderView, fill: FillView): OwnFill {
  const { sequence, index, symbol, price, quantity, executedAt } = fill;
  return { sequence, index, orderId: id, role: fill.takerOrderId === id ? 'taker' : 'maker', symbol, side, price, quantity, executedAt };
}
