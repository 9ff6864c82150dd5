/**
 * The single writer. A command is written into the journal's ring, checked and matched there, and pushed to be made durable with all others
 * of the same event-loop tick; whoever sent it is told when that has happened. Nothing on this path allocates, waits or catches.
 *
 * Matching runs ahead of the journal by what the ring holds. When a commit finds no room, nothing of it was written: every command that is
 * not durable is refused, and the books are wrong until they are rebuilt from the journal: `onFull` must do that, and this sequencer refuses until
 * then. After any other failure nobody knows whether the commands will be there after a restart: they are neither acknowledged nor refused, and
 * `onFatal` must end the process.
 */
import { encodeCommand, PRINCIPAL_WORD, SLOT_WORDS, type CommandSlots } from '../core/command.ts';
import { ADVANCE_TIME, BUY, GTC, LIMIT, NEW_ORDER, REJECT, type Command, type Core, type Reject } from '../core/types.ts';
import { ACCOUNT_NAME, CLIENT_ORDER_ID, PRINCIPAL_NAME, type Journal, type JournalError, type TextKind } from '../journal/types.ts';
import type { Accounts } from './accounts.ts';
import { hashClientOrderId } from './client-order-id.ts';
import { EventBuffer } from './event-buffer.ts';
import { PrincipalNumbers, type Actor } from './principal-numbers.ts';
import { busyProblem, drainingProblem, journalProblem, type Problem } from './problem.ts';

/** What the sequencer tells about its work. */
export interface SequencerObserver {
  /** One command was matched. Every command that is sent as an object, and one of {@link TIMED_EVERY} of the others. */
  matched(durationNanos: number): void;
  committed(commands: number, fills: number, durationNanos: number): void;
}

/** For gateways that keep their own answers in order of sequence, and need no promise for each. */
export interface DurableListener {
  /** Everything up to `sequence` is durable: answers may leave. */
  durable(sequence: number): void;
  /** Everything after the last durable sequence is refused. */
  refused(problem: Problem): void;
}

/** The texts that go with a command. */
export interface CommandTexts {
  /** Name of the account that sends it: recorded with the first command that is accepted of it. */
  readonly account?: string | undefined;
  readonly clientOrderId?: string | null | undefined;
  /** Who sends it; the engine itself without one. */
  readonly actor?: Actor | undefined;
}

export interface SequencerParts {
  readonly core: Core;
  readonly journal: Pick<Journal, 'ring' | 'durableSequence' | 'listen' | 'flush'>;
  readonly accounts: Accounts;
  readonly observer: SequencerObserver;
  readonly nowMicros: () => number;
  readonly onFull: (cause: JournalError) => void;
  readonly onFatal: (cause: Error) => void;
}

/** Commands between two that are timed, where reading the clock twice would cost more than matching. */
export const TIMED_EVERY = 64;
/** Longest sleep until what is due is looked for again: clocks are set back and forth. */
const LONGEST_SLEEP_MS = 1000;
/** Waiters that have been told are dropped from the list this many at a time. */
const DROPPED_AT_ONCE = 1024;

interface Waiter {
  readonly sequence: number;
  readonly resolve: () => void;
  readonly reject: (problem: Problem) => void;
}

export class Sequencer {
  /** What the last command did; valid until the next one is begun. */
  readonly events = new EventBuffer();
  /** The slots that {@link begin} gives places in. */
  readonly slots: CommandSlots;
  readonly #core: Core;
  readonly #journal: SequencerParts['journal'];
  readonly #accounts: Accounts;
  readonly #observer: SequencerObserver;
  readonly #nowMicros: () => number;
  readonly #onFull: (cause: JournalError) => void;
  readonly #onFatal: (cause: Error) => void;
  readonly #listeners: DurableListener[] = [];
  /** Fills of the commands that are not durable yet, by sequence modulo the length: a power of two, and more than the ring holds. */
  readonly #fillsOf: Uint32Array;
  #at = -1;
  #texts = false;
  #numbers = new PrincipalNumbers();
  /** Number of who sends the command that has been begun; 0 for the engine itself. */
  #sentBy = 0;
  /** Who has no number yet, and gets that one if the command is taken. */
  #introduced: Actor | undefined;
  #untilTimed = TIMED_EVERY;
  #lastMicros: number;
  #durable: number;
  #failure: Problem | undefined;
  #waiters: Waiter[] = [];
  #told = 0;
  #alarm: NodeJS.Timeout | undefined;
  #alarmMicros = Infinity;
  readonly #bits = { low: 0, high: 0 };

  /** `core` and `accounts` are as recovery left them. */
  constructor(parts: SequencerParts) {
    this.#core = parts.core;
    this.#journal = parts.journal;
    this.#accounts = parts.accounts;
    this.#observer = parts.observer;
    this.#nowMicros = parts.nowMicros;
    this.#onFull = parts.onFull;
    this.#onFatal = parts.onFatal;
    this.slots = parts.journal.ring.slots;
    this.#lastMicros = parts.core.timestampMicros;
    this.#durable = parts.journal.durableSequence;
    this.#fillsOf = new Uint32Array(2 ** Math.ceil(Math.log2(this.slots.words.length / SLOT_WORDS + 1)));
    parts.journal.listen({
      durable: (sequence, commands, nanos) => this.#acknowledge(sequence, commands, nanos),
      failed: (cause) => this.#fail(cause),
    });
    this.#setAlarm();
  }

