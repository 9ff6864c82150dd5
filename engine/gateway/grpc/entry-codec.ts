/** The messages of OrderEntry: commands from bytes into fields that are written over for each, answers from numbers to bytes. */
import { WIRE_SHIFT } from '../../client/grpc-contract.ts';
import { GTC, IOC, MARKET } from '../../core/types.ts';
import type { EntryOrder, EntryReplacement } from '../../service/entry-terms.ts';
import {
  ANSWER,
  ANSWER_DETAIL,
  ANSWER_EXTRA,
  ANSWER_FILLED,
  ANSWER_KIND,
  ANSWER_ORDER,
  ANSWER_REASON,
  ANSWER_REMAINING,
  ANSWER_REQUEST,
  ANSWER_SEQUENCE,
  ANSWER_STATUS,
  ANSWER_TIME,
} from '../../service/order-answers.ts';
import { WireReader, type WireWriter } from './wire.ts';

export const PLACE = 2;
export const REPLACE = 3;
export const CANCEL = 4;
export const MASS_CANCEL = 5;
/** A byte that no code has: the core refuses it. */
const NO_CODE = 255;
/** All fields of an answer at their longest. */
const MOST_ANSWER_BYTES = 128;

/** What is read of a command besides its terms. */
export class CommandReader {
  request = 0;
  /** One of the kinds above; 0 for none. */
  kind = 0;
  account = '';
  symbol = '';
  clientOrderId = '';
  cancelOnDisconnect = false;
  orderId = 0;
  readonly #wire = new WireReader();
  readonly #order: EntryOrder;
  readonly #replacement: EntryReplacement;

  constructor(order: EntryOrder, replacement: EntryReplacement) {
    this.#order = order;
    this.#replacement = replacement;
  }

  /** Calls `visit` after each command. Throws WireFault on bytes that are none; the commands before them have been visited. */
  read(bytes: Buffer, visit: () => void): void {
    const wire = this.#wire;
    wire.begin(bytes);
    while (wire.next()) {
      if (wire.field !== 1) wire.skip();
      else {
        const outer = wire.enter();
        this.#command();
        wire.leave(outer);
        visit();
      }
    }
  }

  #command(): void {
    const wire = this.#wire;
    this.request = 0;
    this.kind = 0;
    while (wire.next()) {
      const { field } = wire;
      if (field === 1) this.request = wire.number();
      else if (field < PLACE || field > MASS_CANCEL) wire.skip();
      else {
        const outer = wire.enter();
        this.kind = field;
        this.account = '';
        this.symbol = '';
        this.orderId = 0;
        if (field === PLACE) this.#place();
        else if (field === REPLACE) this.#replace();
        else if (field === CANCEL) this.#cancel();
        else this.#massCancel();
        wire.leave(outer);
      }
    }
  }

  #place(): void {
    const wire = this.#wire;
    const order = this.#order;
    let side = 0;
    let type = 0;
    let timeInForce = 0;
    order.priceTicks = 0;
    order.quantityLots = 0;
    order.stopTicks = 0;
    order.displayLots = 0;
    order.expiryMicros = 0;
    order.postOnly = false;
    order.selfTrade = 0;
    this.clientOrderId = '';
    this.cancelOnDisconnect = false;
    while (wire.next()) {
      switch (wire.field) {
        case 1:
          this.symbol = wire.text();
          break;
        case 2:
          this.account = wire.text();
          break;
        case 3:
          side = wire.number();
          break;
        case 4:
          type = wire.number();
          break;
        case 5:
          timeInForce = wire.number();
          break;
        case 6:
          order.priceTicks = wire.number();
          break;
        case 7:
          order.quantityLots = wire.number();
          break;
        case 8:
          order.stopTicks = wire.number();
          break;
        case 9:
          order.displayLots = wire.number();
          break;
        case 10:
          order.expiryMicros = wire.number();
          break;
        case 11:
          order.postOnly = wire.number() !== 0;
          break;
        case 12:
          order.selfTrade = Math.min(NO_CODE, wire.number());
          break;
        case 13:
          this.clientOrderId = wire.text();
          break;
        case 14:
          this.cancelOnDisconnect = wire.number() !== 0;
          break;
        default:
          wire.skip();
      }
    }
    order.side = codeOf(side);
    order.type = codeOf(type);
    order.timeInForce = timeInForce === 0 ? (order.type === MARKET ? IOC : GTC) : codeOf(timeInForce);
  }

  #replace(): void {
    const wire = this.#wire;
    const replacement = this.#replacement;
    replacement.priceTicks = 0;
    replacement.quantityLots = 0;
    replacement.stopTicks = 0;
    replacement.expectedLots = 0;
    while (wire.next()) {
      switch (wire.field) {
        case 1:
          this.account = wire.text();
          break;
        case 2:
          this.orderId = wire.number();
          break;
        case 3:
          replacement.priceTicks = wire.number();
          break;
        case 4:
          replacement.quantityLots = wire.number();
          break;
        case 5:
          replacement.stopTicks = wire.number();
          break;
        case 6:
          replacement.expectedLots = wire.number();
          break;
        default:
          wire.skip();
      }
    }
    replacement.orderId = this.orderId;
  }

  #cancel(): void {
    const wire = this.#wire;
    while (wire.next()) {
      if (wire.field === 1) this.account = wire.text();
      else if (wire.field === 2) this.orderId = wire.number();
      else wire.skip();
    }
  }

  #massCancel(): void {
    const wire = this.#wire;
    while (wire.next()) {
      if (wire.field === 1) this.account = wire.text();
      else if (wire.field === 2) this.symbol = wire.text();
      else wire.skip();
    }
  }
}

