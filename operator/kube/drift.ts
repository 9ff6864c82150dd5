/**
 * Does the live object still hold what was wanted? Every field that the manifest names must be there with its value; what it does not name is left to the server's
 * defaults (foreign.ts looks for what people added there). Lists that server-side apply merges by key are compared by key, others as a whole and in order.
 *
 * Reasons end in Events and logs, so those about a Secret's data never say a value.
 */
import { brief, isRecord, sameJson } from './json.ts';
import type { JsonRecord } from './json.ts';
import { sameQuantity } from './quantity.ts';

/** Fields whose lists are merged by these keys; for one with several entries the first whose first key the elements have. */
const LIST_KEYS: Readonly<Record<string, readonly (readonly string[])[]>> = {
  containers: [['name']],
  initContainers: [['name']],
  ephemeralContainers: [['name']],
  env: [['name']],
  volumes: [['name']],
  volumeMounts: [['mountPath']],
  volumeDevices: [['devicePath']],
  imagePullSecrets: [['name']],
  hostAliases: [['ip']],
  topologySpreadConstraints: [['topologyKey', 'whenUnsatisfiable']],
  ports: [['containerPort', 'protocol']],
  conditions: [['type']],
  ownerReferences: [['uid']],
};
const SERVICE_PORT_KEYS = ['port', 'protocol'];
/** What the server fills in when a key field is left out. */
const KEY_DEFAULTS: Readonly<Record<string, unknown>> = { protocol: 'TCP' };
/** Lists of values whose order means nothing and to which others may add. */
const SETS = new Set(['finalizers']);
const QUANTITY_PARENTS = new Set(['limits', 'requests', 'capacity', 'hard']);
const QUANTITY_FIELDS = new Set(['sizeLimit', 'divisor']);

export type ListKeys = readonly string[];

/** Label selectors: an entry that is added to one selects less, and the server fills in none. A Service's is a plain map, which foreign.ts looks after. */
const SELECTORS = new Set(['selector', 'podSelector', 'namespaceSelector', 'labelSelector']);

/** The keys by which the elements of the list in this field are merged; undefined when the list is taken as a whole. */
export function listKeys(field: string, elements: readonly unknown[], kind: string | undefined): ListKeys | undefined {
  if (kind === 'Service' && field === 'ports') return SERVICE_PORT_KEYS;
  const first = elements[0];
  return LIST_KEYS[field]?.find((keys) => isRecord(first) && keys[0] !== undefined && keys[0] in first);
}

/** An element's key as one text. */
export function elementKey(element: unknown, keys: ListKeys): string {
  return JSON.stringify(keys.map((key) => (isRecord(element) ? (element[key] ?? KEY_DEFAULTS[key]) : undefined) ?? null));
}

function isZero(value: unknown): boolean {
  if (value === '' || value === 0 || value === false) return true;
  if (Array.isArray(value)) return value.length === 0;
  return isRecord(value) && Object.values(value).every((member) => member === undefined || member === null);
}

function isScalar(value: unknown): value is string | number {
  return typeof value === 'string' || typeof value === 'number';
}

interface Walk {
  readonly kind: string | undefined;
  readonly reasons: string[];
}

function isSecretData(walk: Walk, path: string): boolean {
  return walk.kind === 'Secret' && /^(?:data|stringData)(?:\.|$)/.test(path);
}

function compare(walk: Walk, desired: unknown, live: unknown, path: string, field: string, parent: string): void {
  if (desired === undefined || desired === null) return;
  // The server leaves out empty values that were sent.
  if (live === undefined || live === null) {
    if (!isZero(desired)) walk.reasons.push(`${path}: absent${isSecretData(walk, path) ? '' : `, wanted ${brief(desired)}`}`);
    return;
  }
  if (isSecretData(walk, path) && !(isRecord(desired) && isRecord(live))) {
    if (!sameJson(desired, live)) walk.reasons.push(`${path} differs`);
  } else if (Array.isArray(desired) && Array.isArray(live)) compareLists(walk, desired, live, path, field);
  else if (isRecord(desired) && isRecord(live)) {
    for (const [key, value] of Object.entries(desired)) compare(walk, value, live[key], `${path}.${key}`, key, field);
    const selects = walk.kind !== 'Service' && (SELECTORS.has(field) || (field === 'matchLabels' && SELECTORS.has(parent)));
    if (selects) compareAdded(walk, desired, live, path);
  } else if (desired !== live) {
    const quantity = QUANTITY_PARENTS.has(parent) || QUANTITY_FIELDS.has(field);
    if (quantity && isScalar(desired) && isScalar(live) && sameQuantity(desired, live)) return;
    walk.reasons.push(`${path}: ${brief(live)}, wanted ${brief(desired)}`);
  }
}

/** What an exact part has beyond the wanted; an empty text counts, as a label may be empty. */
function compareAdded(walk: Walk, desired: JsonRecord, live: JsonRecord, path: string): void {
  for (const [key, value] of Object.entries(live)) {
    const wanted = desired[key] !== undefined && desired[key] !== null;
    if (!wanted && (value === '' || !isZero(value))) walk.reasons.push(`${path}.${key}: ${brief(value)}, wanted none`);
  }
}

function compareLists(walk: Walk, desired: readonly unknown[], live: readonly unknown[], path: string, field: string): void {
  if (SETS.has(field)) {
    for (const value of desired) if (!live.includes(value)) walk.reasons.push(`${path}: ${brief(value)} is missing`);
    return;
  }
  const keys = listKeys(field, desired, walk.kind);
  if (!keys) {
    if (desired.length !== live.length) walk.reasons.push(`${path}: ${live.length} elements, wanted ${desired.length}`);
    else desired.forEach((value, index) => compare(walk, value, live[index], `${path}[${index}]`, '', field));
    return;
  }
  const byKey = new Map(live.map((element) => [elementKey(element, keys), element]));
  for (const element of desired) {
    const key = elementKey(element, keys);
    compare(
      walk,
      element,
      byKey.get(key),
      `${path}[${keys.map((name) => (isRecord(element) ? brief(element[name]) : '')).join(',')}]`,
      '',
      field,
    );
  }
}

const COMPARED_METADATA = ['labels', 'annotations', 'ownerReferences', 'finalizers'];

/** Why the live object no longer holds what the manifest names; empty when it does. `status` is not compared. */
export function drift(desired: JsonRecord, live: JsonRecord): string[] {
  const walk: Walk = { kind: typeof desired['kind'] === 'string' ? desired['kind'] : undefined, reasons: [] };
  const wantedMetadata = isRecord(desired['metadata']) ? desired['metadata'] : {};
  const liveMetadata = isRecord(live['metadata']) ? live['metadata'] : {};
  for (const field of COMPARED_METADATA) compare(walk, wantedMetadata[field], liveMetadata[field], `metadata.${field}`, field, 'metadata');
  for (const [field, value] of Object.entries(desired)) {
    if (field === 'apiVersion' || field === 'kind' || field === 'metadata' || field === 'status') continue;
    compare(walk, value, live[field], field, field, '');
  }
  return walk.reasons;
}

/** Why the live part does not hold the wanted part (of a status, for instance). */
export function partDrift(desired: unknown, live: unknown, path: string): string[] {
  const walk: Walk = { kind: undefined, reasons: [] };
  compare(walk, desired, live, path, path, '');
  return walk.reasons;
}
