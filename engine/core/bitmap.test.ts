import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Bitmap, LARGEST_BITMAP } from './bitmap.ts';

describe('Bitmap', () => {
  it.each([32, 1024, 4096, LARGEST_BITMAP])('finds the members of any set of %i in order', (size) => {
    // Borders of words and groups are where a search can go wrong.
    const member = fc.oneof(
      fc.nat(size - 1),
      fc.constantFrom(0, 30, 31, 32, 33, 1023, 1024, 1055, size - 32, size - 1).map((at) => Math.min(at, size - 1)),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), member), { maxLength: 200 }), (steps) => {
        const bitmap = new Bitmap(size);
        const model = new Set<number>();
        for (const [adds, at] of steps) {
          bitmap[adds ? 'add' : 'remove'](at);
          model[adds ? 'add' : 'delete'](at);
        }
        const found: number[] = [];
        for (let at = bitmap.after(-1); at >= 0; at = bitmap.after(at)) found.push(at);
        const sorted = [...model].sort((a, b) => a - b);
        expect(found).toEqual(sorted);
        for (const [, at] of steps) expect(bitmap.after(at)).toBe(sorted.find((other) => other > at) ?? -1);
        bitmap.clear();
        expect(bitmap.after(-1)).toBe(-1);
      }),
      { numRuns: 60 },
    );
  });

  it('refuses more than three levels hold', () => {
    expect(() => new Bitmap(LARGEST_BITMAP + 1)).toThrow(RangeError);
  });
});
