/** Integers inside, decimal strings outside. */
import {
  BUY,
  CANCELLED,
  FILLED,
  FOK,
  GTC,
  IOC,
  LIMIT,
  MARKET,
  OPEN,
  SELL,
  type Level,
  type OrderStatus,
  type TimeInForce,
} from '../../core/types.ts';
import { OFF_STEP, TOO_LARGE } from '../../core/decimal.ts';
import type { FillRecord, OrderRecord } from '../../journal/types.ts';
import type { Instrument } from '../../service/instruments.ts';
import { Problem } from '../../service/problem.ts';
import type { OrderTerms } from '../../service/sequencer.ts';
import type { FillView, OrderView, PlaceOrderBody } from '../../client/schemas.ts';

const TIME_IN_FORCE: Readonly<Record<OrderView['timeInForce'], TimeInForce>> = { GTC, IOC, FOK };
const TIME_IN_FORCE_NAME: Readonly<Record<TimeInForce, OrderView['timeInForce']>> = { [GTC]: 'GTC', [IOC]: 'IOC', [FOK]: 'FOK' };

/** The order of a request in integers. Throws Problem when a price or quantity does not fit the instrument's steps. */
export function termsOf(body: PlaceOrderBody, instrument: Instrument): OrderTerms {
  let priceTicks = 0;
  if (body.type === 'limit') {
    priceTicks = instrument.tick.parse(body.price);
    if (priceTicks === OFF_STEP) {
      throw new Problem('HFT_PRICE_OFF_TICK', `price must be a whole number of ticks of ${instrument.tick.text}, found "${body.price}"`, {
        field: 'price',
      });
    }
    if (priceTicks === TOO_LARGE)
      throw new Problem('HFT_PRICE_TOO_LARGE', `price "${body.price}" is larger than can be counted in ticks`, { field: 'price' });
  }
  const quantityLots = instrument.lot.parse(body.quantity);
  if (quantityLots === OFF_STEP) {
    throw new Problem(
      'HFT_QUANTITY_OFF_LOT',
      `quantity must be a whole number of lots of ${instrument.lot.text}, found "${body.quantity}"`,
      { field: 'quantity' },
    );
  }
  if (quantityLots === TOO_LARGE) {
    throw new Problem('HFT_QUANTITY_TOO_LARGE', `quantity "${body.quantity}" is larger than can be counted in lots`, { field: 'quantity' });
  }
  return {
    instrument: instrument.id,
    side: body.side === 'buy' ? BUY : SELL,
    type: body.type === 'limit' ? LIMIT : MARKET,
    timeInForce: TIME_IN_FORCE[body.timeInForce],
    priceTicks,
    quantityLots,
  };
}

/** The first field in which `body` asks for another order than `order`; undefined when it asks for the same. */
export function differingField(body: PlaceOrderBody, order: OrderRecord, { symbol, tick, lot }: Instrument): string | undefined {
  if (body.symbol !== symbol) return 'symbol';
  if ((body.side === 'buy' ? BUY : SELL) !== order.side) return 'side';
  if ((body.type === 'limit' ? LIMIT : MARKET) !== order.type) return 'type';
  if (body.type === 'limit' && tick.parse(body.price) !== order.priceTicks) return 'price';
  if (lot.parse(body.quantity) !== order.quantityLots) return 'quantity';
  return TIME_IN_FORCE[body.timeInForce] === order.timeInForce ? undefined : 'timeInForce';
}

const STATUS: Readonly<Record<OrderStatus, OrderView['status']>> = { [OPEN]: 'open', [FILLED]: 'filled', [CANCELLED]: 'cancelled' };

export function orderView(order: OrderRecord, instrument: Instrument, account: string): OrderView {
  const { lot, tick } = instrument;
  return {
    id: String(order.id),
    sequence: order.id,
    symbol: instrument.symbol,
    account,
    side: order.side === BUY ? 'buy' : 'sell',
    type: order.type === MARKET ? 'market' : 'limit',
    timeInForce: TIME_IN_FORCE_NAME[order.timeInForce],
    ...(order.type === LIMIT && { price: tick.format(order.priceTicks) }),
    quantity: lot.format(order.quantityLots),
    filledQuantity: lot.format(order.quantityLots - order.remainingLots),
    remainingQuantity: lot.format(order.remainingLots),
    status: STATUS[order.status],
    ...(order.clientOrderId !== null && { clientOrderId: order.clientOrderId }),
    createdAt: new Date(order.createdAtMicros / 1000).toISOString(),
  };
}

export function fillView(fill: FillRecord, instrument: Instrument): FillView {
  return {
    sequence: fill.sequence,
    index: fill.index,
    symbol: instrument.symbol,
    price: instrument.tick.format(fill.priceTicks),
    quantity: instrument.lot.format(fill.quantityLots),
    makerOrderId: String(fill.makerOrderId),
    takerOrderId: String(fill.takerOrderId),
  };
}

export function levelView(level: Level, instrument: Instrument): { price: string; quantity: string; orders: number } {
  return { price: instrument.tick.format(level.priceTicks), quantity: instrument.lot.format(level.quantityLots), orders: level.orders };
}
