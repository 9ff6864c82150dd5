/** The price of an auction, found by a walk over the levels that cross. Exact, and not for hot paths. */
import { BUY, SELL, type Indication, type Side } from './types.ts';

/** What is looked at of a book. */
export interface CrossingBook {
  /** 0 before the first trade. */
  readonly lastTradeTicks: number;
  /** 0 for an empty side. */
  bestTicks(side: Side): number;
  /** The levels of a side, best first, each with its first order, until `visit` gives false. */
  eachLevel(side: Side, visit: (priceTicks: number, first: number) => boolean): void;
  /** The next order of a level; 0 at its end. */
  next(order: number): number;
  /** Hidden lots included. */
  remainingLots(order: number): number;
}

const NOTHING: Indication = { priceTicks: 0, quantityLots: 0n, imbalanceLots: 0n };

interface CrossingLevel {
  readonly priceTicks: number;
  readonly lots: bigint;
}

/** What an auction would do now: docs/matching.md has the rules by which a price is chosen. */
export function indicate(book: CrossingBook): Indication {
  const bestBid = book.bestTicks(BUY);
  const bestAsk = book.bestTicks(SELL);
  if (bestAsk === 0 || bestBid < bestAsk) return NOTHING;
  // Elsewhere one side is empty.
  const bids = crossingLevels(book, BUY, bestAsk).toReversed();
  const asks = crossingLevels(book, SELL, bestBid);
  const prices = [...new Set([...bids, ...asks].map(({ priceTicks }) => priceTicks))].sort((a, b) => a - b);
  let buying = bids.reduce((sum, { lots }) => sum + lots, 0n);
  let selling = 0n;
  let bid = 0;
  let ask = 0;
  let best = NOTHING;
  for (const priceTicks of prices) {
    for (let level = asks[ask]; level !== undefined && level.priceTicks <= priceTicks; level = asks[ask]) {
      selling += level.lots;
      ask += 1;
    }
    for (let level = bids[bid]; level !== undefined && level.priceTicks < priceTicks; level = bids[bid]) {
      buying -= level.lots;
      bid += 1;
    }
    const quantityLots = buying < selling ? buying : selling;
    const candidate = { priceTicks, quantityLots, imbalanceLots: buying - selling };
    if (isBetter(candidate, best, book.lastTradeTicks)) best = candidate;
  }
  return best;
}

/** The levels of a side up to `limitTicks`, best first, with everything there, hidden lots included. */
function crossingLevels(book: CrossingBook, side: Side, limitTicks: number): CrossingLevel[] {
  const levels: CrossingLevel[] = [];
  book.eachLevel(side, (priceTicks, first) => {
    if (side === BUY ? priceTicks < limitTicks : priceTicks > limitTicks) return false;
    let lots = 0n;
    for (let order = first; order !== 0; order = book.next(order)) lots += BigInt(book.remainingLots(order));
    levels.push({ priceTicks, lots });
    return true;
  });
  return levels;
}

/** Whether a price is better than the best so far, all of which are lower. */
function isBetter(candidate: Indication, best: Indication, lastTradeTicks: number): boolean {
  if (candidate.quantityLots !== best.quantityLots) return candidate.quantityLots > best.quantityLots;
  const imbalance = magnitude(candidate.imbalanceLots);
  const bestImbalance = magnitude(best.imbalanceLots);
  if (imbalance !== bestImbalance) return imbalance < bestImbalance;
  return Math.abs(candidate.priceTicks - lastTradeTicks) < Math.abs(best.priceTicks - lastTradeTicks);
}

function magnitude(lots: bigint): bigint {
  return lots < 0n ? -lots : lots;
}
