/**
 * A workload on the core as the engine runs it: each command is checked, and when it passes is given the next sequence and applied, with
 * its events to a sink.
 */
import { MatchingCore } from '../core/core.ts';
import { NO_LIMITS } from '../core/random-commands.ts';
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

/**
 * What the core calls the orders of a file. Orders are known by the sequence that the core gave them; clients learn it from the answer and
 * cancel by it. Here one run beforehand learns all of them.
 */
export class OrderIds {
  /** Sequence of the order that each cancel of the file means; 0 for one that was never accepted. */
  readonly cancelled: Uint32Array;
  /** File id of each sequence. */
  readonly fileIds: Uint32Array;

  constructor(commands: number) {
    this.cancelled = new Uint32Array(commands);
    this.fileIds = new Uint32Array(commands + 1);
  }
}

/** The file's totals: 32-bit FNV-1a over the words (taker id, maker id, price, quantity) of all fills, in the ids of the file. */
export class FillTotals implements EventSink {
  fills = 0;
  volumeLots = 0;
  /** Sum of price × quantity, in ticks × lots. */
  notional = 0n;
  readonly #ids: OrderIds;
  #hash = 0x811c9dc5 | 0;

  constructor(ids: OrderIds) {
    this.#ids = ids;
  }

  get hash(): string {
    return (this.#hash >>> 0).toString(16);
  }

  fill(makerOrderId: number, takerOrderId: number, priceTicks: number, quantityLots: number): void {
    this.fills += 1;
    this.volumeLots += quantityLots;
    this.notional += BigInt(priceTicks) * BigInt(quantityLots);
    const { fileIds } = this.#ids;
    for (const word of [fileIds[takerOrderId] ?? 0, fileIds[makerOrderId] ?? 0, priceTicks, quantityLots])
      this.#hash = Math.imul(this.#hash ^ word, 0x01000193);
  }

  order(): void {}
}

/** Takes events as a gateway's ring would: five numbers each, into memory that is used again and again. */
export class EventRing implements EventSink {
  events = 0;
  fills = 0;
  volumeLots = 0;
  readonly #slots = new Float64Array(4096 * 8);

  fill(makerOrderId: number, takerOrderId: number, priceTicks: number, quantityLots: number, makerRemainingLots: number): void {
    const slots = this.#slots;
    const at = (this.events & 4095) << 3;
    slots[at] = makerOrderId;
    slots[at + 1] = takerOrderId;
    slots[at + 2] = priceTicks;
    slots[at + 3] = quantityLots;
    slots[at + 4] = makerRemainingLots;
    this.events += 1;
    this.fills += 1;
    this.volumeLots += quantityLots;
  }

  order(orderId: number, remainingLots: number, status: number): void {
    const slots = this.#slots;
    const at = (this.events & 4095) << 3;
    slots[at] = orderId;
    slots[at + 1] = remainingLots;
    slots[at + 2] = status;
    this.events += 1;
  }
}

/** One run of a file on a new core. */
export class CoreRun<Sink extends EventSink> {
  readonly core = new MatchingCore();
  readonly sink: Sink;
  readonly #workload: Workload;
  readonly #ids: OrderIds;
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

  constructor(workload: Workload, ids: OrderIds, sink: Sink) {
    this.#workload = workload;
    this.#ids = ids;
    this.sink = sink;
    this.core.setInstrument(0, NO_LIMITS);
  }

  /** Runs the commands from index `from` up to `to`. */
  run(from: number, to: number): void {
    for (let index = from; index < to; index += 1) this.step(index);
  }

  /** Runs one command. The timestamp is the sequence: a caller that has the time boxes it, which is not the core's to measure. */
  step(index: number): void {
    const { core } = this;
    const workload = this.#workload;
    const type = workload.type(index);
    const sequence = core.sequence + 1;
    if (type === CANCEL_RECORD) {
      const cancel = this.#cancel;
      cancel.orderId = this.#ids.cancelled[index] as number;
      cancel.account = workload.account(index);
      if (core.check(cancel) === REJECT.none) core.apply(sequence, sequence, cancel, this.sink);
      return;
    }
    const order = this.#order;
    order.account = workload.account(index);
    order.side = workload.side(index) === 0 ? BUY : SELL;
    order.timeInForce = type === GTC_RECORD ? GTC : IOC;
    order.priceTicks = workload.priceTicks(index);
    order.quantityLots = workload.quantityLots(index);
    if (core.check(order) === REJECT.none) core.apply(sequence, sequence, order, this.sink);
  }
}

/** Runs a whole file once, learns its ids and gives its totals. */
export function learn(workload: Workload): { ids: OrderIds; run: CoreRun<FillTotals> } {
  const ids = new OrderIds(workload.commands);
  const run = new CoreRun(workload, ids, new FillTotals(ids));
  const sequences = new Map<number, number>();
  for (let index = 0; index < workload.commands; index += 1) {
    const id = workload.id(index);
    const before = run.core.sequence;
    if (workload.type(index) === CANCEL_RECORD) {
      ids.cancelled[index] = sequences.get(id) ?? 0;
      run.step(index);
    } else {
      ids.fileIds[before + 1] = id;
      run.step(index);
      if (run.core.sequence > before) sequences.set(id, run.core.sequence);
    }
  }
  return { ids, run };
}
