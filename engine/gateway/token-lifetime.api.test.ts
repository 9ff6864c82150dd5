/** Connections that live longer than their tokens, or than the keys of these: ended on WebSocket and gRPC, refused on HTTP; others stay. */
import { once } from 'node:events';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { status, type StatusObject } from '@grpc/grpc-js';
import { expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { testKeys } from '../access/malformed-tokens.test-support.ts';
import { signToken, type TokenClaims } from '../access/sign.ts';
import { METHODS } from '../client/grpc-contract.ts';
import { decodeMessage, type AnyFrame } from '../client/websocket-codec.ts';
import { startLocalEngine } from '../testing/local-engine.ts';
import { temporaryDirectory } from '../testing/temporary-directory.ts';
import { bareClient, bearer } from './grpc/grpc.test-support.ts';

const EXPIRED = 4002;
/** A heartbeat of WebSocket, and a second to look at the key file. */
const WITHIN_MS = 8000;

it('ends what an expired token or one of a removed key has opened, and nothing else', async () => {
  const keys = testKeys();
  const dataDirectory = temporaryDirectory();
  const file = join(dataDirectory, 'keys.json');
  writeFileSync(file, JSON.stringify({ keys: Object.values(keys) }), { mode: 0o600 });
  await using engine = await startLocalEngine({ config: { journal: { durability: 'memory' } }, dataDirectory });
  const claims: TokenClaims = { engine: 'local', subject: 's', roles: ['trader'], accounts: 'all', lifetimeMs: 600_000 };
  const tokens = {
    good: await signToken(keys.ed, claims),
    expiring: await signToken(keys.ed, { ...claims, lifetimeMs: 2500 }),
    keyless: await signToken(keys.es, claims),
  };
  const client = bareClient(`127.0.0.1:${engine.running.grpcPort}`);
  const open = async (token: string) => {
    const ws = new WebSocket(`${engine.baseUrl.replace('http', 'ws')}/v1/ws`, 'hft.binary.v1', {
      headers: { authorization: `Bearer ${token}` },
    });
    const frames: AnyFrame[] = [];
    ws.on('message', (data) => frames.push(...decodeMessage(data as Buffer)));
    const wsEnd = once(ws, 'close').then(([code]) => Number(code));
    const { path, requestSerialize, responseDeserialize } = METHODS.orderEntry;
    const stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, bearer(token));
    stream.on('error', () => undefined);
    stream.resume();
    const streamEnd = new Promise<StatusObject>((resolve) => stream.once('status', resolve));
    await once(ws, 'open');
    const http = async (): Promise<number> =>
      (await fetch(`${engine.baseUrl}/v1/instruments`, { headers: { authorization: `Bearer ${token}` } })).status;
    expect(await http()).toBe(200);
    return { ws, stream, frames, wsEnd, streamEnd, http };
  };
  const [good, expiring, keyless] = [await open(tokens.good), await open(tokens.expiring), await open(tokens.keyless)];
  writeFileSync(`${file}.new`, JSON.stringify({ keys: [keys.ed, keys.hs] }));
  renameSync(`${file}.new`, file);
  for (const ended of [expiring, keyless]) {
    expect(await ended.wsEnd).toBe(EXPIRED);
    expect(ended.frames.at(-1)).toMatchObject({ frame: 'error', code: EXPIRED });
    const end = await ended.streamEnd;
    expect([end.code, end.metadata.get('hft-code')]).toEqual([status.UNAUTHENTICATED, ['HFT_UNAUTHORIZED']]);
    // The clocks of engine and issuer may differ by some seconds.
    await expect.poll(ended.http, { timeout: WITHIN_MS }).toBe(401);
  }
  expect([good.ws.readyState, good.stream.readable, await good.http()]).toEqual([WebSocket.OPEN, true, 200]);
  good.ws.close();
  good.stream.cancel();
  await Promise.all([good.wsEnd, good.streamEnd]);
  client.close();
  rmSync(dataDirectory, { recursive: true, force: true });
});
