/**
 * The fast way in, for gateways that carry many orders over one connection: numbers are written into the journal's ring, and what comes of them waits
 * in an {@link AnswerRing} until it is durable. Then each connection is given its answers, in order, and told to send them: once for all orders
 * of a tick. No promise, object or text for an order.
 *
 * A refusal may tell of what others have done, so it waits for that to be durable too. Only what says nothing of the books is told at once: that
 * nothing is taken now, or that as many answers wait as memory holds, in all or of this connection (REJECT.busy: the order was not looked at, send it
 * again).
 */
import { CANCELLED, MOST_ACCOUNTS, REJECT, type Reject } from '../core/types.ts';
import { ACCOUNT_NAME } from '../journal/types.ts';
import { FILL_EVENT, ORDER_EVENT } from './event-buffer.ts';
import type { Market } from './market.ts';
import { AnswerQueue, type AnswerStats, type EntryLink } from './answer-queue.ts';
import { ANSWER, type AnswerKind } from './order-answers.ts';
import { EntryOrder, EntryReplacement, writeCancel, writeMassCancel, writeOrder, writeReplacement } from './entry-terms.ts';
import { OrderOutcome } from './order-outcome.ts';
import { MOST_ANSWERED_FILLS } from './placed.ts';
import type { Actor } from './principal-numbers.ts';
import type { Problem } from './problem.ts';
import type { DurableListener } from './sequencer.ts';

type EntryMarket = Pick<Market, 'core' | 'sequencer' | 'accounts'>;

/** An account on whose behalf orders come, and who sends them. A connection makes its own when it is authorised for it, and uses it with every order. */
export class EntryAccount {
  readonly name: string;
  /** In the core of {@link market}; -1 before its first command was accepted. */
  id = -1;
  market: EntryMarket | undefined;
  readonly actor: Actor;

  constructor(name: string, actor: Actor) {
    this.name = name;
    this.actor = actor;
  }
}

export interface EntryParts {
  readonly engine: {
    /** undefined while nothing is taken. */
    readonly accepting: EntryMarket | undefined;
    refusal(): Problem;
  };
  /** Whether new orders and replacements are taken: not looked at while `shut` is 0. */
  readonly admission?: {
    readonly shut: number;
    refuseOrder(nowMs: number): Reject;
    /** One was taken. */
    ordered(): void;
  };
  readonly limiter: {
    /** Takes a token: 0 when there was one. */
    take(account: string, nowMs: number): number;
    giveBack(account: string): void;
  };
  readonly stats: AnswerStats;
  /** Answers that wait at most: a power of two. */
  readonly capacity?: number;
}

const CAPACITY = 65_536;
/** So that one connection cannot have all the others refused. */
const MOST_OF_LINK = 1 / 4;
const MOST_SELF_TRADE = 7;
const OPEN_TO_ALL = { shut: 0, refuseOrder: (): Reject => REJECT.none, ordered: (): void => undefined };

export class OrderEntry implements DurableListener {
  /** What {@link place} takes. */
  readonly order = new EntryOrder();
  /** What {@link replace} takes. */
  readonly replacement = new EntryReplacement();
  readonly #engine: EntryParts['engine'];
  readonly #limiter: EntryParts['limiter'];
  readonly #admission: NonNullable<EntryParts['admission']>;
  readonly #queue: AnswerQueue;
  readonly #mostOfLink: number;
  readonly #outcome = new OrderOutcome();
  #market: EntryMarket | undefined;
  #scheduled = false;

  constructor({ engine, limiter, stats, admission = OPEN_TO_ALL, capacity = CAPACITY }: EntryParts) {
    this.#engine = engine;
    this.#admission = admission;
    this.#limiter = limiter;
    this.#queue = new AnswerQueue(stats, capacity);
    this.#mostOfLink = capacity * MOST_OF_LINK;
  }

  /** Answers that wait, of all links. */
  get waiting(): number {
    return this.#queue.ring.size;
  }

  /** How full the ring of answers is, from 0 to 1. */
  get fill(): number {
    const { size, room } = this.#queue.ring;
    return size / (size + room);
  }

  /** Answers of one link that wait. */
  waitingOf(link: number): number {
    return this.#queue.waitingOf(link);
  }

  /** Gives the number under which `link` sends and is answered. */
  connect(link: EntryLink): number {
    return this.#queue.connect(link);
  }

  /** The connection has ended: its answers have nowhere to go. What it has sent stays sent. */
  disconnect(link: number): void {
    this.#queue.disconnect(link);
  }

