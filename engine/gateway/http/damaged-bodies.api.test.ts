/** Bodies that no schema describes: damaged text, values of other types anywhere, depth without end. Each is refused as the client's fault, or taken. */
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { configHash, type EngineConfig } from '../../../crds/engine-config.ts';
import { DEFAULT_CONFIG } from '../../config/config.ts';
import { damagedTexts } from '../../testing/damage.test-support.ts';
import { startLocalEngine, TEST_TOKEN, type LocalEngine } from '../../testing/local-engine.ts';

const CONFIG: EngineConfig = {
  ...DEFAULT_CONFIG,
  journal: { durability: 'memory' },
  observability: { dashboard: true, logLevel: 'fatal' },
};
const ORDER = { symbol: 'BTC-USD', account: 'alice', side: 'buy', type: 'limit', price: '100', quantity: '1', clientOrderId: 'x' };
let engine: LocalEngine;
beforeAll(async () => {
  engine = await startLocalEngine({ config: CONFIG });
});
afterAll(async () => await engine[Symbol.asyncDispose]());

async function send(method: string, url: string, body: string, token: string) {
  const answer = await fetch(url, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body,
    signal: AbortSignal.timeout(10_000),
  });
  return { status: answer.status, type: answer.headers.get('content-type') ?? '', body: (await answer.json()) as Record<string, unknown> };
}

const ORDER_ROUTES: readonly [string, string, object][] = [
  ['POST', '/v1/orders', ORDER],
  [
    'POST',
    '/v1/orders/batch',
    {
      operations: [
        { op: 'place', order: ORDER },
        { op: 'cancel', id: '1' },
        { op: 'replace', id: '1', change: { price: '1' } },
      ],
    },
  ],
  ['PATCH', '/v1/orders/1', { price: '100', quantity: '2' }],
];

it.each(ORDER_ROUTES)('%s %s', async (method, path, whole) => {
  await fc.assert(
    fc.asyncProperty(damagedTexts(whole), async (text) => {
      const { status, type, body } = await send(method, `${engine.baseUrl}${path}`, text, engine.token);
      expect(status).toBeLessThan(500);
      if (status < 400) return;
      expect(type).toContain('application/problem+json');
      expect(body).toMatchObject({ status, code: expect.stringMatching(/^HFT_/) as string });
    }),
    { numRuns: 400 },
  );
  expect(engine.running.engine.serving).toBe(true);
});

it.each(['/admin/config', '/admin/config/check'])('POST %s: what is refused leaves the configuration as it is', async (path) => {
  const { live } = engine.running.engine;
  const whole = path === '/admin/config' ? { config: CONFIG, expectedHash: configHash(CONFIG) } : CONFIG;
  await fc.assert(
    fc.asyncProperty(damagedTexts(whole), async (text) => {
      const before = engine.running.engine.configHash;
      const { status, body } = await send('POST', `${engine.opsUrl}${path}`, text, TEST_TOKEN);
      expect(status).toBeLessThan(500);
      const after = engine.running.engine.configHash;
      if (status >= 400 || path !== '/admin/config') expect(after).toBe(before);
      if (status >= 400) expect(body).toMatchObject({ status, code: expect.stringMatching(/^HFT_/) as string });
      if (after !== before) await live.apply(CONFIG, undefined);
    }),
    { numRuns: 300 },
  );
  expect(engine.running.engine.serving).toBe(true);
});

it.each([
  ['/admin/kill-switch', { account: 'nobody', on: false }],
  ['/admin/instruments/ETH-USD/state', { state: 'trading' }],
])('POST %s', async (path, whole) => {
  await fc.assert(
    fc.asyncProperty(damagedTexts(whole), async (text) => {
      expect((await send('POST', `${engine.opsUrl}${path}`, text, TEST_TOKEN)).status).toBeLessThan(500);
    }),
    { numRuns: 150 },
  );
});
