/**
 * CEL rules of the CRD, each beside the predicate that says the same to zod, so that a file checked offline and a request checked by
 * the API server get one answer and one message. `e2e/tests/crd.api.test.ts` holds the two to each other.
 */
import { z } from 'zod';

/** One CEL rule of the CRD. `fieldPath` points at the field that the message is about, relative to the value that carries the rule. */
export interface CelRule {
  rule: string;
  message: string;
  fieldPath?: string;
}

/** A rule on one value. `holds` is the CEL expression in TypeScript; a RangeError from it means that a field's own rule already failed. */
export interface Rule<T> extends CelRule {
  holds: (value: T) => boolean;
}

function holdsOrUnparsable<T>(holds: (value: T) => boolean, value: T): boolean {
  try {
    return holds(value);
  } catch (error) {
    if (error instanceof RangeError) return true;
    throw error;
  }
}

function withCel<T extends z.ZodType>(schema: T, added: readonly CelRule[]): T {
  const meta: Readonly<Record<string, unknown>> = schema.meta() ?? {};
  const present = meta['x-kubernetes-validations'];
  const cel = added.map(({ rule, message, fieldPath }) => ({ rule, message, ...(fieldPath === undefined ? {} : { fieldPath }) }));
  return schema.meta({ ...meta, 'x-kubernetes-validations': [...(Array.isArray(present) ? present : []), ...cel] });
}

/** Attaches rules to a schema: to zod as refinements, to the CRD as `x-kubernetes-validations`. */
export function rules<T extends z.ZodType>(schema: T, ...added: Rule<z.output<T>>[]): T {
  let refined = schema;
  for (const { holds, message, fieldPath } of added) {
    const path = fieldPath === undefined ? {} : { path: fieldPath.split('.').slice(1) };
    refined = refined.refine((value) => holdsOrUnparsable(holds, value), { error: message, ...path });
  }
  return withCel(refined, added);
}

/** Attaches rules that compare with the stored object (`oldSelf`). Only the API server can check those: zod ignores them. */
export function transitionRules<T extends z.ZodType>(schema: T, ...added: CelRule[]): T {
  return withCel(schema, added);
}

/** The text of a pattern as a raw CEL string literal. Patterns here hold no single quote; one that did would be refused by the API server. */
export function celPattern(pattern: RegExp): string {
  return `r'${pattern.source}'`;
}

/**
 * A bounded string with a pattern. The CRD carries the pattern as a CEL rule instead of `pattern:`, because the API server answers the latter
 * with the regular expression alone and the former with `message`.
 *
 * `also` narrows the values further under the same message; its rule may rely on the pattern.
 */
export function text(options: {
  maxLength: number;
  pattern: RegExp;
  message: string;
  also?: { rule: string; holds: (value: string) => boolean };
}): z.ZodString {
  const { maxLength, pattern, message, also } = options;
  const matches = `self.matches(${celPattern(pattern)})`;
  const schema = z.string().max(maxLength).regex(pattern, { error: message, abort: true });
  if (also === undefined) return withCel(schema, [{ rule: matches, message }]);
  return withCel(schema.refine(also.holds, { error: message }), [{ rule: `${matches} && ${also.rule}`, message }]);
}
