import { rmSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../testing/temporary-directory.ts';
import { append } from './commands.test-support.ts';
import { compactionStep } from './compaction.ts';
import { writeSnapshot } from './snapshot.ts';
import { SqliteJournal } from './sqlite-journal.ts';
import { JournalError, PRINCIPAL_NAME } from './types.ts';
import { verifyJournal, type JournalHead } from './verify.ts';

/** What is recorded, and no more: `probe` is what is written to see whether there is room. */
const TABLES = ['batches', 'instruments', 'stateHashes', 'compaction', 'principals'] as const;
type Row = Record<string, number | string | Buffer | null>;

let directory: string;
let database: Database.Database;
let head: JournalHead;

/** Sequences 1 to 40 in commits of 1 to 5 commands, of which 6 are compacted; names of principals before and after. */
beforeAll(async () => {
  directory = temporaryDirectory();
  const journal = SqliteJournal.open(directory, 'commit');
  journal.addInstruments([
    { id: 0, symbol: 'BTC-USD', tickSize: '0.01', lotSize: '1' },
    { id: 1, symbol: 'ETH-USD', tickSize: '0.01', lotSize: '1' },
  ]);
  for (let first = 1, size = 1; first <= 40; first += size, size = (size % 5) + 1) {
    journal.ring.text(PRINCIPAL_NAME, `user-${first}`);
    await append(journal, first, Math.min(40, first + size - 1));
  }
  journal.recordStateHash(40, '0123456789abcdef', 1_700_000_000_000);
  journal.close();
  database = new Database(join(directory, 'journal.db'));
  database.pragma('synchronous = OFF');
  expect(compactionStep(database, 6)).toEqual({ done: false, compactedThrough: 6 });
  ({ head } = verifyJournal(directory));
});
afterAll(() => {
  database.close();
  rmSync(directory, { recursive: true, force: true });
});

/** Whether what `change` does to the journal is found; it is undone afterwards. */
function finds(change: () => void, heads: readonly JournalHead[] = []): boolean {
  const rows = TABLES.map((table) => [table, database.prepare<[], Row>(`SELECT * FROM ${table}`).all()] as const);
  try {
    database.transaction(change)();
    verifyJournal(directory, heads);
    return false;
  } catch (cause) {
    if (cause instanceof JournalError) return true;
    throw cause;
  } finally {
    database.transaction(() => {
      for (const [table, before] of rows) {
        database.exec(`DELETE FROM ${table}`);
        for (const row of before) insert(table, row);
      }
    })();
  }
}

function insert(table: string, row: Row): void {
  const columns = Object.keys(row);
  database.prepare(`INSERT INTO ${table} (${columns.join(', ')}) VALUES (${columns.map((name) => `@${name}`).join(', ')})`).run(row);
}

const batches = (): Row[] => database.prepare<[], Row>('SELECT * FROM batches ORDER BY lastSequence').all();

describe('verify', () => {
  it('gives the head of a journal that is as it was written', () => {
    expect(head.sequence).toBe(40);
    expect(head.hash).toMatch(/^[0-9a-f]{64}$/);
    expect(verifyJournal(directory, [head])).toEqual({ head, firstSequence: 7, unchainedThrough: 0 });
  });

  it('finds any bit of any value that is flipped, in each value one at least', () => {
    const values = TABLES.flatMap((table) =>
      database
        .prepare<[], Row & { rowid: number }>(`SELECT rowid AS rowid, * FROM ${table}`)
        .all()
        .flatMap((row) =>
          Object.entries(row).flatMap(([column, value]) =>
            column === 'rowid' || value === null || (table === 'compaction' && column === 'id')
              ? []
              : [{ table, column, value, rowid: row.rowid }],
          ),
        ),
    );
    const isFound = ({ table, column, value, rowid }: (typeof values)[number], place: number): boolean =>
      finds(() => void database.prepare(`UPDATE OR REPLACE ${table} SET ${column} = ? WHERE rowid = ?`).run(flipped(value, place), rowid));
    expect(values.length).toBeGreaterThan(50);
    for (const [index, value] of values.entries()) expect([value, isFound(value, index * 7919)]).toEqual([value, true]);
    fc.assert(
      fc.property(fc.nat({ max: values.length - 1 }), fc.nat(), (index, place) => {
        const value = values[index];
        expect(value !== undefined && isFound(value, place)).toBe(true);
      }),
      { numRuns: 3000 },
    );
  });

  it('finds rows that are taken out, swapped, or of another place', () => {
    const count = batches().length;
    const place = fc.nat({ max: count - 1 });
    fc.assert(
      fc.property(place, place, fc.constantFrom('drop', 'swap', 'copy'), (one, other, kind) => {
        const all = batches();
        const first = all[one];
        const second = all[other];
        if (first === undefined || second === undefined || (kind !== 'drop' && one === other)) return;
        // The last may be cut off: that is found by a head.
        const heads = kind === 'drop' && one === count - 1 ? [head] : [];
        const found = finds(() => {
          const remove = database.prepare<[unknown]>('DELETE FROM batches WHERE lastSequence = ?');
          remove.run(first['lastSequence']);
          if (kind === 'drop') return;
          remove.run(second['lastSequence']);
          const { lastSequence, firstSequence } = first;
          const places = { lastSequence: second['lastSequence'] ?? 0, firstSequence: second['firstSequence'] ?? 0 };
          insert('batches', { ...second, lastSequence: lastSequence ?? 0, firstSequence: firstSequence ?? 0 });
          insert('batches', kind === 'swap' ? { ...first, ...places } : second);
        }, heads);
        expect(found).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  it('finds an end that was cut off, or written anew, by a head that was told or that a snapshot holds', async () => {
    const cut = (): void => void database.exec('DELETE FROM batches WHERE lastSequence > 30; DELETE FROM stateHashes');
    expect(finds(cut)).toBe(false);
    expect(finds(cut, [head])).toBe(true);
    writeSnapshot(directory, {
      sequence: 40,
      timestampMicros: 1,
      stateHash: '0'.repeat(16),
      words: new Float64Array(1),
      accounts: [],
      chain: head.hash,
    });
    expect(finds(() => undefined)).toBe(false);
    expect(finds(cut)).toBe(true);
    rmSync(join(directory, 'snapshots'), { recursive: true });
    // With all hashes made anew from there on, as whoever owns the disk can.
    const other = temporaryDirectory();
    const journal = SqliteJournal.open(other, 'commit');
    journal.addInstruments([{ id: 0, symbol: 'BTC-USD', tickSize: '0.01', lotSize: '1' }]);
    await append(journal, 1, 40);
    journal.close();
    expect(() => verifyJournal(other)).not.toThrow();
    expect(() => verifyJournal(other, [head])).toThrow('it was written anew');
    rmSync(other, { recursive: true });
  });
});

/** A value with one of its bits flipped. */
function flipped(value: number | string | Buffer, place: number): number | string | Buffer {
  if (typeof value === 'number') return value ^ (1 << (place % 31));
  const bytes = Buffer.from(value);
  const at = (place >> 3) % bytes.length;
  // Of text the lower seven, so that it stays one.
  bytes[at] = (bytes[at] ?? 0) ^ (1 << (place % (typeof value === 'string' ? 7 : 8)));
  return typeof value === 'string' ? bytes.toString('latin1') : bytes;
}
