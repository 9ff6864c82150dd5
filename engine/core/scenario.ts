/** For tests: commands in a few words, and what the core makes of them as lines of text. */
import { CommandSlots, encodeCommand, SLOT_BYTES, SLOT_WORDS } from './command.ts';
import { MatchingCore } from './core.ts';
import type { CoreOptions } from './core-state.ts';
import {
  ANY_ACCOUNT,
  BUY,
  CANCEL_ORDER,
  GTC,
  IOC,
  LIMIT,
  MARKET,
  NEW_ORDER,
  REJECT,
  REPLACE_ORDER,
  SELL,
  STOP,
  STOP_LIMIT,
  type Command,
  type EventSink,
  type InstrumentRules,
  type NewOrder,
  type ReplaceOrder,
  type Side,
} from './types.ts';

const STATUSES = ['OPEN', 'FILLED', 'CANCELLED', 'PENDING'];
const REASONS = [
  '',
  'REQUESTED',
  'IMMEDIATE',
  'NOT_FILLABLE',
  'SELF_TRADE',
  'EXPIRED',
  'DAY_END',
  'MASS',
  'KILLED',
  'DISCONNECTED',
  'INTERRUPTED',
];
const STATES = ['TRADING', 'PRE_OPEN', 'AUCTION', 'HALTED', 'CLOSED'];

/** Rules that refuse nothing that can be counted. */
export const FREE: InstrumentRules = {
  tradable: true,
  maxOrderLots: Number.MAX_SAFE_INTEGER,
  maxNotional: 2n ** 106n,
  priceBandPercent: 0,
  maxPositionLots: Infinity,
  maxOpenNotional: Infinity,
};

type More = Partial<NewOrder>;

function order(side: Side, quantityLots: number, priceTicks: number, more: More): NewOrder {
  return { kind: NEW_ORDER, instrument: 0, account: 1, side, type: LIMIT, timeInForce: GTC, priceTicks, quantityLots, ...more };
}

/** A limit order, GTC and of account 1 unless `more` says otherwise. */
export function buy(quantityLots: number, priceTicks: number, more: More = {}): NewOrder {
  return order(BUY, quantityLots, priceTicks, more);
}

export function sell(quantityLots: number, priceTicks: number, more: More = {}): NewOrder {
  return order(SELL, quantityLots, priceTicks, more);
}

/** Makes a market order of a limit order. */
export function atMarket(limit: NewOrder): NewOrder {
  return { ...limit, type: MARKET, timeInForce: IOC, priceTicks: 0 };
}

/** Makes a stop of a limit order: one with its limit, or without any when its price is 0. */
export function stopAt(stopTicks: number, limit: NewOrder): NewOrder {
  return { ...limit, type: limit.priceTicks === 0 ? STOP : STOP_LIMIT, stopTicks };
}

export function cancel(orderId: number, account = ANY_ACCOUNT): Command {
  return { kind: CANCEL_ORDER, orderId, account };
}

/** A replacement; what is left out is kept. */
export function replace(orderId: number, terms: Partial<ReplaceOrder>): Command {
  return { kind: REPLACE_ORDER, orderId, account: ANY_ACCOUNT, priceTicks: 0, quantityLots: 0, ...terms };
}

/** Writes each event as a line. */
class Lines implements EventSink {
  readonly lines: string[] = [];

  fill(instrument: number, maker: number, taker: number, priceTicks: number, lots: number, makerLeft: number, takerLeft: number): void {
    this.lines.push(
      `${instrumentText(instrument)}${taker} trades ${lots} @ ${priceTicks} with ${maker}, left ${takerLeft} and ${makerLeft}`,
    );
  }

  order(orderId: number, remainingLots: number, status: number, reason: number): void {
    this.lines.push(`${orderId} ${STATUSES[status]} ${remainingLots} ${REASONS[reason]}`.trimEnd());
  }

  replaced(orderId: number, priceTicks: number, remainingLots: number, stopTicks: number): void {
    this.lines.push(`${orderId} is now ${remainingLots} @ ${priceTicks}${stopTicks === 0 ? '' : `, stop ${stopTicks}`}`);
  }

  triggered(orderId: number): void {
    this.lines.push(`${orderId} triggered`);
  }

  state(instrument: number, state: number, auctionTicks: number, untilMicros: number): void {
    const auction = auctionTicks === 0 ? '' : `, auction at ${auctionTicks}`;
    this.lines.push(`${instrumentText(instrument)}${STATES[state]}${auction}${untilMicros === 0 ? '' : `, until ${untilMicros}`}`);
  }
}

/** Instrument 0 is the one that goes without saying. */
function instrumentText(instrument: number): string {
  return instrument === 0 ? '' : `[${instrument}] `;
}

/** Where commands are written: not at the beginning, where any offset is right. */
const AT = 2 * SLOT_WORDS;

/** A core with instruments 0 and 1, and commands applied to it one after the other, a microsecond apart. */
export class Scenario {
  readonly core: MatchingCore;
  /** Time of the last command. */
  nowMicros = 0;
  readonly #slots = new CommandSlots(new ArrayBuffer(4 * SLOT_BYTES));

  constructor(rules: Partial<InstrumentRules> = {}, options: CoreOptions = {}) {
    this.core = new MatchingCore(options);
    for (const instrument of [0, 1]) this.core.setInstrument(instrument, { ...FREE, ...rules });
  }

  /** Submits commands; gives a line for each event and each reject. */
  run(...commands: Command[]): string[] {
    return commands.flatMap((command) => {
      this.nowMicros += 1;
      const sink = new Lines();
      encodeCommand(this.#slots, AT, this.nowMicros, command);
      const reject = this.core.submit(this.#slots, AT, sink);
      if (reject === REJECT.none) return sink.lines;
      return [`reject ${Object.entries(REJECT).find(([, code]) => code === reject)?.[0]}`, ...sink.lines];
    });
  }

  /** Applies one command as the journal's. */
  replay(command: Command): string[] {
    this.nowMicros += 1;
    const sink = new Lines();
    encodeCommand(this.#slots, AT, this.nowMicros, command);
    this.core.replay(this.#slots, AT, sink);
    return sink.lines;
  }

  /** The state, as a snapshot holds it. */
  words(): Float64Array {
    const words: number[] = [];
    this.core.eachStateWord((word) => words.push(word));
    return Float64Array.from(words);
  }

  /** The open orders of a side, best first, as "lots@price". */
  depth(side: Side, instrument = 0): string {
    const levels = this.core.book(instrument).depth(side, Infinity);
    return levels.map(({ priceTicks, quantityLots }) => `${quantityLots}@${priceTicks}`).join(' ');
  }
}
