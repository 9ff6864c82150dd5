import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mutatedSpecs, specs } from './arbitrary.prop.ts';
import { configHash, engineConfigOf, engineConfigSchema } from './engine-config.ts';
import { specSchema } from './hftengine.ts';
import { BAD_SPECS, BTC, GOOD_SPECS } from './samples.ts';

/** Messages of the API server's own checks, which zod words in its own way. */
const OWN_WORDS = /^(Required value|must |should |may |supported values)/;

const fieldOf = (path: readonly PropertyKey[]): string =>
  path.reduce<string>((field, key) => (typeof key === 'number' ? `${field}[${key}]` : `${field}.${String(key)}`), 'spec');

test('the shortest spec gets every default', () => {
  expect(specSchema.parse({ instruments: [BTC] })).toEqual({
    image: 'hft-engine:dev',
    imagePullPolicy: 'IfNotPresent',
    instruments: [BTC],
    resources: { cpu: 1, memory: '1Gi' },
    runtime: { heap: 'auto' },
    journal: { durability: 'disk', storage: '1Gi', retention: '168h', snapshotEvery: 1_000_000 },
    risk: { maxOrderQty: '1000000', maxNotional: '1000000000', killSwitch: false },
    limits: { ordersPerSecond: 10_000, burst: 20_000, requestsPerSecond: 20_000, requestBurst: 40_000 },
    auth: { rotateEvery: '24h', overlap: '10m', allowedOrigins: [] },
    rollout: { autoRollback: true, progressDeadline: '120s', slo: { matchP99Micros: 100, gcPauseMs: 10 } },
    observability: { dashboard: true, logLevel: 'info', alerts: { latencyMs: 100, errorRatePercent: 1 } },
    deletionPolicy: 'Retain',
  });
});

test.each(GOOD_SPECS)('accepts $name', ({ spec }) => {
  expect(specSchema.safeParse(spec).error).toBeUndefined();
});

test.each(BAD_SPECS)('refuses $name', ({ spec, field, message }) => {
  const issues = specSchema.safeParse(spec).error?.issues.map((issue) => ({ field: fieldOf(issue.path), message: issue.message })) ?? [];
  const words = OWN_WORDS.test(message) ? '' : message;
  expect(issues).toContainEqual({ field, message: expect.stringContaining(words) });
});

describe('the configuration of the engine', () => {
  test('is valid for every valid spec, and its hash does not depend on the order of keys', () => {
    fc.assert(
      fc.property(
        specs.filter((spec) => specSchema.safeParse(spec).success),
        (spec) => {
          const config = engineConfigOf('demo', specSchema.parse(spec));
          expect(engineConfigSchema.parse(config)).toEqual(config);
          const reversed = Object.fromEntries(Object.entries(config).toReversed()) as typeof config;
          expect(configHash(reversed)).toBe(configHash(config));
          expect(configHash({ ...config, engine: 'other' })).not.toBe(configHash(config));
        },
      ),
    );
  });

  test('refuses an unknown key', () => {
    const config = engineConfigOf('demo', specSchema.parse({ instruments: [BTC], risk: { volatility: { bandPercent: 5 } } }));
    expect(engineConfigSchema.safeParse({ ...config, colour: 'red' }).success).toBe(false);
    const risk = { ...config.risk, volatility: { ...config.risk.volatility, colour: 'red' } };
    expect(engineConfigSchema.safeParse({ ...config, risk }).success).toBe(false);
  });

  test('of a resource without the newer fields is what it was before there were any', () => {
    const config = engineConfigOf('demo', specSchema.parse({ instruments: [BTC] }));
    expect(config).toEqual({
      engine: 'demo',
      instruments: [BTC],
      journal: { durability: 'disk' },
      risk: { maxOrderQty: '1000000', maxNotional: '1000000000', killSwitch: false },
      limits: { ordersPerSecond: 10_000, burst: 20_000 },
      observability: { dashboard: true, logLevel: 'info' },
    });
    expect(configHash(config)).toBe('a483962c589e676e');
  });

  test('carries the newer fields once they are set', () => {
    const risk = { maxPosition: '5', maxOpenOrders: 3, maxOpenNotional: '9', volatility: { bandPercent: 5 } };
    const config = engineConfigOf(
      'demo',
      specSchema.parse({
        instruments: [BTC],
        risk,
        journal: { retention: '2h', snapshotEvery: 5000 },
        limits: { requestsPerSecond: 5, requestBurst: 6 },
        auth: { allowedOrigins: ['https://desk.example:8443'] },
      }),
    );
    expect(config.risk).toMatchObject({ ...risk, volatility: { bandPercent: 5, window: '5m', halt: '1m' } });
    expect(config.journal).toEqual({ durability: 'disk', retention: '2h', snapshotEvery: 5000 });
    expect(config.limits).toEqual({ ordersPerSecond: 10_000, burst: 20_000, requestsPerSecond: 5, requestBurst: 6 });
    expect(config.auth).toEqual({ allowedOrigins: ['https://desk.example:8443'] });
  });
});

describe('the generators of specs', () => {
  test('make mostly good specs, and mostly bad mutants', () => {
    const share = (arbitrary: fc.Arbitrary<unknown>): number =>
      fc.sample(arbitrary, { numRuns: 400, seed: 1 }).filter((spec) => specSchema.safeParse(spec).success).length / 400;
    expect(share(specs)).toBeGreaterThan(0.3);
    expect(share(specs)).toBeLessThan(0.98);
    expect(share(mutatedSpecs)).toBeGreaterThan(0.05);
    expect(share(mutatedSpecs)).toBeLessThan(0.6);
  });

  test('never make a parser throw', () => {
    fc.assert(
      fc.property(mutatedSpecs, (spec) => {
        expect(typeof specSchema.safeParse(spec).success).toBe('boolean');
      }),
      { numRuns: 1000 },
    );
  });
});
