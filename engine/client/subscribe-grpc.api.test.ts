import { Server, ServerCredentials, type sendUnaryData, type ServerWritableStream } from '@grpc/grpc-js';
import { expect, it } from 'vitest';
import { HEALTH_CHECK, METHODS, type SubscribeRequest } from './grpc-contract.ts';
import type { MarketDataMessage } from './market-messages.ts';
import { subscribeGrpc } from './subscribe-grpc.ts';
import { Units } from './units.ts';

it('goes on when the engine ends a stream without an error', async () => {
  const server = new Server();
  const asked: number[] = [];
  server.addService(
    { check: HEALTH_CHECK, subscribe: METHODS.subscribe },
    {
      check: (_call: unknown, answer: sendUnaryData<{ status: string }>) => answer(null, { status: 'SERVING' }),
      subscribe: (call: ServerWritableStream<SubscribeRequest, MarketDataMessage>) => {
        const sequence = asked.push(call.request.fromSequence) * 10;
        call.write({ events: [{ number: 1, subscribed: { sequence, symbol: 'BTC-USD', depth: 0 } }] });
        call.write({ events: [{ number: 1, state: { symbol: 'BTC-USD', sequence: sequence + 1, state: 1, untilMicros: 0 } }] });
        call.end();
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (cause, bound) =>
      cause === null ? resolve(bound) : reject(cause),
    );
  });
  const units = [new Units({ symbol: 'BTC-USD', tickSize: '0.01', lotSize: '1' })];
  const options = { address: `127.0.0.1:${port}`, token: 't', timeoutMs: 5000 };
  await using stream = await subscribeGrpc(options, units, { channel: 'trades' });
  for (const sequence of [11, 21]) expect(await stream.next()).toMatchObject({ done: false, value: { type: 'state', sequence } });
  expect(asked).toEqual([0, 11]);
  stream.close();
  server.forceShutdown();
});
