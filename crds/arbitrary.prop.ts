/** fast-check generators of HFTEngine specs, for every property test that needs one. */
import * as fc from 'fast-check';
import type { HFTEngineSpecInput } from './hftengine.ts';

/** A decimal greater than zero as text, with no more than `wholeDigits` digits before the point. */
export function positiveDecimals(wholeDigits: number): fc.Arbitrary<string> {
  const whole = fc.bigInt({ min: 0n, max: 10n ** BigInt(wholeDigits) - 1n }).map(String);
  const fraction = fc.stringMatching(/^[0-9]{1,9}$/);
  return fc
    .oneof(
      whole,
      fc.tuple(whole, fraction).map((parts) => parts.join('.')),
    )
    .filter((text) => /[1-9]/.test(text));
}

export const symbols: fc.Arbitrary<string> = fc
  .array(fc.stringMatching(/^[A-Z0-9]{1,5}$/), { minLength: 1, maxLength: 3 })
  .chain((parts) => fc.constantFrom('.', '_', '/', '-').map((joint) => parts.join(joint).slice(0, 16)))
  .filter((symbol) => /[A-Z0-9]$/.test(symbol));

const bytes = (leastMi: number, mostMi: number): fc.Arbitrary<string> =>
  fc.oneof(
    fc.integer({ min: leastMi, max: mostMi }).map((count) => `${count}Mi`),
    fc.integer({ min: Math.ceil(leastMi / 1024), max: Math.floor(mostMi / 1024) }).map((count) => `${count}Gi`),
    fc.integer({ min: Math.ceil(leastMi * 1.048576), max: mostMi }).map((count) => `${count}M`),
  );

/** A duration in one or two units, `fromSeconds` long or longer, below `toSeconds` + one minute. */
const durations = (fromSeconds: number, toSeconds: number): fc.Arbitrary<string> =>
  fc.oneof(
    fc.integer({ min: fromSeconds, max: toSeconds }).map((seconds) => `${seconds}s`),
    fc.integer({ min: Math.ceil(fromSeconds / 60), max: Math.floor(toSeconds / 60) }).map((minutes) => `${minutes}m30s`),
    fc.integer({ min: fromSeconds * 1000, max: Math.min(toSeconds * 1000, 9_999_999) }).map((ms) => `${ms}ms`),
  );

const cpus = fc.oneof(
  fc.integer({ min: 1, max: 256 }),
  fc.integer({ min: 50, max: 256_000 }).map((millis) => `${millis}m`),
  fc.integer({ min: 50, max: 256_000 }).map((millis) => String(millis / 1000)),
);

const runtimes = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ heap: 'auto' as const }) },
  {
    weight: 2,
    arbitrary: fc.record({
      heap: fc.constant('explicit' as const),
      oldSpaceMi: fc.integer({ min: 64, max: 2048 }),
      semiSpaceMi: fc.integer({ min: 1, max: 128 }),
    }),
  },
);

/**
 * Specs whose every field is within its bounds. Relations between fields (heap and memory, overlap and rotation, burst and rate, lot and
 * order limit) hold for most, not for all: `specSchema` says which.
 */
