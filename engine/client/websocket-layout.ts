/** Where the fields of a frame stand, from the table. */
import { FRAMES, HEADER_BYTES, PRICE_UPDATE, type Field, type FieldType, type FrameName, type FrameSpec } from './websocket-frames.ts';

type FieldOf<Name extends FrameName> = keyof (typeof FRAMES)[Name]['fields'];
type FlagOf<Name extends FrameName> = (typeof FRAMES)[Name] extends { flags: infer Flags } ? keyof Flags : never;

interface Layout<Name extends FrameName> {
  readonly type: number;
  /** Length in bytes, a multiple of 8. */
  readonly bytes: number;
  /** Byte offsets from the beginning of the frame. */
  readonly at: Readonly<Record<FieldOf<Name>, number>>;
  /** Bits of the header's flags. */
  readonly bit: Readonly<Record<FlagOf<Name>, number>>;
}

/** Bytes of a field. */
export function sizeOf(type: FieldType): number {
  switch (type) {
    case 'u8':
      return 1;
    case 'u16':
      return 2;
    case 'u32':
      return 4;
    case 'u64':
    case 'i64':
    case 'id':
      return 8;
    default:
      return Number(type.slice(4));
  }
}

/** Offsets of fields that begin at `from`, and the length of all of it, a multiple of 8. */
export function place(fields: Readonly<Record<string, Field>>, from: number): { at: Record<string, number>; bytes: number } {
  const at: Record<string, number> = {};
  let next = from;
  for (const [name, { type }] of Object.entries(fields)) {
    const size = sizeOf(type);
    const step = type.startsWith('char') ? 1 : size;
    next = Math.ceil(next / step) * step;
    at[name] = next;
    next += size;
  }
  return { at, bytes: Math.ceil(next / 8) * 8 };
}

/** The layouts of all frames. */
export const LAYOUT = layouts();
export const FRAME_NAMES = Object.keys(FRAMES) as FrameName[];
/** Names by type. */
export const NAME_OF_TYPE: ReadonlyMap<number, FrameName> = new Map(FRAME_NAMES.map((name) => [FRAMES[name].type, name]));
export const PRICE_UPDATE_LAYOUT = place(PRICE_UPDATE, 0);

function layouts(): { readonly [Name in FrameName]: Layout<Name> } {
  const all: Record<string, unknown> = {};
  for (const [name, spec] of Object.entries<FrameSpec>(FRAMES)) {
    const flags = Object.keys(spec.flags ?? {}).map((flag, bit) => [flag, 2 ** bit] as const);
    all[name] = { type: spec.type, ...place(spec.fields, HEADER_BYTES), bit: Object.fromEntries(flags) };
  }
  return all as { readonly [Name in FrameName]: Layout<Name> };
}
