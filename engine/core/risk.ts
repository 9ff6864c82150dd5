/**
 * The checks that an order must pass before it is matched. Exact: what a double cannot hold is compared as a BigInt, which only values
 * near a limit or beyond 2^53 need, so that nothing is allocated for others.
 */
import { BUY, LIMIT, REJECT, SELL, type Book, type InstrumentRules, type NewOrder, type Reject } from './types.ts';

/** Relative distance within which two products of doubles may compare wrongly. Each carries at most three roundings of 2^-53. */
const DOUBT = 2 ** -50;

/** Rules with what is computed from them once. */
export interface RiskLimits extends InstrumentRules {
  /** A double product below this is surely within `maxNotional`. */
  readonly surelyWithin: number;
  /** A double product above this surely exceeds `maxNotional`. */
  readonly surelyOver: number;
}

export function riskLimits(rules: InstrumentRules): RiskLimits {
  const bound = Number(rules.maxNotional);
  return { ...rules, surelyWithin: bound * (1 - DOUBT), surelyOver: bound * (1 + DOUBT) };
}

/** Whether price × quantity, safe non-negative integers, is more than `maxNotional`. */
function overNotional(priceTicks: number, quantityLots: number, limits: RiskLimits): boolean {
  const product = priceTicks * quantityLots;
  if (product < limits.surelyWithin) return false;
  if (product > limits.surelyOver) return true;
  return BigInt(priceTicks) * BigInt(quantityLots) > limits.maxNotional;
}

/** Whether a limit sell would trade, at bids above its limit, for more than `maxNotional`. Sweeps the bids only when the best of them leaves a doubt. */
function sellsOverNotional({ priceTicks, quantityLots }: NewOrder, limits: RiskLimits, book: Book): boolean {
  const best = book.bestTicks(BUY);
  return (
    best > priceTicks && overNotional(best, quantityLots, limits) && book.sweepNotional(SELL, quantityLots, priceTicks) > limits.maxNotional
  );
}

/** Whether `priceTicks` is further than `percent` of `referenceTicks` from it. */
export function outsideBand(priceTicks: number, referenceTicks: number, percent: number): boolean {
  const distance = Math.abs(priceTicks - referenceTicks);
  // A product that comes out below 2^53 is exact.
  if (distance * 100 <= Number.MAX_SAFE_INTEGER && referenceTicks * percent <= Number.MAX_SAFE_INTEGER)
    return distance * 100 > referenceTicks * percent;
  return BigInt(distance) * 100n > BigInt(referenceTicks) * BigInt(percent);
}

/** The first rule that `order` breaks, or `REJECT.none`. */
export function checkRisk(order: NewOrder, limits: RiskLimits, book: Book): Reject {
  if (!limits.tradable) return REJECT.notTradable;
  if (limits.killSwitch) return REJECT.killSwitch;
  if (!Number.isSafeInteger(order.quantityLots) || order.quantityLots <= 0) return REJECT.badQuantity;
  if (order.quantityLots > limits.maxOrderLots) return REJECT.maxOrderQty;
  if (order.type === LIMIT) {
    if (!Number.isSafeInteger(order.priceTicks) || order.priceTicks <= 0) return REJECT.badPrice;
    if (overNotional(order.priceTicks, order.quantityLots, limits)) return REJECT.maxNotional;
    if (order.side === SELL && sellsOverNotional(order, limits, book)) return REJECT.maxNotional;
    const reference = book.lastTradeTicks;
    if (limits.priceBandPercent > 0 && reference > 0 && outsideBand(order.priceTicks, reference, limits.priceBandPercent))
      return REJECT.priceBand;
  } else if (book.sweepNotional(order.side, order.quantityLots, 0) > limits.maxNotional) {
    return REJECT.maxNotional;
  }
  return REJECT.none;
}
