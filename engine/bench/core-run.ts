/**
 * A workload on the core as the engine runs it: each command is checked, and when it passes is given the next sequence and applied, with
 * its events to a sink. File ids become sequences and back by arrays, as a client would by the answers that it gets.
 */
import { MatchingCore } from '../core/core.ts';
import { NO_LIMITS } from '../core/differential.ts';
import {
  BUY,
  CANCEL_ORDER,
  GTC,
  IOC,
  LIMIT,
  NEW_ORDER,
  REJECT,
  SELL,
  type CancelOrder,
  type EventSink,
  type NewOrder,
} from '../core/types.ts';
import { CANCEL_RECORD, GTC_RECORD, type Workload } from './workload.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Counts fills and hashes them: 32-bit FNV-1a over the words (taker id, maker id, price, quantity), ids being those of the file. */
export class FillTotals implements EventSink {
  fills = 0;
  volumeLots = 0;
  /** File id of each sequence. */
  readonly ids: Uint32Array;
  #hash = 0x811c9dc5 | 0;
  #notional = 0;
  #notionalBeyond = 0n;

  constructor(ids: Uint32Array) {
    this.ids = ids;
  }

  get hash(): string {
    return (this.#hash >>> 0).toString(16);
  }

  /** Sum of price × quantity, in ticks × lots. */
  get notional(): bigint {
    return this.#notionalBeyond + BigInt(this.#notional);
  }

  fill(makerOrderId: number, takerOrderId: number, priceTicks: number, quantityLots: number): void {
    this.fills += 1;
    this.volumeLots += quantityLots;
    const sum = this.#notional + priceTicks * quantityLots;
    if (sum <= Number.MAX_SAFE_INTEGER) this.#notional = sum;
    else this.#notionalBeyond += BigInt(priceTicks) * BigInt(quantityLots);
    let hash = Math.imul(this.#hash ^ (this.ids[takerOrderId] as number), 0x01000193);
    hash = Math.imul(hash ^ (this.ids[makerOrderId] as number), 0x01000193);
    hash = Math.imul(hash ^ priceTicks, 0x01000193);
    this.#hash = Math.imul(hash ^ quantityLots, 0x01000193);
  }

  order(): void {}
}

export class CoreRun {
  readonly core = new MatchingCore();
  readonly totals: FillTotals;
  readonly #workload: Workload;
  /** Dense number of each record's file id, and the sequence that it has in the core. */
  readonly #idNumbers: Uint32Array;
  readonly #sequences: Uint32Array;
  readonly #order: Mutable<NewOrder> = {
    kind: NEW_ORDER,
    instrument: 0,
    account: 0,
    side: BUY,
    type: LIMIT,
    timeInForce: GTC,
    priceTicks: 0,
    quantityLots: 0,
  };
  readonly #cancel: Mutable<CancelOrder> = { kind: CANCEL_ORDER, instrument: 0, orderId: 0, account: 0 };

  constructor(workload: Workload) {
    this.#workload = workload;
    const numbers = new Map<number, number>();
    this.#idNumbers = new Uint32Array(workload.commands);
    for (let index = 0; index < workload.commands; index += 1) {
      const id = workload.id(index);
      let number = numbers.get(id);
      if (number === undefined) numbers.set(id, (number = numbers.size));
      this.#idNumbers[index] = number;
    }
    this.#sequences = new Uint32Array(numbers.size);
    this.totals = new FillTotals(new Uint32Array(workload.commands + 1));
    this.core.setInstrument(0, NO_LIMITS);
  }

  /** Runs the commands from index `from` up to `to`. */
  run(from: number, to: number): void {
    for (let index = from; index < to; index += 1) this.step(index);
  }

  /** Runs one command. The timestamp is the sequence: a caller that has the time boxes it, which is not the core's to measure. */
  step(index: number): void {
    const { core, totals } = this;
    const workload = this.#workload;
    const number = this.#idNumbers[index] as number;
    const type = workload.type(index);
    const sequence = core.sequence + 1;
    if (type === CANCEL_RECORD) {
      const cancel = this.#cancel;
      cancel.orderId = this.#sequences[number] as number;
      cancel.account = workload.account(index);
      if (core.check(cancel) === REJECT.none) core.apply(sequence, sequence, cancel, totals);
      return;
    }
    const order = this.#order;
    order.account = workload.account(index);
    order.side = workload.side(index) === 0 ? BUY : SELL;
    order.timeInForce = type === GTC_RECORD ? GTC : IOC;
    order.priceTicks = workload.priceTicks(index);
    order.quantityLots = workload.quantityLots(index);
    if (core.check(order) !== REJECT.none) return;
    this.#sequences[number] = sequence;
    totals.ids[sequence] = workload.id(index);
    core.apply(sequence, sequence, order, totals);
  }
}
