/** The naive model's rules: what docs/matching.md lets through, in the order in which it says so. */
import {
  allOrders,
  canRest,
  isAtOrBetter,
  isOutside,
  restingOrders,
  type NaiveInstrument,
  type NaiveOrder,
  type NaiveState,
} from './naive-state.ts';
import {
  ALL_INSTRUMENTS,
  ANY_ACCOUNT,
  AUCTION,
  BUY,
  CANCEL_ORDER,
  CLOSED,
  DISCONNECTED,
  FOK,
  GTD,
  HALTED,
  IOC,
  KILL_SWITCH,
  LIMIT,
  MARKET,
  MASS,
  MASS_CANCEL,
  MOST_ACCOUNTS,
  NEW_ORDER,
  PRE_OPEN,
  REJECT,
  REPLACE_ORDER,
  SELL,
  SET_STATE,
  SET_VOLATILITY,
  STOP,
  STOP_LIMIT,
  TRADING,
  type Command,
  type NewOrder,
  type Reject,
  type ReplaceOrder,
} from './types.ts';

/** An order's terms as the limits look at them: those of a new one, or of an old one as it would be replaced. */
type Terms = Pick<NewOrder, 'account' | 'side' | 'type' | 'timeInForce' | 'priceTicks' | 'quantityLots'> & {
  readonly stopTicks: number;
  readonly postOnly: boolean;
};

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;
const isPositive = (value: number): boolean => Number.isSafeInteger(value) && value > 0;
const isAccount = (account: number): boolean => isCount(account) && account < MOST_ACCOUNTS;

const isKnown = (state: NaiveState, instrument: number): boolean => instrument === ALL_INSTRUMENTS || instrument in state.instruments;

export function findOrder(state: NaiveState, orderId: number): NaiveOrder | undefined {
  return allOrders(state).find(({ id }) => id === orderId);
}

/** What is against a command; REJECT.none when nothing is. */
export function check(state: NaiveState, timestampMicros: number, command: Command): Reject {
  switch (command.kind) {
    case NEW_ORDER:
      return checkNew(state, timestampMicros, command);
    case CANCEL_ORDER: {
      const order = findOrder(state, command.orderId);
      return order !== undefined && isOf(command.account, order) ? REJECT.none : REJECT.unknownOrder;
    }
    case REPLACE_ORDER:
      return checkReplace(state, command);
    case MASS_CANCEL:
      if (!isKnown(state, command.instrument)) return REJECT.unknownInstrument;
      return command.reason === MASS || command.reason === DISCONNECTED ? REJECT.none : REJECT.badTerms;
    case SET_STATE:
      if (!isKnown(state, command.instrument)) return REJECT.unknownInstrument;
      return [TRADING, PRE_OPEN, AUCTION, HALTED, CLOSED].includes(command.state) ? REJECT.none : REJECT.badTerms;
    case SET_VOLATILITY: {
      if (!(command.instrument in state.instruments)) return REJECT.unknownInstrument;
      const settings = [command.bandPercent, command.windowMicros, command.haltMicros, command.auctionMicros];
      return settings.every(isCount) ? REJECT.none : REJECT.badTerms;
    }
    case KILL_SWITCH:
      return command.account === ANY_ACCOUNT || isAccount(command.account) ? REJECT.none : REJECT.badAccount;
    default:
      return REJECT.none;
  }
}

/** The order that the account has sent with the same client order id. */
export function duplicateOf(state: NaiveState, { account, clientIdLow = 0, clientIdHigh = 0 }: NewOrder): number | undefined {
  if (clientIdLow === 0 && clientIdHigh === 0) return undefined;
  return state.clientIds.find((other) => other.account === account && other.low === clientIdLow && other.high === clientIdHigh)?.orderId;
}

export const isOf = (account: number, order: NaiveOrder): boolean => account === ANY_ACCOUNT || account === order.account;

