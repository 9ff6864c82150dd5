/**
 * `/livez` (is the process worth keeping: point the kubelet's liveness probe here), `/healthz` (does it hear and see the cluster: bad while a watch is deaf, which a
 * restart would not cure), `/readyz` (may it be sent traffic), `/metrics`. Answers 200 or 503 with one line a check; `?verbose` lists the good ones too.
 */
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Registry } from 'prom-client';
import { errorText, silentLog } from './log.ts';
import type { Log } from './log.ts';

export type HealthResult = { readonly ok: true } | { readonly ok: false; readonly reason: string };
export type HealthCheck = () => HealthResult | Promise<HealthResult>;

const CHECK_TIMEOUT_MS = 1_000;

interface CheckOutcome {
  readonly name: string;
  readonly result: HealthResult;
}

export class HealthServer {
  readonly #registry: Registry;
  readonly #log: Log;
  readonly #checks = {
    '/livez': new Map<string, HealthCheck>(),
    '/healthz': new Map<string, HealthCheck>(),
    '/readyz': new Map<string, HealthCheck>(),
  };
  #server: Server | undefined;

  constructor(options: { registry: Registry; log?: Log }) {
    this.#registry = options.registry;
    this.#log = options.log ?? silentLog;
  }

  addLivez(name: string, check: HealthCheck): void {
    this.#checks['/livez'].set(name, check);
  }

  addHealthz(name: string, check: HealthCheck): void {
    this.#checks['/healthz'].set(name, check);
  }

  addReadyz(name: string, check: HealthCheck): void {
    this.#checks['/readyz'].set(name, check);
  }

  /** Listens; port 0 takes a free one. Rejects when the port is taken. */
  async listen(port: number, host = '0.0.0.0'): Promise<{ port: number }> {
    const server = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => {
        this.#log.error({ err: error }, 'health request failed');
        response.destroy();
      });
    });
    server.requestTimeout = 10_000;
    server.headersTimeout = 10_000;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, () => {
        server.off('error', reject);
        resolve();
      });
    });
    this.#server = server;
    const address = server.address();
    return { port: typeof address === 'object' && address !== null ? address.port : port };
  }

  async close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (!server) return;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://localhost');
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405, { allow: 'GET, HEAD' }).end('method not allowed\n');
    } else if (url.pathname === '/metrics') {
      response.writeHead(200, { 'content-type': this.#registry.contentType }).end(await this.#registry.metrics());
    } else if (url.pathname === '/livez' || url.pathname === '/healthz' || url.pathname === '/readyz') {
      const outcomes = await Promise.all([...this.#checks[url.pathname]].map(([name, check]) => runCheck(name, check)));
      const bad = outcomes.some(({ result }) => !result.ok);
      response
        .writeHead(bad ? 503 : 200, { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' })
        .end(describe(outcomes, bad, url.searchParams.has('verbose')));
    } else {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('not found: try /healthz, /readyz, /livez or /metrics\n');
    }
  }
}

async function runCheck(name: string, check: HealthCheck): Promise<CheckOutcome> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<HealthResult>((resolve) => {
    timer = setTimeout(() => resolve({ ok: false, reason: `the check did not answer within ${CHECK_TIMEOUT_MS} ms` }), CHECK_TIMEOUT_MS);
  });
  try {
    return { name, result: await Promise.race([Promise.resolve().then(check), late]) };
  } catch (error) {
    return { name, result: { ok: false, reason: errorText(error) } };
  } finally {
    clearTimeout(timer);
  }
}

function describe(outcomes: readonly CheckOutcome[], bad: boolean, verbose: boolean): string {
  if (!bad && !verbose) return 'ok\n';
  const lines = outcomes
    .filter(({ result }) => verbose || !result.ok)
    .map(({ name, result }) => (result.ok ? `[+] ${name} ok` : `[-] ${name} failed: ${result.reason}`));
  return `${[...lines, bad ? 'check failed' : 'check passed'].join('\n')}\n`;
}
