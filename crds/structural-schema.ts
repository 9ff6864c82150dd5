/**
 * zod -> structural schema, the subset of OpenAPI v3 that a CustomResourceDefinition may carry. What has no faithful counterpart there is
 * refused with its path, so a schema that would be enforced differently by zod and by the API server never gets out.
 */
import { z } from 'zod';
import type { CelRule } from './rules.ts';

/** One node of a structural schema. Keys appear in this order in the generated file. */
export interface StructuralSchema {
  description?: string;
  type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  format?: string;
  default?: unknown;
  nullable?: true;
  enum?: unknown[];
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  minimum?: number;
  exclusiveMinimum?: true;
  maximum?: number;
  exclusiveMaximum?: true;
  minItems?: number;
  maxItems?: number;
  anyOf?: StructuralSchema[];
  'x-kubernetes-int-or-string'?: true;
  'x-kubernetes-preserve-unknown-fields'?: true;
  'x-kubernetes-list-type'?: 'atomic' | 'set' | 'map';
  'x-kubernetes-list-map-keys'?: string[];
  'x-kubernetes-validations'?: CelRule[];
  required?: string[];
  properties?: Record<string, StructuralSchema>;
  additionalProperties?: StructuralSchema;
  items?: StructuralSchema;
}

/** Keys copied as they are, where the value has the right type. */
const COPIED = {
  description: 'string',
  minLength: 'number',
  maxLength: 'number',
  minItems: 'number',
  maxItems: 'number',
  'x-kubernetes-list-type': 'string',
  'x-kubernetes-list-map-keys': 'object',
} as const;
/** Keys that the functions below read. */
const READ: ReadonlySet<string> = new Set(
  'type format default nullable enum pattern minimum exclusiveMinimum maximum exclusiveMaximum anyOf required properties'
    .split(' ')
    .concat('additionalProperties', 'items', 'x-kubernetes-validations'),
);
/** Formats that the API server checks by itself, so that the pattern that zod adds beside them is left out. */
const CHECKED_FORMATS = new Set(['date-time']);

type Node = Readonly<Record<string, unknown>>;

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function child(value: unknown, path: string): Node {
  if (!isNode(value)) throw new TypeError(`${path}: not a schema`);
  return value;
}

function children(value: unknown): Node[] {
  return Array.isArray(value) ? value.filter(isNode) : [];
}

function isCelRule(value: Node): value is Node & CelRule {
  return typeof value['rule'] === 'string' && typeof value['message'] === 'string';
}

function celRules(node: Node): CelRule[] {
  return children(node['x-kubernetes-validations']).filter(isCelRule);
}

function scalar(node: Node): StructuralSchema {
  const { format, pattern, minimum, maximum } = node;
  const isInteger = node['type'] === 'integer';
  const out: StructuralSchema = {};
  // zod bounds every integer by ±(2⁵³-1); int64 says as much to a person, and the API server has no use for the number.
  if (typeof minimum === 'number' && !(isInteger && minimum === Number.MIN_SAFE_INTEGER)) out.minimum = minimum;
  if (typeof maximum === 'number' && !(isInteger && maximum === Number.MAX_SAFE_INTEGER)) out.maximum = maximum;
  if (node['exclusiveMinimum'] === true) out.exclusiveMinimum = true;
  if (node['exclusiveMaximum'] === true) out.exclusiveMaximum = true;
  if (isInteger) {
    const fitsInt32 = (out.minimum ?? -Infinity) >= -(2 ** 31) && (out.maximum ?? Infinity) < 2 ** 31;
    out.format = fitsInt32 ? 'int32' : 'int64';
  } else if (node['type'] === 'number') {
    out.format = 'double';
  } else if (typeof format === 'string' && CHECKED_FORMATS.has(format)) {
    out.format = format;
  } else if (typeof pattern === 'string' && !celRules(node).some(({ rule }) => rule.includes(pattern))) {
    out.pattern = pattern;
  }
  return out;
}

/** `anyOf` of an integer and a string, the one union that a structural schema knows. */
function intOrString(node: Node, path: string): StructuralSchema {
  const branches = children(node['anyOf']);
  const integer = branches.find(({ type }) => type === 'integer');
  const string = branches.find(({ type }) => type === 'string');
  if (branches.length !== 2 || integer === undefined || string === undefined) {
    throw new TypeError(`${path}: a union other than integer | string has no structural schema: use one object with rules`);
  }
  const { format: _format, ...integerSide } = convert(integer, path);
  const { type: _type, 'x-kubernetes-validations': stringRules = [], ...stringSide } = convert(string, path);
  const validations = [
    ...(integerSide['x-kubernetes-validations'] ?? []).map((rule) => ({ ...rule, rule: `type(self) != int || (${rule.rule})` })),
    ...stringRules.map((rule) => ({ ...rule, rule: `type(self) != string || (${rule.rule})` })),
  ];
  const { type: _integer, ...bounds } = integerSide;
  return {
    ...bounds,
    ...stringSide,
    anyOf: [{ type: 'integer' }, { type: 'string' }],
    'x-kubernetes-int-or-string': true,
    ...(validations.length === 0 ? {} : { 'x-kubernetes-validations': validations }),
  };
}

