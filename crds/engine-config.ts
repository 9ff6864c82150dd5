/** The engine's own configuration: what of an HFTEngine the engine process reads, as one JSON file (the ConfigMap). */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import {
  authSchema,
  instrumentSchema,
  journalSchema,
  limitsSchema,
  observabilitySchema,
  riskSchema,
  volatilitySchema,
  type HFTEngineSpec,
} from './hftengine.ts';
import { protectionSchema } from './protection.ts';

const { retention, snapshotEvery } = journalSchema.shape;
const { ordersPerSecond, burst } = limitsSchema.shape;
/** What an engine does whose configuration does not name them. */
export const JOURNAL_DEFAULTS = { retention: retention.parse(undefined), snapshotEvery: snapshotEvery.parse(undefined) } as const;

const { requestsPerSecond, requestBurst } = limitsSchema.shape;
export const LIMITS_DEFAULTS = {
  requestsPerSecond: requestsPerSecond.parse(undefined),
  requestBurst: requestBurst.parse(undefined),
} as const;
/** Keys that a running engine takes over when they change, with everything below them. All others need a restart. */
export const hotKeys = z.registry();
function hot<Schema extends z.ZodType>(schema: Schema): Schema {
  hotKeys.add(schema);
  return schema;
}

const filePath = z.string().min(1).max(4096);
const tlsFilesSchema = z
  .strictObject({
    certFile: filePath.describe('Certificate of the server and its chain, in PEM.'),
    keyFile: filePath.describe('Private key of it, in PEM.'),
    clientCaFile: filePath.optional().describe('Authorities whose client certificates are accepted, in PEM.'),
    clientAuth: z
      .enum(['none', 'request', 'require'])
      .optional()
      .describe('Whether clients show a certificate: request verifies one that is shown. Default: require with a clientCaFile, else none.'),
  })
  .describe('TLS on every port of orders and market data. Files only, read again when they change; absent: no TLS.');
export type TlsFilesConfig = z.output<typeof tlsFilesSchema>;

/** Where a pod has its certificate, and the authorities of its clients. */
export const TLS_FILES = { certFile: '/etc/hft-engine-tls/tls.crt', keyFile: '/etc/hft-engine-tls/tls.key' } as const;
export const CLIENT_CA_FILE = '/etc/hft-engine-client-ca/ca.crt';

export const engineConfigSchema = z.strictObject({
  engine: z.string().min(1).max(40).describe('Name of the engine, in logs and metrics.'),
  instruments: z.array(z.strictObject(instrumentSchema.shape)).min(1).max(64),
  // Without their defaults: the configuration of a resource that does not name them stays as it was before there were any, so that neither an
  // older engine is given a key that it does not know nor a newer operator restarts it.
  journal: z.strictObject({
    durability: journalSchema.shape.durability,
    retention: retention.unwrap().optional(),
    snapshotEvery: snapshotEvery.unwrap().optional(),
  }),
  risk: hot(z.strictObject({ ...riskSchema.shape, volatility: z.strictObject(volatilitySchema.shape).optional() })),
  limits: z.strictObject({
    ...limitsSchema.shape,
    ordersPerSecond: hot(ordersPerSecond),
    burst: hot(burst),
    requestsPerSecond: hot(requestsPerSecond.unwrap().optional()),
    requestBurst: hot(requestBurst.unwrap().optional()),
  }),
  protection: hot(
    protectionSchema.optional().describe('Circuit breakers, load shedding, and what one address or user may hold: docs/operations.md.'),
  ),
  auth: z.strictObject({ allowedOrigins: authSchema.shape.allowedOrigins }).optional(),
  tls: tlsFilesSchema.optional(),
  observability: z.strictObject({ dashboard: observabilitySchema.shape.dashboard, logLevel: hot(observabilitySchema.shape.logLevel) }),
});
export type EngineConfig = z.output<typeof engineConfigSchema>;

/** The configuration that an engine named `name` runs with under `spec`. Pure. */
export function engineConfigOf(name: string, spec: HFTEngineSpec): EngineConfig {
  const { journal, limits, auth, tls } = spec;
  return {
    engine: name,
    instruments: spec.instruments.map(({ symbol, tickSize, lotSize }) => ({ symbol, tickSize, lotSize })),
    journal: {
      durability: journal.durability,
      ...(journal.retention !== JOURNAL_DEFAULTS.retention && { retention: journal.retention }),
      ...(journal.snapshotEvery !== JOURNAL_DEFAULTS.snapshotEvery && { snapshotEvery: journal.snapshotEvery }),
    },
    risk: { ...spec.risk },
    limits: {
      ordersPerSecond: limits.ordersPerSecond,
      burst: limits.burst,
      ...(limits.requestsPerSecond !== LIMITS_DEFAULTS.requestsPerSecond && { requestsPerSecond: limits.requestsPerSecond }),
      ...(limits.requestBurst !== LIMITS_DEFAULTS.requestBurst && { requestBurst: limits.requestBurst }),
    },
    ...(auth.allowedOrigins.length > 0 && { auth: { allowedOrigins: auth.allowedOrigins } }),
    ...(tls !== undefined && {
      tls: { ...TLS_FILES, ...(tls.clientAuth !== 'none' && { clientCaFile: CLIENT_CA_FILE, clientAuth: tls.clientAuth }) },
    }),
    observability: { dashboard: spec.observability.dashboard, logLevel: spec.observability.logLevel },
  };
}

/** JSON with the keys of every object sorted, so that equal values give equal text. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, child: unknown) =>
    child !== null && typeof child === 'object' && !Array.isArray(child)
      ? Object.fromEntries(Object.entries(child).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
      : child,
  );
}

/** Sixteen hex digits that name a configuration: operator and engine compute it apart and compare. */
export function configHash(config: EngineConfig): string {
  return createHash('sha256').update(canonicalJson(config)).digest('hex').slice(0, 16);
}
