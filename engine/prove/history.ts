/**
 * Random histories through the core and the naive model. One is made as it runs; when the two differ, what was done can be run again without some of
 * its parts, until little is left.
 */
import * as fc from 'fast-check';
import { RandomCommands, type Step } from '../core/random-commands.ts';
import { CANCEL_ORDER, NEW_ORDER, REPLACE_ORDER, type Command } from '../core/types.ts';
import { Differential } from './differential.ts';

/** Commands between two comparisons of all that can be seen. */
const BETWEEN_LOOKS = 200;
/** In histories that are not longer, all is compared after every command. */
const CLOSE_LOOKS = 300;
/** For how many commands a restored core is followed. */
const RESTORED_COMMANDS = 300;
/** In every fourth history, so few that there is often no room for more. */
const FEW_ORDERS = 30;
/** Few, so that the oldest are forgotten. */
const CLIENT_IDS = 16;

export interface HistorySettings {
  readonly seed: number;
  readonly commands: number;
  readonly instruments: number;
}

export interface HistoryFigures {
  readonly accepted: number;
  readonly events: number;
  readonly openOrders: number;
  readonly hash: string;
}

/** What is done to both: a command or other rules, or a comparison. */
type Part = { readonly step: Step; readonly number: number; readonly placedBy?: number } | Check;
type Check = 'look' | 'restore' | 'end of restored';

export class History {
  readonly settings: HistorySettings;
  /** What has been done in the last run, in the order in which it was done; ids of orders are those of that run. */
  readonly done: Part[] = [];
  /** To be done; undefined for what comes to the stream's mind. */
  readonly #parts: readonly Part[] | undefined;
  /** Ids of the orders that were placed, by the numbers of their steps, and back. */
  readonly #ids = new Map<number, number>();
  readonly #numbers = new Map<number, number>();

  constructor(settings: HistorySettings, parts?: readonly Part[]) {
    this.settings = settings;
    this.#parts = parts;
  }

  /** Does it all; throws at the first difference. */
  run(): HistoryFigures {
    const { seed, instruments } = this.settings;
    const stream = new RandomCommands(seed, instruments);
    const both = new Differential(instruments, {
      firstOrders: 16,
      ...(seed % 4 === 0 ? { mostOrders: FEW_ORDERS } : {}),
      clientIds: CLIENT_IDS,
      rules: stream.firstRules(),
      exactSums: stream.limited,
    });
    this.done.length = 0;
    this.#ids.clear();
    this.#numbers.clear();
    if (this.#parts === undefined) this.#invent(both, stream);
    else for (const part of this.#parts) this.#do(both, part, this.#parts.length <= CLOSE_LOOKS);
    both.compareAll();
    both.endRestored();
    both.replay();
    return { accepted: both.core.sequence, events: both.events, openOrders: both.core.openOrders, hash: both.core.stateHash() };
  }

  /** What was done in the last run, without `count` parts from `from` on. */
  without(from: number, count: number): History {
    return new History(this.settings, this.done.toSpliced(from, count));
  }

  /** The same with another part at `index`. */
  with(index: number, part: Part): History {
    return new History(this.settings, this.done.with(index, part));
  }

  #invent(both: Differential, stream: RandomCommands): void {
    const { seed, commands } = this.settings;
    const isOpen = (orderId: number): boolean => both.naive.orders.some(({ id }) => id === orderId);
    for (let number = 0; both.submitted < commands; number += 1) {
      const step = stream.next(both.naive.sequence, both.naive.nextDueMicros, isOpen);
      const placedBy = 'command' in step && 'orderId' in step.command ? this.#numbers.get(step.command.orderId) : undefined;
      this.#do(both, { step, number, ...(placedBy !== undefined && { placedBy }) }, false);
      if (!('command' in step)) continue;
      if (both.submitted % BETWEEN_LOOKS === 0) this.#do(both, 'look', false);
      // At other moments in each history, and never when the one before is still followed.
      const phase = (both.submitted + 101 * seed) % (4 * RESTORED_COMMANDS);
      if (phase === 0) this.#do(both, 'restore', false);
      if (phase === RESTORED_COMMANDS) this.#do(both, 'end of restored', false);
    }
  }

  #do(both: Differential, part: Part, looksClosely: boolean): void {
    if (part === 'look') {
      this.done.push(part);
      both.compareAll();
    } else if (part === 'restore') {
      this.done.push(part);
      both.restore();
    } else if (part === 'end of restored') {
      this.done.push(part);
      both.endRestored();
    } else {
      const { number } = part;
      const step = this.#resolved(part);
      this.done.push({ ...part, step });
      const before = both.naive.sequence;
      both.step(step);
      const id = both.naive.sequence;
      if (id > before && 'command' in step && step.command.kind === NEW_ORDER) {
        this.#ids.set(number, id);
        this.#numbers.set(id, number);
      }
      if (looksClosely) both.compareAll();
    }
  }

