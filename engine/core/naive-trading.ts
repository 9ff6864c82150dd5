/** The naive model's trading: what an order does once nothing is against it, and what instruments do as their states change. */
import { auctionOf } from './naive-auction.ts';
import {
  canRest,
  changePosition,
  isAtOrBetter,
  isOutside,
  isReached,
  ordersOf,
  remove,
  rest,
  restingOrders,
  take,
  byId,
  type NaiveInstrument,
  type NaiveOrder,
  type NaiveState,
} from './naive-state.ts';
import {
  ALLOW,
  BUY,
  CANCEL_BOTH,
  CANCEL_NEWEST,
  CANCEL_OLDEST,
  CANCELLED,
  CLOSED,
  DAY,
  DAY_END,
  FILLED,
  HALTED,
  IMMEDIATE,
  INTERRUPTED,
  IOC,
  LIMIT,
  MARKET,
  NO_REASON,
  OPEN,
  SELF_TRADE,
  SELL,
  STOP,
  TRADING,
  type EventSink,
  type Reason,
  type TradingState,
} from './types.ts';

export class NaiveTrading {
  readonly #state: NaiveState;

  constructor(state: NaiveState) {
    this.#state = state;
  }

  /** Cancels orders in the given order. */
  cancel(orders: readonly NaiveOrder[], reason: Reason, sink: EventSink): void {
    for (const order of orders) {
      remove(this.#state.instruments[order.instrument] as NaiveInstrument, order);
      sink.order(order.id, order.lots, CANCELLED, reason);
    }
  }

  moveTo(at: NaiveInstrument, to: TradingState, untilMicros: number, sink: EventSink): void {
    const auctionTicks = to === TRADING ? this.#auction(at, sink) : 0;
    at.state = to;
    at.untilMicros = untilMicros;
    sink.state(at.index, to, auctionTicks, untilMicros);
    if (to === CLOSED) {
      const ofTheDay = byId(ordersOf(at)).filter(({ timeInForce }) => timeInForce === DAY);
      this.cancel(ofTheDay, DAY_END, sink);
    }
    this.runStops(at, sink);
  }

  /** Trades what an auction trades; gives its price, 0 for none. */
  #auction(at: NaiveInstrument, sink: EventSink): number {
    const { priceTicks, quantityLots } = auctionOf(at);
    let left = quantityLots;
    while (left > 0n) {
      const [buy, sell] = [at.bids[0] as NaiveOrder, at.asks[0] as NaiveOrder];
      const [maker, taker] = buy.id < sell.id ? [buy, sell] : [sell, buy];
      const lots = Math.min(buy.shownLots, sell.shownLots);
      left -= BigInt(lots);
      take(at, buy, lots);
      take(at, sell, lots);
      this.#fill(at, maker, taker, priceTicks, lots, sink);
      if (taker.lots === 0) sink.order(taker.id, 0, FILLED, NO_REASON);
    }
    if (priceTicks > 0) Object.assign(at, { referenceTicks: priceTicks, referenceMicros: this.#state.timestampMicros });
    return priceTicks;
  }

  /** What follows a trade, whose lots both orders have lost already. */
  #fill(at: NaiveInstrument, maker: NaiveOrder, taker: NaiveOrder, priceTicks: number, lots: number, sink: EventSink): void {
    const state = this.#state;
    at.lastTradeTicks = priceTicks;
    if (at.referenceTicks === 0) Object.assign(at, { referenceTicks: priceTicks, referenceMicros: state.timestampMicros });
    for (const { account, side } of [maker, taker]) changePosition(state, at.index, account, side, lots, priceTicks);
    sink.fill(at.index, maker.id, taker.id, priceTicks, lots, maker.lots, taker.lots);
  }

  /** Moves the volatility reference when its window is over. */
  renewReference(at: NaiveInstrument): void {
    const now = this.#state.timestampMicros;
    if (at.state !== TRADING || at.lastTradeTicks === 0 || at.windowMicros === 0) return;
    if (now >= at.referenceMicros + at.windowMicros) Object.assign(at, { referenceTicks: at.lastTradeTicks, referenceMicros: now });
  }

  trigger(at: NaiveInstrument, order: NaiveOrder, sink: EventSink): void {
    sink.triggered(order.id);
    if (order.type === STOP) Object.assign(order, { type: MARKET, timeInForce: IOC });
    else order.type = LIMIT;
    order.stopTicks = 0;
    this.arrive(at, order, sink);
  }

  /** Triggers stops as long as one is reached. */
  runStops(at: NaiveInstrument, sink: EventSink): void {
    while (at.state === TRADING) {
      const order = [at.buyStops[0], at.sellStops[0]].find((first) => first !== undefined && isReached(at, first));
      if (order === undefined) return;
      remove(at, order);
      this.trigger(at, order, sink);
    }
  }

  /** What an order that is in no list does: it trades where that is possible, and rests where it may. */
  arrive(at: NaiveInstrument, order: NaiveOrder, sink: EventSink): void {
    const ended = at.state === TRADING ? this.#trade(at, order, sink) : NO_REASON;
    if (ended !== NO_REASON) sink.order(order.id, order.lots, CANCELLED, ended);
    else if (order.lots === 0) sink.order(order.id, 0, FILLED, NO_REASON);
    else if (canRest(order.timeInForce)) {
      rest(at, order);
      sink.order(order.id, order.lots, OPEN, NO_REASON);
    } else sink.order(order.id, order.lots, CANCELLED, IMMEDIATE);
    if (ended === INTERRUPTED) this.moveTo(at, HALTED, this.#state.timestampMicros + at.haltMicros, sink);
  }

  /** Trades a taker for as long as it can; gives the reason when something else ends it. */
  #trade(at: NaiveInstrument, taker: NaiveOrder, sink: EventSink): typeof NO_REASON | typeof INTERRUPTED | typeof SELF_TRADE {
    while (taker.lots > 0) {
      const maker = restingOrders(at, taker.side === BUY ? SELL : BUY)[0];
      if (maker === undefined) break;
      if (taker.type !== MARKET && !isAtOrBetter(taker.side, maker.priceTicks, taker.priceTicks)) break;
      if (at.bandPercent > 0 && at.referenceTicks > 0 && isOutside(maker.priceTicks, at.referenceTicks, at.bandPercent)) return INTERRUPTED;
      const lots = Math.min(taker.lots, maker.shownLots);
      if (maker.account !== taker.account || taker.selfTrade === ALLOW) {
        taker.lots -= lots;
        take(at, maker, lots);
        this.#fill(at, maker, taker, maker.priceTicks, lots, sink);
        continue;
      }
      if (taker.selfTrade === CANCEL_NEWEST) return SELF_TRADE;
      if (taker.selfTrade === CANCEL_OLDEST || taker.selfTrade === CANCEL_BOTH) {
        this.cancel([maker], SELF_TRADE, sink);
        if (taker.selfTrade === CANCEL_BOTH) return SELF_TRADE;
        continue;
      }
      taker.lots -= lots;
      take(at, maker, lots);
      sink.order(maker.id, maker.lots, maker.lots === 0 ? CANCELLED : OPEN, SELF_TRADE);
      if (taker.lots === 0) return SELF_TRADE;
    }
    return NO_REASON;
  }

  /** The lots that a fill-or-kill order counts before it trades. */
  fillableLots(at: NaiveInstrument, taker: NaiveOrder): bigint {
    const makers = restingOrders(at, taker.side === BUY ? SELL : BUY);
    const referenceTicks = at.referenceTicks > 0 ? at.referenceTicks : (makers[0]?.priceTicks ?? 0);
    const counted: NaiveOrder[] = [];
    for (const maker of makers) {
      if (taker.type !== MARKET && !isAtOrBetter(taker.side, maker.priceTicks, taker.priceTicks)) break;
      if (at.bandPercent > 0 && isOutside(maker.priceTicks, referenceTicks, at.bandPercent)) break;
      const own = maker.account === taker.account && taker.selfTrade !== ALLOW;
      if (own && taker.selfTrade !== CANCEL_OLDEST) {
        // What an iceberg of this price hides is behind this order, too.
        const lotsBefore = (order: NaiveOrder): number => (order.priceTicks === maker.priceTicks ? order.shownLots : order.lots);
        return total(counted.map(lotsBefore));
      }
      if (!own) counted.push(maker);
    }
    return total(counted.map(({ lots }) => lots));
  }
}

const total = (lots: readonly number[]): bigint => lots.reduce((sum, of) => sum + BigInt(of), 0n);
