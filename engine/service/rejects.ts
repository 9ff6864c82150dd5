/** From a reject of the core, which is a number, to a refusal that names the field, its value and the limit. */
import type { EngineConfig } from '../../crds/engine-config.ts';
import {
  ANY_ACCOUNT,
  AUCTION,
  BUY,
  CLOSED,
  HALTED,
  LIMIT,
  MARKET,
  PRE_OPEN,
  REJECT,
  SELL,
  STOP,
  TRADING,
  type Core,
  type OrderType,
  type Reject,
  type Side,
  type TradingState,
} from '../core/types.ts';
import type { Instrument } from './instruments.ts';
import { Problem } from './problem.ts';

export const STATE_NAMES = {
  [TRADING]: 'trading',
  [PRE_OPEN]: 'pre-open',
  [AUCTION]: 'auction',
  [HALTED]: 'halted',
  [CLOSED]: 'closed',
} as const satisfies Readonly<Record<TradingState, string>>;

/** The order that was refused, as it was sent or as a replacement would have made it. */
export interface RefusedOrder {
  readonly account: number;
  readonly accountName: string;
  readonly side: Side;
  readonly type: OrderType;
  readonly priceTicks: number;
  readonly stopTicks: number;
  readonly quantityLots: number;
}

/** What a message is made of. */
export interface RejectContext {
  readonly core: Core;
  readonly risk: EngineConfig['risk'];
  readonly instrument: Instrument;
  readonly order: RefusedOrder;
}

/** The problem that `reject` is. */
export function problemOfReject(reject: Exclude<Reject, typeof REJECT.none>, context: RejectContext): Problem {
  const { core, risk, instrument, order } = context;
  const { symbol, tick, lot } = instrument;
  const quantity = lot.format(order.quantityLots);
  const price = tick.format(order.priceTicks);
  switch (reject) {
    case REJECT.unknownInstrument:
      return new Problem('HFT_UNKNOWN_SYMBOL', `${symbol} is not traded here: GET /v1/instruments lists those that are`, {
        field: 'symbol',
      });
    case REJECT.notTradable:
      return new Problem('HFT_NOT_TRADABLE', `${symbol} is no longer traded here: GET /v1/instruments lists those that are`, {
        field: 'symbol',
      });
    case REJECT.killSwitch:
      return new Problem(
        'HFT_KILL_SWITCH',
        core.killed(ANY_ACCOUNT)
          ? 'the kill switch of all accounts is on (risk.killSwitch): orders are refused until it is off, cancels are not'
          : `the kill switch of account ${order.accountName} is on: its orders are refused until it is off, its cancels are not`,
        { field: core.killed(ANY_ACCOUNT) ? undefined : 'account' },
      );
    case REJECT.badPrice:
      return new Problem('HFT_PRICE_TOO_LARGE', `price must be from 1 to ${Number.MAX_SAFE_INTEGER} ticks of ${tick.text}`, {
        field: 'price',
      });
    case REJECT.badQuantity:
      return new Problem('HFT_QUANTITY_TOO_LARGE', `quantity must be from 1 to ${Number.MAX_SAFE_INTEGER} lots of ${lot.text}`, {
        field: 'quantity',
      });
    case REJECT.maxOrderQty:
      return new Problem('HFT_MAX_ORDER_QTY', `quantity ${quantity} is over risk.maxOrderQty ${risk.maxOrderQty}`, { field: 'quantity' });
    case REJECT.maxNotional:
      return new Problem('HFT_MAX_NOTIONAL', `${valueOf(context)} is over risk.maxNotional ${risk.maxNotional}`, { field: 'quantity' });
    case REJECT.priceBand:
      return new Problem(
        'HFT_PRICE_BAND',
        `price ${price} is more than ${risk.priceBandPercent ?? 0} % (risk.priceBandPercent) from the last trade at ${tick.format(core.book(instrument.id).lastTradeTicks)}`,
        { field: 'price' },
      );
    case REJECT.unknownOrder:
      return new Problem('HFT_ORDER_NOT_FOUND', 'the order neither rests nor waits', { field: 'id' });
    case REJECT.noRoom:
      return new Problem('HFT_BOOK_FULL', 'as many orders rest as memory holds: cancel some, or send orders that do not rest', {
        retryAfterMs: 1000,
      });
    case REJECT.duplicate:
      return new Problem(
        'HFT_CLIENT_ORDER_ID_REUSED',
        `the account has sent this clientOrderId with order ${core.duplicateOf}: use a new id`,
        {
          field: 'clientOrderId',
        },
      );
    case REJECT.notInState:
      return new Problem('HFT_NOT_IN_STATE', stateMessage(symbol, core.book(instrument.id).state), { field: 'symbol' });
    case REJECT.badTerms:
      return new Problem(
        'HFT_BAD_TERMS',
        'the terms do not go together, or nothing would change: see docs/matching.md for what an order may be',
      );
    case REJECT.wouldTrade: {
      const best = core.book(instrument.id).bestTicks(order.side === BUY ? SELL : BUY);
      return new Problem(
        'HFT_WOULD_TRADE',
        `price ${price} would trade with the best ${order.side === BUY ? 'ask' : 'bid'} of ${tick.format(best)}, and the order is post-only`,
        { field: 'price' },
      );
    }
    case REJECT.maxPosition:
      return new Problem('HFT_MAX_POSITION', positionMessage(context), { field: 'quantity' });
    case REJECT.maxOpenOrders:
      return new Problem(
        'HFT_MAX_OPEN_ORDERS',
        `account ${order.accountName} has as many open orders as risk.maxOpenOrders ${risk.maxOpenOrders ?? 0} allows: cancel some`,
        { field: 'account' },
      );
    case REJECT.maxOpenNotional:
      return new Problem(
        'HFT_MAX_OPEN_NOTIONAL',
        `with ${tick.format(order.type === STOP ? order.stopTicks : order.priceTicks)} x ${quantity} the open orders of account ${order.accountName} in ${symbol} are over risk.maxOpenNotional ${risk.maxOpenNotional ?? ''}`,
        { field: 'quantity' },
      );
    case REJECT.expired:
      return new Problem('HFT_EXPIRED', `expiresAt must be later than the clock of the engine, ${new Date().toISOString()}`, {
        field: 'expiresAt',
      });
    case REJECT.stale:
      return new Problem('HFT_ORDER_CHANGED', 'the order was filled or changed each time that it was about to be replaced: try again', {
        field: 'id',
        retryAfterMs: 1000,
      });
    case REJECT.badAccount:
      return new Problem('HFT_TOO_MANY_ACCOUNTS', 'no further account can be added: use one that is known', { field: 'account' });
    case REJECT.rate:
      return new Problem('HFT_RATE_LIMIT', `account ${order.accountName} sends faster than it may`, { retryAfterMs: 1000 });
    case REJECT.busy:
    case REJECT.stopping:
    case REJECT.starting:
    case REJECT.journal:
    case REJECT.forbidden:
      // Never said by the core.
      throw new RangeError(`no command is refused with ${reject}`);
  }
}

