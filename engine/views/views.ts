/** The read models as the engine's thread sees them: questions go to the threads that can answer them, and come back as promises. */
import { setTimeout as delay } from 'node:timers/promises';
import type { OrderStatus } from '../core/types.ts';
import { messageOf } from '../journal/sqlite-errors.ts';
import { discardViews } from './database.ts';
import { SharedProgress, type FromThread, type Questions } from './threads.ts';
import {
  ALL_POSITIONS,
  ViewsError,
  type FillRecord,
  type FirstAnswer,
  type OrderRecord,
  type PositionRecord,
  type ReplicaState,
  type Views,
} from './types.ts';
import { ViewThread, type Failure } from './view-thread.ts';

export interface ViewsOptions {
  readonly dataDirectory: string;
  /** How many there are. */
  readonly instruments: number;
  /** Finished orders and fills that are older are deleted. */
  readonly retentionMs: number;
  /** Commands between two snapshots that are taken unasked. */
  readonly snapshotEvery: number;
  /** Told when a snapshot is on the disk: the journal may be compacted, and the rows will miss nothing of it. */
  readonly onSnapshot?: ((sequence: number) => void) | undefined;
  readonly log?: ViewsLog | undefined;
  /** Asked before every query, and told what became of it. */
  readonly breaker?: QueryBreaker | undefined;
}

export interface QueryBreaker {
  /** 0 when a query may be asked; else the milliseconds to wait. */
  take(nowMs: number): number;
  answered(durationMs: number): void;
  failed(): void;
}

export interface ViewsLog {
  warn(details: object, message: string): void;
}

/** How long a question may wait for its sequence. */
const LONGEST_WAIT_MS = 5000;
/** Questions that are asked and not answered, at most. */
const MOST_QUESTIONS = 4096;
const FIRST_BACKOFF_MS = 100;
const LONGEST_BACKOFF_MS = 10_000;
/** A thread that says nothing for so long says nothing any more: it may be writing a snapshot to a slow disk until then. */
const GIVE_UP_MS = 60_000;
/** A query that should have been refused by the thread long ago: the thread hangs at the disk. */
const GIVE_UP_QUERY_MS = LONGEST_WAIT_MS + 1000;
const GIVE_UP_CHECK_MS = 500;
/** Threads that ran for so long are started again as if for the first time. */
const STEADY_MS = 60_000;

interface Asked {
  readonly resolve: (answer: never) => void;
  readonly reject: (cause: ViewsError) => void;
  /** When it is given up, on the clock of performance.now(). */
  readonly untilMs: number;
}

/** Starts the threads. Resolves when the rows are open, or cannot be opened yet: that never keeps an engine from starting. */
export async function openViews(options: ViewsOptions): Promise<Views> {
  const views = new ThreadedViews(options);
  await views.opened;
  return views;
}

class ThreadedViews implements Views {
  readonly opened: Promise<void>;
  readonly #options: ViewsOptions;
  readonly #shared = new SharedProgress();
  readonly #asked = new Map<number, Asked>();
  readonly #ending = new AbortController();
  readonly #running: Promise<void>;
  readonly #givingUp = setInterval(() => this.#giveUp(), GIVE_UP_CHECK_MS).unref();
  #request = 0;
  #thread: ViewThread | undefined;
  #failure: string | undefined;

  constructor(options: ViewsOptions) {
    this.#options = options;
    const opened = Promise.withResolvers<void>();
    this.opened = opened.promise;
    this.#running = this.#run(opened.resolve);
  }

  get sequence(): number {
    return this.#shared.shown;
  }

  async order(id: number, atLeast: number): Promise<OrderRecord | undefined> {
    return await this.#ask('order', [id], atLeast);
  }

  async ordersById(ids: readonly number[], atLeast: number): Promise<OrderRecord[]> {
    return ids.length === 0 ? [] : await this.#ask('ordersById', [ids], atLeast);
  }

  async orders(filter: { account?: number; status?: OrderStatus }, after: number, limit: number, atLeast: number): Promise<OrderRecord[]> {
    return await this.#ask('orders', [filter, after, limit], atLeast);
  }

  async firstAnswer(id: number, limit: number, atLeast: number): Promise<FirstAnswer | undefined> {
    return await this.#ask('firstAnswer', [id, limit], atLeast);
  }

  async fills(after: { sequence: number; index: number }, limit: number, atLeast: number): Promise<FillRecord[]> {
    return await this.#ask('fills', [after, limit], atLeast);
  }

  async trades(instrument: number, before: { sequence: number; index: number }, limit: number, atLeast: number): Promise<FillRecord[]> {
    return await this.#ask('trades', [instrument, before, limit], atLeast);
  }

  async positions(account: number | undefined, atLeast: number, page = ALL_POSITIONS): Promise<PositionRecord[]> {
    return await this.#ask('positions', [account, page], atLeast);
  }

  async state(atLeast: number): Promise<ReplicaState> {
    return await this.#ask('state', [], atLeast);
  }