export const specs: fc.Arbitrary<HFTEngineSpecInput> = fc.record(
  {
    image: fc.stringMatching(/^[a-z0-9]{1,9}(\/[a-z0-9]{1,9})?(:[a-z0-9.]{1,9})?$/),
    imagePullPolicy: fc.constantFrom('Always', 'IfNotPresent', 'Never'),
    instruments: fc.uniqueArray(fc.record({ symbol: symbols, tickSize: positiveDecimals(4), lotSize: positiveDecimals(3) }), {
      minLength: 1,
      maxLength: 8,
      selector: ({ symbol }) => symbol,
    }),
    resources: fc.record({ cpu: cpus, memory: bytes(256, 4 * 1024 * 1024) }, { requiredKeys: [] }),
    runtime: runtimes,
    journal: fc.record(
      {
        durability: fc.constantFrom('memory', 'commit', 'disk'),
        storage: bytes(64, 1024 * 1024),
        storageClassName: fc.stringMatching(/^[a-z][a-z0-9]{0,9}(-[a-z0-9]{1,9})?$/),
        retention: durations(3600, 31_536_000 - 60),
        snapshotEvery: fc.integer({ min: 1000, max: 1_000_000_000 }),
      },
      { requiredKeys: [] },
    ),
    risk: fc.record(
      {
        maxOrderQty: positiveDecimals(9),
        maxNotional: positiveDecimals(15),
        priceBandPercent: fc.integer({ min: 1, max: 100 }),
        maxPosition: positiveDecimals(9),
        maxOpenOrders: fc.integer({ min: 1, max: 10_000_000 }),
        maxOpenNotional: positiveDecimals(15),
        volatility: fc.record(
          {
            bandPercent: fc.integer({ min: 1, max: 100 }),
            window: durations(1, 86_400 - 60),
            halt: durations(1, 86_400 - 60),
            auction: durations(1, 86_400 - 60),
          },
          { requiredKeys: ['bandPercent'] },
        ),
        killSwitch: fc.boolean(),
      },
      { requiredKeys: [] },
    ),
    limits: fc.record(
      { ordersPerSecond: fc.integer({ min: 1, max: 10_000_000 }), burst: fc.integer({ min: 1, max: 10_000_000 }) },
      { requiredKeys: [] },
    ),
    auth: fc.record({ rotateEvery: durations(600, 31_536_000 - 60), overlap: durations(1, 1200) }, { requiredKeys: [] }),
    tls: fc.record(
      {
        secretName: fc.stringMatching(/^[a-z][a-z0-9]{0,9}(-[a-z0-9]{1,9})?$/),
        clientAuth: fc.constantFrom('none', 'request', 'require'),
      },
      { requiredKeys: ['secretName'] },
    ),
    rollout: fc.record(
      {
        autoRollback: fc.boolean(),
        progressDeadline: durations(5, 86_400 - 60),
        slo: fc.record(
          { matchP99Micros: fc.integer({ min: 1, max: 1_000_000 }), gcPauseMs: fc.integer({ min: 1, max: 10_000 }) },
          { requiredKeys: [] },
        ),
      },
      { requiredKeys: [] },
    ),
    observability: fc.record(
      {
        dashboard: fc.boolean(),
        logLevel: fc.constantFrom('fatal', 'error', 'warn', 'info', 'debug', 'trace'),
        alerts: fc.record(
          { latencyMs: fc.integer({ min: 1, max: 60_000 }), errorRatePercent: fc.integer({ min: 1, max: 100 }) },
          { requiredKeys: [] },
        ),
      },
      { requiredKeys: [] },
    ),
    deletionPolicy: fc.constantFrom('Retain', 'Delete'),
  },
  { requiredKeys: ['instruments'] },
);

/** Values that a field seldom takes well. Not null: the API server drops a null before it looks, zod does not. */
const strangeValues: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(0, -1, 1, 2.5, 257, 10_000_001, 2 ** 31, 2 ** 53, 1e21, true, false, [], {}, ['a'], { a: 1 }),
  fc.constantFrom(
    '',
    '0',
    '00',
    '1',
    '-1',
    '+1',
    '.5',
    '5.',
    '1e3',
    'NaN',
    '0.0',
    '1 ',
    '1\n',
    '٣',
    'A',
    'a-b',
    'A-B',
    'é',
    'true',
    'null',
  ),
  fc.constantFrom('1m', '50m', '49m', '256', '256.001', '1Gi', '1Ki', '1E', '1G', '255Mi', '63Mi', '1024Ti', '1025Ti', '4Ti', '5Ti'),
  fc.constantFrom(
    '1h',
    '1h1h',
    '9s',
    '10s',
    '5s',
    '24h',
    '24h1ms',
    '8760h',
    '99999h',
    '99999h99999h99999h99999h',
    '1m1m1m1m1m',
    '1us',
    '1.5h',
  ),
  fc.string({ maxLength: 30 }),
  fc.integer(),
);

type Path = readonly (string | number)[];

function leaves(value: unknown, path: Path = []): Path[] {
  if (Array.isArray(value)) return [path, ...value.flatMap((item, index) => leaves(item, [...path, index]))];
  if (typeof value !== 'object' || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([key, item]) => leaves(item, [...path, key]))];
}

function replaced(value: unknown, [head, ...rest]: Path, by: unknown): unknown {
  if (head === undefined) return by;
  if (Array.isArray(value)) return value.map((item: unknown, index) => (index === head ? replaced(item, rest, by) : item));
  return Object.fromEntries(Object.entries(Object(value)).map(([key, item]) => [key, key === head ? replaced(item, rest, by) : item]));
}

/** A spec of {@link specs} with one or two of its values replaced by a strange one or left out. Most, not all, are bad. */
export const mutatedSpecs: fc.Arbitrary<unknown> = fc
  .tuple(specs, fc.array(fc.tuple(fc.nat(), fc.option(strangeValues, { nil: undefined, freq: 2 })), { minLength: 1, maxLength: 2 }))
  .map(([spec, mutations]) => {
    let mutated: unknown = spec;
    for (const [pick, value] of mutations) {
      const paths = leaves(mutated).filter(({ length }) => length > 0);
      mutated = replaced(mutated, paths[pick % Math.max(1, paths.length)] ?? [], value);
    }
    return JSON.parse(JSON.stringify(mutated ?? {})) as unknown;
  });
