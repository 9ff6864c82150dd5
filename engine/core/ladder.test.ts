import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PriceLadder } from './ladder.ts';
import { LevelPool } from './level-pool.ts';
import { OrderPool } from './order-pool.ts';

function newLadder() {
  const pool = new OrderPool(10_000, 0);
  const levels = new LevelPool(pool);
  const ladder = new PriceLadder(levels, 5);
  const keys = (): number[] => {
    const found: number[] = [];
    for (let level = ladder.best; level !== 0; level = ladder.after(level)) found.push(levels.key(level));
    return found;
  };
  return { ladder, levels, keys, pool };
}

describe('PriceLadder', () => {
  it('takes its first window to the first price and keeps others far', () => {
    const { ladder, levels, keys } = newLadder();
    expect([ladder.bytes, ladder.window]).toEqual([0, 0]);
    const first = ladder.at(1_000_000);
    expect([ladder.farSize, levels.ladder(first), ladder.at(1_000_000), ladder.window]).toEqual([0, 5, first, 1024]);
    ladder.at(1_000_000 + 767);
    expect(ladder.farSize).toBe(0);
    ladder.at(1_000_000 + 768);
    ladder.at(1_000_000 - 257);
    ladder.at(-Number.MAX_SAFE_INTEGER);
    expect(ladder.farSize).toBe(3);
    expect(keys()).toEqual([-Number.MAX_SAFE_INTEGER, 999_743, 1_000_000, 1_000_767, 1_000_768]);
  });

  it('follows a market that wanders', () => {
    const { ladder, levels, keys, pool } = newLadder();
    const live: number[] = [];
    for (let key = 0; key < 200_000; key += 7) {
      live.push(ladder.at(key));
      if (live.length > 50) ladder.close(live.shift() ?? 0);
    }
    expect(keys()).toEqual(live.map((level) => levels.key(level)));
    expect([ladder.window, ladder.size, pool.used]).toEqual([1024, 50, 50]);
    expect(ladder.farSize).toBeLessThan(50);
  });

  it('widens for a market that is wide, as far as it can', () => {
    const { ladder } = newLadder();
    for (let key = 0; key < 20_000; key += 5) ladder.at((key * 7919) % 20_000);
    expect([ladder.window, ladder.farSize, ladder.size]).toEqual([32_768, 0, 4000]);
    for (let key = 1; key < 1000; key += 1) ladder.at(key * 1_000_000);
    expect([ladder.window, ladder.farSize, ladder.size]).toEqual([32_768, 999, 4999]);
  });

  it('is not dragged off by a stray price', () => {
    const { ladder } = newLadder();
    ladder.at(10 ** 12);
    for (let key = 0; key < 400; key += 1) ladder.at(key);
    for (let visit = 0; visit < 2000; visit += 1) ladder.close(ladder.at(10 ** 9 + visit));
    expect(ladder.farSize).toBe(1);
    expect(ladder.size).toBe(401);
  });

  it('keeps a price that is the first beyond a window that has moved', () => {
    const { ladder, keys } = newLadder();
    const beyond = 1_000_000 + 4096 - 1024;
    for (const key of [1_000_000, beyond, beyond - 1]) ladder.at(key);
    for (let visit = 0; visit < 20; visit += 1) ladder.close(ladder.at(2_000_000));
    expect([ladder.window, ladder.farSize]).toEqual([4096, 1]);
    expect(keys()).toEqual([1_000_000, beyond - 1, beyond]);
  });

  it('finds nothing near behind a price that is 2^32 beyond', () => {
    const { ladder } = newLadder();
    ladder.at(1000);
    ladder.at(1010);
    expect(ladder.after(ladder.at(1000 + 2 ** 32))).toBe(0);
  });

  it('holds what was put there, wherever its window is', () => {
    // Near the edges of windows of all widths, wherever their first price was.
    const edge = fc
      .tuple(fc.constantFrom(0, 256, 768, 1024, 3072, 4096, 12_288, 24_576, 10 ** 6), fc.integer({ min: -2, max: 2 }), fc.boolean())
      .map(([distance, more, isBelow]) => (isBelow ? -distance : distance) + more);
    fc.assert(
      fc.property(fc.array(fc.tuple(edge, fc.nat(80)), { minLength: 100, maxLength: 400, size: 'max' }), (visits) => {
        const { ladder, keys } = newLadder();
        const model = new Set<number>();
        for (const [key, repetitions] of visits) {
          // Far visits move the window.
          for (let visit = 0; visit < repetitions; visit += 1) {
            const level = ladder.at(key);
            if (!model.has(key)) ladder.close(level);
          }
          if (model.delete(key)) ladder.close(ladder.at(key));
          else {
            model.add(key);
            ladder.at(key);
          }
          expect([ladder.size, ladder.bestKey]).toEqual([model.size, Math.min(...model)]);
        }
        expect(keys()).toEqual([...model].toSorted((one, other) => one - other));
      }),
      { numRuns: 100 },
    );
  });
});
