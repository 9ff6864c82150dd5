import { expect, it } from 'vitest';
import { DEFAULT_CONFIG } from '../config/config.ts';
import { EngineError } from '../client/orders.ts';
import { GrpcOrderClient } from '../client/grpc.ts';
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
