import { describe, expect, it } from 'vitest';
import { compare, median, table } from './report.ts';

describe('comparisons', () => {
  it('take medians of values, peers and ratios', () => {
    expect([median([3, 1, 2]), median([4, 1, 2, 3])]).toEqual([2, 2.5]);
    const pairs = [
      { value: 10, peer: 20 },
      { value: 30, peer: 30 },
      { value: 20, peer: 5 },
    ];
    const found = compare('a', 'ns', 'b', pairs);
    expect(found).toEqual({ name: 'a', value: 20, unit: 'ns', versus: 'b', peer: 20, ratio: 1, runs: 3, spread: 1 });
    expect(table([found]).split('\n')[1]).toMatch(/^a +20 ns +b +20 +1 +3 +100 %$/);
    expect(() => compare('a', 'ns', 'b', [])).toThrow('a was not measured');
  });
});
