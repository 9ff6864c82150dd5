/** Many orders in one request: all of them in one turn of the event loop, so that they share a commit and nothing comes in between. */
import type { FastifyBaseLogger } from 'fastify';
import { authorize, authorizeRole } from '../../access/authorize.ts';
import type { Principal } from '../../access/principal.ts';
import type { Action } from '../../access/roles.ts';
import { batchAnswerSchema, batchBody, batchHeaders, type BatchOperation, type BatchResult } from '../../client/batch-schemas.ts';
import { problemSchema } from '../../client/schemas.ts';
import type { Engine } from '../../service/engine.ts';
import type { Market } from '../../service/market.ts';
import type { OrderRecord } from '../../views/types.ts';
import { orderNumber, placementOf, viewOf } from './answers.ts';
import { principalOf } from './guard.ts';
import { idempotencyKey } from './idempotency.ts';
import { cancelOrder, placeOrder, replacementOf, type OrderCall } from './order-calls.ts';
import type { OrderGate } from './order-gate.ts';
import { problemView } from '../problem-json.ts';
import { problemOf, type HttpServer } from './server.ts';

/** A thousand orders with every field are some 400 kB. */
const BODY_LIMIT = 524_288;

export function registerBatchRoutes(app: HttpServer, engine: Engine, gate: OrderGate): void {
  app.route({
    method: 'POST',
    url: '/v1/orders/batch',
    // What an operation may do is asked for each: who may only cancel can send a batch of cancels.
    config: { action: 'orders.cancel' },
    bodyLimit: BODY_LIMIT,
    schema: {
      tags: ['orders'],
      summary: 'Place, replace and cancel up to 1000 orders',
      description:
        'Each operation is accepted or refused by itself, with what it would have been answered with alone. A body of a wrong form is refused whole. Answers when everything is durable.',
      headers: batchHeaders,
      body: batchBody,
      response: { 200: batchAnswerSchema, '4xx': problemSchema, '5xx': problemSchema },
    },
    onRequest: (_request, _reply, done) => {
      engine.requireAccepting();
      done();
    },
    handler: async (request, reply) => {
      const market = engine.requireAccepting();
      const { operations } = request.body;
      const call = { engine, market, gate, socket: request.socket, sender: principalOf(request).subject };
      const key = idempotencyKey(request.headers['idempotency-key']);
      const principal = principalOf(request);
      // Before the turn in which all are sent: what must be known of an order that is going to change, and whose it is.
      const owners = ownersOfCancelled(market, operations);
      const isLooked = (operation: BatchOperation): boolean =>
        operation.op === 'replace' || (operation.op === 'cancel' && principal.accounts !== 'all' && owners === undefined);
      const looked = operations.flatMap((operation) => (operation.op !== 'place' && isLooked(operation) ? [Number(operation.id)] : []));
      const records = looked.length === 0 ? new Map<number, OrderRecord>() : await market.desk.known(looked);
      const known = { records, owners };
      const refusal = refusalOf(engine, request.id, request.log);
      const results = await Promise.all(
        operations.map((operation, index) =>
          run(call, principal, known, operation, key === undefined ? undefined : `${key}-${index}`).catch(refusal),
        ),
      );
      const waits = results.filter(({ problem }) => problem?.status === 503 || problem?.status === 429).length;
      if (waits > 0) reply.header('retry-after', '1');
      return await reply.send({ results, refused: results.filter(({ problem }) => problem !== undefined).length });
    },
  });
}

interface Known {
  readonly records: ReadonlyMap<number, OrderRecord>;
  readonly owners: ReadonlyMap<number, number> | undefined;
}

/**
 * Accounts of the orders of a batch that only cancels what is open: it needs no query, which may be refused while cancels are not. undefined for another
 * batch: what comes first in it may end an order that is to be looked up.
 */
function ownersOfCancelled({ core }: Market, operations: readonly BatchOperation[]): Map<number, number> | undefined {
  const owners = new Map<number, number>();
  for (const operation of operations) {
    const owner = operation.op === 'cancel' ? core.ownerOf(Number(operation.id)) : -1;
    if (operation.op !== 'cancel' || owner < 0) return undefined;
    owners.set(Number(operation.id), owner);
  }
  return owners;
}

/** Sends the command before it first waits. Rejects with Problem. */
async function run(
  call: OrderCall,
  principal: Principal,
  known: Known,
  operation: BatchOperation,
  key: string | undefined,
): Promise<BatchResult> {
  const { market } = call;
  switch (operation.op) {
    case 'place': {
      const { order } = operation;
      authorize(principal, 'orders.write', order.account);
      call.engine.admission.requireOrder();
      const placed = await placeOrder(
        call,
        order.clientOrderId === undefined && key !== undefined ? { ...order, clientOrderId: key } : order,
      );
      return { status: placed.repeated ? 200 : 201, ...placementOf(market, placed) };
    }
    case 'replace': {
      const id = orderNumber(operation.id);
      authorizeOwner(market, principal, 'orders.write', id, known);
      call.engine.admission.requireOrder();
      const placed = await market.desk.replaceAtOnce(id, principal.subject, known.records.get(id), replacementOf(call, operation.change));
      return { status: 200, ...placementOf(market, placed) };
    }
    case 'cancel': {
      const id = orderNumber(operation.id);
      authorizeOwner(market, principal, 'orders.cancel', id, known);
      return { status: 200, order: viewOf(market, await cancelOrder(call, id)) };
    }
  }
}

/** An order that is neither open nor recorded belongs to nobody. */
function authorizeOwner(market: Market, principal: Principal, action: Action, id: number, known: Known): void {
  authorizeRole(principal, action);
  const owner = market.core.ownerOf(id);
  const account = owner >= 0 ? owner : (known.owners?.get(id) ?? known.records.get(id)?.account);
  if (account !== undefined) authorize(principal, action, market.accounts.name(account));
}

function refusalOf(engine: Engine, requestId: string, log: FastifyBaseLogger): (cause: unknown) => BatchResult {
  return (cause) => {
    const problem = problemOf(cause instanceof Error ? cause : new Error(String(cause)));
    if (problem.code === 'HFT_INTERNAL') log.error({ err: cause, requestId }, 'an operation of a batch failed');
    engine.stats.rejected(problem.code);
    return { status: problem.status, problem: problemView(problem, requestId) };
  };
}
