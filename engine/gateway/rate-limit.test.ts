import { describe, expect, it } from 'vitest';
import { RateLimiter } from './rate-limit.ts';

describe('RateLimiter', () => {
  it('lets a burst through, then the rate, and says how long to wait', () => {
    const limiter = new RateLimiter({ ordersPerSecond: 10, burst: 3 });
    expect([0, 0, 0].map((at) => limiter.take('a', at))).toEqual([0, 0, 0]);
    expect(limiter.take('a', 0)).toBe(100);
    expect(limiter.take('a', 50)).toBeCloseTo(50);
    expect(limiter.take('a', 100)).toBe(0);
    expect(limiter.take('a', 100)).toBe(100);
    expect(limiter.take('b', 100)).toBe(0);
  });

  it('never holds more than the burst', () => {
    const limiter = new RateLimiter({ ordersPerSecond: 1000, burst: 2 });
    limiter.take('a', 0);
    expect([1e6, 1e6, 1e6].map((at) => limiter.take('a', at))).toEqual([0, 0, 1]);
  });

  it('keeps a bounded number of buckets and drops those that say nothing first', () => {
    const limiter = new RateLimiter({ ordersPerSecond: 1, burst: 2 }, 3);
    limiter.take('idle', 0);
    limiter.take('busy', 5000);
    limiter.take('busy', 5000);
    limiter.take('other', 5000);
    limiter.take('new', 5000);
    expect(limiter.buckets).toBe(3);
    expect(limiter.take('busy', 5000)).toBe(1000);
    for (let index = 0; index < 100; index += 1) limiter.take(`x${index}`, 5000);
    expect(limiter.buckets).toBe(3);
  });
});
