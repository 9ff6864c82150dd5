import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JsonFault, parseStrictJson } from './strict-json.ts';

describe('parseStrictJson', () => {
  it('reads whatever JSON.stringify writes', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        const text = JSON.stringify(value);
        expect(parseStrictJson(text)).toEqual(JSON.parse(text));
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ['{"a":1,"a":2}', 'a'],
    ['{"a":{"b":[{"c":1},{"c":1,"d":":","c":2}]}}', 'a.b[1].c'],
    ['{"__proto__":1,"__proto__":2}', '__proto__'],
    ['{"a:b":1,"x":"\\"","a:b":1}', 'a:b'],
  ])('refuses a key that occurs twice: %s', (text, field) => {
    expect(() => parseStrictJson(text)).toThrow(expect.objectContaining({ kind: 'duplicate', field }));
  });

  it('finds a duplicate wherever it is put', () => {
    const key = fc.constantFrom('a', 'b', '":"', '\\', '', 'é', '__proto__');
    fc.assert(
      fc.property(fc.array(fc.tuple(key, fc.jsonValue({ maxDepth: 1 })), { maxLength: 5 }), (pairs) => {
        const text = `{${pairs.map(([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}`).join(', ')}}`;
        const twice = new Set(pairs.map(([name]) => name)).size < pairs.length;
        const outcome = ((): unknown => {
          try {
            return parseStrictJson(text);
          } catch (fault) {
            return fault instanceof JsonFault ? fault.kind : fault;
          }
        })();
        expect(outcome).toEqual(twice ? 'duplicate' : JSON.parse(text));
      }),
      { numRuns: 500 },
    );
  });

  it('refuses what recursive code could not walk', () => {
    const nested = (levels: number): string => `${'['.repeat(levels)}"[[["${']'.repeat(levels)}`;
    expect(parseStrictJson(nested(64))).toEqual(JSON.parse(nested(64)));
    expect(parseStrictJson(`[${'[],'.repeat(100)}{}]`)).toHaveLength(101);
    for (const levels of [65, 100_000])
      expect(() => parseStrictJson(nested(levels))).toThrow(
        expect.objectContaining({ kind: 'depth', message: 'nested more than 64 levels deep' }),
      );
  });

  it('names the beginning of a path that is longer than anybody reads', () => {
    expect(() => parseStrictJson('['.repeat(16_000))).toThrow(expect.objectContaining({ kind: 'syntax', field: '[0]'.repeat(16) }));
  });

  it.each([
    ['{"a":1,"b":NaN}', 'b'],
    ['{"a":[1,2,undefined]}', 'a[2]'],
    ["{'a':1}", undefined],
    ['{"a":01}', 'a'],
    ['', undefined],
  ])('names the field of a fault: %s', (text, field) => {
    expect(() => parseStrictJson(text)).toThrow(expect.objectContaining({ kind: 'syntax', field }));
  });
});
