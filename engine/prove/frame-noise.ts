/** Messages of a WebSocket client that cannot be trusted: orders of every kind, with numbers as they never come, damaged in every way. */
import { anyLayout, decodeFrame } from '../client/websocket-codec.ts';
import { FRAMES, HEADER_BYTES, type FrameName, type FrameSpec } from '../client/websocket-frames.ts';
import { FRAME_NAMES, sizeOf } from '../client/websocket-layout.ts';

export const MOST_MESSAGE_BYTES = 65_536;
/** Frames of most messages; one in a thousand is as long as may be. */
const USUAL_FRAMES = 24;
const EXTREMES: readonly bigint[] = [0n, 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n];
const CLIENT_FRAMES = FRAME_NAMES.filter((name) => FRAMES[name].from !== 'server');
/** What they send, by how often: mass cancels keep the books small. */
const WEIGHTS: Readonly<Partial<Record<FrameName, number>>> = {
  newOrder: 44,
  newOrderFull: 22,
  replace: 10,
  cancel: 10,
  massCancel: 6,
  useAccount: 2,
};

export class FrameNoise {
  readonly #random: () => number;
  readonly #bag: FrameName[];
  /** Below which ids of orders are. */
  #lastId = 0;

  /** `random` gives numbers from 0 to 2^32 - 1. */
  constructor(random: () => number) {
    this.#random = random;
    this.#bag = CLIENT_FRAMES.flatMap((name) => Array.from({ length: WEIGHTS[name] ?? 1 }, () => name));
  }

  below(limit: number): number {
    return this.#random() % limit;
  }

  /** A message of frames that are well-formed; `lastId`: of the orders that it may be about. Their numbers are `number` and those that follow. */
  clean(lastId: number, number: number, frames = this.below(1000) === 0 ? MOST_MESSAGE_BYTES / 96 : 1 + this.below(USUAL_FRAMES)): Buffer {
    this.#lastId = lastId;
    const names = Array.from({ length: Math.floor(frames) }, () => this.#bag[this.below(this.#bag.length)] as FrameName);
    const bytes = Buffer.alloc(names.reduce((sum, name) => sum + anyLayout(name).bytes, 0));
    let at = 0;
    names.forEach((name, index) => {
      this.#write(bytes, at, name, (number + index) >>> 0);
      at += anyLayout(name).bytes;
    });
    return bytes;
  }

  /** The same message with damage, or as it is. */
  damaged(message: Buffer): Buffer {
    switch (this.below(16)) {
      case 0:
      case 1:
      case 2:
        return message;
      case 3:
        return message.subarray(0, this.below(message.length + 1));
      case 4:
        return this.#anywhere(message);
      case 5:
        return this.#length(message);
      case 6:
        return this.#type(message);
      case 7:
        return this.#moved(message);
      case 8:
        return Buffer.from(Array.from({ length: this.below(400) }, () => this.below(256)));
      default:
        return this.#within(message);
    }
  }

  #write(bytes: Buffer, at: number, name: FrameName, number: number): void {
    const { type, bytes: length, at: offsets, bit } = anyLayout(name);
    const spec: FrameSpec = FRAMES[name];
    bytes.writeUInt16LE(length, at);
    bytes[at + 2] = type;
    bytes.writeUInt32LE(number, at + 4);
    for (const flag of Object.values(bit)) if (this.below(12) === 0) bytes[at + 3] = (bytes[at + 3] as number) | flag;
    for (const [field, { type: of }] of Object.entries(spec.fields)) {
      const place = at + (offsets[field] as number);
      if (of.startsWith('char')) bytes.write(['a0', 'a1', 'a2', 'b-7', 'no spaces', ''][this.below(6)] as string, place, 'latin1');
      else this.#number(bytes, place, sizeOf(of), this.#usual(field, name));
    }
    // Terms that are asked for together with others, so that most orders mean something.
    if (name === 'newOrder' || name === 'newOrderFull') this.#terms(bytes, at, name);
  }

  #usual(field: string, name: FrameName): number {
    switch (field) {
      case 'account':
        return this.below(40) === 0 ? this.below(65_536) : this.below(3);
      case 'instrument':
        if (name === 'massCancel' && this.below(2) === 0) return 65_535 - Number(this.below(10) === 0);
        return this.below(40) === 0 ? this.below(65_536) : this.below(2);
      case 'side':
        return this.below(2);
      case 'selfTrade':
        return this.below(4) === 0 ? this.below(5) : 0;
      case 'clientOrderId':
        return this.below(6) === 0 ? this.below(40) : 0;
      case 'priceTicks':
        return name === 'replace' && this.below(2) === 0 ? 0 : 95 + this.below(11);
      case 'quantityLots':
        return name === 'replace' && this.below(2) === 0 ? 0 : 1 + this.below(12);
      case 'expectedLots':
        return this.below(3) === 0 ? 1 + this.below(12) : 0;
      case 'orderId':
        return Math.max(0, this.#lastId + 8 - this.below(60));
      default:
        return 0;
    }
  }

