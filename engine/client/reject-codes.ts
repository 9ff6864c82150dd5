/** What the numbers of refusals on binary protocols are called elsewhere: a test compares with the engine's own table. */
import { REJECT } from '../core/types.ts';
import { EngineError } from './engine-error.ts';

interface RejectCode {
  readonly code: string;
  readonly status: number;
  readonly message: string;
  readonly retryAfterMs?: number;
}

const SOON_MS = 1000;

/** Where codes share a number, the one that says the least. */
export const REJECT_CODES: Readonly<Record<number, RejectCode>> = {
  [REJECT.unknownInstrument]: { code: 'HFT_UNKNOWN_SYMBOL', status: 422, message: 'the instrument is not traded there' },
  [REJECT.notTradable]: { code: 'HFT_NOT_TRADABLE', status: 422, message: 'the instrument is no longer traded' },
  [REJECT.killSwitch]: { code: 'HFT_KILL_SWITCH', status: 422, message: 'the kill switch is on: new orders are refused' },
  [REJECT.badPrice]: { code: 'HFT_PRICE_TOO_LARGE', status: 422, message: 'the price is larger than can be counted' },
  [REJECT.badQuantity]: { code: 'HFT_QUANTITY_TOO_LARGE', status: 422, message: 'the quantity is larger than can be counted' },
  [REJECT.maxOrderQty]: { code: 'HFT_MAX_ORDER_QTY', status: 422, message: 'the quantity is over the risk limit' },
  [REJECT.maxNotional]: { code: 'HFT_MAX_NOTIONAL', status: 422, message: 'price times quantity is over the risk limit' },
  [REJECT.priceBand]: { code: 'HFT_PRICE_BAND', status: 422, message: 'the price is too far from the last trade' },
  [REJECT.unknownOrder]: { code: 'HFT_ORDER_NOT_FOUND', status: 404, message: 'the order neither rests nor waits' },
  [REJECT.noRoom]: { code: 'HFT_BOOK_FULL', status: 503, message: 'no further order can rest', retryAfterMs: SOON_MS },
  [REJECT.duplicate]: { code: 'HFT_CLIENT_ORDER_ID_REUSED', status: 422, message: 'the client order id belongs to another order' },
  [REJECT.notInState]: { code: 'HFT_NOT_IN_STATE', status: 409, message: 'the trading state of the instrument does not take this' },
  [REJECT.badTerms]: { code: 'HFT_BAD_TERMS', status: 422, message: 'the terms do not go together, or nothing would change' },
  [REJECT.wouldTrade]: { code: 'HFT_WOULD_TRADE', status: 422, message: 'a post-only order would trade at once' },
  [REJECT.maxPosition]: { code: 'HFT_MAX_POSITION', status: 422, message: 'the position could go over the risk limit' },
  [REJECT.maxOpenOrders]: { code: 'HFT_MAX_OPEN_ORDERS', status: 422, message: 'the account has as many open orders as it may' },
  [REJECT.maxOpenNotional]: {
    code: 'HFT_MAX_OPEN_NOTIONAL',
    status: 422,
    message: 'the open orders of the account are over the risk limit',
  },
  [REJECT.expired]: { code: 'HFT_EXPIRED', status: 422, message: 'the time of the order has come already' },
  [REJECT.stale]: { code: 'HFT_ORDER_CHANGED', status: 409, message: 'the order changed meanwhile' },
  [REJECT.badAccount]: { code: 'HFT_TOO_MANY_ACCOUNTS', status: 422, message: 'no further account can be added' },
  [REJECT.rate]: { code: 'HFT_RATE_LIMIT', status: 429, message: 'the account sends faster than it may', retryAfterMs: SOON_MS },
  [REJECT.busy]: { code: 'HFT_JOURNAL_BUSY', status: 503, message: 'more is on its way than there is room for', retryAfterMs: SOON_MS },
  [REJECT.stopping]: { code: 'HFT_DRAINING', status: 503, message: 'the engine is stopping', retryAfterMs: SOON_MS },
  [REJECT.starting]: { code: 'HFT_RECOVERING', status: 503, message: 'the engine is starting', retryAfterMs: SOON_MS },
  [REJECT.journal]: { code: 'HFT_JOURNAL_FULL', status: 503, message: 'the journal cannot be written', retryAfterMs: SOON_MS },
  // Has no number over HTTP.
  [REJECT.forbidden]: { code: 'HFT_FORBIDDEN', status: 403, message: 'the token does not allow this for the account' },
};

/** The error that a refusal with `number` is. */
export function errorOfReject(number: number, cause: unknown): EngineError {
  const known = REJECT_CODES[number];
  if (known === undefined)
    return new EngineError({ code: 'HFT_CLIENT_BAD_ANSWER', status: 0, message: `refused with ${number}`, number, cause });
  return new EngineError({ ...known, number, cause });
}
