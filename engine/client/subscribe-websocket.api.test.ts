import { createServer, type AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import type { WebSocket } from 'ws';
import { scripted } from './scripted.test-support.ts';
import { subscribeWebSocket } from './subscribe-websocket.ts';
import { Units } from './units.ts';
import { encodeMessage, type AnyFrame } from './websocket-codec.ts';

const UNITS = [new Units({ symbol: 'BTC-USD', tickSize: '0.01', lotSize: '1' })];
const TRADES = { channel: 'trades' } as const;

function begin({ frame, number }: AnyFrame, ws: WebSocket): void {
  if (frame === 'subscribe')
    ws.send(encodeMessage([{ frame: 'subscribed', number, sequence: 1, instrument: 0, depth: 0, account: 0, channel: 'trades' }]));
}

/** What becomes of a subscription, at once or when it is read. */
async function endOf(url: string, token: string | (() => string) = 't', timeoutMs = 5000): Promise<unknown> {
  try {
    const stream = await subscribeWebSocket({ url, token, timeoutMs }, UNITS, TRADES);
    return await stream.next();
  } catch (cause) {
    return cause;
  }
}

it.each([
  [401, 'HFT_UNAUTHORIZED'],
  [403, 'HFT_FORBIDDEN'],
])('asks for a token for each connection, and ends when it is refused: %i', async (status, code) => {
  const server = await scripted({
    take: (frame, ws, connection) => {
      begin(frame, ws);
      // Once it has begun; the second connection is cut by the next heartbeat of the client at the latest.
      if (frame.frame === 'subscribe' && connection < 3) setImmediate(() => ws.terminate());
    },
    refuse: (connection) => (connection === 3 ? status : undefined),
  });
  let asked = 0;
  expect(await endOf(server.url, () => `t${++asked}`)).toMatchObject({ code, status, inDoubt: false });
  expect(server.tokens).toEqual(['Bearer t1', 'Bearer t2', 'Bearer t3']);
  server.close();
});

it('ends when no token is given any more', async () => {
  const server = await scripted({
    take: (frame, ws) => {
      begin(frame, ws);
      if (frame.frame === 'subscribe') setImmediate(() => ws.terminate());
    },
  });
  let asked = 0;
  const token = (): string => {
    asked += 1;
    if (asked > 1) throw new Error('the vault is shut');
    return 't';
  };
  expect(await endOf(server.url, token)).toMatchObject({ code: 'HFT_UNAUTHORIZED', message: expect.stringContaining('vault') as string });
  expect(await endOf(server.url, token)).toMatchObject({ code: 'HFT_UNAUTHORIZED' });
  server.close();
});

it.each([
  [4002, 'HFT_UNAUTHORIZED'],
  [1008, 'HFT_CLIENT_BAD_ANSWER'],
])('ends when the engine closes it for good before the stream has begun: %i', async (closeCode, code) => {
  const server = await scripted({ take: ({ frame }, ws) => frame === 'subscribe' && ws.close(closeCode, 'no more') });
  expect(await endOf(server.url)).toMatchObject({ code, message: 'no more', inDoubt: false });
  server.close();
});

it('ends when the engine sends what is no frame', async () => {
  const server = await scripted({
    take: (frame, ws) => {
      begin(frame, ws);
      ws.send(new Uint8Array([0, 0, 200, 0, 0, 0, 0, 0]));
    },
  });
  expect(await endOf(server.url)).toMatchObject({ code: 'HFT_CLIENT_BAD_ANSWER', inDoubt: false });
  server.close();
});

it('does not wait longer than it may: for the connection, and for the stream', async () => {
  const mute = createServer();
  await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
  const timedOut = { code: 'HFT_CLIENT_TIMEOUT', retryable: true };
  expect(await endOf(`ws://127.0.0.1:${(mute.address() as AddressInfo).port}`, 't', 100)).toMatchObject(timedOut);
  mute.close();
  const server = await scripted({});
  expect(await endOf(server.url, 't', 100)).toMatchObject(timedOut);
  server.close();
});
