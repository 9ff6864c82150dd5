/** The status of an HFTEngine: written by the operator, read by people, `kubectl wait` and the next reconcile. */
import { z } from 'zod';

/** Condition types that the operator reports, in the order in which a person reads them. */
export const CONDITION_TYPES = ['Ready', 'Progressing', 'Degraded', 'ConfigApplied', 'WholeCPUs'] as const;

export const conditionSchema = z.object({
  type: z
    .string()
    .max(316)
    .describe(`Which question: ${CONDITION_TYPES.join(', ')}.`),
  status: z.enum(['True', 'False', 'Unknown']).describe('The answer.'),
  observedGeneration: z.int().min(0).optional().describe('The generation of the spec that the answer speaks of.'),
  lastTransitionTime: z.iso.datetime({ offset: true }).describe('When the answer last changed.'),
  reason: z.string().min(1).max(1024).describe('Why, as one word for programs.'),
  message: z.string().max(32_768).describe('Why, for people.'),
});

export const planSchema = z
  .object({
    class: z.enum(['none', 'create', 'restart', 'refused']).describe('The heaviest class among the changes.'),
    changes: z
      .array(
        z.object({
          class: z.enum(['create', 'restart', 'refused']).describe('What this change takes.'),
          field: z.string().max(253).describe('What changes, as a path in the spec.'),
          reason: z.string().max(1024).describe('Why this class.'),
        }),
      )
      .max(64)
      .describe('Each change, with its class.'),
  })
  .describe('What the operator is about to do, or just did, to bring the running engine to the spec.');

export const statusSchema = z
  .object({
    observedGeneration: z.int().min(0).optional().describe('The generation of the spec that this status speaks of.'),
    conditions: z
      .array(conditionSchema)
      .max(16)
      .optional()
      .describe('The answers to the standing questions about the engine, one entry a type.')
      .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] }),
    plan: planSchema.optional(),
    configHash: z.string().max(64).optional().describe('Hash of the configuration that the running engine reports.'),
    desiredConfigHash: z.string().max(64).optional().describe('Hash of the configuration that the spec asks for.'),
    heapFlags: z.array(z.string().max(64)).max(16).optional().describe('V8 flags that the running engine reports.'),
    sequence: z.int().min(0).optional().describe('Last sequence that the running engine reported durable.'),
    stateHash: z.string().max(64).optional().describe('State hash that the engine reported for its recovery.'),
    keys: z
      .object({
        signing: z.string().max(64).describe('Id of the key that signs tokens.'),
        nextRotation: z.iso.datetime({ offset: true }).describe('When another key signs.'),
        valid: z
          .array(
            z.object({
              id: z.string().max(64).describe('Id of the key (kid).'),
              from: z.iso.datetime({ offset: true }).optional().describe('When it begins to sign.'),
              until: z.iso.datetime({ offset: true }).optional().describe('When it is taken out.'),
            }),
          )
          .max(32)
          .describe('The keys whose tokens are good.'),
      })
      .optional()
      .describe('The keys of tokens, by their ids; what they are stands in the Secret alone.'),
    tls: z
      .object({ expiresAt: z.iso.datetime({ offset: true }).describe('When the certificate that the engine shows ends.') })
      .optional()
      .describe('TLS of the running engine, as it reports it.'),
    version: z.string().max(64).optional().describe('Version of the running engine.'),
    endpoints: z
      .object({
        orders: z.string().max(512).optional().describe('Where orders are taken.'),
        operations: z.string().max(512).optional().describe('Where health, metrics and administration are served.'),
        dashboard: z.string().max(512).optional().describe('Where the dashboard is served.'),
      })
      .optional()
      .describe('Addresses inside the cluster.'),
    engines: z
      .array(
        z.object({
          pod: z.string().max(253).describe('Name of the pod.'),
          node: z.string().max(253).optional().describe('Node that it runs on.'),
          phase: z.string().max(64).describe('What the engine says of itself: recovering, warming, serving, draining; or unreachable.'),
          serving: z.boolean().describe('Whether the operator has opened the readiness gate.'),
          sequence: z.int().min(0).optional().describe('Last sequence that this engine reported durable.'),
          configHash: z.string().max(64).optional().describe('Hash of the configuration that this engine reports.'),
        }),
      )
      .max(16)
      .optional()
      .describe('The engine pods.'),
  })
  .describe('What the operator has seen.');

export type HFTEngineStatus = z.output<typeof statusSchema>;
export type Plan = z.output<typeof planSchema>;
