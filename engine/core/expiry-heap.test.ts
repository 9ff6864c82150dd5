import * as fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ExpiryHeap } from './expiry-heap.ts';

afterEach(() => void vi.unstubAllGlobals());

describe('ExpiryHeap', () => {
  it('gives by expiry, then id, through pushes, pops and sweeps', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(5), fc.nat(9)), { maxLength: 200, size: 'max' }), (steps) => {
        const heap = new ExpiryHeap();
        let model: [expiryMicros: number, id: number][] = [];
        for (const [index, [kind, expiryMicros]] of steps.entries()) {
          if (kind === 0 && model.length > 0) {
            heap.pop();
            model.shift();
          } else if (kind === 1) {
            const live = model.filter(([, id]) => id % 3 === 0);
            const sweeps = model.length > 2 * live.length;
            heap.sweep(live.length, (id) => id % 3 === 0);
            if (sweeps) model = live;
          } else {
            heap.push(expiryMicros, index);
            model.push([expiryMicros, index]);
            model.sort(([a, id], [b, other]) => a - b || id - other);
          }
          expect(heap.size).toBe(model.length);
          expect(heap.firstMicros).toBe(model[0]?.[0] ?? Infinity);
          if (model.length > 0) expect(heap.firstId).toBe(model[0]?.[1]);
        }
      }),
    );
  });

  it('grows when it is full', () => {
    const heap = new ExpiryHeap();
    const { bytes } = heap;
    for (let id = 100; id > 0; id -= 1) heap.push(id, id);
    expect([heap.size, heap.firstId, heap.bytes > bytes]).toEqual([100, 1, true]);
  });

  it('that is full when memory is out stays as it is', () => {
    const heap = new ExpiryHeap();
    for (let id = 16; id > 0; id -= 1) heap.push(id, id);
    const { bytes } = heap;
    vi.stubGlobal('Float64Array', function () {
      throw new RangeError('Array buffer allocation failed');
    });
    expect([heap.isFull, heap.grow()]).toEqual([true, false]);
    expect(() => heap.push(17, 17)).toThrow('no memory for an expiry');
    vi.unstubAllGlobals();
    expect([heap.size, heap.capacity, heap.bytes, heap.firstId]).toEqual([16, 16, bytes, 1]);
    expect([heap.grow(), heap.capacity, heap.isFull]).toEqual([true, 32, false]);
    heap.push(0, 17);
    const ids: number[] = [];
    for (; heap.size > 0; heap.pop()) ids.push(heap.firstId);
    expect(ids).toEqual([17, ...Array.from({ length: 16 }, (_, index) => index + 1)]);
  });
});
