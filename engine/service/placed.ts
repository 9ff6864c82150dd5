/** What an order looks like after its command, worked out from the command's events: what its first answer shows. */
import { BUY, FILLED, OPEN, PENDING, NO_REASON, SELL, type NewOrder, type OrderStatus, type Reason } from '../core/types.ts';
import type { FillRecord, OrderRecord } from '../views/types.ts';
import { FILL_EVENT, ORDER_EVENT, TRIGGERED_EVENT, type EventBuffer } from './event-buffer.ts';

/** Fills in one answer, at most; the others are read from the views. */
export const MOST_ANSWERED_FILLS = 1000;

/** An order with the fills of one command: the first {@link MOST_ANSWERED_FILLS} of them, and how many there were. */
export interface Placed {
  readonly order: OrderRecord;
  /** The quantity that was sent: more than the order's own when self-trade prevention took of it at once. */
  readonly sentLots: number;
  readonly fills: readonly FillRecord[];
  readonly fillCount: number;
  /** true when the same client order id had been accepted before: this is its first answer again. */
  readonly repeated: boolean;
}

/** The order that the last command has placed. */
export function placedOf(
  events: EventBuffer,
  sequence: number,
  timestampMicros: number,
  order: NewOrder,
  clientOrderId: string | null,
): Placed {
  let filledLots = 0;
  let remainingLots = order.quantityLots;
  let status: OrderStatus = OPEN;
  let reason: Reason = NO_REASON;
  for (let index = 0; index < events.count; index += 1) {
    switch (events.kind(index)) {
      case FILL_EVENT: {
        const maker = events.value(index, 1) === sequence;
        if (!maker && events.value(index, 2) !== sequence) break;
        filledLots += events.value(index, 4);
        remainingLots = events.value(index, maker ? 5 : 6);
        if (remainingLots === 0) {
          status = FILLED;
          reason = NO_REASON;
        }
        break;
      }
      case ORDER_EVENT:
        if (events.value(index, 0) !== sequence) break;
        remainingLots = events.value(index, 1);
        status = events.value(index, 2) as OrderStatus;
        reason = events.value(index, 3) as Reason;
        break;
      case TRIGGERED_EVENT:
        if (events.value(index, 0) === sequence && status === PENDING) status = OPEN;
        break;
      default:
    }
  }
  const { fills, fillCount } = fillsOf(events, sequence, timestampMicros, sequence, order.side);
  return {
    order: {
      id: sequence,
      instrument: order.instrument,
      account: order.account,
      side: order.side,
      type: order.type,
      timeInForce: order.timeInForce,
      postOnly: order.postOnly === true ? 1 : 0,
      selfTrade: order.selfTrade ?? 0,
      priceTicks: order.priceTicks,
      stopTicks: order.stopTicks ?? 0,
      displayLots: order.displayLots ?? 0,
      expiryMicros: order.expiryMicros ?? 0,
      quantityLots: filledLots + remainingLots,
      filledLots,
      remainingLots,
      status,
      reason,
      clientOrderId,
      createdAtMicros: timestampMicros,
      updatedAtMicros: timestampMicros,
    },
    sentLots: order.quantityLots,
    fills,
    fillCount,
    repeated: false,
  };
}

/** The fills of the last command in which order `id` took part. Their index counts all fills of the command. */
export function fillsOf(
  events: EventBuffer,
  sequence: number,
  timestampMicros: number,
  id: number,
  side: NewOrder['side'],
): { fills: FillRecord[]; fillCount: number } {
  const fills: FillRecord[] = [];
  let fillCount = 0;
  let fillIndex = -1;
  for (let index = 0; index < events.count; index += 1) {
    if (events.kind(index) !== FILL_EVENT) continue;
    fillIndex += 1;
    const makerOrderId = events.value(index, 1);
    const takerOrderId = events.value(index, 2);
    if (makerOrderId !== id && takerOrderId !== id) continue;
    fillCount += 1;
    if (fillCount > MOST_ANSWERED_FILLS) continue;
    fills.push({
      sequence,
      index: fillIndex,
      instrument: events.value(index, 0),
      priceTicks: events.value(index, 3),
      quantityLots: events.value(index, 4),
      makerOrderId,
      takerOrderId,
      takerSide: takerOrderId === id ? side : side === BUY ? SELL : BUY,
      timestampMicros,
    });
  }
  return { fills, fillCount };
}
