import { status } from '@grpc/grpc-js';
import { expect, it } from 'vitest';
import { Problem, PROBLEMS, type ProblemCode } from '../../service/problem.ts';
import { ViewsError } from '../../views/types.ts';
import { problemOfCause, statusOf, statusOfCode } from './status.ts';

const CODES = Object.keys(PROBLEMS) as ProblemCode[];

it.each(CODES)('%s has a status', (code) => {
  const found = statusOfCode(code);
  expect(found).toBeDefined();
  expect([status.OK, status.UNKNOWN]).not.toContain(found);
});

it('only what may be tried again as it is, is UNAVAILABLE', () => {
  const unavailable = CODES.filter((code) => statusOfCode(code) === status.UNAVAILABLE);
  expect(unavailable.every((code) => PROBLEMS[code].status === 503)).toBe(true);
});

it('tells code, field, number and when to try again', () => {
  const { code, details, metadata } = statusOf(new Problem('HFT_MAX_ORDER_QTY', 'too much', { field: 'quantity_lots', retryAfterMs: 0.5 }));
  expect([code, details]).toEqual([status.FAILED_PRECONDITION, 'too much']);
  expect(metadata.getMap()).toEqual({
    'hft-code': 'HFT_MAX_ORDER_QTY',
    'hft-field': 'quantity_lots',
    'hft-number': '6',
    'retry-after-ms': '1',
  });
});

it('tells nobody of faults of its own', () => {
  expect(problemOfCause(new TypeError('secret'))).toMatchObject({ code: 'HFT_INTERNAL', message: expect.not.stringContaining('secret') });
  expect(problemOfCause(new ViewsError('HFT_VIEWS_BEHIND', 'behind'))).toMatchObject({ code: 'HFT_VIEWS_BEHIND', retryAfterMs: 1000 });
});
