/** The server of the orders port (8080): order API, probes, metrics, and its own documentation at /docs. */
import cors from '@fastify/cors';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import { jsonSchemaTransform } from 'fastify-type-provider-zod';
import { VERSION } from '../../config/version.ts';
import type { Access } from '../../access/access.ts';
import type { Engine } from '../../service/engine.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import { guard } from './guard.ts';
import { registerHealthRoutes } from './health-routes.ts';
import { registerMarketRoutes } from './market-routes.ts';
import { registerOrderRoutes } from './order-routes.ts';
import { registerQueryRoutes } from './query-routes.ts';
import { API_HEADERS, CORS } from './headers.ts';
import { createHttpServer, type HttpServer } from './server.ts';

/** An order is some 300 bytes. */
const BODY_LIMIT = 16_384;

export async function createApiServer(engine: Engine, metrics: Metrics, access: Access): Promise<HttpServer> {
  const app = createHttpServer({
    bodyLimit: BODY_LIMIT,
    logLevel: engine.config.observability.logLevel,
    closing: () => engine.phase === 'draining',
    onProblem: (request, code) => {
      if (request.routeOptions.url === '/v1/orders' && request.method === 'POST') engine.stats.rejected(code);
    },
  });
  app.addHook('onRequest', (_request, reply, done) => {
    reply.headers(API_HEADERS);
    done();
  });
  const origins = engine.config.auth?.allowedOrigins ?? [];
  // Before the guard: a browser asks without a token whether it may, and must be able to read a 401.
  if (origins.length > 0) await app.register(cors, { ...CORS, origin: origins });
  guard(app, access, { operator: false, openPaths: ['/docs'] });
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'HFTEngine order API',
        version: VERSION,
        description: 'Prices and quantities are decimal strings. Errors are RFC 9457 problem details with a stable `code`.',
      },
      tags: [{ name: 'orders' }, { name: 'market' }],
      components: {
        securitySchemes: {
          bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'Roles and accounts: docs/security.md.' },
        },
      },
      security: [{ bearer: [] }],
    },
    transform: jsonSchemaTransform,
  });
  await app.register(swaggerUi, { routePrefix: '/docs', staticCSP: true });
  registerOrderRoutes(app, engine);
  registerQueryRoutes(app, engine);
  registerMarketRoutes(app, engine);
  registerHealthRoutes(app, engine, metrics);
  return app;
}
