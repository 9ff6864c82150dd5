/**
 * The vocabulary of the core: commands in, events out, all of them numbers. Prices are counted in ticks and quantities in lots of their
 * instrument; both are safe integers. `docs/matching.md` says what every command does; the naive model and the core are both written from it.
 */
import type { CommandSlots } from './command-slots.ts';
import type { PoolFigures } from './pool-figures.ts';

export const BUY = 0;
export const SELL = 1;
export type Side = typeof BUY | typeof SELL;

export const LIMIT = 0;
export const MARKET = 1;
/** Waits until a trade reaches `stopTicks`, then is a market order. */
export const STOP = 2;
/** Waits until a trade reaches `stopTicks`, then is a limit order. */
export const STOP_LIMIT = 3;
export type OrderType = typeof LIMIT | typeof MARKET | typeof STOP | typeof STOP_LIMIT;

/** Rests until filled or cancelled. */
export const GTC = 0;
/** Fills what it can at once; the rest is cancelled. */
export const IOC = 1;
/** Fills wholly at once, or is cancelled whole. */
export const FOK = 2;
/** Rests until `expiryMicros`. */
export const GTD = 3;
/** Rests until its instrument is closed. */
export const DAY = 4;
export type TimeInForce = typeof GTC | typeof IOC | typeof FOK | typeof GTD | typeof DAY;

/** What happens when an order would trade with one of the same account. */
export const ALLOW = 0;
export const CANCEL_NEWEST = 1;
export const CANCEL_OLDEST = 2;
export const CANCEL_BOTH = 3;
export const DECREMENT = 4;
export type SelfTrade = typeof ALLOW | typeof CANCEL_NEWEST | typeof CANCEL_OLDEST | typeof CANCEL_BOTH | typeof DECREMENT;

/** Trading states of an instrument. */
export const TRADING = 0;
export const PRE_OPEN = 1;
export const AUCTION = 2;
export const HALTED = 3;
export const CLOSED = 4;
export type TradingState = typeof TRADING | typeof PRE_OPEN | typeof AUCTION | typeof HALTED | typeof CLOSED;

export const NEW_ORDER = 1;
export const CANCEL_ORDER = 2;
export const REPLACE_ORDER = 3;
export const MASS_CANCEL = 4;
export const SET_STATE = 5;
export const SET_VOLATILITY = 6;
export const KILL_SWITCH = 7;
export const ADVANCE_TIME = 8;

/** Accounts are numbered from 0 up to this, excluded. */
export const MOST_ACCOUNTS = 2 ** 20;
/** In the place of an account: any. */
export const ANY_ACCOUNT = 2 ** 32 - 1;
/** In the place of an instrument: all of them. */
export const ALL_INSTRUMENTS = -1;

/** A new order. Its id is the sequence at which it is applied. */
export interface NewOrder {
  readonly kind: typeof NEW_ORDER;
  readonly instrument: number;
  readonly account: number;
  readonly side: Side;
  readonly type: OrderType;
  readonly timeInForce: TimeInForce;
  /** 0 for MARKET and STOP. */
  readonly priceTicks: number;
  readonly quantityLots: number;
  /** STOP and STOP_LIMIT only; else 0. */
  readonly stopTicks?: number;
  /** What an iceberg shows; 0 shows all. */
  readonly displayLots?: number;
  /** GTD only; else 0. */
  readonly expiryMicros?: number;
  readonly postOnly?: boolean;
  readonly selfTrade?: SelfTrade;
  /** Below 2^32. Orders of a session are cancelled when it ends; 0 for orders that outlive theirs. */
  readonly session?: number;
  /** 64 bits that stand for the client order id, as two signed 32-bit words; both 0 for none. */
  readonly clientIdLow?: number;
  readonly clientIdHigh?: number;
}

export interface CancelOrder {
  readonly kind: typeof CANCEL_ORDER;
  readonly orderId: number;
  /** The account whose order it must be, or ANY_ACCOUNT. */
  readonly account: number;
}

