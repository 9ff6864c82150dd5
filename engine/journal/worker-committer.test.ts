import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setImmediate as nextTick, setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeCommand } from '../core/command.ts';
import { CANCEL_ORDER } from '../core/types.ts';
import { bufferPoolMemory } from '../pools/buffer-pool.ts';
import { temporaryDirectory } from '../testing/temporary-directory.ts';
import { ringMemory, SharedCommandRing } from './command-ring.ts';
import { SqliteJournal } from './sqlite-journal.ts';
import { push, sequences, upTo } from './commands.test-support.ts';
import type { Durability, JournalError } from './types.ts';
import { WorkerCommitter } from './worker-committer.ts';

let directory: string;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** A journal, and what it tells. */
function open(durability: Durability = 'disk'): {
  journal: SqliteJournal;
  heard: { sequence: number; commands: number; nanos: number }[];
  failures: string[];
} {
  const journal = SqliteJournal.open(directory, durability);
  const heard: { sequence: number; commands: number; nanos: number }[] = [];
  const failures: string[] = [];
  journal.listen({
    durable: (sequence, commands, nanos) => heard.push({ sequence, commands, nanos }),
    failed: ({ code, message }) => failures.push(`${code} ${message}`),
  });
  return { journal, heard, failures };
}

async function until(done: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + 10_000;
  while (!done()) {
    if (performance.now() > deadlineMs) throw new Error('it did not happen within 10 s');
    await delay(1);
  }
}

