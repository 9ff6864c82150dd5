/** A client that costs little: bytes over keep-alive connections, answers told apart by their content-length alone. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setImmediate as nextTick } from 'node:timers/promises';
import { sleepExactly, sleepUntil } from './pace.ts';

/** Answers are read in between. */
const LONGEST_SLEEP_MS = 0.05;
const LENGTH = /\r\ncontent-length: ([0-9]+)\r\n/i;
const HEADER_END = Buffer.from('\r\n\r\n');

class Connection {
  readonly #socket: Socket;
  #rest: Buffer = Buffer.alloc(0);
  #answered: () => void = () => undefined;
  busy = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#read(chunk));
  }

  send(request: Buffer, answered: () => void): void {
    this.busy = true;
    this.#answered = answered;
    this.#socket.write(request);
  }

  end(): void {
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const end = bytes.indexOf(HEADER_END);
    const head = end < 0 ? '' : bytes.toString('latin1', 0, end + 4);
    const length = Number(LENGTH.exec(head)?.[1] ?? NaN);
    if (end < 0 || bytes.length < end + 4 + length) {
      this.#rest = bytes;
      return;
    }
    if (!head.startsWith('HTTP/1.1 20')) throw new Error(`an order was answered with ${head.slice(0, 40)}`);
    this.#rest = Buffer.alloc(0);
    this.busy = false;
    this.#answered();
  }
}

async function open(port: number, count: number): Promise<Connection[]> {
  return await Promise.all(
    Array.from({ length: count }, async () => {
      const socket = connect(port, '127.0.0.1');
      await once(socket, 'connect');
      return new Connection(socket);
    }),
  );
}

/** One order after the other on each of `connections`; gives the answers a second of the last `seconds`, the first quarter of it being warm-up before. */
export async function ordersPerSecond(port: number, request: Buffer, connections: number, seconds: number): Promise<number> {
  const all = await open(port, connections);
  let answers = 0;
  let going = true;
  for (const connection of all) {
    const next = (): void => {
      answers += 1;
      if (going) connection.send(request, next);
    };
    connection.send(request, next);
  }
  const measure = async (ms: number): Promise<number> => {
    const [startMs, before] = [performance.now(), answers];
    await new Promise((resolve) => setTimeout(resolve, ms));
    return ((answers - before) / (performance.now() - startMs)) * 1000;
  };
  await measure(seconds * 250);
  const rate = await measure(seconds * 1000);
  going = false;
  while (all.some(({ busy }) => busy)) await nextTick();
  for (const connection of all) connection.end();
  return rate;
}

/** Orders at `perSecond`, evenly, for `seconds`; one that finds no idle connection is late. */
export async function steadyOrders(port: number, request: Buffer, connections: number, perSecond: number, seconds: number): Promise<void> {
  sleepExactly();
  const all = await open(port, connections);
  const startMs = performance.now();
  for (let sent = 0; sent < perSecond * seconds;) {
    const due = Math.floor(((performance.now() - startMs) / 1000) * perSecond);
    for (const connection of all) {
      if (sent >= due) break;
      if (connection.busy) continue;
      connection.send(request, () => undefined);
      sent += 1;
    }
    await nextTick();
    sleepUntil(startMs + (sent / perSecond) * 1000, LONGEST_SLEEP_MS);
  }
  while (all.some(({ busy }) => busy)) await nextTick();
  for (const connection of all) connection.end();
}
