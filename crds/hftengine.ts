/**
 * The HFTEngine API, `hftengine.io/v1alpha1`. This file is its one source: the TypeScript types, the defaults, the CRD's schema with its
 * CEL rules, the reference table in `docs/` and the engine's own configuration are all derived from it.
 *
 * Everything that the API server can refuse by itself is refused by it: bounds and patterns here, relations between fields as CEL rules
 * (`x-kubernetes-validations`), each with a message that says what to do. Strings and lists are bounded because the API server limits the
 * worst-case cost of a rule.
 */
import { z } from 'zod';
import { BYTES_PATTERN, CPU_PATTERN, DECIMAL_PATTERN, DURATION_PATTERN } from './quantity.ts';

export const GROUP = 'hftengine.io';
export const VERSION = 'v1alpha1';
export const KIND = 'HFTEngine';
export const PLURAL = 'hftengines';
export const API_VERSION = `${GROUP}/${VERSION}`;

/** One CEL rule of the CRD. `fieldPath` points at the field that the message is about, relative to the object that carries the rule. */
export interface CelRule {
  rule: string;
  message: string;
  fieldPath?: string;
}

/** Attaches CEL rules to a schema; the CRD generator copies them into the structural schema. */
function rules<T extends z.ZodType>(schema: T, ...validations: CelRule[]): T {
  return schema.meta({ ...schema.meta(), 'x-kubernetes-validations': validations });
}

const decimal = z.string().max(25).regex(DECIMAL_PATTERN);
const bytes = z.string().max(18).regex(BYTES_PATTERN);
const duration = z.string().max(36).regex(DURATION_PATTERN);

const positiveDecimal = (field: string, example: string): z.ZodString =>
  rules(decimal, { rule: "self.matches('[1-9]')", message: `${field} must be greater than zero, for example "${example}"` });

export const instrumentSchema = z
  .object({
    symbol: z
      .string()
      .min(1)
      .max(16)
      .regex(/^[A-Z0-9]+([._/-][A-Z0-9]+)*$/)
      .describe('Name of the instrument in orders, books and market data, for example BTC-USD.'),
    tickSize: positiveDecimal('tickSize', '0.01').describe('Smallest price step, as a decimal. Every price is a whole number of ticks.'),
    lotSize: positiveDecimal('lotSize', '0.0001').describe('Smallest quantity step, as a decimal. Every quantity is a whole number of lots.'),
  })
  .describe('An instrument that the engine trades.');

export const resourcesSchema = z
  .object({
    cpu: z
      .union([z.int().min(1).max(256), z.string().max(8).regex(CPU_PATTERN)])
      .default(1)
      .describe('CPUs of the engine, request and limit alike. A whole number gives steady latency; a fraction is throttled by the kernel.'),
    memory: bytes.default('1Gi').describe('Memory of the engine, request and limit alike. The V8 heap flags are worked out from it.'),
  })
  .describe('Resources of the engine container; requests always equal limits.');

export const runtimeSchema = z
  .object({
    heap: z
      .enum(['auto', 'explicit'])
      .default('auto')
      .describe('auto works the heap flags out from resources.memory; explicit takes oldSpaceMi and semiSpaceMi.'),
    oldSpaceMi: z.int().min(64).max(1_048_576).optional().describe('V8 old space in MiB, with heap: explicit.'),
    semiSpaceMi: z.int().min(1).max(1024).optional().describe('One V8 semi space in MiB, with heap: explicit; the young generation takes three.'),
  })
  .describe('How the JavaScript runtime of the engine is tuned.');

export const journalSchema = z
  .object({
    durability: z
      .enum(['memory', 'commit', 'disk'])
      .default('disk')
      .describe('What an acknowledged order survives: memory nothing, commit the death of the process, disk the loss of power.'),
    storage: bytes.default('1Gi').describe('Size of the volume that holds the journal. It can grow, not shrink.'),
    storageClassName: z.string().min(1).max(253).optional().describe('StorageClass of the volume; the default class of the cluster when absent.'),
  })
  .describe('Where and how surely orders are recorded.');

export const riskSchema = z
  .object({
    maxOrderQty: decimal.default('1000000').describe('Largest quantity of one order, as a decimal.'),
    maxNotional: decimal.default('1000000000').describe('Largest price times quantity of one order, as a decimal.'),
    priceBandPercent: z
      .int()
      .min(1)
      .max(100)
      .optional()
      .describe('Limit prices further than this from the last trade are refused. Absent: no band.'),
    killSwitch: z.boolean().default(false).describe('true refuses every new order; cancels are still accepted.'),
  })
  .describe('Checks that an order must pass before it is matched.');

