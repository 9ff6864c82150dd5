/** The operator process: wiring only. Watches from the start, so that a standby takes over with warm caches; reconciles while it leads. */
import { pino } from 'pino';
import { Registry, collectDefaultMetrics } from 'prom-client';
import { GROUP } from '../crds/hftengine.ts';
import { FIELD_MANAGER } from '../charts/names.ts';
import { Caches } from './engine/caches.ts';
import { httpProbe } from './engine/probe.ts';
import { EngineReconciler } from './engine/reconciler.ts';
import { Applier } from './kube/apply.ts';
import { loadClient } from './kube/client.ts';
import { Controller } from './kube/controller.ts';
import { EventRecorder } from './kube/events.ts';
import { HealthServer } from './kube/health.ts';
import { LeaderElector } from './kube/lease.ts';
import { keyOf } from './kube/resource.ts';
import { HELP, OptionsError, readOptions, type OperatorOptions } from './options.ts';

async function run(options: OperatorOptions): Promise<number> {
  const log = pino({ level: options.logLevel, base: { identity: options.identity } });
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const stopping = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stopping.abort(new Error(`${signal} received`)));

  const client = loadClient({ registry, userAgent: FIELD_MANAGER, ...(options.kubeconfig === undefined ? {} : { kubeconfigPath: options.kubeconfig }) });
  const events = new EventRecorder({ client, component: FIELD_MANAGER, instance: options.identity, registry, log });
  const applier = new Applier({ client, fieldManager: FIELD_MANAGER, annotationPrefix: GROUP, registry });
  const caches = new Caches({
    client,
    registry,
    log,
    ...(options.watchNamespace === undefined ? {} : { namespace: options.watchNamespace }),
    onChange: (key) => controller.enqueue(key),
  });
  const reconciler = new EngineReconciler({ client, caches, applier, events, probe: httpProbe, log, operatorNamespace: options.namespace });
  const controller = new Controller({
    name: 'hftengine',
    reconcile: (key, signal) => reconciler.reconcile(key, signal),
    maxConcurrent: options.workers,
    registry,
    log,
  });

  const health = new HealthServer({ registry, log });
  for (const [kind, reflector] of caches.all) health.addHealthz(`watch-${kind}`, () => reflector.health());
  const elector = new LeaderElector({
    client,
    name: FIELD_MANAGER,
    namespace: options.namespace,
    identity: options.identity,
    leaseDurationMs: options.leaseSeconds * 1_000,
    renewDeadlineMs: (options.leaseSeconds * 1_000 * 2) / 3,
    retryPeriodMs: (options.leaseSeconds * 1_000) / 7.5,
    registry,
    log,
    onStartedLeading: async (signal) => {
      await caches.whenSynced(SYNC_TIMEOUT_MS, signal);
      for (const engine of caches.engines.list()) controller.enqueue(keyOf(engine));
      controller.start();
    },
    onStoppedLeading: (reason) => log.info({ reason }, 'no longer the leader'),
  });
  health.addHealthz('lease', () => elector.health());
  health.addReadyz('caches', () => {
    const unsynced = [...caches.all].find(([, reflector]) => !reflector.synced);
    return unsynced === undefined ? { ok: true } : { ok: false, reason: `${unsynced[0]} has not been listed yet` };
  });
  const { port } = await health.listen(options.port, options.host);
  log.info({ port, namespace: options.watchNamespace ?? 'all' }, 'hft-operator is up');

  caches.start(stopping.signal);
  await elector.run(stopping.signal);
  const asked = stopping.signal.aborted;
  // A process that lost the Lease must not write another byte: reconciles are cut off, not drained.
  await controller.stop({ drainTimeoutMs: 0 });
  stopping.abort();
  await events.stop();
  await health.close();
  await client.close();
  log.info({}, asked ? 'stopped as asked' : 'the Lease was lost; the process ends so that a new one starts clean');
  return asked ? 0 : 1;
}

/** How long a new leader waits for its first list of every kind before it gives the Lease up. */
const SYNC_TIMEOUT_MS = 60_000;

try {
  const options = readOptions(process.argv.slice(2), process.env);
  if (options === 'help') console.log(HELP);
  else process.exitCode = await run(options);
} catch (error) {
  console.error(error instanceof OptionsError ? error.message : error);
  process.exitCode = 2;
}
