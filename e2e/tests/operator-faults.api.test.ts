/**
 * The operator behind a faulty path to its API server: whatever happened, a change made while it lasted and the next one are applied within
 * five seconds of its end, and `/healthz` said so while the operator could not hear.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadClient, type KubeClient } from '../../operator/kube/client.ts';
import { resources } from '../../operator/kube/resource.ts';
import { startApiServer, type ApiOnly } from '../cluster/api-only.ts';
import { startFaultProxy, type Fault, type FaultProxy } from '../fault-proxy/main.ts';
import { changeSpec, engineObject, engines, ensureNamespace, installRights, type EngineObject } from '../support/install.ts';
import { startOperator, type OperatorProcess } from '../support/operator-process.ts';
import { eventually } from '../wait.ts';

const NOTICED_WITHIN_MS = 5_000;
const ref = { name: 'demo', namespace: 'trading' };
let server: ApiOnly;
let direct: KubeClient;
let proxy: FaultProxy;
let operator: OperatorProcess;
let maxOrderQty = 1_000;

beforeAll(async () => {
  server = await startApiServer();
  direct = loadClient({ kubeconfigPath: server.kubeconfigPath });
  await installRights(direct);
  await ensureNamespace(direct, ref.namespace);
  proxy = await startFaultProxy({
    kubeconfigPath: await server.kubeconfigForServiceAccount({ namespace: 'hft-system', name: 'hft-operator' }),
  });
  operator = await startOperator({ kubeconfigPath: proxy.kubeconfigPath, namespace: 'hft-system' });
  await direct.create(engines, engineObject(ref.name, ref.namespace) as EngineObject);
  await applied(1, 20_000);
});
afterAll(async () => {
  await operator?.kill('SIGTERM');
  await proxy?.stop();
  await direct?.close();
  await server?.stop();
});

/** Resolves when the Deployment asks for the configuration that the status names for `generation`. */
async function applied(generation: number, timeoutMs: number): Promise<void> {
  await eventually(
    `generation ${generation} is applied`,
    async () => {
      const { status } = await direct.get(engines, ref);
      const deployment = await direct.find(resources.deployments, { name: 'demo-engine', namespace: ref.namespace });
      const hash = deployment?.spec?.template.metadata?.annotations?.['hftengine.io/config-hash'];
      return status?.observedGeneration === generation && hash === status.desiredConfigHash;
    },
    { timeoutMs, everyMs: 20 },
  );
}

/** A change of the spec straight to the API server, past the fault. */
async function change(): Promise<number> {
  maxOrderQty += 1;
  return await changeSpec(direct, ref, { risk: { maxOrderQty: String(maxOrderQty) } });
}

interface Case {
  title: string;
  fault: Fault;
  lastsMs: number;
  /** The operator cannot hear while it lasts, so `/healthz` must say so. */
  deaf: boolean;
}

const CASES: readonly Case[] = [
  { title: 'connection reset', fault: { kind: 'reset' }, lastsMs: 4_500, deaf: true },
  { title: '410 in-band', fault: { kind: 'gone-event' }, lastsMs: 3_000, deaf: false },
  { title: '410 by status', fault: { kind: 'gone-status' }, lastsMs: 3_000, deaf: false },
  { title: '429 with Retry-After', fault: { kind: 'too-many-requests', retryAfterSeconds: 30 }, lastsMs: 4_500, deaf: true },
  { title: '500', fault: { kind: 'server-error' }, lastsMs: 4_500, deaf: true },
  { title: 'a hang that resumes', fault: { kind: 'hang' }, lastsMs: 6_000, deaf: true },
  { title: 'a hang of every connection, for ever', fault: { kind: 'hang', staysHung: true }, lastsMs: 6_000, deaf: true },
  {
    title: 'a hang of the watches alone, for ever',
    fault: { kind: 'hang-existing', match: ({ watch }) => watch, staysHung: true },
    lastsMs: 5_000,
    deaf: false,
  },
  { title: 'a truncated watch line', fault: { kind: 'truncated' }, lastsMs: 3_000, deaf: false },
  // Longer than the Lease can be held without renewal: leadership is lost, and won again by the same process.
  { title: 'an outage that costs the Lease', fault: { kind: 'server-error' }, lastsMs: 13_000, deaf: true },
];

describe('the operator hears again within five seconds of the end of', () => {
  test.each(CASES)('$title', { timeout: 60_000 }, async ({ fault, lastsMs, deaf }) => {
    await eventually('healthy before', async () => (await operator.get('/healthz')).status === 200, { timeoutMs: 10_000 });
    proxy.setFault(fault);
    const endsMs = performance.now() + lastsMs;
    const during = await change();
    const answers = new Set<number>();
    while (performance.now() < endsMs) {
      answers.add((await operator.get('/healthz')).status);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    proxy.setFault(undefined);
    const endedMs = performance.now();
    await applied(during, NOTICED_WITHIN_MS);
    await applied(await change(), NOTICED_WITHIN_MS - (performance.now() - endedMs));
    if (deaf) expect(answers).toContain(503);
    await eventually('healthy again', async () => (await operator.get('/healthz')).status === 200, { timeoutMs: NOTICED_WITHIN_MS });
  });

  test('an API server that was killed', { timeout: 60_000 }, async () => {
    await server.stopApiServer();
    await eventually('it says that it cannot hear', async () => (await operator.get('/healthz')).status === 503, { timeoutMs: 5_000 });
    await server.startApiServer();
    await applied(await change(), NOTICED_WITHIN_MS);
  });
});

test('no fault made it write what it need not, or die', async () => {
  const { body } = await operator.get('/metrics');
  expect(body).toContain('leader_election_master_status{name="hft-operator"} 1');
  expect(operator.log()).not.toContain('unhandled');
});