export const limitsSchema = z
  .object({
    ordersPerSecond: z.int().min(1).max(10_000_000).default(10_000).describe('Sustained order rate of one account.'),
    burst: z.int().min(1).max(10_000_000).default(20_000).describe('Orders that one account may send at once before the rate applies.'),
  })
  .describe('Rate limits, a token bucket for each account.');

export const authSchema = z
  .object({
    rotateEvery: duration.default('24h').describe('Age at which the keys of the engine are replaced.'),
    overlap: duration.default('10m').describe('How long a replaced key stays valid.'),
  })
  .describe('Keys of the engine.');

export const sloSchema = z
  .object({
    matchP99Micros: z.int().min(1).max(1_000_000).default(100).describe('99th percentile of matching one order, in microseconds.'),
    gcPauseMs: z.int().min(1).max(10_000).default(10).describe('Longest garbage-collection pause, in milliseconds.'),
  })
  .describe('What a new revision must reach.');

export const rolloutSchema = z
  .object({
    autoRollback: z.boolean().default(true).describe('Go back to the last good revision when a new one misses its deadline or its SLO.'),
    progressDeadline: duration.default('120s').describe('Time that a new revision has to serve.'),
    slo: sloSchema.prefault({}),
  })
  .describe('How a change is brought to the running engine.');

export const alertsSchema = z
  .object({
    latencyMs: z.int().min(1).max(60_000).default(100).describe('Order latency that raises an alert, in milliseconds.'),
    errorRatePercent: z.int().min(1).max(100).default(1).describe('Share of failed requests that raises an alert, in percent.'),
  })
  .describe('Thresholds of the alerts.');

export const observabilitySchema = z
  .object({
    dashboard: z.boolean().default(true).describe('Serve the dashboard on the operations port.'),
    logLevel: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace']).default('info').describe('Verbosity of the engine log.'),
    alerts: alertsSchema.prefault({}),
  })
  .describe('What the engine shows of itself.');

/** Memory that V8 flags leave to code, stacks, SQLite and buffers, in MiB; see `charts/heap.ts` for the reasoning. */
export const NATIVE_RESERVE_MI = 96;

export const specSchema = rules(
  z.object({
    image: z
      .string()
      .min(1)
      .max(512)
      .regex(/^\S+$/)
      .default('hft-engine:dev')
      .describe('Image of the engine.'),
    imagePullPolicy: z.enum(['Always', 'IfNotPresent', 'Never']).default('IfNotPresent').describe('When the kubelet pulls the image.'),
    instruments: rules(
      z.array(instrumentSchema).min(1).max(64),
      {
        rule: 'self.all(i, self.exists_one(j, j.symbol == i.symbol))',
        message: 'each symbol may be listed once: remove the duplicate instrument',
      },
      {
        rule: 'oldSelf.all(o, !self.exists(n, n.symbol == o.symbol && (n.tickSize != o.tickSize || n.lotSize != o.lotSize)))',
        message: 'tickSize and lotSize of a listed instrument cannot change, resting orders are counted in them: list a new symbol instead',
      },
    ).describe('The instruments that the engine trades.'),
    resources: resourcesSchema.prefault({}),
    runtime: runtimeSchema.prefault({}),
    journal: rules(journalSchema.prefault({}), {
      rule: 'quantity(self.storage).compareTo(quantity(oldSelf.storage)) >= 0',
      message: 'a volume cannot shrink: keep storage at its present size or more',
      fieldPath: '.storage',
    }, {
      rule: "(has(self.storageClassName) ? self.storageClassName : '') == (has(oldSelf.storageClassName) ? oldSelf.storageClassName : '')",
      message: 'storageClassName cannot change: create a new HFTEngine on the other class',
      fieldPath: '.storageClassName',
    }),
    risk: riskSchema.prefault({}),
    limits: rules(limitsSchema.prefault({}), {
      rule: 'self.burst >= self.ordersPerSecond / 100',
      message: 'burst must allow at least 10 ms of orders: raise burst to ordersPerSecond / 100 or more',
      fieldPath: '.burst',
    }),
    auth: rules(authSchema.prefault({}), {
      rule: 'duration(self.overlap) < duration(self.rotateEvery)',
      message: 'overlap must be shorter than rotateEvery: lower overlap or raise rotateEvery',
      fieldPath: '.overlap',
    }),
    rollout: rolloutSchema.prefault({}),
    observability: observabilitySchema.prefault({}),
    deletionPolicy: z
      .enum(['Retain', 'Delete'])
      .default('Retain')
      .describe('What happens to the volume when the HFTEngine is deleted: Retain keeps the journal, Delete removes it.'),
  }),
  {
    rule: "self.runtime.heap != 'explicit' || (has(self.runtime.oldSpaceMi) && has(self.runtime.semiSpaceMi))",
    message: 'heap: explicit needs oldSpaceMi and semiSpaceMi: set both, or use heap: auto',
    fieldPath: '.runtime',
  },
  {
    rule: "self.runtime.heap != 'auto' || (!has(self.runtime.oldSpaceMi) && !has(self.runtime.semiSpaceMi))",
    message: 'oldSpaceMi and semiSpaceMi are read only with heap: explicit: remove them, or set heap: explicit',
    fieldPath: '.runtime',
  },
  {
    rule:
      "self.runtime.heap != 'explicit' || !has(self.runtime.oldSpaceMi) || !has(self.runtime.semiSpaceMi) || " +
      `quantity(string(self.runtime.oldSpaceMi + 3 * self.runtime.semiSpaceMi + ${NATIVE_RESERVE_MI}) + 'Mi').compareTo(quantity(self.resources.memory)) <= 0`,
    message: `the heap does not fit: oldSpaceMi + 3 x semiSpaceMi + ${NATIVE_RESERVE_MI} must be at most resources.memory; raise memory or lower the heap`,
    fieldPath: '.runtime',
  },
  {
    rule: "quantity(self.resources.memory).compareTo(quantity('256Mi')) >= 0",
    message: 'an engine needs 256Mi of memory or more: raise resources.memory',
    fieldPath: '.resources.memory',
  },
);

