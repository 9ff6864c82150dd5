import type { ServerResponse } from 'node:http';
import * as fc from 'fast-check';
import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { configMap, FakeApi, sendJson } from './fake-api.test-support.ts';
import type { FakeRequest } from './fake-api.test-support.ts';
import { Reflector } from './reflector.ts';
import type { ReflectorTiming } from './reflector-options.ts';
import { resources } from './resource.ts';
import type { KubeObject, Live } from './resource.ts';
import { Store } from './store.ts';
import { readWatch } from './watch-stream.ts';

const TIMING: Partial<ReflectorTiming> = {
  watchTermMs: 1_000,
  graceMs: 200,
  answerTimeoutMs: 500,
  minBackoffMs: 5,
  maxBackoffMs: 20,
  maxRetryAfterMs: 300,
  deafAfterMs: 100,
};

/** Lists and watches a script: `onWatch` gets each watch in turn. */
class Scripted {
  readonly lists: object[][];
  readonly watches: FakeRequest[] = [];
  readonly onWatch: (n: number, response: ServerResponse, request: FakeRequest) => void;
  listVersion = 100;
  listed = 0;

  constructor(lists: object[][], onWatch: (n: number, response: ServerResponse, request: FakeRequest) => void) {
    this.lists = lists;
    this.onWatch = onWatch;
  }

  answer = (request: FakeRequest, response: ServerResponse): void => {
    if (request.query.get('watch') === 'true') {
      this.watches.push(request);
      this.onWatch(this.watches.length, response, request);
      return;
    }
    const items = this.lists[Math.min(this.listed, this.lists.length - 1)] ?? [];
    this.listed += 1;
    sendJson(response, 200, { metadata: { resourceVersion: String(this.listVersion++) }, items });
  };
}

const line = (type: string, object: object): string => `${JSON.stringify({ type, object })}\n`;
const open = (response: ServerResponse): void => {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.flushHeaders();
};
const bookmark = (version: number): string => line('BOOKMARK', { metadata: { resourceVersion: String(version) } });

interface Running extends AsyncDisposable {
  readonly api: FakeApi;
  readonly events: string[];
  readonly reflector: Reflector<KubeObject>;
}

async function run(script: Scripted, options: { registry?: Registry; onEvent?: () => void } = {}): Promise<Running> {
  const api = await FakeApi.start(script.answer);
  const client = api.client();
  const events: string[] = [];
  const note =
    (type: string) =>
    (object: Live<KubeObject>): void => {
      events.push(`${type} ${object.metadata.name}/${object.metadata.uid}@${object.metadata.resourceVersion}`);
      options.onEvent?.();
    };
  const reflector = new Reflector<KubeObject>({
    client,
    resource: resources.configMaps,
    timing: TIMING,
    handlers: { added: note('+'), updated: note('~'), deleted: note('-') },
    ...(options.registry ? { registry: options.registry } : {}),
  });
  reflector.start();
  return {
    api,
    events,
    reflector,
    async [Symbol.asyncDispose]() {
      await reflector.stop();
      await client.close();
      await api[Symbol.asyncDispose]();
    },
  };
}

const soon = { timeout: 3_000, interval: 5 };

