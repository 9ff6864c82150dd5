import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { configHash, type EngineConfig } from '../../crds/engine-config.ts';
import { AdminClient } from '../client/admin.ts';
import { EngineError, OrderClient, type NewOrder } from '../client/orders.ts';
import { spawnEngine, untilReady } from '../prove/engine-process.ts';
import { startLocalEngine, TEST_TOKEN, type LocalEngine } from '../testing/local-engine.ts';
import { temporaryDirectory } from '../testing/temporary-directory.ts';
import { DEFAULT_CONFIG } from './config.ts';

const CONFIG: EngineConfig = {
  ...DEFAULT_CONFIG,
  journal: { durability: 'commit' },
  observability: { dashboard: true, logLevel: 'fatal' },
};
const withRisk = (risk: Partial<EngineConfig['risk']>, config = CONFIG): EngineConfig => ({ ...config, risk: { ...config.risk, ...risk } });
const order = (quantity: string, more: object = {}): NewOrder => ({
  symbol: 'BTC-USD',
  account: 'alice',
  side: 'buy',
  type: 'limit',
  price: '100',
  quantity,
  ...more,
});
const codeOf = async (work: Promise<unknown>): Promise<string> =>
  await work.then(
    () => 'accepted',
    (cause: unknown) => (cause instanceof EngineError ? cause.code : String(cause)),
  );

