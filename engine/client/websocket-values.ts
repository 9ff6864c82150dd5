/** Names of the codes of the core (`engine/core/types.ts`), by code: how they stand in the JSON form of frames and in docs/frames.md. */
import {
  ALLOW,
  AUCTION,
  BUY,
  CANCEL_BOTH,
  CANCEL_NEWEST,
  CANCEL_OLDEST,
  CANCELLED,
  CLOSED,
  DAY,
  DAY_END,
  DECREMENT,
  DISCONNECTED,
  EXPIRED,
  FILLED,
  FOK,
  GTC,
  GTD,
  HALTED,
  IMMEDIATE,
  INTERRUPTED,
  IOC,
  KILLED,
  LIMIT,
  MARKET,
  MASS,
  NO_REASON,
  NOT_FILLABLE,
  OPEN,
  PENDING,
  PRE_OPEN,
  REQUESTED,
  SELF_TRADE,
  SELL,
  STOP,
  STOP_LIMIT,
  TRADING,
  REJECT,
} from '../core/types.ts';

export const SIDE_VALUES = byCode({ buy: BUY, sell: SELL });
export const TYPE_VALUES = byCode({ limit: LIMIT, market: MARKET, stop: STOP, 'stop-limit': STOP_LIMIT });
export const TIME_IN_FORCE_VALUES = byCode({ GTC, IOC, FOK, GTD, DAY });
export const SELF_TRADE_VALUES = byCode({
  none: ALLOW,
  'cancel-newest': CANCEL_NEWEST,
  'cancel-oldest': CANCEL_OLDEST,
  'cancel-both': CANCEL_BOTH,
  decrement: DECREMENT,
});
export const STATUS_VALUES = byCode({ open: OPEN, filled: FILLED, cancelled: CANCELLED, pending: PENDING });
export const REASON_VALUES = byCode({
  none: NO_REASON,
  requested: REQUESTED,
  immediate: IMMEDIATE,
  'not-fillable': NOT_FILLABLE,
  'self-trade': SELF_TRADE,
  expired: EXPIRED,
  'day-end': DAY_END,
  'mass-cancel': MASS,
  'kill-switch': KILLED,
  disconnected: DISCONNECTED,
  interrupted: INTERRUPTED,
});
export const STATE_VALUES = byCode({ trading: TRADING, 'pre-open': PRE_OPEN, auction: AUCTION, halted: HALTED, closed: CLOSED });
/** Names of the numbers of refusals. */
export const REJECT_VALUES = byCode(REJECT);

function byCode(codes: Readonly<Record<string, number>>): readonly string[] {
  return Object.entries(codes)
    .toSorted(([, one], [, other]) => one - other)
    .map(([name]) => name);
}
