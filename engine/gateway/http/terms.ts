/** Decimal strings and names outside, integers inside: the orders of requests. */
import {
  ALLOW,
  BUY,
  CANCEL_BOTH,
  CANCEL_NEWEST,
  CANCEL_OLDEST,
  DAY,
  DECREMENT,
  FOK,
  GTC,
  GTD,
  IOC,
  LIMIT,
  MARKET,
  SELL,
  STOP,
  STOP_LIMIT,
} from '../../core/types.ts';
import { OFF_STEP, TOO_LARGE } from '../../core/decimal.ts';
import type { PlaceOrderBody, ReplaceOrderBody } from '../../client/schemas.ts';
import type { Instrument } from '../../service/instruments.ts';
import type { OrderTerms, ReplaceTerms } from '../../service/order-desk.ts';
import { Problem } from '../../service/problem.ts';
import type { OrderRecord } from '../../views/types.ts';

const TYPES = { limit: LIMIT, market: MARKET, stop: STOP, 'stop-limit': STOP_LIMIT } as const;
const TIMES_IN_FORCE = { GTC, IOC, FOK, GTD, DAY } as const;
const SELF_TRADE_MODES = {
  none: ALLOW,
  'cancel-newest': CANCEL_NEWEST,
  'cancel-oldest': CANCEL_OLDEST,
  'cancel-both': CANCEL_BOTH,
  decrement: DECREMENT,
} as const;

/** Of every type of order the fields that it has; undefined for those that it has not. */
interface AnyTerms {
  readonly quantity: string;
  readonly price?: string | undefined;
  readonly stopPrice?: string | undefined;
  readonly displayQuantity?: string | undefined;
  readonly expiresAt?: string | undefined;
  readonly postOnly?: boolean;
}

/** The order of a request in integers. Throws Problem when a price or quantity does not fit the instrument's steps. */
export function termsOf(body: PlaceOrderBody, instrument: Instrument, session: number): OrderTerms {
  const any: AnyTerms = body;
  return {
    instrument: instrument.id,
    side: body.side === 'buy' ? BUY : SELL,
    type: TYPES[body.type],
    timeInForce: TIMES_IN_FORCE[body.timeInForce],
    priceTicks: ticksOf('price', any.price, instrument),
    quantityLots: lotsOf('quantity', body.quantity, instrument),
    stopTicks: ticksOf('stopPrice', any.stopPrice, instrument),
    displayLots: lotsOf('displayQuantity', any.displayQuantity, instrument),
    expiryMicros: microsOf(any.expiresAt),
    postOnly: any.postOnly === true,
    selfTrade: SELF_TRADE_MODES[body.selfTradePrevention],
    session,
  };
}

/** What a replacement changes of `order`. Its quantity is the new total: what is filled by now counts. Throws Problem. */
export function replaceTermsOf(body: ReplaceOrderBody, order: OrderRecord, instrument: Instrument): ReplaceTerms {
  const totalLots = lotsOf('quantity', body.quantity, instrument);
  if (totalLots !== 0 && totalLots <= order.filledLots) {
    throw new Problem(
      'HFT_QUANTITY_FILLED',
      `quantity ${body.quantity ?? ''} is not more than the ${instrument.lot.format(order.filledLots)} that are filled already: cancel the rest instead`,
      { field: 'quantity' },
    );
  }
  return {
    priceTicks: ticksOf('price', body.price, instrument),
    quantityLots: totalLots === 0 ? 0 : totalLots - order.filledLots,
    stopTicks: ticksOf('stopPrice', body.stopPrice, instrument),
    // A fill between the look and the change would make the total another one.
    expectedLots: totalLots === 0 ? 0 : order.remainingLots,
  };
}

/** The first field in which `body` asks for another order than `order` was at first; undefined when it asks for the same. */
export function differingField(body: PlaceOrderBody, order: OrderRecord, { symbol, tick, lot }: Instrument): string | undefined {
  const any: AnyTerms = body;
  if (body.symbol !== symbol) return 'symbol';
  if ((body.side === 'buy' ? BUY : SELL) !== order.side) return 'side';
  if (TYPES[body.type] !== order.type) return 'type';
  if ((any.price === undefined ? 0 : tick.parse(any.price)) !== order.priceTicks) return 'price';
  if ((any.stopPrice === undefined ? 0 : tick.parse(any.stopPrice)) !== order.stopTicks) return 'stopPrice';
  if (lot.parse(body.quantity) !== order.quantityLots) return 'quantity';
  if ((any.displayQuantity === undefined ? 0 : lot.parse(any.displayQuantity)) !== order.displayLots) return 'displayQuantity';
  if (TIMES_IN_FORCE[body.timeInForce] !== order.timeInForce) return 'timeInForce';
  if (microsOf(any.expiresAt) !== order.expiryMicros) return 'expiresAt';
  if ((any.postOnly === true ? 1 : 0) !== order.postOnly) return 'postOnly';
  return SELF_TRADE_MODES[body.selfTradePrevention] === order.selfTrade ? undefined : 'selfTradePrevention';
}

function ticksOf(field: string, text: string | undefined, { tick }: Instrument): number {
  if (text === undefined) return 0;
  const ticks = tick.parse(text);
  if (ticks === OFF_STEP)
    throw new Problem('HFT_PRICE_OFF_TICK', `${field} must be a whole number of ticks of ${tick.text}, found "${text}"`, { field });
  if (ticks === TOO_LARGE) throw new Problem('HFT_PRICE_TOO_LARGE', `${field} "${text}" is larger than can be counted in ticks`, { field });
  return ticks;
}

function lotsOf(field: string, text: string | undefined, { lot }: Instrument): number {
  if (text === undefined) return 0;
  const lots = lot.parse(text);
  if (lots === OFF_STEP)
    throw new Problem('HFT_QUANTITY_OFF_LOT', `${field} must be a whole number of lots of ${lot.text}, found "${text}"`, { field });
  if (lots === TOO_LARGE)
    throw new Problem('HFT_QUANTITY_TOO_LARGE', `${field} "${text}" is larger than can be counted in lots`, { field });
  return lots;
}

function microsOf(time: string | undefined): number {
  return time === undefined ? 0 : Date.parse(time) * 1000;
}
