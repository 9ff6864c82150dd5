import { once } from 'node:events';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { expect, it } from 'vitest';
import { startLocalEngine } from '../../testing/local-engine.ts';
import { createHttpServer } from './server.ts';

const GET = 'GET /x HTTP/1.1\r\nhost: x\r\n\r\n';

async function serve(
  answer: Buffer | string,
  unreadMs?: number,
): Promise<AsyncDisposable & { socket: Socket; taken: () => number; seen: () => number }> {
  const app = createHttpServer({ bodyLimit: 1000, logLevel: 'fatal', ...(unreadMs !== undefined && { unreadMs }) });
  let taken = 0;
  let seen = 0;
  app.server.prependListener('request', () => (seen += 1));
  app.get('/x', (_request, reply) => {
    taken += 1;
    void reply.type('text/plain').serializer(String).send(answer);
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const socket = connect({ host: '127.0.0.1', port: (app.server.address() as AddressInfo).port });
  socket.on('error', () => undefined);
  return {
    socket,
    taken: () => taken,
    seen: () => seen,
    [Symbol.asyncDispose]: async () => {
      socket.destroy();
      await app.close();
    },
  };
}

it('a connection may have 32 requests whose answers wait: those are answered, what is behind them is not worked on', async () => {
  await using server = await serve('here', 300);
  const { socket } = server;
  let got = '';
  socket.setEncoding('latin1').on('data', (text: string) => (got += text));
  socket.write(GET.repeat(2000));
  await once(socket, 'close');
  expect(server.taken()).toBe(32);
  // Those that were read with them are not kept either.
  expect(server.seen()).toBe(33);
  expect(got.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(32);
});

it('a connection may have 1 MiB in answers that it has not read; when it reads none of them it is cut', async () => {
  await using server = await serve(Buffer.alloc(32 * 1024 * 1024), 300);
  const { socket } = server;
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.pause().write(GET.repeat(30));
  await expect.poll(server.taken).toBe(1);
  // What it has been sent lies in buffers: that it is closed is seen behind them, or by what it writes.
  const timer = setInterval(() => socket.write(GET), 50);
  await closed;
  clearInterval(timer);
  expect(server.taken()).toBe(1);
});

it('pipelined requests are all answered while their answers are read', async () => {
  await using server = await serve(Buffer.alloc(300_000));
  const { socket } = server;
  let bytes = 0;
  socket.on('data', (chunk: Buffer) => (bytes += chunk.length));
  for (let round = 1; round <= 20; round += 1) {
    socket.write(GET.repeat(3));
    await expect.poll(() => bytes, { interval: 5 }).toBeGreaterThanOrEqual(round * 900_000);
  }
  expect(server.taken()).toBe(60);
});

it('the document of the API is the same bytes for all, and not sent again to who has it', async () => {
  await using engine = await startLocalEngine({ config: { journal: { durability: 'memory' } } });
  const url = `${engine.baseUrl}/docs/json`;
  const first = await fetch(url);
  const etag = first.headers.get('etag') ?? '';
  expect([first.status, first.headers.get('content-type')]).toEqual([200, 'application/json; charset=utf-8']);
  expect(await first.json()).toMatchObject({ openapi: '3.1.0' });
  const again = await fetch(url, { headers: { 'if-none-match': etag } });
  expect([again.status, await again.text()]).toEqual([304, '']);
});
