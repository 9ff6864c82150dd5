/** Drives the core and the naive model with the same commands and throws at the first difference. For tests and proofs. */
import { deepStrictEqual, ok, strictEqual } from 'node:assert';
import { CommandSlots, commandWords, decodeCommand, encodeCommand, SLOT_BYTES, SLOT_WORDS } from '../core/command.ts';
import type { CoreOptions } from '../core/core-state.ts';
import { MatchingCore } from '../core/core.ts';
import { NaiveExchange } from '../core/naive-model.ts';
import { NO_LIMITS, type Step } from '../core/random-commands.ts';
import {
  ANY_ACCOUNT,
  BUY,
  NEW_ORDER,
  REJECT,
  SELL,
  type AccountRules,
  type BookView,
  type Command,
  type Core,
  type EventSink,
  type InstrumentRules,
  type Position,
  type Reject,
} from '../core/types.ts';

/** Writes events down as lines. */
class Recorder implements EventSink {
  readonly events: string[] = [];
  fill(...event: number[]): void {
    this.events.push(`fill ${event.join(' ')}`);
  }
  order(...event: number[]): void {
    this.events.push(`order ${event.join(' ')}`);
  }
  replaced(...event: number[]): void {
    this.events.push(`replaced ${event.join(' ')}`);
  }
  triggered(...event: number[]): void {
    this.events.push(`triggered ${event.join(' ')}`);
  }
  state(...event: number[]): void {
    this.events.push(`state ${event.join(' ')}`);
  }
}

/** Accounts whose switches and positions are looked at, beside those that hold something. */
const ACCOUNTS = 10;

/** Places that commands are written at in turn, as in a ring. */
const PLACES = 5;

/** Accepted commands are kept for the replay in buffers of so many bytes. */
const HISTORY_BYTES = 2 ** 20;

/** What stands in words that are not the command's: as much of a price, a quantity and a flag as of nothing. */
const FOREIGN_WORD = 0x4059_0000;

interface Options extends CoreOptions {
  /** Rules that every instrument begins with. */
  readonly rules?: InstrumentRules;
  /**
   * Whether sums of lots stay safe integers, so that the open lots of positions can be compared. Beyond, they depend on the order in which they
   * were added up.
   */
  readonly exactSums?: boolean;
}

export class Differential {
  readonly core: MatchingCore;
  readonly naive: NaiveExchange;
  /** Commands submitted. */
  submitted = 0;
  /** Events compared. */
  events = 0;
  readonly #instruments: number;
  readonly #options: Options;
  readonly #rules: InstrumentRules[];
  #accountRules: AccountRules = { maxOpenOrders: Infinity };
  readonly #scratch = new CommandSlots(new ArrayBuffer(PLACES * 2 * SLOT_BYTES));
  /** Where the command stands that is submitted. */
  #at = 0;
  readonly #history: CommandSlots[] = [];
  #historyWords = HISTORY_BYTES / 4;
  /** A core that was restored on the way, and is then given the same commands. */
  #restored: Core | undefined;

  constructor(instruments: number, options: Options = {}) {
    this.#instruments = instruments;
    this.#options = options;
    this.core = new MatchingCore(options);
    this.naive = new NaiveExchange(options);
    this.#rules = Array.from({ length: instruments }, () => options.rules ?? NO_LIMITS);
    for (const exchange of [this.core, this.naive]) this.#rules.forEach((rules, instrument) => exchange.setInstrument(instrument, rules));
  }

