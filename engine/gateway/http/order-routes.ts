/** Commands about orders: decode, hand to the desk, encode. */
import type { Socket } from 'node:net';
import {
  massCancelAnswerSchema,
  massCancelQuery,
  orderAnswerSchema,
  orderParams,
  placedSchema,
  placeOrderBody,
  problemSchema,
  replaceOrderBody,
  type PlaceOrderBody,
} from '../../client/schemas.ts';
import { ALL_INSTRUMENTS } from '../../core/types.ts';
import type { Engine } from '../../service/engine.ts';
import type { Market } from '../../service/market.ts';
import type { Placed } from '../../service/placed.ts';
import { Problem } from '../../service/problem.ts';
import { RateLimiter } from '../rate-limit.ts';
import { instrumentById, orderNumber, placementOf, requireTraded, viewOf } from './answers.ts';
import { authorizeAccount, authorizeOrder } from './guard.ts';
import type { HttpServer } from './server.ts';
import { differingField, replaceTermsOf, termsOf } from './terms.ts';

const errors = { '4xx': problemSchema, '5xx': problemSchema };

export function registerOrderRoutes(app: HttpServer, engine: Engine): void {
  const limiter = new RateLimiter(engine.config.limits);
  const sessions = new WeakMap<Socket, number>();
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
        'Answers when the order and its fills are durable. 200 instead of 201 when the same clientOrderId had been accepted before.',
      body: placeOrderBody,
      response: { 200: placedSchema, 201: placedSchema, ...errors },
    },
    onRequest,
    onSend: (_request, reply, _payload, done) => {
      engine.stats.answered(reply.elapsedTime);
      done();
    },
    handler: async (request, reply) => {
      const { body } = request;
      authorizeAccount(request, body.account);
      // One market for the whole answer: after the await the books may be being rebuilt, and what is recorded must be answered all the same.
      const market = engine.requireAccepting();
      const placed = await market.desk.place({ account: body.account, clientOrderId: body.clientOrderId ?? null }, () => {
        requireToken(body.account);
        return termsOf(
          body,
          requireTraded(market, body.symbol),
          'cancelOnDisconnect' in body && body.cancelOnDisconnect ? sessionOf(request.socket) : 0,
        );
      });
      if (placed.repeated) requireSame(body, market, placed);
      else engine.stats.ordersAccepted += 1;
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
      let charged = false;
      const placed = await market.desk.replace(id, (order) => {
        if (!charged) requireToken(market.accounts.name(order.account));
        charged = true;
        return replaceTermsOf(request.body, order, instrumentById(market, order.instrument));
      });
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
      const order = await market.desk.cancel(id);
      engine.stats.cancels += 1;
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
      const { count, orderIds } = await market.desk.massCancel(account, instrument);
      engine.stats.cancels += count;
      return await reply.send({ count, ids: orderIds.map(String) });
    },
  });

  function requireToken(account: string): void {
    const waitMs = limiter.take(account, performance.now());
    if (waitMs === 0) return;
    const { ordersPerSecond } = engine.config.limits;
    throw new Problem('HFT_RATE_LIMIT', `account ${account} may send ${ordersPerSecond} orders a second: wait ${Math.ceil(waitMs)} ms`, {
      retryAfterMs: waitMs,
    });
  }

  /** The session of a connection: what is sent in it is cancelled when the connection ends. */
  function sessionOf(socket: Socket): number {
    const known = sessions.get(socket);
    if (known !== undefined) return known;
    // What ended before anybody listened would never be told of.
    if (socket.destroyed) throw new Problem('HFT_BAD_REQUEST', 'the connection has ended');
    const session = engine.sessions.open();
    sessions.set(socket, session);
    socket.once('close', () => engine.sessions.end(session));
    return session;
  }
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
