/** Every refusal of the engine: one table of stable codes, used by the order path, the HTTP gateways and the documentation's check. */
import { REJECT, type Reject } from '../core/types.ts';

interface ProblemKind {
  readonly status: number;
  readonly title: string;
}

/** Stable: a code never changes its meaning. docs/protocol.md lists the same codes, a test compares. */
export const PROBLEMS = {
  HFT_BAD_REQUEST: { status: 400, title: 'The request is not valid HTTP' },
  HFT_BAD_JSON: { status: 400, title: 'The body is not JSON' },
  HFT_DUPLICATE_KEY: { status: 400, title: 'A key occurs twice' },
  HFT_MISSING_FIELD: { status: 400, title: 'A required field is missing' },
  HFT_UNKNOWN_FIELD: { status: 400, title: 'A field is not known here' },
  HFT_INVALID_FIELD: { status: 400, title: 'A field has a wrong type or form' },
  HFT_NOT_POSITIVE: { status: 400, title: 'A price or quantity must be greater than zero' },
  HFT_UNAUTHORIZED: { status: 401, title: 'The admin token is missing or wrong' },
  HFT_NOT_FOUND: { status: 404, title: 'There is nothing at this path' },
  HFT_ORDER_NOT_FOUND: { status: 404, title: 'There is no such order' },
  HFT_INSTRUMENT_NOT_FOUND: { status: 404, title: 'There is no such instrument' },
  HFT_METHOD_NOT_ALLOWED: { status: 405, title: 'The path does not take this method' },
  HFT_ORDER_NOT_OPEN: { status: 409, title: 'The order is no longer open' },
  HFT_BODY_TOO_LARGE: { status: 413, title: 'The body is too large' },
  HFT_UNSUPPORTED_MEDIA_TYPE: { status: 415, title: 'The body must be application/json' },
  HFT_UNKNOWN_SYMBOL: { status: 422, title: 'The instrument is not traded here' },
  HFT_PRICE_OFF_TICK: { status: 422, title: 'The price is no whole number of ticks' },
  HFT_QUANTITY_OFF_LOT: { status: 422, title: 'The quantity is no whole number of lots' },
  HFT_PRICE_TOO_LARGE: { status: 422, title: 'The price is larger than can be counted' },
  HFT_QUANTITY_TOO_LARGE: { status: 422, title: 'The quantity is larger than can be counted' },
  HFT_MAX_ORDER_QTY: { status: 422, title: 'The quantity is over the risk limit' },
  HFT_MAX_NOTIONAL: { status: 422, title: 'Price times quantity is over the risk limit' },
  HFT_PRICE_BAND: { status: 422, title: 'The price is too far from the last trade' },
  HFT_KILL_SWITCH: { status: 422, title: 'The kill switch is on: new orders are refused' },
  HFT_TOO_MANY_ACCOUNTS: { status: 422, title: 'No further account can be added' },
  HFT_CLIENT_ORDER_ID_REUSED: { status: 422, title: 'The client order id belongs to another order' },
  HFT_RATE_LIMIT: { status: 429, title: 'The account sends faster than its limit' },
  HFT_HEADERS_TOO_LARGE: { status: 431, title: 'The headers are too large' },
  HFT_REQUEST_TIMEOUT: { status: 408, title: 'The request did not arrive in time' },
  HFT_INTERNAL: { status: 500, title: 'The engine failed' },
  HFT_RECOVERING: { status: 503, title: 'The engine is recovering' },
  HFT_WARMING: { status: 503, title: 'The engine is warming up' },
  HFT_DRAINING: { status: 503, title: 'The engine is stopping' },
  HFT_BOOK_FULL: { status: 503, title: 'No further order can rest' },
  HFT_JOURNAL_FULL: { status: 503, title: 'No room is left for the journal' },
  HFT_JOURNAL_FAILED: { status: 503, title: 'The journal cannot be written' },
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
}

/** The problem that a reject of the core is. `REJECT.none` is no reject. */
export function problemOfReject(reject: Reject): Problem {
  switch (reject) {
    case REJECT.unknownInstrument:
    case REJECT.notTradable:
      return new Problem('HFT_UNKNOWN_SYMBOL', 'the instrument is not traded here: GET /v1/instruments lists those that are', {
        field: 'symbol',
      });
    case REJECT.killSwitch:
      return new Problem('HFT_KILL_SWITCH', 'risk.killSwitch is on: new orders are refused, cancels are accepted');
    case REJECT.badPrice:
      return new Problem('HFT_PRICE_TOO_LARGE', 'the price is larger than can be counted in ticks', { field: 'price' });
    case REJECT.badQuantity:
      return new Problem('HFT_QUANTITY_TOO_LARGE', 'the quantity is larger than can be counted in lots', { field: 'quantity' });
    case REJECT.maxOrderQty:
      return new Problem('HFT_MAX_ORDER_QTY', 'the quantity is over risk.maxOrderQty', { field: 'quantity' });
    case REJECT.maxNotional:
      return new Problem('HFT_MAX_NOTIONAL', 'price times quantity is over risk.maxNotional', { field: 'quantity' });
    case REJECT.priceBand:
      return new Problem('HFT_PRICE_BAND', 'the price is further from the last trade than risk.priceBandPercent allows', {
        field: 'price',
      });
    case REJECT.noRoom:
      return new Problem('HFT_BOOK_FULL', 'as many orders rest as memory holds: cancel some, or send orders that do not rest', {
        retryAfterMs: 1000,
      });
    default:
      return new Problem('HFT_ORDER_NOT_FOUND', 'the order does not rest on any book', { field: 'id' });
  }
}
