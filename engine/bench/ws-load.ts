/** The client side of the ws benchmarks: as light as it can be, so that it measures the server. Frames are made once and written to bare sockets. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { encodeMessage, type AnyFrame } from '../client/websocket-codec.ts';
import { LAYOUT } from '../client/websocket-layout.ts';

/** Messages that stand ready one after the other. */
const READY_MESSAGES = 1024;
const ORDER = {
  frame: 'newOrder',
  number: 1,
  instrument: 0,
  orderType: 'limit',
  timeInForce: 'GTC',
  selfTrade: 'none',
  clientOrderId: '0000000000000000',
  priceTicks: 100,
  quantityLots: 1,
} as const;

export class LoadConnection {
  readonly #socket: Socket;
  /** Orders of a message. */
  readonly #packed: number;
  readonly #messages: Buffer;
  readonly #messageBytes: number;
  readonly #countsFrames: boolean;
  /** What is left of a message whose beginning has come. */
  #rest: Buffer = Buffer.alloc(0);
  #next = 0;
  /** Told how many orders were answered by what has just come. */
  onAnswers: (count: number) => void = () => undefined;

  private constructor(socket: Socket, packed: number, account: number, countsFrames: boolean) {
    this.#socket = socket;
    this.#packed = packed;
    this.#countsFrames = countsFrames;
    // Sells and buys in turn: every second order trades with the one before it, or with one of another connection.
    const messages = Array.from({ length: READY_MESSAGES }, (_, index) => {
      const orders = Array.from({ length: packed }, (__, place): AnyFrame => ({
        ...ORDER,
        account,
        side: (index * packed + place) % 2 === 0 ? 'sell' : 'buy',
      }));
      return masked(encodeMessage(orders));
    });
    this.#messageBytes = messages[0]?.length ?? 0;
    this.#messages = Buffer.concat(messages);
    socket.on('data', (data) => this.#read(data));
  }

  /** `countsFrames` for an engine, whose answers are frames; else each message that comes back is one message's worth. */
  static async open(port: number, options: { packed: number; account: number; countsFrames: boolean }): Promise<LoadConnection> {
    const { socket, rest } = await upgraded(port, '/v1/ws');
    const connection = new LoadConnection(socket, options.packed, options.account, options.countsFrames);
    // The welcome may have come with the head.
    connection.#read(rest);
    return connection;
  }

  /** Sends so many messages. */
  send(messages: number): void {
    for (let left = messages; left > 0;) {
      const run = Math.min(left, READY_MESSAGES - this.#next);
      this.#socket.write(this.#messages.subarray(this.#next * this.#messageBytes, (this.#next + run) * this.#messageBytes));
      this.#next = (this.#next + run) % READY_MESSAGES;
      left -= run;
    }
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(data: Buffer): void {
    const bytes = this.#rest.length === 0 ? data : Buffer.concat([this.#rest, data]);
    let answers = 0;
    let at = 0;
    while (at + 2 <= bytes.length) {
      let from = at + 2;
      let length = (bytes[at + 1] as number) & 127;
      if (length === 126) {
        if (at + 4 > bytes.length) break;
        length = bytes.readUInt16BE(at + 2);
        from = at + 4;
      } else if (length === 127) {
        if (at + 10 > bytes.length) break;
        length = bytes.readUInt32BE(at + 6);
        from = at + 10;
      }
      if (from + length > bytes.length) break;
      answers += this.#countsFrames ? countPlaced(bytes, from, from + length) : this.#packed;
      at = from + length;
    }
    this.#rest = at === bytes.length ? bytes.subarray(at) : Buffer.from(bytes.subarray(at));
    if (answers > 0) this.onAnswers(answers);
  }
}

function countPlaced(bytes: Buffer, from: number, end: number): number {
  const { type } = LAYOUT.placed;
  let count = 0;
  for (let at = from; at < end; at += (bytes[at] as number) | ((bytes[at + 1] as number) << 8)) {
    const found = bytes[at + 2];
    if (found === type) count += 1;
    else if (found === LAYOUT.rejected.type || found === LAYOUT.error.type) throw new Error('the engine refused an order of the benchmark');
  }
  return count;
}

/** A bare socket after the handshake, and what has come behind it. `headers`: whole lines. */
export async function upgraded(port: number, path: string, headers = ''): Promise<{ socket: Socket; rest: Buffer }> {
  const socket = connect(port, '127.0.0.1');
  socket.setNoDelay(true);
  socket.write(
    `GET ${path} HTTP/1.1\r\nhost: bench\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: ${Buffer.alloc(16).toString('base64')}\r\nsec-websocket-protocol: hft.binary.v1\r\n${headers}\r\n`,
  );
  const [head] = (await once(socket, 'data')) as [Buffer];
  if (!head.toString('latin1').startsWith('HTTP/1.1 101')) throw new Error(`no WebSocket: ${head.toString('latin1').slice(0, 200)}`);
  return { socket, rest: head.subarray(head.indexOf('\r\n\r\n') + 4) };
}

/** A client's message under the mask 0, which changes nothing. */
export function masked(payload: Uint8Array): Buffer {
  const head = payload.length < 126 ? Buffer.alloc(6) : Buffer.alloc(8);
  head[0] = 0x82;
  if (payload.length < 126) head[1] = 0x80 | payload.length;
  else {
    head[1] = 0x80 | 126;
    head.writeUInt16BE(payload.length, 2);
  }
  return Buffer.concat([head, payload]);
}
