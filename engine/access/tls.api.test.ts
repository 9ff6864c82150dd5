/** Every way in over TLS: who is let in, who is not, and how one certificate takes the place of another. */
import { copyFileSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect as connectPlain } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { connect, type TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { ensureAuthority, ensureLeaf, keyPair } from '../../e2e/cluster/certificates.ts';
import type { TlsFilesConfig } from '../../crds/engine-config.ts';
import { GrpcOrderClient, WIRE } from '../client/grpc.ts';
import { EngineError, OrderClient } from '../client/orders.ts';
import type { ClientTls } from '../client/tls.ts';
import { WebSocketOrders } from '../client/websocket.ts';
import { startLocalEngine, type LocalEngine } from '../testing/local-engine.ts';
import { Certificates } from './tls.ts';
import { temporaryDirectory } from '../testing/temporary-directory.ts';

const ORDER = { symbol: 'BTC-USD', account: 'alice', side: 'buy', type: 'limit', price: '100', quantity: '1' } as const;

let pki: string;
const pem = (name: string): string => readFileSync(join(pki, name), 'utf8');
beforeAll(async () => {
  pki = temporaryDirectory();
  const authority = keyPair(pki, 'ca');
  await ensureAuthority(authority, 'authority of a test');
  await ensureAuthority(keyPair(pki, 'other-ca'), 'authority of somebody else');
  for (const name of ['first', 'second'])
    await ensureLeaf(keyPair(pki, name), authority, { user: name, hosts: ['127.0.0.1', 'localhost'] });
  await ensureLeaf(keyPair(pki, 'client'), authority, { user: 'client' });
  await ensureLeaf(keyPair(pki, 'stranger'), keyPair(pki, 'other-ca'), { user: 'stranger' });
}, 60_000);
afterAll(() => rmSync(pki, { recursive: true, force: true }));

/** A directory as Kubernetes mounts a Secret: the files are links through `..data`, which is swapped. */
class SecretDirectory {
  readonly path = temporaryDirectory();
  #version = 0;

  put(certificate: string, key = certificate): void {
    this.#version += 1;
    const version = `..${this.#version}`;
    mkdirSync(join(this.path, version));
    copyFileSync(join(pki, `${certificate}.crt`), join(this.path, version, 'tls.crt'));
    copyFileSync(join(pki, `${key}.key`), join(this.path, version, 'tls.key'));
    this.#swap(version);
  }

  putText(certificate: string): void {
    this.#version += 1;
    const version = `..${this.#version}`;
    mkdirSync(join(this.path, version));
    writeFileSync(join(this.path, version, 'tls.crt'), certificate);
    writeFileSync(join(this.path, version, 'tls.key'), '');
    this.#swap(version);
  }

  get files(): Pick<TlsFilesConfig, 'certFile' | 'keyFile'> {
    return { certFile: join(this.path, 'tls.crt'), keyFile: join(this.path, 'tls.key') };
  }

  #swap(version: string): void {
    symlinkSync(version, join(this.path, '..new'));
    renameSync(join(this.path, '..new'), join(this.path, '..data'));
    if (this.#version > 1) return;
    for (const file of ['tls.crt', 'tls.key']) symlinkSync(join('..data', file), join(this.path, file));
  }
}

const httpOf = ({ baseUrl, token }: LocalEngine, tls: ClientTls, timeoutMs = 2000): OrderClient =>
  new OrderClient({ baseUrl, token, tls, timeoutMs });
const webSocketOf = async ({ baseUrl, token }: LocalEngine, tls: ClientTls): Promise<WebSocketOrders> =>
  await WebSocketOrders.connect({ url: `${baseUrl.replace('https', 'wss')}/v1/ws`, token, tls });
const grpcOf = ({ running, token }: LocalEngine, tls: ClientTls | undefined, timeoutMs = 2000): GrpcOrderClient =>
  new GrpcOrderClient({
    address: `127.0.0.1:${running.grpcPort}`,
    token,
    channels: 1,
    timeoutMs,
    tries: 1,
    ...(tls !== undefined && { tls }),
  });

/** Names of the transports on which an order is placed with these credentials. */
async function waysIn(engine: LocalEngine, tls: ClientTls): Promise<string[]> {
  const open: string[] = [];
  const http = httpOf(engine, tls);
  if (await http.place(ORDER).then(...YES_OR_NO)) open.push('http');
  await http.close();
  const ws = await webSocketOf(engine, tls).catch(() => undefined);
  if (ws !== undefined) {
    if (await ws.place({ symbol: 'BTC-USD', account: 'alice', side: 'buy', priceTicks: 100, quantityLots: 1 }).then(...YES_OR_NO))
      open.push('ws');
    await ws.close();
  }
  const grpc = grpcOf(engine, tls);
  const order = { symbol: 'BTC-USD', account: 'alice', side: WIRE.buy, type: WIRE.limit, priceTicks: 100, quantityLots: 1 };
  if (await grpc.place(order).then(...YES_OR_NO)) open.push('grpc');
  grpc.close();
  return open;
}
const YES_OR_NO = [() => true, () => false] as const;

/** The name in the certificate that a port shows to a new connection. */
async function nameAt(port: number, more: object = {}): Promise<string> {
  const socket = await handshake(port, more);
  const { CN } = socket.getPeerCertificate().subject;
  socket.destroy();
  return String(CN);
}

async function handshake(port: number, more: object = {}): Promise<TLSSocket> {
  return await new Promise((resolve, reject) => {
    const socket: TLSSocket = connect({ port, host: '127.0.0.1', ca: pem('ca.crt'), ...more }, () => resolve(socket));
    socket.once('error', reject);
  });
}

async function plain(port: number, text: string): Promise<string> {
  return await new Promise((resolve, reject) => {
    let answer = '';
    const socket = connectPlain(port, '127.0.0.1', () => socket.write(text));
    socket.setEncoding('utf8').setTimeout(5000, () => socket.destroy(new Error('no end within 5 s')));
    socket.on('data', (part) => (answer += String(part)));
    socket.on('close', () => resolve(answer));
    socket.on('error', reject);
  });
}

describe('TLS', () => {
  let engine: LocalEngine;
  let secret: SecretDirectory;
  beforeEach(async () => {
    secret = new SecretDirectory();
    secret.put('first');
    engine = await startLocalEngine({ config: { journal: { durability: 'memory' }, tls: secret.files }, tls: { ca: pem('ca.crt') } });
  });
  afterEach(async () => {
    await engine[Symbol.asyncDispose]();
    rmSync(secret.path, { recursive: true, force: true });
  });

  it('takes orders on all three transports from who trusts its authority, and is trusted by nobody else', async () => {
    expect(await waysIn(engine, { ca: pem('ca.crt') })).toEqual(['http', 'ws', 'grpc']);
    expect(await waysIn(engine, { ca: pem('other-ca.crt') })).toEqual([]);
    // No authority that Node knows has signed it.
    expect(await waysIn(engine, {})).toEqual([]);
    expect(await waysIn(engine, { ca: pem('ca.crt'), serverName: 'engine.example' })).toEqual([]);
  });

  it('still asks for a token', async () => {
    const http = new OrderClient({ baseUrl: engine.baseUrl, tls: { ca: pem('ca.crt') } });
    await expect(http.place(ORDER)).rejects.toMatchObject({ status: 401 });
    await http.close();
  });

  it('tells plain HTTP to use TLS, and takes no plain gRPC', async () => {
    const answer = await plain(engine.running.port, 'GET /v1/instruments HTTP/1.1\r\nhost: a\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain('HFT_TLS_REQUIRED');
    const http = new OrderClient({ baseUrl: engine.baseUrl.replace('https', 'http'), token: engine.token });
    const refused = await http.place(ORDER).catch((cause: unknown) => cause);
    expect(refused).toBeInstanceOf(EngineError);
    expect(refused).toMatchObject({ code: 'HFT_TLS_REQUIRED' });
    await http.close();
    const grpc = grpcOf(engine, undefined, 1000);
    await expect(grpc.instruments()).rejects.toBeInstanceOf(EngineError);
    grpc.close();
  });

  it('speaks no version before TLS 1.2', async () => {
    for (const port of [engine.running.port, engine.running.grpcPort]) {
      await expect(handshake(port, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL@SECLEVEL=0' })).rejects.toThrow(
        /protocol version/,
      );
      const older = await handshake(port, { maxVersion: 'TLSv1.2' });
      expect(older.getCipher().name).toMatch(/^ECDHE-.*(GCM|CHACHA20)/);
      older.destroy();
    }
  });

  it('puts a new certificate into service without ending a connection, and keeps the old one when the new one is bad', async () => {
    const ports = [engine.running.port, engine.running.grpcPort];
    const ws = await webSocketOf(engine, { ca: pem('ca.crt') });
    const grpc = grpcOf(engine, { ca: pem('ca.crt') });
    await grpc.ready();
    expect(await Promise.all(ports.map(async (port) => await nameAt(port)))).toEqual(['first', 'first']);

    secret.put('second');
    await expect
      .poll(async () => await Promise.all(ports.map(async (port) => await nameAt(port))), { timeout: 8000 })
      .toEqual(['second', 'second']);
    const place = { symbol: 'BTC-USD', account: 'alice', side: 'buy', priceTicks: 100, quantityLots: 1 } as const;
    expect(await ws.place(place)).toMatchObject({ frame: 'placed' });
    expect(await grpc.instruments()).toHaveLength(2);
    expect(grpc.stats).toMatchObject({ opened: 1, failedChecks: 0 });

    // Neither a key of another certificate, nor no certificate at all.
    secret.put('first', 'second');
    await expect
      .poll(async () => (await engine.admin.status()).tls?.failure, { timeout: 8000 })
      .toMatch(/tls\.key: is not the key of .*tls\.crt/);
    secret.putText('nonsense');
    await expect.poll(async () => (await engine.admin.status()).tls?.failure, { timeout: 8000 }).toMatch(/tls\.crt: holds no certificate/);
    expect(await nameAt(engine.running.port)).toBe('second');
    const metrics = await (await fetch(`${engine.opsUrl}/metrics`, { headers: engine.authorization })).text();
    expect(metrics).toMatch(/hft_tls_reloads_total\{.*result="taken".*\} 1\n/);
    expect(metrics).toMatch(/hft_tls_reloads_total\{.*result="refused".*\} 2\n/);
    expect(Number(/^hft_tls_certificate_expiry_seconds\S* (\S+)/m.exec(metrics)?.[1])).toBeGreaterThan(360 * 24 * 3600);

    secret.put('first');
    await expect.poll(async () => await nameAt(engine.running.port), { timeout: 8000 }).toBe('first');
    expect((await engine.admin.status()).tls).not.toHaveProperty('failure');
    await ws.close();
    grpc.close();
  });

  it('stops although somebody says nothing', async () => {
    const silent = connectPlain(engine.running.port, '127.0.0.1');
    silent.on('error', () => undefined);
    await delay(50);
    const startMs = performance.now();
    await engine.running.stop();
    expect(performance.now() - startMs).toBeLessThan(3000);
    silent.destroy();
  });
});

describe('client certificates', () => {
  it.each([
    { clientAuth: undefined, without: [], stranger: [] },
    { clientAuth: 'request', without: ['http', 'ws', 'grpc'], stranger: [] },
    { clientAuth: 'none', without: ['http', 'ws', 'grpc'], stranger: ['http', 'ws', 'grpc'] },
  ] as const)('with an authority of clients and clientAuth $clientAuth', async ({ clientAuth, without, stranger }) => {
    const files = { certFile: join(pki, 'first.crt'), keyFile: join(pki, 'first.key'), clientCaFile: join(pki, 'ca.crt') };
    const tls = { ...files, ...(clientAuth !== undefined && { clientAuth }) };
    await using engine = await startLocalEngine({ config: { journal: { durability: 'memory' }, tls } });
    const ca = pem('ca.crt');
    expect(await waysIn(engine, { ca, cert: pem('client.crt'), key: pem('client.key') })).toEqual(['http', 'ws', 'grpc']);
    expect(await waysIn(engine, { ca })).toEqual(without);
    expect(await waysIn(engine, { ca, cert: pem('stranger.crt'), key: pem('stranger.key') })).toEqual(stranger);
  });

  it('a certificate that has ended is served at the start, and said to have ended', () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 400 * 24 * 3_600_000 });
    const log = { info: () => undefined, warn: () => undefined };
    const files = { certFile: join(pki, 'first.crt'), keyFile: join(pki, 'first.key') };
    const certificates = new Certificates(files, { dataDirectory: join(pki, 'data'), log });
    expect(certificates.failure).toMatch(/first\.crt: ended on 20\S+: renew it$/);
    expect(certificates.expiresAtMs).toBeLessThan(Date.now());
    certificates.stop();
    vi.useRealTimers();
  });

  it('an engine whose certificate cannot be used refuses to start and says what to do', async () => {
    const tls = { certFile: join(pki, 'first.crt'), keyFile: join(pki, 'second.key') };
    await expect(startLocalEngine({ config: { tls } })).rejects.toThrow(
      /second\.key: is not the key of .*first\.crt: give the two that belong together/,
    );
    await expect(startLocalEngine({ config: { tls: { ...tls, keyFile: join(pki, 'absent') } } })).rejects.toThrow(
      /tls\.keyFile: .*absent cannot be read/,
    );
  });
});
