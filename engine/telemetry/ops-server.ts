/** The server of the operations port (9090): probes, metrics, dashboard, and the admin calls behind the token. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { configCheckSchema, engineStatusSchema } from '../client/admin.ts';
import { registerAdminRoutes } from '../gateway/http/admin-routes.ts';
import { registerHealthRoutes } from '../gateway/http/health-routes.ts';
import { createHttpServer, type HttpServer } from '../gateway/http/server.ts';
import type { Engine } from '../service/engine.ts';
import { Problem } from '../service/problem.ts';
import { registerDashboard } from './dashboard.ts';
import type { Metrics } from './metrics.ts';
import { poolStats } from './pool-metrics.ts';
import type { RuntimeWatch } from './runtime-watch.ts';

/** A configuration of 64 instruments is some 6 kB. */
const BODY_LIMIT = 262_144;

export function createOpsServer(engine: Engine, metrics: Metrics, watch: RuntimeWatch, adminToken: string): HttpServer {
  const app = createHttpServer({ bodyLimit: BODY_LIMIT, logLevel: engine.config.observability.logLevel });
  registerHealthRoutes(app, engine, metrics);
  if (engine.config.observability.dashboard) registerDashboard(app, engine);

  const expected = digest(`Bearer ${adminToken}`);
  const requireToken = (authorization: string | undefined): void => {
    // Digests have one length, so the comparison tells nothing about the token.
    if (authorization === undefined || !timingSafeEqual(digest(authorization), expected)) {
      throw new Problem('HFT_UNAUTHORIZED', 'send authorization: Bearer with the admin token');
    }
  };

  void app.register((admin, _options, done) => {
    admin.addHook('onRequest', (request, reply, next) => {
      try {
        requireToken(request.headers.authorization);
        next();
      } catch (problem) {
        reply.header('www-authenticate', 'Bearer');
        throw problem;
      }
    });
    const routes = admin.withTypeProvider<ZodTypeProvider>();

    routes.get(
      '/admin/status',
      { schema: { response: { 200: engineStatusSchema } } },
      async (_request, reply) => await reply.send(await engine.status()),
    );

    routes.get('/admin/stats', () => {
      const { stats } = engine;
      return {
        orders: {
          accepted: stats.ordersAccepted,
          rejected: stats.ordersRejected,
          cancelled: stats.cancels,
          rejectedByCode: Object.fromEntries(stats.rejectedByCode),
        },
        fills: stats.fills,
        rates: stats.lastSecond() ?? null,
        orderLatency: stats.orderPercentiles(),
        journal: {
          sequence: engine.sequence,
          commits: stats.commits,
          commandsPerCommit: stats.commits === 0 ? 0 : stats.batchCommands.sum / stats.commits,
          meanCommitMicros: stats.commits === 0 ? 0 : (stats.commitSeconds.sum / stats.commits) * 1e6,
          bytes: engine.journalBytes(),
          blocked: engine.blocked?.message ?? null,
        },
        books: engine.booksNow().map(({ symbol, book }) => ({ symbol, openOrders: book.openOrders })),
        pools: poolStats(engine.pools()),
        leaks: engine.leaks(),
        runtime: watch.figures(),
      };
    });

    // The body is validated by the engine, which answers with what is wrong rather than with 4xx.
    routes.post('/admin/config/check', { schema: { body: z.unknown(), response: { 200: configCheckSchema } } }, (request) =>
      engine.checkConfig(request.body),
    );
    registerAdminRoutes(routes, engine);
    done();
  });
  return app;
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
