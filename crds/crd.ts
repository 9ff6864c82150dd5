/** The CustomResourceDefinition of HFTEngine, built from the zod schemas. */
import { GROUP, KIND, OBJECT_RULES, PLURAL, specSchema, statusSchema, VERSION } from './hftengine.ts';
import type { CelRule } from './rules.ts';
import { structuralSchema, type StructuralSchema } from './structural-schema.ts';

/** A column of `kubectl get`. Priority 1 shows only with `-o wide`. */
export interface PrinterColumn {
  name: string;
  type: 'string' | 'integer' | 'date';
  jsonPath: string;
  description: string;
  priority?: 1;
}

export interface CustomResourceDefinition {
  apiVersion: 'apiextensions.k8s.io/v1';
  kind: 'CustomResourceDefinition';
  metadata: { name: string };
  spec: {
    group: string;
    names: { kind: string; listKind: string; plural: string; singular: string; shortNames: string[]; categories: string[] };
    scope: 'Namespaced';
    versions: {
      name: string;
      served: boolean;
      storage: boolean;
      subresources: { status: Record<string, never> };
      additionalPrinterColumns: PrinterColumn[];
      schema: { openAPIV3Schema: StructuralSchema };
    }[];
  };
}

const PRINTER_COLUMNS: readonly PrinterColumn[] = [
  {
    name: 'Ready',
    type: 'string',
    jsonPath: '.status.conditions[?(@.type=="Ready")].status',
    description: 'Whether the engine takes orders.',
  },
  { name: 'Sequence', type: 'integer', jsonPath: '.status.sequence', description: 'Last sequence that the engine reported durable.' },
  { name: 'Version', type: 'string', jsonPath: '.status.version', description: 'Version of the running engine.' },
  { name: 'Config', type: 'string', jsonPath: '.status.configHash', description: 'Hash of the configuration that the engine runs with.' },
  { name: 'Plan', type: 'string', jsonPath: '.status.plan.class', description: 'What the operator is about to do.' },
  {
    name: 'Reason',
    type: 'string',
    jsonPath: '.status.conditions[?(@.type=="Ready")].reason',
    description: 'Why the engine is ready, or is not.',
    priority: 1,
  },
  { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Time since the HFTEngine was created.' },
];

/** The schema of a whole HFTEngine, `metadata` and all. */
export function objectSchema(): StructuralSchema {
  return {
    description: 'A matching engine: what it trades, how it runs, and what the operator has made of that.',
    type: 'object',
    'x-kubernetes-validations': OBJECT_RULES.map((rule): CelRule => ({ ...rule })),
    required: ['spec'],
    properties: {
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      // The longest name that Kubernetes allows, so that the rule on it has a bounded cost and speaks before a bare length check does.
      metadata: { type: 'object', properties: { name: { type: 'string', maxLength: 253 } } },
      spec: structuralSchema(specSchema),
      status: structuralSchema(statusSchema),
    },
  };
}

/** The CustomResourceDefinition as `kubectl apply` takes it. A fresh object at every call. */
export function customResourceDefinition(): CustomResourceDefinition {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${PLURAL}.${GROUP}` },
    spec: {
      group: GROUP,
      names: {
        kind: KIND,
        listKind: `${KIND}List`,
        plural: PLURAL,
        singular: KIND.toLowerCase(),
        shortNames: ['hft'],
        // Not the singular: kubectl expands a category before it looks for a resource, and `kubectl get hftengine NAME` would break with
        // the second kind of the category.
        categories: ['trading'],
      },
      scope: 'Namespaced',
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: PRINTER_COLUMNS.map((column) => ({ ...column })),
          schema: { openAPIV3Schema: objectSchema() },
        },
      ],
    },
  };
}
