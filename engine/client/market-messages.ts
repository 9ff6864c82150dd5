/** Market data as gRPC has it: the messages of engine.proto, and the frames that they are made from and become again. */
import type { AnyFrame } from './websocket-codec.ts';
import { REASON_VALUES, SIDE_VALUES, STATE_VALUES, STATUS_VALUES, TYPE_VALUES } from './websocket-values.ts';

/** `number`, and one of the others: fields as in engine.proto, codes as numbers. */
type EventMessage = { number: number } & { [Name in EventName]?: Fields };
export interface MarketDataMessage {
  events: EventMessage[];
}
type Fields = Record<string, unknown>;
const EVENTS = ['subscribed', 'top', 'book', 'bookOrder', 'trade', 'state', 'fill', 'orderUpdate', 'gap'] as const;
type EventName = (typeof EVENTS)[number] | 'price';

/** Names in place of the numbers that frames have for instruments and accounts. */
export interface Names {
  readonly symbolOf: (instrument: number) => string;
  readonly accountOf: (handle: number) => string;
}
/** And back. */
export interface Numbers {
  readonly instrumentOf: (symbol: string) => number;
  readonly handleOf: (account: string) => number;
}

const CODES: Readonly<Record<string, readonly string[]>> = {
  side: SIDE_VALUES,
  takerSide: SIDE_VALUES,
  state: STATE_VALUES,
  orderType: TYPE_VALUES,
  status: STATUS_VALUES,
};
/** Fields with another name in engine.proto. */
const RENAMED: Readonly<Record<string, string>> = { orderType: 'type', stopTicks: 'stopPriceTicks' };
const NO_ID = '0'.repeat(16);
const ALL_OF_THEM = 65_535;

/** Frames as one message. Frames that are no events (accounts, heartbeats) are left out. */
export function messageOfFrames(frames: readonly AnyFrame[], names: Names): MarketDataMessage {
  const events: EventMessage[] = [];
  let levels: Fields[] = [];
  for (const frame of frames) {
    if (frame.frame === 'level') levels.push(fieldsOf(frame, names));
    const name = EVENTS.find((known) => known === frame.frame);
    if (name === undefined) continue;
    const fields = fieldsOf(frame, names);
    if (name === 'book') {
      levels = [];
      fields['levels'] = levels;
    }
    events.push({ number: frame.number, [name]: fields });
  }
  return { events };
}

/** The frames that an event was made from. */
export function framesOfEvent(event: EventMessage, numbers: Numbers): AnyFrame[] {
  for (const name of EVENTS) {
    const fields = event[name];
    if (fields === undefined || fields === null) continue;
    const frame = frameOf(name, event.number, fields, numbers);
    if (frame.frame !== 'book') return [frame];
    const levels = (fields['levels'] ?? []) as Fields[];
    const inBook = { symbol: fields['symbol'] };
    return [
      { ...frame, levels: levels.length },
      ...levels.map((level) => frameOf('level', event.number, { ...level, ...inBook }, numbers)),
    ];
  }
  return [];
}

function fieldsOf(frame: AnyFrame, { symbolOf, accountOf }: Names): Fields {
  const fields: Fields = {};
  for (const [key, value] of Object.entries(frame)) {
    const codes = CODES[key];
    if (key === 'instrument') fields['symbol'] = value === ALL_OF_THEM ? '' : symbolOf(value as number);
    else if (key === 'account') fields['account'] = accountOf(value as number);
    else if (key === 'clientOrderId') fields[key] = value === NO_ID ? '' : value;
    else if (key === 'reason') fields[key] = REASON_VALUES.indexOf(String(value));
    else if (codes !== undefined) fields[RENAMED[key] ?? key] = codes.indexOf(String(value)) + 1;
    else fields[RENAMED[key] ?? key] = value;
  }
  return fields;
}

function frameOf(name: AnyFrame['frame'], number: number, fields: Fields, { instrumentOf, handleOf }: Numbers): AnyFrame {
  const frame: Fields = { frame: name, number };
  const originals = Object.fromEntries(Object.entries(RENAMED).map(([from, to]) => [to, from]));
  for (const [field, value] of Object.entries(fields)) {
    const key = originals[field] ?? field;
    const codes = CODES[key];
    if (key === 'symbol') frame['instrument'] = value === '' ? ALL_OF_THEM : instrumentOf(String(value));
    else if (key === 'account') frame['account'] = handleOf(String(value));
    else if (key === 'clientOrderId') frame[key] = value === '' ? NO_ID : value;
    else if (key === 'reason') frame[key] = REASON_VALUES[Number(value)] ?? value;
    else if (codes !== undefined) frame[key] = value === 0 ? 'none' : (codes[Number(value) - 1] ?? value);
    else frame[key] = value;
  }
  return frame as AnyFrame;
}

/** An update of the channel `prices`: 32 bytes for each trade (docs/frames.md). */
export function messageOfPrices(bytes: Buffer): MarketDataMessage {
  const events: EventMessage[] = [];
  for (let at = 0; at + PRICE_BYTES <= bytes.length; at += PRICE_BYTES) {
    const name = bytes.toString('latin1', at, at + 8);
    const end = name.indexOf('\0');
    const price = {
      symbol: end < 0 ? name : name.slice(0, end),
      priceTicks: Number(bytes.readBigUInt64LE(at + 8)),
      volumeLots: Number(bytes.readBigUInt64LE(at + 16)),
      timeNanos: String(bytes.readBigInt64LE(at + 24)),
    };
    events.push({ number: 0, price });
  }
  return { events };
}

const PRICE_BYTES = 32;
