import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseBytes, parseCpuMillis, parseDecimalNanos, parseDurationMs } from './quantity.ts';

describe('parseBytes', () => {
  test.each([
    ['1', 1],
    ['1Ki', 1024],
    ['1k', 1000],
    ['1Gi', 1_073_741_824],
    ['1500M', 1_500_000_000],
    ['4Ti', 4_398_046_511_104],
  ])('%s is %d bytes', (text, expected) => {
    expect(parseBytes(text)).toBe(expected);
  });

  test.each(['', '0', '01Gi', '-1Gi', '1.5Gi', '1e3', '1GB', '1gi', ' 1Gi', '1Gi ', '1Gi\n', 'Gi', '1234567890123456'])(
    'refuses %j',
    (text) => {
      expect(() => parseBytes(text)).toThrow(RangeError);
    },
  );

  test('agrees with exact arithmetic below 2⁵³', () => {
    const factors = {
      '': 1n,
      k: 10n ** 3n,
      M: 10n ** 6n,
      G: 10n ** 9n,
      T: 10n ** 12n,
      Ki: 2n ** 10n,
      Mi: 2n ** 20n,
      Gi: 2n ** 30n,
      Ti: 2n ** 40n,
    };
    fc.assert(
      fc.property(fc.bigInt({ min: 1n, max: 10n ** 15n - 1n }), fc.constantFrom(...Object.entries(factors)), (count, [suffix, factor]) => {
        fc.pre(count * factor < 2n ** 53n);
        expect(BigInt(parseBytes(`${count}${suffix}`))).toBe(count * factor);
      }),
    );
  });
});

describe('parseCpuMillis', () => {
  test.each([
    [1, 1000],
    ['1', 1000],
    ['0.5', 500],
    ['0.05', 50],
    ['0.001', 1],
    ['500m', 500],
    ['256000m', 256_000],
  ])('%j is %d millicores', (quantity, expected) => {
    expect(parseCpuMillis(quantity)).toBe(expected);
  });

  test.each(['', '-1', '1.', '.5', '0.0005', '0m', '1.5m', '1 m', '1k', 'NaN', 1e21, Number.NaN, -1])('refuses %j', (quantity) => {
    expect(() => parseCpuMillis(quantity)).toThrow(RangeError);
  });

  test('reads what millicores are written as, in either form', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 999_999 }), (millis) => {
        expect(parseCpuMillis(`${millis}m`)).toBe(millis);
        expect(parseCpuMillis((millis / 1000).toFixed(3))).toBe(millis);
      }),
    );
  });
});

describe('parseDurationMs', () => {
  test.each([
    ['24h', 86_400_000],
    ['1h30m', 5_400_000],
    ['500ms', 500],
    ['1m1ms', 60_001],
    ['1s1s', 2000],
  ])('%s is %d ms', (text, expected) => {
    expect(parseDurationMs(text)).toBe(expected);
  });

  test.each(['', '0s', '1', '1d', '1us', '1.5h', '-1s', '01s', '100000h', '1h2m3s4ms5s', '1 s', 's'])('refuses %j', (text) => {
    expect(() => parseDurationMs(text)).toThrow(RangeError);
  });

  test('is the sum of the parts', () => {
    const unitMs = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };
    const part = fc.tuple(fc.integer({ min: 1, max: 99_999 }), fc.constantFrom(...Object.entries(unitMs)));
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 4 }), (parts) => {
        const text = parts.map(([count, [unit]]) => `${count}${unit}`).join('');
        expect(parseDurationMs(text)).toBe(parts.reduce((sum, [count, [, ms]]) => sum + count * ms, 0));
      }),
    );
  });
});

describe('parseDecimalNanos', () => {
  test.each([
    ['0', 0n],
    ['1', 1_000_000_000n],
    ['0.01', 10_000_000n],
    ['0.000000001', 1n],
    ['999999999999999.999999999', 999_999_999_999_999_999_999_999n],
  ])('%s is %d × 10⁻⁹', (text, expected) => {
    expect(parseDecimalNanos(text)).toBe(expected);
  });

  test.each(['', '-1', '+1', '01', '1.', '.5', '1e3', '0.0000000001', '1,0', 'NaN', '1 '])('refuses %j', (text) => {
    expect(() => parseDecimalNanos(text)).toThrow(RangeError);
  });

  test('keeps order and value', () => {
    const nanos = fc.bigInt({ min: 0n, max: 10n ** 24n - 1n });
    fc.assert(
      fc.property(nanos, (value) => {
        const fraction = String(value % 10n ** 9n).padStart(9, '0');
        expect(parseDecimalNanos(`${value / 10n ** 9n}.${fraction}`)).toBe(value);
      }),
    );
  });
});
