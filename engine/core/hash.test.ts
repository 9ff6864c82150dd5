import { describe, expect, it } from 'vitest';
import { StateHash } from './hash.ts';

function hashOf(...values: number[]): string {
  const hash = new StateHash();
  for (const value of values) hash.addDouble(value);
  return hash.hex();
}

/** The same two lanes, worked out over BigInt. */
function expectedOf(...values: number[]): string {
  const words = new Uint32Array(new Float64Array(values).buffer);
  const step = (lane: bigint, word: bigint): bigint => ((lane ^ word) * 0x01000193n) & 0xffff_ffffn;
  let low = 0x811c9dc5n;
  let high = 0xcbf29ce4n;
  for (const word of [...words].map(BigInt)) {
    low = step(low, word);
    high = step(high, (((word << 15n) | (word >> 17n)) & 0xffff_ffffn) ^ (low >> 13n));
  }
  return [high, low].map((lane) => lane.toString(16).padStart(8, '0')).join('');
}

describe('the state hash', () => {
  it('of nothing and of some numbers is what snapshots of other versions hold', () => {
    expect(hashOf()).toBe('cbf29ce4811c9dc5');
    expect(hashOf(1, 2, 3)).toBe(expectedOf(1, 2, 3));
    expect(hashOf(1, 2, 3)).toBe('840ff6e6b1df879d');
  });

  it('sees every bit, sign and place of a number', () => {
    const values = [0, 1, 2, -1, 0.1, 2 ** 31, 2 ** 32, 2 ** 52 + 1, 2 ** 53 - 1, -(2 ** 53 - 1), 1e300, Infinity];
    for (const value of values) expect(hashOf(7, value)).toBe(expectedOf(7, value));
    expect(new Set(values.map((value) => hashOf(value))).size).toBe(values.length);
    expect(hashOf(1, 2)).not.toBe(hashOf(2, 1));
  });

  it('always has sixteen digits', () => {
    const short = Array.from({ length: 500 }, (_, value) => expectedOf(value)).filter((hash) => hash.startsWith('0') || hash[8] === '0');
    expect(short.length).toBeGreaterThan(10);
    expect(Array.from({ length: 500 }, (_, value) => hashOf(value))).toEqual(Array.from({ length: 500 }, (_, value) => expectedOf(value)));
  });
});
