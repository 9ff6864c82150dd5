import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTick, setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AdminClient } from '../client/admin.ts';
import { EngineError, OrderClient, type NewOrder, type PlacedOrder } from '../client/orders.ts';
import { DEFAULT_CONFIG } from '../config/config.ts';
import { encodeCommand } from '../core/command.ts';
import { BUY, IOC, LIMIT, NEW_ORDER } from '../core/types.ts';
import { SqliteJournal } from '../journal/sqlite-journal.ts';
import { ACCOUNT_NAME } from '../journal/types.ts';
import { proveKill } from '../prove/kill.ts';
import { allPages, spawnEngine, untilReady, type EngineProcess } from '../prove/engine-process.ts';
import { temporaryDirectory } from '../testing/temporary-directory.ts';

let directory: string;
let engines: EngineProcess[];
beforeEach(() => {
  directory = temporaryDirectory();
  engines = [];
});
afterEach(async () => {
  for (const engine of engines) engine.kill('SIGKILL');
  await Promise.all(engines.map(({ ended }) => ended));
  rmSync(directory, { recursive: true, force: true });
});

const terminationLog = (): string => join(directory, 'termination-log');

function configFile(config: object): string {
  const file = join(directory, 'config.json');
  writeFileSync(file, JSON.stringify(config));
  return file;
}

async function spawnListening(args: string[] = []): Promise<EngineProcess> {
  const engine = await spawnEngine({
    dataDirectory: join(directory, 'data'),
    args,
    environment: { HFT_TERMINATION_LOG: terminationLog() },
  });
  engines.push(engine);
  return engine;
}

async function spawnServing(args: string[] = []): Promise<EngineProcess> {
  const engine = await spawnListening(args);
  await untilReady(engine.baseUrl);
  return engine;
}

/** Runs an engine that is to refuse; gives what it left behind. */
async function refusal(args: string[] = []): Promise<{ exit: number | string; logged: unknown; output: string }> {
  const engine = await spawnListening(args).catch((cause: unknown) => cause);
  if (engine instanceof Error)
    return { exit: 'before listening', logged: JSON.parse(readFileSync(terminationLog(), 'utf8')), output: engine.message };
  const [last] = engines.slice(-1);
  return { exit: (await last?.ended) ?? 'none', logged: JSON.parse(readFileSync(terminationLog(), 'utf8')), output: last?.output() ?? '' };
}

const ORDER: NewOrder = { symbol: 'BTC-USD', account: 'alice', side: 'buy', type: 'limit', price: '100', quantity: '1' };

