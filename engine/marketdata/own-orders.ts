/** Single orders, for their owners: what is open, and what commands do to it. Costs an object an open order, so it exists while somebody follows it. */
import { WIDE, type CommandSlots } from '../core/command.ts';
import { FILLED, NEW_ORDER, NO_REASON, OPEN, PENDING, type OrderStatus, type OrderType, type Reason, type Side } from '../core/types.ts';
import { clientOrderIdText } from '../service/client-order-id.ts';
import { eachClientId, eachOpenOrder } from '../views/state-rows.ts';
import type { OwnSink } from './touched.ts';

export interface OwnOrder {
  readonly orderId: number;
  readonly account: number;
  readonly instrument: number;
  readonly side: Side;
  readonly orderType: OrderType;
  /** 16 hex digits. */
  clientOrderId: string;
  priceTicks: number;
  stopTicks: number;
  remainingLots: number;
  status: OrderStatus;
  reason: Reason;
}

/** An order is now so. */
export interface OrderEvent extends Readonly<OwnOrder> {
  readonly event: 'order';
  readonly sequence: number;
  readonly timeMicros: number;
}

/** A fill of one order. */
export interface FillEvent {
  readonly event: 'fill';
  readonly account: number;
  readonly orderId: number;
  readonly sequence: number;
  readonly timeMicros: number;
  readonly index: number;
  readonly instrument: number;
  readonly priceTicks: number;
  readonly quantityLots: number;
  readonly remainingLots: number;
  readonly taker: boolean;
}
export type OwnEvent = OrderEvent | FillEvent;

const NO_ID = '0'.repeat(16);

export class OwnOrders implements OwnSink {
  /** What has happened since it was last emptied. */
  events: OwnEvent[] = [];
  /** Open orders, by id. */
  readonly #open = new Map<number, OwnOrder>();
  #sequence = 0;
  #timeMicros = 0;
  #index = 0;

  /** From the words of a core's state. */
  constructor(words: Float64Array) {
    eachOpenOrder(words, ({ id, account, instrument, side, type, priceTicks, stopTicks, remainingLots, status }) => {
      const terms = { orderId: id, account, instrument, side, orderType: type, clientOrderId: NO_ID, priceTicks, stopTicks };
      this.#open.set(id, { ...terms, remainingLots, status, reason: NO_REASON });
    });
    eachClientId(words, (orderId, low, high) => {
      const order = this.#open.get(orderId);
      if (order !== undefined) order.clientOrderId = clientOrderIdText(low, high) ?? NO_ID;
    });
  }

  /** Open orders, of an account or of all. */
  *open(account?: number): Generator<Readonly<OwnOrder>> {
    for (const order of this.#open.values()) if (account === undefined || order.account === account) yield order;
  }

  begin(sequence: number, { words, doubles }: CommandSlots, at: number): void {
    const half = at >> 1;
    this.#sequence = sequence;
    this.#timeMicros = doubles[half + 2] as number;
    this.#index = 0;
    const head = words[at] as number;
    if ((head & 0xff) !== NEW_ORDER) return;
    const isWide = ((words[at + 1] as number) & WIDE) !== 0;
    this.#open.set(sequence, {
      orderId: sequence,
      account: (words[at + 3] as number) >>> 0,
      instrument: words[at + 2] as number,
      side: ((head >>> 8) & 1) as Side,
      orderType: ((head >>> 16) & 3) as OrderType,
      clientOrderId: clientOrderIdText(words[at + 12] as number, words[at + 13] as number) ?? NO_ID,
      priceTicks: (doubles[half + 3] as number) + 0,
      stopTicks: isWide ? (doubles[half + 8] as number) + 0 : 0,
      remainingLots: doubles[half + 4] as number,
      status: OPEN,
      reason: NO_REASON,
    });
  }

  fill(
    instrument: number,
    makerOrderId: number,
    takerOrderId: number,
    priceTicks: number,
    quantityLots: number,
    makerRemainingLots: number,
    takerRemainingLots: number,
  ): void {
    const trade = { instrument, priceTicks, quantityLots, index: this.#index };
    this.#filled(makerOrderId, makerRemainingLots, { ...trade, taker: false });
    this.#filled(takerOrderId, takerRemainingLots, { ...trade, taker: true });
    this.#index += 1;
  }

  order(orderId: number, remainingLots: number, status: OrderStatus, reason: Reason): void {
    const order = this.#open.get(orderId);
    if (order === undefined) return;
    Object.assign(order, { remainingLots, status, reason });
    this.#tell(order);
    if (status !== OPEN && status !== PENDING) this.#open.delete(orderId);
  }

  replaced(orderId: number, priceTicks: number, remainingLots: number, stopTicks: number): void {
    const order = this.#open.get(orderId);
    if (order === undefined) return;
    Object.assign(order, { priceTicks: priceTicks + 0, remainingLots, ...(stopTicks > 0 && { stopTicks }) });
    this.#tell(order);
  }

  triggered(orderId: number): void {
    const order = this.#open.get(orderId);
    if (order === undefined) return;
    order.status = OPEN;
    this.#tell(order);
  }

  #filled(
    orderId: number,
    remainingLots: number,
    trade: Pick<FillEvent, 'instrument' | 'priceTicks' | 'quantityLots' | 'index' | 'taker'>,
  ): void {
    const order = this.#open.get(orderId);
    if (order === undefined) return;
    order.remainingLots = remainingLots;
    const { account } = order;
    this.events.push({ event: 'fill', account, orderId, remainingLots, ...trade, sequence: this.#sequence, timeMicros: this.#timeMicros });
    if (remainingLots > 0) return;
    order.status = FILLED;
    this.#tell(order);
    this.#open.delete(orderId);
  }

  #tell(order: OwnOrder): void {
    this.events.push({ ...order, event: 'order', sequence: this.#sequence, timeMicros: this.#timeMicros });
  }
}
