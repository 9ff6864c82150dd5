/** The dashboard: one self-contained page that polls one JSON endpoint. Read-only figures, so no token. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { BUY, SELL } from '../core/types.ts';
import type { HttpServer } from '../gateway/http/server.ts';
import type { Engine } from '../service/engine.ts';

export function registerDashboard(app: HttpServer, engine: Engine): void {
  const page = readFileSync(new URL('./dashboard.html', import.meta.url), 'utf8');
  // Only this page's own inline script and style run; nothing is loaded from anywhere else.
  const policy = `default-src 'none'; script-src ${inlineHash(page, 'script')}; style-src ${inlineHash(page, 'style')}; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

  const open = { config: { action: 'open' } } as const;

  app.get('/dashboard', open, (_request, reply) =>
    reply
      .header('content-type', 'text/html; charset=utf-8')
      .header('content-security-policy', policy)
      .header('referrer-policy', 'no-referrer')
      .header('cache-control', 'no-cache')
      .send(page),
  );
  app.get('/', open, (_request, reply) => reply.redirect('/dashboard'));

  app.get('/dashboard/data', open, (_request, reply) => {
    const { stats } = engine;
    return reply.header('cache-control', 'no-store').send({
      engine: engine.config.engine,
      phase: engine.phase,
      blocked: engine.blocked !== undefined,
      refusing: engine.admission.refusing ?? null,
      durability: engine.config.journal.durability,
      sequence: engine.sequence,
      openOrders: engine.openOrders,
      ordersAccepted: stats.ordersAccepted,
      ordersRejected: stats.ordersRejected,
      fills: stats.fills,
      second: stats.lastSecond() ?? null,
      latency: stats.orderPercentiles(),
      uptimeSeconds: Math.floor(process.uptime()),
      instruments: engine.booksNow().map(({ symbol, instrument, book }) => {
        const price = (ticks: number): string | null => (ticks === 0 ? null : instrument.tick.format(ticks));
        return {
          symbol,
          bid: price(book.bestTicks(BUY)),
          ask: price(book.bestTicks(SELL)),
          last: price(book.lastTradeTicks),
          openOrders: book.openOrders,
        };
      }),
    });
  });
}

function inlineHash(page: string, tag: 'script' | 'style'): string {
  const content = new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`).exec(page)?.[1] ?? '';
  return `'sha256-${createHash('sha256').update(content).digest('base64')}'`;
}
