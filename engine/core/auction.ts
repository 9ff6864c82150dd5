/** An auction: one price for all who would trade at it, found and traded by a walk over the levels that cross. Exact, and not for hot paths. */
import type { OrderBook } from './book.ts';
import type { Holdings } from './holdings.ts';
import { BUY, FILLED, NO_REASON, SELL, type EventSink, type Indication, type Side } from './types.ts';

const NOTHING: Indication = { priceTicks: 0, quantityLots: 0n, imbalanceLots: 0n };

interface CrossingLevel {
  readonly priceTicks: number;
  readonly lots: bigint;
}

/** What an auction would do now: docs/matching.md has the rules by which a price is chosen. */
export function indicate(book: OrderBook): Indication {
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

/** Trades what crosses at the auction's price; gives that price, 0 when nothing traded. */
export function tradeAuction(book: OrderBook, holdings: Holdings, nowMicros: number, sink: EventSink): number {
  const { priceTicks } = indicate(book);
  if (priceTicks === 0) return 0;
  book.lastTradeTicks = priceTicks;
  book.band.setReference(priceTicks, nowMicros);
  // At this price one side has exactly the volume: it is used up when that side has nothing left at it.
  while (book.bestTicks(BUY) >= priceTicks) {
    const bestAsk = book.bestTicks(SELL);
    if (bestAsk === 0 || bestAsk > priceTicks) break;
    tradeFirst(book, holdings, priceTicks, sink);
  }
  return priceTicks;
}

/** Trades the first buy with the first sell. */
function tradeFirst(book: OrderBook, holdings: Holdings, priceTicks: number, sink: EventSink): void {
  const buy = book.first(BUY);
  const sell = book.first(SELL);
  const buyIsMaker = book.idOf(buy) < book.idOf(sell);
  const maker = buyIsMaker ? buy : sell;
  const taker = buyIsMaker ? sell : buy;
  const makerSide = buyIsMaker ? BUY : SELL;
  const lots = Math.min(book.shownLots(buy), book.shownLots(sell));
  book.take(buy, lots);
  book.take(sell, lots);
  holdings.trade(book.holdingOf(maker), makerSide, priceTicks, lots);
  holdings.trade(book.holdingOf(taker), makerSide === BUY ? SELL : BUY, priceTicks, lots);
  const takerId = book.idOf(taker);
  const takerLeft = book.remainingLots(taker);
  sink.fill(book.instrument, book.idOf(maker), takerId, priceTicks, lots, book.remainingLots(maker), takerLeft);
  if (takerLeft === 0) sink.order(takerId, 0, FILLED, NO_REASON);
  book.settle(buy);
  book.settle(sell);
}

/** The levels of a side up to `limitTicks`, best first, with everything there, hidden lots included. */
function crossingLevels(book: OrderBook, side: Side, limitTicks: number): CrossingLevel[] {
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
