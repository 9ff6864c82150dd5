/** The configuration that an engine runs with: its file, over which stand the environment and the flags, within what the profile allows. */
import { engineConfigSchema, type EngineConfig } from '../../crds/engine-config.ts';
import { ConfigError, DEFAULT_CONFIG, loadConfig } from './config.ts';

export const PROFILES = ['development', 'production'] as const;
export type Profile = (typeof PROFILES)[number];

/** Keys of the file that the environment and flags can set, as text. */
export interface Overrides {
  readonly durability?: string | undefined;
  readonly logLevel?: string | undefined;
  /** Files of `tls`. */
  readonly tls?: { readonly [Key in 'certFile' | 'keyFile' | 'clientCaFile']: string | undefined } | undefined;
}

/** Throws ConfigError. Without a file it is the embedded one. */
export function effectiveConfig(file: string | undefined, profile: Profile, overrides: Overrides): EngineConfig {
  if (file === undefined && profile === 'production')
    throw new ConfigError('--profile production: trades no embedded configuration: give one with --config or HFT_CONFIG');
  const config = file === undefined ? DEFAULT_CONFIG : loadConfig(file);
  const { journal, observability } = engineConfigSchema.shape;
  const durability = chosen('durability', 'HFT_DURABILITY', journal.shape.durability.unwrap().options, overrides.durability);
  const logLevel = chosen('log-level', 'HFT_LOG_LEVEL', observability.shape.logLevel.unwrap().options, overrides.logLevel);
  const tls = tlsOf(config.tls, overrides.tls);
  const effective: EngineConfig = {
    ...config,
    ...(tls !== undefined && { tls }),
    journal: { ...config.journal, ...(durability !== undefined && { durability }) },
    observability: { ...config.observability, ...(logLevel !== undefined && { logLevel }) },
  };
  if (profile === 'production' && effective.journal.durability === 'memory')
    throw new ConfigError('journal.durability: memory keeps no order and is refused by --profile production: set commit or disk');
  return effective;
}

/** A flag names a file in place of the one of the configuration, and all may be named by flags. */
function tlsOf(
  of: EngineConfig['tls'],
  { certFile, keyFile, clientCaFile }: NonNullable<Overrides['tls']> = NO_FILES,
): EngineConfig['tls'] {
  const cert = certFile ?? of?.certFile;
  const key = keyFile ?? of?.keyFile;
  const ca = clientCaFile ?? of?.clientCaFile;
  if (cert === undefined && key === undefined && ca === undefined) return of;
  if (cert === undefined || key === undefined)
    throw new ConfigError(
      `--tls-${cert === undefined ? 'cert' : 'key'}: missing: TLS needs the certificate (--tls-cert, HFT_TLS_CERT) and its key (--tls-key, HFT_TLS_KEY)`,
    );
  return { ...of, certFile: cert, keyFile: key, ...(ca !== undefined && { clientCaFile: ca }) };
}

const NO_FILES = { certFile: undefined, keyFile: undefined, clientCaFile: undefined };

function chosen<Choice extends string>(
  flag: string,
  variable: string,
  choices: readonly Choice[],
  value: string | undefined,
): Choice | undefined {
  if (value === undefined) return undefined;
  const found = choices.find((choice) => choice === value);
  if (found === undefined) throw new ConfigError(`--${flag} (${variable}): must be one of ${choices.join(', ')}, found "${value}"`);
  return found;
}
