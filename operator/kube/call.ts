/** What a call to the API may be told, and the small functions around one. */
import type { Channel } from './config.ts';
import type { Deadline } from './deadline.ts';
import { KubeError } from './errors.ts';
import { errorText } from './log.ts';

export const CONTENT_TYPE = {
  apply: 'application/apply-patch+yaml',
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
} as const;

export interface CallOptions {
  readonly signal?: AbortSignal;
  /** Whole call, from connect to the last byte; the client's own default otherwise. */
  readonly timeoutMs?: number;
}

export interface ListOptions extends CallOptions {
  /** Absent: all namespaces. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Connections to use instead of the shared ones. */
  readonly channel?: Channel;
}

export interface PatchOptions extends CallOptions {
  readonly type: keyof typeof CONTENT_TYPE;
  /** Needed for `apply`. */
  readonly fieldManager?: string;
  readonly force?: boolean;
  readonly subresource?: 'status' | 'scale';
  readonly dryRun?: boolean;
}

export interface DeleteOptions extends CallOptions {
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly propagationPolicy?: 'Foreground' | 'Background' | 'Orphan';
  readonly gracePeriodSeconds?: number;
}

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface RawRequest extends CallOptions {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly query?: Query;
  readonly body?: object;
  readonly contentType?: string;
  readonly channel?: Channel;
}

/** Types a failure of the connection: the caller's own abort passes through as it is. */
export function networkError(
  call: { method: string; path: string },
  deadline: Deadline,
  signal: AbortSignal | undefined,
  error: unknown,
): Error {
  if (error instanceof KubeError) return error;
  if (deadline.expired !== undefined) return new KubeError(`no ${deadline.expired}`, { ...call, code: 'timeout' });
  if (signal?.aborted) return signal.reason instanceof Error ? signal.reason : new Error('the call was aborted');
  return new KubeError(errorText(error) || 'the connection failed', { ...call, code: 'network', cause: error });
}

/** What names a call in an error. */
export function callOf(request: RawRequest): { method: string; path: string } {
  return { method: request.method, path: request.path };
}

export function queryString(query: Query | undefined): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) if (value !== undefined) search.set(name, String(value));
  const text = search.toString();
  return text === '' ? '' : `?${text}`;
}

export function parseOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
