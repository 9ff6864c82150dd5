import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTick } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeCommand } from '../core/command.ts';
import { MatchingCore } from '../core/core.ts';
import { buy, cancel, FREE } from '../core/scenario.ts';
import { NO_EVENTS } from '../core/types.ts';
import { temporaryDirectory } from '../testing/temporary-directory.ts';
import { recover, type Recovery } from './recovery.ts';
import { writeSnapshot } from './snapshot.ts';
import { SqliteJournal } from './sqlite-journal.ts';

let directory: string;
/** Of the written history, at each sequence. */
let hashes: string[];

function newCore(): MatchingCore {
  const core = new MatchingCore();
  core.setInstrument(0, FREE);
  return core;
}

function snapshot(core: MatchingCore, changes: { sequence?: number; stateHash?: string } = {}): void {
  const words: number[] = [];
  core.eachStateWord((word) => words.push(word));
  const { sequence, timestampMicros } = core;
  writeSnapshot(directory, {
    sequence,
    timestampMicros,
    stateHash: core.stateHash(),
    words: Float64Array.from(words),
    accounts: [],
    ...changes,
  });
}

/** Ten orders, one a batch, with snapshots of 4 and 8. */
beforeEach(async () => {
  directory = temporaryDirectory();
  hashes = [''];
  const core = newCore();
  const journal = SqliteJournal.open(directory, 'memory');
  const { ring } = journal;
  for (let sequence = 1; sequence <= 10; sequence += 1) {
    encodeCommand(ring.slots, ring.at(), sequence, buy(sequence, 100 - sequence));
    core.submit(ring.slots, ring.at(), NO_EVENTS);
    ring.push();
    journal.flush();
    await nextTick();
    hashes.push(core.stateHash());
    if (sequence === 4 || sequence === 8) snapshot(core);
  }
  journal.recordStateHash(4, hashes[4] ?? '', 0);
  journal.close();
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const fileOf = (sequence: number): string => join(directory, 'snapshots', `${String(sequence).padStart(16, '0')}.snapshot`);

function tamper(sql: string): void {
  const database = new Database(join(directory, 'journal.db'));
  database.exec(sql);
  database.close();
}

async function start(signal = new AbortController().signal): Promise<Recovery> {
  const journal = SqliteJournal.open(directory, 'memory');
  try {
    return await recover(newCore(), journal, { dataDirectory: directory, signal });
  } finally {
    journal.close();
  }
}

describe('recovery', () => {
  it('takes the newest snapshot and the commands after it', async () => {
    const { durationMs, ...rest } = await start();
    expect(durationMs).toBeGreaterThan(0);
    expect(rest).toEqual({ sequence: 10, stateHash: hashes[10], commands: 2, snapshotSequence: 8, accounts: [], warnings: [] });
  });

  it('needs no commands after a snapshot', async () => {
    tamper('DELETE FROM batches WHERE lastSequence > 8');
    expect(await start()).toMatchObject({ sequence: 8, stateHash: hashes[8], commands: 0, snapshotSequence: 8 });
  });

  it('passes over a damaged snapshot, then over all, and says so', async () => {
    const bytes = readFileSync(fileOf(8));
    bytes[100] = (bytes[100] ?? 0) ^ 1;
    writeFileSync(fileOf(8), bytes);
    expect(await start()).toMatchObject({
      stateHash: hashes[10],
      snapshotSequence: 4,
      warnings: [expect.stringMatching(/8\.snapshot does not match its checksum: it was not used/)],
    });
    writeFileSync(fileOf(4), '');
    expect(await start()).toMatchObject({ stateHash: hashes[10], snapshotSequence: 0, commands: 10, warnings: { length: 2 } });
  });

  it('passes over a snapshot whose words do not have its hash', async () => {
    snapshot(newCore(), { sequence: 9, stateHash: '0123456789abcdef' });
    expect(await start()).toMatchObject({
      stateHash: hashes[10],
      snapshotSequence: 8,
      warnings: [expect.stringMatching(/sequence 9 has state hash [0-9a-f]{16} and says 0123456789abcdef: it was not used/)],
    });
  });

  it('refuses when the state is not the one that was recorded', async () => {
    tamper("INSERT INTO stateHashes (sequence, stateHash, recordedAtMs) VALUES (9, 'aaaaaaaaaaaaaaaa', 0)");
    await expect(start()).rejects.toMatchObject({
      code: 'HFT_JOURNAL_DIVERGED',
      message: expect.stringMatching(
        `at sequence 9 the journal gives state hash ${hashes[9]}, and aaaaaaaaaaaaaaaa was recorded: run the version`,
      ),
    });
  });

  it('finds the fault in the journal when a snapshot is not what it recorded', async () => {
    tamper("UPDATE stateHashes SET sequence = 8, stateHash = 'aaaaaaaaaaaaaaaa'");
    await expect(start()).rejects.toMatchObject({ code: 'HFT_JOURNAL_DIVERGED', message: expect.stringContaining(hashes[8] ?? '') });
    tamper('DELETE FROM stateHashes');
    expect(await start()).toMatchObject({ snapshotSequence: 8 });
  });

  it('moves a snapshot that is newer than the journal away', async () => {
    tamper('DELETE FROM batches WHERE lastSequence > 6');
    expect(await start()).toMatchObject({
      sequence: 6,
      stateHash: hashes[6],
      snapshotSequence: 4,
      warnings: [expect.stringContaining('a snapshot of sequence 8 is newer than the journal, which ends at 6')],
    });
    expect(readdirSync(join(directory, 'snapshots'))).toContain('0000000000000008.snapshot.aside');
    expect((await start()).warnings).toEqual([]);
  });

  it('starts from a snapshot alone when the journal was compacted through it', async () => {
    tamper('UPDATE compaction SET throughSequence = 8, chain = (SELECT chain FROM batches WHERE lastSequence = 8); DELETE FROM batches');
    expect(await start()).toMatchObject({ sequence: 8, stateHash: hashes[8], commands: 0, snapshotSequence: 8, warnings: [] });
  });

  it('refuses when no good snapshot reaches what was compacted', async () => {
    tamper(
      'UPDATE compaction SET throughSequence = 6, chain = (SELECT chain FROM batches WHERE lastSequence = 6); DELETE FROM batches WHERE lastSequence <= 6',
    );
    expect(await start()).toMatchObject({ stateHash: hashes[10], snapshotSequence: 8 });
    writeFileSync(fileOf(8), 'damaged');
    await expect(start()).rejects.toMatchObject({
      code: 'HFT_JOURNAL_CORRUPT',
      message: expect.stringMatching(
        /begins at sequence 7, and no good snapshot .* has what came before.*8\.snapshot.*Restore the directory/,
      ),
    });
  });

  it('refuses a command that cannot be applied', async () => {
    const journal = SqliteJournal.open(directory, 'memory');
    encodeCommand(journal.ring.slots, journal.ring.at(), 11, cancel(77));
    journal.ring.push();
    journal.close();
    await expect(start()).rejects.toMatchObject({
      code: 'HFT_JOURNAL_DIVERGED',
      message: expect.stringContaining('the command at sequence 11 cannot be applied'),
    });
  });

  it('refuses a snapshot that the core cannot take', async () => {
    const journal = SqliteJournal.open(directory, 'memory');
    const core = new MatchingCore();
    await expect(recover(core, journal, { dataDirectory: directory, signal: new AbortController().signal })).rejects.toMatchObject({
      code: 'HFT_JOURNAL_DIVERGED',
      message: expect.stringContaining('the snapshot of sequence 8 cannot be restored'),
    });
    journal.close();
  });

  it('stops when it is told to', async () => {
    const controller = new AbortController();
    controller.abort(new Error('drained'));
    await expect(start(controller.signal)).rejects.toThrow('drained');
  });
});
