import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { REJECT } from '../core/types.ts';
import {
  anyLayout,
  decodeFrame,
  decodeMessage,
  encodeFrame,
  encodeMessage,
  FrameFault,
  frameBytes,
  type AnyFrame,
} from './websocket-codec.ts';
import { FRAMES, PRICE_UPDATE, type Field, type FrameName, type FrameSpec } from './websocket-frames.ts';
import { FRAME_NAMES, PRICE_UPDATE_LAYOUT, sizeOf } from './websocket-layout.ts';
import * as values from './websocket-values.ts';

function fieldOf({ type, values: names }: Field): fc.Arbitrary<unknown> {
  if (names !== undefined) return fc.constantFrom(...names);
  if (type.startsWith('char')) return fc.string({ unit: fc.constantFrom('a', 'Z', '0', '-', '.'), maxLength: sizeOf(type) });
  if (type === 'id') return fc.bigInt(0n, 2n ** 64n - 1n).map((id) => id.toString(16).padStart(16, '0'));
  if (type === 'i64') return fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n).map(String);
  return fc.maxSafeNat().map((value) => value % 2 ** Math.min(53, sizeOf(type) * 8));
}

/** Any frame of a name, every field anywhere in its range. */
function anyFrame(name: FrameName): fc.Arbitrary<AnyFrame> {
  const spec: FrameSpec = FRAMES[name];
  const fields = Object.entries(spec.fields).map(([key, field]) => [key, fieldOf(field)] as const);
  const flags = Object.keys(spec.flags ?? {}).map((flag) => [flag, fc.boolean()] as const);
  const shape = Object.fromEntries<fc.Arbitrary<unknown>>([...flags, ...fields]);
  return fc.record({ frame: fc.constant(name), number: fc.nat(), ...shape }) as unknown as fc.Arbitrary<AnyFrame>;
}

describe('every frame', () => {
  it.each(FRAME_NAMES)('%s comes back as it was sent', (name) => {
    const comesBack = fc.property(anyFrame(name), (frame) => {
      expect(decodeMessage(encodeMessage([frame, frame]))).toEqual([frame, frame]);
    });
    fc.assert(comesBack, { numRuns: 100 });
  });

  it('stands where the table says: in order, aligned, without overlap, in a multiple of 8 bytes', () => {
    expect(new Set(FRAME_NAMES.map((name) => FRAMES[name].type)).size).toBe(FRAME_NAMES.length);
    for (const name of FRAME_NAMES) {
      const spec: FrameSpec = FRAMES[name];
      const { at, bytes } = anyLayout(name);
      let end = 8;
      for (const [key, { type }] of Object.entries(spec.fields)) {
        const size = sizeOf(type);
        expect(at[key]).toBeGreaterThanOrEqual(end);
        if (!type.startsWith('char')) expect((at[key] as number) % size).toBe(0);
        end = (at[key] as number) + size;
      }
      expect([bytes % 8, bytes >= end, bytes < end + 8]).toEqual([0, true, true]);
    }
  });

  it('never changes its place: these are what clients in the field send', () => {
    expect(
      ['newOrder', 'newOrderFull', 'replace', 'cancel', 'massCancel', 'placed', 'rejected', 'fill'].map((name) =>
        frameBytes(name as FrameName),
      ),
    ).toEqual([40, 64, 56, 24, 16, 56, 16, 64]);
    expect(anyLayout('newOrder').at).toEqual({
      account: 8,
      instrument: 10,
      side: 12,
      orderType: 13,
      timeInForce: 14,
      selfTrade: 15,
      clientOrderId: 16,
      priceTicks: 24,
      quantityLots: 32,
    });
  });
});

it("the price update is the seed's: 32 bytes", () => {
  expect(PRICE_UPDATE_LAYOUT).toEqual({ at: { symbol: 0, price: 8, volume: 16, timeNanos: 24 }, bytes: 32 });
  expect(Object.values(PRICE_UPDATE).map(({ type }) => type)).toEqual(['char8', 'u64', 'u64', 'i64']);
});

it('names every code by its number', () => {
  expect(values.REJECT_VALUES).toHaveLength(Object.keys(REJECT).length);
  for (const [name, number] of Object.entries(REJECT)) expect(values.REJECT_VALUES[number]).toBe(name);
});

describe('what is no frame', () => {
  const good = encodeMessage([{ frame: 'cancel', number: 1, account: 0, orderId: 7 }]);

  it('is refused: cut short, of another length, of no type', () => {
    const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let length = 1; length < good.length; length += 1) expect(() => decodeMessage(good.slice(0, length))).toThrow(FrameFault);
    for (const [at, value] of [
      [0, 16],
      [0, 0],
      [1, 1],
      [2, 200],
    ] as const) {
      const bad = good.slice();
      bad[at] = value;
      expect(() => decodeFrame(view(bad), 0, bad.length)).toThrow(FrameFault);
    }
  });

  it('is passed over by its length where only its type is unknown', () => {
    const cancel = { frame: 'cancel', number: 1, account: 0, orderId: 7 } as const;
    expect(decodeMessage(new Uint8Array([16, 0, 200, ...new Uint8Array(13), ...good]))).toEqual([cancel]);
    for (const length of [0, 7, 17])
      expect(() => decodeMessage(new Uint8Array([length, 0, 200, ...new Uint8Array(13)]))).toThrow(FrameFault);
  });

  it('is refused where it is an object: a number out of range, a text too long, a name that is none', () => {
    const view = new DataView(new ArrayBuffer(256));
    const cancel = { frame: 'cancel', number: 1, account: 0, orderId: 7 } as const;
    expect(() => encodeFrame(view, 0, { ...cancel, account: 65_536 })).toThrow(FrameFault);
    expect(() => encodeFrame(view, 0, { ...cancel, orderId: 2 ** 53 })).toThrow(FrameFault);
    expect(() => encodeFrame(view, 0, { ...cancel, orderId: -1 })).toThrow(FrameFault);
    expect(() => encodeFrame(view, 0, { frame: 'useAccount', number: 1, name: 'a'.repeat(33) })).toThrow(FrameFault);
    expect(() => encodeFrame(view, 0, { frame: 'unsubscribe', number: 1, instrument: 0, account: 0, channel: 'nothing' })).toThrow(
      FrameFault,
    );
  });
});
