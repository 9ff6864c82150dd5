/**
 * The HFTEngine API, `hftengine.io/v1alpha1`. This file is its one source: the TypeScript types, the defaults, the CRD's schema with its
 * CEL rules, the reference table in `docs/` and the engine's own configuration are all derived from it.
 *
 * Everything that the API server can refuse by itself is refused by it: bounds and formats by field, relations between fields as CEL rules
 * (`x-kubernetes-validations`), each with a message that says what to do. Strings and lists are bounded because the API server limits the
 * worst-case cost of a rule.
 */
import { z } from 'zod';
import { bytes, cpu, duration, positiveDecimal, step } from './formats.ts';
import { DURATION_PATTERN, parseBytes, parseDecimalNanos, parseDurationMs } from './quantity.ts';
import { celPattern, rules, text, transitionRules, type CelRule } from './rules.ts';
import { statusSchema } from './status.ts';

export type { CelRule } from './rules.ts';
export * from './status.ts';

export const GROUP = 'hftengine.io';
export const VERSION = 'v1alpha1';
export const KIND = 'HFTEngine';
export const PLURAL = 'hftengines';
export const API_VERSION = `${GROUP}/${VERSION}`;

export const instrumentSchema = z
  .object({
    symbol: text({
      maxLength: 16,
      pattern: /^[A-Z0-9]+([._/-][A-Z0-9]+)*$/,
      message: 'symbol must be upper-case letters and digits, in parts joined by one of . _ / - (for example BTC-USD)',
    }).describe('Name of the instrument in orders, books and market data, for example BTC-USD.'),
    tickSize: step('tickSize', '0.01').describe('Smallest price step, as a decimal. Every price is a whole number of ticks.'),
    lotSize: step('lotSize', '0.0001').describe('Smallest quantity step, as a decimal. Every quantity is a whole number of lots.'),
  })
  .describe('An instrument that the engine trades.');

export const resourcesSchema = z
  .object({
    cpu: cpu
      .default(1)
      .describe(
        'CPUs of the engine, request and limit alike: a whole number, or text such as "0.5" or "500m". A whole number gives steady latency; a fraction is throttled by the kernel.',
      ),
    memory: bytes('memory', '256Mi', '4Ti', '1Gi')
      .default('1Gi')
      .describe('Memory of the engine, request and limit alike, from 256Mi to 4Ti. The V8 heap flags are worked out from it.'),
  })
  .describe('Resources of the engine container; requests always equal limits.');

export const runtimeSchema = z
  .object({
    heap: z
      .enum(['auto', 'explicit'])
      .default('auto')
      .describe('auto works the heap flags out from resources.memory; explicit takes oldSpaceMi and semiSpaceMi.'),
    oldSpaceMi: z.int().min(64).max(1_048_576).optional().describe('V8 old space in MiB, with heap: explicit.'),
    semiSpaceMi: z
      .int()
      .min(1)
      .max(1024)
      .optional()
      .describe(
        'One V8 semi space in MiB, with heap: explicit; a power of two, or the next lower one is taken. The young generation takes three.',
      ),
  })
  .describe('How the JavaScript runtime of the engine is tuned.');

export const journalSchema = z
  .object({
    durability: z
      .enum(['memory', 'commit', 'disk'])
      .default('disk')
      .describe('What an acknowledged order survives: memory nothing, commit the death of the process, disk the loss of power.'),
    storage: bytes('storage', '64Mi', '1024Ti', '10Gi')
      .default('1Gi')
      .describe('Size of the volume that holds the journal, from 64Mi to 1024Ti. It can grow, not shrink.'),
    storageClassName: text({
      maxLength: 253,
      pattern: /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/,
      message: 'storageClassName must be the name of a StorageClass (see `kubectl get storageclass`); leave it out for the default class',
    })
      .optional()
      .describe('StorageClass of the volume; the default class of the cluster when absent.'),
    retention: duration('retention', '1h', '8760h', '168h')
      .default('168h')
      .describe('Age from which commands that a snapshot covers may be removed from the journal, from 1h to 8760h.'),
    snapshotEvery: z
      .int()
      .min(1000)
      .max(1_000_000_000)
      .default(1_000_000)
      .describe('Commands after which a snapshot of the books is taken. A start replays about as many at most.'),
  })
  .describe('Where and how surely orders are recorded.');

