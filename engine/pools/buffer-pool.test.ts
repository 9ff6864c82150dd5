import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import type { PoolFigures } from '../core/pool-figures.ts';
import { BUFFER_SIZES, bufferFigures, BufferPool, bufferPoolMemory, type BufferPoolOptions } from './buffer-pool.ts';

function counted(options: BufferPoolOptions = {}): { pool: BufferPool; figures: (size: number | 'oversize') => PoolFigures | undefined } {
  const memory = bufferPoolMemory();
  const pool = new BufferPool({ ...options, memory });
  return { pool, figures: (size) => bufferFigures('p', memory).find((one) => one.pool === `p-${size}`) };
}

describe('a buffer', () => {
  it('is of the smallest size that has room', () => {
    const { pool } = counted();
    for (const bytes of [0, 1, 63, 64, 65, 127, 128, 129, 1000, 1024, 1025, 16_384, 16_385, 32_767, 32_768]) {
      expect(pool.take(bytes)).toHaveLength(BUFFER_SIZES.find((size) => size >= bytes) ?? NaN);
    }
  });

  it('is used again, and counted as a hit', () => {
    const { pool, figures } = counted();
    const first = pool.take(100);
    const second = pool.take(100);
    expect(second).not.toBe(first);
    pool.give(first);
    expect(figures(128)).toEqual({ pool: 'p-128', used: 1, mostUsed: 2, capacity: 2, bytes: 256, hits: 0, misses: 2, leaked: 0 });
    expect(pool.take(128)).toBe(first);
    expect(figures(128)).toMatchObject({ used: 2, mostUsed: 2, capacity: 2, hits: 1, misses: 2 });
    expect(figures(64)).toMatchObject({ used: 0, hits: 0, misses: 0 });
  });

  it('has memory of its own, which no other buffer shares', () => {
    const { pool } = counted();
    const [one, other] = [pool.take(64), pool.take(64)];
    expect(one.buffer.byteLength).toBe(64);
    expect(one.buffer).not.toBe(other.buffer);
  });

  it('beyond the largest size is a new one of just that length, and is let go', () => {
    const { pool, figures } = counted();
    const large = pool.take(32_769);
    expect(large).toHaveLength(32_769);
    pool.give(large);
    expect(pool.take(32_769)).not.toBe(large);
    expect(figures('oversize')).toMatchObject({ used: 0, misses: 2 });
  });

  it('of another length than the sizes is refused: a part of one, most likely', () => {
    const { pool } = counted();
    const whole = pool.take(64);
    expect(() => pool.give(whole.subarray(0, 10))).toThrow('give back what was taken');
    pool.give(whole);
  });

  it('is let go when as many are free as are to be kept', () => {
    const { pool, figures } = counted({ keptBytes: 8192 });
    const taken = [pool.take(4096), pool.take(4096), pool.take(4096)];
    for (const buffer of taken) pool.give(buffer);
    expect(figures(4096)).toMatchObject({ used: 0, capacity: 2, bytes: 8192, mostUsed: 3 });
    expect(taken).toContain(pool.take(4096));
    expect(taken).toContain(pool.take(4096));
    expect(taken).not.toContain(pool.take(4096));
  });
});

describe('leaks', () => {
  function forgetful(pool: BufferPool): number {
    return pool.take(256).length;
  }

  it('are not looked for unless asked', () => {
    expect(new BufferPool().leaks).toBeUndefined();
  });

  it('are told with their place while they are still held', () => {
    const { pool } = counted({ watchLeaks: true });
    const held = pool.take(64);
    const given = pool.take(64);
    pool.give(given);
    const [place, ...others] = pool.leaks?.held(0) ?? [];
    expect(others).toEqual([]);
    expect(place).toMatchObject({ count: 1, place: expect.stringContaining('buffer-pool.test.ts') });
    expect(place?.place).not.toContain('pools/buffer-pool.ts');
    expect(pool.leaks?.held(60_000)).toEqual([]);
    pool.give(held);
    expect(pool.leaks?.held(0)).toEqual([]);
  });

  it('are found when the garbage collector finds them, with their place', async () => {
    const { pool, figures } = counted({ watchLeaks: true });
    const warned = once(process, 'warning');
    for (let time = 0; time < 2; time += 1) forgetful(pool);
    setFlagsFromString('--expose-gc');
    const gc: unknown = runInNewContext('gc');
    if (typeof gc !== 'function') throw new Error('V8 gives no gc()');
    while (figures(256)?.leaked !== 2) {
      gc();
      await delay(1);
    }
    expect(figures(256)).toMatchObject({ used: 0, leaked: 2, misses: 2 });
    expect(pool.leaks?.lost()).toEqual([{ count: 2, place: expect.stringMatching(/^forgetful .*buffer-pool\.test\.ts/) }]);
    const [warning] = await warned;
    expect(warning).toMatchObject({ message: expect.stringContaining('a buffer of 256 bytes was never given back: taken at forgetful') });
    expect(pool.leaks?.held(0)).toEqual([]);
  });

  it('have a counterpart, which is refused: giving back twice', () => {
    const { pool, figures } = counted({ watchLeaks: true });
    const buffer = pool.take(64);
    pool.give(buffer);
    expect(() => pool.give(buffer)).toThrow('given back twice');
    expect(figures(64)).toMatchObject({ used: 0, capacity: 1 });
  });
});
