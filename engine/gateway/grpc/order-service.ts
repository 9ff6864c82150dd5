/** Orders one by one: decode, ask the gatekeeper, hand to the desk, encode. */
import type { UntypedServiceImplementation } from '@grpc/grpc-js';
import type { Principal } from '../../access/principal.ts';
import type {
  MassCancelRequest,
  MassCancelResponse,
  OrderIdRequest,
  OrderMessage,
  OrderResponse,
  PlaceOrderRequest,
  PlaceOrderResponse,
  ReplaceOrderRequest,
  ReplaceOrderResponse,
} from '../../client/grpc-contract.ts';
import { ALL_INSTRUMENTS } from '../../core/types.ts';
import type { Engine } from '../../service/engine.ts';
import { accountOfOrder, type Market } from '../../service/market.ts';
import type { Placed } from '../../service/placed.ts';
import { Problem } from '../../service/problem.ts';
import type { OrderRecord } from '../../views/types.ts';
import { instrumentById, requireTraded } from '../http/answers.ts';
import type { RateLimiter } from '../rate-limit.ts';
import { unary, type UnaryParts } from './calls.ts';
import {
  clientOrderIdOf,
  differingField,
  fillMessage,
  orderMessage,
  replaceTermsOf,
  requireAccount,
  requireOrderId,
  termsOf,
} from './messages.ts';

export interface OrderParts extends UnaryParts {
  readonly engine: Engine;
  readonly limiter: RateLimiter;
}

export function orderService(parts: OrderParts): UntypedServiceImplementation {
  const { engine, limiter } = parts;
  const { gatekeeper } = parts.access;

  async function place(request: PlaceOrderRequest, principal: Principal): Promise<PlaceOrderResponse> {
    const { account, symbol } = request;
    requireAccount(account);
    gatekeeper.authorize(principal, 'orders.write', account);
    const clientOrderId = clientOrderIdOf(request.clientOrderId);
    if (request.cancelOnDisconnect) {
      throw new Problem('HFT_INVALID_FIELD', 'cancel_on_disconnect is for OrderEntry: this call ends with its answer', {
        field: 'cancel_on_disconnect',
      });
    }
    // One market for the whole answer: after an await the books may be being rebuilt, and what is recorded must be answered all the same.
    const market = engine.requireOrders();
    const placed = await market.desk.place({ account, clientOrderId, sender: principal.subject }, () => {
      requireToken(account);
      return termsOf(request, requireTraded(market, symbol).id, 0);
    });
    if (placed.repeated) requireSame(request, market, placed);
    else engine.stats.ordersAccepted += 1;
    return { ...placementOf(market, placed), repeated: placed.repeated };
  }

  async function replace(request: ReplaceOrderRequest, principal: Principal): Promise<ReplaceOrderResponse> {
    const market = engine.requireOrders();
    const id = requireOrderId(request.orderId);
    const account = await accountOf(market, id);
    gatekeeper.authorize(principal, 'orders.write', account);
    let charged = false;
    const placed = await market.desk.replace(id, principal.subject, (order) => {
      if (!charged) {
        engine.admission.requireOrder();
        requireToken(account);
      }
      charged = true;
      return replaceTermsOf(request, order);
    });
    return placementOf(market, placed);
  }

  async function cancel({ orderId }: OrderIdRequest, principal: Principal): Promise<OrderResponse> {
    const market = engine.requireAccepting();
    const id = requireOrderId(orderId);
    gatekeeper.authorize(principal, 'orders.cancel', await accountOf(market, id));
    const order = await market.desk.cancel(id, principal.subject);
    engine.stats.cancels += 1;
    return { order: messageOf(market, order) };
  }

  async function massCancel({ account, symbol }: MassCancelRequest, principal: Principal): Promise<MassCancelResponse> {
    requireAccount(account);
    gatekeeper.authorize(principal, 'orders.cancel', account);
    const market = engine.requireAccepting();
    const instrument = symbol === '' ? ALL_INSTRUMENTS : requireTraded(market, symbol).id;
    const { count, orderIds } = await market.desk.massCancel(account, instrument, principal.subject);
    engine.stats.cancels += count;
    return { count, orderIds: [...orderIds] };
  }

  async function get({ orderId }: OrderIdRequest, principal: Principal): Promise<OrderResponse> {
    engine.admission.requireQuery();
    const { market } = engine;
    const order = await market.views.order(requireOrderId(orderId), market.sequencer.durableSequence);
    if (order === undefined) throw unknownOrder(orderId);
    gatekeeper.authorize(principal, 'orders.read', market.accounts.name(order.account));
    return { order: messageOf(market, order) };
  }

  function requireToken(account: string): void {
    const waitMs = limiter.take(account, performance.now());
    if (waitMs === 0) return;
    const { ordersPerSecond } = engine.config.limits;
    throw new Problem('HFT_RATE_LIMIT', `account ${account} may send ${ordersPerSecond} orders a second: wait ${Math.ceil(waitMs)} ms`, {
      retryAfterMs: waitMs,
    });
  }

  return {
    PlaceOrder: unary(parts, place, (durationMs, refused) => {
      engine.stats.answered(durationMs);
      if (refused !== undefined) engine.stats.rejected(refused);
    }),
    ReplaceOrder: unary(parts, replace),
    CancelOrder: unary(parts, cancel),
    MassCancel: unary(parts, massCancel),
    GetOrder: unary(parts, get),
  };
}

function placementOf(market: Market, { order, fills, fillCount }: Placed): ReplaceOrderResponse {
  return { order: messageOf(market, order), fills: fills.map(fillMessage), fillCount };
}

function messageOf(market: Market, order: OrderRecord): OrderMessage {
  return orderMessage(order, instrumentById(market, order.instrument).symbol, market.accounts.name(order.account));
}

async function accountOf(market: Market, id: number): Promise<string> {
  const account = await accountOfOrder(market, id);
  if (account === undefined) throw unknownOrder(id);
  return account;
}

/** The first answer is no answer to another order. */
function requireSame(request: PlaceOrderRequest, market: Market, { order, sentLots }: Placed): void {
  const first = { ...order, quantityLots: sentLots };
  const field = differingField(request, first, instrumentById(market, order.instrument).symbol);
  if (field === undefined) return;
  throw new Problem(
    'HFT_CLIENT_ORDER_ID_REUSED',
    `client_order_id ${request.clientOrderId} of account ${request.account} belongs to order ${order.id}, whose ${field} is another: use a new id`,
    { field: 'client_order_id' },
  );
}

function unknownOrder(id: number): Problem {
  return new Problem('HFT_ORDER_NOT_FOUND', `there is no order ${id}`, { field: 'order_id' });
}