  /** Places {@link order}. `receivedMs`, here and below: when the request arrived, on the clock of performance.now(). */
  place(link: number, request: number, account: EntryAccount, receivedMs: number): void {
    const market = this.#begin(link, request, account, receivedMs);
    if (market === undefined || this.#isShut(link, request, receivedMs)) return;
    const { order } = this;
    const waitMs = this.#limiter.take(account.name, receivedMs);
    const limited = waitMs !== 0;
    // What had been accepted before is answered at any rate.
    const unknown = account.id < 0 || (order.idLow | order.idHigh) === 0;
    if (limited && unknown) return this.#reject(link, request, REJECT.rate, receivedMs, waitMs);
    if (order.selfTrade > MOST_SELF_TRADE) return this.#reject(link, request, REJECT.badTerms, receivedMs);
    const { accounts, core, sequencer } = market;
    const isNew = account.id < 0;
    if (isNew && accounts.count >= MOST_ACCOUNTS) return this.#reject(link, request, REJECT.badAccount, receivedMs);
    const at = sequencer.begin();
    if (at < 0 || !sequencer.by(account.actor) || (isNew && !sequencer.text(ACCOUNT_NAME, account.name)))
      return this.#refuse(link, request, sequencer.refusal(), receivedMs);
    writeOrder(sequencer.slots, at, isNew ? accounts.count : account.id, order, limited);
    const reject = sequencer.submit();
    if (reject === REJECT.none) {
      if (isNew) {
        account.id = accounts.count;
        accounts.add(account.name);
      }
      this.#admission.ordered();
      this.#accept(link, request, ANSWER.placed, core.sequence, order.quantityLots, receivedMs);
    } else if (reject === REJECT.duplicate) {
      if (!limited) this.#limiter.giveBack(account.name);
      this.#push(link, request, receivedMs, ANSWER.placed, core.duplicateOf, 0, 0, 1);
    } else this.#reject(link, request, limited ? REJECT.rate : reject, receivedMs, waitMs);
  }

  /** Changes an order of `account` as {@link replacement} says. */
  replace(link: number, request: number, account: EntryAccount, receivedMs: number): void {
    const market = this.#begin(link, request, account, receivedMs);
    if (market === undefined || this.#isShut(link, request, receivedMs)) return;
    if (account.id < 0) return this.#reject(link, request, REJECT.unknownOrder, receivedMs);
    const waitMs = this.#limiter.take(account.name, receivedMs);
    if (waitMs !== 0) return this.#reject(link, request, REJECT.rate, receivedMs, waitMs);
    const { sequencer } = market;
    const at = sequencer.begin();
    if (at < 0 || !sequencer.by(account.actor)) return this.#refuse(link, request, sequencer.refusal(), receivedMs);
    writeReplacement(sequencer.slots, at, account.id, this.replacement);
    const reject = sequencer.submit();
    if (reject !== REJECT.none) return this.#reject(link, request, reject, receivedMs);
    this.#admission.ordered();
    this.#accept(link, request, ANSWER.replaced, this.replacement.orderId, 0, receivedMs);
  }

  /** Cancels an order of `account`. */
  cancel(link: number, request: number, account: EntryAccount, orderId: number, receivedMs: number): void {
    const market = this.#begin(link, request, account, receivedMs);
    if (market === undefined) return;
    if (account.id < 0) return this.#reject(link, request, REJECT.unknownOrder, receivedMs);
    const { sequencer } = market;
    const at = sequencer.begin();
    if (at < 0 || !sequencer.by(account.actor)) return this.#refuse(link, request, sequencer.refusal(), receivedMs);
    writeCancel(sequencer.slots, at, account.id, orderId);
    const reject = sequencer.submit();
    if (reject === REJECT.none) this.#accept(link, request, ANSWER.cancelled, orderId, 0, receivedMs);
    else this.#reject(link, request, reject, receivedMs);
  }

  /** Cancels every order of `account`, in one instrument or in ALL_INSTRUMENTS. It costs a token, as it is recorded even when there is nothing to cancel. */
  massCancel(link: number, request: number, account: EntryAccount, instrument: number, receivedMs: number): void {
    const market = this.#begin(link, request, account, receivedMs);
    if (market === undefined) return;
    const { sequencer } = market;
    // Of an account that nobody has heard of there is none.
    if (account.id < 0) return this.#push(link, request, receivedMs, ANSWER.massCancelled, 0, 0, 0, 0);
    const waitMs = this.#limiter.take(account.name, receivedMs);
    if (waitMs !== 0) return this.#reject(link, request, REJECT.rate, receivedMs, waitMs);
    const at = sequencer.begin();
    if (at < 0 || !sequencer.by(account.actor)) {
      this.#limiter.giveBack(account.name);
      return this.#refuse(link, request, sequencer.refusal(), receivedMs);
    }
    writeMassCancel(sequencer.slots, at, account.id, instrument);
    const reject = sequencer.submit();
    if (reject !== REJECT.none) {
      this.#limiter.giveBack(account.name);
      return this.#reject(link, request, reject, receivedMs);
    }
    const { events } = sequencer;
    let count = 0;
    for (let index = 0; index < events.count; index += 1)
      if (events.kind(index) === ORDER_EVENT && events.value(index, 2) === CANCELLED) count += 1;
    this.#push(link, request, receivedMs, ANSWER.massCancelled, 0, count, 0, 0);
  }

  /** Everything up to `sequence` is durable: whoever waited for it is answered. */
  durable(sequence: number): void {
    this.#queue.release(sequence);
  }

  /** Nothing that waits has happened. */
  refused(problem: Problem): void {
    this.#queue.refuse(problem);
  }

  /** The market, and the account as it is known there; undefined when the request has been refused. */
  #begin(link: number, request: number, account: EntryAccount, receivedMs: number): EntryMarket | undefined {
    const market = this.#engine.accepting;
    if (market === undefined) {
      this.#refuse(link, request, this.#engine.refusal(), receivedMs);
      return undefined;
    }
    if (this.#queue.ring.room === 0 || this.#queue.waitingOf(link) >= this.#mostOfLink) {
      this.#aside(link, request, REJECT.busy, receivedMs);
      return undefined;
    }
    if (market !== this.#market) {
      // The books were rebuilt, and all that waited for the old ones has been refused.
      this.#market = market;
      market.sequencer.listen(this);
    }
    if (account.market !== market || account.id < 0) {
      account.market = market;
      account.id = market.accounts.find(account.name) ?? -1;
    }
    return market;
  }

  /** Whether new orders and replacements are refused now, which this one then is. */
  #isShut(link: number, request: number, receivedMs: number): boolean {
    if (this.#admission.shut === 0) return false;
    const reject = this.#admission.refuseOrder(receivedMs);
    if (reject === REJECT.none) return false;
    this.#aside(link, request, reject, receivedMs);
    return true;
  }

  /** The command was taken: its answer, and the fills of its order. */
  #accept(link: number, request: number, kind: AnswerKind, orderId: number, lots: number, receivedMs: number): void {
    const { core, sequencer } = this.#market as EntryMarket;
    const outcome = this.#outcome;
    outcome.read(sequencer.events, orderId, lots);
    const { filledLots, remainingLots, status, reason, fills } = outcome;
    this.#queue.count(link);
    const { sequence } = core;
    const time = sequencer.timestampMicros;
    this.#queue.ring.push(link, request, receivedMs, kind, sequence, time, orderId, filledLots, remainingLots, status, reason, fills, 0);
    if (fills !== 0) this.#pushFills(link, request, orderId, receivedMs);
  }

