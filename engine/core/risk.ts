/** The checks that an order must pass before it is matched. Exact: a product that a double cannot hold is compared as a BigInt. */
import { LIMIT, REJECT, type Book, type InstrumentRules, type NewOrder, type Reject } from './types.ts';

/** Relative distance within which two products of doubles may compare wrongly. Each carries at most three roundings of 2^-53. */
const DOUBT = 2 ** -50;

/** Whether a × b > limit, for safe non-negative integers a and b. Allocates only when a double cannot tell. */
export function productExceeds(a: number, b: number, limit: bigint): boolean {
  const product = a * b;
  const bound = Number(limit);
  if (product < bound * (1 - DOUBT)) return false;
  if (product > bound * (1 + DOUBT)) return true;
  return BigInt(a) * BigInt(b) > limit;
}

/** Whether `priceTicks` is further than `percent` of `referenceTicks` from it. */
export function outsideBand(priceTicks: number, referenceTicks: number, percent: number): boolean {
  return productExceeds(Math.abs(priceTicks - referenceTicks), 100, BigInt(referenceTicks) * BigInt(percent));
}

/** The first rule that `order` breaks, or `REJECT.none`. */
export function checkRisk(order: NewOrder, rules: InstrumentRules, book: Book): Reject {
  if (!rules.tradable) return REJECT.notTradable;
  if (rules.killSwitch) return REJECT.killSwitch;
  if (!Number.isSafeInteger(order.quantityLots) || order.quantityLots <= 0) return REJECT.badQuantity;
  if (order.quantityLots > rules.maxOrderLots) return REJECT.maxOrderQty;
  if (order.type === LIMIT) {
    if (!Number.isSafeInteger(order.priceTicks) || order.priceTicks <= 0) return REJECT.badPrice;
    if (productExceeds(order.priceTicks, order.quantityLots, rules.maxNotional)) return REJECT.maxNotional;
    const reference = book.lastTradeTicks;
    if (rules.priceBandPercent > 0 && reference > 0 && outsideBand(order.priceTicks, reference, rules.priceBandPercent))
      return REJECT.priceBand;
  } else if (book.sweepNotional(order.side, order.quantityLots) > rules.maxNotional) {
    return REJECT.maxNotional;
  }
  return REJECT.none;
}
