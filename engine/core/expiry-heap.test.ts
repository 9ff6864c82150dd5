import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ExpiryHeap } from './expiry-heap.ts';

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
});
