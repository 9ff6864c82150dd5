import { Writable } from 'node:stream';
import { expect, it } from 'vitest';
import { Outgoing } from './outgoing.ts';

/** A socket of which nothing is taken until it is told so. */
function stalled() {
  const taken: Buffer[] = [];
  const waiting: (() => void)[] = [];
  const written: Buffer[] = [];
  const socket = new Writable({
    write(chunk: Buffer, _encoding, done) {
      waiting.push(() => {
        taken.push(Buffer.from(chunk));
        done();
      });
    },
  });
  const write = socket.write.bind(socket);
  socket.write = (chunk: Buffer) => {
    written.push(chunk);
    return write(chunk);
  };
  const ws = {
    extensions: '',
    readyState: 1,
    OPEN: 1,
    get bufferedAmount() {
      return socket.writableLength;
    },
    send: () => undefined,
  } as const;
  const drain = (): void => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) next();
  };
  return { out: new Outgoing(ws, socket, false), written, taken, drain };
}

it('pins no buffer for each small message that waits, and changes none of them', async () => {
  const { out, written, taken, drain } = stalled();
  const message = (value: number): Uint8Array => new Uint8Array(16).fill(value);
  for (let value = 1; value <= 200; value += 1) {
    out.add(message(value));
    out.flush();
  }
  expect(out.bufferedBytes).toBe(200 * 18);
  expect(new Set(written.map(({ buffer }) => buffer)).size).toBeLessThan(10);
  while (taken.length < 200) {
    drain();
    await new Promise(setImmediate);
  }
  expect(taken.map((bytes) => [...bytes])).toEqual(Array.from({ length: 200 }, (_, index) => [0x82, 16, ...message(index + 1)]));
});
