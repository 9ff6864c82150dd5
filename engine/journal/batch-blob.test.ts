import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { commandWords, decodeCommand, encodeCommand } from '../core/command.ts';
import { ADVANCE_TIME, BUY, CANCEL_ORDER, KILL_SWITCH, LIMIT, GTC, NEW_ORDER, type Command } from '../core/types.ts';
import { batchBytes, decodeBatch, encodeBatch } from './batch-blob.ts';
import { SharedCommandRing, TakenCommands, ringMemory } from './command-ring.ts';
import { ACCOUNT_NAME, CLIENT_ORDER_ID } from './types.ts';

const lots = fc.nat(Number.MAX_SAFE_INTEGER);
const commands: fc.Arbitrary<Command> = fc.oneof(
  fc.record({ kind: fc.constant(CANCEL_ORDER), account: fc.nat(2 ** 20), orderId: lots }),
  fc.record({ kind: fc.constant(KILL_SWITCH), account: fc.nat(2 ** 20), on: fc.boolean() }),
  fc.constant({ kind: ADVANCE_TIME } as const),
  fc.record({
    kind: fc.constant(NEW_ORDER),
    instrument: fc.nat(99),
    account: fc.nat(2 ** 20),
    side: fc.constant(BUY),
    type: fc.constant(LIMIT),
    timeInForce: fc.constant(GTC),
    priceTicks: lots,
    quantityLots: lots,
    stopTicks: fc.constantFrom(0, 5),
    displayLots: fc.constant(0),
    expiryMicros: fc.constant(0),
    postOnly: fc.boolean(),
    selfTrade: fc.constant(0 as const),
    session: fc.nat(),
    clientIdLow: fc.integer(),
    clientIdHigh: fc.integer(),
  }),
);
const texts = fc.option(fc.string({ unit: 'grapheme', maxLength: 16 }).filter((text) => Buffer.byteLength(text) <= 64));
const batches = fc.array(fc.tuple(commands, texts, texts), { minLength: 1, maxLength: 40 });

type Input = readonly (readonly [Command, string | null, string | null])[];

function encoded(batch: Input): Buffer {
  const ring = new SharedCommandRing(ringMemory(128, 16_384));
  for (const [index, [command, id, name]] of batch.entries()) {
    if (id !== null) ring.text(CLIENT_ORDER_ID, id);
    if (name !== null) ring.text(ACCOUNT_NAME, name);
    encodeCommand(ring.slots, ring.at(), index, command);
    ring.push();
  }
  const taken = new TakenCommands(64);
  ring.take(taken);
  return encodeBatch(taken, Buffer.alloc(batchBytes(taken) + 100, 0xff));
}

describe('a batch as bytes', () => {
  it('comes back with every command and text', () => {
    fc.assert(
      fc.property(batches, (batch) => {
        const { slots, words, texts: found } = decodeBatch(encoded(batch), 7, 6 + batch.length);
        const read: Command[] = [];
        for (let at = 0; at < words; at += commandWords(slots, at)) read.push(decodeCommand(slots, at));
        expect(read).toEqual(batch.map(([command]) => command));
        const expected = batch.flatMap(([, id, name], index) => [
          ...(id === null ? [] : [{ sequence: 7 + index, kind: CLIENT_ORDER_ID, text: id }]),
          ...(name === null ? [] : [{ sequence: 7 + index, kind: ACCOUNT_NAME, text: name }]),
        ]);
        expect(found).toEqual(expected);
      }),
      { numRuns: 100 },
    );
  });

  it('is refused when it is cut, of another format or of another length', () => {
    const blob = encoded([[{ kind: ADVANCE_TIME }, 'id', 'name']]);
    expect(decodeBatch(blob, 1, 1).texts).toHaveLength(2);
    for (let length = 0; length < blob.length; length += 1) expect(() => decodeBatch(blob.subarray(0, length), 1, 1)).toThrow(RangeError);
    expect(() => decodeBatch(blob, 1, 2)).toThrow(RangeError);
    const other = Buffer.from(blob);
    other.writeUInt32LE(2, 0);
    expect(() => decodeBatch(other, 1, 1)).toThrow('is not of format 1');
  });
});
