import { expect, it } from 'vitest';
import { NameTable } from './name-table.ts';

it('a table of names finds what stands for them, and counts', () => {
  const table = new NameTable([
    ['a', 0],
    ['b', 1],
  ]);
  table.set('c', 2);
  expect([table.get('a'), table.get('c'), table.get('d')]).toEqual([0, 2, undefined]);
  expect(table.figures('names', 10)).toEqual({ pool: 'names', used: 3, capacity: 10, mostUsed: 3, hits: 2, misses: 1 });
  expect([...table.values()]).toEqual([0, 1, 2]);
});
