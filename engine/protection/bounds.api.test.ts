import { once } from 'node:events';
import { connect } from 'node:net';
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { DEFAULT_CONFIG } from '../config/config.ts';
import { EngineError } from '../client/orders.ts';
import { GrpcOrderClient } from '../client/grpc.ts';
import { METHODS } from '../client/grpc-contract.ts';
import { startLocalEngine } from '../testing/local-engine.ts';

const PROTECTION = { failedTokensPerSecond: 1, failedTokensBurst: 3, streamsPerUser: 1 };

it('looks at no unknown token of an address that sent too many bad ones, over HTTP and gRPC, until the bound is raised', async () => {
  await using engine = await startLocalEngine({ config: { journal: { durability: 'memory' }, protection: PROTECTION } });
  const ask = async (token: string): Promise<Response> =>
    await fetch(`${engine.baseUrl}/v1/instruments`, { headers: { authorization: `Bearer ${token}` } });
  await engine.orders.instruments();
  for (let n = 0; n < 3; n += 1) expect((await ask(`bad.${n}.token`)).status).toBe(401);
  const refused = await ask('bad.4.token');
  expect(refused.status).toBe(429);
  expect(refused.headers.get('retry-after')).toBe('1');
  expect(await refused.json()).toMatchObject({ code: 'HFT_TOKEN_RATE_LIMIT' });
  const grpc = new GrpcOrderClient({ address: `127.0.0.1:${engine.running.grpcPort}`, token: 'bad.5.token' });
  // It may be sent again by itself, and then be looked at.
  await expect(grpc.instruments()).rejects.toBeInstanceOf(EngineError);
  grpc.close();
  const metrics = await (await fetch(`${engine.opsUrl}/metrics`)).text();
  expect(Number(/^hft_unread_tokens_total\S* ([0-9]+)/m.exec(metrics)?.[1])).toBeGreaterThanOrEqual(2);
  // A token that is known is none of those.
  await engine.orders.instruments();
  const config = { ...engine.running.engine.config, protection: { ...PROTECTION, failedTokensPerSecond: 1000, failedTokensBurst: 1000 } };
  await engine.admin.applyConfig(config, engine.running.engine.configHash);
  await expect.poll(async () => (await ask('bad.6.token')).status).toBe(401);
});

it('bounds the order streams of a user', async () => {
  await using engine = await startLocalEngine({ config: { ...DEFAULT_CONFIG, journal: { durability: 'memory' }, protection: PROTECTION } });
  const grpc = new GrpcOrderClient({ address: `127.0.0.1:${engine.running.grpcPort}`, token: engine.token });
  const ends: unknown[] = [];
  const listener = { answers: () => undefined, ended: (why: unknown) => void ends.push(why) };
  const first = await grpc.orderEntry(listener);
  await grpc.orderEntry(listener);
  await expect.poll(() => ends).toMatchObject([{ code: 'HFT_USER_RATE_LIMIT' }]);
  first.end();
  grpc.close();
});

it('bounds an address at the ports of market data as well, until the bounds are raised', async () => {
  const protection = { failedTokensPerSecond: 1, failedTokensBurst: 3, connectionsPerAddress: 4 };
  await using engine = await startLocalEngine({ config: { journal: { durability: 'memory' }, protection }, marketData: true });
  const { marketDataPort, marketDataGrpcPort } = engine.running;
  const knock = async (token: string): Promise<number> => {
    const url = `ws://127.0.0.1:${marketDataPort}/v1/market-data`;
    const ws = new WebSocket(url, 'hft.binary.v1', { headers: { authorization: `Bearer ${token}` } });
    ws.on('error', () => undefined);
    ws.once('open', () => ws.close());
    const answer = Promise.race([
      once(ws, 'upgrade'),
      once(ws, 'unexpected-response').then(([, response]) => [response as { statusCode: number }]),
    ]);
    const [{ statusCode }] = (await answer) as [{ statusCode: number }];
    return statusCode;
  };
  expect(await knock(engine.token)).toBe(101);
  for (let n = 0; n < 3; n += 1) expect(await knock(`bad.${n}.token`)).toBe(401);
  expect(await knock('bad.4.token')).toBe(429);
  // Both ports count together; a token that is known is looked at none the less.
  const call = await subscribed(marketDataGrpcPort, 'bad.5.token');
  expect(call).toBe('HFT_TOKEN_RATE_LIMIT');
  expect(await knock(engine.token)).toBe(101);

  for (const port of [marketDataPort, marketDataGrpcPort]) {
    const sockets = Array.from({ length: 6 }, () => connect(port, '127.0.0.1'));
    let closed = 0;
    for (const socket of sockets) socket.on('error', () => undefined).on('close', () => (closed += 1));
    await expect.poll(() => closed).toBe(2);
    for (const socket of sockets) socket.destroy();
  }
  const raised = { ...protection, failedTokensPerSecond: 1000, failedTokensBurst: 1000 };
  await engine.admin.applyConfig({ ...engine.running.engine.config, protection: raised }, engine.running.engine.configHash);
  await expect.poll(async () => await knock('bad.6.token')).toBe(401);
});

/** The `hft-code` that a stream of market data is refused with. */
async function subscribed(port: number, token: string): Promise<unknown> {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
  const { path, requestSerialize, responseDeserialize } = METHODS.subscribe;
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${token}`);
  const request = { channel: 1, symbol: '', depth: 0, account: '', fromSequence: 0 };
  const call = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request, metadata);
  const [{ metadata: trailers }] = (await once(call, 'error')) as [ServiceError];
  client.close();
  return trailers.get('hft-code')[0];
}
