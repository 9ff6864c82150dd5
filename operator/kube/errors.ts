/** What an API call can fail with, typed so that callers branch on a code and people read the server's own words. */

export type KubeErrorCode =
  | 'conflict'
  | 'alreadyExists'
  | 'notFound'
  | 'gone'
  | 'forbidden'
  | 'unauthorized'
  | 'invalid'
  | 'tooManyRequests'
  | 'timeout'
  | 'network'
  | 'server'
  | 'badResponse';

export interface StatusCause {
  readonly field?: string;
  readonly message?: string;
  readonly reason?: string;
}

interface KubeErrorDetails {
  readonly code: KubeErrorCode;
  readonly method: string;
  readonly path: string;
  readonly statusCode?: number;
  readonly reason?: string;
  readonly causes?: readonly StatusCause[];
  readonly retryAfterMs?: number;
  readonly cause?: unknown;
}

export class KubeError extends Error {
  readonly code: KubeErrorCode;
  readonly method: string;
  /** The URL path without the query. */
  readonly path: string;
  /** The HTTP status, or the code of an in-band Status; absent when no answer came. */
  readonly statusCode: number | undefined;
  /** `Status.reason`, such as `AlreadyExists`. */
  readonly reason: string | undefined;
  readonly causes: readonly StatusCause[];
  /** How long the server asked to wait. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, details: KubeErrorDetails) {
    super(`${details.method} ${details.path}: ${message}`, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'KubeError';
    this.code = details.code;
    this.method = details.method;
    this.path = details.path;
    this.statusCode = details.statusCode;
    this.reason = details.reason;
    this.causes = details.causes ?? [];
    this.retryAfterMs = details.retryAfterMs;
  }
}

/** True for a KubeError, of that code when one is given. */
export function isKubeError(error: unknown, code?: KubeErrorCode): error is KubeError {
  return error instanceof KubeError && (code === undefined || error.code === code);
}

function codeOf(statusCode: number, reason: string | undefined): KubeErrorCode {
  if (reason === 'AlreadyExists') return 'alreadyExists';
  switch (statusCode) {
    case 400:
    case 413:
    case 415:
    case 422:
      return 'invalid';
    case 401:
      return 'unauthorized';
    case 403:
      return 'forbidden';
    case 404:
      return 'notFound';
    case 408:
      return 'timeout';
    case 409:
      return 'conflict';
    case 410:
      return 'gone';
    case 429:
      return 'tooManyRequests';
    default:
      return statusCode >= 500 ? 'server' : 'badResponse';
  }
}

/** Reads a `Retry-After` header: seconds or an HTTP date. */
export function parseRetryAfterMs(header: string | undefined, now: Date): number | undefined {
  if (header === undefined) return undefined;
  const seconds = Number(header);
  if (header.trim() !== '' && Number.isFinite(seconds)) return Math.max(0, seconds * 1000);
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now.getTime());
}

interface StatusLike {
  readonly message?: unknown;
  readonly reason?: unknown;
  readonly code?: unknown;
  readonly details?: { readonly causes?: unknown; readonly retryAfterSeconds?: unknown };
}

function isStatusLike(value: unknown): value is StatusLike {
  return typeof value === 'object' && value !== null;
}

function readCauses(value: unknown): StatusCause[] {
  if (!Array.isArray(value)) return [];
  return value.filter((cause): cause is StatusCause => typeof cause === 'object' && cause !== null);
}

/**
 * Builds the error for an answer that is not a success. `body` is the parsed Status, or the raw text when it was not JSON.
 */
export function errorFromStatus(
  call: { method: string; path: string },
  statusCode: number | undefined,
  body: unknown,
  retryAfterMs?: number,
): KubeError {
  const status = isStatusLike(body) ? body : {};
  const code = statusCode ?? (typeof status.code === 'number' ? status.code : 500);
  const reason = typeof status.reason === 'string' ? status.reason : undefined;
  const text = typeof body === 'string' ? body.slice(0, 300).trim() : '';
  const message = typeof status.message === 'string' && status.message !== '' ? status.message : text || `HTTP ${code}`;
  const seconds = status.details?.retryAfterSeconds;
  const wait = retryAfterMs ?? (typeof seconds === 'number' && seconds > 0 ? seconds * 1000 : undefined);
  return new KubeError(message, {
    ...call,
    code: codeOf(code, reason),
    statusCode: code,
    causes: readCauses(status.details?.causes),
    ...(reason === undefined ? {} : { reason }),
    ...(wait === undefined ? {} : { retryAfterMs: wait }),
  });
}
