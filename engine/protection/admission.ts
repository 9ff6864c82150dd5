/**
 * Whether new orders and queries are taken at all: the circuit breaker before the journal, and load shedding. The order path looks at one number,
 * {@link Admission.shut}; everything else happens on a timer. Cancels and what administrators send always pass: they make the load less.
 */
import type { Protection } from '../../crds/protection.ts';
import { REJECT, type Reject } from '../core/types.ts';
import { Problem } from '../service/problem.ts';
import { Breaker, CLOSED, OPEN, type BreakerState } from './breaker.ts';

export interface AdmissionLog {
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
}

/** What is looked at now and then. */
export interface Load {
  /** Last sequence that was matched, and that is durable. */
  readonly sequence: number;
  readonly durableSequence: number;
  /** How full the ring of the journal and that of the answers are, the fuller one: from 0 to 1. */
  readonly fill: number;
}

const TICK_MS = 50;
/** A single pause sheds nothing: this many turns in a row must be late. */
const LATE_TURNS = 5;
/** Shedding ends after so many turns that are not late. */
const QUIET_TURNS = 5;
const SHED_RETRY_MS = 1000;
/** A turn counts so much at most towards the time in which nothing was committed: while this thread stood still nobody could have told it. */
const MOST_COUNTED_MS = 2 * TICK_MS;

const ADVICE = {
  journal: 'look at the disk of the data directory (latency, room, health): docs/operations.md',
  views: 'look at the load of queries, the disk and the memory of the engine: docs/operations.md',
} as const;

export class Admission {
  /** 0 while orders are taken; else {@link refuseOrder} is to be asked. */
  shut = 0;
  readonly journal: Breaker;
  readonly views: Breaker;
  /** What was refused because of the load. */
  readonly shed = { orders: 0, queries: 0 };
  /** Shortest lateness of the last turns of the event loop, in milliseconds. */
  delayMs = 0;
  shedding: 'nothing' | 'queries' | 'orders' = 'nothing';
  readonly #log: AdmissionLog;
  readonly #load: () => Load | undefined;
  readonly #late = new Float64Array(LATE_TURNS);
  #settings: Protection;
  #turns = 0;
  #quiet = 0;
  #lastMs = performance.now();
  #lastDurable = 0;
  #stalledMs = 0;
  readonly #timer = setInterval(() => this.tick(performance.now()), TICK_MS).unref();

