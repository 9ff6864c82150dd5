/**
 * From tries to an outcome. A call rides over a restart or a lost connection: what surely was not done is tried again, what may have been done is
 * settled by asking, until the call's time is over.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { EngineError } from './engine-error.ts';

/** The engine is not there for the moment. Rates and full books are for the caller to judge: they do not pass by waiting a little. */
const RIDDEN_OVER: ReadonlySet<string> = new Set([
  'HFT_CLIENT_UNREACHABLE',
  'HFT_RECOVERING',
  'HFT_WARMING',
  'HFT_DRAINING',
  'HFT_JOURNAL_BUSY',
]);
/** Of HTTP. */
const NOT_LOOKED_AT: ReadonlySet<number> = new Set([401, 403, 408, 429, 503]);
/** The same over gRPC, where only the code is told (a test compares with the engine's own table), and what the client says itself. */
const NOT_LOOKED_AT_CODES: ReadonlySet<string> = new Set([
  ...RIDDEN_OVER,
  'HFT_CLIENT_TIMEOUT',
  'HFT_CLIENT_BUSY',
  'HFT_CLIENT_CLOSED',
  'HFT_CLIENT_ABORTED',
  'HFT_UNAUTHORIZED',
  'HFT_FORBIDDEN',
  'HFT_REQUEST_TIMEOUT',
  'HFT_RATE_LIMIT',
  'HFT_USER_RATE_LIMIT',
  'HFT_TOKEN_RATE_LIMIT',
  'HFT_OVERLOADED',
  'HFT_BOOK_FULL',
  'HFT_JOURNAL_FULL',
  'HFT_JOURNAL_BREAKER',
  'HFT_JOURNAL_FAILED',
  'HFT_VIEWS_BREAKER',
  'HFT_VIEWS_BEHIND',
  'HFT_VIEWS_UNAVAILABLE',
]);
const FIRST_WAIT_MS = 20;
const LONGEST_WAIT_MS = 500;

export interface SettleOptions {
  /** Of performance.now(). */
  readonly deadlineMs: number;
  readonly signal: AbortSignal | undefined;
}

/** Whether a refusal tells nothing of what became of the same request before. */
export function saysNothing({ status, code }: EngineError): boolean {
  return NOT_LOOKED_AT.has(status) || NOT_LOOKED_AT_CODES.has(code);
}

/** `attempt` is told whether an attempt before may have done it. Throws EngineError; `inDoubt` when nobody can say what was done. */
export async function settle<T>(attempt: (inDoubt: boolean) => Promise<T>, { deadlineMs, signal }: SettleOptions): Promise<T> {
  let doubt: EngineError | undefined;
  for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(LONGEST_WAIT_MS, waitMs * 2)) {
    try {
      return await attempt(doubt !== undefined);
    } catch (cause) {
      if (!(cause instanceof EngineError)) throw doubt ?? cause;
      if (cause.inDoubt) doubt ??= cause;
      else if (doubt === undefined ? !RIDDEN_OVER.has(cause.code) : !saysNothing(cause)) throw cause;
      const pauseMs = Math.max(waitMs * (0.5 + Math.random() / 2), cause.retryAfterMs ?? 0);
      if (isAborted(signal)) throw aborted(doubt ?? cause);
      const isFinal = cause.code === 'HFT_CLIENT_BAD_ANSWER' || cause.code === 'HFT_CLIENT_CLOSED';
      if (isFinal || performance.now() + pauseMs >= deadlineMs) throw doubt ?? cause;
      await delay(pauseMs, undefined, { signal }).catch(() => undefined);
      if (isAborted(signal)) throw aborted(doubt ?? cause);
    }
  }
}

function aborted(cause: EngineError): EngineError {
  const { inDoubt } = cause;
  return new EngineError({ code: 'HFT_CLIENT_ABORTED', status: 0, message: 'the call was aborted by the caller', cause, inDoubt });
}

function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}
