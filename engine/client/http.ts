/** The HTTP plumbing that the clients share: pooled connections, a hard bound on every call, typed errors, validated answers. */
import { Pool } from 'undici';
import { z } from 'zod';
import { EngineError } from './engine-error.ts';
import { connectOptions, type ClientTls } from './tls.ts';
import { authorizationOf } from './token.ts';

/** Longest answer that a client reads. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

/** Failures of connecting: there was nothing to send on. */
const NEVER_SENT: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']);

const problemSchema = z.object({
  code: z.string(),
  detail: z.string().optional(),
  title: z.string().optional(),
  field: z.string().optional(),
  number: z.int().optional(),
});

export interface HttpCall<T extends z.ZodType> {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  path: string;
  query?: Record<string, string | number | undefined>;
  body?: unknown;
  /** Besides those of the client. */
  headers?: Record<string, string>;
  /** Shape of a 2xx answer. */
  schema: T;
  signal?: AbortSignal | undefined;
}

/** One pool of connections to one origin. */
export class HttpCaller {
  readonly #pool: Pool;
  readonly #headers: () => Record<string, string>;
  readonly #timeoutMs: number;
  readonly #origin: string;

  constructor(options: {
    baseUrl: string;
    timeoutMs: number;
    token?: string | (() => string);
    connections: number;
    tls?: ClientTls | undefined;
  }) {
    const { origin } = new URL(options.baseUrl);
    this.#origin = origin;
    this.#timeoutMs = options.timeoutMs;
    const { token } = options;
    this.#headers = () => ({
      accept: 'application/json',
      ...(token !== undefined && { authorization: authorizationOf(token) }),
    });
    this.#pool = new Pool(origin, {
      connections: options.connections,
      connect: { timeout: options.timeoutMs, ...connectOptions(options.tls ?? {}) },
      headersTimeout: options.timeoutMs,
      bodyTimeout: options.timeoutMs,
      maxResponseSize: MAX_ANSWER_BYTES,
    });
  }

  /** Sends one request and gives its validated answer. Throws {@link EngineError}. */
  async json<T extends z.ZodType>(call: HttpCall<T>): Promise<z.output<T>> {
    return (await this.answer(call)).body;
  }

  /** As {@link json}, with the HTTP status. */
  async answer<T extends z.ZodType>(call: HttpCall<T>): Promise<{ status: number; body: z.output<T> }> {
    const headers = this.#headers();
    const deadline = AbortSignal.timeout(this.#timeoutMs);
    const signal = call.signal === undefined ? deadline : AbortSignal.any([deadline, call.signal]);
    let status = 0;
    let retryAfter: string | undefined;
    let text: string;
    try {
      const answer = await this.#pool.request({
        method: call.method,
        path: call.path,
        query: Object.fromEntries(Object.entries(call.query ?? {}).filter(([, value]) => value !== undefined)),
        signal,
        headers: { ...headers, ...call.headers, ...(call.body !== undefined && { 'content-type': 'application/json' }) },
        body: call.body === undefined ? null : JSON.stringify(call.body),
      });
      status = answer.statusCode;
      const header = answer.headers['retry-after'];
      retryAfter = typeof header === 'string' ? header : undefined;
      text = await answer.body.text();
    } catch (cause) {
      throw this.#failure(call, deadline, cause);
    }
    let parsed: unknown;
    try {
      parsed = JSON.parse(text);
    } catch (cause) {
      throw new EngineError({ code: 'HFT_CLIENT_BAD_ANSWER', status, message: `${this.#at(call)} answered ${status} without JSON`, cause });
    }
    if (status < 200 || status > 299) throw problemOf(parsed, status, this.#at(call), retryAfter);
    const checked = call.schema.safeParse(parsed);
    if (!checked.success) {
      throw new EngineError({
        code: 'HFT_CLIENT_BAD_ANSWER',
        status,
        message: `${this.#at(call)} answered what this client does not know: ${z.prettifyError(checked.error)}`,
      });
    }
    return { status, body: checked.data };
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }

  #at(call: { method: string; path: string }): string {
    return `${call.method} ${this.#origin}${call.path}`;
  }

  #failure(call: { method: string; path: string; signal?: AbortSignal | undefined }, deadline: AbortSignal, cause: unknown): EngineError {
    const at = this.#at(call);
    if (call.signal?.aborted === true)
      return new EngineError({ code: 'HFT_CLIENT_ABORTED', status: 0, message: `${at} was aborted by the caller`, cause });
    const timedOut = deadline.aborted || (cause instanceof Error && /timeout/i.test(cause.name + cause.message));
    if (timedOut)
      return new EngineError({
        code: 'HFT_CLIENT_TIMEOUT',
        status: 0,
        message: `${at} gave no answer within ${this.#timeoutMs} ms`,
        cause,
      });
    const reason = cause instanceof Error ? cause.message : String(cause);
    return new EngineError({
      code: 'HFT_CLIENT_UNREACHABLE',
      status: 0,
      message: `${at} cannot be reached: ${reason}`,
      cause,
      inDoubt: !NEVER_SENT.has(codeOf(cause)),
    });
  }
}

function problemOf(parsed: unknown, status: number, at: string, retryAfter: string | undefined): EngineError {
  const problem = problemSchema.safeParse(parsed);
  const retryAfterMs = retryAfter !== undefined && /^[0-9]+$/.test(retryAfter) ? Number(retryAfter) * 1000 : undefined;
  if (!problem.success) {
    return new EngineError({
      code: 'HFT_CLIENT_BAD_ANSWER',
      status,
      message: `${at} answered ${status}`,
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    });
  }
  const { code, detail, title, field, number } = problem.data;
  return new EngineError({
    code,
    status,
    message: detail ?? title ?? `${at} answered ${status}`,
    ...(field !== undefined && { field }),
    ...(number !== undefined && { number }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
}

function codeOf(cause: unknown): string {
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : '';
}
