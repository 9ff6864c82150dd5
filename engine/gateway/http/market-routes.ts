/** Books and instruments. */
import { BUY, SELL } from '../../core/types.ts';
import type { Engine } from '../../service/engine.ts';
import { Problem } from '../../service/problem.ts';
import { bookQuery, bookSchema, instrumentsSchema, problemSchema, symbolParams } from '../../client/schemas.ts';
import type { HttpServer } from './server.ts';
import { levelView } from './views.ts';

export function registerMarketRoutes(app: HttpServer, engine: Engine): void {
  app.route({
    method: 'GET',
    url: '/v1/book/:symbol',
    schema: {
      tags: ['market'],
      summary: 'The best prices of an instrument, best first',
      params: symbolParams,
      querystring: bookQuery,
      response: { 200: bookSchema, '4xx': problemSchema, '5xx': problemSchema },
    },
    handler: async (request, reply) => {
      const { symbol } = request.params;
      const instrument = engine.market.bySymbol.get(symbol);
      if (instrument === undefined) {
        throw new Problem('HFT_INSTRUMENT_NOT_FOUND', `${symbol} is not traded here: GET /v1/instruments lists those that are`, {
          field: 'symbol',
        });
      }
      const { depth } = request.query;
      const view = await engine.readBook(instrument.id, (book, sequence) => ({
        symbol,
        sequence,
        bids: book.depth(BUY, depth).map((level) => levelView(level, instrument)),
        asks: book.depth(SELL, depth).map((level) => levelView(level, instrument)),
      }));
      return await reply.send(view);
    },
  });

  app.route({
    method: 'GET',
    url: '/v1/instruments',
    schema: { tags: ['market'], summary: 'The instruments that are traded', response: { 200: instrumentsSchema, '5xx': problemSchema } },
    handler: () => ({
      instruments: engine.market.instruments
        .filter(({ listed }) => listed)
        .map(({ symbol, tick, lot }) => ({ symbol, tickSize: tick.text, lotSize: lot.text })),
    }),
  });
}
