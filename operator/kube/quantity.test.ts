import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { normaliseQuantity, sameQuantity } from './quantity.ts';

describe('quantities', () => {
  it.each([
    ['1000m', '1'],
    ['1', 1],
    ['0.5', '500m'],
    ['1024Mi', '1Gi'],
    ['1Gi', '1073741824'],
    ['1e3', '1k'],
    ['1E', '1000P'],
    ['100', '1e2'],
    ['0', '0Gi'],
    ['1.5Gi', '1536Mi'],
    ['9007199254740993', '9007199254740993'],
  ])('%s is %s', (a, b) => {
    expect(sameQuantity(a, b)).toBe(true);
  });

  it.each([
    ['1', '1m'],
    ['1Gi', '1G'],
    ['9007199254740993', '9007199254740992'],
    ['1', '-1'],
    ['', ''],
    ['abc', 'abc'],
    ['1GB', '1GB'],
  ])('%s is not %s', (a, b) => {
    expect(sameQuantity(a, b)).toBe(false);
  });

  it('agrees with exact arithmetic for any number and scale', () => {
    const scales = { n: -9, u: -6, m: -3, '': 0, k: 3, M: 6, G: 9 } as const;
    const scale = fc.constantFrom(...(Object.keys(scales) as (keyof typeof scales)[]));
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 15n }), scale, scale, (value, a, b) => {
        const shift = scales[a] - scales[b];
        if (shift < 0) return;
        expect(normaliseQuantity(`${value}${a}`)).toBe(normaliseQuantity(`${value * 10n ** BigInt(shift)}${b}`));
        expect(sameQuantity(`${value}${a}`, `${value + 1n}${a}`)).toBe(false);
      }),
    );
  });
});
