import { expect, it } from 'vitest';
import { heapPlan } from '../../charts/heap.ts';
import { TUNED_FLAGS } from './gc.ts';

it('what is measured as tuned is what the charts give an engine of the default memory', () => {
  expect(TUNED_FLAGS).toEqual(heapPlan({ memoryBytes: 2 ** 30, runtime: { heap: 'auto' } }).flags);
});
