import { describe, expect, it } from 'vitest';
import { CommandSlots, SLOT_WORDS, commandWords, decodeCommand, encodeCommand } from '../core/command.ts';
import { BUY, CANCEL_ORDER, GTD, LIMIT, NEW_ORDER, type Command } from '../core/types.ts';
import { SharedCommandRing, TakenCommands, ringMemory } from './command-ring.ts';
import { ACCOUNT_NAME, CLIENT_ORDER_ID } from './types.ts';

const narrow = (orderId: number): Command => ({ kind: CANCEL_ORDER, account: 1, orderId });
const wide = (priceTicks: number): Command => ({
  kind: NEW_ORDER,
  instrument: 0,
  account: 1,
  side: BUY,
  type: LIMIT,
  timeInForce: GTD,
  priceTicks,
  quantityLots: 1,
  expiryMicros: 9,
});

function push(ring: SharedCommandRing, command: Command): boolean {
  const at = ring.at();
  if (at < 0) return false;
  encodeCommand(ring.slots, at, 0, command);
  ring.push();
  return true;
}

/** The number that `narrow` or `wide` was given, of each command taken. */
function numbers(taken: TakenCommands): number[] {
  const slots = new CommandSlots(taken.words.slice().buffer);
  const found: number[] = [];
  for (let at = 0; at < taken.wordCount; at += commandWords(slots, at)) {
    const command = decodeCommand(slots, at);
    found.push(command.kind === CANCEL_ORDER ? command.orderId : command.kind === NEW_ORDER ? command.priceTicks : -1);
  }
  return found;
}

/** The texts taken, which must be one for each command. */
function textsOf(taken: TakenCommands): string[] {
  const bytes = Buffer.from(taken.texts.subarray(0, taken.textBytes));
  const found: string[] = [];
  for (let at = 0; at < bytes.length; at += 6 + bytes.readUInt8(at + 5)) {
    expect(bytes.readUInt32LE(at)).toBe(found.length);
    found.push(bytes.toString('utf8', at + 6, at + 6 + bytes.readUInt8(at + 5)));
  }
  return found;
}

describe('the command ring', () => {
  it.each([0, 2 ** 31 - 512, -512])('gives every command back once, in order, while its counters go on from %d', (start) => {
    const memory = ringMemory(16, 256);
    new Int32Array(memory.counters).fill(start);
    const ring = new SharedCommandRing(memory);
    let pushed = 0;
    let expected = 1;
    for (let round = 1; round < 400; round += 1) {
      for (let count = round % 11; count > 0; count -= 1) {
        expect(ring.at() % SLOT_WORDS === 0 || ring.at() === -1).toBe(true);
        expect(ring.at()).toBeLessThanOrEqual(14 * SLOT_WORDS);
        if (ring.at() < 0 || !ring.text(CLIENT_ORDER_ID, String(pushed + 1))) break;
        push(ring, (pushed * 7 + round) % 3 === 0 ? wide(pushed + 1) : narrow(pushed + 1));
        pushed += 1;
      }
      const taken = new TakenCommands(1 + (round % 5));
      const count = ring.take(taken);
      const found = numbers(taken);
      expect(found).toEqual(Array.from({ length: count }, (_, index) => expected + index));
      expect(textsOf(taken)).toEqual(found.map(String));
      expected += count;
      ring.release();
      expect(ring.waiting).toBe(pushed - expected + 1);
    }
    expect(pushed).toBeGreaterThan(1000);
  });

  it('says when it is full, and has room again only after the release', () => {
    const ring = new SharedCommandRing(ringMemory(8, 256));
    let pushed = 0;
    while (push(ring, narrow(pushed + 1))) pushed += 1;
    expect(pushed).toBe(6);
    expect(ring.waiting).toBe(6);
    const taken = new TakenCommands(100);
    expect(ring.take(taken)).toBe(6);
    expect(ring.take(new TakenCommands(100))).toBe(0);
    expect(ring.at()).toBe(-1);
    ring.release();
    expect(ring.waiting).toBe(0);
    expect(ring.at()).toBeGreaterThanOrEqual(0);
  });

  it('uses the place of a command that is not pushed again, and forgets its texts', () => {
    const ring = new SharedCommandRing(ringMemory(16, 256));
    const at = ring.at();
    encodeCommand(ring.slots, at, 0, narrow(1));
    expect(ring.text(CLIENT_ORDER_ID, 'refused')).toBe(true);
    ring.dropTexts();
    expect(ring.at()).toBe(at);
    ring.text(CLIENT_ORDER_ID, 'a');
    push(ring, narrow(2));
    const taken = new TakenCommands(4);
    ring.take(taken);
    expect(numbers(taken)).toEqual([2]);
    expect([...taken.texts.subarray(0, taken.textBytes)]).toEqual([0, 0, 0, 0, CLIENT_ORDER_ID, 1, 0x61]);
  });

  it('leaves texts of later commands for their batch, and refuses those without room', () => {
    const ring = new SharedCommandRing(ringMemory(16, 64));
    ring.text(ACCOUNT_NAME, 'first');
    push(ring, narrow(1));
    ring.text(ACCOUNT_NAME, 'é');
    push(ring, narrow(2));
    expect(ring.text(CLIENT_ORDER_ID, 'x'.repeat(32))).toBe(false);
    const taken = new TakenCommands(1);
    ring.take(taken);
    expect(Buffer.from(taken.texts.subarray(6, taken.textBytes)).toString()).toBe('first');
    ring.take(taken);
    expect([...taken.texts.subarray(0, 6)]).toEqual([0, 0, 0, 0, ACCOUNT_NAME, 2]);
    expect(Buffer.from(taken.texts.subarray(6, taken.textBytes)).toString()).toBe('é');
    ring.release();
    expect(ring.text(CLIENT_ORDER_ID, 'x'.repeat(32))).toBe(true);
    expect(() => ring.text(CLIENT_ORDER_ID, 'é'.repeat(33))).toThrow(RangeError);
  });
});
