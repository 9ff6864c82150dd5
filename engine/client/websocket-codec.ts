/**
 * Any frame as an object and as bytes: for whoever has time for an object a frame. The gateway's order path and clients under load read and write
 * the same bytes by {@link LAYOUT}.
 */
import { FRAMES, HEADER_BYTES, type Field, type FrameName, type FrameSpec } from './websocket-frames.ts';
import { FRAME_NAMES, LAYOUT, NAME_OF_TYPE, sizeOf } from './websocket-layout.ts';

/** What a field is in code: a number, the name of a code that has one, or text (`char`, `id` as 16 hex digits, `i64` in decimals). */
type Value<F extends Field> = F extends { values: readonly string[] }
  ? string
  : F['type'] extends 'u8' | 'u16' | 'u32' | 'u64'
    ? number
    : string;
type Flags<Name extends FrameName> = (typeof FRAMES)[Name] extends { flags: infer Set }
  ? { -readonly [Flag in keyof Set]?: boolean }
  : unknown;
export type FrameOf<Name extends FrameName> = {
  frame: Name;
  number: number;
} & Flags<Name> & {
    -readonly [Key in keyof (typeof FRAMES)[Name]['fields']]: (typeof FRAMES)[Name]['fields'][Key] extends Field
      ? Value<(typeof FRAMES)[Name]['fields'][Key]>
      : never;
  };
export type AnyFrame = { [Name in FrameName]: FrameOf<Name> }[FrameName];

/** The bytes are no frame, or no frame holds the object. */
export class FrameFault extends Error {
  override readonly name = 'FrameFault';
}

const U32 = 2 ** 32;
const ENCODER = new TextEncoder();
const DECODER = new TextDecoder();

/** Bytes of the frames of `name`. */
export function frameBytes(name: FrameName): number {
  return LAYOUT[name].bytes;
}

/** Writes a frame at `at`; gives its length. Numbers must be in their ranges, texts must fit: FrameFault. */
export function encodeFrame(view: DataView, at: number, frame: AnyFrame): number {
  const given: Readonly<Record<string, unknown>> = frame;
  const spec: FrameSpec = FRAMES[frame.frame];
  const { bytes, type, at: offsets, bit } = anyLayout(frame.frame);
  new Uint8Array(view.buffer, view.byteOffset + at, bytes).fill(0);
  let flags = 0;
  for (const [flag, value] of Object.entries(bit)) if (given[flag] === true) flags |= value;
  view.setUint16(at, bytes, true);
  view.setUint8(at + 2, type);
  view.setUint8(at + 3, flags);
  view.setUint32(at + 4, frame.number, true);
  for (const [name, field] of Object.entries(spec.fields)) writeField(view, at + (offsets[name] as number), field, name, given[name]);
  return bytes;
}

/** Reads the frame at `at`, of which `end` is behind the last byte that is there. Throws FrameFault. */
export function decodeFrame(view: DataView, at: number, end: number): AnyFrame {
  const name = at + HEADER_BYTES <= end ? NAME_OF_TYPE.get(view.getUint8(at + 2)) : undefined;
  if (name === undefined) throw new FrameFault('there is no such frame');
  const spec: FrameSpec = FRAMES[name];
  const { bytes, at: offsets, bit } = anyLayout(name);
  if (view.getUint16(at, true) !== bytes || at + bytes > end) throw new FrameFault(`a frame ${name} is ${bytes} bytes long`);
  const flags = view.getUint8(at + 3);
  const frame: Record<string, unknown> = { frame: name, number: view.getUint32(at + 4, true) };
  for (const [flag, value] of Object.entries(bit)) frame[flag] = (flags & value) !== 0;
  for (const [key, field] of Object.entries(spec.fields)) frame[key] = readField(view, at + (offsets[key] as number), field);
  return frame as AnyFrame;
}

/** All frames of a message; those of types that nobody knows yet are passed over by their length. Throws FrameFault. */
export function decodeMessage(bytes: Uint8Array): AnyFrame[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = bytes.byteLength;
  const frames: AnyFrame[] = [];
  for (let at = 0; at < end; at += view.getUint16(at, true)) {
    const isWhole = at + HEADER_BYTES <= end && view.getUint16(at, true) >= HEADER_BYTES && at + view.getUint16(at, true) <= end;
    if (!isWhole || NAME_OF_TYPE.has(view.getUint8(at + 2))) frames.push(decodeFrame(view, at, end));
  }
  return frames;
}

/** A message of these frames. */
export function encodeMessage(frames: readonly AnyFrame[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(frames.reduce((sum, { frame }) => sum + frameBytes(frame), 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const frame of frames) at += encodeFrame(view, at, frame);
  return bytes;
}

/** The table as data, for decoders in other languages. */
export function tableOf(): {
  name: string;
  type: number;
  bytes: number;
  flags: Record<string, number>;
  fields: { name: string; type: string; at: number }[];
}[] {
  return FRAME_NAMES.map((name) => {
    const { type, bytes, at, bit } = anyLayout(name);
    const fields: Readonly<Record<string, Field>> = FRAMES[name].fields;
    return {
      name,
      type,
      bytes,
      flags: { ...bit },
      fields: Object.entries(fields).map(([key, field]) => ({ name: key, type: field.type, at: at[key] as number })),
    };
  });
}

/** A layout whose fields are found by any name. */
export function anyLayout(name: FrameName): {
  type: number;
  bytes: number;
  at: Readonly<Record<string, number>>;
  bit: Readonly<Record<string, number>>;
} {
  return LAYOUT[name];
}

function writeField(view: DataView, at: number, field: Field, name: string, value: unknown): void {
  const { type, values } = field;
  if (type.startsWith('char')) {
    const into = new Uint8Array(view.buffer, view.byteOffset + at, sizeOf(type));
    const text = String(value);
    if (ENCODER.encodeInto(text, into).read < text.length) throw new FrameFault(`${name} is longer than ${into.length} bytes`);
    return;
  }
  if (type === 'id') return view.setBigUint64(at, BigInt(`0x${String(value)}`), true);
  if (type === 'i64') return view.setBigInt64(at, BigInt(String(value)), true);
  const named = typeof value === 'string' ? (values?.indexOf(value) ?? -1) : -1;
  // A code without a name stands as its number.
  const code = named >= 0 ? named : Number(value);
  if (!Number.isSafeInteger(code) || code < 0 || code >= 2 ** Math.min(53, sizeOf(type) * 8))
    throw new FrameFault(`${name} cannot be ${String(value)}`);
  if (type === 'u8') view.setUint8(at, code);
  else if (type === 'u16') view.setUint16(at, code, true);
  else view.setUint32(at, code % U32, true);
  if (type === 'u64') view.setUint32(at + 4, Math.floor(code / U32), true);
}

function readField(view: DataView, at: number, { type, values }: Field): number | string {
  if (type.startsWith('char')) return text(new Uint8Array(view.buffer, view.byteOffset + at, sizeOf(type)));
  if (type === 'id') return view.getBigUint64(at, true).toString(16).padStart(16, '0');
  if (type === 'i64') return String(view.getBigInt64(at, true));
  if (type === 'u64') return view.getUint32(at, true) + view.getUint32(at + 4, true) * U32;
  const code = type === 'u8' ? view.getUint8(at) : type === 'u16' ? view.getUint16(at, true) : view.getUint32(at, true);
  // A code without a name is given as it is.
  return values?.[code] ?? code;
}

/** A text that is filled up with zeros. */
function text(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return DECODER.decode(end < 0 ? bytes : bytes.subarray(0, end));
}
