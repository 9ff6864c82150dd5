/** The JSON form of the protocol (`hft.json.v1`): the same frames as objects, `{"frame": "cancel", "number": 1, …}`, or several in an array. */
import { z } from 'zod';
import { parseStrictJson } from '../../config/strict-json.ts';
import { encodeMessage, FrameFault, type AnyFrame } from '../../client/websocket-codec.ts';
import { FRAMES, type Field, type FrameSpec } from '../../client/websocket-frames.ts';
import { FRAME_NAMES, sizeOf } from '../../client/websocket-layout.ts';

const MOST_FRAMES = 1000;

const sent = FRAME_NAMES.filter((name) => FRAMES[name].from !== 'server').map((name) => {
  const spec: FrameSpec = FRAMES[name];
  const fields = Object.entries(spec.fields).map(([key, field]) => [key, fieldSchema(field)] as const);
  const flags = Object.keys(spec.flags ?? {}).map((flag) => [flag, z.boolean().default(false)] as const);
  return z.strictObject({
    frame: z.literal(name),
    number: z.int().min(0).max(0xffff_ffff),
    ...Object.fromEntries<z.ZodType>([...flags, ...fields]),
  });
});
const [first, ...others] = sent;
if (first === undefined) throw new RangeError('the table has no frame that clients send');
const frameSchema = z.discriminatedUnion('frame', [first, ...others]);
const framesSchema = z.array(frameSchema).max(MOST_FRAMES);
/** What fits into an `error` frame. */
const MOST_TEXT = 100;

/** What is left out of a field with a natural nothing is 0. */
function fieldSchema({ type, values }: Field): z.ZodType {
  if (values !== undefined) return z.enum(values as [string, ...string[]]).prefault(values[0] as string);
  if (type === 'id')
    return z
      .string()
      .regex(/^[0-9a-f]{16}$/, 'must be 16 hex digits')
      .prefault('0'.repeat(16));
  if (type.startsWith('char')) return z.string().max(sizeOf(type));
  return z
    .int()
    .min(0)
    .max(2 ** Math.min(53, sizeOf(type) * 8) - 1)
    .prefault(0);
}

/** The bytes of a JSON message. Throws FrameFault, saying what is wrong with it. */
export function bytesOfJson(text: string): Uint8Array {
  let value: unknown;
  try {
    value = parseStrictJson(text);
  } catch {
    throw new FrameFault('the message is not JSON');
  }
  const { data, error } = framesSchema.safeParse(Array.isArray(value) ? value : [value]);
  if (data === undefined) throw new FrameFault(faultOf(error));
  return encodeMessage(data as unknown as AnyFrame[]);
}

/** The first thing that is wrong, and where: `frame 0, side: …`. */
function faultOf({ issues: [issue] }: z.ZodError): string {
  if (issue === undefined) return 'the message is no frame';
  const [frame, ...path] = issue.path;
  const where = frame === undefined ? '' : `frame ${String(frame)}${path.map((step) => `, ${String(step)}`).join('')}: `;
  return `${where}${issue.message}`.slice(0, MOST_TEXT);
}
