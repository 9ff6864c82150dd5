/** Command line and environment of the engine process. */
import { parseArgs } from 'node:util';
import { ConfigError } from './config.ts';
import { PROFILES, type Overrides, type Profile } from './effective.ts';

export interface Options {
  readonly help: boolean;
  readonly version: boolean;
  /** undefined: the embedded default. */
  readonly configFile: string | undefined;
  readonly profile: Profile;
  /** Keys of the configuration that stand over those of the file. */
  readonly overrides: Overrides;
  readonly dataDirectory: string;
  readonly host: string;
  readonly port: number;
  readonly opsPort: number;
  readonly grpcPort: number;
  readonly marketDataPort: number;
  readonly marketDataGrpcPort: number;
  /** undefined: one is made and kept in the data directory. */
  readonly adminTokenFile: string | undefined;
  /** undefined: keys are made and kept in the data directory. */
  readonly keysFile: string | undefined;
  readonly terminationLog: string | undefined;
  /** Last sequence to keep of a journal that is damaged behind it; undefined to lose nothing. */
  readonly acceptLossAfter: number | undefined;
}

export const HELP = `Usage: node engine/main.ts [options]

Runs one order-matching engine: HTTP order API with documentation, gRPC, journal, metrics and dashboard.
Without --config it trades BTC-USD and ETH-USD with an embedded configuration.

  --config FILE       engine configuration (JSON); followed when it  HFT_CONFIG
                      changes
  --profile NAME      development (default) or production: needs a   HFT_PROFILE
                      --config, refuses durability memory, serves no
                      console at /docs
  --durability NAME   in place of the file's journal.durability      HFT_DURABILITY
  --log-level NAME    in place of observability.logLevel             HFT_LOG_LEVEL
  --data DIR          journal, admin token and keys, default ./data  HFT_DATA
  --port N            orders, default 8080; 0 for any free port      HFT_PORT
  --ops-port N        operations, default 9090; 0 for any free port  HFT_OPS_PORT
  --grpc-port N       gRPC, default 50051; 0 for any free port       HFT_GRPC_PORT
  --market-data-port N                                               HFT_MARKET_DATA_PORT
                      market data (WebSocket), default 8081; 0 for any free port
  --market-data-grpc-port N                                          HFT_MARKET_DATA_GRPC_PORT
                      market data (gRPC), default 50052; 0 for any free port
  --host ADDRESS      address to listen on, default :: (all)         HFT_HOST
  --admin-token-file FILE                                            HFT_ADMIN_TOKEN_FILE
                      token of the admin calls; default DIR/admin-token, made at the first start
  --keys-file FILE    keys that tokens are signed with (JWKS)        HFT_KEYS_FILE
                      default DIR/keys.json, made at the first start; read again when it changes
  --tls-cert FILE     certificate and chain (PEM): the ports of     HFT_TLS_CERT
                      orders and gRPC then speak TLS
  --tls-key FILE      its private key (PEM)                          HFT_TLS_KEY
  --tls-client-ca FILE                                               HFT_TLS_CLIENT_CA
                      authorities of clients (PEM): a client must then show a certificate of theirs
                      all three are read again when they change
  --termination-log FILE                                             HFT_TERMINATION_LOG
                      where the reason is written when the engine refuses to start or fails
  --accept-loss-after SEQUENCE
                      once, after HFT_JOURNAL_CORRUPT said so: gives up what is damaged behind this sequence
  --version, --help

Flags win over the environment, the environment over the file. Exit status: 0 after SIGTERM or SIGINT, 2 when it refuses to start, 1 when it fails.
`;

export const DEFAULT_DATA = './data';

const FLAGS = {
  config: { type: 'string' },
  profile: { type: 'string' },
  durability: { type: 'string' },
  'log-level': { type: 'string' },
  data: { type: 'string' },
  port: { type: 'string' },
  'ops-port': { type: 'string' },
  'grpc-port': { type: 'string' },
  'market-data-port': { type: 'string' },
  'market-data-grpc-port': { type: 'string' },
  host: { type: 'string' },
  'admin-token-file': { type: 'string' },
  'keys-file': { type: 'string' },
  'tls-cert': { type: 'string' },
  'tls-key': { type: 'string' },
  'tls-client-ca': { type: 'string' },
  'termination-log': { type: 'string' },
  'accept-loss-after': { type: 'string' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean' },
} as const;

type PortFlag = 'port' | 'ops-port' | 'grpc-port' | 'market-data-port' | 'market-data-grpc-port';

/** Throws ConfigError naming the flag or variable. */
export function readOptions(args: readonly string[], environment: NodeJS.ProcessEnv): Options {
  const flags = parse(args);
  const text = (flag: keyof typeof FLAGS, variable: string): string | undefined => {
    const given = flags[flag];
    const value = typeof given === 'string' ? given : environment[variable];
    return value === undefined || value === '' ? undefined : value;
  };
  const port = (flag: PortFlag, variable: string, preset: number): number => {
    const value = text(flag, variable);
    if (value === undefined) return preset;
    if (!/^[0-9]{1,5}$/.test(value) || Number(value) > 65_535)
      throw new ConfigError(`--${flag} (${variable}): must be a port from 0 to 65535, found "${value}"`);
    return Number(value);
  };
  return {
    help: flags.help === true,
    version: flags.version === true,
    configFile: text('config', 'HFT_CONFIG'),
    profile: profileOf(text('profile', 'HFT_PROFILE')),
    overrides: {
      durability: text('durability', 'HFT_DURABILITY'),
      logLevel: text('log-level', 'HFT_LOG_LEVEL'),
      tls: {
        certFile: text('tls-cert', 'HFT_TLS_CERT'),
        keyFile: text('tls-key', 'HFT_TLS_KEY'),
        clientCaFile: text('tls-client-ca', 'HFT_TLS_CLIENT_CA'),
      },
    },
    dataDirectory: text('data', 'HFT_DATA') ?? DEFAULT_DATA,
    host: text('host', 'HFT_HOST') ?? '::',
    port: port('port', 'HFT_PORT', 8080),
    opsPort: port('ops-port', 'HFT_OPS_PORT', 9090),
    grpcPort: port('grpc-port', 'HFT_GRPC_PORT', 50_051),
    marketDataPort: port('market-data-port', 'HFT_MARKET_DATA_PORT', 8081),
    marketDataGrpcPort: port('market-data-grpc-port', 'HFT_MARKET_DATA_GRPC_PORT', 50_052),
    adminTokenFile: text('admin-token-file', 'HFT_ADMIN_TOKEN_FILE'),
    keysFile: text('keys-file', 'HFT_KEYS_FILE'),
    terminationLog: text('termination-log', 'HFT_TERMINATION_LOG'),
    acceptLossAfter: sequence(flags['accept-loss-after']),
  };
}

function profileOf(value = 'development'): Profile {
  const profile = PROFILES.find((known) => known === value);
  if (profile === undefined) throw new ConfigError(`--profile (HFT_PROFILE): must be ${PROFILES.join(' or ')}, found "${value}"`);
  return profile;
}

/** A flag only: an environment that stays would give up orders at every start. */
function sequence(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (/^[0-9]{1,16}$/.test(value) && Number.isSafeInteger(Number(value))) return Number(value);
  throw new ConfigError(`--accept-loss-after: must be the sequence that HFT_JOURNAL_CORRUPT named, found "${value}"`);
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: FLAGS, allowPositionals: false }).values;
  } catch (cause) {
    throw new ConfigError(`${cause instanceof Error ? cause.message : String(cause)}. Run with --help for the options`);
  }
}
