import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../testing/temporary-directory.ts';
import { JournalReader } from './reader.ts';
import { SqliteJournal } from './sqlite-journal.ts';
import { append, sequences, upTo } from './commands.test-support.ts';

let directory: string;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe('JournalReader', () => {
  it('reads what is committed, while more is, and past a close of the writer', async () => {
    const journal = SqliteJournal.open(directory, 'commit');
    const reader = JournalReader.open(directory);
    expect([reader.lastSequence(), reader.read(1, 10)]).toEqual([0, []]);
    journal.addInstruments([{ id: 0, symbol: 'BTC-USD', tickSize: '0.01', lotSize: '1' }]);
    await append(journal, 1, 5);
    expect(reader.instruments().map(({ symbol }) => symbol)).toEqual(['BTC-USD']);
    await append(journal, 6, 9000);
    expect(sequences(reader.read(1, 100_000))).toEqual(upTo(9000));
    expect([reader.lastSequence(), reader.compactedThrough()]).toEqual([9000, 0]);
    journal.close();
    const again = SqliteJournal.open(directory, 'commit');
    await append(again, 9001, 9002);
    expect(sequences(reader.read(9001, 10))).toEqual([9001, 9002]);
    reader.close();
    again.close();
  });

  it('reads in another thread', async () => {
    const journal = SqliteJournal.open(directory, 'commit');
    const worker = new Worker(
      `const { parentPort, workerData } = require('node:worker_threads');
       import(workerData.module).then(({ JournalReader }) => {
         const reader = JournalReader.open(workerData.directory);
         let next = 1;
         const follow = () => {
           for (const { lastSequence } of reader.read(next, 100)) next = lastSequence + 1;
           if (next <= 20_000) return setImmediate(follow);
           reader.close();
           parentPort.postMessage(next);
         };
         follow();
       });`,
      { eval: true, workerData: { directory, module: new URL('./reader.ts', import.meta.url).href } },
    );
    const read = once(worker, 'message');
    for (let first = 1; first <= 20_000; first += 100) await append(journal, first, first + 99);
    expect(await read).toEqual([20_001]);
    await worker.terminate();
    journal.close();
  });

  it('says where a compacted journal begins', async () => {
    const journal = SqliteJournal.open(directory, 'commit');
    await append(journal, 1, 2);
    await append(journal, 3, 4);
    const database = new Database(join(directory, 'journal.db'));
    database.exec(
      'UPDATE compaction SET throughSequence = 2, chain = (SELECT chain FROM batches WHERE lastSequence = 2); DELETE FROM batches WHERE lastSequence = 2',
    );
    const reader = JournalReader.open(directory);
    expect(reader.compactedThrough()).toBe(2);
    expect(sequences(reader.read(3, 10))).toEqual([3, 4]);
    const compacted = expect.objectContaining({ code: 'HFT_JOURNAL_COMPACTED', message: expect.stringContaining('begins at sequence 3') });
    expect(() => reader.read(2, 10)).toThrow(compacted);
    database.exec('DELETE FROM batches; UPDATE compaction SET throughSequence = 4');
    expect(reader.lastSequence()).toBe(4);
    expect(() => reader.read(4, 10)).toThrow(expect.objectContaining({ code: 'HFT_JOURNAL_COMPACTED' }));
    expect(reader.read(5, 10)).toEqual([]);
    database.close();
    reader.close();
    journal.close();
    const again = SqliteJournal.open(directory, 'commit');
    expect(again.durableSequence).toBe(4);
    again.close();
  });

  it('is refused where there is no journal', () => {
    expect(() => JournalReader.open(directory)).toThrow(expect.objectContaining({ code: 'HFT_JOURNAL_UNUSABLE' }));
  });
});
