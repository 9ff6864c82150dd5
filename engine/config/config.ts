/** The engine's one configuration file: read, validated whole, and refused with the key, what was found there and what to do. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { engineConfigSchema, type EngineConfig } from '../../crds/engine-config.ts';
import { DecimalStep } from '../core/decimal.ts';
import { fieldPath, JsonFault, parseStrictJson, valueAt } from './strict-json.ts';

/** `message` has a line for each fault. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly code = 'HFT_CONFIG_INVALID';
}

/** What `npm start` runs with. */
export const DEFAULT_CONFIG: EngineConfig = {
  engine: 'local',
  instruments: [
    { symbol: 'BTC-USD', tickSize: '0.01', lotSize: '0.0001' },
    { symbol: 'ETH-USD', tickSize: '0.01', lotSize: '0.001' },
  ],
  journal: { durability: 'disk' },
  risk: { maxOrderQty: '1000000', maxNotional: '1000000000', killSwitch: false },
  limits: { ordersPerSecond: 100_000, burst: 200_000, requestsPerSecond: 200_000, requestBurst: 400_000 },
  observability: { dashboard: true, logLevel: 'info' },
};

/** Reads and validates the file. Throws ConfigError. */
export function loadConfig(file: string): EngineConfig {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ConfigError(`the configuration file ${file} cannot be read (${reason}): give its path with --config or HFT_CONFIG`);
  }
  let value: unknown;
  try {
    value = parseStrictJson(text);
  } catch (fault) {
    if (!(fault instanceof JsonFault)) throw fault;
    const at = fault.field === undefined ? '' : ` at ${fault.field}`;
    throw new ConfigError(`${file}: ${fault.kind !== 'syntax' ? fault.message : `no valid JSON${at}: ${fault.message}`}`);
  }
  const checked = validateConfig(value);
  if (!checked.ok) throw new ConfigError(checked.faults.map((fault) => `${file}: ${fault}`).join('\n'));
  return checked.config;
}

/** Validates a configuration; each fault reads `key: what is wrong, found X: what to do`. */
export function validateConfig(value: unknown): { ok: true; config: EngineConfig } | { ok: false; faults: string[] } {
  const parsed = engineConfigSchema.safeParse(value);
  if (!parsed.success) return { ok: false, faults: parsed.error.issues.map((issue) => describe(issue, value)) };
  const faults = meaningFaults(parsed.data);
  return faults.length > 0 ? { ok: false, faults } : { ok: true, config: parsed.data };
}

/** What the schema cannot say: relations between values. */
function meaningFaults(config: EngineConfig): string[] {
  const faults: string[] = [];
  const seen = new Map<string, number>();
  config.instruments.forEach((instrument, index) => {
    const first = seen.get(instrument.symbol);
    if (first !== undefined) {
      faults.push(`instruments[${index}].symbol: "${instrument.symbol}" is listed at instruments[${first}] already: remove one`);
    }
    seen.set(instrument.symbol, first ?? index);
    for (const key of ['tickSize', 'lotSize'] as const) {
      try {
        void new DecimalStep(instrument[key]);
      } catch {
        faults.push(
          `instruments[${index}].${key}: must be greater than zero with at most 15 digits, found "${instrument[key]}": write for example "0.01"`,
        );
      }
    }
  });
  const { tls } = config;
  if (tls?.clientAuth !== undefined && tls.clientAuth !== 'none' && tls.clientCaFile === undefined)
    faults.push(
      `tls.clientCaFile: missing, clientAuth ${tls.clientAuth} verifies client certificates by it: add it, or set clientAuth to none`,
    );
  return faults;
}

const MAX_SHOWN = 60;

function describe(issue: z.core.$ZodIssue, root: unknown): string {
  const key = fieldPath(issue.path) ?? '(the whole file)';
  if (issue.code === 'unrecognized_keys') {
    const names = issue.keys.map((name) => fieldPath([...issue.path, name])).join(', ');
    return `${names}: not a known key: remove it, or correct its spelling`;
  }
  const found = valueAt(root, issue.path);
  if (found === undefined) return `${key}: missing, ${issue.message.replace(/^Invalid input: /, '')}: add it`;
  const shown = JSON.stringify(found);
  return `${key}: ${issue.message}, found ${shown.length > MAX_SHOWN ? `${shown.slice(0, MAX_SHOWN)}…` : shown}: correct it`;
}
