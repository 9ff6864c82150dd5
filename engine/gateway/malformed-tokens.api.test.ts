/** Malformed tokens on WebSocket upgrades and gRPC calls; those on HTTP are in http/access.api.test.ts. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { Metadata, status, type StatusObject } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { malformedTokens, testKeys } from '../access/malformed-tokens.test-support.ts';
import { signToken } from '../access/sign.ts';
import { METHODS } from '../client/grpc-contract.ts';
import { startLocalEngine, type LocalEngine } from '../testing/local-engine.ts';
import { temporaryDirectory } from '../testing/temporary-directory.ts';
import { bareClient, call } from './grpc/grpc.test-support.ts';

const keys = testKeys();
const dataDirectory = temporaryDirectory();
let engine: LocalEngine;
let good: string;
beforeAll(async () => {
  mkdirSync(dataDirectory, { recursive: true });
  writeFileSync(join(dataDirectory, 'keys.json'), JSON.stringify({ keys: Object.values(keys) }), { mode: 0o600 });
  engine = await startLocalEngine({
    config: { journal: { durability: 'memory' }, protection: { failedTokensBurst: 100_000 } },
    dataDirectory,
  });
  good = await signToken(keys.es, { engine: 'local', subject: 's', roles: ['viewer'], accounts: 'all', lifetimeMs: 600_000 });
});
afterAll(async () => {
  await engine[Symbol.asyncDispose]();
  rmSync(dataDirectory, { recursive: true, force: true });
});
/** Those that a header can hold. */
const TOKENS = malformedTokens(keys, 'local').filter(({ token }) => /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(token));

/** Status and body of an upgrade that was asked for with these headers; 101 when it was granted. */
async function upgrade(headers: Record<string, string>): Promise<{ status: number; body: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: string }>();
  const asked = request(`${engine.baseUrl}/v1/ws`, {
    headers: {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
      ...headers,
    },
    signal: AbortSignal.timeout(10_000),
    agent: false,
  });
  asked.on('error', reject);
  asked.on('upgrade', (_response, socket) => {
    socket.destroy();
    resolve({ status: 101, body: '' });
  });
  asked.on('response', (response) => {
    let body = '';
    response.setEncoding('utf8').on('data', (text: string) => (body += text));
    response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
  });
  asked.end();
  return await promise;
}

const FORMS: readonly [string, (token: string) => Record<string, string>, (token: string) => boolean][] = [
  ['as a header', (token) => ({ authorization: `Bearer ${token}`, 'sec-websocket-protocol': 'hft.binary.v1' }), () => true],
  [
    'as a sub-protocol',
    (token) => ({ 'sec-websocket-protocol': `hft.json.v1, bearer.${token}` }),
    // A comma ends a sub-protocol: what stands before it may be a good token.
    (token) => !token.includes(','),
  ],
];

it.each(FORMS)('an upgrade with a malformed token %s is refused', async (_form, headersOf, canHold) => {
  const tokens = TOKENS.filter(({ token }) => canHold(token));
  expect(tokens.length).toBeGreaterThan(400);
  const wrong: string[] = [];
  for (const { name, token } of tokens) {
    const { status: found, body } = await upgrade(headersOf(token));
    const isRight = found === 401 && (JSON.parse(body) as { code: string }).code === 'HFT_UNAUTHORIZED';
    if (!isRight || (token.length > 20 && body.includes(token.slice(0, 20)))) wrong.push(`${name}: ${found}`);
  }
  expect(wrong).toEqual([]);
  expect((await upgrade(headersOf(good))).status).toBe(101);
});

it('a call and a stream over gRPC with a malformed token are refused', async () => {
  const client = bareClient(`127.0.0.1:${engine.running.grpcPort}`);
  const metadataOf = (token: string): Metadata => {
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${token}`);
    return metadata;
  };
  const stream = async (token: string): Promise<StatusObject> => {
    const { path, requestSerialize, responseDeserialize } = METHODS.orderEntry;
    const opened = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadataOf(token), {
      deadline: Date.now() + 10_000,
    });
    opened.on('error', () => undefined);
    opened.resume();
    const ended = new Promise<StatusObject>((resolve) => opened.on('status', resolve));
    opened.end();
    return await ended;
  };
  const wrong: string[] = [];
  for (const { name, token } of TOKENS) {
    const unary = await call(client, METHODS.instruments, {}, { metadata: metadataOf(token) });
    for (const { code, metadata, details } of [unary.status, await stream(token)]) {
      const isRight = code === status.UNAUTHENTICATED && metadata.get('hft-code')[0] === 'HFT_UNAUTHORIZED';
      if (!isRight || (token.length > 20 && details.includes(token.slice(0, 20)))) wrong.push(`${name}: ${code} ${details}`);
    }
  }
  expect(wrong).toEqual([]);
  expect((await call(client, METHODS.instruments, {}, { metadata: metadataOf(good) })).status.code).toBe(status.OK);
  expect((await stream(good)).code).toBe(status.OK);
  client.close();
  expect(engine.running.engine.serving).toBe(true);
});
