/**
 * The single writer. Commands are checked, sequenced and matched as they arrive; those of one event-loop tick share one group commit, and each
 * is answered only when that is durable. While a commit is under way the next batch gathers, so batches grow with the load by themselves.
 *
 * Matching runs ahead of the journal by one batch at most. When a commit finds no room, nothing of it was written: every command of that
 * batch and of the one that gathers is refused, and the books are wrong until they are rebuilt from the journal: `onFull` must do that, and
 * this sequencer refuses until then. After any other failure nobody knows whether the batch will be there after a restart (an fsync that
 * fails leaves its commit record in the write-ahead log): it is neither acknowledged nor refused, and `onFatal` must end the process.
 */
import {
  CANCEL_ORDER,
  CANCELLED,
  FILLED,
  GTC,
  LIMIT,
  NEW_ORDER,
  OPEN,
  REJECT,
  type Command,
  type Core,
  type NewOrder,
} from '../core/types.ts';
import { JournalError, type FillRecord, type Journal, type OrderRecord } from '../journal/types.ts';
import type { JournalQueries } from '../journal/queries.ts';
import type { Accounts } from './accounts.ts';
import { BatchSink, emptyBatch, type Batch, type MutableOrder } from './batch.ts';
import { Problem, problemOfReject } from './problem.ts';

/** On whose behalf an order is sent, and what makes it idempotent. */
export interface OrderIdentity {
  readonly accountName: string;
  readonly clientOrderId: string | null;
}

export type OrderTerms = Omit<NewOrder, 'kind' | 'account'>;

/** An order as its first answer shows it: after its own fills, before anything that came later. */
export interface Placed {
  readonly order: OrderRecord;
  readonly fills: readonly FillRecord[];
  /** true when the same client order id had been accepted before: this is its first answer again. */
  readonly repeated: boolean;
}

/** What the sequencer tells about its work. */
export interface SequencerObserver {
  matched(durationNanos: number): void;
  committed(commands: number, fills: number, durationNanos: number): void;
}

export class Sequencer {
  readonly #core: Core;
  readonly #journal: Journal;
  readonly #queries: JournalQueries;
  readonly #accounts: Accounts;
  readonly #observer: SequencerObserver;
  readonly #nowMicros: () => number;
  readonly #onFull: (cause: JournalError) => void;
  readonly #onFatal: (cause: Error) => void;
  #batch = emptyBatch();
  #committing: Batch | undefined;
  #scheduled = false;
  #failure: Error | undefined;
  #lastMicros = 0;
  /** Orders with a client order id that are matched but not yet durable, by account and id. */
  readonly #pendingIds = new Map<string, { placed: Placed; batch: Batch }>();

  constructor(parts: {
    core: Core;
    journal: Journal;
    queries: JournalQueries;
    accounts: Accounts;
    observer: SequencerObserver;
    /** Timestamp of the last recovered command: time never runs backwards over a restart. */
    lastTimestampMicros: number;
    nowMicros: () => number;
    onFull: (cause: JournalError) => void;
    onFatal: (cause: Error) => void;
  }) {
    this.#core = parts.core;
    this.#journal = parts.journal;
    this.#queries = parts.queries;
    this.#accounts = parts.accounts;
    this.#observer = parts.observer;
    this.#lastMicros = parts.lastTimestampMicros;
    this.#nowMicros = parts.nowMicros;
    this.#onFull = parts.onFull;
    this.#onFatal = parts.onFatal;
  }

