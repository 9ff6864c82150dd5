/** One WebSocket connection: its frames into the order entry, its answers out. */
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import type { Principal } from '../../access/principal.ts';
import type { Gatekeeper } from '../../access/gatekeeper.ts';
import type { Action } from '../../access/roles.ts';
import { ACCOUNT_TEXT } from '../../client/schemas.ts';
import { encodeMessage, type AnyFrame } from '../../client/websocket-codec.ts';
import { FRAMES, HEADER_BYTES, type FrameSpec } from '../../client/websocket-frames.ts';
import { FRAME_NAMES, LAYOUT } from '../../client/websocket-layout.ts';
import { ALL_INSTRUMENTS, REJECT, type Reject } from '../../core/types.ts';
import type { EntryLink } from '../../service/answer-queue.ts';
import { EntryAccount, type OrderEntry } from '../../service/order-entry.ts';
import { Actor } from '../../service/principal-numbers.ts';
import { Problem } from '../../service/problem.ts';
import { writeAnswer, writeReject } from './answers.ts';
import type { Backlog, Sender } from './backlog.ts';
import { asciiReason, CLOSE, closeSocket, closeUnread } from './closing.ts';
import { Outgoing } from './outgoing.ts';

/** Longest message that is taken. */
export const MOST_MESSAGE_BYTES = 65_536;
/** What may wait for a client that does not read, in bytes, when more is to be sent; then its connection is closed. */
const MOST_BUFFERED_BYTES = 1024 * 1024;
/** Pings that are answered between two heartbeats; then the connection is closed. */
const MOST_PINGS = 200;
const MOST_ACCOUNTS = 1024;
const ALL = 65_535;
const U32 = 2 ** 32;

/** Lengths of the frames that a client may send, by type; 0 for none. */
const BYTES_OF_TYPE = new Uint16Array(256);
/** Flags that they may have. */
const FLAGS_OF_TYPE = new Uint8Array(256);
for (const name of FRAME_NAMES) {
  const spec: FrameSpec = FRAMES[name];
  if (spec.from === 'server') continue;
  BYTES_OF_TYPE[spec.type] = LAYOUT[name].bytes;
  FLAGS_OF_TYPE[spec.type] = 2 ** Object.keys(spec.flags ?? {}).length - 1;
}

/** The message that is being read, aligned: one for all connections, since reading never waits. */
const MESSAGE = new ArrayBuffer(MOST_MESSAGE_BYTES);
const BYTES = new Uint8Array(MESSAGE);
const SHORTS = new Uint16Array(MESSAGE);
const WORDS = new Uint32Array(MESSAGE);
const SIGNED = new Int32Array(MESSAGE);

export interface ConnectionParts {
  readonly ws: WebSocket;
  readonly socket: Socket;
  readonly json: boolean;
  readonly entry: OrderEntry;
  readonly principal: Principal;
  readonly gatekeeper: Gatekeeper;
  readonly backlog: Backlog;
  readonly sessions: { open(): number; end(session: number): void };
}

export class Connection implements EntryLink, Sender {
  readonly principal: Principal;
  readonly out: Outgoing;
  /** Heartbeat intervals in which nothing came. */
  silent = 0;
  readonly #parts: ConnectionParts;
  readonly #entry: OrderEntry;
  readonly #link: number;
  readonly #actor: Actor;
  readonly #accounts: EntryAccount[] = [];
  /** What the principal may do for the account of a handle. */
  readonly #mayWrite: boolean[] = [];
  readonly #mayCancel: boolean[] = [];
  #pings = 0;
  #session = 0;
  /** What the backlog was told. */
  #toldBytes = 0;
  #closing = false;
  #ended = false;

  constructor(parts: ConnectionParts) {
    this.#parts = parts;
    this.principal = parts.principal;
    this.#actor = new Actor(parts.principal.subject);
    this.#entry = parts.entry;
    this.out = new Outgoing(parts.ws, parts.socket, parts.json);
    this.#link = parts.entry.connect(this);
  }

  /** A heartbeat is due: it counts anew. */
  beat(): void {
    this.silent += 1;
    this.#pings = 0;
  }

  /** Answers that it waits for. */
  get waiting(): number {
    return this.#ended ? 0 : this.#entry.waitingOf(this.#link);
  }

