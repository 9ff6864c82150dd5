import { beforeEach, expect, it } from 'vitest';
import { DEFAULT_CONFIG } from '../config/config.ts';
import { CommandSlots, encodeCommand, SLOT_BYTES } from '../core/command.ts';
import { MatchingCore } from '../core/core.ts';
import {
  ALL_INSTRUMENTS,
  ANY_ACCOUNT,
  BUY,
  DISCONNECTED,
  GTC,
  KILL_SWITCH,
  LIMIT,
  MASS_CANCEL,
  NEW_ORDER,
  SELL,
  SET_VOLATILITY,
  STOP,
  type Command,
} from '../core/types.ts';
import { factsOf } from './core-facts.ts';
import { EventBuffer } from './event-buffer.ts';
import { instrumentOf, newInstruments, rulesOf } from './instruments.ts';
import { startCommands } from './start-commands.ts';

const instruments = newInstruments(DEFAULT_CONFIG, []).map((record) => instrumentOf(record, DEFAULT_CONFIG));
const slots = new CommandSlots(new ArrayBuffer(2 * SLOT_BYTES));
let core: MatchingCore;
beforeEach(() => {
  core = new MatchingCore();
  for (const instrument of instruments) core.setInstrument(instrument.id, rulesOf(instrument, DEFAULT_CONFIG.risk));
});

function apply(...commands: Command[]): void {
  for (const command of commands) {
    encodeCommand(slots, 0, 1, command);
    expect(core.submit(slots, 0, new EventBuffer())).toBe(0);
  }
}

const order = (account: number, session: number, more: object = {}): Command => ({
  kind: NEW_ORDER,
  instrument: 0,
  account,
  side: BUY,
  type: LIMIT,
  timeInForce: GTC,
  priceTicks: 100,
  quantityLots: 5,
  session,
  ...more,
});
const commandsFor = (risk: object = {}, live: readonly number[] = [], isStarting = true): Command[] =>
  startCommands(
    core,
    { ...DEFAULT_CONFIG, risk: { ...DEFAULT_CONFIG.risk, ...risk } },
    instruments,
    (session) => live.includes(session),
    isStarting,
  );

const VOLATILITY = { bandPercent: 5, window: '5m', halt: '1m', auction: '30s' };

it('commands nothing where the state is what the configuration says', () => {
  expect(commandsFor()).toEqual([]);
  apply(order(0, 0), { kind: KILL_SWITCH, account: 3, on: true });
  expect(commandsFor()).toEqual([]);
});

it('sets and clears volatility halts, and the kill switch of all', () => {
  const wanted = commandsFor({ volatility: VOLATILITY, killSwitch: true });
  expect(wanted).toEqual([
    { kind: SET_VOLATILITY, instrument: 0, bandPercent: 5, windowMicros: 3e8, haltMicros: 6e7, auctionMicros: 3e7 },
    { kind: SET_VOLATILITY, instrument: 1, bandPercent: 5, windowMicros: 3e8, haltMicros: 6e7, auctionMicros: 3e7 },
    { kind: KILL_SWITCH, account: ANY_ACCOUNT, on: true },
  ]);
  apply(...wanted);
  expect(commandsFor({ volatility: VOLATILITY, killSwitch: true })).toEqual([]);
  const { auction: _auction, ...without } = VOLATILITY;
  expect(commandsFor({ volatility: without, killSwitch: true })).toMatchObject([{ instrument: 0, auctionMicros: 0 }, { instrument: 1 }]);
  expect(commandsFor()).toMatchObject([
    { kind: SET_VOLATILITY, instrument: 0, bandPercent: 0, windowMicros: 0, haltMicros: 0 },
    { kind: SET_VOLATILITY, instrument: 1 },
    { kind: KILL_SWITCH, on: false },
  ]);
});

it('leaves a kill switch on that somebody turned on, when the books were rebuilt under a running process', () => {
  apply({ kind: KILL_SWITCH, account: ANY_ACCOUNT, on: true });
  expect(commandsFor({}, [], false)).toEqual([]);
  expect(commandsFor({}, [], true)).toEqual([{ kind: KILL_SWITCH, account: ANY_ACCOUNT, on: false }]);
  apply({ kind: KILL_SWITCH, account: ANY_ACCOUNT, on: false });
  expect(commandsFor({ killSwitch: true }, [], false)).toEqual([{ kind: KILL_SWITCH, account: ANY_ACCOUNT, on: true }]);
});

it('ends sessions whose connections are gone, and only those that have orders', () => {
  apply(
    { kind: KILL_SWITCH, account: 9, on: true },
    order(0, 7),
    order(1, 8, { side: SELL, priceTicks: 200 }),
    order(1, 9, { type: STOP, priceTicks: 0, stopTicks: 300 }),
    order(1, 0),
    order(2, 7, { instrument: 1 }),
    order(2, 11, { instrument: 1 }),
  );
  expect([...factsOf(core).sessions].sort((a, b) => a - b)).toEqual([7, 8, 9, 11]);
  const [first, ...others] = commandsFor({}, [8, 9]);
  expect(first).toEqual({ kind: MASS_CANCEL, instrument: ALL_INSTRUMENTS, account: ANY_ACCOUNT, session: 7, reason: DISCONNECTED });
  expect(others).toMatchObject([{ kind: MASS_CANCEL, session: 11 }]);
});
