/** One WebSocket that follows streams. */
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import type { Principal } from '../access/principal.ts';
import { encodeMessage } from '../client/websocket-codec.ts';
import type { Backlog, Sender } from '../gateway/websocket/backlog.ts';
import { asciiReason, CLOSE, closeSocket } from '../gateway/websocket/closing.ts';
import type { Subscriber } from './subscriber.ts';
import { updateOf, type Update } from './update.ts';

/** Bytes that may wait when a ping is answered. */
const MOST_BEFORE_PONG = 1024 * 1024;

/** How its messages look: frames, their JSON form, or price updates without headers. */
export type Form = 'binary' | 'json' | 'prices';

export class WebSocketSubscriber implements Subscriber, Sender {
  readonly ws: WebSocket;
  readonly principal: Principal;
  readonly form: Form;
  /** Heartbeat intervals in which nothing came. */
  silent = 0;
  /** Requests since the last heartbeat. */
  requests = 0;
  readonly #socket: Socket;
  readonly #backlog: Backlog;
  /** Whether the library must send: it compresses, or makes text of it. */
  readonly #isRaw: boolean;
  #isCorked = false;
  #isClosing = false;
  #toldBytes = 0;

  constructor(parts: { ws: WebSocket; socket: Socket; principal: Principal; form: Form; backlog: Backlog }) {
    this.ws = parts.ws;
    this.principal = parts.principal;
    this.form = parts.form;
    this.#socket = parts.socket;
    this.#backlog = parts.backlog;
    this.#isRaw = parts.form !== 'json' && parts.ws.extensions === '';
  }

  get bufferedBytes(): number {
    return this.#isRaw ? this.#socket.writableLength : this.ws.bufferedAmount;
  }

  send(update: Update): void {
    if (this.#isClosing) return;
    if (!this.#isCorked) {
      this.#isCorked = true;
      this.#socket.cork();
    }
    if (this.#isRaw) this.#socket.write(update.message);
    else this.ws.send(this.form === 'json' ? update.json : update.frames);
  }

  flush(): void {
    if (this.#isCorked) {
      this.#isCorked = false;
      this.#socket.uncork();
    }
    const bytes = this.bufferedBytes;
    if (bytes === this.#toldBytes) return;
    this.#toldBytes = bytes;
    this.#backlog.tell(this, bytes);
  }

  /** Answers a ping, unless much waits already: the library would, however much it is. */
  pong(data: Buffer): void {
    this.silent = 0;
    if (!this.#isClosing && this.bufferedBytes <= MOST_BEFORE_PONG) this.ws.pong(data);
  }

  close(code: number, why: string): void {
    if (this.#isClosing) return;
    const text = asciiReason(why);
    if (code !== CLOSE.slow && this.form !== 'prices') this.send(updateOf(encodeMessage([{ frame: 'error', number: 0, code, text }])));
    this.#isClosing = true;
    this.flush();
    closeSocket(this.ws, code, text);
  }

  cut(): void {
    this.#isClosing = true;
    this.ws.terminate();
  }

  /** The connection is gone. */
  end(): void {
    this.#isClosing = true;
    this.#backlog.tell(this, 0);
  }
}
