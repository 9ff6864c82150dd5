import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IdIndex } from './id-index.ts';
import { OrderPool } from './order-pool.ts';

/** Ids that meet in the same places of a small index: near ones, equal low words, the largest. */
const id = fc.oneof(
  fc.integer({ min: 1, max: 60 }),
  fc.tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 6 })).map(([high, low]) => high * 2 ** 32 + low),
  fc.integer({ min: 0, max: 10 }).map((below) => Number.MAX_SAFE_INTEGER - below),
);

describe('IdIndex', () => {
  it('holds what a map would, through additions, removals and growth', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 2 }), id), { maxLength: 300, size: 'max' }), (steps) => {
        const pool = new OrderPool(12, 1000);
        const index = new IdIndex(pool);
        const model = new Map<number, number>();
        for (const [kind, key] of steps) {
          const known = model.get(key);
          if (kind === 0) {
            if (known === undefined) continue;
            index.remove(known, key);
            pool.give(known);
            model.delete(key);
          } else {
            if (!pool.hasRoom) {
              expect(pool.grow()).toBe(true);
              expect(index.reserve(pool.capacity)).toBe(true);
            }
            if (known !== undefined) continue;
            const reference = pool.take();
            index.add(reference, key);
            pool.doubles[reference >> 1] = key;
            model.set(key, reference);
          }
          expect(index.find(key)).toBe(model.get(key) ?? 0);
        }
        for (const [key, reference] of model) expect(index.find(key)).toBe(reference);
        expect(index.find(999)).toBe(0);
      }),
      { numRuns: 200 },
    );
  });
});

describe('IdIndex that has grown while it was nearly empty', () => {
  it('has room for as many as it has grown for', () => {
    const pool = new OrderPool(9, 6000);
    const index = new IdIndex(pool);
    const references = new Map<number, number>();
    const add = (key: number): void => {
      const reference = pool.take();
      pool.doubles[reference >> 1] = key;
      index.add(reference, key);
      references.set(key, reference);
    };
    // Its low word is 0: where that stands is where a search for nothing would begin.
    add(2 ** 32);
    while (pool.capacity < 6000) expect([pool.grow(), index.reserve(pool.capacity)]).toEqual([true, true]);
    for (let key = 1; key < 6000; key += 1) add(key);
    expect([...references].filter(([key, reference]) => index.find(key) !== reference)).toEqual([]);
    expect([index.find(6000), index.find(2 ** 33)]).toEqual([0, 0]);
  });
});

describe('IdIndex with ids that all hash alike', () => {
  it.each([4, 5])('finds and removes those that stand farther from home than an entry can say, low word %i', (low) => {
    const pool = new OrderPool(701, 700);
    const index = new IdIndex(pool);
    const ids = Array.from({ length: 600 }, (_, high) => (high + 1) * 2 ** 32 + low);
    const references = ids.map((key) => {
      const reference = pool.take();
      pool.doubles[reference >> 1] = key;
      index.add(reference, key);
      return reference;
    });
    for (let step = 0; step < 600; step += 1) {
      const at = (step * 7) % 600;
      expect(index.find(ids[at] ?? 0)).toBe(references[at]);
      index.remove(references[at] ?? 0, ids[at] ?? 0);
      expect(index.find(ids[at] ?? 0)).toBe(0);
      const next = (at + 7) % 600;
      if (step < 599) expect(index.find(ids[next] ?? 0)).toBe(references[next]);
    }
  });
});

describe('OrderPool', () => {
  it('hands out every record once, keeps them over growth and stops at its limit', () => {
    const pool = new OrderPool(3, 3);
    const first = pool.take();
    const second = pool.take();
    expect(new Set([0, first, second]).size).toBe(3);
    // One record is kept for a level.
    expect([pool.take(), pool.isFull, pool.used]).toEqual([0, false, 2]);
    pool.doubles[first >> 1] = 7;
    expect(pool.grow()).toBe(true);
    expect(pool.doubles[first >> 1]).toBe(7);
    expect(pool.take()).toBeGreaterThan(0);
    expect([pool.take(), pool.isFull]).toEqual([0, true]);
    pool.give(second);
    expect([pool.take(), pool.live, pool.most]).toEqual([second, 3, 3]);
  });
});
