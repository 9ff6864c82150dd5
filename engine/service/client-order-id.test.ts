import { expect, it } from 'vitest';
import { clientOrderIdText, hashClientOrderId, type ClientIdBits } from './client-order-id.ts';

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

it('is the number itself where a text names one in 16 hex digits', () => {
  expect(bitsOf('00000001fffffffe')).toEqual({ low: -2, high: 1 });
  expect(clientOrderIdText(-2, 1)).toBe('00000001fffffffe');
  expect(clientOrderIdText(0, 0)).toBeNull();
  for (const text of ['0123456789abcdef', 'ffffffffffffffff', '0000000000000001']) {
    const { low, high } = bitsOf(text);
    expect(clientOrderIdText(low, high)).toBe(text);
  }
});

it('is a text like any other in any other form, and never nothing', () => {
  for (const text of ['0000000000000000', '00000001FFFFFFFE', '1fffffffe', '000000001fffffffe']) {
    const { low, high } = bitsOf(text);
    expect(low | high).not.toBe(0);
    expect(clientOrderIdText(low, high)).not.toBe(text);
  }
});
