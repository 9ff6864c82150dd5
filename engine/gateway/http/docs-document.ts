/** `/docs/json`, as bytes that are made once: it is open to all, and making its 100 KB took a millisecond each time. */
import { createHash } from 'node:crypto';
import type { HttpServer } from './server.ts';

const PATH = '/docs/json';

/** Answers for the route of the console, too, which makes the document anew for each request. */
export function serveDocument(app: HttpServer, { hasRoute }: { hasRoute: boolean }): void {
  let made: { readonly body: Buffer; readonly etag: string } | undefined;
  const document = (): { readonly body: Buffer; readonly etag: string } => {
    if (made === undefined) {
      const body = Buffer.from(JSON.stringify(app.swagger()));
      made = { body, etag: `"${createHash('sha256').update(body).digest('base64url')}"` };
    }
    return made;
  };
  // Of this route alone: a hook of every request would be paid by orders.
  app.addHook('onRoute', (route) => {
    if (route.url !== PATH) return;
    route.handler = async (request, reply) => {
      const { body, etag } = document();
      reply.header('etag', etag);
      if (request.headers['if-none-match'] === etag) return await reply.code(304).send();
      return await reply.type('application/json; charset=utf-8').send(body);
    };
  });
  if (!hasRoute) app.get(PATH, { schema: { hide: true } }, (_request, reply) => reply);
}
