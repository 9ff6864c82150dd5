/** Commands about orders: decode, hand to the desk, encode. */
import {
  idempotencyHeaders,
  massCancelAnswerSchema,
  massCancelQuery,
  orderAnswerSchema,
  orderParams,
  placedSchema,
  placeOrderBody,
  problemSchema,
  replaceOrderBody,
} from '../../client/schemas.ts';
import { ALL_INSTRUMENTS } from '../../core/types.ts';
import type { Engine } from '../../service/engine.ts';
import { orderNumber, placementOf, requireTraded, viewOf } from './answers.ts';
import { authorizeAccount, authorizeOrder, principalOf } from './guard.ts';
import { idempotencyKey, withKey } from './idempotency.ts';
import { cancelOrder, placeOrder, replacementOf } from './order-calls.ts';
import type { OrderGate } from './order-gate.ts';
import type { HttpServer } from './server.ts';

const errors = { '4xx': problemSchema, '5xx': problemSchema };

export function registerOrderRoutes(app: HttpServer, engine: Engine, gate: OrderGate): void {
  /** A request that is not going to be taken is not read either. */
  const onRequest = (_request: unknown, _reply: unknown, done: () => void): void => {
    engine.requireAccepting();
    done();
  };

  app.route({
    method: 'POST',
    url: '/v1/orders',
    config: { action: 'orders.write' },
    schema: {
      tags: ['orders'],
      summary: 'Place an order',
      description:
        'Answers when the order and its fills are durable. 200 instead of 201 when the same clientOrderId (or Idempotency-Key) had been accepted before.',
      headers: idempotencyHeaders,
      body: placeOrderBody,
      response: { 200: placedSchema, 201: placedSchema, ...errors },
    },
    onRequest,
    preValidation: (request, _reply, done) => {
      request.parsedAtMs = performance.now();
      done();
    },
    onSend: (request, reply, _payload, done) => {
      const { stats } = engine;
      stats.answered(reply.elapsedTime);
      if (request.parsedAtMs > 0) stats.processingSeconds.record((performance.now() - request.parsedAtMs) / 1e3);
      done();
    },
    handler: async (request, reply) => {
      authorizeAccount(request, request.body.account);
      const market = engine.requireAccepting();
      const body = withKey(request.body, idempotencyKey(request.headers['idempotency-key']));
      const placed = await placeOrder({ engine, market, gate, socket: request.socket, sender: principalOf(request).subject }, body);
      return await reply.code(placed.repeated ? 200 : 201).send(placementOf(market, placed));
    },
  });

  app.route({
    method: 'PATCH',
    url: '/v1/orders/:id',
    config: { action: 'orders.write' },
    schema: {
      tags: ['orders'],
      summary: 'Replace an order',
      description:
        'Changes the price, the total quantity or the stop price of an order that rests or waits. It keeps its place in the book only when nothing but its quantity falls. Answers with the order, and the fills that this caused, when they are durable.',
      params: orderParams,
      body: replaceOrderBody,
      response: { 200: placedSchema, ...errors },
    },
    onRequest,
    handler: async (request, reply) => {
      const market = engine.requireAccepting();
      const id = orderNumber(request.params.id);
      await authorizeOrder(request, market, id);
      const call = { engine, market, gate, socket: request.socket, sender: principalOf(request).subject };
      const placed = await market.desk.replace(id, call.sender, replacementOf(call, request.body));
      return await reply.send(placementOf(market, placed));
    },
  });

  app.route({
    method: 'DELETE',
    url: '/v1/orders/:id',
    config: { action: 'orders.cancel' },
    schema: {
      tags: ['orders'],
      summary: 'Cancel an order',
      description: 'Answers when the cancel is durable.',
      params: orderParams,
      response: { 200: orderAnswerSchema, ...errors },
    },
    onRequest,
    handler: async (request, reply) => {
      const market = engine.requireAccepting();
      const id = orderNumber(request.params.id);
      await authorizeOrder(request, market, id);
      const order = await cancelOrder({ engine, market, gate, socket: request.socket, sender: principalOf(request).subject }, id);
      return await reply.send({ order: viewOf(market, order) });
    },
  });

  app.route({
    method: 'DELETE',
    url: '/v1/orders',
    config: { action: 'orders.cancel' },
    schema: {
      tags: ['orders'],
      summary: 'Cancel all orders of an account',
      description: 'In one instrument, or in all without a symbol. Answers when that is durable.',
      querystring: massCancelQuery,
      response: { 200: massCancelAnswerSchema, ...errors },
    },
    onRequest,
    handler: async (request, reply) => {
      const market = engine.requireAccepting();
      const { account, symbol } = request.query;
      authorizeAccount(request, account);
      const instrument = symbol === undefined ? ALL_INSTRUMENTS : requireTraded(market, symbol).id;
      const { count, orderIds } = await market.desk.massCancel(account, instrument, principalOf(request).subject);
      engine.stats.cancels += count;
      return await reply.send({ count, ids: orderIds.map(String) });
    },
  });
}