function object(node: Node, path: string): StructuralSchema {
  const out: StructuralSchema = {};
  if (Array.isArray(node['required']) && node['required'].length > 0) out.required = node['required'].map(String);
  if (isNode(node['properties'])) {
    out.properties = {};
    for (const [key, value] of Object.entries(node['properties']))
      out.properties[key] = convert(child(value, `${path}.${key}`), `${path}.${key}`);
  }
  // `false` (a strict object) is what the API server does anyway: it prunes, or refuses under fieldValidation=Strict.
  if (isNode(node['additionalProperties'])) {
    if (out.properties !== undefined && Object.keys(out.properties).length > 0)
      throw new TypeError(`${path}: properties beside a catch-all`);
    delete out.properties;
    out.additionalProperties = convert(node['additionalProperties'], `${path}.*`);
  }
  return out;
}

/**
 * A default with the defaults of its own properties filled in. The API server would fill them in as well, but it checks a default against the
 * CEL rules before it does, and refuses the CRD when a rule reads a property that is only there by default.
 */
function withDefaults(value: unknown, schema: StructuralSchema): unknown {
  if (!isNode(value)) return value;
  const filled: Record<string, unknown> = { ...value };
  for (const [key, property] of Object.entries(schema.properties ?? {})) {
    if (!(key in filled) && property.default !== undefined) filled[key] = property.default;
    if (key in filled) filled[key] = withDefaults(filled[key], property);
  }
  return filled;
}

function convert(node: Node, path: string): StructuralSchema {
  for (const key of Object.keys(node)) {
    if (!READ.has(key) && !(key in COPIED)) throw new TypeError(`${path}: ${key} has no structural counterpart`);
  }
  const out: StructuralSchema = {};
  switch (node['type']) {
    case 'object':
      Object.assign(out, { type: 'object' }, object(node, path));
      break;
    case 'array':
      Object.assign(out, { type: 'array' }, { items: convert(child(node['items'], path), `${path}[]`) });
      break;
    case 'string':
    case 'integer':
    case 'number':
    case 'boolean':
      Object.assign(out, { type: node['type'] }, scalar(node));
      break;
    case undefined:
      if ('anyOf' in node) Object.assign(out, intOrString(node, path));
      else if (Object.keys(node).every((key) => key === 'description' || key === 'default'))
        out['x-kubernetes-preserve-unknown-fields'] = true;
      else throw new TypeError(`${path}: a schema without a type`);
      break;
    default:
      throw new TypeError(`${path}: type ${String(node['type'])} has no structural schema`);
  }
  if (Array.isArray(node['enum'])) out.enum = [...node['enum']];
  if (node['default'] !== undefined) out.default = withDefaults(node['default'], out);
  if (node['nullable'] === true) out.nullable = true;
  for (const [key, type] of Object.entries(COPIED)) {
    if (typeof node[key] === type) Object.assign(out, { [key]: node[key] });
  }
  const validations = [...(out['x-kubernetes-validations'] ?? []), ...(out.anyOf === undefined ? celRules(node) : [])];
  if (validations.length > 0) out['x-kubernetes-validations'] = validations;
  return inOrder(out);
}

const ORDER = [
  'description',
  'type',
  'format',
  'default',
  'nullable',
  'enum',
  'minLength',
  'maxLength',
  'pattern',
  'minimum',
  'exclusiveMinimum',
  'maximum',
  'exclusiveMaximum',
  'minItems',
  'maxItems',
  'anyOf',
  'x-kubernetes-int-or-string',
  'x-kubernetes-preserve-unknown-fields',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
  'x-kubernetes-validations',
  'required',
  'properties',
  'additionalProperties',
  'items',
] as const satisfies readonly (keyof StructuralSchema)[];

function inOrder(schema: StructuralSchema): StructuralSchema {
  const out: StructuralSchema = {};
  for (const key of ORDER) if (schema[key] !== undefined) Object.assign(out, { [key]: schema[key] });
  return out;
}

/**
 * The structural schema of what `schema` accepts as input, with its defaults. Throws TypeError, naming the path, on what has none: unions
 * other than integer | string, tuples, recursion, intersections, schemas with an id.
 */
export function structuralSchema(schema: z.ZodType): StructuralSchema {
  const json: unknown = z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'input', unrepresentable: 'any', cycles: 'throw' });
  return convert(child(json, ''), '');
}
