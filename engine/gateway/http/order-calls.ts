/** Placing, changing and cancelling as requests ask for it: the same for one order and for a batch. Each sends its command before it first waits. */
import type { Socket } from 'node:net';
import type { PlaceOrderBody, ReplaceOrderBody } from '../../client/schemas.ts';
import type { Engine } from '../../service/engine.ts';
import type { Market } from '../../service/market.ts';
import type { ReplaceTerms } from '../../service/order-desk.ts';
import type { Placed } from '../../service/placed.ts';
import { Problem } from '../../service/problem.ts';
import type { OrderRecord } from '../../views/types.ts';
import { instrumentById, requireTraded } from './answers.ts';
import type { OrderGate } from './order-gate.ts';
import { differingField, replaceTermsOf, termsOf } from './terms.ts';

/** What a call works on. One market for the whole answer: after a wait the books may be being rebuilt, and what is recorded must be answered all the same. */
export interface OrderCall {
  readonly engine: Engine;
  readonly market: Market;
  readonly gate: OrderGate;
  readonly socket: Socket;
  /** `sub` of who asks. */
  readonly sender: string;
}

/** Throws Problem. */
export async function placeOrder({ engine, market, gate, socket, sender }: OrderCall, body: PlaceOrderBody): Promise<Placed> {
  const placed = await market.desk.place({ account: body.account, clientOrderId: body.clientOrderId ?? null, sender }, () => {
    // Its body has come since it was let in.
    engine.admission.requireOrder();
    gate.requireToken(body.account);
    return termsOf(
      body,
      requireTraded(market, body.symbol),
      'cancelOnDisconnect' in body && body.cancelOnDisconnect ? gate.sessionOf(socket) : 0,
    );
  });
  if (placed.repeated) requireSame(body, market, placed);
  else engine.stats.ordersAccepted += 1;
  return placed;
}

/** The terms of a replacement, however often they are asked for: one token of the account's rate. */
export function replacementOf({ engine, market, gate }: OrderCall, body: ReplaceOrderBody): (order: OrderRecord) => ReplaceTerms {
  let charged = false;
  return (order) => {
    if (!charged) {
      engine.admission.requireOrder();
      gate.requireToken(market.accounts.name(order.account));
    }
    charged = true;
    return replaceTermsOf(body, order, instrumentById(market, order.instrument));
  };
}

/** Throws Problem. */
export async function cancelOrder({ engine, market, sender }: OrderCall, id: number): Promise<OrderRecord> {
  const order = await market.desk.cancel(id, sender);
  engine.stats.cancels += 1;
  return order;
}

/** The first answer is no answer to another order. */
function requireSame(body: PlaceOrderBody, market: Market, { order, sentLots }: Placed): void {
  const field = differingField(body, { ...order, quantityLots: sentLots }, instrumentById(market, order.instrument));
  if (field === undefined) return;
  throw new Problem(
    'HFT_CLIENT_ORDER_ID_REUSED',
    `clientOrderId ${body.clientOrderId ?? ''} of account ${body.account} belongs to order ${order.id}, whose ${field} is another: use a new id`,
    { field: 'clientOrderId' },
  );
}
