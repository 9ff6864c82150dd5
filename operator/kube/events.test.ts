import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { FakeClock } from './clock.ts';
import { EventRecorder } from './events.ts';
import { FakeApi, sendJson } from './fake-api.test-support.ts';
import type { Answer } from './fake-api.test-support.ts';

const about = (name: string) => ({ apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'n', uid: `uid-${name}` } });
const created: Answer = (request, response) => sendJson(response, 201, request.body === '' ? {} : JSON.parse(request.body));

async function bench(answer: Answer = created) {
  const api = await FakeApi.start(answer);
  const client = api.client({ requestTimeoutMs: 500 });
  const clock = new FakeClock();
  const registry = new Registry();
  const recorder = new EventRecorder({ client, component: 'example.io/op', instance: 'pod-1', clock, registry });
  return {
    api,
    clock,
    recorder,
    written: () => api.requests.map(({ method, body }) => [method, JSON.parse(body) as Record<string, unknown>] as const),
    count: async (result: string) => Number(new RegExp(`kube_events_total{result="${result}"} (\\d+)`).exec(await registry.metrics())?.[1]),
    async [Symbol.asyncDispose]() {
      await client.close();
      await api[Symbol.asyncDispose]();
    },
  };
}

describe('EventRecorder', () => {
  it('writes an event as the API wants it', async () => {
    await using b = await bench();
    b.recorder.event(about('p'), 'Warning', 'Broken', 'x'.repeat(2_000), 'Checking');
    await b.recorder.flush();
    const [method, body] = b.written()[0] ?? [];
    expect(method).toBe('POST');
    expect(body).toMatchObject({
      apiVersion: 'events.k8s.io/v1',
      eventTime: '2026-01-01T00:00:00.000000Z',
      reportingController: 'example.io/op',
      reportingInstance: 'pod-1',
      regarding: { apiVersion: 'v1', kind: 'Pod', name: 'p', namespace: 'n', uid: 'uid-p' },
      type: 'Warning',
      reason: 'Broken',
      action: 'Checking',
    });
    expect(Buffer.byteLength(String(body?.['note']))).toBeLessThanOrEqual(1_024);
  });

  it('counts repetitions in one object, written at most every five seconds', async () => {
    await using b = await bench();
    b.recorder.event(about('p'), 'Normal', 'Again', 'the same');
    await expect.poll(() => b.api.requests.length).toBe(1);
    for (let i = 0; i < 99; i++) b.recorder.event(about('p'), 'Normal', 'Again', 'the same');
    await b.clock.advance(4_999);
    expect(b.api.requests).toHaveLength(1);
    await b.clock.advance(1);
    await expect.poll(() => b.api.requests.length).toBe(2);
    expect(b.written()[1]).toMatchObject(['PATCH', { series: { count: 100 } }]);
    expect(await b.count('repeated')).toBe(99);
  });

  it('makes the object again when the API server has forgotten it', async () => {
    await using b = await bench((request, response) =>
      request.method === 'PATCH' ? sendJson(response, 404, {}) : created(request, response),
    );
    b.recorder.event(about('p'), 'Normal', 'Again', 'the same');
    await b.recorder.flush();
    b.recorder.event(about('p'), 'Normal', 'Again', 'the same');
    await b.recorder.flush();
    expect(b.written().map(([method]) => method)).toEqual(['POST', 'PATCH', 'POST']);
    expect(b.written()[2]?.[1]).toMatchObject({ series: { count: 2 } });
  });

  it('drops what one object reports too often, and lets others through', async () => {
    await using b = await bench();
    for (let i = 0; i < 100; i++) b.recorder.event(about('noisy'), 'Normal', 'R', `note ${i}`);
    b.recorder.event(about('quiet'), 'Normal', 'R', 'note');
    await b.recorder.flush();
    expect(b.api.requests).toHaveLength(26);
    expect(await b.count('dropped')).toBe(75);
    await b.clock.advance(300_000);
    b.recorder.event(about('noisy'), 'Normal', 'R', 'later');
    await b.recorder.flush();
    expect(b.api.requests).toHaveLength(27);
  });

  it('never throws and never waits, whatever the API server or the caller does', async () => {
    await using b = await bench((_request, response) => sendJson(response, 500, {}));
    b.recorder.event(about('p'), 'Normal', 'R', 'note');
    await b.recorder.flush();
    const circular = about('c');
    Object.assign(circular.metadata, { uid: 1n });
    b.recorder.event(circular, 'Normal', 'R', 'note');
    expect(await b.count('failed')).toBe(2);
    await b.recorder.stop();
    b.recorder.event(about('p'), 'Normal', 'R', 'after the end');
    expect(b.api.requests).toHaveLength(2);
  });

  it('keeps no more than it may while nothing can be written', async () => {
    await using b = await bench(() => undefined);
    for (let i = 0; i < 3_000; i++) b.recorder.event(about(`p${i}`), 'Normal', 'R', 'note');
    expect(await b.count('dropped')).toBeGreaterThanOrEqual(1_999);
  });
});
