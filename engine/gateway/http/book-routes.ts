/** A book by its best prices (L1), and by its orders (L3). */
import { bestSchema, bookOrdersQuery, bookOrdersSchema } from '../../client/book-schemas.ts';
import { problemSchema, symbolParams } from '../../client/schemas.ts';
import { BUY, SELL } from '../../core/types.ts';
import type { Engine } from '../../service/engine.ts';
import { requireListed } from './answers.ts';
import type { HttpServer } from './server.ts';
import { bestView, bookOrdersView } from './views.ts';

const errors = { '4xx': problemSchema, '5xx': problemSchema };

export function registerBookRoutes(app: HttpServer, engine: Engine): void {
  app.route({
    method: 'GET',
    url: '/v1/book/:symbol/best',
    config: { action: 'market.read' },
    schema: {
      tags: ['market'],
      summary: 'The best price of each side (L1)',
      params: symbolParams,
      response: { 200: bestSchema, ...errors },
    },
    handler: async (request, reply) => {
      const { market } = engine;
      const instrument = requireListed(market, request.params.symbol);
      const view = bestView(instrument, market.core.sequence, market.core.book(instrument.id));
      await market.sequencer.settled();
      return await reply.send(view);
    },
  });

  app.route({
    method: 'GET',
    url: '/v1/book/:symbol/orders',
    config: { action: 'market.read' },
    schema: {
      tags: ['market'],
      summary: 'The orders of a book, in priority (L3)',
      params: symbolParams,
      querystring: bookOrdersQuery,
      response: { 200: bookOrdersSchema, ...errors },
    },
    handler: async (request, reply) => {
      const { market } = engine;
      const { limit } = request.query;
      const instrument = requireListed(market, request.params.symbol);
      const book = market.core.book(instrument.id);
      // One more than is shown tells whether that is all.
      const sides = { bids: book.orders(BUY, limit + 1), asks: book.orders(SELL, limit + 1) };
      const view = bookOrdersView(instrument, market.core.sequence, book.state, sides, limit);
      await market.sequencer.settled();
      return await reply.send(view);
    },
  });
}
