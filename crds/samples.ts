/**
 * Specs that must be accepted and specs that must be refused, with the field and the message. Two tests read them: zod alone, and a real
 * API server.
 */

type Json = Readonly<Record<string, unknown>>;

export const BTC = { symbol: 'BTC-USD', tickSize: '0.01', lotSize: '0.0001' } as const;
const ETH = { symbol: 'ETH-USD', tickSize: '0.01', lotSize: '0.001' } as const;

/** The shortest spec there is, with `changes` over it. */
function spec(changes: Json = {}): Json {
  return { instruments: [BTC], ...changes };
}

function instrument(changes: Json): Json {
  return spec({ instruments: [{ ...BTC, ...changes }] });
}

function without(field: keyof typeof BTC): Json {
  return spec({ instruments: [Object.fromEntries(Object.entries(BTC).filter(([key]) => key !== field))] });
}

const instruments = (count: number): Json[] => Array.from({ length: count }, (_, index) => ({ ...BTC, symbol: `X${index}` }));

export interface GoodSpec {
  name: string;
  spec: Json;
}

const good = (name: string, goodSpec: Json): GoodSpec => ({ name, spec: goodSpec });

export const GOOD_SPECS: readonly GoodSpec[] = [
  good('only instruments', spec()),
  good('two instruments', spec({ instruments: [BTC, ETH] })),
  good('as many instruments as there may be', spec({ instruments: instruments(64) })),
  good('every form of symbol', spec({ instruments: ['A', '7', 'BTC/USD', 'ES.Z5', 'A_B-C'].map((symbol) => ({ ...BTC, symbol })) })),
  good('the finest and the coarsest steps', instrument({ tickSize: '0.000000001', lotSize: '1000' })),
  good('steps of fifteen digits', spec({ instruments: [{ ...BTC, tickSize: '123456.123456789', lotSize: '999999.999999999' }] })),
  good('cpu as an integer', spec({ resources: { cpu: 4 } })),
  good('cpu as the text of an integer', spec({ resources: { cpu: '2' } })),
  good('a fraction of a cpu', spec({ resources: { cpu: '0.5' } })),
  good('millicores', spec({ resources: { cpu: '250m', memory: '512Mi' } })),
  good('least resources', spec({ resources: { cpu: '50m', memory: '256Mi' } })),
  good('memory in decimal units', spec({ resources: { memory: '2G' } })),
  good('memory in bytes', spec({ resources: { memory: '1073741824' } })),
  good('an explicit heap', spec({ runtime: { heap: 'explicit', oldSpaceMi: 512, semiSpaceMi: 64 } })),
  good('an explicit heap that just fits', spec({ runtime: { heap: 'explicit', oldSpaceMi: 1024 - 96 - 3 * 16, semiSpaceMi: 16 } })),
  good('a journal in memory', spec({ journal: { durability: 'memory', storage: '64Mi', storageClassName: 'fast.local-path' } })),
  good('a price band', spec({ risk: { priceBandPercent: 10, killSwitch: true, maxOrderQty: '0.5', maxNotional: '0.000000001' } })),
  good(
    'a resource from before there were positions and halts',
    spec({ journal: { durability: 'commit', storage: '1Gi' }, risk: { killSwitch: false } }),
  ),
  good('limits of accounts', spec({ risk: { maxPosition: '0.0001', maxOpenOrders: 1, maxOpenNotional: '0.000000001' } })),
  good('the largest limits of accounts', spec({ risk: { maxPosition: '999999999999999.999999999', maxOpenOrders: 10_000_000 } })),
  good('halts with their defaults', spec({ risk: { volatility: { bandPercent: 5 } } })),
  good('halts that end in an auction', spec({ risk: { volatility: { bandPercent: 1, window: '24h', halt: '1000ms', auction: '1m30s' } } })),
  good('a short retention', spec({ journal: { retention: '1h', snapshotEvery: 1000 } })),
  good('a long retention', spec({ journal: { retention: '8760h', snapshotEvery: 1_000_000_000 } })),
  good('the smallest burst for a rate', spec({ limits: { ordersPerSecond: 100_000, burst: 1000 } })),
  good('a rate that divides with a rest', spec({ limits: { ordersPerSecond: 199, burst: 1 } })),
  good('mixed durations', spec({ auth: { rotateEvery: '1h30m', overlap: '89m59s999ms' } })),
  good('TLS', spec({ tls: { secretName: 'demo-tls' } })),
  good('client certificates', spec({ tls: { secretName: 'demo-tls', clientAuth: 'require', clientCaSecretName: 'desk.authority' } })),
  good('durations in one unit', spec({ auth: { rotateEvery: '604800s', overlap: '1000ms' }, rollout: { progressDeadline: '5s' } })),
  good('an objective', spec({ rollout: { autoRollback: false, slo: { matchP99Micros: 1, gcPauseMs: 10_000 } } })),
  good('alerts', spec({ observability: { dashboard: false, logLevel: 'trace', alerts: { latencyMs: 1, errorRatePercent: 100 } } })),
  good('an image with registry, port, tag and digest', spec({ image: `r.example:5000/a/b:1.0@sha256:${'0'.repeat(64)}` })),
  good('deletion of the volume', spec({ deletionPolicy: 'Delete', imagePullPolicy: 'Never' })),
];