  /**
   * Checks, matches and records an order; resolves when it is durable. Throws Problem when it is refused. `terms` is asked, at once, only when
   * the identity is new, so that nothing that has changed since can refuse a repetition; what it throws refuses the order.
   */
  async place(identity: OrderIdentity, terms: () => OrderTerms): Promise<Placed> {
    this.#refuseWhenFailed();
    const { accountName, clientOrderId } = identity;
    const known = clientOrderId === null ? undefined : this.#accounts.find(accountName);
    const key = clientOrderId === null ? undefined : `${accountName} ${clientOrderId}`;
    if (known !== undefined && clientOrderId !== null && key !== undefined) {
      const pending = this.#pendingIds.get(key);
      if (pending !== undefined) {
        await pending.batch.done.promise;
        return { ...pending.placed, repeated: true };
      }
      const recorded = this.#queries.orderByClientOrderId(known, clientOrderId);
      if (recorded !== undefined) return placed(recorded, this.#queries.fillsAt(recorded.id), true);
    }
    const { instrument, side, type, timeInForce, priceTicks, quantityLots } = terms();
    const command = { kind: NEW_ORDER, instrument, account: known ?? 0, side, type, timeInForce, priceTicks, quantityLots } as const;
    const reject = this.#core.check(command);
    if (reject !== REJECT.none) throw problemOfReject(reject);
    const account = this.#accounts.intern(accountName);
    const batch = this.#open();
    const orderId = this.#core.sequence + 1;
    const timestampMicros = this.#tick();
    const order: MutableOrder = {
      id: orderId,
      instrument,
      account,
      side,
      type,
      timeInForce,
      priceTicks,
      quantityLots,
      remainingLots: quantityLots,
      status: OPEN,
      clientOrderId,
      createdAtMicros: timestampMicros,
    };
    batch.orders.push(order);
    const fills = this.#apply(batch, orderId, timestampMicros, { ...command, account });
    const answer = placed(order, fills, false);
    if (key !== undefined) this.#pendingIds.set(key, { placed: answer, batch });
    await batch.done.promise;
    return answer;
  }

  /** Cancels a resting order; resolves when that is durable. Throws Problem when it rests on no book. */
  async cancel(orderId: number): Promise<void> {
    this.#refuseWhenFailed();
    const instrument = this.#core.find(orderId);
    if (instrument < 0) throw problemOfReject(REJECT.unknownOrder);
    const command = { kind: CANCEL_ORDER, instrument, orderId } as const;
    const reject = this.#core.check(command);
    if (reject !== REJECT.none) throw problemOfReject(reject);
    const batch = this.#open();
    this.#apply(batch, this.#core.sequence + 1, this.#tick(), command);
    await batch.done.promise;
  }

  /** Resolves when everything that was matched before the call is durable; rejects when it could not be made so. */
  async settled(): Promise<void> {
    this.#refuseWhenFailed();
    if (this.#batch.entries.length > 0) await this.#batch.done.promise;
    else if (this.#committing !== undefined) await this.#committing.done.promise;
  }

  #refuseWhenFailed(): void {
    if (this.#failure !== undefined) throw journalProblem(this.#failure);
  }

  #tick(): number {
    this.#lastMicros = Math.max(this.#lastMicros, this.#nowMicros());
    return this.#lastMicros;
  }

  #open(): Batch {
    if (!this.#scheduled && this.#committing === undefined) {
      this.#scheduled = true;
      // After the poll phase: every request that this tick has read is in the batch by then.
      setImmediate(() => void this.#commitAll());
    }
    return this.#batch;
  }

  #apply(batch: Batch, sequence: number, timestampMicros: number, command: Command): FillRecord[] {
    const sink = new BatchSink(batch, sequence, command.instrument);
    const start = process.hrtime.bigint();
    try {
      this.#core.apply(sequence, timestampMicros, command, sink);
    } catch (cause) {
      // A fault in the core: nothing that it says can be trusted any more, so the process must end before it says more.
      this.#failure = cause instanceof Error ? cause : new Error(String(cause));
      setImmediate(() => {
        throw cause;
      });
      throw cause;
    }
    this.#observer.matched(Number(process.hrtime.bigint() - start));
    batch.entries.push({ sequence, timestampMicros, command });
    return sink.fills;
  }

  async #commitAll(): Promise<void> {
    this.#scheduled = false;
    if (this.#failure !== undefined) return;
    while (this.#batch.entries.length > 0) {
      const batch = this.#batch;
      this.#batch = emptyBatch();
      this.#committing = batch;
      batch.accounts.push(...this.#accounts.takeUnrecorded());
      const start = performance.now();
      try {
        await this.#journal.append(batch.entries[0]?.sequence ?? 0, batch);
      } catch (cause) {
        this.#fail(cause instanceof Error ? cause : new Error(String(cause)), batch);
        return;
      }
      this.#observer.committed(batch.entries.length, batch.fills.length, (performance.now() - start) * 1e6);
      this.#forget(batch);
      this.#committing = undefined;
      batch.done.resolve();
      // Between batches, so that no order waits while the books take memory.
      this.#core.reserve();
    }
  }

  #forget(batch: Batch): void {
    for (const { account, clientOrderId } of batch.orders) {
      if (clientOrderId !== null) this.#pendingIds.delete(`${this.#accounts.name(account)} ${clientOrderId}`);
    }
  }

  #fail(cause: Error, batch: Batch): void {
    this.#failure = cause;
    if (!(cause instanceof JournalError) || cause.code !== 'HFT_JOURNAL_FULL') {
      this.#onFatal(cause);
      return;
    }
    this.#committing = undefined;
    const gathered = this.#batch;
    this.#batch = emptyBatch();
    const problem = journalProblem(cause);
    batch.done.reject(problem);
    gathered.done.reject(problem);
    this.#onFull(cause);
  }
}

function placed(order: OrderRecord, fills: readonly FillRecord[], repeated: boolean): Placed {
  const remainingLots = fills.reduce((left, { quantityLots }) => left - quantityLots, order.quantityLots);
  const rests = order.type === LIMIT && order.timeInForce === GTC;
  return { order: { ...order, remainingLots, status: remainingLots === 0 ? FILLED : rests ? OPEN : CANCELLED }, fills, repeated };
}

/** What a client is told when the journal cannot be written. */
export function journalProblem(cause: Error): Problem {
  const full = 'code' in cause && cause.code === 'HFT_JOURNAL_FULL';
  return new Problem(
    full ? 'HFT_JOURNAL_FULL' : 'HFT_JOURNAL_FAILED',
    full
      ? 'no room is left for the journal: orders are refused until there is'
      : 'a commit failed and its outcome is not known: the engine stops, and recovers what is there',
    { retryAfterMs: 1000 },
  );
}
