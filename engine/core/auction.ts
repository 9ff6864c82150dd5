/** An auction: all who cross its price trade at it, first with first. */
import { indicate } from './auction-price.ts';
import type { OrderBook } from './book.ts';
import type { Holdings } from './holdings.ts';
import { BUY, FILLED, NO_REASON, SELL, type EventSink } from './types.ts';

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
