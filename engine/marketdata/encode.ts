/** From changes to frames. */
import { LAYOUT } from '../client/websocket-layout.ts';
import { BUY, SELL, type BookView, type Side } from '../core/types.ts';
import type { LevelChange, OrderChange } from './levels.ts';
import type { OrderEvent, FillEvent } from './own-orders.ts';
import type { StateChange, Trade } from './touched.ts';
import type { UpdateWriter } from './update.ts';

const {
  top: TOP,
  book: BOOK,
  level: LEVEL,
  bookOrder: BOOK_ORDER,
  trade: TRADE,
  state: STATE,
  fill: FILL,
  orderUpdate: ORDER_UPDATE,
  account: ACCOUNT,
} = LAYOUT;

/** Where an update belongs. */
export interface Place {
  readonly number: number;
  readonly sequence: number;
  readonly instrument: number;
}

/** Best prices as they were told last. */
export class Top {
  readonly #ticks = [0, 0];
  readonly #lots = [0, 0];
  #state = -1;

  /** Takes what the book is now; gives whether anything is other than before. */
  look(book: BookView): boolean {
    let isOther = book.state !== this.#state;
    this.#state = book.state;
    for (const side of [BUY, SELL] as const) {
      const [best] = book.depth(side, 1);
      const ticks = best?.priceTicks ?? 0;
      const lots = Number(best?.quantityLots ?? 0n);
      isOther ||= this.#ticks[side] !== ticks || this.#lots[side] !== lots;
      this.#ticks[side] = ticks;
      this.#lots[side] = lots;
    }
    return isOther;
  }