describe('POST /admin/config', () => {
  let engine: LocalEngine;
  beforeEach(async () => {
    engine = await startLocalEngine({ config: CONFIG });
  });
  afterEach(async () => {
    await engine[Symbol.asyncDispose]();
  });

  it('brings hot keys into force at once, and the hash follows', async () => {
    const { configHash: before } = await engine.admin.status();
    const wanted: EngineConfig = {
      ...withRisk({ maxOrderQty: '5', maxOpenOrders: 2 }),
      limits: { ...CONFIG.limits, ordersPerSecond: 1, burst: 3, requestsPerSecond: 20_000 },
      observability: { ...CONFIG.observability, logLevel: 'error' },
    };
    expect(await engine.admin.applyConfig(wanted, before)).toEqual({
      configHash: configHash(wanted),
      changed: [
        'limits.burst',
        'limits.ordersPerSecond',
        'limits.requestsPerSecond',
        'observability.logLevel',
        'risk.maxOpenOrders',
        'risk.maxOrderQty',
      ],
    });
    expect((await engine.admin.status()).configHash).toBe(configHash(wanted));
    await expect(engine.orders.place(order('6'))).rejects.toMatchObject({ code: 'HFT_MAX_ORDER_QTY', message: /risk\.maxOrderQty 5$/ });
    expect(await codeOf(engine.orders.place(order('5')))).toBe('accepted');
    expect(await codeOf(engine.orders.place(order('5')))).toBe('accepted');
    await expect(engine.orders.place(order('1'))).rejects.toMatchObject({ code: 'HFT_RATE_LIMIT', message: /1 orders a second/ });
    expect(await codeOf(engine.orders.place(order('1', { account: 'bob' })))).toBe('accepted');
    expect(await engine.orders.limits('alice')).toMatchObject({ openOrders: { limit: 2, used: 2 }, order: { maxQuantity: '5' } });
    const metrics = await (await fetch(`${engine.opsUrl}/metrics`)).text();
    expect(metrics).toMatch(/^hft_config_reloads_total\{engine="local"\} 1$/m);
    expect(metrics.match(/^hft_build_info.*$/gm)).toEqual([expect.stringContaining(configHash(wanted))]);
  });

  it('commands what changes matching, and leaves alone what an admin call has switched', async () => {
    await engine.orders.place(order('1'));
    const killed = withRisk({ killSwitch: true, volatility: { bandPercent: 10, window: '5m', halt: '1m' } });
    await engine.admin.applyConfig(killed, configHash(CONFIG));
    expect((await engine.admin.status()).openOrders).toBe(0);
    expect(await codeOf(engine.orders.place(order('1')))).toBe('HFT_KILL_SWITCH');
    await engine.admin.killSwitch({ on: false });
    const other = withRisk({ maxOrderQty: '7' }, killed);
    await engine.admin.applyConfig(other, configHash(killed));
    expect(await codeOf(engine.orders.place(order('1')))).toBe('accepted');
    await engine.orders.place(order('1', { side: 'sell', account: 'bob' }));
    await engine.orders.place(order('1', { price: '120' }));
    await engine.orders.place(order('1', { price: '120', side: 'sell', account: 'bob' }));
    expect((await engine.orders.instruments())[0]).toMatchObject({ state: 'halted' });
  });

  it('is refused whole, and says why', async () => {
    const hash = configHash(CONFIG);
    const risky = { ...CONFIG, risk: { ...CONFIG.risk, maxOrderQty: '1', priceBandPercent: 0 } };
    await expect(engine.admin.applyConfig(risky, hash)).rejects.toMatchObject({
      code: 'HFT_CONFIG_INVALID',
      status: 422,
      message: /risk\.priceBandPercent: .*found 0/,
    });
    expect(await engine.admin.status()).toMatchObject({ configHash: hash, configFailure: expect.stringContaining('priceBandPercent') });
    const fixed = { ...withRisk({ maxOrderQty: '1' }), engine: 'other', journal: { durability: 'disk' as const } };
    await expect(engine.admin.applyConfig(fixed, hash)).rejects.toMatchObject({
      code: 'HFT_CONFIG_NEEDS_RESTART',
      status: 409,
      field: 'engine',
      message: /^engine, journal\.durability: .*restart/,
    });
    await expect(engine.admin.applyConfig(withRisk({ maxOrderQty: '1' }), 'f'.repeat(16))).rejects.toMatchObject({
      code: 'HFT_CONFIG_CONFLICT',
      status: 409,
      message: new RegExp(hash),
    });
    expect(await codeOf(engine.orders.place(order('2')))).toBe('accepted');
    expect(await (await fetch(`${engine.opsUrl}/metrics`)).text()).toMatch(/^hft_config_reload_failures_total\{engine="local"\} 3$/m);
    await engine.admin.applyConfig(CONFIG, hash);
    expect(await engine.admin.status()).not.toHaveProperty('configFailure');
  });

  it('loses no order and judges none by half a configuration while orders run', async () => {
    // Either size passes the one limit and breaks the other: an order of 5 at 100 is taken under `wide` and never under `narrow`, whichever limit is looked at.
    const wide = withRisk({ maxOrderQty: '10', maxNotional: '1000' });
    const narrow = withRisk({ maxOrderQty: '4', maxNotional: '400' });
    await engine.admin.applyConfig(wide, configHash(CONFIG));
    const running = new AbortController();
    const outcomes = new Map<string, number>();
    const answered: string[] = [];
    const sender = async (account: string): Promise<void> => {
      while (!running.signal.aborted) {
        const { results } = await engine.orders.batch(
          Array.from({ length: 20 }, () => ({ op: 'place' as const, order: order('5', { account }) })),
        );
        // A batch is one turn of the event loop: all of it is judged by one configuration.
        const codes = new Set(results.map(({ problem }) => problem?.code ?? 'accepted'));
        expect(codes.size).toBe(1);
        for (const { problem, order: placed } of results) {
          const code = problem?.code ?? 'accepted';
          outcomes.set(code, (outcomes.get(code) ?? 0) + 1);
          if (placed !== undefined) answered.push(placed.id);
        }
      }
    };
    const senders = ['a', 'b', 'c'].map(sender);
    let present = wide;
    for (let change = 0; change < 40; change += 1) {
      const next = present === wide ? narrow : wide;
      await engine.admin.applyConfig(next, configHash(present));
      const expected = next === wide ? 'accepted' : 'HFT_MAX_ORDER_QTY';
      // What is sent after the answer is judged by the new one.
      expect(await codeOf(engine.orders.place(order('5', { account: 'probe' })))).toBe(expected);
      present = next;
      await delay(5);
    }
    running.abort();
    await Promise.all(senders);
    expect([...outcomes.keys()].sort()).toEqual(['HFT_MAX_ORDER_QTY', 'accepted']);
    const { openOrders, ordersAccepted } = await engine.admin.status();
    expect(openOrders).toBe(answered.length + 20);
    expect(ordersAccepted).toBe(answered.length + 20);
  });
});

