import { closeSync, openSync, readdirSync, readlinkSync, readSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { temporaryDirectory } from '../testing/temporary-directory.ts';
import { Maintenance } from './maintenance.ts';
import { JournalReader } from './reader.ts';
import { writeSnapshot } from './snapshot.ts';
import { SqliteJournal } from './sqlite-journal.ts';
import { append, push, sequences } from './commands.test-support.ts';
import { JournalError, type Durability } from './types.ts';

const MIB = 1024 * 1024;
let directory: string;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(directory, { recursive: true, force: true });
});

const sizeOf = (name: string): number => statSync(join(directory, name)).size;

/** How often the log has begun anew: a number in its header. */
function timesBegun(): number {
  const header = Buffer.alloc(16);
  const file = openSync(join(directory, 'journal.db-wal'), 'r');
  readSync(file, header);
  closeSync(file);
  return header.readUInt32BE(12);
}

function snapshot(sequence: number): void {
  writeSnapshot(directory, { sequence, timestampMicros: 1, stateHash: '0'.repeat(16), words: new Float64Array(10), accounts: [] });
}

async function until(done: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + 15_000;
  while (!done()) {
    if (performance.now() > deadlineMs) throw new Error('it did not happen within 15 s');
    await delay(5);
  }
}

/** Pushes batches of `count` from `first` on until `enough`; gives the last sequence. */
async function pushUntil(journal: SqliteJournal, first: number, count: number, enough: () => boolean): Promise<number> {
  let next = first;
  while (!enough()) {
    if (journal.ring.waiting < 30_000) {
      push(journal, next, next + count - 1);
      next += count;
    }
    journal.checkpointIfDue();
    await delay(0);
  }
  await until(() => journal.ring.waiting === 0);
  return next - 1;
}

describe('checkpoints', () => {
  it.each<Durability>(['memory', 'commit', 'disk'])(
    'let the log begin anew while more is written: %s',
    async (durability) => {
      const journal = SqliteJournal.open(directory, durability);
      const reader = JournalReader.open(directory);
      const last = await pushUntil(journal, 1, 4000, () => timesBegun() >= 2);
      expect(reader.lastSequence()).toBe(last);
      let next = 1;
      while (next <= last) next = (reader.read(next, 1)[0]?.lastSequence ?? Infinity) + 1;
      expect(next).toBe(last + 1);
      reader.close();
      journal.close();
    },
    60_000,
  );

  it.runIf(process.platform === 'linux')(
    'leave no file open when the journal is closed',
    async () => {
      const openHere = (): string[] =>
        readdirSync('/proc/self/fd')
          .map((name) => {
            try {
              return readlinkSync(`/proc/self/fd/${name}`);
            } catch {
              return '';
            }
          })
          .filter((path) => path.startsWith(directory));
      const journal = SqliteJournal.open(directory, 'commit');
      await pushUntil(journal, 1, 4000, () => timesBegun() >= 1);
      expect(openHere()).not.toEqual([]);
      journal.close();
      expect(openHere()).toEqual([]);
    },
    60_000,
  );

  it('are asked for when the log has grown a little, and to let it begin anew when it has grown a lot', async () => {
    const journal = SqliteJournal.open(directory, 'memory');
    const checkpoint = vi.spyOn(Maintenance.prototype, 'checkpoint');
    expect(journal.checkpointIfDue()).toBe(false);
    let next = 1;
    for (const [grown, restart] of [
      [6 * MIB, false],
      [12 * MIB, false],
      [60 * MIB, true],
    ] as const) {
      for (; sizeOf('journal.db-wal') < grown; next += 8000) await append(journal, next, next + 7999);
      expect([journal.checkpointIfDue(), journal.checkpointIfDue()]).toEqual([true, false]);
      expect(checkpoint).toHaveBeenLastCalledWith(restart);
      await checkpoint.mock.results.at(-1)?.value;
      await delay(0);
      expect(journal.checkpointIfDue()).toBe(false);
      expect(sizeOf('journal.db')).toBeGreaterThan(grown - MIB);
    }
    await append(journal, next, next + 7999);
    expect(timesBegun()).toBeGreaterThan(0);
    journal.close();
  }, 30_000);

  it('that fail are told with the next call, and tried again', async () => {
    const journal = SqliteJournal.open(directory, 'memory');
    for (let first = 1; sizeOf('journal.db-wal') < 40 * MIB; first += 8000) await append(journal, first, first + 7999);
    const checkpoint = vi.spyOn(Maintenance.prototype, 'checkpoint').mockRejectedValueOnce(new JournalError('HFT_JOURNAL_FULL', 'no room'));
    expect(journal.checkpointIfDue()).toBe(true);
    await delay(0);
    expect(() => journal.checkpointIfDue()).toThrow('no room');
    expect(journal.checkpointIfDue()).toBe(true);
    expect(checkpoint).toHaveBeenCalledTimes(2);
    journal.close();
  }, 30_000);
});

