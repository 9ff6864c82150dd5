import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { rules, text, transitionRules } from './rules.ts';
import { structuralSchema } from './structural-schema.ts';

describe('a structural schema', () => {
  test('has defaults, bounds and required fields, and no closed objects', () => {
    const schema = z.strictObject({
      size: z.int().min(1).max(9).default(3).describe('How large.'),
      name: z.string().min(1).max(5),
      ratio: z.number().gt(0).lt(1).optional(),
      nested: z.object({ on: z.boolean().default(true) }).prefault({}),
    });
    expect(structuralSchema(schema)).toEqual({
      type: 'object',
      required: ['name'],
      properties: {
        size: { description: 'How large.', type: 'integer', format: 'int32', default: 3, minimum: 1, maximum: 9 },
        name: { type: 'string', minLength: 1, maxLength: 5 },
        ratio: { type: 'number', format: 'double', minimum: 0, exclusiveMinimum: true, maximum: 1, exclusiveMaximum: true },
        nested: { type: 'object', default: { on: true }, properties: { on: { type: 'boolean', default: true } } },
      },
    });
  });

  test('counts in 64 bits where 32 do not do, and does not mention the bounds of a double', () => {
    expect(structuralSchema(z.int())).toEqual({ type: 'integer', format: 'int64' });
    expect(structuralSchema(z.int().min(0))).toEqual({ type: 'integer', format: 'int64', minimum: 0 });
    expect(
      structuralSchema(
        z
          .int()
          .min(0)
          .max(2 ** 31),
      ),
    ).toEqual({ type: 'integer', format: 'int64', minimum: 0, maximum: 2 ** 31 });
  });

  test('keeps a plain pattern, and gives the place of one with a message to its rule', () => {
    expect(structuralSchema(z.string().regex(/^a+$/))).toEqual({ type: 'string', pattern: '^a+$' });
    expect(structuralSchema(text({ maxLength: 3, pattern: /^a+$/, message: 'only a' }))).toEqual({
      type: 'string',
      maxLength: 3,
      'x-kubernetes-validations': [{ rule: "self.matches(r'^a+$')", message: 'only a' }],
    });
  });

  test('leaves time to the API server', () => {
    expect(structuralSchema(z.iso.datetime())).toEqual({ type: 'string', format: 'date-time' });
  });

  test('writes enums, nullable values, maps, lists with keys and free values', () => {
    const item = z.object({ key: z.string() });
    expect(structuralSchema(z.enum(['a', 'b']))).toEqual({ type: 'string', enum: ['a', 'b'] });
    expect(structuralSchema(z.string().nullable())).toEqual({ type: 'string', nullable: true });
    expect(structuralSchema(z.record(z.string(), z.int()))).toEqual({
      type: 'object',
      additionalProperties: { type: 'integer', format: 'int64' },
    });
    expect(structuralSchema(z.array(item).meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['key'] }))).toEqual({
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['key'],
      items: { type: 'object', required: ['key'], properties: { key: { type: 'string' } } },
    });
    expect(structuralSchema(z.object({ any: z.unknown().optional().describe('Anything.') }))).toEqual({
      type: 'object',
      properties: { any: { description: 'Anything.', 'x-kubernetes-preserve-unknown-fields': true } },
    });
  });

  test('joins integer and string, and lets the rules of each speak only to it', () => {
    const side = text({ maxLength: 4, pattern: /^[0-9]+m$/, message: 'millis' });
    expect(structuralSchema(z.union([z.int().min(1).max(9), side]).default(1))).toEqual({
      default: 1,
      minimum: 1,
      maximum: 9,
      maxLength: 4,
      anyOf: [{ type: 'integer' }, { type: 'string' }],
      'x-kubernetes-int-or-string': true,
      'x-kubernetes-validations': [{ rule: "type(self) != string || (self.matches(r'^[0-9]+m$'))", message: 'millis' }],
    });
  });

  test('carries rules in order, through defaults, without their predicates', () => {
    const pair = z.object({ low: z.int().default(1), high: z.int().default(2) });
    const schema = transitionRules(
      rules(pair.prefault({}), {
        rule: 'self.low < self.high',
        message: 'turn them',
        fieldPath: '.low',
        holds: ({ low, high }) => low < high,
      }),
      { rule: 'self.high >= oldSelf.high', message: 'never less' },
    ).describe('A pair.');
    expect(structuralSchema(schema)).toMatchObject({
      description: 'A pair.',
      'x-kubernetes-validations': [
        { rule: 'self.low < self.high', message: 'turn them', fieldPath: '.low' },
        { rule: 'self.high >= oldSelf.high', message: 'never less' },
      ],
    });
    expect(schema.parse({})).toEqual({ low: 1, high: 2 });
    expect(schema.safeParse({ low: 3 }).error?.issues).toMatchObject([{ path: ['low'], message: 'turn them' }]);
  });

  test.each([
    ['a tuple', z.tuple([z.string()]), ': '],
    ['a union', z.object({ a: z.union([z.string(), z.boolean()]) }), '.a: a union other than integer | string'],
    ['a union of objects', z.object({ a: z.array(z.union([z.object({}), z.object({})])) }), '.a[]: a union'],
    ['a schema with an id', z.object({ a: z.string().meta({ id: 'Name' }) }), 'has no structural counterpart'],
    ['unknown metadata', z.object({ a: z.string().meta({ title: 'A' }) }), '.a: title has no structural counterpart'],
  ])('refuses %s, naming the path', (_, schema, message) => {
    expect(() => structuralSchema(schema)).toThrow(message);
  });

  test('refuses recursion', () => {
    const tree: z.ZodType = z.lazy(() => z.object({ children: z.array(tree) }));
    expect(() => structuralSchema(tree)).toThrow(/[Cc]ycle/);
  });
});
