/** Probes and metrics: the same on both ports. */
import type { Engine } from '../../service/engine.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import type { HttpServer } from './server.ts';

export function registerHealthRoutes(app: HttpServer, engine: Engine, metrics: Metrics): void {
  const open = { schema: { hide: true }, config: { action: 'open' } } as const;

  // 200 as long as the event loop turns, in every phase: an engine that recovers must not be restarted for it.
  app.get('/health', open, (_request, reply) => reply.send({ status: 'ok', phase: engine.phase }));

  app.get('/ready', open, (_request, reply) => {
    if (engine.serving) return reply.send({ ready: true, phase: engine.phase });
    return reply.code(503).header('retry-after', '1').send({ ready: false, phase: engine.phase });
  });

  app.get('/metrics', open, async (_request, reply) => {
    const text = await metrics.text();
    return await reply.header('content-type', metrics.contentType).send(text);
  });
}
