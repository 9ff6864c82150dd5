/** The order API: decode, hand to the sequencer, encode. */
import type { OrderRecord } from '../../journal/types.ts';
import type { Engine } from '../../service/engine.ts';
import type { Instrument } from '../../service/instruments.ts';
import { Problem } from '../../service/problem.ts';
import { OPEN } from '../../core/types.ts';
import type { Placed } from '../../service/sequencer.ts';
import { RateLimiter } from '../rate-limit.ts';
import {
  fillsAnswerSchema,
  fillsQuery,
  orderAnswerSchema,
  orderParams,
  ordersAnswerSchema,
  ordersQuery,
  placedSchema,
  placeOrderBody,
  problemSchema,
  type OrderView,
  type Placement,
} from '../../client/schemas.ts';
import type { HttpServer } from './server.ts';
import { fillView, orderView, toPlaceRequest } from './views.ts';

export function registerOrderRoutes(app: HttpServer, engine: Engine): void {
  const limiter = new RateLimiter(engine.config.limits);

  app.route({
    method: 'POST',
    url: '/v1/orders',
    schema: {
      tags: ['orders'],
      summary: 'Place an order',
      description:
        'Answers when the order and its fills are durable. 200 instead of 201 when the same clientOrderId had been accepted before.',
      body: placeOrderBody,
      response: { 200: placedSchema, 201: placedSchema, '4xx': problemSchema, '5xx': problemSchema },
    },
    // A request that is not going to be taken is not read either.
    onRequest: (_request, _reply, done) => {
      engine.requireAccepting();
      done();
    },
    onSend: (_request, reply, _payload, done) => {
      engine.stats.answered(reply.elapsedTime);
      done();
    },
    handler: async (request, reply) => {
      const { body } = request;
      const waitMs = limiter.take(body.account, performance.now());
      if (waitMs > 0) {
        const { ordersPerSecond } = engine.config.limits;
        throw new Problem(
          'HFT_RATE_LIMIT',
          `account ${body.account} may send ${ordersPerSecond} orders a second: wait ${Math.ceil(waitMs)} ms`,
          { retryAfterMs: waitMs },
        );
      }
      const instrument = engine.instrument(body.symbol);
      if (instrument === undefined) {
        throw new Problem('HFT_UNKNOWN_SYMBOL', `${body.symbol} is not traded here: GET /v1/instruments lists those that are`, {
          field: 'symbol',
        });
      }
      const placed = await engine.sequencer.place(toPlaceRequest(body, instrument));
      if (!placed.repeated) engine.stats.ordersAccepted += 1;
      return await reply.code(placed.repeated ? 200 : 201).send(placementOf(engine, placed));
    },
  });

  app.route({
    method: 'GET',
    url: '/v1/orders/:id',
    schema: {
      tags: ['orders'],
      summary: 'Read an order',
      params: orderParams,
      response: { 200: orderAnswerSchema, '4xx': problemSchema, '5xx': problemSchema },
    },
    handler: (request) => ({ order: viewOf(engine, requireOrder(engine, request.params.id)) }),
  });

  app.route({
    method: 'DELETE',
    url: '/v1/orders/:id',
    schema: {
      tags: ['orders'],
      summary: 'Cancel an order',
      description: 'Answers when the cancel is durable.',
      params: orderParams,
      response: { 200: orderAnswerSchema, '4xx': problemSchema, '5xx': problemSchema },
    },
    onRequest: (_request, _reply, done) => {
      engine.requireAccepting();
      done();
    },
    handler: async (request, reply) => {
      const id = Number(request.params.id);
      try {
        await engine.sequencer.cancel(id);
      } catch (cause) {
        if (!(cause instanceof Problem) || cause.code !== 'HFT_ORDER_NOT_FOUND') throw cause;
        // It rests nowhere: it has been filled or cancelled, or there never was one.
        await engine.sequencer.settled();
        const { status, remainingLots } = requireOrder(engine, request.params.id);
        if (status !== OPEN)
          throw new Problem('HFT_ORDER_NOT_OPEN', `order ${id} is ${remainingLots === 0 ? 'filled' : 'cancelled'} already`, {
            field: 'id',
          });
        throw cause;
      }
      engine.stats.cancels += 1;
      return await reply.send({ order: viewOf(engine, requireOrder(engine, request.params.id)) });
    },
  });

  app.route({
    method: 'GET',
    url: '/v1/orders',
    schema: {
      tags: ['orders'],
      summary: 'List orders, oldest first',
      querystring: ordersQuery,
      response: { 200: ordersAnswerSchema, '4xx': problemSchema, '5xx': problemSchema },
    },
    handler: (request) => {
      const { account, after, limit } = request.query;
      const id = account === undefined ? undefined : engine.accounts.find(account);
      const records = account !== undefined && id === undefined ? [] : engine.queries.orders(id, Number(after ?? 0), limit);
      return { orders: records.map((record) => viewOf(engine, record)), next: records.length < limit ? null : String(records.at(-1)?.id) };
    },
  });

  app.route({
    method: 'GET',
    url: '/v1/fills',
    schema: {
      tags: ['orders'],
      summary: 'List fills, oldest first',
      querystring: fillsQuery,
      response: { 200: fillsAnswerSchema, '4xx': problemSchema, '5xx': problemSchema },
    },
    handler: (request) => {
      const { after, limit } = request.query;
      const [sequence = 0, index = -1] = after?.split('.').map(Number) ?? [];
      const records = engine.queries.fills(sequence, index, limit);
      const last = records.at(-1);
      return {
        fills: records.map((fill) => fillView(fill, instrumentById(engine, fill.instrument))),
        next: records.length < limit || last === undefined ? null : `${last.sequence}.${last.index}`,
      };
    },
  });
}

function requireOrder(engine: Engine, id: string): OrderRecord {
  const number = Number(id);
  const order = Number.isSafeInteger(number) ? engine.queries.order(number) : undefined;
  if (order === undefined) throw new Problem('HFT_ORDER_NOT_FOUND', `there is no order ${id}`, { field: 'id' });
  return order;
}

function instrumentById(engine: Engine, id: number): Instrument {
  const instrument = engine.instruments[id];
  if (instrument === undefined) throw new RangeError(`no instrument ${id}`);
  return instrument;
}

function viewOf(engine: Engine, order: OrderRecord): OrderView {
  return orderView(order, instrumentById(engine, order.instrument), engine.accounts.name(order.account));
}

function placementOf(engine: Engine, { order, fills }: Placed): Placement {
  return { order: viewOf(engine, order), fills: fills.map((fill) => fillView(fill, instrumentById(engine, fill.instrument))) };
}
