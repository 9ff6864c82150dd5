import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../testing/temporary-directory.ts';
import { readSnapshot, setSnapshotAside, snapshotSequences, writeSnapshot, type Snapshot } from './snapshot.ts';

let directory: string;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const fileOf = (sequence: number): string => join(directory, 'snapshots', `${String(sequence).padStart(16, '0')}.snapshot`);
const files = (): string[] => readdirSync(join(directory, 'snapshots')).toSorted();

function snapshot(sequence: number): Snapshot {
  const words = Float64Array.from({ length: 1000 + sequence }, (_, index) => index * 1.5 - sequence);
  return { sequence, timestampMicros: 1_700_000_000_000_001, stateHash: '0123456789abcdef', words, accounts: ['alice', 'zoë', ''] };
}

function flip(file: string, offset: number): void {
  const bytes = readFileSync(file);
  bytes[offset] = (bytes[offset] ?? 0) ^ 16;
  writeFileSync(file, bytes);
}

describe('snapshots', () => {
  it('come back as they were written', () => {
    expect(snapshotSequences(directory)).toEqual([]);
    writeSnapshot(directory, snapshot(7));
    expect(files()).toEqual(['0000000000000007.snapshot']);
    expect(readSnapshot(directory, 7)).toEqual(snapshot(7));
    const empty = { ...snapshot(8), words: new Float64Array(), accounts: [] };
    writeSnapshot(directory, empty);
    expect(readSnapshot(directory, 8)).toEqual(empty);
  });

  it('are kept until there are two newer ones, and what a crash has left goes', () => {
    mkdirSync(join(directory, 'snapshots'));
    writeFileSync(join(directory, 'snapshots', '0000000000000005.snapshot.tmp'), 'half');
    for (const sequence of [10, 9, 200, 3000]) writeSnapshot(directory, snapshot(sequence));
    expect(snapshotSequences(directory)).toEqual([3000, 200]);
    expect(files()).toHaveLength(2);
  });

  it('that are damaged do not count as kept', () => {
    for (const sequence of [10, 20]) writeSnapshot(directory, snapshot(sequence));
    flip(fileOf(20), 500);
    writeSnapshot(directory, snapshot(30));
    expect(snapshotSequences(directory)).toEqual([30, 20, 10]);
    writeSnapshot(directory, snapshot(40));
    expect(snapshotSequences(directory)).toEqual([40, 30]);
  });

  it('of which any byte is wrong are refused', () => {
    writeSnapshot(directory, snapshot(1));
    const { length } = readFileSync(fileOf(1));
    for (let offset = 0; offset < length; offset += offset < 64 || offset > length - 32 ? 1 : 97) {
      flip(fileOf(1), offset);
      expect(() => readSnapshot(directory, 1)).toThrow(expect.objectContaining({ code: 'HFT_SNAPSHOT_DAMAGED' }));
      flip(fileOf(1), offset);
    }
    expect(readSnapshot(directory, 1)).toEqual(snapshot(1));
  });

  it.each([0, 20, 56, 4000])('that end after %d bytes are refused', (length) => {
    writeSnapshot(directory, snapshot(1));
    writeFileSync(fileOf(1), readFileSync(fileOf(1)).subarray(0, length));
    expect(() => readSnapshot(directory, 1)).toThrow(expect.objectContaining({ code: 'HFT_SNAPSHOT_DAMAGED' }));
  });

  it('that are another or not there are refused by name', () => {
    writeSnapshot(directory, snapshot(1));
    writeFileSync(fileOf(2), readFileSync(fileOf(1)));
    expect(() => readSnapshot(directory, 2)).toThrow('0000000000000002.snapshot holds sequence 1');
    expect(() => readSnapshot(directory, 3)).toThrow('0000000000000003.snapshot cannot be opened');
  });

  it('can be set aside', () => {
    writeSnapshot(directory, snapshot(1));
    expect(readFileSync(setSnapshotAside(directory, 1)).length).toBeGreaterThan(8000);
    expect(snapshotSequences(directory)).toEqual([]);
  });
});