describe('SIGTERM', () => {
  it('answers what it took, refuses the rest, loses nothing and ends with 0', async () => {
    const engine = await spawnServing();
    const client = new OrderClient({ baseUrl: engine.baseUrl, token: engine.token, connections: 16 });
    const taken: PlacedOrder[] = [];
    const refused: EngineError[] = [];
    const senders = Array.from({ length: 16 }, async (_, lane) => {
      for (;;) {
        try {
          taken.push(await client.place({ ...ORDER, side: lane % 2 === 0 ? 'buy' : 'sell' }));
        } catch (cause) {
          if (!(cause instanceof EngineError)) throw cause;
          refused.push(cause);
          return;
        }
      }
    });
    while (taken.length < 200) await delay(5);
    const startMs = performance.now();
    engine.kill('SIGTERM');
    expect(await engine.ended).toBe(0);
    expect(performance.now() - startMs).toBeLessThan(5000);
    await Promise.all(senders);
    await client.close();
    // Either told so, or not reached at all: never a broken answer.
    for (const { code } of refused) expect(['HFT_DRAINING', 'HFT_CLIENT_UNREACHABLE']).toContain(code);

    const again = await spawnServing();
    const reader = new OrderClient(again);
    const orders = await allPages((after) => reader.orders({ limit: 1000, ...(after !== undefined && { after }) }));
    const fills = await allPages((after) => reader.fills({ limit: 1000, ...(after !== undefined && { after }) }));
    await reader.close();
    const ids = new Set(orders.map(({ id }) => id));
    expect(taken.filter(({ order }) => !ids.has(order.id))).toEqual([]);
    const keys = new Set(fills.map(({ sequence, index }) => `${sequence}.${index}`));
    expect(taken.flatMap((placed) => placed.fills).filter(({ sequence, index }) => !keys.has(`${sequence}.${index}`))).toEqual([]);
    // A refused order may not have been recorded: what was unreachable at most.
    expect(orders.length - taken.length).toBeLessThanOrEqual(refused.filter(({ code }) => code === 'HFT_CLIENT_UNREACHABLE').length);
  });

  it('a second time changes nothing: the drain goes on', async () => {
    const engine = await spawnServing();
    engine.kill('SIGTERM');
    await expect.poll(async () => (await fetch(`${engine.opsUrl}/health`)).json(), { interval: 5 }).toMatchObject({ phase: 'draining' });
    engine.kill('SIGTERM');
    engine.kill('SIGINT');
    expect(await engine.ended).toBe(0);
    expect(existsSync(join(directory, 'data', 'journal.db-wal'))).toBe(false);
  });

  it('while the program is still being loaded ends it with 0 before it does anything', () => {
    const preload = `import { registerHooks } from 'node:module';
      registerHooks({ load(url, context, next) {
        if (url.endsWith('/engine/service/engine.ts')) process.kill(process.pid, 'SIGTERM');
        return next(url, context);
      } });`;
    const main = fileURLToPath(new URL('../main.ts', import.meta.url));
    const hook = `data:text/javascript,${encodeURIComponent(preload)}`;
    const arguments_ = [
      '--import',
      hook,
      main,
      '--data',
      join(directory, 'data'),
      '--host',
      '127.0.0.1',
      '--port',
      '0',
      '--ops-port',
      '0',
      '--grpc-port',
      '0',
      '--market-data-port',
      '0',
      '--market-data-grpc-port',
      '0',
    ];
    const { status, signal, stdout, stderr } = spawnSync(process.execPath, arguments_, { encoding: 'utf8', timeout: 30_000 });
    expect({ status, signal, stdout, stderr }).toEqual({ status: 0, signal: null, stdout: '', stderr: '' });
    expect(existsSync(join(directory, 'data'))).toBe(false);
  });

  it('records the state hash, which the next start verifies', async () => {
    const engine = await spawnServing();
    const client = new OrderClient(engine);
    for (let index = 0; index < 5; index += 1) await client.place({ ...ORDER, price: String(100 + index) });
    await client.close();
    const token = readFileSync(join(directory, 'data', 'admin-token'), 'utf8').trim();
    const status = await statusOf(engine, token);
    engine.kill('SIGTERM');
    expect(await engine.ended).toBe(0);
    expect(existsSync(join(directory, 'data', 'journal.db-wal'))).toBe(false);
    const again = await statusOf(await spawnServing(), token);
    expect(again).toMatchObject({
      sequence: 5,
      stateHash: status.stateHash,
      recovery: { sequence: 5, snapshotSequence: 5, commands: 0, stateHash: status.stateHash, warnings: [] },
      openOrders: 5,
      ordersAccepted: 0,
    });
  });

  async function statusOf(engine: EngineProcess, token: string) {
    const admin = new AdminClient({ baseUrl: engine.opsUrl, token });
    const status = await admin.status();
    await admin.close();
    return status;
  }
});

