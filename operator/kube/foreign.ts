/**
 * Fields that somebody else added to an object that is ours: an environment variable in our container, a key in our ConfigMap, `hostNetwork` in our pod template.
 * Comparing cannot tell them from the server's defaults, but `metadata.managedFields` can: a default has no manager. Labels, annotations and the rest of metadata
 * stay open to others, as do top-level sections that the manifest does not have. Server-side apply cannot take such fields away (their manager still wants them),
 * so they come with the JSON pointers to remove.
 *
 * An atomic part (a label selector, the rules of a NetworkPolicy) has one owner as a whole, so whoever adds to it takes it from us: that is found here too, and a
 * forced apply takes it back.
 */
import { elementKey, partDrift } from './drift.ts';
import { isRecord, pointerSegment, sameJson } from './json.ts';
import type { JsonRecord } from './json.ts';
import type { ManagedFieldsEntry } from './resource.ts';

export interface ForeignField {
  /** JSON pointer into the live object. */
  readonly pointer: string;
  readonly reason: string;
}

/** Parts of Kubernetes that complete objects of others by design. */
const TRUSTED_MANAGERS = new Set(['kube-controller-manager', 'kube-scheduler', 'kube-apiserver', 'kubelet']);
/** Filled in once by allocators and binders, whoever they are, and immutable then. */
const ALLOCATED = new Set(['/spec/volumeName', '/spec/clusterIP', '/spec/clusterIPs']);
/** Maps in which every key is data, so that even an unmanaged extra key is foreign. */
const EXACT_MAPS: Readonly<Record<string, readonly (readonly string[])[]>> = {
  ConfigMap: [['data'], ['binaryData']],
  Secret: [['data']],
  Service: [['spec', 'selector']],
};

type Managed = JsonRecord & { metadata: { managedFields?: ManagedFieldsEntry[] } };

interface Walk {
  readonly manager: string;
  readonly found: Map<string, ForeignField>;
  readonly taken: string[];
}

/** A value in the live object, the one wanted there, and what of it our own apply owns (undefined: nothing). */
interface Place {
  readonly live: unknown;
  readonly desired: unknown;
  readonly ours: unknown;
  readonly pointer: string;
  readonly field: string;
}

function parseKey(text: string): JsonRecord | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function report(walk: Walk, pointer: string): void {
  if (ALLOCATED.has(pointer)) return;
  walk.found.set(pointer, { pointer, reason: `${pointer} was added by ${walk.manager}` });
}

/** Goes down one manager's field set beside the live and the wanted value. */
function visit(walk: Walk, fields: JsonRecord, { live, desired, ours, pointer, field }: Place): void {
  for (const [name, below] of Object.entries(fields)) {
    const children = isRecord(below) ? below : {};
    const owned = isRecord(ours) ? ours[name] : undefined;
    if (name.startsWith('f:') && isRecord(live)) {
      const member = name.slice(2);
      // A template's labels and annotations are open to others too: `kubectl rollout restart` sets one.
      if (member === 'metadata') continue;
      const wanted = isRecord(desired) ? desired[member] : undefined;
      step(walk, children, { live: live[member], desired: wanted, ours: owned, pointer: pointer + pointerSegment(member), field: member });
    } else if (name.startsWith('k:') && Array.isArray(live)) {
      const key = parseKey(name.slice(2));
      if (!key) continue;
      const keys = Object.keys(key);
      const wanted = elementKey(key, keys);
      const index = live.findIndex((element) => elementKey(element, keys) === wanted);
      const element: unknown = Array.isArray(desired) ? desired.find((candidate) => elementKey(candidate, keys) === wanted) : undefined;
      if (index >= 0)
        step(walk, children, { live: live[index], desired: element, ours: owned, pointer: pointer + pointerSegment(index), field });
    } else if (name.startsWith('v:') && Array.isArray(live)) {
      const index = live.findIndex((element) => JSON.stringify(element) === name.slice(2));
      if (index >= 0 && !(Array.isArray(desired) && desired.includes(live[index]))) report(walk, pointer + pointerSegment(index));
    }
  }
}

