/** From answers of the order entry to frames. */
import { LAYOUT } from '../../client/websocket-layout.ts';
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
import type { Outgoing } from './outgoing.ts';

/** placed, replaced and cancelled have the same fields. */
const DONE = LAYOUT.placed;
const { fill: FILL, massCancelled: MASS_CANCELLED, rejected: REJECTED } = LAYOUT;

/** Writes the frame of the answer at `from` of `values`. */
export function writeAnswer(out: Outgoing, values: Float64Array, from: number): void {
  const number = values[from + ANSWER_REQUEST] as number;
  switch (values[from + ANSWER_KIND]) {
    case ANSWER.placed:
      return writeDone(out, values, from, DONE.type, (values[from + ANSWER_EXTRA] as number) * DONE.bit.duplicate);
    case ANSWER.replaced:
      return writeDone(out, values, from, LAYOUT.replaced.type, 0);
    case ANSWER.cancelled:
      return writeDone(out, values, from, LAYOUT.cancelled.type, 0);
    case ANSWER.fill:
      return writeFill(out, values, from);
    case ANSWER.massCancelled: {
      const at = out.begin(MASS_CANCELLED.type, MASS_CANCELLED.bytes, 0, number);
      out.u64(at + MASS_CANCELLED.at.sequence, values[from + ANSWER_SEQUENCE] as number);
      return out.u32(at + MASS_CANCELLED.at.count, values[from + ANSWER_FILLED] as number);
    }
    default:
      return writeReject(out, number, values[from + ANSWER_STATUS] as number, values[from + ANSWER_DETAIL]);
  }
}

/** `waitMs`: what is to be waited, of a rate; else 0. */
export function writeReject(out: Outgoing, number: number, reject: number, waitMs = 0): void {
  const at = out.begin(REJECTED.type, REJECTED.bytes, 0, number);
  out.u16(at + REJECTED.at.reject, reject);
  if (waitMs !== 0) out.u32(at + REJECTED.at.retryAfterMs, waitMs);
}

function writeDone(out: Outgoing, values: Float64Array, from: number, type: number, flags: number): void {
  const at = out.begin(type, DONE.bytes, flags, values[from + ANSWER_REQUEST] as number);
  out.u64(at + DONE.at.orderId, values[from + ANSWER_ORDER] as number);
  out.u64(at + DONE.at.sequence, values[from + ANSWER_SEQUENCE] as number);
  out.u64(at + DONE.at.filledLots, values[from + ANSWER_FILLED] as number);
  out.u64(at + DONE.at.remainingLots, values[from + ANSWER_REMAINING] as number);
  out.u64(at + DONE.at.timeMicros, values[from + ANSWER_TIME] as number);
  out.u32(at + DONE.at.fills, values[from + ANSWER_DETAIL] as number);
  out.u8(at + DONE.at.status, values[from + ANSWER_STATUS] as number);
  out.u8(at + DONE.at.reason, values[from + ANSWER_REASON] as number);
}

function writeFill(out: Outgoing, values: Float64Array, from: number): void {
  const taker = (values[from + ANSWER_STATUS] as number) * FILL.bit.taker;
  const at = out.begin(FILL.type, FILL.bytes, taker, values[from + ANSWER_REQUEST] as number);
  out.u64(at + FILL.at.orderId, values[from + ANSWER_ORDER] as number);
  out.u64(at + FILL.at.sequence, values[from + ANSWER_SEQUENCE] as number);
  out.u64(at + FILL.at.priceTicks, values[from + ANSWER_DETAIL] as number);
  out.u64(at + FILL.at.quantityLots, values[from + ANSWER_FILLED] as number);
  out.u64(at + FILL.at.remainingLots, values[from + ANSWER_REMAINING] as number);
  out.u64(at + FILL.at.timeMicros, values[from + ANSWER_TIME] as number);
  out.u32(at + FILL.at.index, values[from + ANSWER_REASON] as number);
  out.u16(at + FILL.at.instrument, values[from + ANSWER_EXTRA] as number);
}
