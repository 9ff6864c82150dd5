/**
 * What a reflector knows of its collection. Identity is the uid, not the name: an object deleted and made again under its name is two objects, so handlers see the old
 * one deleted and the new one added even when the events in between were missed.
 */
import { keyOf } from './resource.ts';
import type { KubeObject, Live } from './resource.ts';

export type Change<T extends KubeObject> =
  | { readonly type: 'added'; readonly object: Live<T> }
  | { readonly type: 'updated'; readonly object: Live<T>; readonly old: Live<T> }
  | { readonly type: 'deleted'; readonly object: Live<T> };

function freeze(value: unknown): void {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return;
  Object.freeze(value);
  for (const part of Object.values(value)) freeze(part);
}

export class Store<T extends KubeObject> {
  readonly #objects = new Map<string, Live<T>>();

  get size(): number {
    return this.#objects.size;
  }

  get(key: string): Live<T> | undefined {
    return this.#objects.get(key);
  }

  values(): IterableIterator<Live<T>> {
    return this.#objects.values();
  }

  /** Takes over an ADDED or MODIFIED event. The object is frozen. */
  put(object: Live<T>): Change<T>[] {
    const key = keyOf(object);
    const old = this.#objects.get(key);
    if (old && old.metadata.uid === object.metadata.uid && old.metadata.resourceVersion === object.metadata.resourceVersion) return [];
    freeze(object);
    this.#objects.set(key, object);
    if (!old) return [{ type: 'added', object }];
    if (old.metadata.uid === object.metadata.uid) return [{ type: 'updated', object, old }];
    return [
      { type: 'deleted', object: old },
      { type: 'added', object },
    ];
  }

  /** Takes over a DELETED event; one for a former object of that name changes nothing. */
  remove(object: Live<T>): Change<T>[] {
    const key = keyOf(object);
    const old = this.#objects.get(key);
    if (!old || old.metadata.uid !== object.metadata.uid) return [];
    this.#objects.delete(key);
    freeze(object);
    return [{ type: 'deleted', object }];
  }

  /** Takes over a whole list: what is not in it is gone. Deletions come first. */
  replace(objects: readonly Live<T>[]): Change<T>[] {
    const listed = new Set(objects.map(keyOf));
    const changes: Change<T>[] = [];
    for (const [key, object] of this.#objects) {
      if (listed.has(key)) continue;
      this.#objects.delete(key);
      changes.push({ type: 'deleted', object });
    }
    for (const object of objects) changes.push(...this.put(object));
    return changes;
  }
}
