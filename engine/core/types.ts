/**
 * The vocabulary of the core: commands in, events out, all of them integers. Prices are counted in ticks and quantities in lots of their
 * instrument; both are safe integers, and products of the two are only ever compared exactly (see risk.ts).
 */

export const BUY = 0;
export const SELL = 1;
export type Side = typeof BUY | typeof SELL;

export const LIMIT = 0;
export const MARKET = 1;
export type OrderType = typeof LIMIT | typeof MARKET;

/** Rests until filled or cancelled. */
export const GTC = 0;
/** Fills what it can at once; the rest is cancelled. */
export const IOC = 1;
/** Fills wholly at once, or is cancelled whole. */
export const FOK = 2;
export type TimeInForce = typeof GTC | typeof IOC | typeof FOK;

export const NEW_ORDER = 1;
export const CANCEL_ORDER = 2;

/** A new order. Its id is the sequence at which it is applied. */
export interface NewOrder {
  readonly kind: typeof NEW_ORDER;
  readonly instrument: number;
  /** Below 2^32. */
  readonly account: number;
  readonly side: Side;
  readonly type: OrderType;
  readonly timeInForce: TimeInForce;
  /** 0 for a market order. */
  readonly priceTicks: number;
  readonly quantityLots: number;
}

export interface CancelOrder {
  readonly kind: typeof CANCEL_ORDER;
  readonly instrument: number;
  readonly orderId: number;
  /** The account whose order it must be; left out, it may be anybody's. `check` looks at it, `apply` does not. */
  readonly account?: number;
}

export type Command = NewOrder | CancelOrder;

export const OPEN = 0;
export const FILLED = 1;
export const CANCELLED = 2;
export type OrderStatus = typeof OPEN | typeof FILLED | typeof CANCELLED;

/**
 * Where the events of a command go, in the order in which they happen. Arguments are numbers, so that an implementation need not allocate.
 * A sink must not call back into the core: the command is still under way.
 */
export interface EventSink {
  /** `makerRemainingLots` is what is left of the resting order after this fill. */
  fill(makerOrderId: number, takerOrderId: number, priceTicks: number, quantityLots: number, makerRemainingLots: number): void;
  /** The incoming or cancelled order, after everything else that the command did. */
  order(orderId: number, remainingLots: number, status: OrderStatus): void;
}

/** Why a command may not be applied. Numbers are stable: they will travel on binary protocols. */
export const REJECT = {
  none: 0,
  unknownInstrument: 1,
  notTradable: 2,
  killSwitch: 3,
  badPrice: 4,
  badQuantity: 5,
  maxOrderQty: 6,
  maxNotional: 7,
  priceBand: 8,
  unknownOrder: 9,
  /** As many orders rest as memory holds. Cancels and orders that cannot rest still pass. */
  noRoom: 10,
} as const;
export type Reject = (typeof REJECT)[keyof typeof REJECT];

/** What an order of one instrument must respect, in the instrument's own units. */
export interface InstrumentRules {
  /** false for an instrument that is no longer listed: its history stays, new orders are refused. */
  readonly tradable: boolean;
  readonly maxOrderLots: number;
  /** Largest price × quantity, in ticks × lots. */
  readonly maxNotional: bigint;
  /** Largest distance of a limit price from the last trade, in percent of it; 0 for none. */
  readonly priceBandPercent: number;
  readonly killSwitch: boolean;
}

export interface Level {
  readonly priceTicks: number;
  /** A level may hold more than a safe integer counts. */
  readonly quantityLots: bigint;
  readonly orders: number;
}

export interface RestingOrder {
  readonly id: number;
  readonly account: number;
  readonly side: Side;
  readonly priceTicks: number;
  readonly remainingLots: number;
}

/**
 * One instrument's resting orders in price-time priority. Implementations differ in speed only: the same calls give the same events, depth and hash.
 */
export interface Book {
  /** Price of the last fill; 0 before the first. */
  readonly lastTradeTicks: number;
  readonly openOrders: number;
  /** Fills `quantityLots` against the other side at `limitTicks` or better (0: at any price); gives what is left. */
  match(takerId: number, side: Side, limitTicks: number, quantityLots: number, sink: EventSink): number;
  /** Puts an order behind all others of its price. The id must be new. */
  rest(id: number, account: number, side: Side, priceTicks: number, remainingLots: number): void;
  /** Takes an order out; gives what was left of it, or -1 when it is not here. */
  remove(id: number): number;
  has(id: number): boolean;
  /** Account of a resting order; -1 when it is not here. */
  owner(id: number): number;
  /** Whether one more order can rest on a side. May take memory for it, which no command can tell. */
  hasRoom(side: Side): boolean;
  /** Best price of a side; 0 when it is empty. */
  bestTicks(side: Side): number;
  /** The best `levels` prices of a side, best first. */
  depth(side: Side, levels: number): Level[];
  /** Lots that an order of `side` would trade now at `limitTicks` or better (0: at any price), counted up to `wantedLots`. */
  fillable(side: Side, limitTicks: number, wantedLots: number): number;
  /**
   * Price × quantity, in ticks × lots, of what an order of `side` would trade now at `limitTicks` or better (0: at any price), and of what would be
   * left of it at its limit: exact, a BigInt only beyond 2^53.
   */
  sweepNotional(side: Side, quantityLots: number, limitTicks: number): number | bigint;
  /** Every resting order: bids then asks, each best price first, oldest first. */
  each(visit: (order: RestingOrder) => void): void;
}

/**
 * The matching state of all instruments: a function of (sequence, timestamp, command). `check` looks, `apply` changes. Applying does not
 * check: what the journal holds was accepted under the rules of its day, and replays the same under any others.
 */
export interface Core {
  /** Sequence of the last applied command; 0 at first. */
  readonly sequence: number;
  readonly openOrders: number;
  /** Adds an instrument (indexes are dense, from 0) or changes its rules. */
  setInstrument(instrument: number, rules: InstrumentRules): void;
  /** Whether the command may be applied now. Changes nothing. */
  check(command: Command): Reject;
  /** Applies the next command. Throws RangeError when `sequence` is not the next or the instrument is unknown: a fault, not a reject. */
  apply(sequence: number, timestampMicros: number, command: Command, sink: EventSink): void;
  /** Takes memory for orders to come when little is left, so that none has to wait for it. Milliseconds for a large book: for idle moments. */
  reserve(): void;
  /** Index of the instrument on whose book the order rests; -1 when it rests on none. */
  find(orderId: number): number;
  /** Throws RangeError on an unknown instrument. */
  book(instrument: number): Book;
  /** Sixteen hex digits over the whole state. Costs a walk over every resting order. */
  stateHash(): string;
}
