import { expect, it } from 'vitest';
import { hashClientOrderId, type ClientIdBits } from './client-order-id.ts';

function bitsOf(text: string): ClientIdBits {
  const bits = { low: 0, high: 0 };
  hashClientOrderId(text, bits);
  return bits;
}

it('never changes: journals depend on it', () => {
  expect(bitsOf('a')).toEqual({ low: -2100725503, high: 1344023463 });
  expect(bitsOf('order-000001')).toEqual({ low: -1328396356, high: 1303665860 });
});

it('tells ids apart that differ little', () => {
  const texts = Array.from({ length: 200_000 }, (_, index) => `order-${index}`);
  const lows = new Set<number>();
  const both = new Set<string>();
  for (const text of texts) {
    const { low, high } = bitsOf(text);
    lows.add(low);
    both.add(`${low} ${high}`);
  }
  expect(both.size).toBe(texts.length);
  // 32 random bits would give about 4.7 equal pairs.
  expect(lows.size).toBeGreaterThan(texts.length - 30);
});