export interface ReplaceOrder {
  readonly kind: typeof REPLACE_ORDER;
  readonly orderId: number;
  /** The account whose order it must be, or ANY_ACCOUNT. */
  readonly account: number;
  /** 0 keeps it. */
  readonly priceTicks: number;
  /** What is to remain from now on; 0 keeps it. */
  readonly quantityLots: number;
  /** Of an order that waits; 0 keeps it. */
  readonly stopTicks?: number;
  /** What must remain now for the command to be accepted; 0 for anything. Looked at by `submit` only. */
  readonly expectedLots?: number;
}

export interface MassCancel {
  readonly kind: typeof MASS_CANCEL;
  /** Or ALL_INSTRUMENTS. */
  readonly instrument: number;
  /** Or ANY_ACCOUNT. */
  readonly account: number;
  /** 0 for orders of any session and of none. */
  readonly session: number;
  readonly reason: typeof MASS | typeof DISCONNECTED;
}

export interface SetState {
  readonly kind: typeof SET_STATE;
  /** Or ALL_INSTRUMENTS. */
  readonly instrument: number;
  readonly state: TradingState;
}

/** When trading is interrupted by itself; see docs/matching.md. */
export interface SetVolatility {
  readonly kind: typeof SET_VOLATILITY;
  readonly instrument: number;
  /** Whole percent of the reference price; 0 for no halts. */
  readonly bandPercent: number;
  readonly windowMicros: number;
  readonly haltMicros: number;
  readonly auctionMicros: number;
}

export interface KillSwitch {
  readonly kind: typeof KILL_SWITCH;
  /** Or ANY_ACCOUNT, for all. */
  readonly account: number;
  readonly on: boolean;
}

/** Does what is due: orders expire, interruptions end. */
export interface AdvanceTime {
  readonly kind: typeof ADVANCE_TIME;
}

/** A command as an object, for where it is not hot; `encodeCommand` and `decodeCommand` take it to its slot and back. */
export type Command = NewOrder | CancelOrder | ReplaceOrder | MassCancel | SetState | SetVolatility | KillSwitch | AdvanceTime;

export const OPEN = 0;
export const FILLED = 1;
export const CANCELLED = 2;
/** A stop order that waits for its price. */
export const PENDING = 3;
export type OrderStatus = typeof OPEN | typeof FILLED | typeof CANCELLED | typeof PENDING;

/** Why an order is as it is. */
export const NO_REASON = 0;
export const REQUESTED = 1;
/** What an IOC or market order could not fill. */
export const IMMEDIATE = 2;
export const NOT_FILLABLE = 3;
export const SELF_TRADE = 4;
export const EXPIRED = 5;
export const DAY_END = 6;
export const MASS = 7;
export const KILLED = 8;
export const DISCONNECTED = 9;
export const INTERRUPTED = 10;
export type Reason =
  | typeof NO_REASON
  | typeof REQUESTED
  | typeof IMMEDIATE
  | typeof NOT_FILLABLE
  | typeof SELF_TRADE
  | typeof EXPIRED
  | typeof DAY_END
  | typeof MASS
  | typeof KILLED
  | typeof DISCONNECTED
  | typeof INTERRUPTED;

/**
 * Where the events of a command go, in the order in which they happen. Arguments are numbers, so that an implementation need not allocate.
 * A sink must not call back into the core: the command is still under way.
 */
export interface EventSink {
  /** The remaining lots are what is left of each order after this fill, hidden ones included. */
  fill(
    instrument: number,
    makerOrderId: number,
    takerOrderId: number,
    priceTicks: number,
    quantityLots: number,
    makerRemainingLots: number,
    takerRemainingLots: number,
  ): void;
  /** What has become of an order. For CANCELLED, what was left of it. */
  order(orderId: number, remainingLots: number, status: OrderStatus, reason: Reason): void;
  /** The terms that an order has from now on. */
  replaced(orderId: number, priceTicks: number, remainingLots: number, stopTicks: number): void;
  /** A stop order has met its price and is now an order like any other. */
  triggered(orderId: number): void;
  /** `auctionTicks` is the price at which the auction that ended traded, 0 when none did; `untilMicros` when it ends by itself, 0 for never. */
  state(instrument: number, state: TradingState, auctionTicks: number, untilMicros: number): void;
}

