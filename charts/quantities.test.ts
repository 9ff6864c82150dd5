import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseBytes } from '../crds/quantity.ts';
import { canonicalBytes, canonicalCpu } from './quantities.ts';
import { memory } from './spec.prop.ts';

describe('canonicalCpu', () => {
  it.each([
    [1, '1'],
    ['016', '16'],
    ['0.5', '500m'],
    ['2.25', '2250m'],
    ['1500m', '1500m'],
    ['2000m', '2'],
  ])('%s -> %s', (cpu, canonical) => expect(canonicalCpu(cpu)).toBe(canonical));

  it('refuses other text', () => expect(() => canonicalCpu('one')).toThrow(RangeError));
});

describe('canonicalBytes', () => {
  it.each([
    ['1024Mi', '1Gi'],
    ['1536Mi', '1536Mi'],
    ['1048576Ki', '1Gi'],
    ['1024Ti', '1Pi'],
    ['1000000k', '1G'],
    ['1000000000', '1G'],
    ['1073741824', '1073741824'],
    ['1500M', '1500M'],
  ])('%s -> %s', (text, canonical) => expect(canonicalBytes(text)).toBe(canonical));

  it('keeps the value and is stable', () => {
    fc.assert(
      fc.property(memory, (text) => {
        const canonical = canonicalBytes(text);
        expect(parseBytes(canonical)).toBe(parseBytes(text));
        expect(canonicalBytes(canonical)).toBe(canonical);
      }),
    );
  });

  it('refuses other text', () => expect(() => canonicalBytes('1.5Gi')).toThrow(RangeError));
});