  #terms(bytes: Buffer, at: number, name: FrameName): void {
    const { at: offsets } = anyLayout(name);
    const full = name === 'newOrderFull';
    const set = (field: string, value: number): void => {
      const place = at + (offsets[field] as number);
      const { type } = (FRAMES[name].fields as FrameSpec['fields'])[field] as { type: 'u8' };
      this.#number(bytes, place, sizeOf(type), value);
    };
    const type = full ? this.below(4) : Number(this.below(5) === 0);
    set('orderType', type);
    const immediate = type === 1 || (type === 0 && this.below(4) === 0);
    set('timeInForce', immediate ? 1 + this.below(2) : ([0, 0, 0, 4, full ? 3 : 0][this.below(5)] as number));
    if (type === 1 || type === 2) set('priceTicks', 0);
    if (!full) return;
    if (type >= 2) set('stopTicks', 95 + this.below(11));
    if (type === 0 && !immediate && this.below(3) === 0) set('displayLots', 1 + this.below(4));
    // A day after the beginning of the clock, or what has been.
    if (bytes[at + (offsets['timeInForce'] as number)] === 3) set('expiryMicros', 1_000_000 + this.below(40) * 1000);
  }

  /** Sometimes another number than was wanted. */
  #number(bytes: Buffer, at: number, size: number, value: number): void {
    const number = this.below(400) === 0 ? (EXTREMES[this.below(EXTREMES.length)] as bigint) : BigInt(value);
    if (size === 8) bytes.writeBigUInt64LE(number, at);
    else bytes.writeUIntLE(Number(number % 256n ** BigInt(size)), at, size);
  }

  /** Some bytes behind the heads of the frames, which stay: the message is read to its end. */
  #within(message: Buffer): Buffer {
    const changed = Buffer.from(message);
    const places: number[] = [];
    for (let at = 0; at < changed.length; at += changed.readUInt16LE(at)) places.push(at);
    for (let left = 1 + this.below(6); left > 0 && places.length > 0; left -= 1) {
      const at = places[this.below(places.length)] as number;
      const place = at + (this.below(10) === 0 ? 3 : HEADER_BYTES + this.below(changed.readUInt16LE(at) - HEADER_BYTES));
      changed[place] = this.below(2) === 0 ? this.below(256) : (changed[place] as number) ^ (1 << this.below(8));
    }
    return changed;
  }

  #anywhere(message: Buffer): Buffer {
    const changed = Buffer.from(message);
    for (let left = 1 + this.below(20); left > 0 && changed.length > 0; left -= 1) {
      const at = this.below(changed.length);
      changed[at] = this.below(2) === 0 ? this.below(256) : (changed[at] as number) ^ (1 << this.below(8));
    }
    return changed;
  }

  #length(message: Buffer): Buffer {
    const changed = Buffer.from(message);
    const at = this.#frameAt(changed);
    changed.writeUInt16LE(
      [0, 7, 8, changed.readUInt16LE(at) + 8, changed.readUInt16LE(at) - 8, 65_535, this.below(65_536)][this.below(7)] as number,
      at,
    );
    return changed;
  }

  #type(message: Buffer): Buffer {
    const changed = Buffer.from(message);
    changed[this.#frameAt(changed) + 2] = this.below(256);
    return changed;
  }

  /** A piece of it twice, elsewhere, or not at all. */
  #moved(message: Buffer): Buffer {
    const from = this.below(message.length + 1);
    const piece = message.subarray(from, from + this.below(200));
    const at = this.below(3) === 0 ? this.below(message.length + 1) : this.#frameAt(message);
    return Buffer.concat([
      message.subarray(0, at),
      piece,
      message.subarray(this.below(2) === 0 ? at : Math.min(message.length, at + piece.length)),
    ]).subarray(0, MOST_MESSAGE_BYTES);
  }

  #frameAt(message: Buffer): number {
    let at = 0;
    for (let left = this.below(USUAL_FRAMES); left > 0; left -= 1) {
      const next = at + message.readUInt16LE(at);
      if (next + HEADER_BYTES > message.length) return at;
      at = next;
    }
    return at;
  }

  /** Frames as text of the JSON form, damaged or not. */
  text(message: Buffer): string {
    const view = new DataView(message.buffer, message.byteOffset, message.length);
    const frames: object[] = [];
    for (let at = 0; at < message.length; at += message.readUInt16LE(at)) frames.push(decodeFrame(view, at, message.length));
    const text = JSON.stringify(frames.length === 1 && this.below(2) === 0 ? frames[0] : frames);
    return this.below(3) === 0 ? this.#damagedText(text) : text;
  }

  #damagedText(text: string): string {
    const at = this.below(text.length);
    const nest = 1 + this.below(3000);
    const inserted = [
      '',
      '"',
      ',',
      '-',
      'null',
      '1e308',
      '99999999999999999999',
      '0.5',
      '"__proto__":{"frame":"cancel"},',
      '"constructor":null,',
      '"number":7,',
      '\u0000',
      '\ud800',
      '['.repeat(nest),
      '{"a":'.repeat(nest),
      'true',
    ][this.below(16)] as string;
    switch (this.below(4)) {
      case 0:
        return text.slice(0, at);
      case 1: {
        // A value in the place of another.
        const values = [...text.matchAll(/:("[^"]*"|[0-9]+|true|false)/g)];
        const value = values[this.below(values.length)];
        if (value === undefined) return inserted;
        if (this.below(4) === 0) return text.replaceAll(value[0], value[0].toUpperCase());
        return `${text.slice(0, value.index + 1)}${inserted === '' ? '[]' : inserted}${text.slice(value.index + value[0].length)}`;
      }
      case 2:
        return `${text.slice(0, at)}${String.fromCharCode(this.below(256))}${text.slice(at + 1)}`;
      default:
        return `${text.slice(0, at)}${inserted}${text.slice(at)}`;
    }
  }
}
