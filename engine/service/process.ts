/** The engine as a process: both servers up before recovery, drain on a signal, fail-stop on a fault. */
import { setTimeout as delay } from 'node:timers/promises';
import { LIMITS_DEFAULTS, type EngineConfig } from '../../crds/engine-config.ts';
import { protectionOf } from '../../crds/protection.ts';
import { Access } from '../access/access.ts';
import { AuditTrail } from '../access/audit-trail.ts';
import { Certificates } from '../access/tls.ts';
import { createGrpcServer } from '../gateway/grpc/server.ts';
import { createApiServer } from '../gateway/http/api.ts';
import type { HttpServer } from '../gateway/http/server.ts';
import { RateLimiter } from '../gateway/rate-limit.ts';
import { registerWebSocket } from '../gateway/websocket/gateway.ts';
import { MarketData } from '../marketdata/market-data.ts';
import { ConnectionBound } from '../protection/addresses.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { createOpsServer } from '../telemetry/ops-server.ts';
import { RuntimeWatch } from '../telemetry/runtime-watch.ts';
import { EngineStats } from '../telemetry/stats.ts';
import { Engine, type EngineLog } from './engine.ts';
import { OrderEntry } from './order-entry.ts';

export interface RunningEngine {
  readonly engine: Engine;
  readonly port: number;
  readonly opsPort: number;
  readonly grpcPort: number;
  /** 0 when there is no market data. */
  readonly marketDataPort: number;
  readonly marketDataGrpcPort: number;
  readonly log: EngineLog;
  /** Resolves when it serves; rejects when it refuses to start. */
  readonly started: Promise<void>;
  /** Refuses new commands, answers those in flight, makes everything durable, closes. Bounded in time; a second call waits for the first. */
  stop(): Promise<void>;
}

/** Connections that have not ended by then are cut. */
const CLOSE_TIMEOUT_MS = 5000;
const LINGER_MS = 200;
const IDLE_CHECK_MS = 25;

/** Listens on all ports, then recovers. Rejects when a port cannot be had. */
export async function runEngine(options: {
  config: EngineConfig;
  dataDirectory: string;
  host: string;
  port: number;
  opsPort: number;
  grpcPort: number;
  /** undefined for no market data. */
  marketDataPort?: number | undefined;
  marketDataGrpcPort?: number | undefined;
  adminToken: string;
  /** Keys that tokens are signed with, in JWKS form. */
  keysFile: string;
  /** Whether /docs has a console beside the document; default true. */
  consoleAtDocs?: boolean;
  /** See EngineParts. */
  acceptLossAfter?: number | undefined;
  onFatal: (cause: unknown) => void;
}): Promise<RunningEngine> {
  const stats = new EngineStats();
  const logs: { target: EngineLog | undefined } = { target: undefined };
  const log: EngineLog = {
    info: (details, message) => logs.target?.info(details, message),
    warn: (details, message) => logs.target?.warn(details, message),
    error: (details, message) => logs.target?.error(details, message),
  };
  const { config, dataDirectory, acceptLossAfter, onFatal } = options;
  const trail = new AuditTrail({ dataDirectory, log });
  const onRecovered = async (): Promise<void> => await trail.prepare();
  const certificates = config.tls === undefined ? undefined : new Certificates(config.tls, { dataDirectory, log });
  const engine = new Engine({ config, dataDirectory, acceptLossAfter, stats, log, onFatal, certificates, onRecovered });
  const access = new Access({
    engine: config.engine,
    keysFile: options.keysFile,
    dataDirectory,
    adminToken: options.adminToken,
    requestLimits: requestLimitsOf(config),
    failedTokens: failedTokensOf(config),
    log,
  });
  const marketData =
    options.marketDataPort === undefined
      ? undefined
      : new MarketData(
          {
            engine: config.engine,
            keysFile: options.keysFile,
            dataDirectory,
            tls: config.tls,
            bounds: protectionOf(config.protection),
            log,
          },
          options.marketDataGrpcPort,
        );
  const metrics = createMetrics(engine, access, trail, { marketData: marketData?.figures, certificates });
  const watch = new RuntimeWatch();
  // One account has one rate, whichever way its orders come in.
  const limiter = new RateLimiter(config.limits);
  engine.live.onChange((changed) => {
    limiter.configure(changed.limits);
    access.configure(requestLimitsOf(changed));
    access.failedTokens.configure(failedTokensOf(changed));
    marketData?.configure(protectionOf(changed.protection));
  });
  const entry = new OrderEntry({ engine, limiter, stats, admission: engine.admission });
  engine.answersFill = () => entry.fill;
  const api = await createApiServer(engine, metrics, access, { limiter, consoleAtDocs: options.consoleAtDocs ?? true, certificates });
  registerWebSocket(api, { engine, entry, gatekeeper: access.gatekeeper, requests: access });
  const ops = createOpsServer(engine, metrics, watch, access, trail);
  const grpc = createGrpcServer({ engine, access, log, limiter, entry, certificates });
  for (const app of [api, ops]) new ConnectionBound(() => engine.admission.settings.connectionsPerAddress).watch(app.server);
  logs.target = api.log;
  if (certificates?.failure !== undefined)
    log.warn({ reason: certificates.failure }, 'the certificate is served although clients will refuse it');
  engine.live.onChange(({ observability }) => {
    for (const app of [api, ops]) app.log.level = observability.logLevel;
  });
  let grpcPort = 0;
  let marketDataPort = 0;
  try {
    await listen(ops, options.host, options.opsPort, '--ops-port');
    await listen(api, options.host, options.port, '--port');
    grpcPort = await onHost(options.host, options.grpcPort, '--grpc-port', grpc.listen);
    if (marketData !== undefined)
      marketDataPort = await onHost(
        options.host,
        options.marketDataPort ?? 0,
        '--market-data-port or --market-data-grpc-port',
        marketData.listen,
      );
  } catch (cause) {
    watch.stop();
    access.stop();
    certificates?.stop();
    await Promise.all([api.close(), ops.close(), grpc.close(0), marketData?.close()]);
    throw cause;
  }
  let stopped: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    engine.drain();
    // Clients that are connected hear 503 and that the connection ends, rather than find it cut under their next order.
    await delay(LINGER_MS);
    // Orders in flight are answered before their server closes; the operations port tells of the drain until the end.
    await Promise.all([closeServer(api), grpc.close(CLOSE_TIMEOUT_MS)]);
    // It has told what was answered by then, and reads the journal no more when that closes.
    await marketData?.close();
    await engine.close();
    await closeServer(ops);
    await trail.close();
    watch.stop();
    access.stop();
    certificates?.stop();
  };
  return {
    engine,
    port: portOf(api),
    opsPort: portOf(ops),
    grpcPort,
    marketDataPort,
    marketDataGrpcPort: marketData?.grpcPort ?? 0,
    log,
    started: engine.start().then(() => serveMarketData(engine, marketData)),
    stop: () => (stopped ??= stop()),
  };
}

