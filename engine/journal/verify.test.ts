import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { encodeCommand } from '../core/command.ts';
import { CANCEL_ORDER } from '../core/types.ts';
import { BufferPool } from '../pools/buffer-pool.ts';
import { temporaryDirectory } from '../testing/temporary-directory.ts';
import { BatchReader } from './batch-reader.ts';
import { BatchWriter } from './batch-writer.ts';
import { append } from './commands.test-support.ts';
import { ringMemory, SharedCommandRing } from './command-ring.ts';
import { compactionStep } from './compaction.ts';
import { writeSnapshot } from './snapshot.ts';
import { SqliteJournal } from './sqlite-journal.ts';
import { verifyJournal } from './verify.ts';

let directory: string;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(directory, { recursive: true, force: true });
});

async function write(last: number): Promise<Database.Database> {
  const journal = SqliteJournal.open(directory, 'memory');
  for (let first = 1; first <= last; first += 1000) await append(journal, first, Math.min(last, first + 999));
  journal.close();
  return new Database(join(directory, 'journal.db'), { timeout: 0 });
}

it('holds no checkpoint up, and goes on behind what is compacted meanwhile', async () => {
  const engine = await write(40_000);
  const busy: unknown[] = [];
  const original = Reflect.get(BatchReader.prototype, 'batches') as (this: BatchReader, from: number) => ReturnType<BatchReader['batches']>;
  // Whenever a piece begins, an engine writes, drops what is old, and copies its whole log back.
  vi.spyOn(BatchReader.prototype, 'batches').mockImplementation(function (this: BatchReader, from: number) {
    engine.exec('INSERT INTO probe (filler) VALUES (zeroblob(10))');
    if (busy.length === 2) while (!compactionStep(engine, 30_000).done);
    busy.push((engine.pragma('wal_checkpoint(TRUNCATE)') as [{ busy: number }])[0].busy);
    return original.call(this, from);
  });
  const whole = verifyJournal(directory);
  expect(busy.length).toBeGreaterThan(3);
  expect(busy.every((one) => one === 0)).toBe(true);
  expect(whole.head.sequence).toBe(40_000);
  expect(whole.firstSequence).toBe(30_001);
  engine.close();
});

it('finds an edit of what a start listed after its committer had looked for work', async () => {
  const database = await write(0);
  const ring = new SharedCommandRing(ringMemory());
  const writer = new BatchWriter(database, ring, 0, new BufferPool());
  expect(writer.commit()).toBe(false);
  database.exec(`INSERT INTO instruments VALUES (0, 'BTC-USD', '0.01', '1')`);
  encodeCommand(ring.slots, ring.at(), 1, { kind: CANCEL_ORDER, account: 0, orderId: 1 });
  ring.push();
  expect(writer.commit()).toBe(true);
  expect(verifyJournal(directory).head.sequence).toBe(1);
  database.exec(`UPDATE instruments SET tickSize = '0.1'`);
  expect(() => verifyJournal(directory)).toThrow('batch 1 to 1 has another hash');
  database.close();
});

it('says that there is no journal, of a reader who does not want to write', () => {
  expect(() => verifyJournal(directory)).toThrow(/journal\.db cannot be opened: .*Check that it is there/);
});

it('believes no head of a damaged snapshot', async () => {
  (await write(10)).close();
  writeSnapshot(directory, {
    sequence: 10,
    timestampMicros: 1,
    stateHash: '0'.repeat(16),
    words: new Float64Array(1),
    accounts: [],
    chain: verifyJournal(directory).head.hash,
  });
  const [name = ''] = readdirSync(join(directory, 'snapshots'));
  const path = join(directory, 'snapshots', name);
  const bytes = readFileSync(path);
  bytes[bytes.length - 10] = (bytes[bytes.length - 10] ?? 0) ^ 1;
  writeFileSync(path, bytes);
  expect(verifyJournal(directory).head.sequence).toBe(10);
});
