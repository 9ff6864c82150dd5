/**
 * Server-side apply that writes only when something would change.
 *
 * A write is needed when the object is absent; when the manifest differs from the one applied last (its hash is kept in an annotation, so that a field that was
 * dropped from the manifest is noticed too); when the live object no longer holds what the manifest says (drift.ts); or when somebody added to it (foreign.ts). The
 * server's defaults are none of these, so a steady object costs no write.
 *
 * Two guards keep that true. The answer of the last write stands in for a cached object that is older than it. And what still differs in the server's own answer to
 * a write (a webhook's change, a value it rewrites in a way unknown here) is accepted until the manifest changes, and reported once, instead of being fought for ever.
 */
import type { Registry } from 'prom-client';
import { BoundedMap } from './bounded-map.ts';
import type { CallOptions } from './call.ts';
import type { KubeClient } from './client.ts';
import { differenceOf, manifestOf, plainOf } from './difference.ts';
import type { Difference } from './difference.ts';
import { partDrift } from './drift.ts';
import { isKubeError } from './errors.ts';
import { foreignFields } from './foreign.ts';
import type { ForeignField } from './foreign.ts';
import { hashOf, isRecord, sameJson } from './json.ts';
import type { JsonRecord } from './json.ts';
import { silentLog } from './log.ts';
import type { Log } from './log.ts';
import { counter } from './metrics.ts';
import { apiVersionOf, keyOf } from './resource.ts';
import type { KubeObject, Live, Resource } from './resource.ts';

export interface ApplyOutcome<T extends KubeObject> {
  readonly action: 'created' | 'updated' | 'unchanged';
  readonly object: Live<T>;
  /** Why it wrote: `spec.replicas: 5, wanted 1`. */
  readonly reasons: string[];
}

export interface ApplierOptions {
  readonly client: KubeClient;
  readonly fieldManager: string;
  /** `example.io` gives the annotation `example.io/applied-hash`. */
  readonly annotationPrefix: string;
  readonly registry?: Registry;
  readonly log?: Log;
}

interface Written {
  readonly object: Live<KubeObject>;
  readonly hash: string;
  /** Differences that the server's answer had right after the write. */
  readonly accepted: ReadonlySet<string>;
  /** `performance.now()` of the write. */
  readonly atMs: number;
}

interface WrittenStatus {
  readonly object: Live<KubeObject>;
  readonly sent: string;
  readonly received: string;
  readonly atMs: number;
}

/** Objects whose last write is remembered; beyond it only a needless write may happen. */
const REMEMBERED = 10_000;
/** How long the answer to a write outranks a cached object that looks older; versions run backwards when etcd is restored. */
const OUTRANKS_MS = 60_000;

function isOlder(a: string, b: string): boolean {
  return /^\d+$/.test(a) && /^\d+$/.test(b) && BigInt(a) < BigInt(b);
}

/** The cached object, or what our last write made of the same object where that is newer. */
function newerOf<T extends KubeObject>(live: Live<T>, last: { object: Live<KubeObject>; atMs: number } | undefined): Live<T> {
  if (!last || last.object.metadata.uid !== live.metadata.uid || performance.now() - last.atMs > OUTRANKS_MS) return live;
  return isOlder(live.metadata.resourceVersion, last.object.metadata.resourceVersion) ? (last.object as Live<T>) : live;
}

export class Applier {
  readonly hashAnnotation: string;
  readonly #options: ApplierOptions;
  readonly #log: Log;
  readonly #written = new BoundedMap<string, Written>(REMEMBERED);
  readonly #writtenStatus = new BoundedMap<string, WrittenStatus>(REMEMBERED);
  readonly #total;

