/** Market data as people read it: decimals as text, from the frames that both transports are made of. */
import type { BookView, InstrumentView, OrderView } from './schemas.ts';
import { timeText, type Units } from './units.ts';
import type { AnyFrame, FrameOf } from './websocket-codec.ts';

type Side = 'buy' | 'sell';
interface Of {
  readonly symbol: string;
  /** Last sequence that it tells of. */
  readonly sequence: number;
}
interface Price {
  readonly price: string;
  readonly quantity: string;
}

export type MarketEvent =
  /** How the best prices are. */
  | (Of & { readonly type: 'top'; readonly state: BookView['state']; readonly bid: Price | null; readonly ask: Price | null })
  /** Levels as they are from now on; quantity "0": the level is gone. With `snapshot` they are all there are. */
  | (Of & {
      readonly type: 'book';
      readonly state: BookView['state'];
      readonly snapshot: boolean;
      readonly levels: readonly (Price & { readonly side: Side; readonly orders: number })[];
    })
  /** An order of the book as it is from now on; quantity "0": it is gone. `first`: forget what was known of the instrument. */
  | (Of &
      Price & {
        readonly type: 'order';
        readonly orderId: string;
        readonly side: Side;
        readonly snapshot: boolean;
        readonly first: boolean;
      })
  /** `takerSide` is null of an auction. */
  | (Of &
      Price & {
        readonly type: 'trade';
        readonly index: number;
        readonly makerOrderId: string;
        readonly takerOrderId: string;
        readonly takerSide: Side | null;
        readonly executedAt: string;
      })
  | (Of & { readonly type: 'state'; readonly state: InstrumentView['state']; readonly until?: string; readonly auctionPrice?: string })
  /** A fill of an order of the account. */
  | (Of &
      Price & {
        readonly type: 'fill';
        readonly index: number;
        readonly orderId: string;
        readonly role: 'maker' | 'taker';
        readonly remainingQuantity: string;
        readonly executedAt: string;
      })
  /** An order of the account is now so. `snapshot`: one of those that were open when the stream began. */
  | (Of & {
      readonly type: 'orderUpdate';
      readonly orderId: string;
      readonly account: string;
      readonly clientOrderId?: string;
      readonly side: Side;
      readonly orderType: OrderView['type'];
      readonly price?: string;
      readonly stopPrice?: string;
      readonly remainingQuantity: string;
      readonly status: OrderView['status'];
      readonly reason?: OrderView['reason'];
      readonly snapshot: boolean;
      readonly updatedAt: string;
    })
  /** What lies between the sequences was missed; how things are follows. */
  | (Of & { readonly type: 'gap'; readonly fromSequence: number });

export interface EventNames {
  readonly unitsOf: (instrument: number) => Units | undefined;
  readonly accountOf: (handle: number) => string;
}

const ALL_OF_THEM = 65_535;

/** The event that begins at `index`; undefined for frames that are none by themselves. */
export function eventOf(frames: readonly AnyFrame[], index: number, names: EventNames): MarketEvent | undefined {
  const frame = frames[index];
  if (frame === undefined || !('instrument' in frame) || !('sequence' in frame || frame.frame === 'gap')) return undefined;
  const units = names.unitsOf(frame.instrument);
  if (frame.frame === 'gap') {
    const symbol = frame.instrument === ALL_OF_THEM ? '' : (units?.symbol ?? '');
    return { type: 'gap', symbol, fromSequence: frame.fromSequence, sequence: frame.toSequence };
  }
  if (units === undefined) return undefined;
  const of = { symbol: units.symbol, sequence: frame.sequence };
  switch (frame.frame) {
    case 'top': {
      const state = frame.state as BookView['state'];
      return {
        type: 'top',
        ...of,
        state,
        bid: priceOf(units, frame.bidTicks, frame.bidLots),
        ask: priceOf(units, frame.askTicks, frame.askLots),
      };
    }
    case 'book':
      return bookEvent(frames, index, frame, units);
    case 'bookOrder': {
      const { orderId, side, snapshot = false, first = false } = frame;
      return { type: 'order', ...of, orderId: String(orderId), side: side as Side, snapshot, first, ...priceAt(units, frame) };
    }
    case 'trade':
      return {
        type: 'trade',
        ...of,
        ...priceAt(units, frame),
        index: frame.index,
        makerOrderId: String(frame.makerOrderId),
        takerOrderId: String(frame.takerOrderId),
        takerSide: frame.takerSide === 'none' ? null : (frame.takerSide as Side),
        executedAt: timeText(frame.timeMicros),
      };
    case 'state':
      return {
        type: 'state',
        ...of,
        state: frame.state as InstrumentView['state'],
        ...(frame.untilMicros > 0 && { until: timeText(frame.untilMicros) }),
        ...(frame.auctionTicks > 0 && { auctionPrice: units.tick.format(frame.auctionTicks) }),
      };
    case 'fill':
      return {
        type: 'fill',
        ...of,
        ...priceAt(units, frame),
        index: frame.index,
        orderId: String(frame.orderId),
        role: frame.taker === true ? 'taker' : 'maker',
        remainingQuantity: units.lot.format(frame.remainingLots),
        executedAt: timeText(frame.timeMicros),
      };
    case 'orderUpdate':
      return orderEvent(frame, units, names.accountOf(frame.account));
    default:
      return undefined;
  }
}

function bookEvent(frames: readonly AnyFrame[], index: number, frame: FrameOf<'book'>, units: Units): MarketEvent {
  const levels: (Price & { side: Side; orders: number })[] = [];
  for (let at = index + 1; at <= index + frame.levels; at += 1) {
    const level = frames[at];
    if (level?.frame === 'level') levels.push({ side: level.side as Side, orders: level.orders, ...priceAt(units, level) });
  }
  const { sequence, snapshot = false } = frame;
  return { type: 'book', symbol: units.symbol, sequence, state: frame.state as BookView['state'], snapshot, levels };
}

function orderEvent(frame: FrameOf<'orderUpdate'>, { symbol, tick, lot }: Units, account: string): MarketEvent {
  const { sequence, snapshot = false } = frame;
  return {
    type: 'orderUpdate',
    symbol,
    sequence,
    orderId: String(frame.orderId),
    account,
    ...(/[^0]/.test(frame.clientOrderId) && { clientOrderId: frame.clientOrderId }),
    side: frame.side as Side,
    orderType: frame.orderType as OrderView['type'],
    ...(frame.priceTicks > 0 && { price: tick.format(frame.priceTicks) }),
    ...(frame.stopTicks > 0 && { stopPrice: tick.format(frame.stopTicks) }),
    remainingQuantity: lot.format(frame.remainingLots),
    status: frame.status as OrderView['status'],
    ...(frame.reason !== 'none' && { reason: frame.reason as NonNullable<OrderView['reason']> }),
    snapshot,
    updatedAt: timeText(frame.timeMicros),
  };
}

function priceAt({ tick, lot }: Units, { priceTicks, quantityLots }: { priceTicks: number; quantityLots: number }): Price {
  return { price: tick.format(priceTicks), quantity: lot.format(quantityLots) };
}

function priceOf(units: Units, priceTicks: number, quantityLots: number): Price | null {
  return priceTicks === 0 ? null : priceAt(units, { priceTicks, quantityLots });
}
