/**
 * The operator process: wiring only. Watches from the start, so that a standby takes over with warm caches; reconciles while it leads.
 *
 * A leader that loses the Lease (the API server was away for longer than the renewal deadline, say) stops writing at once and stands for
 * election again in the same process. client-go's way is to exit; but then the kubelet's restart back-off, up to five minutes, would stand
 * between the end of the outage and the next reconcile. Nothing stale is carried over: each term has its own queue, and the caches are
 * watches that resume by themselves.
 */
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

async function run(options: OperatorOptions): Promise<void> {
  const log = pino({ level: options.logLevel, base: { identity: options.identity } });
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const stopping = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stopping.abort(new Error(`${signal} received`)));

  const client = loadClient({
    registry,
    userAgent: FIELD_MANAGER,
    ...(options.kubeconfig === undefined ? {} : { kubeconfigPath: options.kubeconfig }),
  });
  const events = new EventRecorder({ client, component: FIELD_MANAGER, instance: options.identity, registry, log });
  const applier = new Applier({ client, fieldManager: FIELD_MANAGER, annotationPrefix: GROUP, registry, log });
  let controller: Controller | undefined;
  const caches = new Caches({
    client,
    registry,
    log,
    ...(options.watchNamespace === undefined ? {} : { namespace: options.watchNamespace }),
    onChange: (key) => controller?.enqueue(key),
  });
  const reconciler = new EngineReconciler({ client, caches, applier, events, probe: httpProbe, log, operatorNamespace: options.namespace });

  const health = new HealthServer({ registry, log });
  for (const [kind, watch] of caches.watches) health.addHealthz(`watch-${kind}`, () => watch.health());
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
    onStartedLeading: async (term) => {
      await caches.whenSynced(term);
      if (term.aborted) return;
      reconciler.startTerm();
      controller = new Controller({
        name: 'hftengine',
        reconcile: (key, signal) => reconciler.reconcile(key, AbortSignal.any([signal, term])),
        maxConcurrent: options.workers,
        registry,
        log,
      });
      for (const engine of caches.engines.list()) controller.enqueue(keyOf(engine));
      controller.start();
    },
    // A process without the Lease must not write another byte: reconciles are cut off, not drained, and only then is the Lease given away.
    onStoppedLeading: async () => {
      await controller?.stop({ drainTimeoutMs: 0 });
      controller = undefined;
    },
  });
  health.addHealthz('lease', () => elector.health());
  health.addReadyz('caches', () => {
    const unsynced = caches.watches.find(([, watch]) => !watch.synced);
    return unsynced === undefined ? { ok: true } : { ok: false, reason: `${unsynced[0]} has not been listed yet` };
  });
  const { port } = await health.listen(options.port, options.host);
  log.info({ port, namespace: options.watchNamespace ?? 'all' }, 'hft-operator is up');

  caches.start(stopping.signal);
  while (!stopping.signal.aborted) await elector.run(stopping.signal);
  await events.stop();
  await health.close();
  await client.close();
  log.info({}, 'stopped as asked');
}

try {
  const options = readOptions(process.argv.slice(2), process.env);
  if (options === 'help') console.log(HELP);
  else await run(options);
} catch (error) {
  console.error(error instanceof OptionsError ? error.message : error);
  process.exitCode = 2;
}