function valueOf({ instrument: { tick, lot }, order: { side, type, priceTicks, stopTicks, quantityLots } }: RejectContext): string {
  const quantity = lot.format(quantityLots);
  if (type === MARKET || (type === LIMIT && side === SELL)) return `quantity ${quantity} at the prices that it would trade at`;
  return type === STOP
    ? `stopPrice ${tick.format(stopTicks)} x quantity ${quantity}`
    : `price ${tick.format(priceTicks)} x quantity ${quantity}`;
}

function stateMessage(symbol: string, state: TradingState): string {
  const takes =
    state === PRE_OPEN || state === AUCTION
      ? 'takes only limit, stop and stop-limit orders that can rest and are not post-only'
      : 'takes no orders, only cancels';
  return `${symbol} is ${STATE_NAMES[state]}, which ${takes}`;
}

function positionMessage({ core, risk, instrument, order }: RejectContext): string {
  const position = core.position(order.account, instrument.id);
  const held = position?.lots ?? 0;
  const open = (order.side === BUY ? position?.openBuyLots : position?.openSellLots) ?? 0;
  const side = order.side === BUY ? 'buy' : 'sell';
  return `quantity ${instrument.lot.format(order.quantityLots)}, open ${side} orders of ${instrument.lot.format(open)} and a position of ${signed(instrument, held)} could go over risk.maxPosition ${risk.maxPosition ?? ''}`;
}

/** Lots as a decimal, with a sign when they are owed. */
export function signed({ lot }: Instrument, lots: number): string {
  return lots < 0 ? `-${lot.format(-lots)}` : lot.format(lots);
}
