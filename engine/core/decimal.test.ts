import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DecimalStep, OFF_STEP, TOO_LARGE } from './decimal.ts';

describe('DecimalStep', () => {
  it.each([
    ['0.01', '100', 10_000],
    ['0.01', '100.05', 10_005],
    ['0.01', '100.050000000', 10_005],
    ['0.01', '100.051', OFF_STEP],
    ['0.05', '100.10', 2002],
    ['0.05', '100.11', OFF_STEP],
    ['5', '15', 3],
    ['5', '16', OFF_STEP],
    ['0.000000001', '0.000000001', 1],
    ['0.000000001', '9007199.254740991', Number.MAX_SAFE_INTEGER],
    ['0.000000001', '9007199.254740992', TOO_LARGE],
    ['0.3', '300000000000000.3', 1_000_000_000_000_001],
    ['0.3', '300000000000000.4', OFF_STEP],
    // Sixteen digits: an odd number of tenths beyond 2^53, which no double holds.
    ['0.2', '900719925474099.3', OFF_STEP],
    ['0.2', '900719925474099.4', 4_503_599_627_370_497],
  ])('step %s: %s is %d steps', (step, text, steps) => {
    expect(new DecimalStep(step).parse(text)).toBe(steps);
  });

  it.each(['0', '0.000', '-1', '1e3', '', '.5', '01', '1.', 'NaN'])('refuses the step "%s"', (text) => {
    expect(() => new DecimalStep(text)).toThrow(RangeError);
  });

  it('writes what it reads, shortest', () => {
    const step = fc.tuple(fc.integer({ min: 1, max: 99_999 }), fc.integer({ min: 0, max: 9 }));
    fc.assert(
      fc.property(step, fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }), ([units, scale], steps) => {
        const digits = String(units).padStart(scale + 1, '0');
        const decimal = new DecimalStep(scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`);
        const text = decimal.format(steps);
        expect(text).not.toMatch(/\.\d*0$|\.$/);
        expect(decimal.format(BigInt(steps))).toBe(text);
        expect(decimal.parse(text)).toBe(steps);
      }),
    );
  });

  it('tells text off the step from too much', () => {
    expect([OFF_STEP, TOO_LARGE].every((code) => code < 0)).toBe(true);
    expect(OFF_STEP).not.toBe(TOO_LARGE);
  });

  it('rounds limits down', () => {
    expect(new DecimalStep('0.3').floor('1')).toBe(3n);
    expect(new DecimalStep('0.0001').floor('1000000')).toBe(10_000_000_000n);
    expect(new DecimalStep('0.01').floorProduct(new DecimalStep('0.0001'), '1000000000')).toBe(1_000_000_000_000_000n);
    expect(new DecimalStep('0.01').floorProduct(new DecimalStep('0.0001'), '0.0000019')).toBe(1n);
    expect(new DecimalStep('7').floorProduct(new DecimalStep('3'), '41')).toBe(1n);
  });
});
