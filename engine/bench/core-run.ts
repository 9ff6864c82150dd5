/** A workload on the core as the engine runs it: each command is written into a slot, checked and applied, with its events to a sink. */
import * as command from '../core/command.ts';
import { MatchingCore } from '../core/core.ts';
import * as types from '../core/types.ts';
import type { AccountRules, EventSink, InstrumentRules } from '../core/types.ts';
import * as workloads from './workload.ts';
import type { Workload } from './workload.ts';

// V8 reads an imported binding, and checks it, at every use; a constant of the module itself it folds.
const { CommandSlots, SLOT_BYTES, SLOT_WORDS } = command;
const { CANCEL_ORDER, GTC, IOC, NEW_ORDER } = types;
const { CANCEL_RECORD, GTC_RECORD } = workloads;

/** Limits that are all looked at and refuse nothing in a workload. */
export const RULES: InstrumentRules = {
  tradable: true,
  maxOrderLots: 2 ** 40,
  maxNotional: 2n ** 80n,
  priceBandPercent: 1_000_000,
  maxPositionLots: 2 ** 50,
  maxOpenNotional: 2 ** 80,
};
export const ACCOUNT_RULES: AccountRules = { maxOpenOrders: 2 ** 30 };

/** Slots that the commands of a run go through, as they do in a journal's ring. */
const RING_SLOTS = 4096;

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
export class FillTotals {
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

  add(makerOrderId: number, takerOrderId: number, priceTicks: number, quantityLots: number): void {
    this.notional += BigInt(priceTicks) * BigInt(quantityLots);
    const { fileIds } = this.#ids;
    for (const word of [fileIds[takerOrderId] ?? 0, fileIds[makerOrderId] ?? 0, priceTicks, quantityLots])
      this.#hash = Math.imul(this.#hash ^ word, 0x01000193);
  }
}

/**
 * Takes events as a gateway's ring would: the arguments of each, into memory that is used again and again. Of one class for all runs, whether totals
 * are wanted or not: an engine has one sink, and with a second the compiler would look at each event which of them it is for.
 */
export class EventRing implements EventSink {
  events = 0;
  fills = 0;
  volumeLots = 0;
  readonly #slots = new Float64Array(4096 * 8);
  readonly #totals: FillTotals | undefined;

  constructor(totals?: FillTotals) {
    this.#totals = totals;
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
    const slots = this.#slots;
    const at = (this.events & 4095) << 3;
    slots[at] = instrument;
    slots[at + 1] = makerOrderId;
    slots[at + 2] = takerOrderId;
    slots[at + 3] = priceTicks;
    slots[at + 4] = quantityLots;
    slots[at + 5] = makerRemainingLots;
    slots[at + 6] = takerRemainingLots;
    this.events += 1;
    this.fills += 1;
    this.volumeLots += quantityLots;
    if (this.#totals !== undefined) this.#totals.add(makerOrderId, takerOrderId, priceTicks, quantityLots);
  }

  order(orderId: number, remainingLots: number, status: number, reason: number): void {
    const slots = this.#slots;
    const at = (this.events & 4095) << 3;
    slots[at] = orderId;
    slots[at + 1] = remainingLots;
    slots[at + 2] = status;
    slots[at + 3] = reason;
    this.events += 1;
  }

  replaced(): void {
    this.events += 1;
  }

  triggered(): void {
    this.events += 1;
  }

  state(): void {
    this.events += 1;
  }
}

/** One run of a file on a new core. */
export class CoreRun {
  readonly core = new MatchingCore();
  readonly sink: EventRing;
  readonly #workload: Workload;
  readonly #ids: OrderIds;
  readonly #slots = new CommandSlots(new ArrayBuffer(RING_SLOTS * SLOT_BYTES));

  constructor(workload: Workload, ids: OrderIds, sink: EventRing) {
    this.#workload = workload;
    this.#ids = ids;
    this.sink = sink;
    this.core.setInstrument(0, RULES);
    this.core.setAccountRules(ACCOUNT_RULES);
  }

  /** Runs the commands from index `from` up to `to`. */
  run(from: number, to: number): void {
    for (let index = from; index < to; index += 1) this.step(index);
  }

  /** Writes one command into its slot and submits it. The timestamp is the index: a caller that has the time boxes it, which is not the core's to measure. */
  step(index: number): void {
    const workload = this.#workload;
    const { words, doubles } = this.#slots;
    const at = (index & (RING_SLOTS - 1)) * SLOT_WORDS;
    const half = at >> 1;
    const head = workload.head(index);
    const type = head & 0xff;
    words[at + 1] = 0;
    words[at + 3] = head >>> 16;
    doubles[half + 2] = index;
    if (type === CANCEL_RECORD) {
      words[at] = CANCEL_ORDER;
      doubles[half + 5] = this.#ids.cancelled[index] as number;
    } else {
      // LIMIT is 0.
      words[at] = NEW_ORDER | (head & 0xff00) | ((type === GTC_RECORD ? GTC : IOC) << 24);
      words[at + 2] = 0;
      doubles[half + 3] = workload.priceTicks(index);
      doubles[half + 4] = workload.quantityLots(index);
      words[at + 12] = 0;
      words[at + 13] = 0;
      words[at + 14] = 0;
    }
    this.core.submit(this.#slots, at, this.sink);
  }
}

/** Runs a whole file once, learns its ids and gives its totals. */
export function learn(workload: Workload): { ids: OrderIds; run: CoreRun; totals: FillTotals } {
  const ids = new OrderIds(workload.commands);
  const totals = new FillTotals(ids);
  const run = new CoreRun(workload, ids, new EventRing(totals));
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
  return { ids, run, totals };
}
