/** Who did what, over every way in: recorded with the command, exported, and verified, while the engine runs and after. */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { OrderAnswer } from '../client/grpc-contract.ts';
import { GrpcOrderClient } from '../client/grpc.ts';
import { OrderClient } from '../client/orders.ts';
import { WebSocketOrders } from '../client/websocket.ts';
import { startLocalEngine, type LocalEngine } from '../testing/local-engine.ts';
import { temporaryDirectory } from '../testing/temporary-directory.ts';
import { localToken } from './local-token.ts';

type Line = Record<string, unknown>;

let dataDirectory: string;
let engine: LocalEngine;
beforeAll(async () => {
  dataDirectory = temporaryDirectory();
  engine = await startLocalEngine({ dataDirectory });
});
afterAll(async () => {
  await engine[Symbol.asyncDispose]();
  rmSync(dataDirectory, { recursive: true, force: true });
});

function audit(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const file = fileURLToPath(new URL('./audit-main.ts', import.meta.url));
  return spawnSync(process.execPath, [file, ...args, '--data', dataDirectory], { encoding: 'utf8', timeout: 30_000 });
}

function exported(...args: string[]): Line[] {
  const { status, stdout, stderr } = audit('export', ...args);
  expect([status, stderr]).toEqual([0, '']);
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
}

const tokenOf = async (subject: string): Promise<string> =>
  await localToken(dataDirectory, engine.running.engine.config.engine, { subject });

async function overHttp(): Promise<void> {
  const client = new OrderClient({ baseUrl: engine.baseUrl, token: await tokenOf('web-user') });
  const common = { symbol: 'BTC-USD', account: 'alice', type: 'limit' } as const;
  const { order } = await client.place({ ...common, side: 'sell', price: '100.01', quantity: '5', clientOrderId: 'first' });
  await client.replace(order.id, { price: '100.02' });
  await client.place({ ...common, account: 'bob', side: 'buy', price: '100.02', quantity: '2' });
  await client.cancel(order.id);
  await expect(client.cancel(order.id)).rejects.toMatchObject({ code: 'HFT_ORDER_NOT_OPEN' });
  await client.massCancel({ account: 'alice' });
  await client.close();
}

async function overWebSocket(): Promise<void> {
  const client = await WebSocketOrders.connect({ url: engine.baseUrl.replace('http', 'ws') + '/v1/ws', token: await tokenOf('ws-user') });
  const { orderId } = await client.place({
    account: 'alice',
    symbol: 'BTC-USD',
    side: 'buy',
    priceTicks: 9000,
    quantityLots: 3,
    clientOrderId: 'ab',
  });
  await client.replace('alice', orderId, { quantityLots: 2 });
  await client.cancel('alice', orderId);
  await client.place({ account: 'alice', symbol: 'BTC-USD', side: 'buy', priceTicks: 9000, quantityLots: 1, cancelOnDisconnect: true });
  await client.massCancel('bob');
  await client.close();
}

async function overGrpc(): Promise<void> {
  const client = new GrpcOrderClient({ address: `127.0.0.1:${engine.running.grpcPort}`, token: await tokenOf('grpc-user') });
  const order = { symbol: 'BTC-USD', account: 'carol', side: 1, type: 1, priceTicks: 8000, quantityLots: 4 };
  const { order: placed } = await client.place(order);
  await client.replace({ orderId: placed.id, priceTicks: 8001 });
  await client.cancel(placed.id);
  await client.massCancel({ account: 'carol' });
  const answers = await new Promise<readonly OrderAnswer[]>((resolve, reject) => {
    void client
      .orderEntry({ answers: resolve, ended: (error) => reject(error ?? new Error('ended')) })
      .then((stream) => stream.send([{ request: 1, massCancel: { account: 'carol', symbol: '' } }]));
  });
  expect(answers).toHaveLength(1);
  client.close();
}