/** For whoever wants what a command does to the state, and not to hear of it. */
export const NO_EVENTS: EventSink = { fill() {}, order() {}, replaced() {}, triggered() {}, state() {} };

/** Why a command may not be applied. Numbers are stable: they travel on binary protocols. */
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
  /** The account has sent this client order id before; `duplicateOf` tells the order. */
  duplicate: 11,
  /** The instrument's trading state does not take such a command. */
  notInState: 12,
  /** A combination of type, time in force and other terms that means nothing. */
  badTerms: 13,
  /** A post-only order would trade at once. */
  wouldTrade: 14,
  maxPosition: 15,
  maxOpenOrders: 16,
  maxOpenNotional: 17,
  /** A GTD order whose time has come already. */
  expired: 18,
  /** A replacement expected another remaining quantity. */
  stale: 19,
  badAccount: 20,
  /** The account sends faster than it may. Never said by the core: it has no clock. */
  rate: 21,
  // Said by gateways only: nothing of the order was looked at.
  /** More is on its way to the journal than it has room for. */
  busy: 22,
  stopping: 23,
  /** Recovering or warming up. */
  starting: 24,
  /** The journal cannot be written. */
  journal: 25,
  /** The connection may not do this, or not for this account. */
  forbidden: 26,
} as const;
export type Reject = (typeof REJECT)[keyof typeof REJECT];

/** What an order of one instrument must respect, in the instrument's own units. Never journalled: `replay` does not look at it. */
export interface InstrumentRules {
  /** false for an instrument that is no longer listed: its history stays, new orders are refused. */
  readonly tradable: boolean;
  readonly maxOrderLots: number;
  /** Largest price × quantity, in ticks × lots. */
  readonly maxNotional: bigint;
  /** Largest distance of a limit price from the last trade, in percent of it; 0 for none. */
  readonly priceBandPercent: number;
  /** Largest position of an account, long or short, all its open orders filled; Infinity for none. */
  readonly maxPositionLots: number;
  /** Largest sum of price × remaining quantity of an account's open orders, in ticks × lots; Infinity for none. */
  readonly maxOpenNotional: number;
}

/** What an account must respect over all instruments. */
export interface AccountRules {
  /** Infinity for none. */
  readonly maxOpenOrders: number;
}

export interface Level {
  readonly priceTicks: number;
  /** What is shown. A level may hold more than a safe integer counts. */
  readonly quantityLots: bigint;
  readonly orders: number;
}

/** A resting order as anyone may see it. */
export interface BookOrder {
  readonly orderId: number;
  readonly priceTicks: number;
  /** What is shown. */
  readonly quantityLots: number;
}

/** Where an order rests. */
export interface RestingPlace {
  readonly instrument: number;
  readonly side: Side;
  readonly priceTicks: number;
}

/** What an account holds of an instrument. */
export interface Position {
  readonly account: number;
  readonly instrument: number;
  /** Negative when short. */
  readonly lots: number;
  /** In ticks, of the lots held; 0 without any. */
  readonly averageTicks: number;
  readonly openOrders: number;
  readonly openBuyLots: number;
  readonly openSellLots: number;
}

/** What an auction would do now. */
export interface Indication {
  /** 0 when nothing would trade. */
  readonly priceTicks: number;
  readonly quantityLots: bigint;
  /** Lots left over at that price: positive on the buying side, negative on the selling side. */
  readonly imbalanceLots: bigint;
}

