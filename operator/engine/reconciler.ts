/**
 * The reconciler of HFTEngines: observe -> plan -> report -> apply. The plan decides; this file is the table of contents.
 */
import { hftEngineSchema, type HFTEngine } from '../../crds/hftengine.ts';
import { DRAIN_FINALIZER } from '../../charts/names.ts';
import type { Applier } from '../kube/apply.ts';
import type { KubeClient } from '../kube/client.ts';
import { setConditions } from '../kube/conditions.ts';
import { TerminalError } from '../kube/controller.ts';
import { isKubeError } from '../kube/errors.ts';
import type { EventRecorder } from '../kube/events.ts';
import type { Log } from '../kube/log.ts';
import { refOf, type Live } from '../kube/resource.ts';
import { ApplyError, applyObjects, prune, setGates } from './apply.ts';
import type { Caches } from './caches.ts';
import { finalize, setFinalizer } from './finalize.ts';
import { observe } from './observe.ts';
import { plan } from './plan.ts';
import type { EngineProbe } from './probe.ts';
import { announceRepairs, announceStatus } from './report.ts';
import { hftEngines, type RawHFTEngine } from './resource.ts';

export interface ReconcilerOptions {
  client: KubeClient;
  caches: Caches;
  applier: Applier;
  events: EventRecorder;
  probe: EngineProbe;
  log: Log;
  /** Namespace that the operator runs in: the only one whose pods reach the operations port of an engine. */
  operatorNamespace: string;
}

interface Failure {
  generation: number;
  message: string;
}

/** How often a deletion looks whether the pods are gone; their watch usually tells sooner. */
const DRAINING_MS = 1_000;

export class EngineReconciler {
  readonly #options: ReconcilerOptions;
  readonly #tokens = new Map<string, string>();
  /** The last failure to apply, by uid, until it is mended. */
  readonly #failures = new Map<string, Failure>();

  constructor(options: ReconcilerOptions) {
    this.#options = options;
    options.caches.engines.on({
      deleted: ({ metadata }) => {
        this.#tokens.delete(metadata.uid);
        this.#failures.delete(metadata.uid);
      },
    });
  }

  /** Brings one HFTEngine, named `namespace/name`, a step nearer to its spec. Throws what should be retried with back-off. */
  async reconcile(key: string, signal: AbortSignal): Promise<{ requeueAfterMs?: number }> {
    const source = this.#options.caches.engines.get(refOf(key));
    if (source === undefined) return {};
    const engine = parse(source);
    if (engine.metadata.deletionTimestamp !== undefined) return await this.#delete(engine, source, signal);
    if (!(engine.metadata.finalizers ?? []).includes(DRAIN_FINALIZER)) await setFinalizer(this.#options, engine, true, signal);

    const { client, caches, applier, probe, operatorNamespace, events } = this.#options;
    const failure = this.#failures.get(engine.metadata.uid);
    const seen = await observe({ client, caches, probe, tokens: this.#tokens }, engine, signal);
    const standing = failure?.generation === engine.metadata.generation ? failure.message : undefined;
    const {
      objects,
      gates,
      prune: stale,
      status,
      requeueAfterMs,
    } = plan(engine, { ...seen, ...(standing === undefined ? {} : { applyFailure: standing }) }, operatorNamespace);
    const reported = await applier.applyStatus(hftEngines, source, status, { signal });
    if (reported.action === 'updated') announceStatus(events, source, engine.status, status);

    try {
      const written = await applyObjects(this.#options, engine, objects, signal);
      announceRepairs(events, engine, source, written);
      await setGates(this.#options, gates, seen.now, signal);
      await prune(this.#options, stale, signal);
    } catch (error) {
      if (error instanceof ApplyError)
        this.#failures.set(engine.metadata.uid, { generation: engine.metadata.generation, message: error.message });
      throw error;
    }
    if (this.#failures.delete(engine.metadata.uid)) return { requeueAfterMs: 0 };
    return { requeueAfterMs };
  }

  async #delete(engine: HFTEngine, source: Live<RawHFTEngine>, signal: AbortSignal): Promise<{ requeueAfterMs?: number }> {
    if (!(engine.metadata.finalizers ?? []).includes(DRAIN_FINALIZER)) return {};
    const waitingFor = await finalize(this.#options, engine, signal);
    if (waitingFor === undefined) return {};
    const observedGeneration = engine.metadata.generation;
    const conditions = setConditions(
      engine.status?.conditions,
      [
        {
          type: 'Ready',
          status: 'False',
          reason: 'Deleting',
          message: `the HFTEngine is being deleted: ${waitingFor}`,
          observedGeneration,
        },
        { type: 'Progressing', status: 'True', reason: 'Deleting', message: waitingFor, observedGeneration },
      ],
      new Date(),
    );
    const status = { ...engine.status, observedGeneration, conditions };
    try {
      const reported = await this.#options.applier.applyStatus(hftEngines, source, status, { signal });
      if (reported.action === 'updated') announceStatus(this.#options.events, source, engine.status, status);
    } catch (error) {
      if (!isKubeError(error, 'notFound')) throw error;
    }
    return { requeueAfterMs: DRAINING_MS };
  }
}

/** The typed resource with its defaults. The API server has validated it, so a failure means a CRD of another version: retrying cannot help. */
function parse(source: Live<RawHFTEngine>): HFTEngine {
  const parsed = hftEngineSchema.safeParse(source);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new TerminalError(
    `HFTEngine ${source.metadata.name}: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}; the CRD and the operator are of different versions: apply the install manifests again`,
  );
}
