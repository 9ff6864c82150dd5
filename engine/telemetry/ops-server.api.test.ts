import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NewOrder } from '../client/orders.ts';
import { startLocalEngine, TEST_TOKEN, type LocalEngine } from '../testing/local-engine.ts';

let engine: LocalEngine;
beforeEach(async () => {
  engine = await startLocalEngine({ config: { journal: { durability: 'memory' } } });
});
afterEach(async () => {
  await engine[Symbol.asyncDispose]();
});

const buy = (price: string, quantity: string): NewOrder => ({
  symbol: 'BTC-USD',
  account: 'alice',
  side: 'buy',
  type: 'limit',
  price,
  quantity,
});

describe('operations port', () => {
  it('wants the token for admin calls and tells nothing without', async () => {
    for (const authorization of [undefined, 'Bearer', 'Bearer wrong', `Basic ${TEST_TOKEN}`]) {
      const answer = await fetch(`${engine.opsUrl}/admin/status`, authorization === undefined ? {} : { headers: { authorization } });
      expect(answer.status).toBe(401);
      expect(await answer.json()).toMatchObject({ status: 401, code: 'HFT_UNAUTHORIZED' });
      expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer realm="hft-engine"/);
    }
    expect(await engine.admin.status()).toMatchObject({
      name: 'local',
      phase: 'serving',
      sequence: 0,
      openOrders: 0,
      pid: process.pid,
      heapFlags: process.execArgv,
    });
  });

  it('tells whether a configuration would recover the running state', async () => {
    const { config } = engine.running.engine;
    await engine.orders.place(buy('100', '1'));
    expect(await engine.admin.checkConfig(config)).toEqual({ accepted: true });
    const [btc, eth] = config.instruments;
    if (btc === undefined || eth === undefined) throw new Error('two instruments are configured');
    expect(await engine.admin.checkConfig({ ...config, instruments: [btc] })).toEqual({ accepted: true });
    expect(await engine.admin.checkConfig({ ...config, instruments: [eth] })).toEqual({
      accepted: false,
      code: 'HFT_INSTRUMENT_HAS_OPEN_ORDERS',
      message: expect.stringContaining('BTC-USD'),
    });
    expect(await engine.admin.checkConfig({ ...config, instruments: [{ ...btc, tickSize: '0.1' }, eth] })).toEqual({
      accepted: false,
      code: 'HFT_INSTRUMENT_STEP_CHANGED',
      message: expect.stringContaining('tickSize of BTC-USD is 0.1'),
    });
    expect(await engine.admin.checkConfig({ ...config, instruments: [] })).toEqual({
      accepted: false,
      code: 'HFT_CONFIG_INVALID',
      message: expect.stringContaining('instruments'),
    });
    await engine.orders.cancel('1');
    expect(await engine.admin.checkConfig({ ...config, instruments: [eth] })).toEqual({ accepted: true });
  });

  it('answers a configuration that is nested too deeply with 400', async () => {
    const answer = await fetch(`${engine.opsUrl}/admin/config/check`, {
      method: 'POST',
      headers: { authorization: `Bearer ${TEST_TOKEN}`, 'content-type': 'application/json' },
      body: `{"engine":${'['.repeat(7000)}${']'.repeat(7000)}}`,
    });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ code: 'HFT_BAD_JSON', detail: 'the body is nested more than 64 levels deep' });
  });

  it('tells sequence and hash of the same state while orders flow', async () => {
    const { sequence, openOrders } = await engine.admin.status();
    const flow = Promise.all(
      Array.from({ length: 400 }, () =>
        engine.orders.place({ symbol: 'BTC-USD', account: 'a', side: 'buy', type: 'limit', price: '1', quantity: '1' }),
      ),
    );
    const hashes = new Map<number, string>();
    for (let last = 0; last < sequence + 400;) {
      const status = await engine.admin.status();
      last = status.sequence;
      expect(status.openOrders - openOrders).toBe(last - sequence);
      expect(hashes.get(last) ?? status.stateHash).toBe(status.stateHash);
      hashes.set(last, status.stateHash);
    }
    await flow;
    expect(new Set(hashes.values()).size).toBe(hashes.size);
  });

  it('serves a dashboard that loads nothing from elsewhere', async () => {
    await engine.orders.place(buy('100', '1'));
    const page = await fetch(`${engine.opsUrl}/dashboard`);
    const html = await page.text();
    expect(page.headers.get('content-security-policy')).toMatch(
      /^default-src 'none'; script-src 'sha256-[^']+'; style-src 'sha256-[^']+'; connect-src 'self'/,
    );
    expect(html).not.toMatch(/(src|href)="(?!data:)/);
    expect(await (await fetch(`${engine.opsUrl}/dashboard/data`)).json()).toMatchObject({
      engine: 'local',
      phase: 'serving',
      sequence: 1,
      instruments: [
        { symbol: 'BTC-USD', bid: '100', ask: null, openOrders: 1 },
        { symbol: 'ETH-USD', bid: null },
      ],
    });
  });

  it('gives figures at /admin/stats', async () => {
    await engine.orders.place(buy('100', '1'));
    const answer = await fetch(`${engine.opsUrl}/admin/stats`, { headers: { authorization: `Bearer ${TEST_TOKEN}` } });
    expect(await answer.json()).toMatchObject({
      orders: { accepted: 1 },
      journal: { sequence: 1, commits: 1 },
      orderLatency: { p50Micros: expect.any(Number) },
      pools: {
        orders: { used: 1, mostUsed: 1, refused: 0, leaked: 0 },
        levels: { used: 1 },
        commands: { used: 0, capacity: 65_536, refused: 0 },
        accounts: { used: 1, capacity: 1_048_576, hits: expect.any(Number) },
        symbols: { used: 2, hits: 1, misses: 0, hitRate: 1 },
        waiters: { used: 0 },
        'buffers-256': { used: 0, mostUsed: 1, leaked: 0 },
        'buffers-oversize': { misses: 0 },
      },
      leaks: null,
      runtime: {
        gc: { main: { minor: { count: expect.any(Number) }, heapUsedAfterBytes: expect.any(Number) }, views: {} },
        heap: { heap_size_limit: expect.any(Number) },
        heapSpaces: expect.arrayContaining([expect.objectContaining({ space_name: 'new_space' })]),
        heapFlags: process.execArgv,
        eventLoopDelay: {},
      },
    });
  });

  it('gives the figures of the thread that commits, when one does', async () => {
    await using disk = await startLocalEngine({ config: { journal: { durability: 'disk' } } });
    await disk.orders.place(buy('100', '1'));
    const metrics = await (await fetch(`${disk.opsUrl}/metrics`)).text();
    expect(metrics).toMatch(/^hft_pool_misses_total\{pool="buffers-256",engine="local"\} 1$/m);
    expect(metrics).toMatch(/^hft_heap_used_after_gc_bytes\{thread="journal",engine="local"\} [1-9][0-9]+$/m);
  });

  it('gives pools, pauses by thread and heap flags as metrics, each once', async () => {
    await engine.orders.place(buy('100', '1'));
    const metrics = await (await fetch(`${engine.opsUrl}/metrics`)).text();
    expect(metrics).toMatch(/^hft_pool_used\{pool="orders",engine="local"\} 1$/m);
    expect(metrics).toMatch(/^hft_pool_capacity\{pool="commands",engine="local"\} 65536$/m);
    expect(metrics).toMatch(/^hft_pool_misses_total\{pool="buffers-256",engine="local"\} 1$/m);
    expect(metrics).toMatch(/^hft_pool_leaked_total\{pool="buffers-32768",engine="local"\} 0$/m);
    expect(metrics).toMatch(/^hft_heap_flags\{flags="[^"]*",engine="local"\} 1$/m);
    expect(metrics).toMatch(/^hft_heap_limit_bytes\{engine="local"\} [0-9]{8,}$/m);
    for (const thread of ['main', 'views'])
      expect(metrics).toContain(`nodejs_gc_duration_seconds_bucket{le="0.0001",kind="minor",thread="${thread}",engine="local"}`);
    for (const [name] of metrics.matchAll(/^# TYPE \S+/gm)) expect(metrics.split(`${name} `)).toHaveLength(2);
  });
});