describe('start', () => {
  it('refuses a data directory that another process has', async () => {
    const first = await spawnServing();
    expect(await refusal()).toMatchObject({
      exit: 2,
      logged: { code: 'HFT_JOURNAL_LOCKED', message: expect.stringContaining(`pid ${first.pid}`) },
    });
    expect((await fetch(`${first.baseUrl}/ready`)).status).toBe(200);
  });

  it('refuses a wrong configuration and names the key', async () => {
    const result = await refusal(['--config', configFile({ ...DEFAULT_CONFIG, journal: { durability: 'tape' } })]);
    expect(result).toMatchObject({
      exit: 'before listening',
      logged: { code: 'HFT_CONFIG_INVALID', message: expect.stringContaining('journal.durability') },
    });
    expect(result.output).toContain('journal.durability');
  });

  it('refuses to drop an instrument with open orders or to change its steps; goes on when they are gone', async () => {
    const engine = await spawnServing();
    const client = new OrderClient(engine);
    const { order } = await client.place(ORDER);
    engine.kill('SIGKILL');
    await engine.ended;
    const [btc, eth] = DEFAULT_CONFIG.instruments;
    const without = configFile({ ...DEFAULT_CONFIG, instruments: [eth] });
    expect(await refusal(['--config', without])).toMatchObject({
      exit: 2,
      logged: { code: 'HFT_INSTRUMENT_HAS_OPEN_ORDERS', message: expect.stringContaining('BTC-USD') },
    });
    const changed = configFile({ ...DEFAULT_CONFIG, instruments: [{ ...btc, lotSize: '1' }, eth] });
    expect(await refusal(['--config', changed])).toMatchObject({ exit: 2, logged: { code: 'HFT_INSTRUMENT_STEP_CHANGED' } });
    const back = await spawnServing();
    const cancelling = new OrderClient(back);
    await cancelling.cancel(order.id);
    back.kill('SIGTERM');
    expect(await back.ended).toBe(0);
    const dropped = await spawnServing(['--config', configFile({ ...DEFAULT_CONFIG, instruments: [eth] })]);
    const reader = new OrderClient(dropped);
    await expect(reader.place(ORDER)).rejects.toMatchObject({ code: 'HFT_UNKNOWN_SYMBOL' });
    expect(await reader.get(order.id)).toMatchObject({ symbol: 'BTC-USD', status: 'cancelled' });
    await Promise.all([client.close(), cancelling.close(), reader.close()]);
  });

  it('refuses a damaged journal and a state that does not replay, with the reason', async () => {
    const engine = await spawnServing();
    const client = new OrderClient(engine);
    await client.place(ORDER);
    await client.close();
    engine.kill('SIGTERM');
    await engine.ended;
    const database = new Database(join(directory, 'data', 'journal.db'));
    database.exec("UPDATE stateHashes SET stateHash = '0123456789abcdef'");
    database.close();
    expect(await refusal()).toMatchObject({
      exit: 2,
      logged: { code: 'HFT_JOURNAL_DIVERGED', message: expect.stringContaining('0123456789abcdef') },
    });
    rmSync(join(directory, 'data', 'snapshots'), { recursive: true });
    const damaged = new Database(join(directory, 'data', 'journal.db'));
    damaged.exec('UPDATE batches SET crc32 = crc32 + 1');
    damaged.close();
    expect(await refusal()).toMatchObject({
      exit: 2,
      logged: { code: 'HFT_JOURNAL_CORRUPT', message: expect.stringContaining('batch 1 to 1 does not match its checksum') },
    });
    writeFileSync(join(directory, 'data', 'journal.db'), 'no database '.repeat(1000));
    expect(await refusal()).toMatchObject({ exit: 2, logged: { code: 'HFT_JOURNAL_CORRUPT' } });
  });

  it('says so when a port is taken', async () => {
    const first = await spawnServing();
    const { port } = new URL(first.baseUrl);
    expect(await refusal(['--data', join(directory, 'other'), '--port', port])).toMatchObject({
      logged: { code: 'HFT_PORT_UNAVAILABLE', message: expect.stringMatching(new RegExp(`port ${port} .*--port`)) },
    });
  });

  it('answers probes while it recovers, and orders with 503', async () => {
    const engine = await spawnServing();
    engine.kill('SIGTERM');
    await engine.ended;
    await fillJournal(join(directory, 'data'), 2_000_000);
    const again = await spawnListening();
    const headers = { authorization: `Bearer ${again.token}` };
    const answers = await Promise.all([
      fetch(`${again.baseUrl}/health`),
      fetch(`${again.opsUrl}/health`),
      fetch(`${again.baseUrl}/ready`),
      fetch(`${again.baseUrl}/v1/orders`, { method: 'POST', headers }),
      fetch(`${again.baseUrl}/v1/book/BTC-USD`, { headers }),
      fetch(`${again.baseUrl}/v1/book/BTC-USD`),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 503, 503, 503, 401]);
    expect(await answers[0]?.json()).toEqual({ status: 'ok', phase: 'recovering' });
    expect(await answers[3]?.json()).toMatchObject({ code: 'HFT_RECOVERING' });
    expect(answers[3]?.headers.get('retry-after')).toBe('1');
    again.kill('SIGTERM');
    expect(await again.ended).toBe(0);
  });
});