  /** Takes a step of a random stream. */
  step(step: Step): void {
    if ('command' in step) this.submit(step.timestampMicros, step.command);
    else if ('rules' in step) {
      this.#rules[step.instrument] = step.rules;
      for (const exchange of this.#all()) exchange.setInstrument(step.instrument, step.rules);
    } else {
      this.#accountRules = step.accountRules;
      for (const exchange of this.#all()) exchange.setAccountRules(step.accountRules);
    }
  }

  /** Submits a command to both; compares the answer, the events, and what single orders and best prices look like afterwards. */
  submit(timestampMicros: number, command: Command): void {
    const { core, naive } = this;
    this.submitted += 1;
    this.#scratch.words.fill(FOREIGN_WORD);
    this.#at = (this.submitted % PLACES) * 2 * SLOT_WORDS;
    const words = encodeCommand(this.#scratch, this.#at, timestampMicros, command);
    // Where a command of one slot ends, another one's begins.
    this.#scratch.words.fill(FOREIGN_WORD, this.#at + words);
    // What slots cannot hold, such as an account with a fraction, neither of them sees.
    const asRead = decodeCommand(this.#scratch, this.#at);
    const [ours, theirs] = [new Recorder(), new Recorder()];
    try {
      const dueMicros = core.nextDueMicros;
      ok(dueMicros <= naive.nextDueMicros, `something is due at ${naive.nextDueMicros}, not only at ${dueMicros}`);
      const reject = core.submit(this.#scratch, this.#at, ours);
      const expected = naive.submit(timestampMicros, asRead, theirs);
      deepStrictEqual([nameOf(reject), ...ours.events], [nameOf(expected), ...theirs.events], 'answer and events');
      this.events += ours.events.length;
      if (reject === REJECT.duplicate) strictEqual(core.duplicateOf, naive.duplicateOf, 'duplicateOf');
      if (reject === REJECT.none) this.#remember(words);
      strictEqual(core.sequence, naive.sequence, 'sequence');
      strictEqual(core.timestampMicros, naive.timestampMicros, 'timestamp');
      if (command.kind === NEW_ORDER && command.instrument in this.#rules) this.#compareTop(command.instrument);
      if (this.#restored !== undefined) this.#follow(this.#restored, reject, ours.events);
    } catch (cause) {
      throw this.#failure(cause, timestampMicros, asRead);
    }
  }

  /** Compares everything that can be seen of both, and the state word by word. */
  compareAll(): void {
    const { core, naive } = this;
    try {
      for (let instrument = 0; instrument < this.#instruments; instrument += 1) this.#compareBook(instrument);
      const { orders } = naive;
      strictEqual(core.openOrders, orders.length, 'open orders');
      for (const { id, instrument, account, lots } of orders)
        deepStrictEqual(
          [core.find(id), core.ownerOf(id), core.remainingLots(id), core.restingAt(id)],
          [instrument, account, lots, naive.restingAt(id)],
          `order ${id}`,
        );
      for (const id of [0, core.sequence, core.sequence + 1].filter((other) => orders.every((order) => order.id !== other)))
        deepStrictEqual([core.find(id), core.ownerOf(id), core.remainingLots(id)], [-1, -1, -1], `order ${id}, which is none`);
      this.#comparePositions();
      for (const account of [...Array(ACCOUNTS).keys(), ANY_ACCOUNT])
        strictEqual(core.killed(account), naive.killed(account), `kill switch of ${account}`);
      compareWords(wordsOf(core), naive.stateWords(), 'state words');
      strictEqual(core.stateHash(), naive.stateHash(), 'state hash');
    } catch (cause) {
      throw this.#failure(cause);
    }
  }

  /** Restores another core from this one's state; from now on it must answer as the first does. */
  restore(): void {
    const restored = this.#newCore(this.#rules);
    restored.setAccountRules(this.#accountRules);
    try {
      restored.restore(Float64Array.from(wordsOf(this.core)));
      compareWords(wordsOf(restored), wordsOf(this.core), 'state words after a restore');
      ok(restored.nextDueMicros <= this.naive.nextDueMicros, 'something is due after a restore');
      this.#restored = restored;
      this.#compareRestored();
    } catch (cause) {
      throw this.#failure(cause);
    }
  }

  /** Compares the restored core with the first, and forgets it. */
  endRestored(): void {
    try {
      this.#compareRestored();
    } catch (cause) {
      throw this.#failure(cause);
    }
    this.#restored = undefined;
  }

  /** Replays the accepted commands on a core that knows no limits: the state must be the same. */
  replay(): void {
    const replayed = this.#newCore(this.#rules.map(() => ({ ...NO_LIMITS, tradable: false })));
    const sink = new Recorder();
    for (const slots of this.#history) {
      for (let at = 0; at < slots.words.length && slots.words[at] !== 0;) {
        replayed.replay(slots, at, sink);
        at += commandWords(slots, at);
        sink.events.length = 0;
      }
    }
    compareWords(wordsOf(replayed), wordsOf(this.core), 'state words after a replay');
    strictEqual(replayed.stateHash(), this.core.stateHash(), 'state hash after a replay');
  }

  #all(): (Core | NaiveExchange)[] {
    return [this.core, this.naive, ...(this.#restored === undefined ? [] : [this.#restored])];
  }

  #newCore(rules: readonly InstrumentRules[]): Core {
    const core = new MatchingCore(this.#options);
    rules.forEach((of, instrument) => core.setInstrument(instrument, of));
    return core;
  }

  #remember(words: number): void {
    if (this.#historyWords + words > HISTORY_BYTES / 4) {
      this.#history.push(new CommandSlots(new ArrayBuffer(HISTORY_BYTES)));
      this.#historyWords = 0;
    }
    this.#history.at(-1)?.words.set(this.#scratch.words.subarray(this.#at, this.#at + words), this.#historyWords);
    this.#historyWords += words;
  }

  #follow(restored: Core, expected: Reject, events: readonly string[]): void {
    const sink = new Recorder();
    const reject = restored.submit(this.#scratch, this.#at, sink);
    deepStrictEqual([nameOf(reject), ...sink.events], [nameOf(expected), ...events], 'answer and events of a restored core');
  }

  #compareRestored(): void {
    if (this.#restored === undefined) return;
    strictEqual(this.#restored.stateHash(), this.core.stateHash(), 'state hash of a restored core');
    for (const { account, instrument } of this.naive.positions())
      deepStrictEqual(
        this.#comparable(this.#restored.position(account, instrument)),
        this.#comparable(this.naive.position(account, instrument)),
        'position in a restored core',
      );
  }

  #compareTop(instrument: number): void {
    const view = (book: BookView) => ({
      lastTradeTicks: book.lastTradeTicks,
      openOrders: book.openOrders,
      state: book.state,
      untilMicros: book.untilMicros,
      best: [book.bestTicks(BUY), book.bestTicks(SELL)],
    });
    deepStrictEqual(view(this.core.book(instrument)), view(this.naive.book(instrument)), `top of book ${instrument}`);
  }

  #compareBook(instrument: number): void {
    this.#compareTop(instrument);
    const [ours, theirs] = [this.core.book(instrument), this.naive.book(instrument)];
    for (const side of [BUY, SELL] as const)
      for (const levels of [0, 1, 2, Infinity])
        deepStrictEqual(ours.depth(side, levels), theirs.depth(side, levels), `depth of side ${side} of book ${instrument}`);
    for (const side of [BUY, SELL] as const)
      for (const most of [0, 1, 3, Infinity])
        deepStrictEqual(ours.orders(side, most), theirs.orders(side, most), `orders of side ${side} of book ${instrument}`);
    for (const side of [BUY, SELL] as const)
      for (const { priceTicks } of [...theirs.depth(side, Infinity), { priceTicks: theirs.bestTicks(side) + 1 }])
        deepStrictEqual(
          ours.ordersAt(side, priceTicks),
          theirs.ordersAt(side, priceTicks),
          `orders at ${priceTicks}, side ${side} of book ${instrument}`,
        );
    deepStrictEqual(ours.indication(), theirs.indication(), `indication of book ${instrument}`);
  }

  #comparePositions(): void {
    const { core, naive } = this;
    const held: Position[] = [];
    core.eachPosition((position) => held.push({ ...position }));
    deepStrictEqual(held.map(this.#comparable), naive.positions().map(this.#comparable), 'positions');
    for (let instrument = 0; instrument < this.#instruments; instrument += 1)
      for (let account = 0; account < ACCOUNTS; account += 1) {
        const ours = core.position(account, instrument);
        const theirs = naive.position(account, instrument);
        if (ours === undefined)
          deepStrictEqual([theirs.lots, theirs.openOrders], [0, 0], `position of ${account} in ${instrument}, missing`);
        else deepStrictEqual(this.#comparable(ours), this.#comparable(theirs), `position of ${account} in ${instrument}`);
      }
  }

  readonly #comparable = (position: Position | undefined) => {
    if (position === undefined || this.#options.exactSums !== false) return position;
    const { openBuyLots: _buy, openSellLots: _sell, ...rest } = position;
    return rest;
  };

  #failure(cause: unknown, timestampMicros = 0, command?: Command): Error {
    const what = cause instanceof Error ? cause.message : String(cause);
    const which = command === undefined ? 'after' : `at ${timestampMicros}: ${JSON.stringify(command)}\nwhich is`;
    return new Error(`${which} command ${this.submitted}, sequence ${this.naive.sequence}: ${what}`, { cause });
  }
}

const NAMES = new Map<Reject, string>(Object.entries(REJECT).map(([name, code]) => [code, name]));
const nameOf = (reject: Reject): string => NAMES.get(reject) ?? `reject ${reject}`;

function wordsOf(core: Core): number[] {
  const words: number[] = [];
  core.eachStateWord((word) => words.push(word));
  return words;
}

/** Long lists of numbers: tells the first that differs, and what comes before it. */
function compareWords(ours: readonly number[], theirs: readonly number[], what: string): void {
  const at = ours.findIndex((word, index) => !Object.is(word, theirs[index]));
  if (at < 0 && ours.length === theirs.length) return;
  const from = Math.max(0, at - 40);
  const [seen, expected] = [ours, theirs].map((words) => words.slice(from, at + 20).join(' '));
  throw new Error(
    `${what}: word ${at} of ${ours.length} differs; from word ${from}:\n  ${seen}\nexpected (of ${theirs.length}):\n  ${expected}`,
  );
}