  async snapshot(atLeast: number): Promise<ReplicaState> {
    return await this.#ask('snapshot', [], atLeast);
  }

  advance(durableSequence: number): void {
    this.#shared.durable = durableSequence;
  }

  async close(): Promise<void> {
    this.#ending.abort();
    this.#thread?.end();
    await this.#running;
    clearInterval(this.#givingUp);
  }

  async #ask<Kind extends keyof Questions>(kind: Kind, args: Questions[Kind]['args'], atLeast: number): Promise<Questions[Kind]['answer']> {
    const { breaker } = this.#options;
    // What the engine asks of its own accord is no query.
    if (breaker === undefined || kind === 'state' || kind === 'snapshot') return await this.#put(kind, args, atLeast);
    const startMs = performance.now();
    const waitMs = breaker.take(startMs);
    if (waitMs > 0)
      throw new ViewsError('HFT_VIEWS_BREAKER', 'queries fail or take too long: none is asked for a while', { retryAfterMs: waitMs });
    try {
      const answer = await this.#put(kind, args, atLeast);
      breaker.answered(performance.now() - startMs);
      return answer;
    } catch (cause) {
      breaker.failed();
      throw cause;
    }
  }

  async #put<Kind extends keyof Questions>(kind: Kind, args: Questions[Kind]['args'], atLeast: number): Promise<Questions[Kind]['answer']> {
    const thread = this.#thread;
    if (thread === undefined) throw this.#unavailable();
    if (this.#asked.size >= MOST_QUESTIONS) throw new ViewsError('HFT_VIEWS_BEHIND', `${MOST_QUESTIONS} queries wait already: try again`);
    this.#request += 1;
    const request = this.#request;
    const waitMs = kind === 'state' || kind === 'snapshot' ? GIVE_UP_MS : GIVE_UP_QUERY_MS;
    return await new Promise<Questions[Kind]['answer']>((resolve, reject) => {
      this.#asked.set(request, { resolve, reject, untilMs: performance.now() + waitMs });
      thread.ask({ request, kind, args, atLeast, untilMs: Date.now() + LONGEST_WAIT_MS });
    });
  }

  /** Keeps a thread running until the end: when it fails it is started again, later each time. */
  async #run(opened: () => void): Promise<void> {
    const { log } = this.#options;
    const { signal } = this.#ending;
    let backoffMs = FIRST_BACKOFF_MS;
    while (!signal.aborted) {
      const startMs = performance.now();
      const failure = await this.#runThread(opened).catch((cause: unknown) => ({ damaged: false, message: messageOf(cause) }));
      this.#thread = undefined;
      this.#failure = failure?.message;
      this.#refuse(() => true);
      opened();
      if (failure === undefined || signal.aborted) return;
      if (performance.now() - startMs > STEADY_MS) backoffMs = FIRST_BACKOFF_MS;
      const what = failure.damaged ? 'discarded, and made again from the journal' : 'started again';
      log?.warn({ failure: failure.message, backoffMs }, `the read models have failed: they are ${what}`);
      await delay(backoffMs, undefined, { signal }).catch(() => undefined);
      backoffMs = Math.min(LONGEST_BACKOFF_MS, backoffMs * 2);
    }
  }

  /** Resolves when the thread has ended, to what it died of. */
  async #runThread(opened: () => void): Promise<Failure | undefined> {
    const { dataDirectory, instruments, retentionMs, snapshotEvery } = this.#options;
    this.#thread = new ViewThread({ dataDirectory, instruments, retentionMs, snapshotEvery }, this.#shared, (message) => {
      if (message.kind === 'ready') opened();
      this.#hear(message);
    });
    const failure = await this.#thread.ended;
    if (failure?.damaged === true && !this.#ending.signal.aborted) {
      this.#shared.shown = 0;
      discardViews(dataDirectory);
    }
    return failure;
  }

  #hear(message: FromThread): void {
    switch (message.kind) {
      case 'answer':
        this.#settle(message.request)?.resolve(message.answer as never);
        break;
      case 'refusal':
        this.#settle(message.request)?.reject(new ViewsError(message.code, message.message));
        break;
      case 'snapshot':
        this.#options.onSnapshot?.(message.sequence);
        break;
      case 'warning':
        this.#options.log?.warn(message.details, message.message);
        break;
      default:
    }
  }

  #settle(request: number): Asked | undefined {
    const asked = this.#asked.get(request);
    this.#asked.delete(request);
    return asked;
  }

  #refuse(which: (asked: Asked) => boolean): void {
    for (const [request, asked] of this.#asked) {
      if (!which(asked)) continue;
      this.#asked.delete(request);
      asked.reject(this.#unavailable());
    }
  }

  #giveUp(): void {
    const nowMs = performance.now();
    this.#refuse(({ untilMs }) => untilMs < nowMs);
  }

  #unavailable(): ViewsError {
    return new ViewsError(
      'HFT_VIEWS_UNAVAILABLE',
      `there are no queries for the moment: ${this.#failure ?? 'their thread does not answer'}`,
    );
  }
}
