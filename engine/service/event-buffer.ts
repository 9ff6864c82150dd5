/** What one command did, as numbers: filled by the core, read by whoever submitted the command right afterwards. Nothing is allocated for an event. */
import type { EventSink, OrderStatus, Reason, TradingState } from '../core/types.ts';

export const FILL_EVENT = 1;
export const ORDER_EVENT = 2;
export const REPLACED_EVENT = 3;
export const TRIGGERED_EVENT = 4;
export const STATE_EVENT = 5;
export type EventKind = typeof FILL_EVENT | typeof ORDER_EVENT | typeof REPLACED_EVENT | typeof TRIGGERED_EVENT | typeof STATE_EVENT;

/** Values of an event: its kind, then the arguments of its {@link EventSink} method, in their order. */
export const EVENT_WORDS = 8;
/** Events that there is room for at first. Only a very large sweep or mass cancel needs more. */
const FIRST_EVENTS = 4096;
/** A buffer that grew beyond this is given back once it has been read. */
const MOST_KEPT_EVENTS = 65_536;

export class EventBuffer implements EventSink {
  #values = new Float64Array(FIRST_EVENTS * EVENT_WORDS);
  #words = 0;
  #fills = 0;

  /** Events of the last command. */
  get count(): number {
    return this.#words / EVENT_WORDS;
  }

  /** Events that there is room for, before the buffer grows. */
  get capacity(): number {
    return this.#values.length / EVENT_WORDS;
  }

  get bytes(): number {
    return this.#values.byteLength;
  }

  /** Fills among them. */
  get fills(): number {
    return this.#fills;
  }

  kind(index: number): EventKind {
    return this.#values[index * EVENT_WORDS] as EventKind;
  }

  /** Argument `argument` (from 0) of event `index`. */
  value(index: number, argument: number): number {
    return this.#values[index * EVENT_WORDS + 1 + argument] as number;
  }

  /** Forgets everything: before the next command. */
  clear(): void {
    this.#words = 0;
    this.#fills = 0;
    if (this.#values.length > MOST_KEPT_EVENTS * EVENT_WORDS) this.#values = new Float64Array(FIRST_EVENTS * EVENT_WORDS);
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
    const at = this.#take(FILL_EVENT);
    const values = this.#values;
    values[at + 1] = instrument;
    values[at + 2] = makerOrderId;
    values[at + 3] = takerOrderId;
    values[at + 4] = priceTicks;
    values[at + 5] = quantityLots;
    values[at + 6] = makerRemainingLots;
    values[at + 7] = takerRemainingLots;
    this.#fills += 1;
  }

  order(orderId: number, remainingLots: number, status: OrderStatus, reason: Reason): void {
    const at = this.#take(ORDER_EVENT);
    const values = this.#values;
    values[at + 1] = orderId;
    values[at + 2] = remainingLots;
    values[at + 3] = status;
    values[at + 4] = reason;
  }

  replaced(orderId: number, priceTicks: number, remainingLots: number, stopTicks: number): void {
    const at = this.#take(REPLACED_EVENT);
    const values = this.#values;
    values[at + 1] = orderId;
    values[at + 2] = priceTicks;
    values[at + 3] = remainingLots;
    values[at + 4] = stopTicks;
  }

  triggered(orderId: number): void {
    const at = this.#take(TRIGGERED_EVENT);
    this.#values[at + 1] = orderId;
  }

  state(instrument: number, state: TradingState, auctionTicks: number, untilMicros: number): void {
    const at = this.#take(STATE_EVENT);
    const values = this.#values;
    values[at + 1] = instrument;
    values[at + 2] = state;
    values[at + 3] = auctionTicks;
    values[at + 4] = untilMicros;
  }

  #take(kind: EventKind): number {
    const at = this.#words;
    if (at === this.#values.length) this.#grow();
    this.#values[at] = kind;
    this.#words = at + EVENT_WORDS;
    return at;
  }

  #grow(): void {
    const larger = new Float64Array(this.#values.length * 2);
    larger.set(this.#values);
    this.#values = larger;
  }
}
