/**
 * The reconciler of HFTEngines: observe -> plan -> report -> apply. The plan decides; this file is the table of contents.
 */
import { z } from 'zod';
import { hftEngineSchema, specSchema, statusSchema, type HFTEngine, type HFTEngineStatus } from '../../crds/hftengine.ts';
import type { EngineSecrets } from '../../charts/engine.ts';
import { DRAIN_FINALIZER } from '../../charts/names.ts';
import type { Applier } from '../kube/apply.ts';
import type { KubeClient } from '../kube/client.ts';
import { setConditions } from '../kube/conditions.ts';
import { TerminalError } from '../kube/controller.ts';
import { isKubeError } from '../kube/errors.ts';
import type { EventRecorder } from '../kube/events.ts';
import type { Log } from '../kube/log.ts';
import { refOf, type Live } from '../kube/resource.ts';
import { ApplyError, applyObjects, prune, setGates, WaitingForCollection, type Written } from './apply.ts';
import type { Caches } from './caches.ts';
import { finalize, setFinalizer } from './finalize.ts';
import { observe } from './observe.ts';
import { plan, type ReconcilePlan } from './plan.ts';
import type { EngineProbe } from './probe.ts';
import { announceRepair, announceStatus } from './report.ts';
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
/** Again after a namesake's children should be collected, after a refusal that stands, and as soon as possible. */
const COLLECTING_MS = 500;
const REFUSED_MS = 2_000;
const AT_ONCE_MS = 1;

export class EngineReconciler {
  readonly #options: ReconcilerOptions;
  readonly #secrets = new Map<string, EngineSecrets>();
  /** The last failure to apply, by uid, until it is mended. */
  readonly #failures = new Map<string, Failure>();

  constructor(options: ReconcilerOptions) {
    this.#options = options;
    options.caches.engines.on({
      deleted: ({ metadata }) => {
        this.#secrets.delete(metadata.uid);
        this.#failures.delete(metadata.uid);
      },
    });
  }

  /** Forgets what it knew of the engines: another operator may have led meanwhile. */
  startTerm(): void {
    this.#secrets.clear();
    this.#failures.clear();
  }

