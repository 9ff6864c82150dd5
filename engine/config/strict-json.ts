/**
 * JSON with nothing silently dropped: a key that occurs twice in an object is refused (JSON.parse takes the last), and a fault names the
 * field in which it was found.
 */

/** `field` is a path such as `instruments[0].tickSize`; undefined when the fault lies in no field. */
export class JsonFault extends Error {
  override readonly name = 'JsonFault';
  readonly kind: 'syntax' | 'duplicate' | 'depth';
  readonly field: string | undefined;

  constructor(kind: JsonFault['kind'], field: string | undefined, message: string) {
    super(message);
    this.kind = kind;
    this.field = field;
  }
}

/** Parses `text`. Throws {@link JsonFault}. */
export function parseStrictJson(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new JsonFault('syntax', walk(text).badToken, reason);
  }
  const { colons, depth } = measure(text);
  // An object of texts and numbers, as an order is: its keys are all there are.
  if (depth === 1 && colons === keysOf(value)) return value;
  if (depth > MAX_DEPTH) throw new JsonFault('depth', undefined, `nested more than ${MAX_DEPTH} levels deep`);
  // Every key costs one colon outside a string. A duplicate leaves fewer keys than colons, so equal counts prove that there is none.
  if (colons !== countKeys(value)) {
    const field = walk(text).duplicate;
    throw new JsonFault('duplicate', field, `${field ?? 'a key'} occurs more than once: send it once`);
  }
  return value;
}

/** What recursive code (JSON.stringify, validators) can always walk; nothing here is nested five levels deep. */
const MAX_DEPTH = 64;
/** Steps of a path that a fault names: an answer must not be longer than what it answers. */
const MOST_NAMED = 16;
const QUOTE = 34;
const COLON = 58;
const OPEN_ARRAY = 91;
const BACKSLASH = 92;
const CLOSE_ARRAY = 93;
const OPEN_OBJECT = 123;
const CLOSE_OBJECT = 125;

/** Colons outside strings, and levels of nesting. `text` must be valid JSON. */
function measure(text: string): { colons: number; depth: number } {
  let colons = 0;
  let level = 0;
  let depth = 0;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code === COLON) colons += 1;
    else if (code === OPEN_OBJECT || code === OPEN_ARRAY) depth = Math.max(depth, (level += 1));
    else if (code === CLOSE_OBJECT || code === CLOSE_ARRAY) level -= 1;
    else if (code === QUOTE) {
      for (index += 1; text.charCodeAt(index) !== QUOTE; index += 1) if (text.charCodeAt(index) === BACKSLASH) index += 1;
    }
  }
  return { colons, depth };
}

/** Keys of `value` itself; 0 when it is no object. */
function keysOf(value: unknown): number {
  return value === null || typeof value !== 'object' || Array.isArray(value) ? 0 : Object.keys(value).length;
}

/** Keys of all objects in `value`. Iterative: depth is up to whoever sent it. */
function countKeys(value: unknown): number {
  if (value === null || typeof value !== 'object') return 0;
  let keys = 0;
  const waiting: object[] = [value];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const isList = Array.isArray(next);
    // No array of what an object holds: most hold text only. JSON has no inherited keys.
    for (const key in next) {
      if (!isList) keys += 1;
      const child = (next as Readonly<Record<string, unknown>>)[key];
      if (typeof child === 'object' && child !== null) waiting.push(child);
    }
  }
  return keys;
}

const TOKEN =
  /\s*(?:("(?:[ !#-[\]-\uffff]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")|(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?![\w.])|true\b|false\b|null\b)|([{}[\],:]))/y;

interface Frame {
  readonly keys: Set<string> | undefined;
  key: string | undefined;
  index: number;
}

/** The slow path, for faults only: where the first text that is no token stands, and the first key that its object already had. */
function walk(text: string): { badToken: string | undefined; duplicate: string | undefined } {
  const stack: Frame[] = [];
  let duplicate: string | undefined;
  let lastString: string | undefined;
  TOKEN.lastIndex = 0;
  for (let match = TOKEN.exec(text); match !== null; match = TOKEN.exec(text)) {
    const [, string, , sign] = match;
    const frame = stack.at(-1);
    if (string !== undefined) lastString = string;
    else if (sign === '{') stack.push({ keys: new Set(), key: undefined, index: 0 });
    else if (sign === '[') stack.push({ keys: undefined, key: undefined, index: 0 });
    else if (sign === '}' || sign === ']') stack.pop();
    else if (sign === ',' && frame !== undefined) {
      frame.index += 1;
      frame.key = undefined;
    } else if (sign === ':' && frame?.keys !== undefined && lastString !== undefined) {
      frame.key = String(JSON.parse(lastString));
      if (frame.keys.has(frame.key)) duplicate ??= pathOf(stack);
      frame.keys.add(frame.key);
    }
  }
  return { badToken: pathOf(stack), duplicate };
}

function pathOf(stack: readonly Frame[]): string | undefined {
  return fieldPath(
    stack
      .slice(0, MOST_NAMED)
      .flatMap<string | number>((frame) => (frame.keys === undefined ? [frame.index] : frame.key === undefined ? [] : [frame.key])),
  );
}

/** The value at `path` in `root`; undefined where there is none. */
export function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((value, key) => (value !== null && typeof value === 'object' ? Reflect.get(value, key) : undefined), root);
}

/** `['instruments', 0, 'tickSize']` as `instruments[0].tickSize`; undefined when empty. */
export function fieldPath(path: readonly PropertyKey[]): string | undefined {
  if (path.length === 0) return undefined;
  return path.reduce<string>(
    (text, key) => (typeof key === 'number' ? `${text}[${key}]` : text === '' ? String(key) : `${text}.${String(key)}`),
    '',
  );
}
