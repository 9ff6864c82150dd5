/** Arbitrary specs that the CRD admits, for property tests. */
import * as fc from 'fast-check';
import { NATIVE_RESERVE_MI, specSchema, type HFTEngineSpec } from '../crds/hftengine.ts';
import { parseBytes } from '../crds/quantity.ts';

const MI = 2 ** 20;
const MIN_MEMORY_MI = 256;

/** Names of engines as the CRD's rule on `metadata.name` has them. */
export const engineName: fc.Arbitrary<string> = fc.stringMatching(/^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$/);

/** Quantities of memory of 256Mi or more, in every notation that the pattern allows. */
export const memory: fc.Arbitrary<string> = fc
  .oneof(
    fc.tuple(fc.integer({ min: 1, max: 4096 }), fc.constantFrom('Mi', 'Gi', 'M', 'G')).map(([count, unit]) => `${count}${unit}`),
    fc.tuple(fc.integer({ min: 262_144, max: 4_000_000_000 }), fc.constantFrom('Ki', 'k')).map(([count, unit]) => `${count}${unit}`),
    fc.integer({ min: MIN_MEMORY_MI * MI, max: 4 * 2 ** 40 }).map(String),
    fc.constantFrom('1Ti', '4Ti', '1T', '4T'),
  )
  .filter((text) => parseBytes(text) >= MIN_MEMORY_MI * MI && parseBytes(text) <= 4 * 2 ** 40);

const cpu = fc.oneof(
  fc.integer({ min: 1, max: 256 }),
  fc.integer({ min: 50, max: 256_000 }).map((millis) => `${millis}m`),
  fc.constantFrom('1', '0.5', '2.25', '0.050', '016', '256'),
);

const duration = fc.oneof(
  fc.integer({ min: 5000, max: 9_999_999 }).map((ms) => `${ms}ms`),
  fc.integer({ min: 5, max: 86_400 }).map((seconds) => `${seconds}s`),
  fc.tuple(fc.integer({ min: 1, max: 23 }), fc.integer({ min: 1, max: 60 })).map(([hours, minutes]) => `${hours}h${minutes}m`),
);

const decimal = fc
  .tuple(fc.integer({ min: 1, max: 999_999 }), fc.integer({ min: 0, max: 9 }))
  .map(([whole, fraction]) => `${whole}.${fraction}`);

const instruments = fc.uniqueArray(
  fc.record({ symbol: fc.stringMatching(/^[A-Z0-9]{1,7}([._/-][A-Z0-9]{1,7})?$/), tickSize: decimal, lotSize: decimal }),
  { minLength: 1, maxLength: 8, selector: ({ symbol }) => symbol },
);

/** `resources.memory` and a `runtime` that fits into it. */
const memoryAndRuntime = memory.chain((text) => {
  const heapMi = Math.min(2_000_000, Math.floor(parseBytes(text) / MI)) - NATIVE_RESERVE_MI;
  const explicit = fc
    .integer({ min: 1, max: Math.min(1024, Math.floor((heapMi - 64) / 3)) })
    .chain((semiSpaceMi) =>
      fc
        .integer({ min: 64, max: Math.min(1_048_576, heapMi - 3 * semiSpaceMi) })
        .map((oldSpaceMi) => ({ heap: 'explicit' as const, oldSpaceMi, semiSpaceMi })),
    );
  return fc.oneof(fc.constant({ heap: 'auto' as const }), explicit).map((runtime) => ({ memory: text, runtime }));
});

/** Specs with their defaults filled in, as the operator reads them. */
export const engineSpec: fc.Arbitrary<HFTEngineSpec> = fc
  .record({
    image: fc.constantFrom('hft-engine:dev', 'registry.example/hft/engine@sha256:0123456789abcdef'),
    imagePullPolicy: fc.constantFrom('Always', 'IfNotPresent', 'Never'),
    instruments,
    cpu,
    memoryAndRuntime,
    durability: fc.constantFrom('memory', 'commit', 'disk'),
    storage: fc
      .tuple(fc.integer({ min: 70, max: 1000 }), fc.constantFrom('Mi', 'Gi', 'Ti', 'M', 'G'))
      .map(([count, unit]) => `${count}${unit}`),
    storageClassName: fc.option(fc.constantFrom('fast', 'local-path'), { nil: undefined }),
    killSwitch: fc.boolean(),
    progressDeadline: duration,
    deletionPolicy: fc.constantFrom('Retain', 'Delete'),
  })
  .map(({ cpu: cpus, memoryAndRuntime: sized, durability, storage, storageClassName, killSwitch, progressDeadline, ...rest }) =>
    specSchema.parse({
      ...rest,
      resources: { cpu: cpus, memory: sized.memory },
      runtime: sized.runtime,
      journal: { durability, storage, storageClassName },
      risk: { killSwitch },
      rollout: { progressDeadline },
    }),
  );