  write(out: UpdateWriter, { number, sequence, instrument }: Place): void {
    const at = out.begin(TOP.type, TOP.bytes, 0, number);
    out.u64(at + TOP.at.sequence, sequence);
    out.u64(at + TOP.at.bidTicks, this.#ticks[BUY] as number);
    out.u64(at + TOP.at.bidLots, this.#lots[BUY] as number);
    out.u64(at + TOP.at.askTicks, this.#ticks[SELL] as number);
    out.u64(at + TOP.at.askLots, this.#lots[SELL] as number);
    out.u16(at + TOP.at.instrument, instrument);
    out.u8(at + TOP.at.state, this.#state);
  }
}

export function writeBook(out: UpdateWriter, place: Place, state: number, levels: readonly LevelChange[], isSnapshot: boolean): void {
  const { number, sequence, instrument } = place;
  const at = out.begin(BOOK.type, BOOK.bytes, isSnapshot ? BOOK.bit.snapshot : 0, number);
  out.u64(at + BOOK.at.sequence, sequence);
  out.u32(at + BOOK.at.levels, levels.length);
  out.u16(at + BOOK.at.instrument, instrument);
  out.u8(at + BOOK.at.state, state);
  for (const { side, priceTicks, quantityLots, orders } of levels) {
    const level = out.begin(LEVEL.type, LEVEL.bytes, 0, number);
    out.u64(level + LEVEL.at.priceTicks, priceTicks);
    out.u64(level + LEVEL.at.quantityLots, Number(quantityLots));
    out.u32(level + LEVEL.at.orders, orders);
    out.u16(level + LEVEL.at.instrument, instrument);
    out.u8(level + LEVEL.at.side, side);
  }
}

export function writeBookOrder(out: UpdateWriter, place: Place, order: Omit<OrderChange, 'rank'>, flags = 0): void {
  const at = out.begin(BOOK_ORDER.type, BOOK_ORDER.bytes, flags, place.number);
  out.u64(at + BOOK_ORDER.at.orderId, order.orderId);
  out.u64(at + BOOK_ORDER.at.sequence, place.sequence);
  out.u64(at + BOOK_ORDER.at.priceTicks, order.priceTicks);
  out.u64(at + BOOK_ORDER.at.quantityLots, order.quantityLots);
  out.u16(at + BOOK_ORDER.at.instrument, place.instrument);
  out.u8(at + BOOK_ORDER.at.side, order.side);
}

/** The orders of a book as a snapshot. The first frame says that it is one; of an empty book it is an order that is none. */
export function writeBookOrders(out: UpdateWriter, place: Place, orders: Iterable<OrderChange>): void {
  const { snapshot, first } = BOOK_ORDER.bit;
  const none = { side: BUY as Side, priceTicks: 0, orderId: 0, quantityLots: 0 };
  writeBookOrder(out, place, none, snapshot | first);
  for (const order of orders) writeBookOrder(out, place, order, snapshot);
}

export function writeTrade(out: UpdateWriter, number: number, trade: Trade): void {
  const at = out.begin(TRADE.type, TRADE.bytes, 0, number);
  out.u64(at + TRADE.at.sequence, trade.sequence);
  out.u64(at + TRADE.at.timeMicros, trade.timestampMicros);
  out.u64(at + TRADE.at.priceTicks, trade.priceTicks);
  out.u64(at + TRADE.at.quantityLots, trade.quantityLots);
  out.u64(at + TRADE.at.makerOrderId, trade.makerOrderId);
  out.u64(at + TRADE.at.takerOrderId, trade.takerOrderId);
  out.u32(at + TRADE.at.index, trade.index);
  out.u16(at + TRADE.at.instrument, trade.instrument);
  out.u8(at + TRADE.at.takerSide, trade.takerSide);
}

export function writeState(out: UpdateWriter, number: number, change: StateChange): void {
  const at = out.begin(STATE.type, STATE.bytes, 0, number);
  out.u64(at + STATE.at.sequence, change.sequence);
  out.u64(at + STATE.at.untilMicros, change.untilMicros);
  out.u64(at + STATE.at.auctionTicks, change.auctionTicks);
  out.u16(at + STATE.at.instrument, change.instrument);
  out.u8(at + STATE.at.state, change.state);
}

export function writeFill(out: UpdateWriter, number: number, fill: FillEvent): void {
  const at = out.begin(FILL.type, FILL.bytes, fill.taker ? FILL.bit.taker : 0, number);
  out.u64(at + FILL.at.orderId, fill.orderId);
  out.u64(at + FILL.at.sequence, fill.sequence);
  out.u64(at + FILL.at.priceTicks, fill.priceTicks);
  out.u64(at + FILL.at.quantityLots, fill.quantityLots);
  out.u64(at + FILL.at.remainingLots, fill.remainingLots);
  out.u64(at + FILL.at.timeMicros, fill.timeMicros);
  out.u32(at + FILL.at.index, fill.index);
  out.u16(at + FILL.at.instrument, fill.instrument);
}

/** `account`: its handle. */
export function writeOrder(
  out: UpdateWriter,
  number: number,
  order: Omit<OrderEvent, 'event'>,
  account: number,
  isSnapshot: boolean,
): void {
  const at = out.begin(ORDER_UPDATE.type, ORDER_UPDATE.bytes, isSnapshot ? ORDER_UPDATE.bit.snapshot : 0, number);
  out.u64(at + ORDER_UPDATE.at.orderId, order.orderId);
  out.u64(at + ORDER_UPDATE.at.sequence, order.sequence);
  out.u64(at + ORDER_UPDATE.at.timeMicros, order.timeMicros);
  out.u32(at + ORDER_UPDATE.at.clientOrderId, parseInt(order.clientOrderId.slice(8), 16));
  out.u32(at + ORDER_UPDATE.at.clientOrderId + 4, parseInt(order.clientOrderId.slice(0, 8), 16));
  out.u64(at + ORDER_UPDATE.at.priceTicks, order.priceTicks);
  out.u64(at + ORDER_UPDATE.at.stopTicks, order.stopTicks);
  out.u64(at + ORDER_UPDATE.at.remainingLots, order.remainingLots);
  out.u16(at + ORDER_UPDATE.at.account, account);
  out.u16(at + ORDER_UPDATE.at.instrument, order.instrument);
  out.u8(at + ORDER_UPDATE.at.side, order.side);
  out.u8(at + ORDER_UPDATE.at.orderType, order.orderType);
  out.u8(at + ORDER_UPDATE.at.status, order.status);
  out.u8(at + ORDER_UPDATE.at.reason, order.reason);
}

/** The handle of an account and its name, which is ASCII. */
export function writeAccount(out: UpdateWriter, number: number, account: number, name: string): void {
  const at = out.begin(ACCOUNT.type, ACCOUNT.bytes, 0, number);
  out.u16(at + ACCOUNT.at.account, account);
  out.buffer.write(name, at + ACCOUNT.at.name, 32, 'latin1');
}