it('every action has its principal, its terms, its result and its commit, admin actions between them', async () => {
  await overHttp();
  await overWebSocket();
  await overGrpc();
  await engine.admin.killSwitch({ account: 'dave', on: true });
  await expect.poll(() => exported().filter(({ action }) => action === 'session-end').length).toBe(1);
  const lines = exported();
  const of = (who: string): Line[] => lines.filter((line) => line['kind'] === 'order' && line['who'] === who);
  expect(of('web-user')).toMatchObject([
    {
      action: 'place',
      account: 'alice',
      side: 'sell',
      price: '100.01',
      quantity: '5',
      clientOrderId: 'first',
      result: 'open',
      remaining: '5',
    },
    { action: 'replace', account: 'alice', symbol: 'BTC-USD', price: '100.02', result: 'open' },
    { action: 'place', account: 'bob', side: 'buy', type: 'limit', timeInForce: 'GTC', result: 'filled', filled: '2', fills: 1 },
    { action: 'cancel', account: 'alice', symbol: 'BTC-USD', result: 'accepted', cancelled: 1 },
    { action: 'mass-cancel', account: 'alice', cancelled: 0 },
  ]);
  expect(of('ws-user')).toMatchObject([
    { action: 'place', account: 'alice', quantity: '0.0003', clientOrderId: '00000000000000ab', result: 'open' },
    { action: 'replace', account: 'alice', quantity: '0.0002', remaining: '0.0002' },
    { action: 'cancel', account: 'alice', cancelled: 1 },
    { action: 'place', account: 'alice', quantity: '0.0001' },
    { action: 'mass-cancel', account: 'bob' },
  ]);
  expect(of('grpc-user')).toMatchObject([
    { action: 'place', account: 'carol', side: 'buy', quantity: '0.0004' },
    { action: 'replace', account: 'carol' },
    { action: 'cancel', account: 'carol' },
    { action: 'mass-cancel', account: 'carol' },
    { action: 'mass-cancel', account: 'carol' },
  ]);
  expect(of('operator')).toMatchObject([{ action: 'kill-switch', account: 'dave', on: true }]);
  // The engine itself has no name: "engine" may be the subject of a token.
  expect(lines.filter(({ action }) => action === 'session-end')).toMatchObject([{ who: null }]);
  expect(lines.filter(({ kind }) => kind === 'admin')).toMatchObject([{ who: 'operator', what: 'POST /admin/kill-switch', status: 200 }]);
  const orders = lines.filter(({ kind }) => kind === 'order');
  expect(orders.map(({ sequence }) => sequence)).toEqual(Array.from({ length: orders.length }, (_, index) => index + 1));
  for (const { commitHash } of orders) expect(commitHash).toMatch(/^[0-9a-f]{64}$/);
  expect(exported('--from', '3', '--to', '5').map(({ sequence }) => sequence)).toEqual([3, 4, 5]);
});

it('the journal is verified while an engine runs, after it has started again, and an edit or a cut end is found', async () => {
  const running = audit('verify');
  expect([running.status, running.stdout]).toEqual([
    0,
    expect.stringMatching(/^journal: whole, sequences 1 to \d+, head \d+:[0-9a-f]{64}$/m),
  ]);
  const [head = ''] = /\d+:[0-9a-f]{64}/.exec(running.stdout) ?? [];
  await engine[Symbol.asyncDispose]();
  engine = await startLocalEngine({ dataDirectory });
  const client = new OrderClient({ baseUrl: engine.baseUrl, token: await tokenOf('web-user') });
  await client.place({ symbol: 'BTC-USD', account: 'alice', type: 'limit', side: 'sell', price: '200', quantity: '1' });
  await client.close();
  expect(audit('verify', '--head', head)).toMatchObject({ status: 0, stderr: '' });
  expect(exported().at(-1)).toMatchObject({ who: 'web-user', action: 'place', result: 'open' });
  await engine[Symbol.asyncDispose]();
  const { status, stdout } = audit('verify');
  expect(status).toBe(0);
  const [last = ''] = /\d+:[0-9a-f]{64}/.exec(stdout) ?? [];
  const database = new Database(join(dataDirectory, 'journal.db'));
  const row = database.prepare<[], Line>('SELECT * FROM batches ORDER BY lastSequence DESC LIMIT 1').get() ?? {};
  database.exec('DELETE FROM batches WHERE lastSequence = (SELECT max(lastSequence) FROM batches)');
  expect(audit('verify', '--head', last)).toMatchObject({ status: 1, stderr: expect.stringContaining('what followed was cut off') });
  const columns = Object.keys(row);
  database.prepare(`INSERT INTO batches (${columns.join(', ')}) VALUES (${columns.map((name) => `@${name}`).join(', ')})`).run(row);
  expect(audit('verify', '--head', last).status).toBe(0);
  database.exec('UPDATE batches SET chain = zeroblob(32) WHERE lastSequence = 3');
  expect(audit('verify')).toMatchObject({ status: 1, stderr: expect.stringContaining('batch 3 to 3 has another hash') });
  database.close();
  engine = await startLocalEngine();
});
