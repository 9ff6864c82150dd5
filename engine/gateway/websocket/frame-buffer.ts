/** Where frames are written one after the other, field by field, with room before them for the head of a WebSocket message. */

/** Room before the frames for the head of the WebSocket message, so that both are one write. */
export const HEAD_BYTES = 16;
export const FIRST_BYTES = 16_384;
const U32 = 2 ** 32;
const BINARY_FINAL = 0x82;

export class FrameBuffer {
  /** Frames begin at {@link HEAD_BYTES}. */
  buffer!: Buffer;
  #words!: Uint32Array;
  #shorts!: Uint16Array;
  /** Behind the last frame. */
  end = HEAD_BYTES;

  constructor() {
    this.take(FIRST_BYTES);
  }

  /** Begins a frame with zeros; gives its place, for the setters below. */
  begin(type: number, bytes: number, flags: number, number: number): number {
    const at = this.end;
    if (at + bytes > this.buffer.length) this.#grow(at + bytes);
    this.end = at + bytes;
    const word = at >> 2;
    const words = this.#words;
    words[word] = bytes | (type << 16) | (flags << 24);
    words[word + 1] = number;
    for (let index = word + 2; index < this.end >> 2; index += 1) words[index] = 0;
    return at;
  }

  u8(at: number, value: number): void {
    this.buffer[at] = value;
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
    const at = this.end;
    if (at + frames.length > this.buffer.length) this.#grow(at + frames.length);
    this.buffer.set(frames, at);
    this.end = at + frames.length;
  }

  /** Writes the head of a message of what was gathered before it; gives the message, which lies in the buffer. The library would make a buffer for the head and two writes. */
  message(): Buffer {
    const { buffer } = this;
    const bytes = this.end - HEAD_BYTES;
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
    return buffer.subarray(at, this.end);
  }

  /** Takes other memory. */
  take(bytes: number): void {
    const memory = new ArrayBuffer(bytes);
    this.buffer = Buffer.from(memory);
    this.#words = new Uint32Array(memory);
    this.#shorts = new Uint16Array(memory);
  }

  #grow(bytes: number): void {
    const before = this.buffer;
    this.take(2 ** Math.ceil(Math.log2(bytes)));
    this.buffer.set(before.subarray(0, this.end));
  }
}
