import { expect, it } from 'vitest';
import { CommandSlots, encodeCommand, SLOT_BYTES, SLOT_WORDS } from './command.ts';
import { MatchingCore } from './core.ts';
import { NO_LIMITS } from './random-commands.ts';
import { ANY_ACCOUNT, BUY, CANCEL_ORDER, GTC, LIMIT, NEW_ORDER, NO_EVENTS, REJECT, REPLACE_ORDER, type Command } from './types.ts';

const COMMANDS = 80;

/** A core with ten orders and memory for `firstOrders`, and slots full of `commands`, over and over, behind one that is free. */
function prepared(firstOrders: number, ...commands: Command[]) {
  const core = new MatchingCore({ firstOrders });
  core.setInstrument(0, NO_LIMITS);
  const slots = new CommandSlots(new ArrayBuffer((COMMANDS + 2) * 2 * SLOT_BYTES));
  const terms = { side: BUY, type: LIMIT, timeInForce: GTC, quantityLots: 5 } as const;
  for (let priceTicks = 1; priceTicks <= 10; priceTicks += 1) {
    encodeCommand(slots, 0, 1, { kind: NEW_ORDER, instrument: 0, account: 1, priceTicks, ...terms });
    core.submit(slots, 0, NO_EVENTS);
  }
  let end = SLOT_WORDS;
  for (let index = 0; index < COMMANDS; index += 1) end += encodeCommand(slots, end, 2, commands[index % commands.length] as Command);
  return { core, slots, end };
}

const cancel = (orderId: number): Command => ({ kind: CANCEL_ORDER, orderId, account: ANY_ACCOUNT });
const wide: Command = { kind: REPLACE_ORDER, orderId: 3, account: ANY_ACCOUNT, priceTicks: 2, quantityLots: 1, stopTicks: 9 };

it('looks at 32 commands at most, of one slot or two, and changes nothing', () => {
  // Orders that are there, that never were, and ids that are none.
  const { core, slots, end } = prepared(
    50_000,
    cancel(1),
    wide,
    cancel(99),
    cancel(-1),
    cancel(NaN),
    cancel(2 ** 53),
    { kind: 8 },
    cancel(10),
  );
  const before = core.stateHash();
  // Four commands in 32 are of two slots.
  expect(core.foresee(slots, SLOT_WORDS, end)).toBe(SLOT_WORDS * (1 + 32 + 4));
  expect(core.foresee(slots, end - SLOT_WORDS, end)).toBe(end);
  expect(core.foresee(slots, end, end)).toBe(end);
  expect(core.stateHash()).toBe(before);
  expect(core.openOrders).toBe(10);
});

it('leaves a small book to the caches', () => {
  const { core, slots, end } = prepared(1000, cancel(1));
  expect(core.foresee(slots, SLOT_WORDS, end)).toBe(end);
});

it('goes on where it ended, until every command is applied', () => {
  const { core, slots, end } = prepared(50_000, cancel(1), cancel(2), cancel(3), cancel(4));
  let cancelled = 0;
  for (let at = SLOT_WORDS; at < end;) {
    const foreseen = core.foresee(slots, at, end);
    for (; at < foreseen; at += SLOT_WORDS) if (core.submit(slots, at, NO_EVENTS) === REJECT.none) cancelled += 1;
  }
  expect([cancelled, core.openOrders]).toEqual([4, 6]);
});