/** Appends the answer at `at` to a message of answers. */
export function writeAnswer(writer: WireWriter, values: Float64Array, at: number): void {
  const kind = values[at + ANSWER_KIND] as number;
  const status = values[at + ANSWER_STATUS] as number;
  writer.reserve(MOST_ANSWER_BYTES);
  const start = writer.open(1);
  writer.number(1, values[at + ANSWER_REQUEST] as number);
  writer.number(2, kind);
  if (kind === ANSWER.rejected) {
    writer.number(11, status);
    writer.farNumber(16, values[at + ANSWER_DETAIL] as number);
    writer.close(start);
    return;
  }
  writer.number(3, values[at + ANSWER_ORDER] as number);
  writer.number(4, values[at + ANSWER_SEQUENCE] as number);
  writer.number(5, values[at + ANSWER_FILLED] as number);
  writer.number(6, values[at + ANSWER_REMAINING] as number);
  if (kind === ANSWER.fill) {
    writer.number(12, values[at + ANSWER_TIME] as number);
    writer.number(13, values[at + ANSWER_DETAIL] as number);
    writer.number(14, values[at + ANSWER_REASON] as number);
    writer.number(15, status);
  } else {
    const repeated = kind === ANSWER.placed && values[at + ANSWER_EXTRA] === 1;
    if (!repeated && kind !== ANSWER.massCancelled) writer.number(7, status + WIRE_SHIFT);
    writer.number(8, values[at + ANSWER_REASON] as number);
    writer.number(9, values[at + ANSWER_DETAIL] as number);
    writer.number(10, repeated ? 1 : 0);
    writer.number(12, values[at + ANSWER_TIME] as number);
  }
  writer.close(start);
}

/** Appends a refusal that the order entry was not asked for. */
export function writeReject(writer: WireWriter, request: number, reject: number): void {
  writer.reserve(MOST_ANSWER_BYTES);
  const start = writer.open(1);
  writer.number(1, request);
  writer.number(2, ANSWER.rejected);
  writer.number(11, reject);
  writer.close(start);
}

function codeOf(wire: number): number {
  return wire >= WIRE_SHIFT && wire <= NO_CODE ? wire - WIRE_SHIFT : NO_CODE;
}