describe('Reflector', () => {
  it('lists, watches from that version with bookmarks and a term, and resumes from the last event', async () => {
    const script = new Scripted([[configMap('a', 1)]], (n, response) => {
      open(response);
      if (n === 1) response.end(line('MODIFIED', configMap('a', 101)) + bookmark(140));
    });
    await using r = await run(script);
    await expect.poll(() => script.watches.length, soon).toBe(2);
    expect(script.listed).toBe(1);
    expect(r.events).toEqual(['+ a/uid-a@1', '~ a/uid-a@101']);
    expect(Object.fromEntries(script.watches[0]?.query ?? [])).toEqual({
      watch: 'true',
      allowWatchBookmarks: 'true',
      resourceVersion: '100',
      timeoutSeconds: '1',
    });
    expect(script.watches[1]?.query.get('resourceVersion')).toBe('140');
  });

  const failures: readonly [string, (response: ServerResponse) => void][] = [
    ['a reset', (response) => response.destroy()],
    ['a reset after the head', (response) => (open(response), response.destroy())],
    ['500', (response) => sendJson(response, 500, {})],
    ['429 with Retry-After', (response) => sendJson(response, 429, {}, { 'retry-after': '0.1' })],
    ['a truncated line', (response) => (open(response), response.end(line('ADDED', configMap('b', 101)).slice(0, 40)))],
    ['garbage', (response) => (open(response), response.end('<html>\n'))],
    ['an event of unknown type', (response) => (open(response), response.end(line('PATCHED', configMap('b', 101))))],
    ['an in-band error that is not 410', (response) => (open(response), response.end(line('ERROR', { code: 500, message: 'etcd' })))],
    ['an end at once', (response) => (open(response), response.end())],
    ['no answer', () => undefined],
    ['a stream that never ends', (response) => open(response)],
  ];
  it.each(failures)('tries again after %s, from the same version', async (_name, fail) => {
    const script = new Scripted([[]], (n, response) => {
      if (n === 1) {
        fail(response);
        return;
      }
      open(response);
      response.write(line('ADDED', configMap('b', 102)));
    });
    await using r = await run(script);
    await expect.poll(() => r.events, soon).toEqual(['+ b/uid-b@102']);
    expect(script.listed).toBe(1);
    expect(script.watches[1]?.query.get('resourceVersion')).toBe('100');
    expect(r.reflector.health()).toEqual({ ok: true });
  });

  const relists: readonly [string, (response: ServerResponse) => void][] = [
    ['410 by status', (response) => sendJson(response, 410, { reason: 'Expired' })],
    ['410 in the stream', (response) => (open(response), response.end(line('ERROR', { code: 410, reason: 'Expired' })))],
    [
      'a version the server has not reached',
      (response) => sendJson(response, 504, { details: { causes: [{ reason: 'ResourceVersionTooLarge' }] } }),
    ],
    ['a version it calls invalid', (response) => sendJson(response, 400, { message: 'Invalid value: "100"' })],
  ];
  it.each(relists)('lists anew after %s, and tells only of what changed', async (_name, fail) => {
    const before = [configMap('same', 1), configMap('gone', 2), configMap('changed', 3), configMap('again', 4, 'first')];
    const after = [configMap('same', 1), configMap('changed', 50), configMap('again', 51, 'second'), configMap('new', 52)];
    const script = new Scripted([before, after], (n, response) => (n === 1 ? fail(response) : open(response)));
    await using r = await run(script);
    await expect.poll(() => script.listed, soon).toBe(2);
    await expect.poll(() => r.events.length, soon).toBe(9);
    expect(r.events.slice(4)).toEqual([
      '- gone/uid-gone@2',
      '~ changed/uid-changed@50',
      '- again/first@4',
      '+ again/second@51',
      '+ new/uid-new@52',
    ]);
    expect(r.reflector.list().map(({ metadata }) => metadata.name)).toEqual(['same', 'changed', 'again', 'new']);
  });

  it('distrusts its version after three failures in a row', async () => {
    const script = new Scripted([[]], (n, response) => (n <= 3 ? sendJson(response, 500, {}) : open(response)));
    await using r = await run(script);
    await expect.poll(() => script.watches.length, soon).toBe(4);
    expect(script.listed).toBe(2);
    expect(r.reflector.synced).toBe(true);
  });

  it('does not ask in a tight loop when every watch ends at once', async () => {
    const script = new Scripted([[]], (_n, response) => (open(response), response.end()));
    await using r = await run(script);
    const startedMs = performance.now();
    await expect.poll(() => script.watches.length, soon).toBeGreaterThan(20);
    // 10 to 20 ms each, once the pause has grown.
    expect(performance.now() - startedMs).toBeGreaterThan(150);
    expect(r.reflector.synced).toBe(true);
  });

  it('is unhealthy before the first list and while deaf, says why, and recovers', async () => {
    let broken = true;
    const script = new Scripted([[]], (_n, response) => {
      if (broken) sendJson(response, 500, { message: 'etcd is on fire' });
      else {
        open(response);
        response.end(bookmark(200));
      }
    });
    const registry = new Registry();
    const api = await FakeApi.start((request, response) =>
      broken ? sendJson(response, 500, { message: 'etcd is on fire' }) : script.answer(request, response),
    );
    const client = api.client();
    let recovered = 0;
    const handlers = { recovered: () => void (recovered += 1) };
    const reflector = new Reflector({ client, resource: resources.configMaps, timing: TIMING, registry, handlers });
    reflector.start();
    await expect(reflector.whenSynced({ timeoutMs: 100 })).rejects.toThrow(/configmaps: no first list within 100 ms.*etcd is on fire/);
    expect(reflector.health()).toMatchObject({ ok: false, reason: expect.stringMatching(/^not synced: .*etcd is on fire/) });
    broken = false;
    await reflector.whenSynced({ timeoutMs: 3_000 });
    expect(reflector.health()).toEqual({ ok: true });
    expect(recovered).toBe(0);
    broken = true;
    await expect
      .poll(() => reflector.health(), soon)
      .toMatchObject({ ok: false, reason: expect.stringMatching(/^deaf for .*etcd is on fire/) });
    expect(await registry.metrics()).toContain('reflector_deaf{name="configmaps"} 1');
    broken = false;
    await expect.poll(() => reflector.health(), soon).toEqual({ ok: true });
    expect(recovered).toBe(1);
    expect(await registry.metrics()).toContain('reflector_deaf{name="configmaps"} 0');
    await reflector.stop();
    expect(await registry.metrics()).not.toContain('reflector_deaf{');
    await client.close();
    await api[Symbol.asyncDispose]();
  });

  it('outlives handlers that throw, and tells the others', async () => {
    const script = new Scripted([[configMap('a', 1)]], (_n, response) => {
      open(response);
      response.write(line('MODIFIED', configMap('a', 101)));
    });
    const registry = new Registry();
    await using r = await run(script, {
      registry,
      onEvent: () => {
        throw new Error('handler');
      },
    });
    const late: string[] = [];
    await r.reflector.whenSynced({ timeoutMs: 1_000 });
    const off = r.reflector.on({
      added: (o) => void late.push(`+${o.metadata.name}`),
      updated: (o) => void late.push(`~${o.metadata.name}`),
    });
    await expect.poll(() => r.events, soon).toEqual(['+ a/uid-a@1', '~ a/uid-a@101']);
    expect(late[0]).toBe('+a');
    off();
    expect(await registry.metrics()).toContain('reflector_failures_total{name="configmaps",reason="handler"} 2');
  });

  it('contains handlers that fail later', async () => {
    const registry = new Registry();
    const script = new Scripted([[configMap('a', 1)]], (_n, response) => open(response));
    await using r = await run(script, { registry });
    r.reflector.on({
      // oxlint-disable-next-line typescript/no-misused-promises -- the mistake that is tested
      added: async () => {
        throw new Error('later');
      },
    });
    await r.reflector.whenSynced({ timeoutMs: 1_000 });
    await expect.poll(() => registry.metrics(), soon).toContain('reflector_failures_total{name="configmaps",reason="handler"} 1');
  });

  it('lets go of those who wait for its list when it is stopped', async () => {
    const script = new Scripted([[]], (_n, response) => open(response));
    const r = await run(script);
    r.api.answer = () => undefined;
    const waiting = r.reflector.whenSynced().catch((error: unknown) => error);
    await r[Symbol.asyncDispose]();
    expect(await waiting).toBeInstanceOf(Error);
    await expect(r.reflector.whenSynced()).rejects.toThrow('abort');
  });

  it('stops at once, in the middle of a watch or of a pause', async () => {
    const script = new Scripted([[]], (_n, response) => open(response));
    const r = await run(script);
    await r.reflector.whenSynced({ timeoutMs: 1_000 });
    const startedMs = performance.now();
    await r[Symbol.asyncDispose]();
    expect(performance.now() - startedMs).toBeLessThan(300);
  });
});

