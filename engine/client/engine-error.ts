/** The one error of every client of an engine. */

/** Codes of the client's own, and what a failing engine says, where nobody knows what became of the request. */
const IN_DOUBT: ReadonlySet<string> = new Set([
  'HFT_CLIENT_UNREACHABLE',
  'HFT_CLIENT_TIMEOUT',
  'HFT_CLIENT_ABORTED',
  'HFT_CLIENT_BAD_ANSWER',
  'HFT_INTERNAL',
  'HFT_DONE_NOT_SHOWN',
]);
/** What an engine refuses for the moment only. */
const FOR_NOW: ReadonlySet<string> = new Set([
  'HFT_CLIENT_UNREACHABLE',
  'HFT_CLIENT_TIMEOUT',
  'HFT_CLIENT_BUSY',
  'HFT_RECOVERING',
  'HFT_WARMING',
  'HFT_DRAINING',
  'HFT_JOURNAL_BUSY',
  'HFT_RATE_LIMIT',
  'HFT_USER_RATE_LIMIT',
  'HFT_ORDER_CHANGED',
]);

export interface EngineErrorDetail {
  readonly code: string;
  readonly status: number;
  readonly message: string;
  readonly field?: string;
  readonly number?: number;
  readonly retryAfterMs?: number;
  /** Where the code alone does not say it. */
  readonly inDoubt?: boolean;
  readonly cause?: unknown;
}

/**
 * A call that gave no usable answer. `code` is the engine's own (`HFT_…`, docs/protocol.md), or one of the client's: `HFT_CLIENT_UNREACHABLE`,
 * `HFT_CLIENT_TIMEOUT`, `HFT_CLIENT_ABORTED`, `HFT_CLIENT_BAD_ANSWER`, `HFT_CLIENT_BUSY`, `HFT_CLIENT_CLOSED`, `HFT_CLIENT_UNSUPPORTED`. The message is
 * the detail of the engine's problem.
 */
export class EngineError extends Error {
  override readonly name = 'EngineError';
  readonly code: string;
  /** Of HTTP; 0 when no HTTP answer came. */
  readonly status: number;
  /** The field of the request that was wrong, when the engine named one. */
  readonly field: string | undefined;
  /** The number of {@link code} on binary protocols, of a command that was refused. */
  readonly number: number | undefined;
  /** How long the engine asked to wait before the next try, when it did. */
  readonly retryAfterMs: number | undefined;
  /** The request may or may not have been done. When it is false, nothing was. */
  readonly inDoubt: boolean;

  constructor(detail: EngineErrorDetail) {
    super(detail.message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.code = detail.code;
    this.status = detail.status;
    this.field = detail.field;
    this.number = detail.number;
    this.retryAfterMs = detail.retryAfterMs;
    this.inDoubt = detail.inDoubt ?? IN_DOUBT.has(detail.code);
  }

  /** Nothing was done, and the same request may pass later: not before {@link retryAfterMs}, where that is told. */
  get retryable(): boolean {
    return !this.inDoubt && (this.retryAfterMs !== undefined || FOR_NOW.has(this.code));
  }
}
