/** The order API: decode, hand to the sequencer, encode. */
import type { FillRecord, OrderRecord } from '../../journal/types.ts';
import type { Engine, Market } from '../../service/engine.ts';
import type { Instrument } from '../../service/instruments.ts';
import { Problem } from '../../service/problem.ts';
import { OPEN } from '../../core/types.ts';
import type { Placed } from '../../service/sequencer.ts';
import { RateLimiter } from '../rate-limit.ts';
import {
  fillsAnswerSchema,
  fillsQuery,
  MAX_ANSWERED_FILLS,
  orderAnswerSchema,
  orderParams,
  ordersAnswerSchema,
  ordersQuery,
  placedSchema,
  placeOrderBody,
  problemSchema,
  type OrderView,
  type PlaceOrderBody,
  type Placement,
} from '../../client/schemas.ts';
import type { HttpServer } from './server.ts';
import { differingField, fillView, orderView, termsOf } from './views.ts';

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
      // One market for the whole answer: after the await the books may be being rebuilt, and what is recorded must be answered all the same.
      const market = engine.requireAccepting();
      const identity = { accountName: body.account, clientOrderId: body.clientOrderId ?? null };
      const placed = await market.sequencer.place(identity, () => {
        requireToken(body.account);
        return termsOf(body, requireTraded(market, body.symbol));
      });
      if (placed.repeated) requireSame(body, market, placed.order);
      else engine.stats.ordersAccepted += 1;
      return await reply.code(placed.repeated ? 200 : 201).send(placementOf(market, placed));
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

  app.route({
    method: 'GET',
    url: '/v1/orders/:id',
    schema: {
      tags: ['orders'],
      summary: 'Read an order',
      params: orderParams,
      response: { 200: orderAnswerSchema, '4xx': problemSchema, '5xx': problemSchema },
    },
    handler: (request) => ({ order: viewOf(engine.market, requireOrder(engine.market, request.params.id)) }),
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
      const market = engine.requireAccepting();
      try {
        await market.sequencer.cancel(id);
      } catch (cause) {
        if (!(cause instanceof Problem) || cause.code !== 'HFT_ORDER_NOT_FOUND') throw cause;
        // It rests nowhere: it has been filled or cancelled, or there never was one.
        await market.sequencer.settled();
        const { status, remainingLots } = requireOrder(market, request.params.id);
        if (status !== OPEN)
          throw new Problem('HFT_ORDER_NOT_OPEN', `order ${id} is ${remainingLots === 0 ? 'filled' : 'cancelled'} already`, {
            field: 'id',
          });
        throw cause;
      }
      engine.stats.cancels += 1;
      return await reply.send({ order: viewOf(market, requireOrder(market, request.params.id)) });
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
      const { market } = engine;
      const id = account === undefined ? undefined : market.accounts.find(account);
      const records = account !== undefined && id === undefined ? [] : market.queries.orders(id, Number(after ?? 0), limit);
      return { orders: records.map((record) => viewOf(market, record)), next: records.length < limit ? null : String(records.at(-1)?.id) };
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
      const { market } = engine;
      const records = market.queries.fills(sequence, index, limit);
      const last = records.at(-1);
      return {
        fills: records.map((fill) => fillView(fill, instrumentById(market, fill.instrument))),
        next: records.length < limit || last === undefined ? null : fillCursor(last),
      };
    },
  });
}

function requireOrder(market: Market, id: string): OrderRecord {
  const number = Number(id);
  const order = Number.isSafeInteger(number) ? market.queries.order(number) : undefined;
  if (order === undefined) throw new Problem('HFT_ORDER_NOT_FOUND', `there is no order ${id}`, { field: 'id' });
  return order;
}

function requireTraded(market: Market, symbol: string): Instrument {
  const instrument = market.bySymbol.get(symbol);
  if (instrument !== undefined) return instrument;
  throw new Problem('HFT_UNKNOWN_SYMBOL', `${symbol} is not traded here: GET /v1/instruments lists those that are`, { field: 'symbol' });
}

/** The first answer is no answer to another order. */
function requireSame(body: PlaceOrderBody, market: Market, order: OrderRecord): void {
  const field = differingField(body, order, instrumentById(market, order.instrument));
  if (field === undefined) return;
  throw new Problem(
    'HFT_CLIENT_ORDER_ID_REUSED',
    `clientOrderId ${body.clientOrderId ?? ''} of account ${body.account} belongs to order ${order.id}, whose ${field} is another: use a new id`,
    { field: 'clientOrderId' },
  );
}

function instrumentById(market: Market, id: number): Instrument {
  const instrument = market.instruments[id];
  if (instrument === undefined) throw new RangeError(`no instrument ${id}`);
  return instrument;
}

function viewOf(market: Market, order: OrderRecord): OrderView {
  return orderView(order, instrumentById(market, order.instrument), market.accounts.name(order.account));
}

/** Where a page of fills that ends with this one goes on. */
function fillCursor({ sequence, index }: FillRecord): string {
  return `${sequence}.${index}`;
}

function placementOf(market: Market, { order, fills }: Placed): Placement {
  const shown = fills.slice(0, MAX_ANSWERED_FILLS);
  const last = shown.at(-1);
  return {
    order: viewOf(market, order),
    fills: shown.map((fill) => fillView(fill, instrumentById(market, fill.instrument))),
    next: last === undefined || shown.length === fills.length ? null : fillCursor(last),
  };
}
