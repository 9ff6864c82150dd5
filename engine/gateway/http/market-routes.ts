/** Books and instruments, as they are now. */
import { bookQuery, bookSchema, instrumentsSchema, problemSchema, symbolParams } from '../../client/schemas.ts';
import type { Engine } from '../../service/engine.ts';
import { requireListed } from './answers.ts';
import type { HttpServer } from './server.ts';
import { bookView, instrumentView } from './views.ts';

export function registerMarketRoutes(app: HttpServer, engine: Engine): void {
  app.route({
    method: 'GET',
    url: '/v1/book/:symbol',
    config: { action: 'market.read' },
    schema: {
      tags: ['market'],
      summary: 'The best prices of an instrument, best first',
      params: symbolParams,
      querystring: bookQuery,
      response: { 200: bookSchema, '4xx': problemSchema, '5xx': problemSchema },
    },
    handler: async (request, reply) => {
      const { market } = engine;
      const instrument = requireListed(market, request.params.symbol);
      const { core } = market;
      const view = bookView(instrument.symbol, core.sequence, core.book(instrument.id), request.query.depth, instrument);
      await market.sequencer.settled();
      return await reply.send(view);
    },
  });

  app.route({
    method: 'GET',
    url: '/v1/instruments',
    config: { action: 'market.read' },
    schema: {
      tags: ['market'],
      summary: 'The instruments that are traded, and their trading states',
      response: { 200: instrumentsSchema, '4xx': problemSchema, '5xx': problemSchema },
    },
    handler: async (_request, reply) => {
      const { market } = engine;
      const instruments = [...market.bySymbol.values()].map((instrument) => instrumentView(instrument, market.core.book(instrument.id)));
      await market.sequencer.settled();
      return await reply.send({ instruments });
    },
  });
}
