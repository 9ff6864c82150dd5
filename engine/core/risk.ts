/**
 * Limits, and the exact comparisons with them: what a double cannot hold is compared as a BigInt, which only values near a limit or beyond 2^53
 * need, so that nothing is allocated for others.
 */
import { BUY, SELL, type InstrumentRules, type Side } from './types.ts';

/** What is looked at of a book: the orders of a side, best first. */
interface RestingOrders {
  bestTicks(side: Side): number;
  /** 0 for an empty side. */
  first(side: Side): number;
  /** The one behind in priority, of its price or the next; 0 at the end. */
  behind(order: number): number;
  keyTicks(order: number): number;
  /** Hidden lots included. */
  remainingLots(order: number): number;
}

/** Relative distance within which two sums of products of doubles may compare wrongly: far more than their roundings of 2^-53 add up to. */
const DOUBT = 2 ** -26;

/** Rules with what is computed from them once. */
export interface RiskLimits extends InstrumentRules {
  /** A value computed in doubles below this is surely within `maxNotional`. */
  readonly surelyWithin: number;
  /** A value computed in doubles above this surely exceeds `maxNotional`. */
  readonly surelyOver: number;
}

export function riskLimits(rules: InstrumentRules): RiskLimits {
  const bound = Number(rules.maxNotional);
  return { ...rules, surelyWithin: bound * (1 - DOUBT), surelyOver: bound * (1 + DOUBT) };
}

/** Whether price × quantity, safe non-negative integers, is more than `maxNotional`. */
export function overNotional(priceTicks: number, quantityLots: number, limits: RiskLimits): boolean {
  const product = priceTicks * quantityLots;
  if (product < limits.surelyWithin) return false;
  if (product > limits.surelyOver) return true;
  return BigInt(priceTicks) * BigInt(quantityLots) > limits.maxNotional;
}

/**
 * Whether what an order of `side` would trade for now at `limitTicks` or better (0: at any price, always for a buy), and what would be left of it at
 * its limit, is more than `maxNotional`. Walks the levels that it would trade with, unless the best price shows that it cannot be.
 */
export function sweepOverNotional(book: RestingOrders, side: Side, limitTicks: number, quantityLots: number, limits: RiskLimits): boolean {
  if (side === SELL) {
    const best = book.bestTicks(BUY);
    if (best <= limitTicks) return overNotional(limitTicks, quantityLots, limits);
    if (best * quantityLots < limits.surelyWithin) return false;
  }
  return walkOverNotional(book, side, limitTicks, quantityLots, limits);
}

function walkOverNotional(book: RestingOrders, side: Side, limitTicks: number, quantityLots: number, limits: RiskLimits): boolean {
  let remaining = quantityLots;
  let value = 0;
  for (let order = book.first(side === BUY ? SELL : BUY); order !== 0 && remaining > 0; order = book.behind(order)) {
    const priceTicks = book.keyTicks(order);
    // Only a sell has a limit here: a buy that has one counts at it.
    if (priceTicks < limitTicks) break;
    const lots = Math.min(remaining, book.remainingLots(order));
    remaining -= lots;
    value += priceTicks * lots;
    if (value > limits.surelyOver) return true;
  }
  value += limitTicks * remaining;
  if (value < limits.surelyWithin) return false;
  return value > limits.surelyOver || exactSweep(book, side, limitTicks, quantityLots) > limits.maxNotional;
}

function exactSweep(book: RestingOrders, side: Side, limitTicks: number, quantityLots: number): bigint {
  let remaining = quantityLots;
  let value = 0n;
  for (let order = book.first(side === BUY ? SELL : BUY); order !== 0 && remaining > 0; order = book.behind(order)) {
    const priceTicks = book.keyTicks(order);
    if (priceTicks < limitTicks) break;
    const lots = Math.min(remaining, book.remainingLots(order));
    remaining -= lots;
    value += BigInt(priceTicks) * BigInt(lots);
  }
  return value + BigInt(limitTicks) * BigInt(remaining);
}

/** Whether `priceTicks` is further than `percent` of `referenceTicks` from it. */
export function outsideBand(priceTicks: number, referenceTicks: number, percent: number): boolean {
  const distance = Math.abs(priceTicks - referenceTicks);
  // A product that comes out below 2^53 is exact.
  if (distance * 100 <= Number.MAX_SAFE_INTEGER && referenceTicks * percent <= Number.MAX_SAFE_INTEGER)
    return distance * 100 > referenceTicks * percent;
  return BigInt(distance) * 100n > BigInt(referenceTicks) * BigInt(percent);
}
