import { expect, it } from 'vitest';
import { Actor, PrincipalNumbers } from './principal-numbers.ts';

it('a name has one number, from 1 on, whoever carries it', () => {
  const numbers = new PrincipalNumbers(2);
  const alice = new Actor('alice');
  expect([numbers.knows(alice), numbers.next]).toEqual([false, 1]);
  numbers.add(alice);
  numbers.add(new Actor('bob'));
  const again = new Actor('alice');
  expect([numbers.knows(again), again.number, again.numbers === numbers, numbers.isFull]).toEqual([true, 1, true, true]);
});
