import { expect, it } from 'vitest';
import { REJECT } from '../core/types.ts';
import { Problem, PROBLEMS, type ProblemCode } from '../service/problem.ts';
import { errorOfReject, REJECT_CODES } from './reject-codes.ts';

it('calls every number of a refusal as the engine does', () => {
  const numbers = Object.values(REJECT).filter((number) => number !== REJECT.none);
  expect(
    Object.keys(REJECT_CODES)
      .map(Number)
      .toSorted((a, b) => a - b),
  ).toEqual(numbers.toSorted((a, b) => a - b));
  for (const number of numbers) {
    const { code, status, retryable } = errorOfReject(number, undefined);
    expect(PROBLEMS, code).toHaveProperty(code);
    const problem = new Problem(code as ProblemCode, '');
    expect(problem.status, code).toBe(status);
    if (number !== REJECT.forbidden) expect(problem.number, code).toBe(number);
    expect(retryable, code).toBe(status === 429 || status === 503 || code === 'HFT_ORDER_CHANGED');
  }
});

it('does not guess what a number of a newer engine means', () => {
  expect(errorOfReject(9999, undefined)).toMatchObject({ code: 'HFT_CLIENT_BAD_ANSWER', number: 9999 });
});
