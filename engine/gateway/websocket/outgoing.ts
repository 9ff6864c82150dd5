/** Frames on their way out of one connection: gathered during a tick, sent as one message. */
import type { WebSocket } from 'ws';
import { decodeMessage } from '../../client/websocket-codec.ts';

/** Room before the frames for the head of the WebSocket message, so that both are one write. */
const HEAD_BYTES = 16;
const FIRST_BYTES = 16_384;
const U32 = 2 ** 32;
const BINARY_FINAL = 0x82;

type Library = Pick<WebSocket, 'extensions' | 'readyState' | 'OPEN' | 'bufferedAmount' | 'send'>;

interface Stream {
  /** Bytes that the kernel has not taken yet. */
  readonly writableLength: number;
  write(bytes: Uint8Array): boolean;
}

export class Outgoing {
  readonly #ws: Library;
  readonly #socket: Stream;
  readonly #json: boolean;
  /** Compressed messages, and text, go through the library. */
  readonly #raw: boolean;
  #buffer!: Buffer;
  #words!: Uint32Array;
  #shorts!: Uint16Array;
  #end = HEAD_BYTES;

  constructor(ws: Library, socket: Stream, json: boolean) {
    this.#ws = ws;
    this.#socket = socket;
    this.#json = json;
    this.#raw = !json && ws.extensions === '';
    this.#take(FIRST_BYTES);
  }

  /** Bytes that the kernel has not taken yet, with those that are still to be compressed. */
  get bufferedBytes(): number {
    return this.#ws.bufferedAmount;
  }

  /** Begins a frame with zeros; gives its place, for the setters below. */
  begin(type: number, bytes: number, flags: number, number: number): number {
    const at = this.#end;
    if (at + bytes > this.#buffer.length) this.#grow(at + bytes);
    this.#end = at + bytes;
    const word = at >> 2;
    const words = this.#words;
    words[word] = bytes | (type << 16) | (flags << 24);
    words[word + 1] = number;
    for (let index = word + 2; index < this.#end >> 2; index += 1) words[index] = 0;
    return at;
  }

  u8(at: number, value: number): void {
    this.#buffer[at] = value;
  }

  u16(at: number, value: number): void {
    this.#shorts[at >> 1] = value;
  }

  u32(at: number, value: number): void {
    this.#words[at >> 2] = value;
  }

  /** A whole number from 0 up to 2^53 - 1. */
  u64(at: number, value: number): void {
    this.#words[at >> 2] = value;
    this.#words[(at >> 2) + 1] = value / U32;
  }

  /** Frames that were made elsewhere. */
  add(frames: Uint8Array): void {
    const at = this.#end;
    if (at + frames.length > this.#buffer.length) this.#grow(at + frames.length);
    this.#buffer.set(frames, at);
    this.#end = at + frames.length;
  }

  /** Sends what was gathered, as one message. */
  flush(): void {
    const bytes = this.#end - HEAD_BYTES;
    if (bytes === 0) return;
    this.#end = HEAD_BYTES;
    if (this.#ws.readyState !== this.#ws.OPEN) return;
    if (this.#raw) this.#write(bytes);
    else if (this.#json) this.#ws.send(JSON.stringify(decodeMessage(this.#buffer.subarray(HEAD_BYTES, HEAD_BYTES + bytes))));
    else this.#ws.send(Buffer.from(this.#buffer.subarray(HEAD_BYTES, HEAD_BYTES + bytes)));
  }

  /** The library would make a buffer for the head and two writes of it. */
  #write(bytes: number): void {
    const buffer = this.#buffer;
    let at = HEAD_BYTES - 2;
    if (bytes < 126) buffer[at + 1] = bytes;
    else if (bytes < 65_536) {
      at = HEAD_BYTES - 4;
      buffer[at + 1] = 126;
      buffer.writeUInt16BE(bytes, at + 2);
    } else {
      at = HEAD_BYTES - 10;
      buffer[at + 1] = 127;
      buffer.writeUInt32BE(0, at + 2);
      buffer.writeUInt32BE(bytes, at + 6);
    }
    buffer[at] = BINARY_FINAL;
    const message = buffer.subarray(at, HEAD_BYTES + bytes);
    const socket = this.#socket;
    // Behind others it waits as a copy of its own size: a buffer for each would be many times what waits.
    const behind = socket.writableLength > 0;
    socket.write(behind ? Buffer.from(message) : message);
    // What the kernel has not taken is still read from there; and what one large message needed is not kept.
    if ((!behind && socket.writableLength > 0) || buffer.length > FIRST_BYTES) this.#take(FIRST_BYTES);
  }

  #take(bytes: number): void {
    const memory = new ArrayBuffer(bytes);
    this.#buffer = Buffer.from(memory);
    this.#words = new Uint32Array(memory);
    this.#shorts = new Uint16Array(memory);
  }

  #grow(bytes: number): void {
    const before = this.#buffer;
    this.#take(2 ** Math.ceil(Math.log2(bytes)));
    this.#buffer.set(before.subarray(0, this.#end));
  }
}
