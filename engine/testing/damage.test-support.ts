/** Arbitraries of what was damaged: bytes, and JSON text. */
import * as fc from 'fast-check';

/** Changes of bytes: overwritten, cut, put in. */
export const changes = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('set' as const), at: fc.nat(5000), byte: fc.nat(255) }),
    fc.record({ kind: fc.constant('cut' as const), at: fc.nat(5000), length: fc.nat(40) }),
    fc.record({ kind: fc.constant('put' as const), at: fc.nat(5000), bytes: fc.uint8Array({ maxLength: 20 }) }),
  ),
  { maxLength: 5 },
);
type Changes = typeof changes extends fc.Arbitrary<infer Value> ? Value : never;

export function damaged(whole: Uint8Array, list: Changes): Buffer {
  let bytes = Buffer.from(whole);
  for (const change of list) {
    const at = change.at % (bytes.length + 1);
    if (change.kind === 'set') {
      if (at < bytes.length) bytes[at] = change.byte;
    } else if (change.kind === 'cut') bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + change.length)]);
    else bytes = Buffer.concat([bytes.subarray(0, at), change.bytes, bytes.subarray(at)]);
  }
  return bytes;
}

/** JSON in which a value anywhere is another, of any type, some of them deep and some with keys of prototypes. */
const strange = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom('', '__proto__', 'constructor', '9'.repeat(400), -1, 0, 1e308, 2 ** 53, null, true, [], {}),
  fc.nat(90).map((depth) => JSON.parse(`${'['.repeat(depth)}1${']'.repeat(depth)}`) as unknown),
);

function withValue(root: unknown, path: readonly number[], value: unknown): unknown {
  const [first, ...rest] = path;
  if (typeof root !== 'object' || root === null || first === undefined) return value;
  const keys = Object.keys(root);
  if (keys.length === 0) return value;
  const key = keys[first % keys.length] as string;
  const copy: Record<string, unknown> | unknown[] = Array.isArray(root) ? [...(root as unknown[])] : { ...root };
  (copy as Record<string, unknown>)[key] = withValue((root as Record<string, unknown>)[key], rest, value);
  return copy;
}
/** The text of an object, damaged; and text that is nested without end. */
export const damagedTexts = (whole: object): fc.Arbitrary<string> =>
  fc.oneof(
    changes.map((list) => damaged(Buffer.from(JSON.stringify(whole)), list).toString('utf8')),
    fc
      .tuple(fc.array(fc.nat(20), { minLength: 1, maxLength: 4 }), strange)
      .map(([path, value]) => JSON.stringify(withValue(whole, path, value))),
    fc.nat(5000).map((depth) => '['.repeat(depth)),
    fc.nat(5000).map((depth) => `${'{"keys":'.repeat(depth)}1${'}'.repeat(depth)}`),
  );
