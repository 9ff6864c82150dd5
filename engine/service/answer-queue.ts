/** Answers on their way: they wait in an {@link AnswerRing} until they are durable, and are then given to their connections, each told once to send. */
import { REJECT } from '../core/types.ts';
import {
  ANSWER,
  ANSWER_DETAIL,
  ANSWER_EXTRA,
  ANSWER_FILLED,
  ANSWER_KIND,
  ANSWER_LINK,
  ANSWER_RECEIVED,
  ANSWER_SEQUENCE,
  ANSWER_STATUS,
  AnswerRing,
} from './order-answers.ts';
import { PROBLEMS, type Problem } from './problem.ts';

/** A connection, as it takes its answers. Neither method may call back into the order entry, but for `disconnect`. */
export interface EntryLink {
  /** One answer, by the offsets of `order-answers.ts` from `at`: to be copied, not kept. */
  answer(values: Float64Array, at: number): void;
  /** No more of them now: what was answered is to be sent. */
  flush(): void;
}

/** What is counted about answers. */
export interface AnswerStats {
  ordersAccepted: number;
  cancels: number;
  rejected(code: string): void;
  /** From the arrival of a request until its answer was queued for its socket: the write follows. */
  answeredInFrames(durationMs: number): void;
}

const ENDED: EntryLink = { answer() {}, flush() {} };

export class AnswerQueue {
  readonly ring: AnswerRing;
  readonly #stats: AnswerStats;
  readonly #codes = codesByNumber();
  readonly #links: EntryLink[] = [];
  /** Answers that wait, by link. */
  readonly #waiting: number[] = [];
  readonly #free: number[] = [];
  /** Links that have been given answers and were not told to send them, and whether a link is one of those. */
  readonly #unsent: number[] = [];
  readonly #isUnsent: boolean[] = [];
  /** When the requests came whose answers have been given and not been sent. */
  readonly #received: Float64Array;
  #unsentAnswers = 0;

  constructor(stats: AnswerStats, capacity: number) {
    this.#stats = stats;
    this.ring = new AnswerRing(capacity);
    this.#received = new Float64Array(capacity);
  }

  waitingOf(link: number): number {
    return this.#waiting[link] ?? 0;
  }

  connect(link: EntryLink): number {
    const number = this.#free.pop() ?? this.#links.length;
    this.#links[number] = link;
    this.#waiting[number] = 0;
    this.#isUnsent[number] = false;
    return number;
  }

  disconnect(link: number): void {
    if (this.#links[link] === ENDED) return;
    this.#links[link] = ENDED;
    this.#recycle(link);
  }

  /** An answer for `link` is going to be pushed. */
  count(link: number): void {
    this.#waiting[link] = (this.#waiting[link] as number) + 1;
  }

  /** Gives out what waits for nothing after `sequence`. */
  release(sequence: number): void {
    const { ring } = this;
    const { values } = ring;
    for (let at = ring.first; at >= 0 && (values[at + ANSWER_SEQUENCE] as number) <= sequence; at = ring.first) {
      ring.drop();
      this.give(at);
    }
    this.send();
  }

  /** Nothing that waits has happened: all of it is refused. */
  refuse(problem: Problem): void {
    const { ring } = this;
    const { values } = ring;
    for (let at = ring.first; at >= 0; at = ring.first) {
      ring.drop();
      if (values[at + ANSWER_KIND] === ANSWER.fill) {
        this.#taken(values[at + ANSWER_LINK] as number);
        continue;
      }
      values[at + ANSWER_KIND] = ANSWER.rejected;
      values[at + ANSWER_STATUS] = problem.number ?? REJECT.journal;
      values[at + ANSWER_DETAIL] = 0;
      this.give(at);
    }
    this.send();
  }

  /** Gives the answer at `at` to its link. */
  give(at: number): void {
    const { values } = this.ring;
    const link = values[at + ANSWER_LINK] as number;
    this.#record(values, at);
    (this.#links[link] as EntryLink).answer(values, at);
    if (!(this.#isUnsent[link] as boolean)) {
      this.#isUnsent[link] = true;
      this.#unsent.push(link);
    }
    this.#taken(link);
  }

  /** Has everything sent that was given. */
  send(): void {
    const unsent = this.#unsent;
    if (unsent.length === 0) return;
    const queuedMs = performance.now();
    for (const link of unsent) {
      this.#isUnsent[link] = false;
      (this.#links[link] as EntryLink).flush();
      this.#recycle(link);
    }
    unsent.length = 0;
    for (let index = 0; index < this.#unsentAnswers; index += 1) this.#stats.answeredInFrames(queuedMs - (this.#received[index] as number));
    this.#unsentAnswers = 0;
  }

  #record(values: Float64Array, at: number): void {
    switch (values[at + ANSWER_KIND]) {
      case ANSWER.fill:
        return;
      case ANSWER.placed:
        if (values[at + ANSWER_EXTRA] === 0) this.#stats.ordersAccepted += 1;
        break;
      case ANSWER.cancelled:
        this.#stats.cancels += 1;
        break;
      case ANSWER.massCancelled:
        this.#stats.cancels += values[at + ANSWER_FILLED] as number;
        break;
      case ANSWER.rejected:
        this.#stats.rejected(this.#codes[values[at + ANSWER_STATUS] as number] ?? 'HFT_INTERNAL');
        break;
      default:
    }
    if (this.#unsentAnswers === this.#received.length) return;
    this.#received[this.#unsentAnswers] = values[at + ANSWER_RECEIVED] as number;
    this.#unsentAnswers += 1;
  }

  #taken(link: number): void {
    this.#waiting[link] = (this.#waiting[link] as number) - 1;
    this.#recycle(link);
  }

  /** The number of a link that has ended is used again once nothing refers to it. */
  #recycle(link: number): void {
    if (this.#links[link] !== ENDED || this.#waiting[link] !== 0 || (this.#isUnsent[link] as boolean)) return;
    if (!this.#free.includes(link)) this.#free.push(link);
  }
}

/** The code under which a refusal is counted, by its number: the first of those that share it. */
function codesByNumber(): string[] {
  const codes: string[] = [];
  for (const [code, kind] of Object.entries(PROBLEMS)) if ('number' in kind) codes[kind.number] ??= code;
  return codes;
}
