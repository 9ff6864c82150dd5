/** Python's `struct` reads what an engine has sent, by the table of frames as data. For tests only. */
import { execFileSync } from 'node:child_process';
import { tableOf } from '../../client/websocket-codec.ts';

const FRAMES = `
import json, struct, sys
given = json.load(sys.stdin)
table = {frame['type']: frame for frame in given['table']}
codes = {'u8': '<B', 'u16': '<H', 'u32': '<I', 'u64': '<Q', 'i64': '<q', 'id': '<Q'}
out = []
for message in given['messages']:
    data, at = bytes.fromhex(message), 0
    while at < len(data):
        length, kind, flags, number = struct.unpack_from('<HBBI', data, at)
        frame = {'frame': table[kind]['name'], 'number': number}
        for field in table[kind]['fields']:
            if field['type'].startswith('char'):
                value = struct.unpack_from(field['type'][4:] + 's', data, at + field['at'])[0].rstrip(b'\\0').decode()
            else:
                value = struct.unpack_from(codes[field['type']], data, at + field['at'])[0]
            frame[field['name']] = value
        out.append(frame)
        at += length
print(json.dumps(out))`;
const PRICES = `
import json, struct, sys
data = bytes.fromhex(json.load(sys.stdin))
updates = [struct.unpack_from('<8sQQq', data, at) for at in range(0, len(data), 32)]
print(json.dumps([[symbol.decode(), price, volume, str(nanos)] for symbol, price, volume, nanos in updates]))`;

/** Frames of whole messages; codes are numbers. */
export function readByPython(messages: readonly Buffer[]): Record<string, unknown>[] {
  return run(FRAMES, { table: tableOf(), messages: messages.map((message) => message.toString('hex')) }) as Record<string, unknown>[];
}

/** Price updates of `hft.prices.v1`: symbol, price, volume, and the time as text. */
export function pricesByPython(bytes: Buffer): unknown[] {
  return run(PRICES, bytes.toString('hex')) as unknown[];
}

function run(program: string, given: unknown): unknown {
  const options = { input: JSON.stringify(given), encoding: 'utf8', timeout: 10_000 } as const;
  return JSON.parse(execFileSync('python3', ['-c', program], options));
}