  /** The handle of an account; -1 when the principal has nothing to do with it. */
  handleOf(name: string): number {
    const known = this.#accounts.findIndex((account) => account.name === name);
    if (known >= 0) return known;
    const mayWrite = this.#may('orders.write', name);
    const mayCancel = this.#may('orders.cancel', name);
    if (this.#accounts.length === MOST_ACCOUNTS || !(mayWrite || mayCancel || this.#may('orders.read', name))) return -1;
    this.#mayWrite.push(mayWrite);
    this.#mayCancel.push(mayCancel);
    return this.#accounts.push(new EntryAccount(name, this.#actor)) - 1;
  }

  send(frames: readonly AnyFrame[]): void {
    this.out.add(encodeMessage(frames));
    this.flush();
  }

  answer(values: Float64Array, at: number): void {
    if (!this.#closing) writeAnswer(this.out, values, at);
  }

  /** One tick may have more answers than may wait: what counts is what still waits of those before. */
  flush(): void {
    if (this.#closing) return;
    const { out } = this;
    if (out.bufferedBytes > MOST_BUFFERED_BYTES) return this.close(CLOSE.slow, 'the client does not read what it is sent');
    out.flush();
    const bytes = out.bufferedBytes;
    if (bytes === this.#toldBytes) return;
    this.#toldBytes = bytes;
    this.#parts.backlog.tell(this, bytes);
  }

  /** Answers a ping. The library would do so however many come, and however much waits already. */
  pong(data: Buffer): void {
    this.#pings += 1;
    if (this.#pings > MOST_PINGS) return this.close(CLOSE.flood, `${MOST_PINGS} pings between two heartbeats are answered, and no more`);
    this.flush();
    if (!this.#closing) this.#parts.ws.pong(data);
  }

  get bufferedBytes(): number {
    return this.out.bufferedBytes;
  }

  cut(): void {
    this.#closing = true;
    this.#parts.ws.terminate();
  }

  /** Reads a message of frames. */
  receive(message: Uint8Array): void {
    if (this.#closing) return;
    const receivedMs = performance.now();
    this.silent = 0;
    const end = message.length;
    BYTES.set(message);
    for (let at = 0; at < end;) {
      const type = BYTES[at + 2] as number;
      const bytes = BYTES_OF_TYPE[type] as number;
      if (at + HEADER_BYTES > end || bytes === 0 || SHORTS[at >> 1] !== bytes || at + bytes > end)
        return this.close(CLOSE.protocol, `byte ${at} of a message begins no frame that a client sends: see docs/frames.md`);
      if (((BYTES[at + 3] as number) & ~(FLAGS_OF_TYPE[type] as number)) === 0) this.#frame(type, at, receivedMs);
      else this.#refuse(at, REJECT.badTerms);
      at += bytes;
    }
    // Refusals that waited for nothing: one write for all of the message.
    this.flush();
  }

  /** Says why, and ends the connection; answers that wait are not sent any more. */
  close(code: number, why: string): void {
    if (this.#closing) return;
    const { ws, socket } = this.#parts;
    const text = asciiReason(why);
    this.#closing = true;
    if (code !== CLOSE.slow) {
      this.out.add(encodeMessage([{ frame: 'error', number: 0, code, text }]));
      this.out.flush();
    }
    if (code === CLOSE.slow || code === CLOSE.flood) closeUnread(ws, socket, code, text);
    else closeSocket(ws, code, text);
  }

  /** The connection is gone. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#closing = true;
    this.#parts.backlog.tell(this, 0);
    this.#entry.disconnect(this.#link);
    if (this.#session !== 0) this.#parts.sessions.end(this.#session);
  }

  #frame(type: number, at: number, receivedMs: number): void {
    switch (type) {
      case LAYOUT.newOrder.type:
        return this.#place(at, false, receivedMs);
      case LAYOUT.newOrderFull.type:
        return this.#place(at, true, receivedMs);
      case LAYOUT.replace.type:
        return this.#replace(at, receivedMs);
      case LAYOUT.cancel.type: {
        const account = this.#account(at, this.#mayCancel);
        if (account === undefined) return;
        return this.#entry.cancel(this.#link, numberAt(at), account, u64(at + LAYOUT.cancel.at.orderId), receivedMs);
      }
      case LAYOUT.massCancel.type: {
        const account = this.#account(at, this.#mayCancel);
        const instrument = SHORTS[(at + LAYOUT.massCancel.at.instrument) >> 1] as number;
        if (account === undefined) return;
        return this.#entry.massCancel(this.#link, numberAt(at), account, instrument === ALL ? ALL_INSTRUMENTS : instrument, receivedMs);
      }
      case LAYOUT.useAccount.type:
        return this.#useAccount(at);
      case LAYOUT.heartbeat.type:
        return;
      default:
        // Streams are on the port of market data; whoever asks here keeps the orders that end with the connection.
        return this.#refuse(at, REJECT.badTerms);
    }
  }

  #place(at: number, full: boolean, receivedMs: number): void {
    const account = this.#account(at, this.#mayWrite);
    if (account === undefined) return;
    const { order } = this.#entry;
    const { at: field, bit } = LAYOUT.newOrder;
    const flags = BYTES[at + 3] as number;
    order.instrument = SHORTS[(at + field.instrument) >> 1] as number;
    order.side = BYTES[at + field.side] as number;
    order.type = BYTES[at + field.orderType] as number;
    order.timeInForce = BYTES[at + field.timeInForce] as number;
    order.selfTrade = BYTES[at + field.selfTrade] as number;
    order.postOnly = (flags & bit.postOnly) !== 0;
    order.session = (flags & bit.cancelOnDisconnect) === 0 ? 0 : this.#sessionNumber();
    order.idLow = SIGNED[(at + field.clientOrderId) >> 2] as number;
    order.idHigh = SIGNED[(at + field.clientOrderId + 4) >> 2] as number;
    order.priceTicks = u64(at + field.priceTicks);
    order.quantityLots = u64(at + field.quantityLots);
    const { stopTicks, displayLots, expiryMicros } = LAYOUT.newOrderFull.at;
    order.stopTicks = full ? u64(at + stopTicks) : 0;
    order.displayLots = full ? u64(at + displayLots) : 0;
    order.expiryMicros = full ? u64(at + expiryMicros) : 0;
    this.#entry.place(this.#link, numberAt(at), account, receivedMs);
  }

  #replace(at: number, receivedMs: number): void {
    const account = this.#account(at, this.#mayWrite);
    if (account === undefined) return;
    const { replacement } = this.#entry;
    const { at: field } = LAYOUT.replace;
    replacement.orderId = u64(at + field.orderId);
    replacement.priceTicks = u64(at + field.priceTicks);
    replacement.quantityLots = u64(at + field.quantityLots);
    replacement.stopTicks = u64(at + field.stopTicks);
    replacement.expectedLots = u64(at + field.expectedLots);
    this.#entry.replace(this.#link, numberAt(at), account, receivedMs);
  }

  #useAccount(at: number): void {
    const from = at + LAYOUT.useAccount.at.name;
    const bytes = BYTES.slice(from, from + 32);
    const length = bytes.indexOf(0);
    const name = String.fromCharCode(...(length < 0 ? bytes : bytes.subarray(0, length)));
    const handle = ACCOUNT_TEXT.test(name) ? this.handleOf(name) : -1;
    if (handle < 0) this.#refuse(at, REJECT.forbidden);
    else this.out.add(encodeMessage([{ frame: 'account', number: numberAt(at), account: handle, name }]));
  }

  /** The account of a frame (every request has its handle in the same place); undefined when the request has been refused. */
  #account(at: number, allowed: readonly boolean[]): EntryAccount | undefined {
    const handle = SHORTS[(at + LAYOUT.cancel.at.account) >> 1] as number;
    if (allowed[handle] === true) return this.#accounts[handle];
    this.#refuse(at, REJECT.forbidden);
    return undefined;
  }

  #refuse(at: number, reject: Reject): void {
    writeReject(this.out, numberAt(at), reject);
  }

  #may(action: Action, account: string): boolean {
    try {
      this.#parts.gatekeeper.authorize(this.principal, action, account);
      return true;
    } catch (cause) {
      if (cause instanceof Problem) return false;
      throw cause;
    }
  }

  #sessionNumber(): number {
    if (this.#session === 0) this.#session = this.#parts.sessions.open();
    return this.#session;
  }
}

function numberAt(at: number): number {
  return WORDS[(at >> 2) + 1] as number;
}

/** What no double holds exactly is no safe integer either: the core refuses it. */
function u64(at: number): number {
  return (WORDS[at >> 2] as number) + (WORDS[(at >> 2) + 1] as number) * U32;
}
