import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTick } from 'node:timers/promises';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeCommand } from '../core/command.ts';
import { CANCEL_ORDER } from '../core/types.ts';
import { temporaryDirectory } from '../testing/temporary-directory.ts';
import { SqliteJournal } from './sqlite-journal.ts';
import { examineWal } from './wal-check.ts';

const FRAME = 24 + 4096;
const BATCHES = 12;
let directory: string;
let wal: Buffer;
/** Length of the log after each batch; the first is that of the batch before any. */
const lengths: number[] = [];

/** One command a batch; each third has two hundred, so that transactions differ in length. */
async function append(journal: SqliteJournal, count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    encodeCommand(journal.ring.slots, journal.ring.at(), index, { kind: CANCEL_ORDER, account: 0, orderId: index });
    journal.ring.push();
  }
  journal.flush();
  while (journal.ring.waiting > 0) await nextTick();
}
const countOf = (index: number): number => (index % 3 === 2 ? 200 : 1);
const sequenceAfter = (batches: number): number => Array.from({ length: batches }, (_, index) => countOf(index)).reduce((a, b) => a + b, 0);

beforeAll(async () => {
  directory = temporaryDirectory();
  const source = join(directory, 'source');
  // Commits on this thread: another may take some of what is just being pushed, and make two transactions of it.
  const journal = SqliteJournal.open(source, 'commit');
  const log = join(source, 'journal.db-wal');
  lengths.push(readFileSync(log).length);
  for (let index = 0; index < BATCHES; index += 1) {
    await append(journal, countOf(index));
    lengths.push(readFileSync(log).length);
  }
  copyFileSync(join(source, 'journal.db'), join(directory, 'journal.db'));
  wal = readFileSync(log);
  journal.close();
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

let cases = 0;
/** Opens a journal whose log is `bytes`: its last sequence, or the code with which it is refused. */
function outcome(bytes: Buffer): number | string {
  const place = join(directory, String((cases += 1)));
  mkdirSync(place);
  copyFileSync(join(directory, 'journal.db'), join(place, 'journal.db'));
  writeFileSync(join(place, 'journal.db-wal'), bytes);
  try {
    const journal = SqliteJournal.open(place, 'memory');
    const { durableSequence } = journal;
    journal.close();
    return durableSequence;
  } catch (cause) {
    return cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
  } finally {
    rmSync(place, { recursive: true });
  }
}

function flipped(offset: number, bit: number): Buffer {
  const bytes = Buffer.from(wal);
  bytes[offset] = (bytes[offset] ?? 0) ^ (1 << bit);
  return bytes;
}

const lastStart = (): number => lengths[BATCHES - 1] ?? 0;

describe('a write-ahead log', () => {
  it('that is whole is taken whole', () => {
    expect(new Set(lengths.slice(1).map((length, index) => length - (lengths[index] ?? 0))).size).toBeGreaterThan(1);
    expect(outcome(wal)).toBe(sequenceAfter(BATCHES));
  });

  it('never loses more than its last transaction to a flipped bit without being refused', () => {
    const offsets = fc.oneof(
      fc.nat(wal.length - 1),
      // Headers are one byte in 170: half of the trials go there.
      fc.tuple(fc.nat(Math.floor(wal.length / FRAME) - 1), fc.nat(23)).map(([frame, offset]) => 32 + frame * FRAME + offset),
      fc.nat(31),
    );
    const seen = { refused: 0, taken: 0 };
    fc.assert(
      fc.property(offsets, fc.nat(7), (offset, bit) => {
        const result = outcome(flipped(offset, bit));
        seen[typeof result === 'string' ? 'refused' : 'taken'] += 1;
        if (offset < lastStart()) expect(result).toBe('HFT_JOURNAL_CORRUPT');
        else expect(result).toSatisfy((value: unknown) => value === 'HFT_JOURNAL_CORRUPT' || value === sequenceAfter(BATCHES - 1));
      }),
      { numRuns: 300 },
    );
    expect(seen.refused).toBeGreaterThan(0);
    expect(seen.taken).toBeGreaterThan(0);
  });

  it('that ends anywhere is taken up to its last whole transaction', () => {
    fc.assert(
      fc.property(fc.integer({ min: lengths[0] ?? 0, max: wal.length }), (length) => {
        const whole = lengths.findLastIndex((end) => end <= length);
        expect(outcome(wal.subarray(0, length))).toBe(sequenceAfter(whole));
      }),
      { numRuns: 100 },
    );
  });

  it('of whose last transaction the power has kept only some frames is taken without it', () => {
    const last = (wal.length - lastStart()) / FRAME;
    expect(last).toBeGreaterThan(2);
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(last - 1), { minLength: 1 }), fc.constantFrom(0, FRAME / 2), (lost, kept) => {
        const bytes = Buffer.from(wal);
        for (const frame of lost) bytes.fill(0, lastStart() + frame * FRAME + kept, lastStart() + (frame + 1) * FRAME);
        // A frame whose second half was zeros anyway has lost nothing.
        const expected = bytes.equals(wal) ? sequenceAfter(BATCHES) : sequenceAfter(BATCHES - 1);
        expect(outcome(bytes)).toBe(expected);
      }),
      { numRuns: 100 },
    );
  });

  it('over an older, longer one ends where that goes on', () => {
    // As after a restart of the log in place: the frames behind have other salts.
    const bytes = Buffer.from(wal);
    for (let offset = lengths[3] ?? 0; offset < bytes.length; offset += FRAME) bytes.writeUInt32BE(77, offset + 8);
    expect(outcome(bytes)).toBe(sequenceAfter(3));
  });

  it('that is damaged names what can be kept, and goes on from there', () => {
    const place = join(directory, 'damaged');
    mkdirSync(place);
    copyFileSync(join(directory, 'journal.db'), join(place, 'journal.db'));
    const log = join(place, 'journal.db-wal');
    const damaged = flipped((lengths[5] ?? 0) + 1000, 3);
    writeFileSync(log, damaged);
    expect(examineWal(log)).toEqual({
      damage: expect.stringContaining(`frame ${((lengths[5] ?? 0) - 32) / FRAME + 1} is damaged`),
      torn: true,
    });
    const kept = sequenceAfter(5);
    const open = (acceptLossAfter?: number): SqliteJournal => SqliteJournal.open(place, 'memory', { acceptLossAfter });
    expect(() => open()).toThrow(`start once with --accept-loss-after ${kept} to give up`);
    expect(() => open(kept - 1)).toThrow(`--accept-loss-after ${kept} to give up`);
    expect(readFileSync(log).equals(damaged)).toBe(true);
    const journal = open(kept);
    expect(journal.durableSequence).toBe(kept);
    const aside = /what was damaged is in (.*)$/.exec(journal.warnings[0] ?? '')?.[1] ?? '';
    expect(readFileSync(join(aside, 'journal.db-wal')).equals(damaged)).toBe(true);
    expect(readFileSync(join(aside, 'journal.db')).equals(readFileSync(join(directory, 'journal.db')))).toBe(true);
    journal.close();
  });

  it('that is torn is reported', () => {
    const place = join(directory, 'torn');
    mkdirSync(place);
    copyFileSync(join(directory, 'journal.db'), join(place, 'journal.db'));
    writeFileSync(join(place, 'journal.db-wal'), wal.subarray(0, wal.length - 100));
    let journal = SqliteJournal.open(place, 'memory');
    expect(journal.warnings).toEqual([
      `the write-ahead log ended within a commit, which was cut: the journal ends at sequence ${sequenceAfter(BATCHES - 1)}`,
    ]);
    journal.close();
    journal = SqliteJournal.open(place, 'memory');
    expect(journal.warnings).toEqual([]);
    journal.close();
  });

  it('that is not there has nothing wrong with it', () => {
    expect(examineWal(join(directory, 'none'))).toEqual({ damage: undefined, torn: false });
  });
});