describe('compaction', () => {
  it('drops what the older of two snapshots covers, and no more', async () => {
    const journal = SqliteJournal.open(directory, 'memory');
    for (let first = 1; first <= 991; first += 10) await append(journal, first, first + 9);
    for (const sequence of [300, 500, 505]) journal.recordStateHash(sequence, 'aa', 1);
    // The time of a command is its sequence here.
    expect(await journal.compact(Infinity)).toBe(0);
    snapshot(505);
    expect(await journal.compact(Infinity)).toBe(0);
    snapshot(900);
    expect(await journal.compact(201)).toBe(190);
    expect(await journal.compact(202)).toBe(200);
    expect(await journal.compact(100)).toBe(200);
    expect(await journal.compact(Infinity)).toBe(500);
    expect([...journal.queries.stateHashes().keys()]).toEqual([500, 505]);
    expect(() => journal.read(500, 10)).toThrow(expect.objectContaining({ code: 'HFT_JOURNAL_COMPACTED' }));
    expect(sequences(journal.read(501, 10))).toEqual([501, 502, 503, 504, 505, 506, 507, 508, 509, 510]);
    journal.close();
    const again = SqliteJournal.open(directory, 'memory');
    expect([again.durableSequence, again.queries.compactedThrough()]).toEqual([1000, 500]);
    again.close();
  });

  it.each<Durability>(['commit', 'disk'])(
    'goes on while more is written, and its room is used again: %s',
    async (durability) => {
      const journal = SqliteJournal.open(directory, durability);
      let last = await pushUntil(journal, 1, 1000, () => journal.durableSequence >= 30_000);
      let size = 0;
      for (let round = 0; round < 6; round += 1) {
        const before = last;
        snapshot(before - 1);
        snapshot(before);
        const compacted = journal.compact(Infinity);
        last = await pushUntil(journal, before + 1, 1000, () => journal.durableSequence >= before + 30_000);
        // The batch of the older snapshot's sequence stays.
        expect(await compacted).toBeGreaterThan(before - 20_000);
        if (round === 2) size = sizeOf('journal.db') + sizeOf('journal.db-wal');
      }
      expect(sizeOf('journal.db') + sizeOf('journal.db-wal')).toBeLessThan(size * 2);
      const from = journal.queries.compactedThrough() + 1;
      expect(sequences(journal.read(from, 1_000_000))).toEqual(Array.from({ length: last - from + 1 }, (_, index) => from + index));
      journal.close();
    },
    60_000,
  );

  it('that is under way is given up at the close', async () => {
    const journal = SqliteJournal.open(directory, 'memory');
    for (let first = 1; first <= 40_000; first += 2000) await append(journal, first, first + 1999);
    snapshot(39_999);
    snapshot(40_000);
    const compacted = journal.compact(Infinity);
    journal.close();
    await expect(compacted).rejects.toMatchObject({ code: 'HFT_JOURNAL_FAILED' });
    const again = SqliteJournal.open(directory, 'memory');
    expect(again.durableSequence).toBe(40_000);
    again.close();
  });
});
