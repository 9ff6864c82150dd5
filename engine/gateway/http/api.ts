/** The server of the orders port (8080): order API, probes, metrics, and its own documentation at /docs. */
import cors from '@fastify/cors';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import { jsonSchemaTransform } from 'fastify-type-provider-zod';
import { VERSION } from '../../config/version.ts';
import type { Access } from '../../access/access.ts';
import type { Certificates } from '../../access/tls.ts';
import type { Engine } from '../../service/engine.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import type { RateLimiter } from '../rate-limit.ts';
import { registerAccountRoutes } from './account-routes.ts';
import { registerBatchRoutes } from './batch-routes.ts';
import { registerBookRoutes } from './book-routes.ts';
import { guard } from './guard.ts';
import { registerHealthRoutes } from './health-routes.ts';
import { registerMarketRoutes } from './market-routes.ts';
import { OrderGate } from './order-gate.ts';
import { registerOrderRoutes } from './order-routes.ts';
import { registerQueryRoutes } from './query-routes.ts';
import { serveDocument } from './docs-document.ts';
import { API_HEADERS, CORS, DOCS_POLICY } from './headers.ts';
import { createHttpServer, type HttpServer } from './server.ts';

/** An order is some 300 bytes. */
const BODY_LIMIT = 16_384;

/** Fastify's documents name one content type for all answers; those of problems have their own. */
function tellProblems(path: object | undefined): void {
  for (const operation of Object.values(path ?? {})) {
    const responses: unknown = operation === null || typeof operation !== 'object' ? undefined : Reflect.get(operation, 'responses');
    for (const [status, response] of Object.entries(responses ?? {})) {
      const content: unknown =
        /^[45]/.test(status) && response !== null && typeof response === 'object' ? Reflect.get(response, 'content') : undefined;
      if (content === undefined) continue;
      Reflect.set(response as object, 'content', { 'application/problem+json': Reflect.get(content as object, 'application/json') });
    }
  }
}

/** Where orders are placed. */
const ORDER_PATHS: ReadonlySet<string> = new Set(['/v1/orders', '/v1/orders/batch']);

export interface ApiOptions {
  /** Of the orders of each account: the same on every way in. */
  readonly limiter: RateLimiter;
  /** Whether /docs has a console beside the document. */
  readonly consoleAtDocs: boolean;
  /** The port speaks TLS, with these. */
  readonly certificates?: Certificates | undefined;
}

export async function createApiServer(engine: Engine, metrics: Metrics, access: Access, options: ApiOptions): Promise<HttpServer> {
  const app = createHttpServer({
    bodyLimit: BODY_LIMIT,
    logLevel: engine.config.observability.logLevel,
    closing: () => engine.phase === 'draining',
    certificates: options.certificates,
    onProblem: (request, code) => {
      if (request.method === 'POST' && ORDER_PATHS.has(request.routeOptions.url ?? '')) engine.stats.rejected(code);
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
  // Before their bodies are read. Cancels pass, alone and in a batch. Not on request: there the guard comes last, and who shows no token is none of ours.
  app.addHook('preParsing', (request, _reply, payload, done) => {
    const { action } = request.routeOptions.config;
    if (action === 'orders.write') engine.requireOrders();
    else if (action === 'orders.read' || action === 'market.read') engine.admission.requireQuery();
    done(null, payload);
  });
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'HFTEngine order API',
        version: VERSION,
        description: 'Prices and quantities are decimal strings. Errors are RFC 9457 problem details with a stable `code`.',
      },
      tags: [{ name: 'orders' }, { name: 'accounts' }, { name: 'market' }],
      components: {
        securitySchemes: {
          bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'Roles and accounts: docs/security.md.' },
        },
      },
      security: [{ bearer: [] }],
    },
    transform: jsonSchemaTransform,
    transformObject: (document) => {
      if (!('openapiObject' in document)) return document.swaggerObject;
      for (const path of Object.values(document.openapiObject.paths ?? {})) tellProblems(path);
      return document.openapiObject;
    },
  });
  serveDocument(app, { hasRoute: options.consoleAtDocs });
  if (options.consoleAtDocs) await app.register(swaggerUi, { routePrefix: '/docs', staticCSP: DOCS_POLICY });
  const gate = new OrderGate(engine, options.limiter);
  registerOrderRoutes(app, engine, gate);
  registerBatchRoutes(app, engine, gate);
  registerAccountRoutes(app, engine, gate);
  registerQueryRoutes(app, engine);
  registerMarketRoutes(app, engine);
  registerBookRoutes(app, engine);
  registerHealthRoutes(app, engine, metrics);
  return app;
}