  /** Sequence of the last command. */
  get sequence(): number {
    return this.#core.sequence;
  }

  get durableSequence(): number {
    return this.#durable;
  }

  /** Time of the last command; that of the next one between {@link begin} and {@link submit}. */
  get timestampMicros(): number {
    return this.#lastMicros;
  }

  /** Who waits for a command to become durable. */
  get waiting(): number {
    return this.#waiters.length - this.#told;
  }

  /** Whether as many commands without texts would surely be taken in this turn of the event loop. */
  hasRoomFor(commands: number): boolean {
    // A command takes two slots at most, what is due before the first another.
    return this.#failure === undefined && (this.#journal.ring.waiting + commands + 1) * 2 < this.slots.words.length / SLOT_WORDS;
  }

  listen(listener: DurableListener): void {
    this.#listeners.push(listener);
  }

  /**
   * The place for the next command: index of the first word of its slot in {@link slots}, or -1 when none is taken now ({@link refusal} says
   * why). Does what is due before, so that the command meets the books of its own time.
   */
  begin(): number {
    this.#sentBy = 0;
    this.#introduced = undefined;
    if (this.#failure !== undefined) return -1;
    const nowMicros = this.#nowMicros();
    if (nowMicros > this.#lastMicros) this.#lastMicros = nowMicros;
    if (this.#lastMicros >= this.#core.nextDueMicros && !this.#advance()) return -1;
    this.#at = this.#journal.ring.at();
    return this.#at;
  }

  /**
   * Says who sends the command that has been begun: it is recorded with it, and nobody judges it by that. false when there is no room for a new name: the
   * command must not be submitted then.
   */
  by(actor: Actor): boolean {
    if (actor.numbers !== this.#numbers && !this.#numbers.knows(actor)) return this.#introduce(actor);
    this.#sentBy = actor.number;
    return true;
  }

  /** Adds a text to the command that has been begun. false when there is no room for it: the command must not be submitted then, and the next one be begun anew. */
  text(kind: TextKind, text: string): boolean {
    this.#texts = true;
    if (this.#journal.ring.text(kind, text)) return true;
    this.#dropTexts();
    return false;
  }

  /**
   * Takes the command whose slot the caller has written at the place that {@link begin} gave, all but its time: checked, matched, and on its way
   * to be durable, as `sequence`. A reject changes nothing.
   */
  submit(): Reject {
    this.#untilTimed -= 1;
    if (this.#untilTimed > 0) return this.#submit();
    this.#untilTimed = TIMED_EVERY;
    return this.#submitTimed();
  }

  /**
   * As {@link begin} and {@link submit}, for a command as an object and with its texts. Throws Problem when nothing is taken now. For gateways to
   * which an allocation is nothing.
   */
  send(command: Command, texts: CommandTexts = {}): Reject {
    const at = this.begin();
    if (at < 0) throw this.refusal();
    const { account, clientOrderId = null, actor } = texts;
    if (actor !== undefined && !this.by(actor)) throw this.refusal();
    const unknown = account !== undefined && this.#accounts.find(account) === undefined;
    if (unknown && !this.text(ACCOUNT_NAME, account)) throw this.refusal();
    if (clientOrderId !== null && !this.text(CLIENT_ORDER_ID, clientOrderId)) throw this.refusal();
    encodeCommand(this.slots, at, this.#lastMicros, command);
    const reject = this.#guarded();
    if (unknown && reject === REJECT.none) this.#accounts.add(account);
    return reject;
  }

  /** The order that `account` has sent under this client order id, as long as the core remembers it; 0 when it has sent none. Throws Problem. */
  firstOrderOf(account: number, clientOrderId: string): number {
    hashClientOrderId(clientOrderId, this.#bits);
    // An order that can never be accepted: the only thing that is looked at before its quantity, and is there at all, is the id.
    const probe = {
      kind: NEW_ORDER,
      instrument: 0,
      account,
      side: BUY,
      type: LIMIT,
      timeInForce: GTC,
      priceTicks: 0,
      quantityLots: 0,
      clientIdLow: this.#bits.low,
      clientIdHigh: this.#bits.high,
    } as const;
    return this.send(probe) === REJECT.duplicate ? this.#core.duplicateOf : 0;
  }

  /** Why {@link begin} gave -1, or {@link text} false. */
  refusal(): Problem {
    return this.#failure ?? busyProblem();
  }

  /** Resolves when the command at `sequence` is durable; rejects with a Problem when it could not be made so. */
  async durable(sequence: number): Promise<void> {
    if (sequence <= this.#durable) return;
    if (this.#failure !== undefined) throw this.#failure;
    await new Promise<void>((resolve, reject) => {
      // The list stays in order of sequence: who waits for less than the last one waits for that one too.
      const last = this.#waiters.at(-1)?.sequence ?? 0;
      this.#waiters.push({ sequence: Math.max(last, sequence), resolve, reject });
    });
  }

  /** Resolves when everything that was matched before the call is durable. */
  async settled(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    await this.durable(this.#core.sequence);
  }

  /** Takes nothing any more. What has been taken still becomes durable and is told of. */
  close(): void {
    this.#failure ??= drainingProblem();
    this.#disarm();
  }

  #submit(): Reject {
    const { ring } = this.#journal;
    const core = this.#core;
    this.slots.doubles[(this.#at >> 1) + 2] = this.#lastMicros;
    this.slots.words[this.#at + PRINCIPAL_WORD] = this.#sentBy;
    this.events.clear();
    const reject = core.submit(this.slots, this.#at, this.events);
    if (reject !== REJECT.none) {
      if (this.#texts) this.#dropTexts();
      return reject;
    }
    this.#texts = false;
    if (this.#introduced !== undefined) this.#numbers.add(this.#introduced);
    this.#introduced = undefined;
    this.#fillsOf[core.sequence & (this.#fillsOf.length - 1)] = this.events.fills;
    ring.push();
    this.#journal.flush();
    if (core.nextDueMicros < this.#alarmMicros) this.#setAlarm();
    return REJECT.none;
  }

  #submitTimed(): Reject {
    const startMs = performance.now();
    const reject = this.#submit();
    if (reject === REJECT.none) this.#observer.matched((performance.now() - startMs) * 1e6);
    return reject;
  }

  /** A fault in the core: nothing that it says can be trusted any more, so the process must end before it says more. */
  #guarded(): Reject {
    try {
      return this.#submitTimed();
    } catch (cause) {
      const fault = cause instanceof Error ? cause : new Error(String(cause));
      this.#failure = journalProblem(fault);
      this.#onFatal(fault);
      throw cause;
    }
  }

  #introduce(actor: Actor): boolean {
    // Then every number is given again, with its name.
    if (this.#numbers.isFull) this.#numbers = new PrincipalNumbers();
    this.#sentBy = this.#numbers.next;
    this.#introduced = actor;
    return this.text(PRINCIPAL_NAME, actor.name);
  }

  #dropTexts(): void {
    this.#journal.ring.dropTexts();
    this.#texts = false;
  }

  #advance(): boolean {
    this.#at = this.#journal.ring.at();
    if (this.#at < 0) return false;
    encodeCommand(this.slots, this.#at, this.#lastMicros, { kind: ADVANCE_TIME });
    this.#guarded();
    return true;
  }

  /** Wakes up for what is due next, when nobody sends anything by then. */
  #setAlarm(): void {
    clearTimeout(this.#alarm);
    this.#alarmMicros = this.#core.nextDueMicros;
    if (this.#alarmMicros === Infinity) return;
    const sleepMs = Math.min(LONGEST_SLEEP_MS, Math.max(1, Math.ceil((this.#alarmMicros - this.#nowMicros()) / 1000)));
    this.#alarm = setTimeout(() => {
      // Begun and left: what is due has been done then. A full ring is tried again.
      this.begin();
      if (this.#failure === undefined) this.#setAlarm();
    }, sleepMs).unref();
  }

  #disarm(): void {
    clearTimeout(this.#alarm);
    // Nothing is ever due before this: the alarm is not set again.
    this.#alarmMicros = 0;
  }

  #acknowledge(sequence: number, commands: number, nanos: number): void {
    let fills = 0;
    for (let one = this.#durable + 1; one <= sequence; one += 1) fills += this.#fillsOf[one & (this.#fillsOf.length - 1)] as number;
    this.#durable = sequence;
    this.#observer.committed(commands, fills, nanos);
    for (const listener of this.#listeners) listener.durable(sequence);
    const waiters = this.#waiters;
    for (let waiter = waiters[this.#told]; waiter !== undefined && waiter.sequence <= sequence; waiter = waiters[this.#told]) {
      this.#told += 1;
      waiter.resolve();
    }
    if (this.#told >= DROPPED_AT_ONCE || this.#told === waiters.length) {
      waiters.splice(0, this.#told);
      this.#told = 0;
    }
    // Between commits, so that no order waits while the books take memory.
    this.#core.reserve();
  }

  #fail(cause: JournalError): void {
    this.#failure = journalProblem(cause);
    this.#disarm();
    if (cause.code !== 'HFT_JOURNAL_FULL') {
      this.#onFatal(cause);
      return;
    }
    const refused = this.#waiters.slice(this.#told);
    this.#waiters = [];
    this.#told = 0;
    for (const listener of this.#listeners) listener.refused(this.#failure);
    for (const { reject } of refused) reject(this.#failure);
    this.#onFull(cause);
  }
}