export interface BadSpec {
  name: string;
  spec: unknown;
  /** Where the API server puts the blame. */
  field: string;
  /** Part of what it says. */
  message: string;
}

const TICK = 'tickSize must be a decimal greater than zero';
const LOT = 'lotSize must be a decimal greater than zero';
const SYMBOL = 'symbol must be upper-case letters and digits';
const MEMORY = 'memory must be a quantity from 256Mi to 4Ti';
const STORAGE = 'storage must be a quantity from 64Mi to 1024Ti';
const CPU = 'cpu must be from 50m to 256 CPUs: a whole number, or text such as "0.5" or "500m"';
const HEAP = 'the heap does not fit: oldSpaceMi + 3 x semiSpaceMi + 96 must be at most resources.memory';
const IMAGE = 'image must be an image reference';
const DEADLINE = 'progressDeadline must be a duration from 5s to 24h';
const QUANTITY = 'maxOrderQty must be a decimal greater than zero';

function bad(name: string, badSpec: unknown, field: string, message: string): BadSpec {
  return { name, spec: badSpec, field, message };
}

export const BAD_SPECS: readonly BadSpec[] = [
  bad('no instruments', {}, 'spec.instruments', 'Required value'),
  bad('an empty list of instruments', spec({ instruments: [] }), 'spec.instruments', 'should have at least 1 items'),
  bad('too many instruments', spec({ instruments: instruments(65) }), 'spec.instruments', 'must have at most 64 items'),
  bad('instruments as text', spec({ instruments: 'BTC-USD' }), 'spec.instruments', 'must be of type array'),
  bad('an instrument as text', spec({ instruments: ['BTC-USD'] }), 'spec.instruments[0]', 'must be of type object'),
  bad('no symbol', without('symbol'), 'spec.instruments[0].symbol', 'Required value'),
  bad('no tickSize', without('tickSize'), 'spec.instruments[0].tickSize', 'Required value'),
  bad('no lotSize', without('lotSize'), 'spec.instruments[0].lotSize', 'Required value'),
  bad(
    'a symbol listed twice',
    spec({ instruments: [BTC, ETH, { ...ETH, tickSize: '0.1' }] }),
    'spec.instruments',
    'each symbol may be listed once: remove the duplicate instrument',
  ),
  bad('an empty symbol', instrument({ symbol: '' }), 'spec.instruments[0].symbol', SYMBOL),
  bad('a symbol in lower case', instrument({ symbol: 'btc-usd' }), 'spec.instruments[0].symbol', SYMBOL),
  bad('a symbol with a space', instrument({ symbol: 'BTC USD' }), 'spec.instruments[0].symbol', SYMBOL),
  bad('a symbol with a newline', instrument({ symbol: 'BTC\n' }), 'spec.instruments[0].symbol', SYMBOL),
  bad('a symbol that ends in a dash', instrument({ symbol: 'BTC-' }), 'spec.instruments[0].symbol', SYMBOL),
  bad('a symbol too long', instrument({ symbol: 'A'.repeat(17) }), 'spec.instruments[0].symbol', 'may not be more than 16'),
  bad('a symbol as a number', instrument({ symbol: 7 }), 'spec.instruments[0].symbol', 'must be of type string'),
  bad('a tick of zero', instrument({ tickSize: '0' }), 'spec.instruments[0].tickSize', TICK),
  bad('a tick of 0.00', instrument({ tickSize: '0.00' }), 'spec.instruments[0].tickSize', TICK),
  bad('a negative tick', instrument({ tickSize: '-0.01' }), 'spec.instruments[0].tickSize', TICK),
  bad('a tick with an exponent', instrument({ tickSize: '1e-2' }), 'spec.instruments[0].tickSize', TICK),
  bad('a tick with ten decimals', instrument({ tickSize: '0.0000000001' }), 'spec.instruments[0].tickSize', TICK),
  bad('a tick with sixteen digits', instrument({ tickSize: '1234567.000000001' }), 'spec.instruments[0].tickSize', TICK),
  bad('a tick as a number', instrument({ tickSize: 0.01 }), 'spec.instruments[0].tickSize', 'must be of type string'),
  bad('a lot of zero', instrument({ lotSize: '0' }), 'spec.instruments[0].lotSize', LOT),
  bad('a lot in words', instrument({ lotSize: 'one' }), 'spec.instruments[0].lotSize', LOT),
  bad('a lot with a comma', instrument({ lotSize: '0,1' }), 'spec.instruments[0].lotSize', LOT),
  bad(
    'an order limit below the lot',
    spec({ instruments: [BTC, { ...ETH, lotSize: '10' }], risk: { maxOrderQty: '9.999' } }),
    'spec.risk.maxOrderQty',
    'maxOrderQty is smaller than the lotSize of an instrument, no order could pass: raise maxOrderQty',
  ),
  bad('an image with a space', spec({ image: 'hft engine' }), 'spec.image', IMAGE),
  bad('an empty image', spec({ image: '' }), 'spec.image', IMAGE),
  bad('an image too long', spec({ image: 'a'.repeat(513) }), 'spec.image', 'may not be more than 512'),
  bad(
    'an unknown pull policy',
    spec({ imagePullPolicy: 'Sometimes' }),
    'spec.imagePullPolicy',
    'supported values: "Always", "IfNotPresent", "Never"',
  ),
  bad('no cpu at all', spec({ resources: { cpu: 0 } }), 'spec.resources.cpu', 'should be greater than or equal to 1'),
  bad('negative cpus', spec({ resources: { cpu: -1 } }), 'spec.resources.cpu', 'should be greater than or equal to 1'),
  bad('too many cpus', spec({ resources: { cpu: 257 } }), 'spec.resources.cpu', 'should be less than or equal to 256'),
  bad('too many cpus as text', spec({ resources: { cpu: '256001m' } }), 'spec.resources.cpu', CPU),
  bad('a cpu of zero as text', spec({ resources: { cpu: '0.0' } }), 'spec.resources.cpu', CPU),
  bad('a cpu of 49m', spec({ resources: { cpu: '49m' } }), 'spec.resources.cpu', CPU),
  bad('cpu in words', spec({ resources: { cpu: 'two' } }), 'spec.resources.cpu', CPU),
  bad('cpu as a fraction without quotes', spec({ resources: { cpu: 0.5 } }), 'spec.resources.cpu', 'must be of type integer'),
  bad('cpu as a boolean', spec({ resources: { cpu: true } }), 'spec.resources.cpu', 'must be of type integer'),
  bad('too little memory', spec({ resources: { memory: '255Mi' } }), 'spec.resources.memory', MEMORY),
  bad('too much memory', spec({ resources: { memory: '5Ti' } }), 'spec.resources.memory', MEMORY),
  bad('no memory', spec({ resources: { memory: '0' } }), 'spec.resources.memory', MEMORY),
  bad('memory with a fraction', spec({ resources: { memory: '1.5Gi' } }), 'spec.resources.memory', MEMORY),
  bad('memory in an unknown unit', spec({ resources: { memory: '1GB' } }), 'spec.resources.memory', MEMORY),
  bad('memory as a number', spec({ resources: { memory: 1_073_741_824 } }), 'spec.resources.memory', 'must be of type string'),
  bad('an unknown heap mode', spec({ runtime: { heap: 'manual' } }), 'spec.runtime.heap', 'supported values: "auto", "explicit"'),
  bad(
    'an explicit heap without sizes',
    spec({ runtime: { heap: 'explicit', oldSpaceMi: 512 } }),
    'spec.runtime',
    'heap: explicit needs oldSpaceMi and semiSpaceMi: set both, or use heap: auto',
  ),
  bad(
    'sizes without an explicit heap',
    spec({ runtime: { semiSpaceMi: 16 } }),
    'spec.runtime',
    'oldSpaceMi and semiSpaceMi are read only with heap: explicit: remove them, or set heap: explicit',
  ),
  bad(
    'a heap larger than the memory',
    spec({ resources: { memory: '512Mi' }, runtime: { heap: 'explicit', oldSpaceMi: 512, semiSpaceMi: 16 } }),
    'spec.runtime',
    HEAP,
  ),
  bad(
    'a heap one MiB larger than the memory',
    spec({ runtime: { heap: 'explicit', oldSpaceMi: 1024 - 96 - 3 * 16 + 1, semiSpaceMi: 16 } }),
    'spec.runtime',
    HEAP,
  ),
  bad(
    'an old space too small',
    spec({ runtime: { heap: 'explicit', oldSpaceMi: 63, semiSpaceMi: 1 } }),
    'spec.runtime.oldSpaceMi',
    'should be greater than or equal to 64',
  ),
  bad(
    'an unknown durability',
    spec({ journal: { durability: 'tape' } }),
    'spec.journal.durability',
    'supported values: "memory", "commit", "disk"',
  ),
  bad('too little storage', spec({ journal: { storage: '1Mi' } }), 'spec.journal.storage', STORAGE),
  bad('negative storage', spec({ journal: { storage: '-1Gi' } }), 'spec.journal.storage', STORAGE),
  bad('more storage than can be counted', spec({ journal: { storage: '999999999999999Ti' } }), 'spec.journal.storage', STORAGE),
  bad(
    'a storage class that is no name',
    spec({ journal: { storageClassName: 'Fast SSD' } }),
    'spec.journal.storageClassName',
    'storageClassName must be the name of a StorageClass',
  ),
  bad('an order limit of zero', spec({ risk: { maxOrderQty: '0' } }), 'spec.risk.maxOrderQty', QUANTITY),
  bad('a negative order limit', spec({ risk: { maxOrderQty: '-5' } }), 'spec.risk.maxOrderQty', QUANTITY),
  bad(
    'an endless notional',
    spec({ risk: { maxNotional: 'Infinity' } }),
    'spec.risk.maxNotional',
    'maxNotional must be a decimal greater than zero',
  ),
  bad(
    'a price band of zero',
    spec({ risk: { priceBandPercent: 0 } }),
    'spec.risk.priceBandPercent',
    'should be greater than or equal to 1',
  ),
  bad(
    'a price band above 100',
    spec({ risk: { priceBandPercent: 101 } }),
    'spec.risk.priceBandPercent',
    'should be less than or equal to 100',
  ),
  bad('a price band with a fraction', spec({ risk: { priceBandPercent: 2.5 } }), 'spec.risk.priceBandPercent', 'must be of type integer'),
  bad(
    'a position limit of zero',
    spec({ risk: { maxPosition: '0' } }),
    'spec.risk.maxPosition',
    'maxPosition must be a decimal greater than zero',
  ),
  bad(
    'a position limit below the lot',
    spec({ instruments: [BTC, { ...ETH, lotSize: '10' }], risk: { maxPosition: '9.999' } }),
    'spec.risk.maxPosition',
    'maxPosition is smaller than the lotSize of an instrument, no order could pass: raise maxPosition, or remove it',
  ),
  bad('no open orders at all', spec({ risk: { maxOpenOrders: 0 } }), 'spec.risk.maxOpenOrders', 'should be greater than or equal to 1'),
  bad('open orders as text', spec({ risk: { maxOpenOrders: '10' } }), 'spec.risk.maxOpenOrders', 'must be of type integer'),
  bad(
    'a negative open notional',
    spec({ risk: { maxOpenNotional: '-1' } }),
    'spec.risk.maxOpenNotional',
    'maxOpenNotional must be a decimal greater than zero',
  ),
  bad('halts without a band', spec({ risk: { volatility: { halt: '1m' } } }), 'spec.risk.volatility.bandPercent', 'Required value'),
  bad(
    'a band of halts above 100',
    spec({ risk: { volatility: { bandPercent: 101 } } }),
    'spec.risk.volatility.bandPercent',
    'should be less than or equal to 100',
  ),
  bad(
    'a window too short',
    spec({ risk: { volatility: { bandPercent: 5, window: '999ms' } } }),
    'spec.risk.volatility.window',
    'window must be a duration from 1s to 24h',
  ),
  bad(
    'a halt of no time',
    spec({ risk: { volatility: { bandPercent: 5, halt: '0s' } } }),
    'spec.risk.volatility.halt',
    'halt must be a duration from 1s to 24h',
  ),
  bad(
    'an auction too long',
    spec({ risk: { volatility: { bandPercent: 5, auction: '25h' } } }),
    'spec.risk.volatility.auction',
    'auction must be a duration from 1s to 24h',
  ),
  bad('halts as a number', spec({ risk: { volatility: 5 } }), 'spec.risk.volatility', 'must be of type object'),
  bad(
    'a retention too short',
    spec({ journal: { retention: '59m' } }),
    'spec.journal.retention',
    'retention must be a duration from 1h to 8760h',
  ),
  bad(
    'a snapshot too often',
    spec({ journal: { snapshotEvery: 999 } }),
    'spec.journal.snapshotEvery',
    'should be greater than or equal to 1000',
  ),
  bad('a kill switch as text', spec({ risk: { killSwitch: 'yes' } }), 'spec.risk.killSwitch', 'must be of type boolean'),
  bad('a rate of zero', spec({ limits: { ordersPerSecond: 0 } }), 'spec.limits.ordersPerSecond', 'should be greater than or equal to 1'),
  bad('a rate as text', spec({ limits: { ordersPerSecond: '1000' } }), 'spec.limits.ordersPerSecond', 'must be of type integer'),
  bad(
    'a burst below 10 ms of the rate',
    spec({ limits: { ordersPerSecond: 100_000, burst: 999 } }),
    'spec.limits.burst',
    'burst must allow at least 10 ms of orders: raise burst to ordersPerSecond / 100 or more',
  ),
  bad(
    'a duration without a unit',
    spec({ auth: { rotateEvery: '24' } }),
    'spec.auth.rotateEvery',
    'rotateEvery must be a duration from 10s to 8760h',
  ),
  bad('a duration in days', spec({ auth: { rotateEvery: '1d' } }), 'spec.auth.rotateEvery', 'rotateEvery must be a duration'),
  bad(
    'a duration beyond the range of durations',
    spec({ auth: { rotateEvery: '99999h99999h' } }),
    'spec.auth.rotateEvery',
    'rotateEvery must be a duration',
  ),
  bad('a duration as a number', spec({ auth: { overlap: 600 } }), 'spec.auth.overlap', 'must be of type string'),
  bad(
    'an overlap as long as the rotation',
    spec({ auth: { rotateEvery: '1h', overlap: '60m' } }),
    'spec.auth.overlap',
    'overlap must be shorter than rotateEvery: lower overlap or raise rotateEvery',
  ),
  bad(
    'an overlap longer than the rotation',
    spec({ auth: { rotateEvery: '5m' } }),
    'spec.auth.overlap',
    'overlap must be shorter than rotateEvery: lower overlap or raise rotateEvery',
  ),
  bad('TLS without a Secret', spec({ tls: {} }), 'spec.tls.secretName', 'Required value'),
  bad(
    'a Secret of another namespace',
    spec({ tls: { secretName: 'other/demo' } }),
    'spec.tls.secretName',
    'secretName must be the name of a Secret',
  ),
  bad(
    'authorities of clients who are not asked',
    spec({ tls: { secretName: 'demo-tls', clientCaSecretName: 'desk' } }),
    'spec.tls.clientCaSecretName',
    'clientCaSecretName is read only when clients are asked for a certificate',
  ),
  bad('no time to progress', spec({ rollout: { progressDeadline: '0s' } }), 'spec.rollout.progressDeadline', DEADLINE),
  bad('too much time to progress', spec({ rollout: { progressDeadline: '25h' } }), 'spec.rollout.progressDeadline', DEADLINE),
  bad(
    'an objective of zero',
    spec({ rollout: { slo: { matchP99Micros: 0 } } }),
    'spec.rollout.slo.matchP99Micros',
    'should be greater than or equal to 1',
  ),
  bad('an objective as a list', spec({ rollout: { slo: [] } }), 'spec.rollout.slo', 'must be of type object'),
  bad(
    'an unknown log level',
    spec({ observability: { logLevel: 'verbose' } }),
    'spec.observability.logLevel',
    'supported values: "fatal", "error", "warn", "info", "debug", "trace"',
  ),
  bad(
    'an alert above 100 percent',
    spec({ observability: { alerts: { errorRatePercent: 101 } } }),
    'spec.observability.alerts.errorRatePercent',
    'should be less than or equal to 100',
  ),
  bad('an unknown deletion policy', spec({ deletionPolicy: 'Keep' }), 'spec.deletionPolicy', 'supported values: "Retain", "Delete"'),
  bad('a spec as a list', [], 'spec', 'must be of type object'),
];

