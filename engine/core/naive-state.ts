/** What the naive model knows: arrays of plain objects, in the order in which docs/matching.md speaks of them, and nothing that is kept twice. */
import { StateHash } from './hash.ts';
import {
  BUY,
  DAY,
  GTC,
  GTD,
  STOP,
  TRADING,
  type AccountRules,
  type InstrumentRules,
  type OrderType,
  type SelfTrade,
  type Side,
  type TimeInForce,
  type TradingState,
} from './types.ts';

export interface NaiveOrder {
  readonly id: number;
  readonly instrument: number;
  readonly account: number;
  readonly side: Side;
  /** Becomes LIMIT or MARKET when a stop order is triggered. */
  type: OrderType;
  timeInForce: TimeInForce;
  priceTicks: number;
  /** All that remains, hidden lots included. */
  lots: number;
  /** Of these, what is not hidden. */
  shownLots: number;
  readonly displayLots: number;
  /** 0 when it does not wait. */
  stopTicks: number;
  readonly expiryMicros: number;
  readonly postOnly: boolean;
  readonly selfTrade: SelfTrade;
  readonly session: number;
}

/** Orders in priority: the first trades, or triggers, first. */
export interface NaiveInstrument {
  readonly index: number;
  rules: InstrumentRules;
  state: TradingState;
  untilMicros: number;
  lastTradeTicks: number;
  referenceTicks: number;
  referenceMicros: number;
  bandPercent: number;
  windowMicros: number;
  haltMicros: number;
  auctionMicros: number;
  readonly bids: NaiveOrder[];
  readonly asks: NaiveOrder[];
  readonly buyStops: NaiveOrder[];
  readonly sellStops: NaiveOrder[];
}

export interface NaivePosition {
  readonly instrument: number;
  readonly account: number;
  lots: number;
  averageTicks: number;
}

export interface NaiveClientId {
  readonly account: number;
  readonly low: number;
  readonly high: number;
  readonly orderId: number;
}

export interface NaiveState {
  sequence: number;
  timestampMicros: number;
  killedAll: boolean;
  readonly killedAccounts: Set<number>;
  accountRules: AccountRules;
  /** Open and pending orders that there is room for. */
  readonly mostOrders: number;
  readonly instruments: NaiveInstrument[];
  /** Of everyone who ever traded, flat ones too. */
  readonly positions: NaivePosition[];
  /** Oldest first. */
  readonly clientIds: NaiveClientId[];
}

export function newInstrument(index: number, rules: InstrumentRules): NaiveInstrument {
  return {
    index,
    rules,
    state: TRADING,
    untilMicros: 0,
    lastTradeTicks: 0,
    referenceTicks: 0,
    referenceMicros: 0,
    bandPercent: 0,
    windowMicros: 0,
    haltMicros: 0,
    auctionMicros: 0,
    bids: [],
    asks: [],
    buyStops: [],
    sellStops: [],
  };
}

export const canRest = (timeInForce: TimeInForce): boolean => timeInForce === GTC || timeInForce === DAY || timeInForce === GTD;

/** Whether a trade at `priceTicks` is as good as `limitTicks` or better, for an order of `side`. */
export const isAtOrBetter = (side: Side, priceTicks: number, limitTicks: number): boolean =>
  side === BUY ? priceTicks <= limitTicks : priceTicks >= limitTicks;

export const restingOrders = (at: NaiveInstrument, side: Side): NaiveOrder[] => (side === BUY ? at.bids : at.asks);

export const ordersOf = (at: NaiveInstrument): NaiveOrder[] => [...at.bids, ...at.asks, ...at.buyStops, ...at.sellStops];

export const allOrders = (state: NaiveState): NaiveOrder[] => state.instruments.flatMap(ordersOf);

export const byId = (orders: readonly NaiveOrder[]): NaiveOrder[] => orders.toSorted((one, other) => one.id - other.id);

/** Whether the last trade has reached the order's stop price. */
export const isReached = (at: NaiveInstrument, { side, stopTicks }: Pick<NaiveOrder, 'side' | 'stopTicks'>): boolean =>
  at.lastTradeTicks > 0 && (side === BUY ? at.lastTradeTicks >= stopTicks : at.lastTradeTicks <= stopTicks);

/** Whether a price is further from another than `percent` of that. Whole percent. */
export const isOutside = (priceTicks: number, referenceTicks: number, percent: number): boolean => {
  const distance = BigInt(priceTicks) - BigInt(referenceTicks);
  return (distance < 0n ? -distance : distance) * 100n > BigInt(referenceTicks) * BigInt(percent);
};

