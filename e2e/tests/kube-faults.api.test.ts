import { setTimeout as wait } from 'node:timers/promises';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApiServer } from '../cluster/api-only.ts';
import type { ApiOnly } from '../cluster/api-only.ts';
import { startFaultProxy } from '../fault-proxy/main.ts';
import type { Fault, FaultKind, FaultProxy } from '../fault-proxy/main.ts';
import { loadClient } from '../../operator/kube/client.ts';
import type { KubeClient } from '../../operator/kube/client.ts';
import { HealthServer } from '../../operator/kube/health.ts';
import { Reflector } from '../../operator/kube/reflector.ts';
import { resources } from '../../operator/kube/resource.ts';
import { eventually } from '../wait.ts';

/** The promise: a change is noticed within this time of the fault's end. */
const NOTICED_WITHIN_MS = 5_000;
/** A watch may be deaf for its term and grace (3 s) before that is known; the rest is slack for a busy machine. */
const DEAF_UNNOTICED_MS = 4_000;
const NAMESPACE = 'default';

let api: ApiOnly;
let direct: KubeClient;

beforeAll(async () => {
  api = await startApiServer();
  direct = loadClient({ kubeconfigPath: api.kubeconfigPath });
});

afterAll(async () => {
  await direct?.close();
  await api?.stop();
});

/** A reflector behind the proxy with a health server, and a direct connection that changes what it reflects. */
class Bench implements AsyncDisposable {
  readonly proxy: FaultProxy;
  readonly client: KubeClient;
  readonly reflector;
  readonly events: string[] = [];
  /** Version in the object -> when the reflector delivered it. */
  readonly delivered = new Map<number, number>();
  readonly written = new Map<number, number>();
  readonly #health: HealthServer;
  readonly #name: string;
  healthUrl = '';
  uid = '';
  #version = 0;

  constructor(proxy: FaultProxy, name: string) {
    this.proxy = proxy;
    this.#name = name;
    const registry = new Registry();
    this.client = loadClient({ kubeconfigPath: proxy.kubeconfigPath, registry });
    const saw = (type: string) => (object: { metadata: { uid: string; name: string }; data?: Record<string, string> }) => {
      if (object.metadata.name !== name) return;
      this.events.push(`${type} ${object.metadata.uid}`);
      const version = Number(object.data?.['version']);
      if (type !== 'deleted' && !this.delivered.has(version)) this.delivered.set(version, performance.now());
    };
    this.reflector = new Reflector({
      client: this.client,
      resource: resources.configMaps,
      namespace: NAMESPACE,
      registry,
      handlers: { added: saw('added'), updated: saw('updated'), deleted: saw('deleted') },
    });
    this.#health = new HealthServer({ registry });
    this.#health.addHealthz('configmaps', () => this.reflector.health());
  }

  async start(): Promise<void> {
    const { port } = await this.#health.listen(0, '127.0.0.1');
    this.healthUrl = `http://127.0.0.1:${port}/healthz`;
    await this.recreate();
    this.reflector.start();
    await this.reflector.whenSynced({ timeoutMs: 10_000 });
  }

  get #ref(): { namespace: string; name: string } {
    return { namespace: NAMESPACE, name: this.#name };
  }

  get latest(): number {
    return this.#version;
  }