describe('a journal that waits for the disk', () => {
  it('tells each command once, in order, while more are pushed', async () => {
    const { journal, heard, failures } = open();
    let pushed = 0;
    while (pushed < 100_000) {
      const count = Math.min(1 + ((pushed * 7) % 1000), 100_000 - pushed);
      if (journal.ring.waiting < 20_000) {
        push(journal, pushed + 1, pushed + count);
        pushed += count;
        expect(journal.durableSequence).toBeLessThan(pushed);
      }
      await delay(pushed % 3 === 0 ? 1 : 0);
    }
    await until(() => journal.durableSequence === pushed);
    let last = 0;
    for (const { sequence, commands, nanos } of heard) {
      expect([sequence, nanos > 0]).toEqual([last + commands, true]);
      last = sequence;
    }
    expect([last, failures]).toEqual([pushed, []]);
    expect(sequences(journal.read(1, pushed))).toEqual(upTo(pushed));
    journal.close();
  }, 30_000);

  it('tells what is committed while it tells of what was before', async () => {
    const journal = SqliteJournal.open(directory, 'disk');
    const failures: JournalError[] = [];
    journal.listen({
      // Nobody pushes anything more: what the worker finishes in here must be told without it.
      durable: () => {
        const deadlineMs = performance.now() + 5000;
        while (journal.ring.waiting > 0 && performance.now() < deadlineMs);
      },
      failed: (cause) => failures.push(cause),
    });
    for (let pushed = 2; pushed <= 100; pushed += 2) {
      push(journal, pushed - 1, pushed - 1);
      await nextTick();
      push(journal, pushed, pushed);
      await until(() => journal.durableSequence === pushed);
    }
    expect(failures).toEqual([]);
    journal.close();
  }, 30_000);

  it('makes a tick one commit, and sleeps and wakes', async () => {
    const { journal, heard } = open();
    for (let round = 1; round <= 5; round += 1) {
      push(journal, round * 10 - 9, round * 10);
      await until(() => journal.durableSequence === round * 10);
      await delay(20);
    }
    expect(heard.map(({ commands }) => commands)).toEqual([10, 10, 10, 10, 10]);
    journal.close();
  });

  it('has everything when it is closed at once, and goes on where it was', async () => {
    for (const last of [50, 20_000, 20_001]) {
      const { journal, heard } = open();
      const first = journal.durableSequence + 1;
      push(journal, first, last);
      journal.close();
      expect(heard).toEqual([]);
    }
    const { journal } = open();
    expect(journal.durableSequence).toBe(20_001);
    expect(sequences(journal.read(1, 100_000))).toEqual(upTo(20_001));
    push(journal, 20_002, 20_003);
    await until(() => journal.durableSequence === 20_003);
    journal.close();
  });

  it('takes instruments and hashes meanwhile', async () => {
    const { journal } = open();
    const instrument = { id: 0, symbol: 'BTC-USD', tickSize: '0.01', lotSize: '0.1' };
    push(journal, 1, 5000);
    journal.addInstruments([instrument]);
    push(journal, 5001, 9000);
    journal.recordStateHash(7, 'aa', 1);
    expect([journal.probe(), journal.queries.instruments(), [...journal.queries.stateHashes()]]).toEqual([true, [instrument], [[7, 'aa']]]);
    await until(() => journal.durableSequence === 9000);
    journal.close();
  });

  it.each<Durability>(['commit', 'disk'])('writes at the close what others kept it from writing: %s', async (durability) => {
    const { journal, heard } = open(durability);
    push(journal, 1, 3);
    await until(() => journal.durableSequence === 3);
    const other = new Worker(
      `const { workerData, parentPort } = require('node:worker_threads');
       const database = new (require(workerData.driver))(workerData.path);
       database.exec('BEGIN IMMEDIATE');
       parentPort.postMessage('writing');
       Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
       database.exec('COMMIT');
       database.close();`,
      { eval: true, workerData: { path: join(directory, 'journal.db'), driver: createRequire(import.meta.url).resolve('better-sqlite3') } },
    );
    await once(other, 'message');
    push(journal, 4, 6);
    journal.close();
    expect(heard).toHaveLength(1);
    const again = open();
    expect(again.journal.durableSequence).toBe(6);
    again.journal.close();
  });

  it('tells a failure once, with all that was committed before it, and writes nothing after', async () => {
    const { journal, heard, failures } = open();
    push(journal, 1, 5);
    await until(() => journal.durableSequence === 5);
    const other = new Database(join(directory, 'journal.db'));
    other.exec('ALTER TABLE batches RENAME TO moved');
    push(journal, 6, 8);
    await until(() => failures.length > 0);
    push(journal, 9, 9);
    await delay(20);
    expect(failures).toEqual([expect.stringContaining('HFT_JOURNAL_FAILED')]);
    expect(heard.map(({ sequence }) => sequence)).toEqual([5]);
    expect([journal.durableSequence, journal.ring.waiting]).toEqual([5, 4]);
    other.exec('ALTER TABLE moved RENAME TO batches');
    other.close();
    journal.close();
    const again = open();
    expect(again.journal.durableSequence).toBe(5);
    again.journal.close();
  });

  it('throws at the close what could not be written then', () => {
    const { journal, failures } = open();
    const other = new Database(join(directory, 'journal.db'));
    other.exec('ALTER TABLE batches RENAME TO moved');
    other.close();
    push(journal, 1, 3);
    expect(() => journal.close()).toThrow(expect.objectContaining({ code: 'HFT_JOURNAL_FAILED' }));
    expect(failures).toEqual([]);
  });

  it('tells that it could not even open the database', async () => {
    const memory = ringMemory();
    const ring = new SharedCommandRing(memory);
    const told: string[] = [];
    const events = { committed: () => told.push('committed'), failed: ({ code }: JournalError) => told.push(code) };
    const committer = new WorkerCommitter(join(directory, 'none', 'journal.db'), memory, ring, 0, bufferPoolMemory(), events);
    encodeCommand(ring.slots, ring.at(), 1, { kind: CANCEL_ORDER, account: 0, orderId: 1 });
    ring.push();
    committer.flush();
    await until(() => told.length > 0);
    expect(committer.close()).toBeUndefined();
    expect(told).toEqual(['HFT_JOURNAL_FAILED']);
  });
});