  /** As many as there is room for: the answer says how many there are. */
  #pushFills(link: number, request: number, orderId: number, receivedMs: number): void {
    const { core, sequencer } = this.#market as EntryMarket;
    const { events } = sequencer;
    const { ring } = this.#queue;
    const { sequence } = core;
    const time = sequencer.timestampMicros;
    let left = Math.min(MOST_ANSWERED_FILLS, ring.room);
    let place = -1;
    for (let index = 0; index < events.count && left > 0; index += 1) {
      if (events.kind(index) !== FILL_EVENT) continue;
      place += 1;
      const maker = events.value(index, 1) === orderId;
      if (!maker && events.value(index, 2) !== orderId) continue;
      left -= 1;
      const lots = events.value(index, 4);
      const remaining = events.value(index, maker ? 5 : 6);
      this.#queue.count(link);
      ring.push(
        link,
        request,
        receivedMs,
        ANSWER.fill,
        sequence,
        time,
        orderId,
        lots,
        remaining,
        maker ? 0 : 1,
        place,
        events.value(index, 3),
        events.value(index, 0),
      );
    }
  }

  /** A refusal of what was looked at; of a rate, with what is to be waited. */
  #reject(link: number, request: number, reject: Reject, receivedMs: number, waitMs = 0): void {
    this.#push(link, request, receivedMs, ANSWER.rejected, 0, 0, reject, 0, Math.ceil(waitMs));
  }

  /** An answer without an outcome. It leaves as soon as nothing of what it could tell of is waited for. */
  #push(
    link: number,
    request: number,
    receivedMs: number,
    kind: AnswerKind,
    orderId: number,
    filled: number,
    status: number,
    extra: number,
    detail = 0,
  ): void {
    const { core, sequencer } = this.#market as EntryMarket;
    this.#queue.count(link);
    this.#queue.ring.push(
      link,
      request,
      receivedMs,
      kind,
      core.sequence,
      sequencer.timestampMicros,
      orderId,
      filled,
      0,
      status,
      0,
      detail,
      extra,
    );
    if (core.sequence <= sequencer.durableSequence) this.#soon();
  }

  #refuse(link: number, request: number, problem: Problem, receivedMs: number): void {
    this.#aside(link, request, problem.number ?? REJECT.journal, receivedMs);
  }

  /** A refusal that says nothing of the books, told at once. */
  #aside(link: number, request: number, reject: number, receivedMs: number): void {
    this.#queue.count(link);
    this.#queue.give(this.#queue.ring.aside(link, request, receivedMs, reject));
    this.#soon();
  }

  /** At the end of this turn: what need not wait for a commit. */
  #soon(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(this.#afterTurn);
  }

  readonly #afterTurn = (): void => {
    this.#scheduled = false;
    if (this.#market === undefined) this.#queue.send();
    else this.#queue.release(this.#market.sequencer.durableSequence);
  };
}
