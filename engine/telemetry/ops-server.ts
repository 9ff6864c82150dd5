/** The server of the operations port (9090): probes, metrics, dashboard, and the admin calls behind the token. */
import helmet from '@fastify/helmet';
import type { FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Access } from '../access/access.ts';
import type { AuditTrail } from '../access/audit-trail.ts';
import { configCheckSchema, engineStatusSchema } from '../client/admin.ts';
import { registerAdminRoutes } from '../gateway/http/admin-routes.ts';
import { authorizeAccount, guard } from '../gateway/http/guard.ts';
import { registerHealthRoutes } from '../gateway/http/health-routes.ts';
import { audit } from '../gateway/http/audit.ts';
import { HELMET } from '../gateway/http/headers.ts';
import { createHttpServer, type HttpServer } from '../gateway/http/server.ts';
import type { Engine } from '../service/engine.ts';
import type { ProblemCode } from '../service/problem.ts';
import { registerDashboard } from './dashboard.ts';
import type { Metrics } from './metrics.ts';
import { poolStats } from './pool-metrics.ts';
import type { RuntimeWatch } from './runtime-watch.ts';

/** A configuration of 64 instruments is some 6 kB. */
const BODY_LIMIT = 262_144;

export function createOpsServer(engine: Engine, metrics: Metrics, watch: RuntimeWatch, access: Access, trail: AuditTrail): HttpServer {
  const codes = new WeakMap<FastifyRequest, ProblemCode>();
  const app = createHttpServer({
    bodyLimit: BODY_LIMIT,
    logLevel: engine.config.observability.logLevel,
    onProblem: (request, code) => void codes.set(request, code),
  });
  void app.register(helmet, HELMET);
  guard(app, access, { operator: true });
  audit(app, trail, codes);
  registerHealthRoutes(app, engine, metrics);
  if (engine.config.observability.dashboard) registerDashboard(app, engine);

  void app.register((admin, _options, done) => {
    const routes = admin.withTypeProvider<ZodTypeProvider>();

    routes.get(
      '/admin/status',
      { schema: { response: { 200: engineStatusSchema } }, config: { action: 'engine.read' } },
      async (_request, reply) => await reply.send(await engine.status()),
    );

    routes.get('/admin/stats', { config: { action: 'engine.read' } }, () => {
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
        protection: {
          breakers: [engine.admission.journal.figures, engine.admission.views.figures],
          shedding: engine.admission.shedding,
          shed: engine.admission.shed,
          standingDelayMs: engine.admission.delayMs,
        },
        books: engine.booksNow().map(({ symbol, book }) => ({ symbol, openOrders: book.openOrders })),
        pools: poolStats(engine.pools()),
        leaks: engine.leaks(),
        runtime: watch.figures(),
      };
    });

    // The body is validated by the engine, which answers with what is wrong rather than with 4xx.
    routes.post(
      '/admin/config/check',
      { schema: { body: z.unknown(), response: { 200: configCheckSchema } }, config: { action: 'engine.admin', changesNothing: true } },
      (request) => {
        authorizeAccount(request, undefined);
        return engine.checkConfig(request.body);
      },
    );
    registerAdminRoutes(routes, engine);
    done();
  });
  return app;
}