/** One instrument's orders as readers see them. */
export interface BookView {
  /** Price of the last fill; 0 before the first. */
  readonly lastTradeTicks: number;
  /** Orders that rest or wait. */
  readonly openOrders: number;
  readonly state: TradingState;
  /** When the state ends by itself; 0 for never. */
  readonly untilMicros: number;
  /** Best price of a side; 0 when it is empty. */
  bestTicks(side: Side): number;
  /** The best `levels` prices of a side, best first. */
  depth(side: Side, levels: number): Level[];
  /** The first `most` resting orders of a side, in the order in which they would trade. */
  orders(side: Side, most: number): BookOrder[];
  /** The resting orders of one price, in the order in which they would trade. */
  ordersAt(side: Side, priceTicks: number): BookOrder[];
  /** Walks the book: not for hot paths. */
  indication(): Indication;
}

/**
 * The matching state of all instruments: a function of (sequence, timestamp, command). Commands come as slots (`command.ts`); their timestamps
 * never fall. `submit` is for new commands, `replay` for those that the journal holds: they were accepted under the rules of their day, and give the
 * same under any others.
 */
export interface Core {
  /** Sequence of the last applied command; 0 at first. */
  readonly sequence: number;
  readonly timestampMicros: number;
  /** Orders that rest or wait. */
  readonly openOrders: number;
  /** Time at which something is due (see ADVANCE_TIME); Infinity for never. */
  readonly nextDueMicros: number;
  /** After REJECT.duplicate: the id of the order that was sent first. */
  readonly duplicateOf: number;
  /** Adds an instrument (indexes are dense, from 0) or changes its rules. */
  setInstrument(instrument: number, rules: InstrumentRules): void;
  setAccountRules(rules: AccountRules): void;
  /** Checks the command whose slot begins at word `at`, and applies it as the next when nothing is against it. A reject changes nothing. */
  submit(slots: CommandSlots, at: number, sink: EventSink): Reject;
  /** Applies a command that was accepted before. Throws RangeError when it cannot be: a fault, not a reject. */
  replay(slots: CommandSlots, at: number, sink: EventSink): void;
  /** Takes memory for orders to come when little is left, so that none has to wait for it. Milliseconds for a large book: for idle moments. */
  reserve(): void;
  /** Index of the instrument on whose book the order rests or waits; -1 when it does on none. */
  find(orderId: number): number;
  /** Where an order rests; undefined when it does not (or waits for its stop price). */
  restingAt(orderId: number): RestingPlace | undefined;
  /** Account of an open order; -1 when there is none. */
  ownerOf(orderId: number): number;
  /** What remains of an open order, hidden lots included; -1 when there is none. */
  remainingLots(orderId: number): number;
  /** Throws RangeError on an unknown instrument. */
  book(instrument: number): BookView;
  /** undefined for an account that never had an order there. */
  position(account: number, instrument: number): Position | undefined;
  /** Orders of an account that rest or wait, over all instruments: what {@link AccountRules.maxOpenOrders} limits. */
  openOrdersOf(account: number): number;
  /** Sum of price × remaining quantity of an account's open orders in an instrument: what {@link InstrumentRules.maxOpenNotional} limits. */
  openNotionalOf(account: number, instrument: number): number;
  /** Every position that is not flat, by instrument, then account. */
  eachPosition(visit: (position: Position) => void): void;
  /** Whether the switch is on for `account` itself; ANY_ACCOUNT asks for the one of all. */
  killed(account: number): boolean;
  /** What its pools hold, for figures. */
  pools(): PoolFigures[];
  /** The whole state as numbers, in the order of docs/matching.md. Costs a walk over every order. */
  eachStateWord(visit: (word: number) => void): void;
  /** Takes the state that `eachStateWord` gave out. Only on a core that has applied nothing and knows the instruments. Throws RangeError when it is none. */
  restore(words: Float64Array): void;
  /** Sixteen hex digits over {@link eachStateWord}. */
  stateHash(): string;
}
