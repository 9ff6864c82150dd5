import { describe, expect, it } from 'vitest';
import { mutantsOf, mutated, zerosOf } from './mutate.ts';

const NONE: ReadonlySet<string> = new Set();

/** What mutants make of a text, one line each. */
const made = (text: string, zeros = NONE): string[] => mutantsOf('file.ts', text, zeros).map(({ after }) => after);

describe('mutants', () => {
  it.each<[what: string, text: string, mutants: string[]]>([
    ['comparisons', 'const a = b < c;', ['const a = b <= c;', 'const a = b >= c;']],
    ['equalities', 'const a = b !== c;', ['const a = b === c;']],
    ['sums', 'const a = b + c - d;', ['const a = b - c - d;', 'const a = b + c + d;']],
    ['sums put together', 'a += b;', [';', 'a -= b;']],
    ['conditions put together', 'const a = b && c;', ['const a = b || c;']],
    ['negations', 'const a = !b;', ['const a = b;']],
    ['constants', 'const a = 7;', ['const a = 8;', 'const a = 6;']],
    ['large constants', 'const a = 7n;', ['const a = 8n;']],
    ['truths', 'const a = true;', ['const a = false;']],
    ['statements that do something', 'f();', [';']],
    ['choices', 'const a = b ? c : d;', ['const a = true ? c : d;', 'const a = false ? c : d;']],
    ['conditions of one statement', 'if (a) f();', ['if (true) f();', 'if (a) ;']],
    [
      'conditions of two',
      'if (a) f(); else g();',
      ['if (true) f(); else g();', 'if (false) f(); else g();', 'if (a) ; else g();', 'if (a) f(); else ;'],
    ],
    ['loops, without making them endless', 'while (a) f();', ['while (false) f();', 'while (a) ;']],
    [
      'early returns only',
      'function f() { if (a) return b; return c; }',
      ['function f() { if (true) return b; return c; }', 'function f() { if (a) ; return c; }'],
    ],
    [
      'private methods, fields and getters',
      'class A { #b = 1; get c() { return !this.#b; } }',
      [
        'class A { #b = 2; get c() { return !this.#b; } }',
        'class A { #b = 0; get c() { return !this.#b; } }',
        'class A { #b = 1; get c() { return this.#b; } }',
      ],
    ],
    ['no types', 'const a: 1 | 2 = b as 3; type C = 4; function f<T extends 5>(d: 6): 7 { return d as unknown as 7; }', []],
    ['no text and no imports', "import { a } from './1.ts'; const b = `more than ${c}`;", []],
  ])('are made of %s', (_what, text, mutants) => expect(made(text).toSorted()).toEqual(mutants.toSorted()));

  it('stand at their places, whatever is written before them', () => {
    const text = '/** ⌀ é\n */\nconst a =\n  b <\n  c;\n';
    const [mutant] = mutantsOf('file.ts', text, NONE);
    expect(mutant).toMatchObject({ file: 'file.ts', line: 4, before: 'b <', after: 'b <=' });
    expect(mutant && mutated(text, mutant)).toBe('/** ⌀ é\n */\nconst a =\n  b <=\n  c;\n');
  });

  it('add and take away nothing when that is what they do', () => {
    const text = 'const FIRST = 0;\nexport const SECOND = 1;\nconst a = b + FIRST + SECOND;';
    expect(zerosOf(text)).toEqual(['FIRST']);
    expect(made(text, new Set(zerosOf(text))).filter((line) => line.startsWith('const a'))).toEqual(['const a = b + FIRST - SECOND;']);
  });

  it('are no mutants when they are no program', () => {
    expect(() => mutated('f();', { file: '', line: 1, start: 2, end: 3, replacement: '', before: '', after: '' })).toThrow(/Syntax Error/);
  });
});