function checkNew(state: NaiveState, timestampMicros: number, order: NewOrder): Reject {
  const { account, type, quantityLots, priceTicks, stopTicks = 0, postOnly = false, expiryMicros = 0 } = order;
  const at = state.instruments[order.instrument];
  if (at === undefined) return REJECT.unknownInstrument;
  if (!isAccount(account)) return REJECT.badAccount;
  if (duplicateOf(state, order) !== undefined) return REJECT.duplicate;
  if (!at.rules.tradable) return REJECT.notTradable;
  if (state.killedAll || state.killedAccounts.has(account)) return REJECT.killSwitch;
  if (!isPositive(quantityLots)) return REJECT.badQuantity;
  const hasPrice = type === LIMIT || type === STOP_LIMIT;
  const hasStop = type === STOP || type === STOP_LIMIT;
  if (hasPrice && !isPositive(priceTicks)) return REJECT.badPrice;
  if (hasStop && !isPositive(stopTicks)) return REJECT.badPrice;
  if (!hasPrice && priceTicks !== 0) return REJECT.badTerms;
  if (!hasStop && stopTicks !== 0) return REJECT.badTerms;
  if (!hasGoodTerms(order)) return REJECT.badTerms;
  if (at.state === HALTED || at.state === CLOSED) return REJECT.notInState;
  if ((at.state === PRE_OPEN || at.state === AUCTION) && (!canRest(order.timeInForce) || postOnly)) return REJECT.notInState;
  if (order.timeInForce === GTD && expiryMicros <= timestampMicros) return REJECT.expired;
  return checkLimits(state, at, { ...order, stopTicks, postOnly });
}

function hasGoodTerms(order: NewOrder): boolean {
  const { type, timeInForce, displayLots = 0, expiryMicros = 0, postOnly = false, selfTrade = 0 } = order;
  const rests = canRest(timeInForce);
  const fits =
    (type === LIMIT && (rests || timeInForce === IOC || timeInForce === FOK)) ||
    (type === MARKET && (timeInForce === IOC || timeInForce === FOK)) ||
    ((type === STOP || type === STOP_LIMIT) && rests);
  if (!fits) return false;
  if (timeInForce === GTD ? !isPositive(expiryMicros) : expiryMicros !== 0) return false;
  if (displayLots !== 0 && !(isPositive(displayLots) && (type === LIMIT || type === STOP_LIMIT) && rests)) return false;
  if (hidesTooMuch(displayLots, order.quantityLots)) return false;
  if (postOnly && !(type === LIMIT && rests)) return false;
  return (order.side === BUY || order.side === SELL) && selfTrade <= 4;
}

/** Whether an iceberg would show itself anew more than 1,024 times. */
const hidesTooMuch = (displayLots: number, lots: number): boolean => displayLots > 0 && BigInt(displayLots) * 1024n < BigInt(lots);

function checkReplace(state: NaiveState, command: ReplaceOrder): Reject {
  const { stopTicks = 0, expectedLots = 0 } = command;
  const order = findOrder(state, command.orderId);
  if (order === undefined || !isOf(command.account, order)) return REJECT.unknownOrder;
  if (expectedLots > 0 && expectedLots !== order.lots) return REJECT.stale;
  if (!isCount(command.priceTicks) || !isCount(stopTicks)) return REJECT.badPrice;
  if (!isCount(command.quantityLots)) return REJECT.badQuantity;
  const waits = order.stopTicks > 0;
  if (stopTicks > 0 && !waits) return REJECT.badTerms;
  if (command.priceTicks > 0 && order.type === STOP) return REJECT.badTerms;
  const terms = replacedTerms(order, command);
  if (hidesTooMuch(order.displayLots, terms.quantityLots)) return REJECT.badTerms;
  const same = terms.priceTicks === order.priceTicks && terms.stopTicks === order.stopTicks && terms.quantityLots === order.lots;
  if (same) return REJECT.badTerms;
  const at = state.instruments[order.instrument] as NaiveInstrument;
  if (at.state === HALTED || at.state === CLOSED) return REJECT.notInState;
  if (!at.rules.tradable) return REJECT.notTradable;
  if (state.killedAll || state.killedAccounts.has(order.account)) return REJECT.killSwitch;
  return checkLimits(state, at, { ...order, ...terms }, order);
}

