/** Every refusal of the engine: one table of stable codes, used by the order path, the HTTP gateways and the documentation's check. */
import { REJECT, type Reject } from '../core/types.ts';
import { JournalError } from '../journal/types.ts';

interface ProblemKind {
  readonly status: number;
  readonly title: string;
  /** The number that stands for it on binary protocols ({@link REJECT}): of the refusals of commands. Codes that say the same more exactly share one. */
  readonly number?: Reject;
}

/** Stable: a code never changes its meaning. docs/protocol.md lists the same codes, a test compares. */
export const PROBLEMS = {
  HFT_BAD_REQUEST: { status: 400, title: 'The request is not valid HTTP' },
  HFT_TLS_REQUIRED: { status: 400, title: 'The port speaks TLS' },
  HFT_BAD_JSON: { status: 400, title: 'The body is not JSON' },
  HFT_DUPLICATE_KEY: { status: 400, title: 'A key occurs twice' },
  HFT_MISSING_FIELD: { status: 400, title: 'A required field is missing' },
  HFT_UNKNOWN_FIELD: { status: 400, title: 'A field is not known here' },
  HFT_INVALID_FIELD: { status: 400, title: 'A field has a wrong type or form' },
  HFT_NOT_POSITIVE: { status: 400, title: 'A price or quantity must be greater than zero' },
  HFT_UNAUTHORIZED: { status: 401, title: 'The token is missing or not accepted' },
  HFT_FORBIDDEN: { status: 403, title: 'The token does not allow this' },
  HFT_NOT_FOUND: { status: 404, title: 'There is nothing at this path' },
  HFT_ORDER_NOT_FOUND: { status: 404, title: 'There is no such order', number: REJECT.unknownOrder },
  HFT_INSTRUMENT_NOT_FOUND: { status: 404, title: 'There is no such instrument' },
  HFT_METHOD_NOT_ALLOWED: { status: 405, title: 'The path does not take this method' },
  HFT_ORDER_NOT_OPEN: { status: 409, title: 'The order is no longer open', number: REJECT.unknownOrder },
  HFT_NOT_IN_STATE: { status: 409, title: 'The trading state of the instrument does not take this', number: REJECT.notInState },
  HFT_ORDER_CHANGED: { status: 409, title: 'The order kept changing meanwhile', number: REJECT.stale },
  HFT_CONFIG_CONFLICT: { status: 409, title: 'Another configuration is in force than the change was made from' },
  HFT_CONFIG_NEEDS_RESTART: { status: 409, title: 'The change needs a restart' },
  HFT_BODY_TOO_LARGE: { status: 413, title: 'The body is too large' },
  HFT_UNSUPPORTED_MEDIA_TYPE: { status: 415, title: 'The body must be application/json' },
  HFT_CONFIG_INVALID: { status: 422, title: 'The configuration is not valid' },
  HFT_UNKNOWN_SYMBOL: { status: 422, title: 'The instrument is not traded here', number: REJECT.unknownInstrument },
  HFT_PRICE_OFF_TICK: { status: 422, title: 'The price is no whole number of ticks', number: REJECT.badPrice },
  HFT_QUANTITY_OFF_LOT: { status: 422, title: 'The quantity is no whole number of lots', number: REJECT.badQuantity },
  HFT_PRICE_TOO_LARGE: { status: 422, title: 'The price is larger than can be counted', number: REJECT.badPrice },
  HFT_QUANTITY_TOO_LARGE: { status: 422, title: 'The quantity is larger than can be counted', number: REJECT.badQuantity },
  HFT_MAX_ORDER_QTY: { status: 422, title: 'The quantity is over the risk limit', number: REJECT.maxOrderQty },
  HFT_MAX_NOTIONAL: { status: 422, title: 'Price times quantity is over the risk limit', number: REJECT.maxNotional },
  HFT_PRICE_BAND: { status: 422, title: 'The price is too far from the last trade', number: REJECT.priceBand },
  HFT_MAX_POSITION: { status: 422, title: 'The position could go over the risk limit', number: REJECT.maxPosition },
  HFT_MAX_OPEN_ORDERS: { status: 422, title: 'The account has as many open orders as it may', number: REJECT.maxOpenOrders },
  HFT_MAX_OPEN_NOTIONAL: { status: 422, title: 'The open orders of the account are over the risk limit', number: REJECT.maxOpenNotional },
  HFT_QUANTITY_FILLED: { status: 422, title: 'As much is filled already', number: REJECT.badQuantity },
  HFT_BAD_TERMS: { status: 422, title: 'The terms of the order do not go together', number: REJECT.badTerms },
  HFT_WOULD_TRADE: { status: 422, title: 'A post-only order would trade at once', number: REJECT.wouldTrade },
  HFT_EXPIRED: { status: 422, title: 'The time of the order has come already', number: REJECT.expired },
  HFT_NOT_TRADABLE: { status: 422, title: 'The instrument is no longer traded', number: REJECT.notTradable },
  HFT_KILL_SWITCH: { status: 422, title: 'The kill switch is on: new orders are refused', number: REJECT.killSwitch },
  HFT_TOO_MANY_ACCOUNTS: { status: 422, title: 'No further account can be added', number: REJECT.badAccount },
  HFT_IDEMPOTENCY_KEY_CONFLICT: { status: 422, title: 'Idempotency-Key and clientOrderId are not the same' },
  HFT_CLIENT_ORDER_ID_REUSED: { status: 422, title: 'The client order id belongs to another order', number: REJECT.duplicate },
  HFT_RATE_LIMIT: { status: 429, title: 'The account sends faster than its limit', number: REJECT.rate },
  HFT_USER_RATE_LIMIT: { status: 429, title: 'The user sends faster than its limit' },
  HFT_TOKEN_RATE_LIMIT: { status: 429, title: 'Too many tokens of this address were not accepted' },
  HFT_HEADERS_TOO_LARGE: { status: 431, title: 'The headers are too large' },
  HFT_REQUEST_TIMEOUT: { status: 408, title: 'The request did not arrive in time' },
  HFT_INTERNAL: { status: 500, title: 'The engine failed' },
  HFT_RECOVERING: { status: 503, title: 'The engine is recovering', number: REJECT.starting },
  HFT_WARMING: { status: 503, title: 'The engine is warming up', number: REJECT.starting },
  HFT_DRAINING: { status: 503, title: 'The engine is stopping', number: REJECT.stopping },
  HFT_BOOK_FULL: { status: 503, title: 'No further order can rest', number: REJECT.noRoom },
  HFT_JOURNAL_BUSY: { status: 503, title: 'More is on its way to the journal than it has room for', number: REJECT.busy },
  HFT_OVERLOADED: { status: 503, title: 'More is asked of the engine than it can do', number: REJECT.busy },
  HFT_VIEWS_BREAKER: { status: 503, title: 'Queries fail or take too long: they are refused for a while' },
  HFT_VIEWS_BEHIND: { status: 503, title: 'Queries are behind the journal' },
  HFT_VIEWS_UNAVAILABLE: { status: 503, title: 'Queries are not there for the moment' },
  HFT_JOURNAL_FULL: { status: 503, title: 'No room is left for the journal', number: REJECT.journal },
  HFT_DONE_NOT_SHOWN: { status: 504, title: 'The command is done and durable; only its answer is missing' },
  HFT_JOURNAL_BREAKER: { status: 503, title: 'Commits fail or take too long: orders are refused for a while', number: REJECT.journal },
  HFT_JOURNAL_FAILED: { status: 503, title: 'The journal cannot be written', number: REJECT.journal },
} as const satisfies Record<string, ProblemKind>;
export type ProblemCode = keyof typeof PROBLEMS;