  /** Deletes the object if there is one and makes it anew under the same name. */
  async recreate(): Promise<void> {
    await direct.delete(resources.configMaps, this.#ref);
    this.#version += 1;
    const made = await direct.create(resources.configMaps, { metadata: this.#ref, data: { version: String(this.#version) } });
    this.uid = made.metadata.uid;
    this.written.set(this.#version, performance.now());
  }

  async change(): Promise<void> {
    const version = this.#version + 1;
    await direct.patch(resources.configMaps, this.#ref, { data: { version: String(version) } }, { type: 'merge' });
    this.#version = version;
    this.written.set(version, performance.now());
  }

  async healthStatus(): Promise<number> {
    const response = await fetch(this.healthUrl, { signal: AbortSignal.timeout(3_000) });
    await response.text();
    return response.status;
  }

  /** How long the oldest change has gone unnoticed; versions that were overtaken by a delivered one count as noticed. */
  unnoticedMs(): number {
    const newest = Math.max(0, ...this.delivered.keys());
    const waiting = [...this.written].filter(([version]) => version > newest).map(([, at]) => at);
    return waiting.length === 0 ? 0 : performance.now() - Math.min(...waiting);
  }

  async noticed(version: number, timeoutMs: number): Promise<number> {
    const startedMs = performance.now();
    await eventually(`version ${version} is noticed`, () => Math.max(0, ...this.delivered.keys()) >= version, { timeoutMs, everyMs: 20 });
    return performance.now() - startedMs;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.reflector.stop();
    await this.#health.close();
    await this.client.close();
    await this.proxy.stop();
  }
}

async function startBench(name: string): Promise<Bench> {
  const bench = new Bench(await startFaultProxy({ kubeconfigPath: api.kubeconfigPath }), name);
  await bench.start();
  return bench;
}

interface Watched {
  readonly statuses: Set<number>;
  /** Health said «ok» while a change had gone unnoticed for longer than can be unknown. */
  readonly lies: string[];
}

/** Changes the object all the while and compares what health says with what is true. */
async function observe(bench: Bench, forMs: number): Promise<Watched> {
  const statuses = new Set<number>();
  const lies: string[] = [];
  const endMs = performance.now() + forMs;
  while (performance.now() < endMs) {
    await bench.change();
    for (let i = 0; i < 4 && performance.now() < endMs; i++) {
      const unnoticedMs = bench.unnoticedMs();
      const status = await bench.healthStatus();
      statuses.add(status);
      if (status === 200 && unnoticedMs > DEAF_UNNOTICED_MS) lies.push(`ok although deaf for ${Math.round(unnoticedMs)} ms`);
      await wait(100);
    }
  }
  return { statuses, lies };
}

interface Case {
  readonly title: string;
  readonly fault: FaultKind | Fault;
  readonly lastsMs: number;
  /** Whether nothing can be noticed while it lasts, so that health must say so. */
  readonly deaf: boolean;
}

const isWatch = ({ watch }: { watch: boolean }): boolean => watch;

const CASES: readonly Case[] = [
  { title: 'connections are reset', fault: 'reset', lastsMs: 4_000, deaf: true },
  { title: '410 as an ERROR event', fault: 'gone-event', lastsMs: 4_000, deaf: false },
  { title: '410 by status', fault: 'gone-status', lastsMs: 4_000, deaf: false },
  { title: '429 with Retry-After 1', fault: 'too-many-requests', lastsMs: 4_000, deaf: true },
  { title: '429 with Retry-After 30', fault: { kind: 'too-many-requests', retryAfterSeconds: 30 }, lastsMs: 5_000, deaf: true },
  { title: '500', fault: 'server-error', lastsMs: 4_000, deaf: true },
  { title: 'all connections hang, then carry on', fault: 'hang', lastsMs: 7_000, deaf: true },
  { title: 'all connections hang, those for ever', fault: { kind: 'hang', staysHung: true }, lastsMs: 7_000, deaf: true },
  { title: 'a short hang of all connections, those for ever', fault: { kind: 'hang', staysHung: true }, lastsMs: 300, deaf: false },
  { title: 'old connections hang for ever', fault: { kind: 'hang-existing', staysHung: true }, lastsMs: 5_000, deaf: false },
  {
    title: 'only the watch hangs, for ever',
    fault: { kind: 'hang-existing', match: isWatch, staysHung: true },
    lastsMs: 5_000,
    deaf: false,
  },
  { title: 'new connections hang', fault: 'hang-new', lastsMs: 5_000, deaf: false },
  { title: 'watch lines are truncated', fault: 'truncated', lastsMs: 5_000, deaf: false },
];

describe('a reflector behind a faulty path', () => {
  it.each(CASES)('$title', async ({ title, fault, lastsMs, deaf }) => {
    await using bench = await startBench(`fault-${title.replaceAll(/[^a-z0-9]+/gi, '-').toLowerCase()}`);
    await bench.change();
    await bench.noticed(bench.latest, NOTICED_WITHIN_MS);
    expect(await bench.healthStatus()).toBe(200);

    bench.proxy.setFault(fault);
    const during = await observe(bench, lastsMs);
    bench.proxy.setFault(undefined);

    const missed = bench.latest;
    const missedAfterMs = await bench.noticed(missed, NOTICED_WITHIN_MS);
    await bench.change();
    const nextAfterMs = missedAfterMs + (await bench.noticed(bench.latest, NOTICED_WITHIN_MS));
    expect(nextAfterMs).toBeLessThan(NOTICED_WITHIN_MS);
    await expect.poll(() => bench.healthStatus(), { timeout: NOTICED_WITHIN_MS }).toBe(200);

    expect(during.lies).toEqual([]);
    expect(during.statuses.has(503) || !deaf, 'health was bad at some time').toBe(true);
    // Nothing fake was delivered: one object, updated.
    expect(new Set(bench.events.map((event) => event.split(' ')[1]))).toEqual(new Set([bench.uid]));
    console.log(`${title}: noticed ${Math.round(missedAfterMs)} ms after the end; health during: ${[...during.statuses].join(', ')}`);
  });

  it('sees an object made again under its name as another one', async () => {
    await using bench = await startBench('made-again');
    const first = bench.uid;
    bench.proxy.setFault('server-error');
    await bench.recreate();
    bench.proxy.setFault(undefined);
    await bench.noticed(bench.latest, NOTICED_WITHIN_MS);
    expect(bench.events).toEqual([`added ${first}`, `deleted ${first}`, `added ${bench.uid}`]);
    expect(bench.uid).not.toBe(first);
  });

  it('survives the API server being killed and started again', async () => {
    await using bench = await startBench('restart');
    await api.stopApiServer();
    await expect.poll(() => bench.healthStatus(), { timeout: DEAF_UNNOTICED_MS }).toBe(503);
    await api.startApiServer();
    await bench.change();
    expect(await bench.noticed(bench.latest, NOTICED_WITHIN_MS)).toBeLessThan(NOTICED_WITHIN_MS);
    await expect.poll(() => bench.healthStatus(), { timeout: NOTICED_WITHIN_MS }).toBe(200);
  });

  it('notices a frozen API server, and its thaw', async () => {
    await using bench = await startBench('frozen');
    api.suspendApiServer();
    try {
      await expect.poll(() => bench.healthStatus(), { timeout: DEAF_UNNOTICED_MS }).toBe(503);
    } finally {
      api.resumeApiServer();
    }
    await bench.change();
    expect(await bench.noticed(bench.latest, NOTICED_WITHIN_MS)).toBeLessThan(NOTICED_WITHIN_MS);
    await expect.poll(() => bench.healthStatus(), { timeout: NOTICED_WITHIN_MS }).toBe(200);
  });

  it('costs one list and one short watch every two seconds when nothing happens', async () => {
    await using bench = await startBench('quiet');
    await bench.noticed(bench.latest, NOTICED_WITHIN_MS);
    bench.proxy.clearRequests();
    await wait(6_500);
    const requests = bench.proxy.requests();
    expect(requests.every(({ watch }) => watch)).toBe(true);
    expect(requests.length).toBeGreaterThanOrEqual(2);
    expect(requests.length).toBeLessThanOrEqual(4);
    expect(bench.proxy.connections()).toBeLessThanOrEqual(2);
    expect(bench.reflector.health()).toEqual({ ok: true });
  });
});