export const volatilitySchema = z
  .object({
    bandPercent: z
      .int()
      .min(1)
      .max(100)
      .describe('A trade further than this from the reference price does not happen: it halts the instrument instead.'),
    window: duration('window', '1s', '24h', '5m')
      .default('5m')
      .describe('How long a reference price holds before the last trade takes its place, from 1s to 24h.'),
    halt: duration('halt', '1s', '24h', '1m').default('1m').describe('How long the instrument is halted, from 1s to 24h.'),
    auction: duration('auction', '1s', '24h', '30s')
      .optional()
      .describe('How long orders are gathered after the halt before an auction opens trading, from 1s to 24h. Absent: no auction.'),
  })
  .describe('When trading in an instrument is interrupted by itself. Absent: never.');

export const riskSchema = z
  .object({
    maxOrderQty: positiveDecimal('maxOrderQty', '100', { hint: '; to stop trading use killSwitch' })
      .default('1000000')
      .describe('Largest quantity of one order, as a decimal.'),
    maxNotional: positiveDecimal('maxNotional', '1000000', { hint: '; to stop trading use killSwitch' })
      .default('1000000000')
      .describe('Largest price times quantity of one order, as a decimal.'),
    priceBandPercent: z
      .int()
      .min(1)
      .max(100)
      .optional()
      .describe('Limit prices further than this from the last trade are refused. Absent: no band.'),
    maxPosition: positiveDecimal('maxPosition', '1000', { hint: '; to stop trading use killSwitch' })
      .optional()
      .describe('Largest position of an account in an instrument, long or short, if all its open orders were filled. Absent: no limit.'),
    maxOpenOrders: z
      .int()
      .min(1)
      .max(10_000_000)
      .optional()
      .describe('Most orders that one account may have resting or waiting, over all instruments. Absent: no limit.'),
    maxOpenNotional: positiveDecimal('maxOpenNotional', '5000000', { hint: '; to stop trading use killSwitch' })
      .optional()
      .describe('Largest sum of price times remaining quantity of the open orders of an account in an instrument. Absent: no limit.'),
    volatility: volatilitySchema.optional(),
    killSwitch: z
      .boolean()
      .default(false)
      .describe('true cancels every order that rests or waits and refuses new ones, until it is false again.'),
  })
  .describe('Checks that an order must pass before it is matched.');

export const limitsSchema = z
  .object({
    ordersPerSecond: z.int().min(1).max(10_000_000).default(10_000).describe('Sustained order rate of one account.'),
    burst: z.int().min(1).max(10_000_000).default(20_000).describe('Orders that one account may send at once before the rate applies.'),
    requestsPerSecond: z
      .int()
      .min(1)
      .max(10_000_000)
      .default(20_000)
      .describe('Sustained rate of requests of any kind of one user (the subject of its token).'),
    requestBurst: z
      .int()
      .min(1)
      .max(10_000_000)
      .default(40_000)
      .describe('Requests that one user may send at once before the rate applies.'),
  })
  .describe('Rate limits, a token bucket for each account and one for each user.');

export const authSchema = z
  .object({
    rotateEvery: duration('rotateEvery', '10s', '8760h', '24h')
      .default('24h')
      .describe('Age at which the key that signs tokens is replaced, from 10s to 8760h.'),
    overlap: duration('overlap', '1s', '8760h', '10m')
      .default('10m')
      .describe(
        'How long a replaced key, and with it the tokens that it signed, stays valid, from 1s; less than rotateEvery. At least the lifetime of your tokens.',
      ),
    allowedOrigins: z
      .array(
        text({
          maxLength: 200,
          pattern: /^https?:\/\/[A-Za-z0-9.-]+(:[0-9]{1,5})?$/,
          message: 'allowedOrigins must be origins such as https://desk.example: scheme, host and port, nothing behind them',
        }),
      )
      .max(32)
      .default([])
      .describe('Web pages (their origins, such as https://desk.example) whose scripts may call the order API. None by default.'),
  })
  .describe('Who may use the engine.');

