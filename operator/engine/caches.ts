/** What the operator watches: every HFTEngine, and the objects that carry its label, in all namespaces. */
import type { Registry } from 'prom-client';
import { ENGINE_LABEL, FIELD_MANAGER, MANAGED_BY_LABEL } from '../../charts/names.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Log } from '../kube/log.ts';
import { Reflector } from '../kube/reflector.ts';
import { keyOf, resources, type KubeObject, type Live, type ObjectRef } from '../kube/resource.ts';
import { CHILD_RESOURCES, childResource, hftEngines, type Pod, type RawHFTEngine } from './resource.ts';

export interface CachesOptions {
  client: KubeClient;
  registry: Registry;
  log: Log;
  /** Watch one namespace; all when absent. */
  namespace?: string;
  /** Called with `namespace/name` of the HFTEngine whose world changed. */
  onChange: (key: string) => void;
}

/** What of an HFTEngine others write: its spec (as generation), and the metadata that the operator reads. */
function essenceOf({ metadata }: KubeObject): string {
  const { generation, deletionTimestamp, finalizers, annotations } = metadata;
  return JSON.stringify([generation, deletionTimestamp, finalizers, annotations]);
}

/** What all reflectors share, whatever they watch. */
type Watch = Pick<Reflector<KubeObject>, 'start' | 'whenSynced' | 'synced' | 'health'>;

/** `namespace/name` of the HFTEngine that an object belongs to by its label; undefined for one that lost its label. */
function ownerKey({ metadata }: KubeObject): string | undefined {
  const name = metadata.labels?.[ENGINE_LABEL];
  return name === undefined ? undefined : keyOf({ name, ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }) });
}

export class Caches {
  readonly engines: Reflector<RawHFTEngine>;
  readonly pods: Reflector<NonNullable<(typeof resources.pods)['objectType']>>;
  readonly #children: ReadonlyMap<string, Reflector<KubeObject>>;

  constructor({ client, registry, log, namespace, onChange }: CachesOptions) {
    const common = { client, registry, log, ...(namespace === undefined ? {} : { namespace }) };
    const labelSelector = `${MANAGED_BY_LABEL}=${FIELD_MANAGER},${ENGINE_LABEL}`;
    this.engines = new Reflector<RawHFTEngine>({ ...common, resource: hftEngines });
    this.pods = new Reflector({ ...common, resource: resources.pods, labelSelector });
    this.#children = new Map(
      CHILD_RESOURCES.map((resource) => [
        resource.kind,
        new Reflector<KubeObject>({ ...common, resource: childResource(resource.kind), labelSelector }),
      ]),
    );
    const onEngine = (engine: Live<RawHFTEngine>): void => onChange(keyOf(engine));
    // What failed while a watch was deaf waits out a back-off as long as the outage: look at every engine now.
    const recovered = (): void => this.engines.list().forEach(onEngine);
    // The status is our own writing: an engine that trades changes it all the time, and hearing ourselves would never end.
    const updated = (engine: Live<RawHFTEngine>, old: Live<RawHFTEngine>): void => {
      if (essenceOf(engine) !== essenceOf(old)) onEngine(engine);
    };
    this.engines.on({ added: onEngine, updated, deleted: onEngine, recovered });
    const onChild = (child: KubeObject): void => {
      const key = ownerKey(child);
      if (key !== undefined) onChange(key);
    };
    for (const reflector of this.#children.values()) reflector.on({ added: onChild, updated: onChild, deleted: onChild, recovered });
    this.pods.on({ added: onChild, updated: onChild, deleted: onChild, recovered });
  }

  /** Every watch by the kind that it watches. */
  get watches(): readonly (readonly [string, Watch])[] {
    return [['HFTEngine', this.engines], ['Pod', this.pods], ...this.#children];
  }

  start(signal: AbortSignal): void {
    for (const [, watch] of this.watches) watch.start(signal);
  }

  /** Resolves once every kind was listed; rejects only when the signal aborts. */
  async whenSynced(signal: AbortSignal): Promise<void> {
    await Promise.all(this.watches.map(([, watch]) => watch.whenSynced({ signal })));
  }

  childrenOf(kind: string, engine: ObjectRef): Live<KubeObject>[] {
    const reflector = this.#children.get(kind);
    if (reflector === undefined) throw new TypeError(`${kind} is not watched`);
    return reflector
      .list(engine.namespace === undefined ? {} : { namespace: engine.namespace })
      .filter((child) => child.metadata.labels?.[ENGINE_LABEL] === engine.name);
  }

  podsOf(engine: ObjectRef): Pod[] {
    return this.pods
      .list(engine.namespace === undefined ? {} : { namespace: engine.namespace })
      .filter((pod) => pod.metadata.labels?.[ENGINE_LABEL] === engine.name);
  }
}
