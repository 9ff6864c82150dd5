/** One way in: the transport is what the address says. */
import { EngineClient, type EngineClientParts, type Transport } from './engine-client.ts';
import { EngineError } from './engine-error.ts';
import { GrpcWay } from './grpc-way.ts';
import { HttpWay } from './http-way.ts';
import type { OrderWay } from './order-way.ts';
import { OrderClient } from './orders.ts';
import { settle } from './settle.ts';
import { subscribeGrpc } from './subscribe-grpc.ts';
import { subscribeWebSocket } from './subscribe-websocket.ts';
import type { ClientTls } from './tls.ts';
import { Units } from './units.ts';
import { WebSocketWay } from './websocket-way.ts';

export interface ConnectOptions {
  /** `http://HOST:8080`, `ws://HOST:8080` or `grpc://HOST:50051`; `https`, `wss` and `grpcs` with TLS. */
  readonly url: string;
  /** Bearer token that says who sends (docs/security.md), or what gives one for each connection or call. Never logged. */
  readonly token: string | (() => string);
  /** With gRPC and WebSocket: where the orders port answers HTTP, for what they have no call for. Default: the same port, with gRPC 8080. */
  readonly httpUrl?: string;
  /** Where market data is: `ws://HOST:8081/v1/market-data` or `grpc://HOST:50052`. Default: those ports of the same host, gRPC with gRPC. */
  readonly marketDataUrl?: string;
  /** With `https`, `wss` and `grpcs`: whom to trust, and what to show. Default: the authorities that Node trusts. */
  readonly tls?: ClientTls;
  /**
   * How long a call is tried, from its turn on, and connecting: no further try is begun after it. One under way may take longer, each of its requests
   * up to half of it (over WebSocket: all of it). Default 10,000.
   */
  readonly timeoutMs?: number;
  /** Calls under way at most; further ones wait for their turn. Default 16 over HTTP, where each has a connection, else 1000. */
  readonly maxInFlight?: number;
}

const TRANSPORTS: Readonly<Record<string, { transport: Transport; http: 'http' | 'https' }>> = {
  'http:': { transport: 'http', http: 'http' },
  'https:': { transport: 'http', http: 'https' },
  'ws:': { transport: 'websocket', http: 'http' },
  'wss:': { transport: 'websocket', http: 'https' },
  'grpc:': { transport: 'grpc', http: 'http' },
  'grpcs:': { transport: 'grpc', http: 'https' },
};
const TIMEOUT_MS = 10_000;
const MOST_OVER_HTTP = 16;
const MOST_IN_FLIGHT = 1000;
/** Connections for what WebSocket and gRPC do not have. */
const SPARE_CONNECTIONS = 8;
const ORDERS_PORT = 8080;
const MARKET_DATA_PORT = 8081;
const MARKET_DATA_GRPC_PORT = 50_052;

/** Resolves when the engine has let the client in. Throws EngineError: also when no try within `timeoutMs` came to that. */
export async function connect(options: ConnectOptions): Promise<EngineClient> {
  const { url, token, timeoutMs = TIMEOUT_MS } = options;
  const at = new URL(url);
  const scheme = TRANSPORTS[at.protocol];
  if (scheme === undefined) throw new RangeError(`${url} has none of the schemes ${Object.keys(TRANSPORTS).join(' ')}`);
  const { transport } = scheme;
  const maxInFlight = options.maxInFlight ?? (transport === 'http' ? MOST_OVER_HTTP : MOST_IN_FLIGHT);
  const ordersPort = `${scheme.http}://${transport === 'grpc' ? `${at.hostname}:${ORDERS_PORT}` : at.host}`;
  const baseUrl = transport === 'http' ? ordersPort : (options.httpUrl ?? ordersPort);
  // One try may take half of the time, so that there is a second one when a connection has died silently.
  const connections = transport === 'http' ? maxInFlight : SPARE_CONNECTIONS;
  const http = new OrderClient({ baseUrl, token, timeoutMs: timeoutMs / 2, connections, ...tlsOf(new URL(baseUrl), options) });
  let way: OrderWay | undefined;
  try {
    way = await wayOf(transport, at, { token, timeoutMs, maxInFlight, ...tlsOf(at, options) }, http);
    const client = new EngineClient({ transport, way, http, subscribe: subscriber(options, at, transport), timeoutMs, maxInFlight });
    // Also says whether the token is taken.
    await client.instruments();
    return client;
  } catch (cause) {
    await Promise.all([way?.close(), http.close()]);
    throw cause;
  }
}

const SECURE: ReadonlySet<string> = new Set(['https:', 'wss:', 'grpcs:']);

function tlsOf({ protocol }: URL, { tls = {} }: ConnectOptions): { tls?: ClientTls } {
  return SECURE.has(protocol) ? { tls } : {};
}

function subscriber(options: ConnectOptions, at: URL, transport: Transport): EngineClientParts['subscribe'] {
  const { token, marketDataUrl, timeoutMs = TIMEOUT_MS } = options;
  const secure = SECURE.has(at.protocol);
  const usual =
    transport === 'grpc'
      ? `grpc${secure ? 's' : ''}://${at.hostname}:${MARKET_DATA_GRPC_PORT}`
      : `ws${secure ? 's' : ''}://${at.hostname}:${MARKET_DATA_PORT}`;
  const url = new URL(marketDataUrl ?? usual);
  return async (instruments, request) => {
    const units = instruments.map((instrument) => new Units(instrument));
    const tls = tlsOf(url, options);
    if (url.protocol === 'grpc:' || url.protocol === 'grpcs:')
      return await subscribeGrpc({ address: url.host, token, timeoutMs, ...tls }, units, request);
    if (url.pathname === '/') url.pathname = '/v1/market-data';
    return await subscribeWebSocket({ url: url.href, token, timeoutMs, ...tls }, units, request);
  };
}

async function wayOf(
  transport: Transport,
  at: URL,
  { maxInFlight, ...common }: { token: string | (() => string); timeoutMs: number; maxInFlight: number; tls?: ClientTls },
  http: OrderClient,
): Promise<OrderWay> {
  if (transport === 'http') return new HttpWay(http);
  if (transport === 'grpc') {
    if (at.port === '')
      throw new EngineError({ code: 'HFT_CLIENT_UNSUPPORTED', status: 0, message: `${at.href} names no port`, field: 'url' });
    return new GrpcWay({ ...common, address: at.host, timeoutMs: common.timeoutMs / 2 });
  }
  const url = new URL(at);
  if (url.pathname === '/') url.pathname = '/v1/ws';
  const options = { ...common, url: url.href, mostInFlight: maxInFlight };
  return await settle(async () => await WebSocketWay.connect(options, http), {
    deadlineMs: performance.now() + common.timeoutMs,
    signal: undefined,
  });
}
