/** Frames on their way out of one connection: gathered during a tick, sent as one message. */
import type { WebSocket } from 'ws';
import { decodeMessage } from '../../client/websocket-codec.ts';
import { FIRST_BYTES, FrameBuffer, HEAD_BYTES } from './frame-buffer.ts';

type Library = Pick<WebSocket, 'extensions' | 'readyState' | 'OPEN' | 'bufferedAmount' | 'send'>;

interface Stream {
  /** Bytes that the kernel has not taken yet. */
  readonly writableLength: number;
  write(bytes: Uint8Array): boolean;
}

export class Outgoing extends FrameBuffer {
  readonly #ws: Library;
  readonly #socket: Stream;
  readonly #json: boolean;
  /** Compressed messages, and text, go through the library. */
  readonly #raw: boolean;

  constructor(ws: Library, socket: Stream, json: boolean) {
    super();
    this.#ws = ws;
    this.#socket = socket;
    this.#json = json;
    this.#raw = !json && ws.extensions === '';
  }

  /** Bytes that the kernel has not taken yet, with those that are still to be compressed. */
  get bufferedBytes(): number {
    return this.#ws.bufferedAmount;
  }

  /** Sends what was gathered, as one message. */
  flush(): void {
    const { end } = this;
    if (end === HEAD_BYTES) return;
    if (this.#ws.readyState !== this.#ws.OPEN) this.end = HEAD_BYTES;
    else if (this.#raw) this.#write();
    else {
      const frames = this.buffer.subarray(HEAD_BYTES, end);
      this.end = HEAD_BYTES;
      this.#ws.send(this.#json ? JSON.stringify(decodeMessage(frames)) : Buffer.from(frames));
    }
  }

  #write(): void {
    const message = this.message();
    this.end = HEAD_BYTES;
    const socket = this.#socket;
    // Behind others it waits as a copy of its own size: a buffer for each would be many times what waits.
    const behind = socket.writableLength > 0;
    socket.write(behind ? Buffer.from(message) : message);
    // What the kernel has not taken is still read from there; and what one large message needed is not kept.
    if ((!behind && socket.writableLength > 0) || this.buffer.length > FIRST_BYTES) this.take(FIRST_BYTES);
  }
}