/** The list in which an order is, or would be. */
function listOf(at: NaiveInstrument, { side, stopTicks }: NaiveOrder): NaiveOrder[] {
  if (stopTicks === 0) return restingOrders(at, side);
  return side === BUY ? at.buyStops : at.sellStops;
}

/** Puts an order behind all others of its price (or stop price). */
export function insert(at: NaiveInstrument, order: NaiveOrder): void {
  const list = listOf(at, order);
  const waits = order.stopTicks > 0;
  // The best bid is the highest; the buying stop that triggers first is the lowest.
  const highestFirst = (order.side === BUY) !== waits;
  const key = (of: NaiveOrder): number => (waits ? of.stopTicks : of.priceTicks);
  const behind = list.findIndex((other) => (highestFirst ? key(other) < key(order) : key(other) > key(order)));
  list.splice(behind < 0 ? list.length : behind, 0, order);
}

export function remove(at: NaiveInstrument, order: NaiveOrder): void {
  const list = listOf(at, order);
  list.splice(list.indexOf(order), 1);
}

/** Shows an order's lots as it is put into the book. */
export function rest(at: NaiveInstrument, order: NaiveOrder): void {
  order.shownLots = order.displayLots > 0 ? Math.min(order.displayLots, order.lots) : order.lots;
  insert(at, order);
}

/** Takes `lots` from what a resting order shows; it leaves the book when nothing is left, and shows more when it can. */
export function take(at: NaiveInstrument, order: NaiveOrder, lots: number): void {
  order.lots -= lots;
  order.shownLots -= lots;
  if (order.shownLots > 0) return;
  remove(at, order);
  if (order.lots > 0) rest(at, order);
}

export function changePosition(state: NaiveState, instrument: number, account: number, side: Side, n: number, p: number): void {
  let position = state.positions.find((other) => other.instrument === instrument && other.account === account);
  if (position === undefined) state.positions.push((position = { instrument, account, lots: 0, averageTicks: 0 }));
  const { lots, averageTicks } = position;
  const signed = side === BUY ? n : -n;
  if (lots === 0) position.averageTicks = p;
  else if (Math.sign(lots) === Math.sign(signed)) position.averageTicks = (averageTicks * Math.abs(lots) + p * n) / (Math.abs(lots) + n);
  else if (n > Math.abs(lots)) position.averageTicks = p;
  position.lots = lots + signed;
  if (position.lots === 0) position.averageTicks = 0;
}

/** Every position that is not flat, by instrument, then account. */
export const heldPositions = (state: NaiveState): NaivePosition[] =>
  state.positions
    .filter(({ lots }) => lots !== 0)
    .toSorted((one, other) => one.instrument - other.instrument || one.account - other.account);

/** The numbers that an order is in the stream of state words. */
const orderWords = (order: NaiveOrder): number[] => [
  order.id,
  order.account,
  order.type === STOP ? 0 : order.priceTicks,
  order.shownLots,
  order.lots - order.shownLots,
  order.displayLots,
  order.stopTicks,
  order.expiryMicros,
  order.session,
  order.type + 8 * order.timeInForce + 64 * (order.postOnly ? 1 : 0) + 128 * order.selfTrade,
];

const listWords = (orders: readonly NaiveOrder[]): number[] => [orders.length, ...orders.flatMap(orderWords)];

function instrumentWords(at: NaiveInstrument): number[] {
  const settings = [at.bandPercent, at.windowMicros, at.haltMicros, at.auctionMicros];
  const untouched = at.state === TRADING && at.lastTradeTicks === 0 && ordersOf(at).length === 0;
  if (untouched && settings.every((setting) => setting === 0)) return [];
  return [
    at.index,
    at.state,
    at.untilMicros,
    at.lastTradeTicks,
    at.referenceTicks,
    at.referenceMicros,
    ...settings,
    ...[at.bids, at.asks, at.buyStops, at.sellStops].flatMap(listWords),
  ];
}

/** The state in words, as docs/matching.md lays it out. */
export function stateWords(state: NaiveState): number[] {
  const killed = [...state.killedAccounts].toSorted((one, other) => one - other);
  const held = heldPositions(state);
  return [
    state.sequence,
    state.timestampMicros,
    state.killedAll ? 1 : 0,
    killed.length,
    ...killed,
    ...state.instruments.flatMap(instrumentWords),
    -1,
    held.length,
    ...held.flatMap(({ instrument, account, lots, averageTicks }) => [instrument, account, lots, averageTicks]),
    state.clientIds.length,
    ...state.clientIds.flatMap(({ account, low, high, orderId }) => [account, low, high, orderId]),
  ];
}

export function hashOf(words: readonly number[]): string {
  const hash = new StateHash();
  for (const word of words) hash.addDouble(word);
  return hash.hex();
}