const secretName = (field: string) =>
  text({
    maxLength: 253,
    pattern: /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/,
    message: `${field} must be the name of a Secret in the namespace of the HFTEngine`,
  });

export const tlsSchema = z
  .object({
    secretName: secretName('secretName').describe(
      'Secret with tls.crt and tls.key (type kubernetes.io/tls, such as cert-manager makes). A renewed one is taken over without a restart.',
    ),
    clientAuth: z
      .enum(['none', 'request', 'require'])
      .default('none')
      .describe('Whether clients show a certificate: request verifies one that is shown, require lets nobody in without.'),
    clientCaSecretName: secretName('clientCaSecretName')
      .optional()
      .describe('Secret whose ca.crt holds the authorities of the client certificates; absent: that of secretName.'),
  })
  .describe(
    'TLS on the order API (8080), gRPC (50051) and market data (8081, 50052). Absent: none. The operations port (9090) never has it.',
  );

export const sloSchema = z
  .object({
    matchP99Micros: z.int().min(1).max(1_000_000).default(100).describe('99th percentile of matching one order, in microseconds.'),
    gcPauseMs: z.int().min(1).max(10_000).default(10).describe('Longest garbage-collection pause, in milliseconds.'),
  })
  .describe('What a new revision must reach. Checked and kept, not acted on in this version.');

export const rolloutSchema = z
  .object({
    autoRollback: z
      .boolean()
      .default(true)
      .describe('Go back to the last good revision when a new one misses its deadline or its SLO. Kept, not acted on in this version.'),
    progressDeadline: duration('progressDeadline', '5s', '24h', '120s')
      .default('120s')
      .describe('Time that a new revision has to serve, from 5s to 24h.'),
    slo: sloSchema.prefault({}),
  })
  .describe('How a change is brought to the running engine.');

export const alertsSchema = z
  .object({
    latencyMs: z.int().min(1).max(60_000).default(100).describe('Order latency that raises an alert, in milliseconds.'),
    errorRatePercent: z.int().min(1).max(100).default(1).describe('Share of failed requests that raises an alert, in percent.'),
  })
  .describe('Thresholds of the alerts. Checked and kept, not acted on in this version.');

export const observabilitySchema = z
  .object({
    dashboard: z.boolean().default(true).describe('Serve the dashboard on the operations port.'),
    logLevel: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace']).default('info').describe('Verbosity of the engine log.'),
    alerts: alertsSchema.prefault({}),
  })
  .describe('What the engine shows of itself.');

/** Memory that V8 flags leave to code, stacks, SQLite and buffers, in MiB; see `charts/heap.ts` for the reasoning. */
export const NATIVE_RESERVE_MI = 96;

/** `cel`, unless the text in `field` is no quantity: the field's own rule says so then. */
const ifQuantities = (fields: readonly string[], cel: string): string =>
  [...fields.map((field) => `!isQuantity(${field})`), cel].join(' || ');

const instrumentsSchema = rules(
  z.array(
    transitionRules(
      instrumentSchema,
      ...(['tickSize', 'lotSize'] as const).map((field) => ({
        rule: `self.${field} == oldSelf.${field}`,
        message: `${field} of a listed instrument cannot change, resting orders are counted in it: list a new symbol instead`,
        fieldPath: `.${field}`,
      })),
    ),
  ),
  {
    rule: 'self.all(i, self.exists_one(j, j.symbol == i.symbol))',
    message: 'each symbol may be listed once: remove the duplicate instrument',
    holds: (instruments) => new Set(instruments.map(({ symbol }) => symbol)).size === instruments.length,
  },
)
  .min(1)
  .max(64)
  .describe('The instruments that the engine trades.')
  // A map by symbol: the API server then compares an instrument with its former self, and two appliers can each own some.
  .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['symbol'] });

