import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { commandWords, CommandSlots, decodeCommand, encodeCommand, SLOT_BYTES, SLOT_WORDS } from './command.ts';
import {
  ADVANCE_TIME,
  ALL_INSTRUMENTS,
  ANY_ACCOUNT,
  CANCEL_ORDER,
  DISCONNECTED,
  KILL_SWITCH,
  MASS,
  MASS_CANCEL,
  NEW_ORDER,
  REPLACE_ORDER,
  SET_STATE,
  SET_VOLATILITY,
  type Command,
} from './types.ts';

const count = fc.nat(Number.MAX_SAFE_INTEGER);
const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const unsigned = fc.nat(2 ** 32 - 1);
const instrument = fc.integer({ min: 0, max: 2 ** 31 - 1 });

const command = fc.oneof(
  fc.record({
    kind: fc.constant(NEW_ORDER),
    instrument,
    account: unsigned,
    side: fc.constantFrom(0, 1),
    type: fc.constantFrom(0, 1, 2, 3),
    timeInForce: fc.constantFrom(0, 1, 2, 3, 4),
    priceTicks: count,
    quantityLots: count,
    stopTicks: count,
    displayLots: count,
    expiryMicros: count,
    postOnly: fc.boolean(),
    selfTrade: fc.constantFrom(0, 1, 2, 3, 4),
    session: unsigned,
    clientIdLow: word,
    clientIdHigh: word,
  }),
  fc.record({ kind: fc.constant(CANCEL_ORDER), orderId: count, account: unsigned }),
  fc.record({
    kind: fc.constant(REPLACE_ORDER),
    orderId: count,
    account: unsigned,
    priceTicks: count,
    quantityLots: count,
    stopTicks: count,
    expectedLots: count,
  }),
  fc.record({
    kind: fc.constant(MASS_CANCEL),
    instrument: fc.oneof(instrument, fc.constant(ALL_INSTRUMENTS)),
    account: unsigned,
    session: unsigned,
    reason: fc.constantFrom(MASS, DISCONNECTED),
  }),
  fc.record({
    kind: fc.constant(SET_STATE),
    instrument: fc.oneof(instrument, fc.constant(ALL_INSTRUMENTS)),
    state: fc.constantFrom(0, 1, 2, 3, 4),
  }),
  fc.record({
    kind: fc.constant(SET_VOLATILITY),
    instrument,
    bandPercent: count,
    windowMicros: count,
    haltMicros: count,
    auctionMicros: count,
  }),
  fc.record({ kind: fc.constant(KILL_SWITCH), account: unsigned, on: fc.boolean() }),
  fc.record({ kind: fc.constant(ADVANCE_TIME) }),
) as fc.Arbitrary<Command>;

describe('commands in slots', () => {
  it('come back as they were, wherever they stand, whatever was there', () => {
    fc.assert(
      fc.property(command, count, fc.nat(3), (original, timestampMicros, place) => {
        const slots = new CommandSlots(new SharedArrayBuffer(SLOT_BYTES * 6));
        slots.words.fill(-1);
        const at = place * SLOT_WORDS;
        const words = encodeCommand(slots, at, timestampMicros, original);
        expect(decodeCommand(slots, at)).toEqual(original);
        expect(slots.doubles[(at >> 1) + 2]).toBe(timestampMicros);
        expect(commandWords(slots, at)).toBe(words);
        const outside = [...slots.words.subarray(0, at), ...slots.words.subarray(at + 2 * SLOT_WORDS)];
        expect(outside.every((each) => each === -1)).toBe(true);
      }),
    );
  });

  it('take one slot, or two with a stop price, a displayed quantity or an expiry', () => {
    const slots = new CommandSlots(new ArrayBuffer(SLOT_BYTES * 2));
    const order = { kind: NEW_ORDER, instrument: 0, account: 1, side: 0, type: 0, timeInForce: 0, priceTicks: 5, quantityLots: 5 } as const;
    const words = [{}, { stopTicks: 1 }, { displayLots: 1 }, { expiryMicros: 1 }].map((more) =>
      encodeCommand(slots, 0, 0, { ...order, ...more }),
    );
    expect(words).toEqual([16, 32, 32, 32]);
    expect(encodeCommand(slots, 0, 0, { kind: REPLACE_ORDER, orderId: 1, account: 1, priceTicks: 0, quantityLots: 0, stopTicks: 5 })).toBe(
      32,
    );
  });

  it('are little-endian, every field where the journal expects it', () => {
    const slots = new CommandSlots(new ArrayBuffer(SLOT_BYTES * 2));
    encodeCommand(slots, 0, 2 ** 50, {
      kind: NEW_ORDER,
      instrument: 0x0102_0304,
      account: ANY_ACCOUNT,
      side: 1,
      type: 3,
      timeInForce: 3,
      priceTicks: 100,
      quantityLots: 200,
      stopTicks: 300,
      displayLots: 400,
      expiryMicros: 500,
      postOnly: true,
      selfTrade: 4,
      session: 0x0506_0708,
      clientIdLow: -2,
      clientIdHigh: 0x0a0b_0c0d,
    });
    const view = new DataView(slots.words.buffer);
    expect([view.getUint8(0), view.getUint8(1), view.getUint8(2), view.getUint8(3)]).toEqual([NEW_ORDER, 1, 3, 3]);
    expect(view.getUint32(4, true)).toBe(1 | (4 << 1) | 16);
    expect([view.getInt32(8, true), view.getUint32(12, true)]).toEqual([0x0102_0304, ANY_ACCOUNT]);
    expect([2, 3, 4, 5].map((double) => view.getFloat64(double * 8, true))).toEqual([2 ** 50, 100, 200, 0]);
    expect([view.getInt32(48, true), view.getInt32(52, true), view.getUint32(56, true), view.getInt32(60, true)]).toEqual([
      -2, 0x0a0b_0c0d, 0x0506_0708, 0,
    ]);
    expect([8, 9, 10, 11].map((double) => view.getFloat64(double * 8, true))).toEqual([300, 400, 500, 0]);
  });

  it('of a kind that is not known are refused', () => {
    const slots = new CommandSlots(new ArrayBuffer(SLOT_BYTES * 2));
    expect(() => decodeCommand(slots, 0)).toThrow('a command of kind 0 is not known');
  });
});
