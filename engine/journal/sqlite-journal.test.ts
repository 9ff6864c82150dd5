import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { BUY, CANCEL_ORDER, GTC, LIMIT, NEW_ORDER, OPEN } from '../core/types.ts';
import { temporaryDirectory } from '../testing/temporary-directory.ts';
import { decodeEntries, encodeEntries } from './records.ts';
import { SqliteJournal } from './sqlite-journal.ts';
import type { JournalBatch, JournalEntry, OrderRecord } from './types.ts';

let directory: string;
let open: SqliteJournal[];
beforeEach(() => {
  directory = temporaryDirectory();
  open = [];
});
afterEach(() => {
  for (const journal of open) journal.close();
  rmSync(directory, { recursive: true, force: true });
});

function openJournal(): SqliteJournal {
  const journal = SqliteJournal.open(directory, 'commit');
  open.push(journal);
  return journal;
}

function closeJournal(journal: SqliteJournal): void {
  open = open.filter((other) => other !== journal);
  journal.close();
}

function entry(sequence: number): JournalEntry {
  return {
    sequence,
    timestampMicros: 1_700_000_000_000_000 + sequence,
    command: { kind: NEW_ORDER, instrument: 0, account: 0, side: BUY, type: LIMIT, timeInForce: GTC, priceTicks: 100, quantityLots: 5 },
  };
}

function order(id: number, clientOrderId: string | null = null): OrderRecord {
  return {
    id,
    instrument: 0,
    account: 0,
    side: BUY,
    type: LIMIT,
    timeInForce: GTC,
    priceTicks: 100,
    quantityLots: 5,
    remainingLots: 5,
    status: OPEN,
    clientOrderId,
    createdAtMicros: 1,
  };
}

function batch(first: number, count: number, more: Partial<JournalBatch> = {}): JournalBatch {
  const sequences = Array.from({ length: count }, (_, index) => first + index);
  return { entries: sequences.map(entry), orders: sequences.map((id) => order(id)), changes: new Map(), fills: [], accounts: [], ...more };
}

/** Changes the database behind the journal's back. */
function tamper(sql: string): void {
  const database = new Database(join(directory, 'journal.db'));
  database.exec(sql);
  database.close();
}

describe('records', () => {
  it('hold every field of every command, up to the largest safe integer', () => {
    const big = Number.MAX_SAFE_INTEGER;
    const entries: JournalEntry[] = [
      {
        sequence: 1,
        timestampMicros: big,
        command: {
          kind: NEW_ORDER,
          instrument: 4_294_967_295,
          account: 4_294_967_295,
          side: 1,
          type: 1,
          timeInForce: 1,
          priceTicks: big,
          quantityLots: big - 1,
        },
      },
      { sequence: big, timestampMicros: 0, command: { kind: CANCEL_ORDER, instrument: 3, orderId: big } },
    ];
    expect(decodeEntries(encodeEntries(entries))).toEqual(entries);
  });

  it('that are none are refused', () => {
    expect(() => decodeEntries(Buffer.alloc(47))).toThrow('no whole number of records');
    expect(() => decodeEntries(Buffer.alloc(48))).toThrow('kind 0');
  });
});