const specObject = z
  .object({
    image: text({
      maxLength: 512,
      pattern: /^[A-Za-z0-9][A-Za-z0-9._:/@-]*$/,
      message: 'image must be an image reference, for example registry.example/hft-engine:1.0',
    })
      .default('hft-engine:dev')
      .describe('Image of the engine.'),
    imagePullPolicy: z.enum(['Always', 'IfNotPresent', 'Never']).default('IfNotPresent').describe('When the kubelet pulls the image.'),
    instruments: instrumentsSchema,
    resources: resourcesSchema.prefault({}),
    runtime: runtimeSchema.prefault({}),
    journal: transitionRules(
      journalSchema.prefault({}),
      {
        rule: ifQuantities(['self.storage', 'oldSelf.storage'], 'quantity(self.storage).compareTo(quantity(oldSelf.storage)) >= 0'),
        message: 'a volume cannot shrink: keep storage at its present size or more',
        fieldPath: '.storage',
      },
      {
        rule: "(has(self.storageClassName) ? self.storageClassName : '') == (has(oldSelf.storageClassName) ? oldSelf.storageClassName : '')",
        message: 'storageClassName cannot change: create a new HFTEngine on the other class',
        fieldPath: '.storageClassName',
      },
    ),
    risk: riskSchema.prefault({}),
    limits: rules(limitsSchema.prefault({}), {
      rule: 'self.burst >= self.ordersPerSecond / 100',
      message: 'burst must allow at least 10 ms of orders: raise burst to ordersPerSecond / 100 or more',
      fieldPath: '.burst',
      holds: ({ burst, ordersPerSecond }) => burst >= Math.floor(ordersPerSecond / 100),
    }),
    auth: rules(authSchema.prefault({}), {
      rule:
        ['overlap', 'rotateEvery'].map((field) => `!self.${field}.matches(${celPattern(DURATION_PATTERN)})`).join(' || ') +
        ' || duration(self.overlap) < duration(self.rotateEvery)',
      message: 'overlap must be shorter than rotateEvery: lower overlap or raise rotateEvery',
      fieldPath: '.overlap',
      holds: ({ overlap, rotateEvery }) => parseDurationMs(overlap) < parseDurationMs(rotateEvery),
    }),
    tls: rules(tlsSchema, {
      rule: "self.clientAuth != 'none' || !has(self.clientCaSecretName)",
      message:
        'clientCaSecretName is read only when clients are asked for a certificate: set clientAuth to request or require, or remove it',
      fieldPath: '.clientCaSecretName',
      holds: ({ clientAuth, clientCaSecretName }) => clientAuth !== 'none' || clientCaSecretName === undefined,
    }).optional(),
    rollout: rolloutSchema.prefault({}),
    observability: observabilitySchema.prefault({}),
    deletionPolicy: z
      .enum(['Retain', 'Delete'])
      .default('Retain')
      .describe('What happens to the volume when the HFTEngine is deleted: Retain keeps the journal, Delete removes it.'),
  })
  .describe('What the engine should be.');