describe('readWatch', () => {
  async function* chunksOf(bytes: Uint8Array, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
    let from = 0;
    for (const cut of [...cuts, bytes.length]) {
      yield bytes.subarray(from, cut);
      from = cut;
    }
  }

  it('reads the same events however the bytes are cut, within characters too', async () => {
    const names = fc.array(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 }), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(names, fc.array(fc.nat(2_000), { maxLength: 20 }), async (all, cuts) => {
        const bytes = Buffer.from(all.map((name, i) => line('ADDED', configMap(name, i))).join(''));
        const sorted = cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b);
        const read: string[] = [];
        for await (const event of readWatch(chunksOf(bytes, sorted), '/x'))
          read.push(event.type === 'ADDED' ? event.object.metadata.name : event.type);
        expect(read).toEqual(all);
      }),
    );
  });

  it('never takes a cut event for a whole one', async () => {
    const bytes = Buffer.from(line('ADDED', configMap('a', 1)));
    for (let length = 1; length < bytes.length; length++) {
      const read = async (): Promise<number> => {
        let count = 0;
        for await (const _event of readWatch(chunksOf(bytes.subarray(0, length), []), '/x')) count += 1;
        return count;
      };
      await expect(read()).rejects.toMatchObject({ code: 'badResponse' });
    }
  });
});

describe('Store', () => {
  it('ends with the same objects whether changes come one by one or in a list', () => {
    const name = fc.constantFrom('a', 'b', 'c');
    const change = fc.record({ op: fc.constantFrom('put', 'remake', 'delete'), name });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 30 }), (changes) => {
        const streamed = new Store<KubeObject>();
        const seen = new Map<string, string>();
        const truth = new Map<string, Live<KubeObject>>();
        let version = 0;
        let uid = 0;
        const follow = (list: ReturnType<typeof streamed.put>): void => {
          for (const { type, object } of list) {
            const { metadata } = object;
            expect(seen.has(metadata.uid)).toBe(type !== 'added');
            if (type === 'deleted') seen.delete(metadata.uid);
            else seen.set(metadata.uid, metadata.resourceVersion);
          }
        };
        for (const { op, name: target } of changes) {
          const old = truth.get(target);
          version += 1;
          if (op === 'delete') {
            if (!old) continue;
            truth.delete(target);
            follow(streamed.remove({ metadata: { ...old.metadata, resourceVersion: String(version) } }));
          } else {
            const keep = op === 'put' && old ? old.metadata.uid : `uid-${uid++}`;
            const object = { metadata: { name: target, uid: keep, resourceVersion: String(version) } };
            truth.set(target, object);
            follow(streamed.put(object));
          }
        }
        const current = [...truth.values()].map(({ metadata }) => [metadata.uid, metadata.resourceVersion]);
        expect(new Map(seen)).toEqual(new Map(current as [string, string][]));
        // A list of the truth then brings no news, and a list of nothing takes all away.
        expect(streamed.replace([...truth.values()])).toEqual([]);
        follow(streamed.replace([]));
        expect(seen.size).toBe(0);
      }),
    );
  });
});