  /** The step with the id that its order has in this run; 0 when it was not placed. */
  #resolved({ step, placedBy }: Exclude<Part, Check>): Step {
    if (placedBy === undefined || !('command' in step)) return step;
    const { command } = step;
    if (command.kind !== CANCEL_ORDER && command.kind !== REPLACE_ORDER) return step;
    return { ...step, command: { ...command, orderId: this.#ids.get(placedBy) ?? 0 } };
  }
}

/** Where the search for a shorter history stands: how many parts are left out at a time, and from where; and whether that helped in this round. */
interface Search {
  readonly size: number;
  readonly from: number;
  readonly helped: boolean;
}

/** What can be left out of a new order, or made plainer. */
const PLAIN: Readonly<Record<string, unknown>> = {
  session: 0,
  clientIdLow: 0,
  clientIdHigh: 0,
  displayLots: 0,
  selfTrade: 0,
  postOnly: false,
  instrument: 0,
  account: 0,
  quantityLots: 1,
};

/** Histories for fast-check, each with the seed after the one before. Those that fail become shorter by leaving out ever smaller pieces, then plainer. */
export class Histories extends fc.Arbitrary<History> {
  readonly #settings: HistorySettings;
  #next: number;

  constructor(first: HistorySettings) {
    super();
    this.#settings = first;
    this.#next = first.seed;
  }

  override generate(): fc.Value<History> {
    const seed = this.#next;
    this.#next += 1;
    return new fc.Value(new History({ ...this.#settings, seed }), undefined);
  }

  override canShrinkWithoutContext(value: unknown): value is History {
    return value instanceof History;
  }

  override shrink(history: History, context: unknown): fc.Stream<fc.Value<History>> {
    const search = context as Search | undefined;
    return fc.stream(shorter(history, search ?? { size: Math.max(1, history.done.length >> 1), from: 0, helped: false }));
  }
}

function* shorter(history: History, search: Search): Generator<fc.Value<History>, undefined> {
  const { length } = history.done;
  let { from, helped } = search;
  for (let { size } = search; size > 0;) {
    for (; from < length; from += size) yield new fc.Value(history.without(from, size), { size, from, helped: true });
    from = 0;
    // A single part may have become needless when another one went.
    if (size > 1 || !helped) size >>= 1;
    helped = false;
  }
  yield* plainer(history);
}

function* plainer(history: History): Generator<fc.Value<History>, undefined> {
  const search: Search = { size: 0, from: 0, helped: false };
  let lastMicros = 1;
  for (const [index, part] of history.done.entries()) {
    if (typeof part === 'string' || !('command' in part.step)) continue;
    const { command, timestampMicros } = part.step;
    const changed = (step: Step): fc.Value<History> => new fc.Value(history.with(index, { ...part, step }), search);
    if (timestampMicros > lastMicros) yield changed({ command, timestampMicros: lastMicros });
    lastMicros = timestampMicros;
    for (const [field, plain] of Object.entries(PLAIN)) {
      if (field in command && command[field as keyof Command] !== plain)
        yield changed({ timestampMicros, command: { ...command, [field]: plain } });
    }
  }
}

/** Sends `count` commands to both; throws at the first difference. */
export function runHistory(seed: number, count: number, instruments: number): HistoryFigures {
  return new History({ seed, commands: count, instruments }).run();
}