  /** `load` gives undefined while nobody is served. */
  constructor(settings: Protection, log: AdmissionLog, load: () => Load | undefined) {
    this.#settings = settings;
    this.#log = log;
    this.#load = load;
    this.journal = new Breaker('journal', settings, (state, why) => this.#changed('journal', state, why));
    this.views = new Breaker('views', settings, (state, why) => this.#changed('views', state, why));
  }

  /** What is refused now and why, for people; undefined when nothing is. */
  get refusing(): string | undefined {
    if (this.shedding !== 'nothing')
      return this.shedding === 'orders' ? 'too much load: queries and orders refused' : 'too much load: queries refused';
    if (this.journal.state !== CLOSED) return 'commits are slow: orders refused';
    return this.views.state === CLOSED ? undefined : 'queries are slow: refused';
  }

  get settings(): Protection {
    return this.#settings;
  }

  configure(settings: Protection): void {
    this.#settings = settings;
    this.journal.configure(settings);
    this.views.configure(settings);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** A commit came back. */
  committed(durationNanos: number): void {
    this.journal.record(durationNanos <= this.#settings.slowCommitMs * 1e6, performance.now());
  }

  /** Why a new order or a replacement is refused now; REJECT.none when it is not. Counts it. */
  refuseOrder(nowMs: number): Reject {
    if (this.shut === 0) return REJECT.none;
    if (this.shedding === 'orders') {
      this.shed.orders += 1;
      return REJECT.busy;
    }
    return this.journal.ask(nowMs) === 0 ? REJECT.none : REJECT.journal;
  }

  /** A new order or a replacement was taken: when the breaker only tries, it is one of the few that it lets through. What is refused anyway is none. */
  ordered(): void {
    if (this.shut !== 0) this.journal.made();
  }

  /** Throws Problem when a new order or a replacement is refused now. */
  requireOrder(): void {
    if (this.shut === 0) return;
    if (this.shedding === 'orders') {
      this.shed.orders += 1;
      throw overloaded('orders');
    }
    const waitMs = this.journal.ask(performance.now());
    if (waitMs > 0)
      throw new Problem(
        'HFT_JOURNAL_BREAKER',
        'commits fail or do not come back in time: orders are refused until they do, cancels are not',
        {
          retryAfterMs: waitMs,
        },
      );
  }

  /** Throws Problem when queries are refused because of the load. */
  requireQuery(): void {
    if (this.shedding === 'nothing') return;
    this.shed.queries += 1;
    throw overloaded('queries');
  }

  /** Looks at the load. Called by its own timer. */
  tick(nowMs: number): void {
    const elapsedMs = nowMs - this.#lastMs;
    this.#lastMs = nowMs;
    this.#late[this.#turns % LATE_TURNS] = Math.max(0, elapsedMs - TICK_MS);
    this.#turns += 1;
    this.delayMs = this.#late.reduce((least, one) => Math.min(least, one));
    const load = this.#load();
    // Recovery and warm-up hold this thread, and nobody is served meanwhile.
    if (load === undefined) {
      this.#late.fill(0);
      this.delayMs = 0;
    }
    this.#watchCommits(load, elapsedMs, nowMs);
    this.journal.look(nowMs);
    this.views.look(nowMs);
    this.#decide(load?.fill ?? 0);
  }

  #watchCommits(load: Load | undefined, elapsedMs: number, nowMs: number): void {
    if (load === undefined || load.sequence === load.durableSequence || load.durableSequence !== this.#lastDurable) {
      this.#stalledMs = 0;
      this.#lastDurable = load?.durableSequence ?? 0;
      return;
    }
    this.#stalledMs += Math.min(elapsedMs, MOST_COUNTED_MS);
    const { commitTimeoutMs } = this.#settings;
    if (this.#stalledMs >= commitTimeoutMs)
      this.journal.trip(`nothing was committed for ${commitTimeoutMs} ms although commands wait`, nowMs);
  }

  #decide(fill: number): void {
    const { shedOrdersDelayMs, shedQueriesDelayMs, shedFillPercent } = this.#settings;
    const wanted =
      this.delayMs > shedOrdersDelayMs || fill * 100 > shedFillPercent
        ? 'orders'
        : this.delayMs > shedQueriesDelayMs
          ? 'queries'
          : 'nothing';
    this.#quiet = wanted === 'nothing' ? this.#quiet + 1 : 0;
    if (wanted === this.shedding || (wanted === 'nothing' && this.#quiet < QUIET_TURNS)) return;
    if (wanted === 'nothing') this.#log.info({ shed: { ...this.shed } }, 'the load has gone down: everything is taken again');
    else
      this.#log.warn(
        { delayMs: Math.round(this.delayMs), fillPercent: Math.round(fill * 100) },
        `too much is asked of this engine: ${wanted === 'orders' ? 'queries and new orders are' : 'queries are'} refused until it is less (docs/operations.md)`,
      );
    this.shedding = wanted;
    this.#update();
  }

  #changed(which: keyof typeof ADVICE, state: BreakerState, why: string): void {
    this.#update();
    const { opens, refused } = this[which].figures;
    const what = which === 'journal' ? 'new orders are' : 'queries are';
    if (state === OPEN)
      this.#log.warn(
        { breaker: which, why, opens },
        `the circuit breaker before the ${which} has opened: ${what} refused; ${ADVICE[which]}`,
      );
    else
      this.#log.info(
        { breaker: which, why, refused },
        `the circuit breaker before the ${which} ${state === CLOSED ? 'has closed' : 'lets some through'}`,
      );
  }

  #update(): void {
    this.shut = this.journal.state !== CLOSED || this.shedding === 'orders' ? 1 : 0;
  }
}

function overloaded(what: string): Problem {
  return new Problem(
    'HFT_OVERLOADED',
    `more is asked of this engine than it can do: ${what} are refused until it is less, cancels are not`,
    {
      retryAfterMs: SHED_RETRY_MS,
    },
  );
}