describe('SqliteJournal', () => {
  it('gives back what was appended, across batches and restarts', async () => {
    let journal = openJournal();
    await journal.append(1, batch(1, 3));
    await journal.append(4, batch(4, 200));
    closeJournal(journal);
    journal = openJournal();
    expect(journal.lastSequence).toBe(203);
    expect(journal.read(1, 10_000)).toEqual(Array.from({ length: 203 }, (_, index) => entry(index + 1)));
    expect(journal.read(3, 1).map(({ sequence }) => sequence)).toEqual([3]);
    expect(journal.read(203, 10).map(({ sequence }) => sequence)).toEqual([203]);
    expect(journal.read(204, 10)).toEqual([]);
  });

  it('takes a batch only at the sequence that follows', async () => {
    const journal = openJournal();
    await journal.append(1, batch(1, 2));
    for (const wrong of [1, 2, 4])
      await expect(journal.append(wrong, batch(wrong, 1))).rejects.toMatchObject({ code: 'HFT_JOURNAL_FENCED' });
    await expect(journal.append(3, batch(4, 1))).rejects.toMatchObject({ code: 'HFT_JOURNAL_FENCED' });
    await journal.append(3, batch(3, 1));
    expect(journal.lastSequence).toBe(3);
  });

  it('leaves nothing of a batch that fails', async () => {
    const journal = openJournal();
    await journal.append(1, batch(1, 1, { orders: [order(1, 'same')] }));
    await expect(journal.append(2, batch(2, 2, { orders: [order(2), order(3, 'same')] }))).rejects.toMatchObject({
      code: 'HFT_JOURNAL_FAILED',
    });
    await expect(journal.append(2, batch(2, 1, { changes: new Map([[77, { remainingLots: 0, status: 1 }]]) }))).rejects.toMatchObject({
      code: 'HFT_JOURNAL_DIVERGED',
    });
    expect(journal.lastSequence).toBe(1);
    expect(journal.queries.orders(undefined, 0, 10)).toHaveLength(1);
    expect(journal.read(1, 10)).toHaveLength(1);
  });

  it('refuses a second holder of the directory by name, and frees it on close', () => {
    const journal = openJournal();
    expect(() => SqliteJournal.open(directory, 'disk')).toThrow(
      expect.objectContaining({ code: 'HFT_JOURNAL_LOCKED', message: expect.stringContaining(`pid ${process.pid}`) }),
    );
    closeJournal(journal);
    expect(openJournal().lastSequence).toBe(0);
  });

  it.each([
    [
      'a flipped bit in a batch',
      "UPDATE batches SET records = CAST(substr(records, 1, 40) || x'ff' || substr(records, 42) AS BLOB) WHERE lastSequence = 2",
      'does not match its checksum',
    ],
    ['a missing batch', 'DELETE FROM batches WHERE lastSequence = 2', 'sequence 1 is missing'],
  ])('tells %s', async (_name, sql, message) => {
    const journal = openJournal();
    await journal.append(1, batch(1, 2));
    await journal.append(3, batch(3, 1));
    closeJournal(journal);
    tamper(sql);
    const damaged = openJournal();
    expect(() => damaged.read(1, 100)).toThrow(
      expect.objectContaining({ code: 'HFT_JOURNAL_CORRUPT', message: expect.stringContaining(message) }),
    );
  });

  it('refuses a file that is no database, and one of a newer engine, without touching them', () => {
    closeJournal(openJournal());
    tamper('PRAGMA user_version = 99');
    expect(() => openJournal()).toThrow(
      expect.objectContaining({ code: 'HFT_JOURNAL_TOO_NEW', message: expect.stringContaining('schema version 99') }),
    );
    writeFileSync(join(directory, 'journal.db'), 'this is no database, this is no database, this is no database'.repeat(200));
    expect(() => openJournal()).toThrow(expect.objectContaining({ code: 'HFT_JOURNAL_CORRUPT' }));
  });

  it('tries a checkpoint that failed again', async () => {
    const journal = openJournal();
    for (let sequence = 1; sequence <= 850; sequence += 1) await journal.append(sequence, batch(sequence, 1));
    const pragma = vi.spyOn(Database.prototype, 'pragma').mockImplementationOnce(() => {
      throw new Error('no room to copy back');
    });
    try {
      expect(() => journal.checkpointIfDue()).toThrow('no room to copy back');
      expect(journal.checkpointIfDue()).toBe(true);
      expect(journal.checkpointIfDue()).toBe(false);
    } finally {
      pragma.mockRestore();
    }
  });

  it('does not begin anew where there was a journal', () => {
    closeJournal(openJournal());
    rmSync(join(directory, 'journal.db'));
    const lost = expect.objectContaining({
      code: 'HFT_JOURNAL_CORRUPT',
      message: expect.stringContaining('lock.db shows that it was there'),
    });
    expect(() => openJournal()).toThrow(lost);
    expect(() => openJournal()).toThrow(lost);
    rmSync(join(directory, 'lock.db'));
    writeFileSync(join(directory, 'journal.db-wal'), 'orders');
    expect(() => openJournal()).toThrow(expect.objectContaining({ message: expect.stringContaining('journal.db-wal shows') }));
    writeFileSync(join(directory, 'journal.db'), '');
    expect(() => openJournal()).toThrow(expect.objectContaining({ message: expect.stringContaining('journal.db is empty but') }));
    rmSync(join(directory, 'journal.db-wal'));
    expect(openJournal().lastSequence).toBe(0);
  });
});
