import { execa } from 'execa';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NATIVE_RESERVE_MI } from '../crds/hftengine.ts';
import { parseBytes } from '../crds/quantity.ts';
import { heapPlan, type HeapPlan } from './heap.ts';
import { engineSpec, memory } from './spec.prop.ts';

const MI = 2 ** 20;
const auto = (memoryMi: number): HeapPlan => heapPlan({ memoryBytes: memoryMi * MI, runtime: { heap: 'auto' } });
const explicit = (memoryMi: number, oldSpaceMi?: number, semiSpaceMi?: number): HeapPlan =>
  heapPlan({ memoryBytes: memoryMi * MI, runtime: { heap: 'explicit', oldSpaceMi, semiSpaceMi } });

/** Flags that Node runs with, and V8's heap limit under them, in MiB. */
async function nodeUnder(flags: readonly string[]): Promise<{ execArgv: string[]; heapLimitMi: number }> {
  const script = 'console.log(JSON.stringify({execArgv: process.execArgv, heapLimitMi: v8.getHeapStatistics().heap_size_limit / 2 ** 20}))';
  const { stdout, stderr } = await execa(process.execPath, [...flags, '-e', script], { timeout: 15_000 });
  expect(stderr).toBe('');
  const { execArgv, heapLimitMi } = JSON.parse(stdout) as { execArgv: string[]; heapLimitMi: number };
  return { execArgv: execArgv.slice(0, flags.length), heapLimitMi };
}

describe('heapPlan, auto', () => {
  it.each([
    [256, { oldSpaceMi: 72, semiSpaceMi: 4, externalMi: 172 }],
    [512, { oldSpaceMi: 187, semiSpaceMi: 4, externalMi: 313 }],
    [1024, { oldSpaceMi: 417, semiSpaceMi: 4, externalMi: 595 }],
    [4096, { oldSpaceMi: 1800, semiSpaceMi: 4, externalMi: 2284 }],
    [65_536, { oldSpaceMi: 4096, semiSpaceMi: 4, externalMi: 61_428 }],
  ])('shares out %i MiB', (memoryMi, shares) => {
    expect(auto(memoryMi)).toEqual({
      ...shares,
      flags: [
        `--max-old-space-size=${shares.oldSpaceMi}`,
        `--max-semi-space-size=${shares.semiSpaceMi}`,
        `--min-semi-space-size=${shares.semiSpaceMi}`,
      ],
    });
  });

  it('uses the whole limit, never more, and keeps room for a worker as large in its young generation', () => {
    fc.assert(
      fc.property(memory, (text) => {
        const memoryBytes = parseBytes(text);
        const plan = heapPlan({ memoryBytes, runtime: { heap: 'auto' } });
        const youngMi = 3 * plan.semiSpaceMi;
        const usableMi = Math.floor(memoryBytes / MI) - NATIVE_RESERVE_MI;
        expect(plan.oldSpaceMi + youngMi + plan.externalMi).toBe(Math.floor(memoryBytes / MI));
        expect(plan.oldSpaceMi).toBeGreaterThanOrEqual(64);
        expect(plan.externalMi).toBeGreaterThanOrEqual(NATIVE_RESERVE_MI + youngMi);
        expect(plan.externalMi).toBeGreaterThanOrEqual(NATIVE_RESERVE_MI + 0.42 * usableMi);
      }),
    );
  });

  it('gives no less heap for more memory', () => {
    fc.assert(
      fc.property(fc.integer({ min: 256, max: 200_000 }), fc.integer({ min: 0, max: 2000 }), (memoryMi, moreMi) => {
        const [less, more] = [auto(memoryMi), auto(memoryMi + moreMi)];
        expect(more.oldSpaceMi).toBeGreaterThanOrEqual(less.oldSpaceMi);
        expect(more.semiSpaceMi).toBeGreaterThanOrEqual(less.semiSpaceMi);
      }),
    );
  });

  it('refuses memory that the reserve alone uses up', () => {
    expect(() => auto(96)).toThrow(RangeError);
  });
});

describe('heapPlan, explicit', () => {
  it('takes the sizes given, a semi space rounded down to a power of two', () => {
    expect(explicit(1024, 600, 32)).toMatchObject({ oldSpaceMi: 600, semiSpaceMi: 32, externalMi: 328 });
    expect(explicit(1024, 600, 63)).toMatchObject({ oldSpaceMi: 600, semiSpaceMi: 32, externalMi: 328 });
    expect(explicit(1024, 600, 1)).toMatchObject({ semiSpaceMi: 1 });
  });

  it('fits whatever the CRD admits', () => {
    fc.assert(
      fc.property(engineSpec, ({ resources, runtime }) => {
        const memoryBytes = parseBytes(resources.memory);
        const plan = heapPlan({ memoryBytes, runtime });
        expect((plan.oldSpaceMi + 3 * plan.semiSpaceMi + plan.externalMi) * MI).toBeLessThanOrEqual(memoryBytes);
        expect(plan.externalMi).toBeGreaterThanOrEqual(NATIVE_RESERVE_MI);
        if (runtime.heap === 'auto') return;
        expect(plan.oldSpaceMi).toBe(runtime.oldSpaceMi);
        expect(plan.semiSpaceMi).toBeLessThanOrEqual(runtime.semiSpaceMi ?? 0);
        expect(plan.semiSpaceMi * 2).toBeGreaterThan(runtime.semiSpaceMi ?? 0);
      }),
    );
  });

  it('refuses a heap that does not fit, saying by how much, and sizes that are missing', () => {
    expect(explicit(256, 157, 1).externalMi).toBe(NATIVE_RESERVE_MI);
    expect(() => explicit(256, 158, 1)).toThrow(/leave 95 of 256 MiB, 96 are needed; raise resources.memory or lower the heap/);
    expect(() => explicit(256, undefined, 1)).toThrow(/needs oldSpaceMi and semiSpaceMi/);
    expect(() => explicit(256, 64)).toThrow(/needs oldSpaceMi and semiSpaceMi/);
  });
});

describe('the flags in Node itself', () => {
  it.each([
    ['the smallest engine', auto(256)],
    ['the default engine', auto(1024)],
    ['a large engine', auto(65_536)],
    ['an explicit heap', explicit(1024, 600, 33)],
    ['the largest explicit heap', explicit(2_000_000, 1_048_576, 1024)],
  ])('are accepted, and V8 sets the planned limit: %s', async (_name, plan) => {
    const { execArgv, heapLimitMi } = await nodeUnder(plan.flags);
    expect(execArgv).toEqual(plan.flags);
    expect(heapLimitMi).toBe(plan.oldSpaceMi + 3 * plan.semiSpaceMi);
  });

  it('rounds a semi space up by itself, which is why the plan rounds down', async () => {
    const { heapLimitMi } = await nodeUnder(['--max-old-space-size=600', '--max-semi-space-size=33']);
    expect(heapLimitMi).toBe(600 + 3 * 64);
  });
});
