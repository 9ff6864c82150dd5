/** The group commit that gathers: commands of one event-loop tick, and what they did. */
import { FILLED, OPEN, type EventSink, type OrderStatus } from '../core/types.ts';
import type { FillRecord, JournalBatch, OrderRecord } from '../journal/types.ts';

export type MutableOrder = { -readonly [K in keyof OrderRecord]: OrderRecord[K] };

export interface Batch extends JournalBatch {
  readonly orders: MutableOrder[];
  readonly done: PromiseWithResolvers<void>;
}

export function emptyBatch(): Batch {
  const done = Promise.withResolvers<void>();
  // Whoever waits also sees the failure; a batch that nobody waits for must not count as an unhandled rejection.
  done.promise.catch(() => undefined);
  return { entries: [], orders: [], changes: new Map(), fills: [], accounts: [], done };
}

/** Turns the events of one command into the rows of a batch. */
export class BatchSink implements EventSink {
  readonly #batch: Batch;
  readonly #sequence: number;
  readonly #instrument: number;
  /** Fills of this command. */
  readonly fills: FillRecord[] = [];

  constructor(batch: Batch, sequence: number, instrument: number) {
    this.#batch = batch;
    this.#sequence = sequence;
    this.#instrument = instrument;
  }

  fill(makerOrderId: number, takerOrderId: number, priceTicks: number, quantityLots: number, makerRemainingLots: number): void {
    const fill: FillRecord = {
      sequence: this.#sequence,
      index: this.fills.length,
      instrument: this.#instrument,
      priceTicks,
      quantityLots,
      makerOrderId,
      takerOrderId,
    };
    this.fills.push(fill);
    this.#batch.fills.push(fill);
    this.order(makerOrderId, makerRemainingLots, makerRemainingLots === 0 ? FILLED : OPEN);
  }

  order(orderId: number, remainingLots: number, status: OrderStatus): void {
    const { orders } = this.#batch;
    // Ids rise within a batch: an order of this batch is found by halving.
    let from = 0;
    let to = orders.length - 1;
    while (from <= to) {
      const middle = (from + to) >>> 1;
      const order = orders[middle];
      if (order === undefined) break;
      if (order.id === orderId) {
        order.remainingLots = remainingLots;
        order.status = status;
        return;
      }
      if (order.id < orderId) from = middle + 1;
      else to = middle - 1;
    }
    this.#batch.changes.set(orderId, { remainingLots, status });
  }
}