/** Changes of a stored spec: refused with a message, or accepted where there is none. */
export interface Update {
  name: string;
  from: Json;
  to: Json;
  refused?: { field: string; message: string };
}

export const UPDATES: readonly Update[] = [
  {
    name: 'less storage',
    from: spec({ journal: { storage: '2Gi' } }),
    to: spec({ journal: { storage: '2047Mi' } }),
    refused: { field: 'spec.journal.storage', message: 'a volume cannot shrink: keep storage at its present size or more' },
  },
  {
    name: 'storage left out, which means the smaller default',
    from: spec({ journal: { storage: '2Gi' } }),
    to: spec(),
    refused: { field: 'spec.journal.storage', message: 'a volume cannot shrink' },
  },
  {
    name: 'another storage class',
    from: spec({ journal: { storageClassName: 'slow' } }),
    to: spec({ journal: { storageClassName: 'fast' } }),
    refused: {
      field: 'spec.journal.storageClassName',
      message: 'storageClassName cannot change: create a new HFTEngine on the other class',
    },
  },
  {
    name: 'a storage class where there was none',
    from: spec(),
    to: spec({ journal: { storageClassName: 'fast' } }),
    refused: { field: 'spec.journal.storageClassName', message: 'storageClassName cannot change' },
  },
  {
    name: 'no storage class where there was one',
    from: spec({ journal: { storageClassName: 'fast' } }),
    to: spec(),
    refused: { field: 'spec.journal.storageClassName', message: 'storageClassName cannot change' },
  },
  {
    name: 'another tick',
    from: spec({ instruments: [BTC, ETH] }),
    to: spec({ instruments: [BTC, { ...ETH, tickSize: '0.1' }] }),
    refused: { field: 'spec.instruments[1].tickSize', message: 'tickSize of a listed instrument cannot change' },
  },
  {
    name: 'another lot, and the instruments in another order',
    from: spec({ instruments: [BTC, ETH] }),
    to: spec({ instruments: [{ ...ETH, lotSize: '0.01' }, BTC] }),
    refused: { field: 'spec.instruments[0].lotSize', message: 'lotSize of a listed instrument cannot change' },
  },
  {
    name: 'a wrong unit in stored storage',
    from: spec({ journal: { storage: '2Gi' } }),
    to: spec({ journal: { storage: '3GB' } }),
    refused: { field: 'spec.journal.storage', message: STORAGE },
  },
  { name: 'more storage', from: spec({ journal: { storage: '1Gi' } }), to: spec({ journal: { storage: '2Gi' } }) },
  { name: 'the same storage in other words', from: spec({ journal: { storage: '1Gi' } }), to: spec({ journal: { storage: '1024Mi' } }) },
  { name: 'one more instrument', from: spec(), to: spec({ instruments: [BTC, ETH] }) },
  { name: 'one instrument less', from: spec({ instruments: [BTC, ETH] }), to: spec({ instruments: [ETH] }) },
  { name: 'another order of instruments', from: spec({ instruments: [BTC, ETH] }), to: spec({ instruments: [ETH, BTC] }) },
  {
    name: 'halts and retention where there were none',
    from: spec(),
    to: spec({ risk: { maxPosition: '5', volatility: { bandPercent: 5 } }, journal: { retention: '2h' } }),
  },
  { name: 'other limits', from: spec(), to: spec({ risk: { maxOrderQty: '5' }, limits: { ordersPerSecond: 5, burst: 5 } }) },
];

const NAME = 'metadata.name must be at most 40 lower-case letters, digits and dashes and start with a letter';

/** Names of an HFTEngine that are refused although Kubernetes itself would take them. */
export const BAD_NAMES: readonly { name: string; metadataName: string; message: string }[] = [
  { name: 'too long for the children', metadataName: 'a'.repeat(41), message: NAME },
  { name: 'starts with a digit', metadataName: '7up', message: NAME },
  { name: 'with a dot', metadataName: 'demo.v2', message: NAME },
];