/** What the fields become that a replacement may change. 0 keeps one. */
export function replacedTerms(order: NaiveOrder, { priceTicks, quantityLots, stopTicks = 0 }: ReplaceOrder) {
  return {
    priceTicks: priceTicks === 0 ? order.priceTicks : priceTicks,
    quantityLots: quantityLots === 0 ? order.lots : quantityLots,
    stopTicks: stopTicks === 0 ? order.stopTicks : stopTicks,
  };
}

/** Rules 7 to 12, for a new order or for one that takes the place of `old`. */
function checkLimits(state: NaiveState, at: NaiveInstrument, terms: Terms, old?: NaiveOrder): Reject {
  const { rules } = at;
  const { account, side, type, priceTicks, quantityLots } = terms;
  const opposite = restingOrders(at, side === BUY ? SELL : BUY);
  if (quantityLots > rules.maxOrderLots) return REJECT.maxOrderQty;
  if (valueOf(terms, opposite) > rules.maxNotional) return REJECT.maxNotional;
  if (type === LIMIT && rules.priceBandPercent > 0 && at.lastTradeTicks > 0) {
    if (isOutside(priceTicks, at.lastTradeTicks, rules.priceBandPercent)) return REJECT.priceBand;
  }
  if (terms.postOnly && at.state === TRADING) {
    const best = opposite[0];
    if (best !== undefined && isAtOrBetter(side, best.priceTicks, priceTicks)) return REJECT.wouldTrade;
  }
  const others = allOrders(state).filter((other) => other.account === account && other !== old);
  const othersHere = others.filter(({ instrument }) => instrument === at.index);
  const openLots = sum(othersHere.filter((other) => other.side === side).map(({ lots }) => lots));
  const position = state.positions.find((of) => of.instrument === at.index && of.account === account)?.lots ?? 0;
  if ((side === BUY ? position : -position) + openLots + quantityLots > rules.maxPositionLots) return REJECT.maxPosition;
  if (!canRest(terms.timeInForce)) return REJECT.none;
  if (old === undefined && others.length >= state.accountRules.maxOpenOrders) return REJECT.maxOpenOrders;
  const openNotional = sum(othersHere.map((other) => notionalPrice(other) * other.lots));
  if (openNotional + notionalPrice(terms) * quantityLots > rules.maxOpenNotional) return REJECT.maxOpenNotional;
  if (old === undefined && allOrders(state).length >= state.mostOrders) return REJECT.noRoom;
  return REJECT.none;
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

const notionalPrice = ({ type, priceTicks, stopTicks }: Pick<Terms, 'type' | 'priceTicks' | 'stopTicks'>): number =>
  type === STOP ? stopTicks : priceTicks;

/** The value of an order for the largest notional, in ticks × lots. */
function valueOf(terms: Terms, opposite: readonly NaiveOrder[]): bigint {
  const { side, type, priceTicks } = terms;
  let left = BigInt(terms.quantityLots);
  if (type === STOP) return BigInt(terms.stopTicks) * left;
  if (type === STOP_LIMIT || (type === LIMIT && side === BUY)) return BigInt(priceTicks) * left;
  let value = 0n;
  for (const { priceTicks: makerTicks, lots } of opposite) {
    if (type === LIMIT && !isAtOrBetter(side, makerTicks, priceTicks)) break;
    const traded = left < BigInt(lots) ? left : BigInt(lots);
    value += traded * BigInt(makerTicks);
    left -= traded;
  }
  return type === MARKET ? value : value + left * BigInt(priceTicks);
}