/** Writes `count` orders that trade with nobody into the journal: valid, and work for a replay. */
async function fillJournal(dataDirectory: string, count: number): Promise<void> {
  const journal = SqliteJournal.open(dataDirectory, 'commit');
  const { ring } = journal;
  const terms = { instrument: 0, account: 0, side: BUY, type: LIMIT, timeInForce: IOC, priceTicks: 1, quantityLots: 1 } as const;
  for (let written = 0; written < count;) {
    const at = ring.at();
    if (at < 0) {
      await nextTick();
      continue;
    }
    written += 1;
    encodeCommand(ring.slots, at, written, { kind: NEW_ORDER, ...terms });
    if (written === 1) ring.text(ACCOUNT_NAME, 'alice');
    ring.push();
    journal.flush();
  }
  journal.close();
}

describe('a fault', () => {
  it('ends the process with 1 and the reason; what was acknowledged is there', async () => {
    const preload = `data:text/javascript,process.on('SIGUSR2', () => { throw new Error('a fault for the test'); })`;
    const engine = await spawnEngine({
      dataDirectory: join(directory, 'data'),
      environment: { HFT_TERMINATION_LOG: terminationLog(), NODE_OPTIONS: `--import "${preload}"` },
    });
    engines.push(engine);
    await untilReady(engine.baseUrl);
    const client = new OrderClient(engine);
    const { order } = await client.place(ORDER);
    engine.kill('SIGUSR2');
    expect(await engine.ended).toBe(1);
    expect(JSON.parse(readFileSync(terminationLog(), 'utf8'))).toEqual({ code: 'HFT_INTERNAL', message: 'a fault for the test' });
    expect(engine.output()).toContain('Error: a fault for the test\n    at ');
    const reader = new OrderClient(await spawnServing());
    expect(await reader.get(order.id)).toEqual(order);
    await Promise.all([client.close(), reader.close()]);
  });
});

describe('a commit whose outcome is not known', () => {
  it('ends the process with 1 and no answer; the next start recovers what is there', async () => {
    // An fsync that fails after SQLite has put the whole transaction into the write-ahead log.
    const preload = `import Database from '${import.meta.resolve('better-sqlite3')}';
      let armed = false;
      process.on('SIGUSR2', () => { armed = true; process.stdout.write('armed'); });
      const { prepare } = Database.prototype;
      Database.prototype.prepare = function (sql) {
        const statement = prepare.call(this, sql);
        if (!sql.startsWith('INSERT INTO batches')) return statement;
        const run = statement.run.bind(statement);
        return Object.defineProperty(statement, 'run', { value: (...values) => {
          run(...values);
          if (armed) throw new Database.SqliteError('disk I/O error', 'SQLITE_IOERR_FSYNC');
        } });
      };`;
    const engine = await spawnEngine({
      dataDirectory: join(directory, 'data'),
      args: ['--config', configFile({ ...DEFAULT_CONFIG, journal: { durability: 'commit' } })],
      environment: {
        HFT_TERMINATION_LOG: terminationLog(),
        NODE_OPTIONS: `--import "data:text/javascript,${encodeURIComponent(preload)}"`,
      },
    });
    engines.push(engine);
    await untilReady(engine.baseUrl);
    const client = new OrderClient(engine);
    await client.place(ORDER);
    engine.kill('SIGUSR2');
    await expect.poll(() => engine.output()).toContain('armed');
    const order = { ...ORDER, clientOrderId: 'unknown' };
    await expect(client.place(order)).rejects.toMatchObject({ code: 'HFT_CLIENT_UNREACHABLE' });
    await client.close();
    expect(await engine.ended).toBe(1);
    expect(JSON.parse(readFileSync(terminationLog(), 'utf8'))).toMatchObject({ code: 'HFT_JOURNAL_FAILED' });
    const again = new OrderClient(await spawnServing());
    expect(await again.place(order)).toMatchObject({ repeated: true, order: { id: '2', status: 'open' } });
    await again.close();
  });
});

describe('kill -9', () => {
  it('loses no acknowledged order, fill or cancel, and repeats none', { timeout: 300_000 }, async () => {
    const proof = await proveKill({ rounds: 20, seed: 20_261_123, maxFlowMs: 200 });
    expect(proof.violations).toEqual([]);
    expect(proof.rounds).toBe(20);
    expect(proof.acknowledged).toBeGreaterThan(100);
    expect(proof.fills).toBeGreaterThan(50);
    expect(proof.cancels).toBeGreaterThan(0);
  });
});