/** Condition types that the operator reports, in the order in which a person reads them. */
export const CONDITION_TYPES = ['Ready', 'Progressing', 'Degraded', 'ConfigApplied', 'WholeCPUs'] as const;

export const conditionSchema = z.object({
  type: z.string().max(316),
  status: z.enum(['True', 'False', 'Unknown']),
  observedGeneration: z.int().min(0).optional(),
  lastTransitionTime: z.iso.datetime({ offset: true }),
  reason: z.string().min(1).max(1024),
  message: z.string().max(32_768),
});

export const planSchema = z
  .object({
    class: z.enum(['none', 'create', 'restart', 'refused']).describe('The heaviest class among the changes.'),
    changes: z
      .array(
        z.object({
          class: z.enum(['create', 'restart', 'refused']),
          field: z.string().max(253).describe('What changes, as a path in the spec.'),
          reason: z.string().max(1024).describe('Why this class.'),
        }),
      )
      .max(64),
  })
  .describe('What the operator is about to do, or just did, to bring the running engine to the spec.');

export const statusSchema = z
  .object({
    observedGeneration: z.int().min(0).optional().describe('The generation of the spec that this status speaks of.'),
    conditions: z.array(conditionSchema).max(16).optional(),
    plan: planSchema.optional(),
    configHash: z.string().max(64).optional().describe('Hash of the configuration that the running engine reports.'),
    desiredConfigHash: z.string().max(64).optional().describe('Hash of the configuration that the spec asks for.'),
    heapFlags: z.array(z.string().max(64)).max(16).optional().describe('V8 flags that the running engine reports.'),
    sequence: z.int().min(0).optional().describe('Last sequence that the running engine reported durable.'),
    stateHash: z.string().max(64).optional().describe('State hash that the engine reported for its recovery.'),
    version: z.string().max(64).optional().describe('Version of the running engine.'),
    endpoints: z
      .object({ orders: z.string().max(512).optional(), operations: z.string().max(512).optional(), dashboard: z.string().max(512).optional() })
      .optional()
      .describe('Addresses inside the cluster.'),
    engines: z
      .array(
        z.object({
          pod: z.string().max(253),
          node: z.string().max(253).optional(),
          phase: z.string().max(64).describe('What the engine says of itself: recovering, warming, serving, draining; or unreachable.'),
          serving: z.boolean().describe('Whether the operator has opened the readiness gate.'),
          sequence: z.int().min(0).optional(),
          configHash: z.string().max(64).optional(),
        }),
      )
      .max(16)
      .optional()
      .describe('The engine pods.'),
  })
  .describe('What the operator has seen.');

export type HFTEngineSpec = z.output<typeof specSchema>;
export type HFTEngineSpecInput = z.input<typeof specSchema>;
export type HFTEngineStatus = z.output<typeof statusSchema>;
export type Condition = z.output<typeof conditionSchema>;
export type Plan = z.output<typeof planSchema>;
export type Instrument = z.output<typeof instrumentSchema>;

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
  },
];