function step(walk: Walk, children: JsonRecord, place: Place): void {
  const { live, desired, pointer } = place;
  if (live === undefined) return;
  const names = Object.keys(children);
  const wanted = desired !== undefined && desired !== null;
  if (!wanted && (names.length === 0 || '.' in children)) report(walk, pointer);
  else if (names.length > 0) visit(walk, children, place);
  else if (isTaken(place)) walk.taken.push(`${pointer} was changed by ${walk.manager}`);
}

/** Whether an atomic part that somebody else owns alone holds more than is wanted. Where it holds less or something else, drift.ts says so. */
function isTaken({ live, desired, ours, field }: Place): boolean {
  const structured = isRecord(desired) || Array.isArray(desired);
  return structured && ours === undefined && !sameJson(desired, live) && partDrift(desired, live, field).length === 0;
}

/** Goes through what others manage of the sections that the manifest has. */
function walkOthers(desired: JsonRecord, live: Managed, fieldManager: string): Omit<Walk, 'manager'> {
  const found = new Map<string, ForeignField>();
  const taken: string[] = [];
  const entries = live.metadata.managedFields ?? [];
  const applied = entries.find(({ manager, operation, subresource }) => manager === fieldManager && operation === 'Apply' && !subresource);
  const ours: unknown = applied?.fieldsV1;
  for (const entry of entries) {
    const manager = entry.manager ?? 'someone';
    if (manager === fieldManager || TRUSTED_MANAGERS.has(manager) || entry.subresource || !isRecord(entry.fieldsV1)) continue;
    for (const [name, children] of Object.entries(entry.fieldsV1)) {
      const field = name.slice(2);
      if (field === 'metadata' || field === 'status' || desired[field] === undefined || !isRecord(children)) continue;
      const owned = isRecord(ours) ? ours[name] : undefined;
      const place = { live: live[field], desired: desired[field], ours: owned, pointer: pointerSegment(field), field };
      step({ manager, found, taken }, children, place);
    }
  }
  return { found, taken };
}

/** Why a forced apply must take atomic parts back: `/spec/podSelector was changed by kubectl-edit`. */
export function takenParts(desired: JsonRecord, live: Managed, fieldManager: string): string[] {
  return walkOthers(desired, live, fieldManager).taken;
}

/** What others added, in the order in which it can be removed one by one: of two elements of a list the later first. */
export function foreignFields(desired: JsonRecord, live: Managed, fieldManager: string): ForeignField[] {
  const { found } = walkOthers(desired, live, fieldManager);
  const kind = typeof desired['kind'] === 'string' ? desired['kind'] : '';
  for (const path of EXACT_MAPS[kind] ?? []) {
    const at = (root: JsonRecord): unknown => path.reduce<unknown>((value, key) => (isRecord(value) ? value[key] : undefined), root);
    const wanted = at(desired);
    const present = at(live);
    if (!isRecord(wanted) || !isRecord(present)) continue;
    for (const key of Object.keys(present)) {
      if (key in wanted) continue;
      const pointer = [...path, key].map(pointerSegment).join('');
      if (!found.has(pointer)) found.set(pointer, { pointer, reason: `${pointer} was added` });
    }
  }
  return removable([...found.values()]);
}

/** Leaves out what goes with its parent, and orders so that no removal moves the target of a later one. */
function removable(fields: ForeignField[]): ForeignField[] {
  const outermost = fields.filter(
    ({ pointer }) => !fields.some((other) => other.pointer !== pointer && pointer.startsWith(`${other.pointer}/`)),
  );
  return outermost.sort((a, b) => b.pointer.localeCompare(a.pointer, 'en', { numeric: true }));
}