describe('the configuration file', () => {
  it('is followed as Kubernetes changes it, refused while it is broken, and left alone when only a copy of it changes', async () => {
    const directory = temporaryDirectory();
    const mount = join(directory, 'mount');
    const write = (version: string, text: string): void => {
      mkdirSync(join(mount, `..${version}`), { recursive: true });
      writeFileSync(join(mount, `..${version}`, 'config.json'), text);
      symlinkSync(`..${version}`, join(mount, '..data_tmp'));
      renameSync(join(mount, '..data_tmp'), join(mount, '..data'));
    };
    write('v1', JSON.stringify(CONFIG));
    symlinkSync('..data/config.json', join(mount, 'config.json'));
    const tokenFile = join(directory, 'token');
    writeFileSync(tokenFile, TEST_TOKEN);
    const engine = await spawnEngine({
      dataDirectory: join(directory, 'data'),
      args: ['--config', join(mount, 'config.json'), '--admin-token-file', tokenFile, '--profile', 'production'],
      environment: { HFT_LOG_LEVEL: 'debug' },
    });
    const admin = new AdminClient({ baseUrl: engine.opsUrl, token: TEST_TOKEN });
    const orders = new OrderClient({ baseUrl: engine.baseUrl, token: engine.token });
    try {
      await untilReady(engine.baseUrl);
      const overridden = (config: EngineConfig): EngineConfig => ({
        ...config,
        observability: { ...config.observability, logLevel: 'debug' },
      });
      const hashes = async (): Promise<string> => (await admin.status()).configHash;
      expect(await hashes()).toBe(configHash(overridden(CONFIG)));
      expect((await fetch(`${engine.baseUrl}/docs/`)).status).toBe(404);
      expect((await fetch(`${engine.baseUrl}/docs/json`)).status).toBe(200);
      const narrow = withRisk({ maxOrderQty: '4' });
      write('v2', JSON.stringify(narrow));
      await expect.poll(hashes, { timeout: 10_000 }).toBe(configHash(overridden(narrow)));
      expect(await codeOf(orders.place(order('5')))).toBe('HFT_MAX_ORDER_QTY');
      write('v3', '{"risk": ');
      const failure = async (): Promise<string | undefined> => (await admin.status()).configFailure;
      await expect.poll(failure, { timeout: 10_000 }).toMatch(/no valid JSON/);
      write('v4', JSON.stringify({ ...narrow, engine: 'other' }));
      await expect.poll(failure, { timeout: 10_000 }).toMatch(/engine: .*restart/);
      expect(await hashes()).toBe(configHash(overridden(narrow)));
      // What was posted stays until the file says something else.
      const posted = overridden(withRisk({ maxOrderQty: '6' }));
      await admin.applyConfig(posted, await hashes());
      write('v5', readFileSync(join(mount, 'config.json'), 'utf8'));
      await delay(500);
      expect(await hashes()).toBe(configHash(posted));
      write('v6', JSON.stringify(CONFIG));
      await expect.poll(hashes, { timeout: 10_000 }).toBe(configHash(overridden(CONFIG)));
      expect(await failure()).toBeUndefined();
    } finally {
      await Promise.all([admin.close(), orders.close()]);
      engine.kill('SIGTERM');
      await engine.ended;
      rmSync(directory, { recursive: true, force: true });
    }
  });
});