export const specSchema = rules(
  specObject,
  {
    rule: "self.runtime.heap != 'explicit' || (has(self.runtime.oldSpaceMi) && has(self.runtime.semiSpaceMi))",
    message: 'heap: explicit needs oldSpaceMi and semiSpaceMi: set both, or use heap: auto',
    fieldPath: '.runtime',
    holds: ({ runtime }) => runtime.heap !== 'explicit' || (runtime.oldSpaceMi !== undefined && runtime.semiSpaceMi !== undefined),
  },
  {
    rule: "self.runtime.heap != 'auto' || (!has(self.runtime.oldSpaceMi) && !has(self.runtime.semiSpaceMi))",
    message: 'oldSpaceMi and semiSpaceMi are read only with heap: explicit: remove them, or set heap: explicit',
    fieldPath: '.runtime',
    holds: ({ runtime }) => runtime.heap !== 'auto' || (runtime.oldSpaceMi === undefined && runtime.semiSpaceMi === undefined),
  },
  {
    // In bytes: a quantity built from text of unknown length would break the cost limit of the API server.
    rule: ifQuantities(
      ['self.resources.memory'],
      "!quantity(self.resources.memory).isInteger() || self.runtime.heap != 'explicit' || " +
        '!has(self.runtime.oldSpaceMi) || !has(self.runtime.semiSpaceMi) || ' +
        `(self.runtime.oldSpaceMi + 3 * self.runtime.semiSpaceMi + ${NATIVE_RESERVE_MI}) * 1048576 <= quantity(self.resources.memory).asInteger()`,
    ),
    message: `the heap does not fit: oldSpaceMi + 3 x semiSpaceMi + ${NATIVE_RESERVE_MI} must be at most resources.memory; raise memory or lower the heap`,
    fieldPath: '.runtime',
    holds: ({ runtime: { heap, oldSpaceMi, semiSpaceMi }, resources: { memory } }) =>
      heap !== 'explicit' ||
      oldSpaceMi === undefined ||
      semiSpaceMi === undefined ||
      (oldSpaceMi + 3 * semiSpaceMi + NATIVE_RESERVE_MI) * 2 ** 20 <= parseBytes(memory),
  },
  {
    rule: ifQuantities(
      ['self.risk.maxOrderQty'],
      `self.instruments.all(i, ${ifQuantities(['i.lotSize'], 'quantity(i.lotSize).compareTo(quantity(self.risk.maxOrderQty)) <= 0')})`,
    ),
    message: 'maxOrderQty is smaller than the lotSize of an instrument, no order could pass: raise maxOrderQty',
    fieldPath: '.risk.maxOrderQty',
    holds: ({ instruments, risk: { maxOrderQty } }) =>
      instruments.every(({ lotSize }) => parseDecimalNanos(lotSize) <= parseDecimalNanos(maxOrderQty)),
  },
  {
    rule: `!has(self.risk.maxPosition) || ${ifQuantities(
      ['self.risk.maxPosition'],
      `self.instruments.all(i, ${ifQuantities(['i.lotSize'], 'quantity(i.lotSize).compareTo(quantity(self.risk.maxPosition)) <= 0')})`,
    )}`,
    message: 'maxPosition is smaller than the lotSize of an instrument, no order could pass: raise maxPosition, or remove it',
    fieldPath: '.risk.maxPosition',
    holds: ({ instruments, risk: { maxPosition } }) =>
      maxPosition === undefined || instruments.every(({ lotSize }) => parseDecimalNanos(lotSize) <= parseDecimalNanos(maxPosition)),
  },
);

export type HFTEngineSpec = z.output<typeof specSchema>;
export type HFTEngineSpecInput = z.input<typeof specSchema>;

/**
 * An HFTEngine as the API server stores it. Metadata is what the operator reads; other metadata is left alone.
 * The API server has already refused what this refuses: a failure here means an object from another version of the CRD.
 */
export const hftEngineSchema = z.object({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal(KIND),
  metadata: z.object({
    name: z.string(),
    namespace: z.string(),
    uid: z.string(),
    generation: z.int(),
    resourceVersion: z.string(),
    deletionTimestamp: z.coerce.string().optional(),
    finalizers: z.array(z.string()).optional(),
    annotations: z.record(z.string(), z.string()).optional(),
    labels: z.record(z.string(), z.string()).optional(),
  }),
  spec: specSchema,
  status: statusSchema.optional(),
});
export type HFTEngine = z.output<typeof hftEngineSchema>;

/** CEL rules on the whole object: the names of the children must fit into a Service name. */
export const OBJECT_RULES: readonly CelRule[] = [
  {
    rule: "size(self.metadata.name) <= 40 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
    message: 'metadata.name must be at most 40 lower-case letters, digits and dashes and start with a letter: Services are named after it',
    fieldPath: '.metadata.name',
  },
];
