/** The server below Fastify with TLS: Fastify's own way to one knows neither another certificate later nor who speaks plain HTTP to it. */
import type { RequestListener, Server } from 'node:http';
import { createServer } from 'node:https';
import type { Certificates } from '../../access/tls.ts';
import { tlsOnly } from '../../access/tls-only.ts';
import { Problem } from '../../service/problem.ts';
import { brokenHttpAnswer } from './broken-answer.ts';

/** Of connections, with TLS and without. */
export const TIMEOUTS = {
  /** To receive a whole request, headers and body: byte-at-a-time clients end here. */
  requestTimeout: 10_000,
  /** Of a connection on which nothing at all moves. */
  connectionTimeout: 120_000,
  keepAliveTimeout: 75_000,
} as const;
export const HTTP_OPTIONS = { headersTimeout: 5000, maxHeaderSize: 16_384, connectionsCheckingInterval: 2000 } as const;

export class SecureServer {
  readonly #certificates: Certificates;
  #cut: (() => void) | undefined;

  constructor(certificates: Certificates) {
    this.#certificates = certificates;
  }

  /** With the limits as well: Fastify sets none of a server that it is given. */
  readonly create = (handler: RequestListener): Server => {
    const server = createServer({ ...HTTP_OPTIONS, ...this.#certificates.options(['http/1.1']) }, handler);
    server.keepAliveTimeout = TIMEOUTS.keepAliveTimeout;
    server.requestTimeout = TIMEOUTS.requestTimeout;
    server.setTimeout(TIMEOUTS.connectionTimeout);
    this.#certificates.serve(server);
    this.#cut = tlsOnly(server, brokenHttpAnswer(new Problem('HFT_TLS_REQUIRED', 'this port speaks TLS: use https:// or wss://')));
    return server;
  };

  /** Ends the connections that have said nothing yet: closing would wait for them. */
  readonly cutSilent = async (): Promise<void> => {
    await Promise.resolve(this.#cut?.());
  };
}
