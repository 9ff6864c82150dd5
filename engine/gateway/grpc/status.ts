/** Refusals over gRPC: the status of every problem, and what else is known of it as trailing metadata. */
import { Metadata, status, type StatusObject } from '@grpc/grpc-js';
import { Problem, type ProblemCode } from '../../service/problem.ts';
import { ViewsError } from '../../views/types.ts';

/** By the HTTP status of a problem, which says of what kind it is. */
const STATUS_OF_KIND: ReadonlyMap<number, status> = new Map([
  [400, status.INVALID_ARGUMENT],
  [401, status.UNAUTHENTICATED],
  [403, status.PERMISSION_DENIED],
  [404, status.NOT_FOUND],
  [405, status.UNIMPLEMENTED],
  [408, status.DEADLINE_EXCEEDED],
  [409, status.FAILED_PRECONDITION],
  [413, status.RESOURCE_EXHAUSTED],
  [415, status.INVALID_ARGUMENT],
  [422, status.FAILED_PRECONDITION],
  [429, status.RESOURCE_EXHAUSTED],
  [431, status.RESOURCE_EXHAUSTED],
  [500, status.INTERNAL],
  [503, status.UNAVAILABLE],
  // The one status that does not say whether something was done.
  [504, status.DEADLINE_EXCEEDED],
]);

/** Where gRPC tells apart what HTTP does not. */
const STATUS_OF_CODE: Partial<Record<ProblemCode, status>> = {
  HFT_ORDER_CHANGED: status.ABORTED,
  HFT_UNKNOWN_SYMBOL: status.INVALID_ARGUMENT,
  HFT_PRICE_OFF_TICK: status.INVALID_ARGUMENT,
  HFT_QUANTITY_OFF_LOT: status.INVALID_ARGUMENT,
  HFT_PRICE_TOO_LARGE: status.INVALID_ARGUMENT,
  HFT_QUANTITY_TOO_LARGE: status.INVALID_ARGUMENT,
  HFT_BAD_TERMS: status.INVALID_ARGUMENT,
  HFT_CLIENT_ORDER_ID_REUSED: status.ALREADY_EXISTS,
  HFT_TOO_MANY_ACCOUNTS: status.RESOURCE_EXHAUSTED,
  HFT_BOOK_FULL: status.RESOURCE_EXHAUSTED,
};

/** undefined for a kind that this file does not know. */
export function statusOfCode(code: ProblemCode): status | undefined {
  return STATUS_OF_CODE[code] ?? STATUS_OF_KIND.get(new Problem(code, '').status);
}

/** Whatever a handler threw as a problem; a fault of the engine's own is not told to clients. */
export function problemOfCause(cause: unknown): Problem {
  if (cause instanceof Problem) return cause;
  if (cause instanceof ViewsError) return new Problem(cause.code, cause.message, { retryAfterMs: cause.retryAfterMs });
  return new Problem('HFT_INTERNAL', 'the engine failed to answer; its log says why');
}

/** What ends a call that is refused. */
export function statusOf(problem: Problem): StatusObject {
  const { code, field, number, retryAfterMs } = problem;
  const metadata = new Metadata();
  metadata.set('hft-code', code);
  if (field !== undefined) metadata.set('hft-field', field);
  if (number !== undefined) metadata.set('hft-number', String(number));
  if (retryAfterMs !== undefined) metadata.set('retry-after-ms', String(Math.ceil(retryAfterMs)));
  return { code: statusOfCode(code) ?? status.INTERNAL, details: problem.message, metadata };
}
