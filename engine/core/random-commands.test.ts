import { describe, expect, it } from 'vitest';
import { CommandSlots, encodeCommand, SLOT_BYTES } from './command.ts';
import { MatchingCore } from './core.ts';
import { RandomCommands } from './random-commands.ts';
import {
  ADVANCE_TIME,
  CANCEL_ORDER,
  CANCELLED,
  FILLED,
  INTERRUPTED,
  KILL_SWITCH,
  MASS_CANCEL,
  NEW_ORDER,
  NO_REASON,
  OPEN,
  PENDING,
  REJECT,
  REPLACE_ORDER,
  SELF_TRADE,
  SET_STATE,
  SET_VOLATILITY,
  type EventSink,
} from './types.ts';

const SEEDS = 24;
const COMMANDS = 5000;
/** Seen less often than this, an outcome is seen in too few of the states that it depends on. */
const LEAST = 4;

/** What each kind of command may be answered, but for `killSwitch` of a replacement: nothing is open that the switch is on for. */
const ANSWERS: Readonly<Record<number, readonly (keyof typeof REJECT)[]>> = {
  [NEW_ORDER]: [
    'none',
    'unknownInstrument',
    'badAccount',
    'duplicate',
    'notTradable',
    'killSwitch',
    'badQuantity',
    'badPrice',
    'badTerms',
    'notInState',
    'expired',
    'maxOrderQty',
    'maxNotional',
    'priceBand',
    'wouldTrade',
    'maxPosition',
    'maxOpenOrders',
    'maxOpenNotional',
    'noRoom',
  ],
  [CANCEL_ORDER]: ['none', 'unknownOrder'],
  [REPLACE_ORDER]: [
    'none',
    'unknownOrder',
    'stale',
    'badPrice',
    'badQuantity',
    'badTerms',
    'notInState',
    'notTradable',
    'maxOrderQty',
    'maxNotional',
    'priceBand',
    'wouldTrade',
    'maxPosition',
    'maxOpenNotional',
  ],
  [MASS_CANCEL]: ['none', 'unknownInstrument', 'badTerms'],
  [SET_STATE]: ['none', 'unknownInstrument', 'badTerms'],
  [SET_VOLATILITY]: ['none', 'unknownInstrument', 'badTerms'],
  [KILL_SWITCH]: ['none', 'badAccount'],
  [ADVANCE_TIME]: ['none'],
};

const NAMES = new Map<number, string>(Object.entries(REJECT).map(([name, code]) => [code, name]));
const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index);

/** How often each answer of each kind of command, and each kind of event, came up. */
function count(): Map<string, number> {
  const counts = new Map<string, number>();
  const add = (what: string): void => void counts.set(what, (counts.get(what) ?? 0) + 1);
  const sink: EventSink = {
    fill: () => add('fill'),
    order: (_id, _lots, status, reason) => add(`order ${status} ${reason}`),
    replaced: (_id, _price, _lots, stop) => add(stop > 0 ? 'replaced, waiting' : 'replaced'),
    triggered: () => add('triggered'),
    state: (_instrument, state, auctionTicks, untilMicros) =>
      add(`state ${state}${auctionTicks > 0 ? ', traded' : ''}${untilMicros > 0 ? ', timed' : ''}`),
  };
  const slots = new CommandSlots(new ArrayBuffer(2 * SLOT_BYTES));
  for (const seed of range(1, SEEDS)) {
    const stream = new RandomCommands(seed, 3);
    const core = new MatchingCore({ clientIds: 16, ...(seed % 4 === 0 ? { mostOrders: 30 } : {}) });
    for (const instrument of range(0, 2)) core.setInstrument(instrument, stream.firstRules());
    for (let left = COMMANDS; left > 0; left -= 1) {
      const step = stream.next(core.sequence, core.nextDueMicros, (orderId) => core.find(orderId) >= 0);
      if ('rules' in step) core.setInstrument(step.instrument, step.rules);
      else if ('accountRules' in step) core.setAccountRules(step.accountRules);
      else {
        encodeCommand(slots, 0, step.timestampMicros, step.command);
        add(`command ${step.command.kind}: ${NAMES.get(core.submit(slots, 0, sink))}`);
      }
    }
  }
  return counts;
}

describe('random commands', () => {
  it('bring about every answer, reason, state and kind of event', () => {
    const answers = Object.entries(ANSWERS).flatMap(([kind, names]) => names.map((name) => `command ${kind}: ${name}`));
    // Every reason from REQUESTED to INTERRUPTED ends orders.
    const orders = [
      [OPEN, NO_REASON],
      [OPEN, SELF_TRADE],
      [FILLED, NO_REASON],
      [PENDING, NO_REASON],
      ...range(1, INTERRUPTED).map((reason) => [CANCELLED, reason]),
    ].map(([status, reason]) => `order ${status} ${reason}`);
    const states = ['0', '0, traded', '1', '2', '2, timed', '3', '3, timed', '4'].map((state) => `state ${state}`);
    const counts = count();
    const wanted = [...answers, ...orders, ...states, 'fill', 'replaced', 'replaced, waiting', 'triggered'];
    expect(wanted.filter((what) => (counts.get(what) ?? 0) < LEAST)).toEqual([]);
    // And nothing that this list does not know.
    expect([...counts.keys()].filter((what) => !wanted.includes(what))).toEqual([]);
  });
});