  constructor(options: ApplierOptions) {
    this.#options = options;
    this.#log = options.log ?? silentLog;
    this.hashAnnotation = `${options.annotationPrefix}/applied-hash`;
    this.#total = counter(options.registry, 'kube_apply_total', 'Objects compared with what is wanted, by kind and what was done', [
      'kind',
      'action',
    ]);
  }

  /**
   * Makes the live object hold `desired`, taking ownership of every field in it and removing what others added. `live` comes from a reflector (with its managedFields)
   * or is undefined when there is none. Throws KubeError: `invalid` with the server's message for a manifest or an immutable field, `conflict` when something changed
   * meanwhile.
   */
  async apply<T extends KubeObject>(
    resource: Resource<T>,
    desired: T,
    live: Live<T> | undefined,
    options: CallOptions = {},
  ): Promise<ApplyOutcome<T>> {
    const manifest = manifestOf(resource, desired);
    const hash = hashOf(manifest);
    const id = `${resource.group}/${resource.plural}/${keyOf(desired)}`;
    const current = this.#freshest(id, live);
    if (!current) {
      const object = await this.#write(resource, desired, manifest, hash, options);
      return this.#finish(resource, manifest, hash, id, 'created', object, ['absent']);
    }
    if (current.metadata.deletionTimestamp !== undefined) return this.#count(resource, 'unchanged', current, ['is being deleted']);

    const difference = this.#difference(manifest, current, hash, id);
    const reasons = [...difference.values, ...difference.foreign.map(({ reason }) => reason)];
    if (reasons.length === 0) return this.#count(resource, 'unchanged', current, []);
    let object = current;
    if (difference.values.length > 0) object = await this.#write(resource, desired, manifest, hash, options);
    const foreign = foreignFields(manifest, plainOf(object), this.#options.fieldManager);
    if (foreign.length > 0) object = await this.#remove(resource, object, foreign, options);
    return this.#finish(resource, manifest, hash, id, 'updated', object, reasons);
  }

  /**
   * Writes the status subresource when it differs. Without `partial` the status is owned whole: what it leaves out is removed. With it only the given fields are compared and
   * written (a pod's readiness gate among the kubelet's conditions). Throws `notFound` or `conflict` when the object was deleted or made again.
   */
  async applyStatus<T extends KubeObject>(
    resource: Resource<T>,
    live: Live<T>,
    status: object,
    options: CallOptions & { partial?: boolean } = {},
  ): Promise<{ action: 'updated' | 'unchanged'; object: Live<T> }> {
    const { partial, ...call } = options;
    const id = `${resource.group}/${resource.plural}/${keyOf(live)}`;
    const last = this.#writtenStatus.get(id);
    const current = newerOf(live, last);
    const present = statusOf(current);
    const sent = hashOf(status);
    const same = partial ? partDrift(status, present, 'status').length === 0 : sameJson(status, present ?? {});
    const known =
      last !== undefined && last.object.metadata.uid === live.metadata.uid && last.sent === sent && last.received === hashOf(present);
    if (same || known) return { action: 'unchanged', object: current };
    const { name, namespace, uid } = live.metadata;
    const object = await this.#options.client.patch(
      resource,
      live.metadata,
      { apiVersion: apiVersionOf(resource), kind: resource.kind, metadata: { name, namespace, uid }, status },
      { ...call, type: 'apply', fieldManager: this.#options.fieldManager, force: true, subresource: 'status' },
    );
    this.#writtenStatus.set(id, { object, sent, received: hashOf(statusOf(object)), atMs: performance.now() });
    return { action: 'updated', object };
  }

  /** Deletes that very object (uid precondition), in the background unless said otherwise. `absent` also when another one has its name by now. */
  async remove<T extends KubeObject>(
    resource: Resource<T>,
    live: Live<T>,
    options: CallOptions & { propagationPolicy?: 'Foreground' | 'Background' | 'Orphan' } = {},
  ): Promise<'deleted' | 'absent'> {
    const id = `${resource.group}/${resource.plural}/${keyOf(live)}`;
    this.#written.delete(id);
    this.#writtenStatus.delete(id);
    try {
      return await this.#options.client.delete(resource, live.metadata, {
        propagationPolicy: 'Background',
        ...options,
        uid: live.metadata.uid,
      });
    } catch (error) {
      if (isKubeError(error, 'conflict')) return 'absent';
      throw error;
    }
  }

  #freshest<T extends KubeObject>(id: string, live: Live<T> | undefined): Live<T> | undefined {
    return live && newerOf(live, this.#written.get(id));
  }

  #difference(manifest: JsonRecord, live: Live<KubeObject>, hash: string, id: string): Difference {
    const all = differenceOf(manifest, live, hash, this.#options.fieldManager, this.hashAnnotation);
    const last = this.#written.get(id);
    if (!last || last.hash !== hash || last.object.metadata.uid !== live.metadata.uid) return all;
    // Reasons about a Secret's data say no values, so an accepted one would also cover a later edit.
    if (manifest['kind'] === 'Secret' && !sameJson(dataOf(live), dataOf(last.object))) return all;
    return {
      values: all.values.filter((reason) => !last.accepted.has(reason)),
      foreign: all.foreign.filter(({ reason }) => !last.accepted.has(reason)),
    };
  }

  async #write<T extends KubeObject>(
    resource: Resource<T>,
    desired: T,
    manifest: JsonRecord,
    hash: string,
    options: CallOptions,
  ): Promise<Live<T>> {
    const metadata = isRecord(manifest['metadata']) ? manifest['metadata'] : {};
    const annotations = { ...(isRecord(metadata['annotations']) ? metadata['annotations'] : {}), [this.hashAnnotation]: hash };
    const body = { ...manifest, metadata: { ...metadata, annotations } };
    return this.#options.client.patch(resource, desired.metadata, body, {
      ...options,
      type: 'apply',
      fieldManager: this.#options.fieldManager,
      force: true,
    });
  }

  async #remove<T extends KubeObject>(
    resource: Resource<T>,
    object: Live<T>,
    foreign: readonly ForeignField[],
    options: CallOptions,
  ): Promise<Live<T>> {
    const patch = [
      { op: 'test', path: '/metadata/resourceVersion', value: object.metadata.resourceVersion },
      ...foreign.map(({ pointer }) => ({ op: 'remove', path: pointer })),
    ];
    try {
      return await this.#options.client.patch(resource, object.metadata, patch, {
        ...options,
        type: 'json',
        fieldManager: this.#options.fieldManager,
      });
    } catch (error) {
      // The test failed: it changed under us, so the event of that change brings us back with a fresh copy.
      if (!isKubeError(error, 'invalid') || (await this.#isStale(resource, object, options))) throw error;
      this.#log.warn({ kind: resource.kind, key: keyOf(object), err: error }, 'what others added cannot be removed, so it is left');
      return object;
    }
  }

  async #isStale<T extends KubeObject>(resource: Resource<T>, object: Live<T>, options: CallOptions): Promise<boolean> {
    const now = await this.#options.client.find(resource, object.metadata, options);
    return now?.metadata.resourceVersion !== object.metadata.resourceVersion;
  }

  #finish<T extends KubeObject>(
    resource: Resource<T>,
    manifest: JsonRecord,
    hash: string,
    id: string,
    action: 'created' | 'updated',
    object: Live<T>,
    reasons: string[],
  ): ApplyOutcome<T> {
    const left = differenceOf(manifest, object, hash, this.#options.fieldManager, this.hashAnnotation);
    const accepted = new Set([...left.values, ...left.foreign.map(({ reason }) => reason)]);
    if (accepted.size > 0) {
      this.#log.warn(
        { kind: resource.kind, key: keyOf(object), differences: [...accepted] },
        'the server changed what was applied; accepted as it is',
      );
    }
    this.#written.set(id, { object, hash, accepted, atMs: performance.now() });
    return this.#count(resource, action, object, reasons);
  }

  #count<T extends KubeObject>(
    resource: Resource<T>,
    action: ApplyOutcome<T>['action'],
    object: Live<T>,
    reasons: string[],
  ): ApplyOutcome<T> {
    this.#total.inc({ kind: resource.kind, action });
    return { action, object, reasons };
  }
}

function dataOf(object: KubeObject): unknown {
  return 'data' in object ? object.data : undefined;
}

function statusOf(object: KubeObject): unknown {
  return 'status' in object ? object.status : undefined;
}
