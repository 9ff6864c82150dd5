/** Every call of the operations port that changes something, recorded with who sent it and what became of it, before it is answered. */
import { createHash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import type { AuditTrail } from '../../access/audit-trail.ts';
import type { ProblemCode } from '../../service/problem.ts';
import { authorizeAccount } from './guard.ts';
import type { HttpServer } from './server.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Of a route that is no GET and only asks. */
    changesNothing?: true;
  }
}

/** Longer bodies are recorded by their hash. */
const LONGEST_BODY = 2_000;

/** Must be called before routes are registered. Requests without a valid token are nobody's, and are not recorded. */
export function audit(app: HttpServer, trail: AuditTrail, codes: WeakMap<FastifyRequest, ProblemCode>): void {
  app.addHook('onSend', async (request, reply) => {
    const { principal, method, body, routeOptions } = request;
    const { action, changesNothing } = routeOptions.config;
    if (principal === null || action === undefined || method === 'GET' || method === 'HEAD' || changesNothing === true) return;
    const code = codes.get(request);
    await trail.record({
      time: new Date().toISOString(),
      who: principal.subject,
      keyId: principal.keyId,
      action,
      what: `${method} ${request.url.slice(0, 200)}`,
      ...(body !== undefined && body !== null && { body: shown(body) }),
      status: reply.statusCode,
      ...(code !== undefined && { code }),
    });
  });

  app.get('/admin/audit', { config: { action: 'audit.read' } }, async (request, reply) => {
    authorizeAccount(request, undefined);
    reply.header('content-type', 'application/x-ndjson; charset=utf-8');
    return await reply.send(await trail.read());
  });
}

function shown(body: unknown): unknown {
  const text = JSON.stringify(body);
  return text.length <= LONGEST_BODY ? body : { bytes: Buffer.byteLength(text), sha256: createHash('sha256').update(text).digest('hex') };
}
