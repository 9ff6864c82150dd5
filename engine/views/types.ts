/**
 * Read models: what queries show of orders, fills, trades and positions. A thread of their own follows the journal with a core of its own (the
 * replica), answers queries from memory and from rows that it writes into a database of their own, and takes the snapshots: none of it costs the
 * matching thread anything.
 */
import type { OrderStatus, OrderType, Reason, SelfTrade, Side, TimeInForce } from '../core/types.ts';

/** An order as queries show it. `id` is the sequence at which it was accepted. */
export interface OrderRecord {
  readonly id: number;
  readonly instrument: number;
  readonly account: number;
  readonly side: Side;
  readonly type: OrderType;
  readonly timeInForce: TimeInForce;
  readonly postOnly: 0 | 1;
  readonly selfTrade: SelfTrade;
  readonly priceTicks: number;
  readonly stopTicks: number;
  readonly displayLots: number;
  readonly expiryMicros: number;
  /** Filled and remaining lots together; changes with a replacement. */
  readonly quantityLots: number;
  readonly filledLots: number;
  readonly remainingLots: number;
  readonly status: OrderStatus;
  readonly reason: Reason;
  readonly clientOrderId: string | null;
  readonly createdAtMicros: number;
  /** Time of the last change. */
  readonly updatedAtMicros: number;
}

/** A fill: number `index` of the fills that the command at `sequence` caused. */
export interface FillRecord {
  readonly sequence: number;
  readonly index: number;
  readonly instrument: number;
  readonly priceTicks: number;
  readonly quantityLots: number;
  readonly makerOrderId: number;
  readonly takerOrderId: number;
  /** Of the taker. */
  readonly takerSide: Side;
  readonly timestampMicros: number;
}

/** Fill `index` of those of the command at `sequence`. */
export interface FillPlace {
  readonly sequence: number;
  readonly index: number;
}

export interface OrderFilter {
  readonly account?: number | undefined;
  readonly status?: OrderStatus | undefined;
}

export interface PositionRecord {
  readonly account: number;
  readonly instrument: number;
  readonly lots: number;
  readonly averageTicks: number;
}

/** Where a list of positions begins: after one of an account in an instrument. */
export interface PositionPage {
  readonly after: { readonly account: number; readonly instrument: number };
  readonly limit: number;
}
export const ALL_POSITIONS: PositionPage = { after: { account: -1, instrument: -1 }, limit: Number.MAX_SAFE_INTEGER };

/** An order as its first answer showed it, with the fills that it had when it arrived (the first `limit` of them) and how many there were. */
export interface FirstAnswer {
  readonly order: OrderRecord;
  /** The quantity that was sent: more than the order's own when self-trade prevention took of it at once. */
  readonly sentLots: number;
  readonly fills: readonly FillRecord[];
  readonly fillCount: number;
}

/** What the replica is, at one sequence. */
export interface ReplicaState {
  readonly sequence: number;
  readonly stateHash: string;
  readonly openOrders: number;
}

/**
 * Every query names the sequence that its answer must at least show: normally the last durable one, so that whoever was acknowledged reads what
 * it wrote. It waits until the views are there, and rejects with ViewsError after a bounded time.
 */
export interface Views {
  /** Sequence that the rows show. */
  readonly sequence: number;
  order(id: number, atLeast: number): Promise<OrderRecord | undefined>;
  /** Those of `ids` that there are, in no order, each once. */
  ordersById(ids: readonly number[], atLeast: number): Promise<OrderRecord[]>;
  /** Orders with ids above `after`, oldest first; of all accounts when `account` is undefined, of any status when `status` is. */
  orders(filter: { account?: number; status?: OrderStatus }, after: number, limit: number, atLeast: number): Promise<OrderRecord[]>;
  firstAnswer(id: number, limit: number, atLeast: number): Promise<FirstAnswer | undefined>;
  /** Fills after fill `index` of `sequence`, oldest first. */
  fills(after: { sequence: number; index: number }, limit: number, atLeast: number): Promise<FillRecord[]>;
  /** Fills of an instrument before fill `index` of `sequence`, newest first. */
  trades(instrument: number, before: { sequence: number; index: number }, limit: number, atLeast: number): Promise<FillRecord[]>;
  /** Positions of an account, or of all, by account and instrument; flat ones are left out. */
  positions(account: number | undefined, atLeast: number, page?: PositionPage): Promise<PositionRecord[]>;
  /** Sequence, hash and open orders of one and the same state. The walk over the books is made in the views' thread, once a sequence. */
  state(atLeast: number): Promise<ReplicaState>;
  /** Takes a snapshot now, of a state not before `atLeast`; resolves when it is on the disk. */
  snapshot(atLeast: number): Promise<ReplicaState>;
  /** Wakes the replica: something more is durable. Cheap, once a commit. */
  advance(durableSequence: number): void;
  /** Ends the thread, after what it is doing. */
  close(): Promise<void>;
}

export type ViewsErrorCode =
  /** The views are further behind than a query may wait: try again. */
  | 'HFT_VIEWS_BEHIND'
  /** The thread has failed; the engine matches on without queries until it is back. */
  | 'HFT_VIEWS_UNAVAILABLE'
  /** Too many queries failed or were slow: none is asked for a while. */
  | 'HFT_VIEWS_BREAKER';

export class ViewsError extends Error {
  override readonly name = 'ViewsError';
  readonly code: ViewsErrorCode;
  /** When it makes sense to try again, in milliseconds. */
  readonly retryAfterMs: number;

  constructor(code: ViewsErrorCode, message: string, { cause, retryAfterMs = 1000 }: { cause?: unknown; retryAfterMs?: number } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}
