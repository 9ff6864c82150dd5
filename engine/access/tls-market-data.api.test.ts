/** The one client over TLS: orders and market data, on every port that speaks it. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ensureAuthority, ensureLeaf, keyPair } from '../../e2e/cluster/certificates.ts';
import { connect } from '../client/connect.ts';
import { startLocalEngine, type LocalEngine } from '../testing/local-engine.ts';
import { temporaryDirectory } from '../testing/temporary-directory.ts';

let pki: string;
let engine: LocalEngine;
let tls: { ca: string };
const file = (name: string): string => join(pki, name);

beforeAll(async () => {
  pki = temporaryDirectory();
  const authority = keyPair(pki, 'ca');
  await ensureAuthority(authority, 'authority of a test');
  for (const name of ['first', 'second'])
    await ensureLeaf(keyPair(pki, name), authority, { user: name, hosts: ['127.0.0.1', 'localhost'] });
  for (const kind of ['crt', 'key']) writeFileSync(file(`tls.${kind}`), readFileSync(file(`first.${kind}`)));
  tls = { ca: readFileSync(file('ca.crt'), 'utf8') };
  engine = await startLocalEngine({
    config: { journal: { durability: 'memory' }, tls: { certFile: file('tls.crt'), keyFile: file('tls.key') } },
    marketData: true,
    tls,
  });
}, 60_000);
afterAll(async () => {
  await engine[Symbol.asyncDispose]();
  rmSync(pki, { recursive: true, force: true });
});

const ways = (): [string, string, string][] => {
  const { port, grpcPort, marketDataPort, marketDataGrpcPort } = engine.running;
  return [
    ['https', `https://127.0.0.1:${port}`, `wss://127.0.0.1:${marketDataPort}`],
    ['wss', `wss://127.0.0.1:${port}`, `wss://127.0.0.1:${marketDataPort}`],
    ['grpcs', `grpcs://127.0.0.1:${grpcPort}`, `grpcs://127.0.0.1:${marketDataGrpcPort}`],
  ];
};

it('places orders and hears of them by https, wss and grpcs', { timeout: 30_000 }, async () => {
  const { baseUrl: httpUrl, token } = engine;
  for (const [scheme, url, marketDataUrl] of ways()) {
    await expect(connect({ url, httpUrl, marketDataUrl, token, timeoutMs: 1000 }), scheme).rejects.toThrow(/./);
    const client = await connect({ url, httpUrl, marketDataUrl, token, tls });
    const subscription = await client.subscribe({ channel: 'own-orders', account: scheme });
    const placed = await client.place({ symbol: 'BTC-USD', account: scheme, side: 'buy', type: 'limit', price: '100', quantity: '1' });
    for await (const event of subscription)
      if (event.type === 'orderUpdate' && event.orderId === placed.order.id) {
        expect(event, scheme).toMatchObject({ account: scheme, status: 'open' });
        break;
      }
    await client.close();
  }
});

it('shows a renewed certificate on the ports of market data, too', { timeout: 20_000 }, async () => {
  const { marketDataPort, marketDataGrpcPort } = engine.running;
  const names = async (): Promise<string[]> =>
    await Promise.all(
      [marketDataPort, marketDataGrpcPort].map(
        async (port) =>
          await new Promise<string>((resolve, reject) => {
            const socket: TLSSocket = connectTls({ port, host: '127.0.0.1', ...tls }, () => {
              resolve(String(socket.getPeerCertificate().subject.CN));
              socket.destroy();
            });
            socket.once('error', reject);
          }),
      ),
    );
  expect(await names()).toEqual(['first', 'first']);
  for (const kind of ['crt', 'key']) writeFileSync(file(`tls.${kind}`), readFileSync(file(`second.${kind}`)));
  await expect.poll(names, { timeout: 8000 }).toEqual(['second', 'second']);
});