  /** Brings one HFTEngine, named `namespace/name`, a step nearer to its spec. Throws what should be retried with back-off. */
  async reconcile(key: string, signal: AbortSignal): Promise<{ requeueAfterMs?: number }> {
    const source = this.#options.caches.engines.get(refOf(key));
    if (source === undefined) return {};
    if (source.metadata.deletionTimestamp !== undefined) return await this.#delete(parseForDeletion(source), source, signal);
    const engine = await this.#parse(source, signal);
    await setFinalizer(this.#options, engine, true, signal);

    const { operatorNamespace } = this.#options;
    const { observed, wanted } = await observe({ ...this.#options, secrets: this.#secrets }, engine, signal);
    const failure = this.#failures.get(engine.metadata.uid);
    const standing = failure?.generation === engine.metadata.generation ? { applyFailure: failure.message } : {};
    const decided = plan({ engine, observed: { ...observed, ...standing }, wanted, operatorNamespace });
    await this.#report(engine, source, decided.status, signal);
    // Before anything that may fail: a gate that must shut cannot wait.
    await setGates(this.#options, decided.gates, observed.now, signal);
    return await this.#apply(engine, source, decided, observed.keysChanged, signal);
  }

  /** Writes the status and tells the news. A status that the API server refuses is a mistake of ours and must not keep the engine from being run. */
  async #report(engine: HFTEngine, source: Live<RawHFTEngine>, status: HFTEngineStatus, signal: AbortSignal): Promise<void> {
    try {
      const { action } = await this.#options.applier.applyStatus(hftEngines, source, status, { signal });
      if (action === 'updated') announceStatus(this.#options.events, source, engine.status, status);
    } catch (error) {
      if (isKubeError(error, 'invalid'))
        this.#options.log.error({ err: error, engine: engine.metadata.name }, 'the API server refuses the status');
      else if (!isKubeError(error, 'notFound')) throw error;
    }
  }

  async #apply(
    engine: HFTEngine,
    source: Live<RawHFTEngine>,
    decided: ReconcilePlan,
    keysChanged: boolean,
    signal: AbortSignal,
  ): Promise<{ requeueAfterMs: number }> {
    const { uid, generation } = engine.metadata;
    try {
      const onWritten = (written: Written): void => {
        // Keys whose time has come are no repair; the status tells of them.
        if (written.object.kind !== 'Secret' || !keysChanged) announceRepair(this.#options.events, engine, source, written);
      };
      await applyObjects(this.#options, engine, decided.objects, onWritten, signal);
      await prune(this.#options, decided.prune, signal);
    } catch (error) {
      if (error instanceof WaitingForCollection) return { requeueAfterMs: COLLECTING_MS };
      if (!(error instanceof ApplyError)) throw error;
      // Retrying at once cannot help, and looking after the engine must go on: the failure is told, and tried again at every look.
      const known = this.#failures.get(uid)?.message === error.message;
      this.#failures.set(uid, { generation, message: error.message });
      if (!known) this.#options.log.error({ engine: engine.metadata.name, namespace: engine.metadata.namespace }, error.message);
      return { requeueAfterMs: known ? Math.max(decided.requeueAfterMs, REFUSED_MS) : AT_ONCE_MS };
    }
    return { requeueAfterMs: this.#failures.delete(uid) ? AT_ONCE_MS : decided.requeueAfterMs };
  }

  /**
   * The typed resource with its defaults. The API server has validated it, so a failure means a CRD of another version: the status says so,
   * and retrying cannot help. A status of another version is overwritten, but for the sequence, which guards the journal.
   */
  async #parse(source: Live<RawHFTEngine>, signal: AbortSignal): Promise<HFTEngine> {
    const parsed = hftEngineSchema.safeParse(source);
    if (parsed.success) return parsed.data;
    const sequence = statusSchema.pick({ sequence: true }).safeParse(source.status).data;
    const withoutStatus = hftEngineSchema.safeParse({ ...source, status: sequence });
    if (withoutStatus.success) return withoutStatus.data;
    const [issue] = withoutStatus.error.issues;
    const message =
      `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}; the CRD and the operator are of different versions: ` +
      'apply the install manifests of one version';
    const observedGeneration = source.metadata.generation ?? 0;
    const engine = parseForDeletion(source);
    const conditions = setConditions(
      [],
      [
        { type: 'Ready', status: 'Unknown', reason: 'InvalidSpec', message, observedGeneration },
        { type: 'Degraded', status: 'True', reason: 'InvalidSpec', message, observedGeneration },
      ],
      new Date(),
    );
    await this.#report(engine, source, { ...sequence, observedGeneration, conditions }, signal);
    throw new TerminalError(`HFTEngine ${source.metadata.name}: ${message}`);
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
    await this.#report(engine, source, { ...engine.status, observedGeneration, conditions }, signal);
    return { requeueAfterMs: DRAINING_MS };
  }
}

/** What deletion needs, of a spec of any version: a resource that cannot be understood must still be able to go. */
function parseForDeletion(source: Live<RawHFTEngine>): HFTEngine {
  const parsed = hftEngineSchema.safeParse(source);
  if (parsed.success) return parsed.data;
  const known = z.object({ spec: z.object({ deletionPolicy: specSchema.shape.deletionPolicy }) }).safeParse(source);
  const deletionPolicy = known.success ? known.data.spec.deletionPolicy : 'Retain';
  const stand = { instruments: [{ symbol: 'NONE', tickSize: '1', lotSize: '1' }], deletionPolicy };
  return hftEngineSchema.parse({ ...source, spec: stand, status: undefined });
}
