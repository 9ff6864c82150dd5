import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../testing/temporary-directory.ts';
import { adminToken } from './admin-token.ts';
import { DEFAULT_CONFIG, loadConfig, validateConfig } from './config.ts';
import { effectiveConfig } from './effective.ts';
import { readOptions } from './options.ts';

let directory: string;
beforeAll(() => {
  directory = temporaryDirectory();
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function load(text: string): unknown {
  const file = join(directory, 'config.json');
  writeFileSync(file, text);
  return loadConfig(file);
}

const [BTC, ETH] = DEFAULT_CONFIG.instruments;

describe('configuration', () => {
  it('is read whole', () => {
    expect(load(JSON.stringify(DEFAULT_CONFIG))).toEqual(DEFAULT_CONFIG);
  });

  it.each([
    ['a misspelt key', { ...DEFAULT_CONFIG, risks: {} }, /risks: not a known key: remove it, or correct its spelling/],
    ['a misspelt inner key', { ...DEFAULT_CONFIG, risk: { ...DEFAULT_CONFIG.risk, maxQty: '1' } }, /risk\.maxQty: not a known key/],
    [
      'a missing key',
      { ...DEFAULT_CONFIG, instruments: [{ symbol: 'A', tickSize: '1' }] },
      /instruments\[0\]\.lotSize: missing, .*: add it/,
    ],
    [
      'a wrong type',
      { ...DEFAULT_CONFIG, limits: { ordersPerSecond: '10', burst: 10 } },
      /limits\.ordersPerSecond: .*expected number.*found "10": correct it/,
    ],
    [
      'an unknown choice',
      { ...DEFAULT_CONFIG, journal: { durability: 'tape' } },
      /journal\.durability: .*"memory"\|"commit"\|"disk".*found "tape"/,
    ],
    ['a bad tick', { ...DEFAULT_CONFIG, instruments: [{ ...BTC, tickSize: '1e-2' }] }, /instruments\[0\]\.tickSize: .*found "1e-2"/],
    [
      'a zero lot',
      { ...DEFAULT_CONFIG, instruments: [BTC, { ...ETH, lotSize: '0.000' }] },
      /instruments\[1\]\.lotSize: .*greater than zero.*found "0\.000"/,
    ],
    [
      'a tick beyond count',
      { ...DEFAULT_CONFIG, instruments: [{ ...BTC, tickSize: '999999999999.999999999' }] },
      /instruments\[0\]\.tickSize: .*at most 15 digits/,
    ],
    [
      'a symbol twice',
      { ...DEFAULT_CONFIG, instruments: [BTC, ETH, BTC] },
      /instruments\[2\]\.symbol: "BTC-USD" is listed at instruments\[0\] already: remove one/,
    ],
    ['no instruments', { ...DEFAULT_CONFIG, instruments: [] }, /instruments: .*found \[\]/],
    ['a list', [], /\(the whole file\): .*expected object/],
  ])('is refused with the key: %s', (_name, config, message) => {
    expect(() => load(JSON.stringify(config))).toThrow(
      expect.objectContaining({ code: 'HFT_CONFIG_INVALID', message: expect.stringMatching(message) }),
    );
  });

  it('tells every fault at once', () => {
    const checked = validateConfig({ ...DEFAULT_CONFIG, engine: '', journal: { durability: 1 } });
    expect(checked).toMatchObject({
      ok: false,
      faults: [expect.stringContaining('engine:'), expect.stringContaining('journal.durability:')],
    });
  });

  it('is refused when it is no strict JSON or is not there', () => {
    expect(() => load('{"engine": "a", "engine": "b"}')).toThrow(/engine occurs more than once/);
    expect(() => load('{"limits": {"burst": NaN}}')).toThrow(/no valid JSON at limits\.burst/);
    expect(() => loadConfig(join(directory, 'absent.json'))).toThrow(/absent\.json cannot be read .*: give its path with --config/);
  });
});

describe('options', () => {
  it('flags win over the environment, the environment over defaults', () => {
    expect(readOptions(['--port', '1', '--data=/x'], { HFT_PORT: '2', HFT_OPS_PORT: '3', HFT_CONFIG: 'c' })).toMatchObject({
      port: 1,
      opsPort: 3,
      dataDirectory: '/x',
      configFile: 'c',
    });
    expect(readOptions(['--accept-loss-after', '41'], {})).toMatchObject({ acceptLossAfter: 41 });
    expect(readOptions([], {})).toMatchObject({
      acceptLossAfter: undefined,
      port: 8080,
      opsPort: 9090,
      grpcPort: 50_051,
      dataDirectory: './data',
      configFile: undefined,
      host: '::',
    });
  });

  it.each([
    [['--port', 'x'], {}, /--port \(HFT_PORT\): must be a port from 0 to 65535, found "x"/],
    [['--grpc-port', '-1'], {}, /--grpc-port/],
    [[], { HFT_OPS_PORT: '70000' }, /--ops-port \(HFT_OPS_PORT\).*"70000"/],
    [['--prot', '1'], {}, /Unknown option '--prot'.*--help/],
    [['--accept-loss-after', '-1'], {}, /Option '--accept-loss-after' argument/],
    [['--accept-loss-after=all'], {}, /--accept-loss-after: must be the sequence .*"all"/],
    [['file'], {}, /Unexpected argument 'file'/],
  ])('are refused by name: %j %j', (args, environment, message) => {
    expect(() => readOptions(args, environment)).toThrow(message);
  });
});

describe('profiles and overrides', () => {
  it('the environment and flags stand over the file', () => {
    const { overrides } = readOptions(['--durability', 'commit'], { HFT_DURABILITY: 'disk', HFT_LOG_LEVEL: 'debug' });
    expect(effectiveConfig(undefined, 'development', overrides)).toEqual({
      ...DEFAULT_CONFIG,
      journal: { durability: 'commit' },
      observability: { dashboard: true, logLevel: 'debug' },
    });
    expect(() => effectiveConfig(undefined, 'development', { logLevel: 'loud' })).toThrow(/--log-level \(HFT_LOG_LEVEL\): .*"loud"/);
  });

  it('the files of TLS come by flags and environment, a certificate never without its key', () => {
    const { overrides } = readOptions(['--tls-cert', 'a.crt'], { HFT_TLS_KEY: 'a.key' });
    expect(effectiveConfig(undefined, 'development', overrides).tls).toEqual({ certFile: 'a.crt', keyFile: 'a.key' });
    const alone = readOptions(['--tls-cert', 'a.crt'], {}).overrides;
    expect(() => effectiveConfig(undefined, 'development', alone)).toThrow(/--tls-key: missing/);
    expect(validateConfig({ ...DEFAULT_CONFIG, tls: { certFile: 'a', keyFile: 'b', clientAuth: 'require' } })).toMatchObject({
      faults: [expect.stringContaining('tls.clientCaFile: missing')],
    });
  });

  it('production trades nothing embedded and keeps every order', () => {
    const { profile } = readOptions([], { HFT_PROFILE: 'production' });
    expect(() => effectiveConfig(undefined, profile, {})).toThrow(/give one with --config/);
    const file = join(directory, 'production.json');
    writeFileSync(file, JSON.stringify(DEFAULT_CONFIG));
    expect(effectiveConfig(file, profile, {})).toEqual(DEFAULT_CONFIG);
    expect(() => effectiveConfig(file, profile, { durability: 'memory' })).toThrow(/memory keeps no order/);
    expect(() => readOptions(['--profile', 'prod'], {})).toThrow(/--profile \(HFT_PROFILE\): .*"prod"/);
  });
});

describe('admin token', () => {
  it('is made once, kept private, and never shown', () => {
    const first = adminToken(undefined, directory);
    expect(first.token).toMatch(/^[\w-]{43}$/);
    expect(adminToken(undefined, directory)).toEqual(first);
    expect(adminToken(first.file, '/nowhere').token).toBe(first.token);
    const short = join(directory, 'short');
    writeFileSync(short, 'secret');
    expect(() => adminToken(short, directory)).toThrow(expect.objectContaining({ message: expect.not.stringContaining('secret') }));
  });
});
