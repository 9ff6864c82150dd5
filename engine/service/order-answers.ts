/**
 * Answers to commands that are matched and not durable yet, in the order in which they may leave: a ring of numbers in memory that is taken once.
 * Gateways read an answer where it stands, by the offsets below.
 */

/** What an answer says. A FILL follows the PLACED or REPLACED whose order it is of. */
export const ANSWER = { placed: 1, replaced: 2, cancelled: 3, massCancelled: 4, rejected: 5, fill: 6 } as const;
export type AnswerKind = (typeof ANSWER)[keyof typeof ANSWER];

/** Offsets from where an answer begins. */
export const ANSWER_KIND = 0;
/** The number that the sender gave the request. */
export const ANSWER_REQUEST = 1;
/** Of the order; 0 for a mass cancel. */
export const ANSWER_ORDER = 2;
/** The place of the command in the one order of all: what was durable when the answer left. Of a reject, what had to be. */
export const ANSWER_SEQUENCE = 3;
/** What this command has filled of the order. FILL: the lots of this fill. MASS_CANCELLED: orders that were cancelled. */
export const ANSWER_FILLED = 4;
/** Of the order after the command; of a cancelled order, what was left of it. */
export const ANSWER_REMAINING = 5;
/** OrderStatus. REJECTED: the number of the reject. FILL: 1 when the order was the taker. */
export const ANSWER_STATUS = 6;
/** Reason. FILL: place among all fills of the command, from 0. */
export const ANSWER_REASON = 7;
/** FILL: its price in ticks. REJECTED for its rate: how long to wait, in whole milliseconds; else 0. Of the others how many fills of the order this command has caused; at most MOST_ANSWERED_FILLS of them follow. */
export const ANSWER_DETAIL = 8;
/** FILL: the instrument. PLACED: 1 when the client order id was known already: ANSWER_ORDER is the order that was placed first, nothing else is told. */
export const ANSWER_EXTRA = 9;
/** Time of the command, in microseconds since 1970; 0 of a reject. */
export const ANSWER_TIME = 10;
/** When the request arrived, on the clock of performance.now(), in milliseconds. */
export const ANSWER_RECEIVED = 11;
export const ANSWER_LINK = 12;
const ANSWER_DOUBLES = 13;

export class AnswerRing {
  readonly values: Float64Array;
  readonly capacity: number;
  readonly #mask: number;
  #head = 0;
  #tail = 0;

  /** `capacity` must be a power of two. */
  constructor(capacity: number) {
    this.capacity = capacity;
    this.#mask = capacity - 1;
    // One more, for what need not wait.
    this.values = new Float64Array((capacity + 1) * ANSWER_DOUBLES);
  }

  get size(): number {
    return this.#tail - this.#head;
  }

  get room(): number {
    return this.capacity - this.size;
  }

  /** Where the oldest answer stands; -1 when there is none. */
  get first(): number {
    return this.#head === this.#tail ? -1 : (this.#head & this.#mask) * ANSWER_DOUBLES;
  }

  /** Writes an answer behind all others; there must be room. */
  push(
    link: number,
    request: number,
    receivedMs: number,
    kind: AnswerKind,
    sequence: number,
    timeMicros: number,
    order: number,
    filled: number,
    remaining: number,
    status: number,
    reason: number,
    detail: number,
    extra: number,
  ): void {
    const { values } = this;
    const at = (this.#tail & this.#mask) * ANSWER_DOUBLES;
    this.#tail += 1;
    values[at + ANSWER_KIND] = kind;
    values[at + ANSWER_REQUEST] = request;
    values[at + ANSWER_ORDER] = order;
    values[at + ANSWER_SEQUENCE] = sequence;
    values[at + ANSWER_FILLED] = filled;
    values[at + ANSWER_REMAINING] = remaining;
    values[at + ANSWER_STATUS] = status;
    values[at + ANSWER_REASON] = reason;
    values[at + ANSWER_DETAIL] = detail;
    values[at + ANSWER_EXTRA] = extra;
    values[at + ANSWER_TIME] = timeMicros;
    values[at + ANSWER_RECEIVED] = receivedMs;
    values[at + ANSWER_LINK] = link;
  }

  /** Gives back the place of the oldest. It can be read until the next one is pushed. */
  drop(): void {
    this.#head += 1;
  }

  /** Writes a reject that waits for nothing, outside of the ring; gives where it stands until the next one. */
  aside(link: number, request: number, receivedMs: number, reject: number): number {
    const { values } = this;
    const at = this.capacity * ANSWER_DOUBLES;
    values.fill(0, at, at + ANSWER_DOUBLES);
    values[at + ANSWER_KIND] = ANSWER.rejected;
    values[at + ANSWER_REQUEST] = request;
    values[at + ANSWER_STATUS] = reject;
    values[at + ANSWER_RECEIVED] = receivedMs;
    values[at + ANSWER_LINK] = link;
    return at;
  }
}
