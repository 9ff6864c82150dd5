/** What the engine process does: options, start, drain on a signal, and the reason whenever it ends by itself. */
import { writeFileSync } from 'node:fs';
import type { EngineConfig } from '../crds/engine-config.ts';
import { keyFileOf } from './access/key-file.ts';
import { adminToken } from './config/admin-token.ts';
import { ConfigError } from './config/config.ts';
import { effectiveConfig } from './config/effective.ts';
import { followConfig, textOf, type ConfigTaker } from './config/follow-config.ts';
import { DEFAULT_DATA, HELP, readOptions, type Options } from './config/options.ts';
import { VERSION } from './config/version.ts';
import { JournalError } from './journal/types.ts';
import { StartRefusal } from './service/engine.ts';
import { Problem } from './service/problem.ts';
import { ListenError, runEngine, type RunningEngine } from './service/process.ts';

const REFUSED = 2;
const FAILED = 1;
/** A drain that takes longer than this is a fault: the kubelet would kill the process soon after. */
const STOP_TIMEOUT_MS = 30_000;

let terminationLog = process.env['HFT_TERMINATION_LOG'];

/** Runs until `stopping` is aborted, with the signal's name as its reason: before the start has ended too. Ends the process itself. */
export async function main(stopping: AbortSignal): Promise<void> {
  process.on('uncaughtException', (cause) => end(cause));
  process.on('unhandledRejection', (cause) => end(cause));
  let options: Options;
  try {
    options = readOptions(process.argv.slice(2), process.env);
  } catch (cause) {
    end(cause);
  }
  terminationLog = options.terminationLog;
  if (options.help) process.stdout.write(HELP);
  else if (options.version) process.stdout.write(`${VERSION}\n`);
  else if (stopping.aborted) process.exit(0);
  else {
    const running = await run(options).catch((cause: unknown) => end(cause));
    stopOnSignal(running, stopping);
    await running.started.catch((cause: unknown) => end(cause));
    if (running.engine.serving) announce(running, options);
  }
}

async function run({
  configFile,
  profile,
  overrides,
  dataDirectory,
  host,
  port,
  opsPort,
  grpcPort,
  marketDataPort,
  marketDataGrpcPort,
  adminTokenFile,
  keysFile,
  acceptLossAfter,
}: Options): Promise<RunningEngine> {
  const text = configFile === undefined ? undefined : textOf(configFile);
  const load = (): EngineConfig => effectiveConfig(configFile, profile, overrides);
  const config = load();
  const { token } = adminToken(adminTokenFile, dataDirectory);
  const onFatal = (cause: unknown): never => end(cause, FAILED);
  const consoleAtDocs = profile === 'development';
  const running = await runEngine({
    config,
    dataDirectory,
    host,
    port,
    opsPort,
    grpcPort,
    marketDataPort,
    marketDataGrpcPort,
    adminToken: token,
    keysFile: keyFileOf(keysFile, dataDirectory),
    acceptLossAfter,
    consoleAtDocs,
    onFatal,
  });
  if (configFile !== undefined) followConfig(configFile, text, load, takerOf(running));
  return running;
}

/** A change that the engine cannot take over at this moment (it recovers, or stops) is tried again. */
function takerOf({ engine: { live } }: RunningEngine): ConfigTaker {
  return {
    apply: async (config) =>
      await live.apply(config).then(
        () => true,
        (cause: unknown) => {
          if (!(cause instanceof Problem)) throw cause;
          return cause.status !== 503;
        },
      ),
    refused: (reason) => live.refused(reason),
  };
}

function stopOnSignal(running: RunningEngine, stopping: AbortSignal): void {
  const stop = (): void => {
    running.log.info({ signal: stopping.reason }, 'stopping: new orders are refused, those taken are finished');
    setTimeout(() => end(new Error(`did not stop within ${STOP_TIMEOUT_MS} ms`)), STOP_TIMEOUT_MS).unref();
    running.stop().then(
      () => process.exit(0),
      (cause: unknown) => end(cause),
    );
  };
  if (stopping.aborted) stop();
  else stopping.addEventListener('abort', stop, { once: true });
}

/** Ends the process with the reason on standard error and in the termination log. Nothing is committed any more: what was acknowledged is durable. */
function end(cause: unknown, status?: number): never {
  const refused =
    cause instanceof ConfigError || cause instanceof JournalError || cause instanceof StartRefusal || cause instanceof ListenError;
  const message = cause instanceof Error ? cause.message : String(cause);
  const code = refused ? cause.code : 'HFT_INTERNAL';
  try {
    if (terminationLog !== undefined) writeFileSync(terminationLog, JSON.stringify({ code, message: message.slice(0, 3000) }));
  } catch {
    // The reason still goes to standard error.
  }
  process.stderr.write(
    refused ? `hft-engine: ${code}: ${message}\n` : `hft-engine: ${code}: ${cause instanceof Error ? (cause.stack ?? message) : message}\n`,
  );
  process.exit(status ?? (refused ? REFUSED : FAILED));
}

function announce(
  { engine, log, port, opsPort, grpcPort, marketDataPort, marketDataGrpcPort }: RunningEngine,
  { configFile, dataDirectory, adminTokenFile, keysFile }: Options,
): void {
  if (configFile !== undefined) {
    log.info({ version: VERSION, configHash: engine.configHash, port, opsPort, grpcPort, marketDataPort, marketDataGrpcPort }, 'serving');
    return;
  }
  const instruments = engine.market.instruments.filter(({ listed }) => listed);
  const [instrument] = instruments;
  const order = JSON.stringify({ symbol: instrument?.symbol, account: 'alice', side: 'buy', type: 'limit', price: '100', quantity: '1' });
  const { tls } = engine.config;
  const api = `${tls === undefined ? 'http' : 'https'}://localhost:${port}`;
  const trust = tls === undefined ? '' : ` --cacert ${tls.certFile}`;
  const tokenOptions = keysFile !== undefined ? ` --keys ${keysFile}` : dataDirectory === DEFAULT_DATA ? '' : ` --data ${dataDirectory}`;
  process.stdout.write(`
HFTEngine ${VERSION} is serving ${instruments.map(({ symbol }) => symbol).join(', ')} (durability ${engine.config.journal.durability}, data in ${dataDirectory}).

  API and its documentation   ${api}/docs
  gRPC                        localhost:${grpcPort}${tls === undefined ? '' : ' (TLS)'}
  Market data (WebSocket)     ${tls === undefined ? 'ws' : 'wss'}://localhost:${marketDataPort}/v1/market-data
  Market data (gRPC)          localhost:${marketDataGrpcPort}${tls === undefined ? '' : ' (TLS)'}
  Dashboard                   http://localhost:${opsPort}/dashboard
  Metrics                     ${api}/metrics
  Admin token                 ${adminTokenFile ?? `${dataDirectory}/admin-token`}

Make a token, kept in a file as the header that curl sends, and place an order:
  npm run --silent token -- --role trader${tokenOptions} --header > auth
  curl -s${trust} ${tls === undefined ? `localhost:${port}` : api}/v1/orders -H @auth -H 'content-type: application/json' -d '${order}'

Ctrl-C stops it; every acknowledged order is kept.
`);
}
