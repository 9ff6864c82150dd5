import * as fc from 'fast-check';
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

  it('takes who has waited as long as was said, and nobody before, however often they ask', () => {
    const parts = fc.array(fc.double({ min: 0, max: 0.99, noNaN: true }), { maxLength: 5 }).map((list) => list.toSorted((a, b) => a - b));
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5000 }),
        fc.integer({ min: 1, max: 50 }),
        fc.nat(10 ** 7),
        parts,
        (ordersPerSecond, burst, atMs, asks) => {
          const limiter = new RateLimiter({ ordersPerSecond, burst });
          for (let sent = 0; sent < burst; sent += 1) expect(limiter.take('a', atMs)).toBe(0);
          const waitMs = limiter.take('a', atMs);
          for (const part of asks) expect(limiter.take('a', atMs + waitMs * part)).toBeCloseTo(waitMs * (1 - part), 3);
          expect(limiter.take('a', atMs + waitMs)).toBe(0);
          expect(limiter.take('a', atMs + waitMs)).toBeGreaterThan(waitMs * 0.99);
        },
      ),
      { examples: [[20, 1, 0, [1.2e-11]]] },
    );
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
