/** Writes `docs/frames.md`, byte by byte, from the table of frames; with `--json` prints the table for decoders in other languages. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { anyLayout, tableOf } from '../../client/websocket-codec.ts';
import { FRAMES, HEADER, HEADER_BYTES, PRICE_UPDATE, type Field, type FrameSpec } from '../../client/websocket-frames.ts';
import { FRAME_NAMES, place, PRICE_UPDATE_LAYOUT, sizeOf } from '../../client/websocket-layout.ts';
import { REJECT_VALUES } from '../../client/websocket-values.ts';

const SENDERS = { client: 'Client to server', server: 'Server to client', both: 'Both ways' } as const;

/** The text of docs/frames.md: the same at every call. */
export function framesText(): string {
  const lines = [
    '<!-- Generated from engine/client/websocket-frames.ts by `node engine/gateway/websocket/generate.ts`: edit that, not this. -->',
    '',
    '# Frames of the WebSocket protocol',
    '',
    'Sub-protocol `hft.binary.v1`. All numbers are little-endian; `char[n]` is UTF-8, filled up with zeros; what stands between fields is 0. A message holds',
    'one frame or several, one after the other. `u64` fields other than client order ids hold at most 2^53 - 1. How a connection goes: [protocol.md](protocol.md).',
    '',
    `## Header: the first ${HEADER_BYTES} bytes of every frame`,
    '',
    ...fieldRows(HEADER, place(HEADER, 0).at),
    '',
  ];
  for (const name of FRAME_NAMES) {
    const spec: FrameSpec = FRAMES[name];
    const { bytes, at } = anyLayout(name);
    lines.push(`## ${spec.type}: ${name} (${bytes} bytes)`, '', `${SENDERS[spec.from]}. ${spec.what}`, '');
    const flags = Object.entries(spec.flags ?? {}).map(([flag, what], bit) => `bit ${bit} \`${flag}\`: ${what}`);
    if (flags.length > 0) lines.push(`Flags: ${flags.join('; ')}.`, '');
    lines.push(...fieldRows(spec.fields, at), '');
  }
  lines.push(
    '## Price update: 32 bytes without a header',
    '',
    'Messages of the sub-protocol `hft.prices.v1` are one or several of these and nothing else.',
    '',
    ...fieldRows(PRICE_UPDATE, PRICE_UPDATE_LAYOUT.at),
    '',
    '## Numbers of refusals',
    '',
    REJECT_VALUES.map((name, number) => `${number} \`${name}\``).join(', '),
    '',
  );
  return lines.join('\n');
}

function fieldRows(fields: Readonly<Record<string, Field>>, at: Readonly<Record<string, number>>): string[] {
  const rows = Object.entries(fields).map(([name, { type, unit = '', what, values }]) => {
    const size = sizeOf(type);
    const shown = type === 'id' ? 'u64' : type.replace(/^char(\d+)$/, 'char[$1]');
    const codes = values === undefined ? '' : `: ${values.map((value, code) => `${code} ${value}`).join(', ')}`;
    return `| ${at[name]} | ${size} | \`${name}\` | ${shown} | ${unit} | ${what}${codes} |`;
  });
  return ['| offset | bytes | field | type | unit | meaning |', '|---|---|---|---|---|---|', ...rows];
}

if (import.meta.main) {
  if (process.argv.includes('--json')) console.log(JSON.stringify(tableOf()));
  else writeFileSync(join(import.meta.dirname, '../../../docs/frames.md'), framesText());
}