/** Instruments by their id: what the journal knows, listed or not. */
function serveMarketData(engine: Engine, marketData: MarketData | undefined): void {
  if (marketData === undefined || !engine.serving) return;
  marketData.serve(engine.market.instruments.map(({ symbol, tick, lot }) => ({ symbol, tickSize: tick.text, lotSize: lot.text })));
}

function failedTokensOf({ protection }: EngineConfig): { perSecond: number; burst: number } {
  const { failedTokensPerSecond: perSecond, failedTokensBurst: burst } = protectionOf(protection);
  return { perSecond, burst };
}

/** Of one user. */
function requestLimitsOf({ limits }: EngineConfig): { perSecond: number; burst: number } {
  const { requestsPerSecond: perSecond, requestBurst: burst } = { ...LIMITS_DEFAULTS, ...limits };
  return { perSecond, burst };
}

/** The engine cannot listen where it was told to. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
  readonly code = 'HFT_PORT_UNAVAILABLE';
}

async function listen(app: HttpServer, host: string, port: number, flag: string): Promise<void> {
  await onHost(host, port, flag, async (address, number) => {
    await app.listen({ host: address, port: number, backlog: 1024, listenTextResolver: (at) => `listening on ${at}` });
  });
}

async function onHost<T>(host: string, port: number, flag: string, bind: (host: string, port: number) => Promise<T>): Promise<T> {
  try {
    return await bind(host, port);
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    // A machine without IPv6 has no dual-stack address to listen on.
    if (host === '::' && (code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL')) return await onHost('0.0.0.0', port, flag, bind);
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ListenError(`port ${port} cannot be listened on (${reason}): stop what uses it, or choose another with ${flag}`, { cause });
  }
}

function portOf(app: HttpServer): number {
  const address = app.server.address();
  if (address === null || typeof address === 'string') throw new RangeError('the server does not listen');
  return address.port;
}

async function closeServer(app: HttpServer): Promise<void> {
  const cut = setTimeout(() => app.server.closeAllConnections(), CLOSE_TIMEOUT_MS);
  // Keep-alive connections that were busy when closing began become idle later, and would be waited for.
  const idle = setInterval(() => app.server.closeIdleConnections(), IDLE_CHECK_MS);
  await app.close();
  clearInterval(idle);
  clearTimeout(cut);
}
