/** What was done: orders, fills, trades and positions, from the read models. Every answer shows what had been acknowledged when it was asked for. */
import {
  fillsAnswerSchema,
  fillsQuery,
  orderAnswerSchema,
  orderParams,
  ordersAnswerSchema,
  ordersQuery,
  positionsAnswerSchema,
  positionsQuery,
  problemSchema,
  symbolParams,
  tradesQuery,
} from '../../client/schemas.ts';
import { CANCELLED, FILLED, OPEN, PENDING } from '../../core/types.ts';
import type { Engine } from '../../service/engine.ts';
import type { Market } from '../../service/market.ts';
import { Problem } from '../../service/problem.ts';
import type { FillRecord } from '../../views/types.ts';
import { fillCursor, fillPlaceOf, fillViews, instrumentById, orderNumber, requireListed, viewOf } from './answers.ts';
import { authorizeAccount } from './guard.ts';
import type { HttpServer } from './server.ts';
import { positionView } from './views.ts';

const errors = { '4xx': problemSchema, '5xx': problemSchema };
const STATUSES = { open: OPEN, filled: FILLED, cancelled: CANCELLED, pending: PENDING } as const;
/** Before the first fill, and after every fill there can be. */
const FIRST_PLACE = { sequence: 0, index: -1 };
const LAST_PLACE = { sequence: Number.MAX_SAFE_INTEGER, index: 0 };

export function registerQueryRoutes(app: HttpServer, engine: Engine): void {
  app.route({
    method: 'GET',
    url: '/v1/orders/:id',
    config: { action: 'orders.read' },
    schema: { tags: ['orders'], summary: 'Read an order', params: orderParams, response: { 200: orderAnswerSchema, ...errors } },
    handler: async (request) => {
      const { market } = engine;
      const { id } = request.params;
      const order = await market.views.order(orderNumber(id), market.sequencer.durableSequence);
      if (order === undefined) throw new Problem('HFT_ORDER_NOT_FOUND', `there is no order ${id}`, { field: 'id' });
      authorizeAccount(request, market.accounts.name(order.account));
      return { order: viewOf(market, order) };
    },
  });

  app.route({
    method: 'GET',
    url: '/v1/orders',
    config: { action: 'orders.read' },
    schema: {
      tags: ['orders'],
      summary: 'List orders, oldest first',
      querystring: ordersQuery,
      response: { 200: ordersAnswerSchema, ...errors },
    },
    handler: async (request) => {
      const { account, status, after, limit } = request.query;
      authorizeAccount(request, account);
      const { market } = engine;
      const id = account === undefined ? undefined : market.accounts.find(account);
      if (account !== undefined && id === undefined) return { orders: [], next: null };
      const filter = { ...(id !== undefined && { account: id }), ...(status !== undefined && { status: STATUSES[status] }) };
      const records = await market.views.orders(filter, Number(after ?? 0), limit, market.sequencer.durableSequence);
      return { orders: records.map((record) => viewOf(market, record)), next: records.length < limit ? null : String(records.at(-1)?.id) };
    },
  });

  app.route({
    method: 'GET',
    url: '/v1/fills',
    // Fills name no account: they are the trades of all instruments.
    config: { action: 'market.read' },
    schema: {
      tags: ['orders'],
      summary: 'List fills, oldest first',
      querystring: fillsQuery,
      response: { 200: fillsAnswerSchema, ...errors },
    },
    handler: async (request) => {
      const { after, limit } = request.query;
      const { market } = engine;
      const from = after === undefined ? FIRST_PLACE : fillPlaceOf(after);
      return fillsPage(market, await market.views.fills(from, limit, market.sequencer.durableSequence), limit);
    },
  });

  app.route({
    method: 'GET',
    url: '/v1/trades/:symbol',
    config: { action: 'market.read' },
    schema: {
      tags: ['market'],
      summary: 'The trades of an instrument, newest first',
      params: symbolParams,
      querystring: tradesQuery,
      response: { 200: fillsAnswerSchema, ...errors },
    },
    handler: async (request) => {
      const { before, limit } = request.query;
      const { market } = engine;
      const { id } = requireListed(market, request.params.symbol);
      const from = before === undefined ? LAST_PLACE : fillPlaceOf(before);
      return fillsPage(market, await market.views.trades(id, from, limit, market.sequencer.durableSequence), limit);
    },
  });

  app.route({
    method: 'GET',
    url: '/v1/positions',
    config: { action: 'orders.read' },
    schema: {
      tags: ['orders'],
      summary: 'Positions that are not flat',
      querystring: positionsQuery,
      response: { 200: positionsAnswerSchema, ...errors },
    },
    handler: async (request) => {
      const { account } = request.query;
      authorizeAccount(request, account);
      const { market } = engine;
      const id = account === undefined ? undefined : market.accounts.find(account);
      if (account !== undefined && id === undefined) return { positions: [] };
      const positions = await market.views.positions(id, market.sequencer.durableSequence);
      return {
        positions: positions.map((position) =>
          positionView(position, instrumentById(market, position.instrument), market.accounts.name(position.account)),
        ),
      };
    },
  });
}

function fillsPage(market: Market, fills: readonly FillRecord[], limit: number) {
  const last = fills.at(-1);
  return { fills: fillViews(market, fills), next: fills.length < limit || last === undefined ? null : fillCursor(last) };
}