/** A refusal with a stable code. Nothing has been changed or recorded. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly code: ProblemCode;
  readonly field: string | undefined;
  /** When it makes sense to try again, in milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(code: ProblemCode, detail: string, options: { field?: string | undefined; retryAfterMs?: number } = {}) {
    super(detail);
    this.code = code;
    this.field = options.field;
    this.retryAfterMs = options.retryAfterMs;
  }

  get status(): number {
    return PROBLEMS[this.code].status;
  }

  /** {@link ProblemKind.number} of its code. */
  get number(): Reject | undefined {
    const kind: ProblemKind = PROBLEMS[this.code];
    return kind.number;
  }
}

/** What a client is told when the ring of the journal is full. */
export function busyProblem(): Problem {
  return new Problem('HFT_JOURNAL_BUSY', 'more commands are on their way to the journal than it has room for: try again', {
    retryAfterMs: 1000,
  });
}

/** What a client is told while the engine stops. */
export function drainingProblem(): Problem {
  return new Problem('HFT_DRAINING', 'the engine is stopping: try again', { retryAfterMs: 2000 });
}

/** What a client is told when the journal cannot be written. */
export function journalProblem(cause: Error): Problem {
  const full = cause instanceof JournalError && cause.code === 'HFT_JOURNAL_FULL';
  return new Problem(
    full ? 'HFT_JOURNAL_FULL' : 'HFT_JOURNAL_FAILED',
    full
      ? 'no room is left for the journal: orders are refused until there is'
      : 'a commit failed and its outcome is not known: the engine stops, and recovers what is there',
    { retryAfterMs: 1000 },
  );
}
