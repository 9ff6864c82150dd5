/**
 * Going on with a damaged journal: what comes before the damage is written into a new file, which then takes the place of the old one. The damaged
 * files are kept in a directory beside it. Whatever this is interrupted by, no start takes half of it for a journal.
 */
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { readAnchor, writeAnchor } from './anchor.ts';
import { BatchReader } from './batch-reader.ts';
import { CUT_FILE, JOURNAL_FILE } from './open-database.ts';
import { JournalQueries } from './queries.ts';
import { isChained, migrate } from './schema.ts';
import { corrupt } from './sqlite-errors.ts';
import { JournalError } from './types.ts';
import { examineWal } from './wal-check.ts';

/**
 * Gives up every command after `keep`, which must be the last one before the damage: another one would give up more, or is meant for damage of another
 * day. Gives what was done, for people; changes nothing when nothing is damaged. Throws JournalError.
 */
export function acceptLoss(directory: string, keep: number): string[] {
  const path = join(directory, JOURNAL_FILE);
  if (statSync(path).size === 0) return [];
  const damaged = new Database(path, { readonly: true });
  try {
    const { last, damage } = examine(damaged, path);
    if (damage === undefined)
      return [`nothing of the journal is damaged: --accept-loss-after ${keep} was not needed, and nothing was given up`];
    if (keep !== last) throw corrupt(path, damage, last);
    copyUpTo(damaged, join(directory, CUT_FILE), keep);
  } finally {
    damaged.close();
  }
  return [`the journal was cut after sequence ${keep}; what was damaged is in ${String(finishCut(directory))}`];
}

/** Puts a journal that has been cut in its place, if there is one; gives the directory of the damaged files. Under the lock of the directory. */
export function finishCut(directory: string): string | undefined {
  const cut = join(directory, CUT_FILE);
  if (!existsSync(cut)) return undefined;
  const aside = join(directory, `damaged-${new Date().toISOString().replaceAll(':', '')}`);
  mkdirSync(aside);
  // The log last: without the database, it shows that there has been one.
  for (const name of [JOURNAL_FILE, `${JOURNAL_FILE}-wal`])
    if (existsSync(join(directory, name))) renameSync(join(directory, name), join(aside, name));
  rmSync(join(directory, `${JOURNAL_FILE}-shm`), { force: true });
  renameSync(cut, join(directory, JOURNAL_FILE));
  const handle = openSync(directory, 'r');
  fsyncSync(handle);
  closeSync(handle);
  return aside;
}

/** Reads all of a journal. `last` is the last sequence before the damage. */
export function examine(database: Database.Database, path: string): { last: number; damage: string | undefined } {
  let last = new JournalQueries(database).compactedThrough();
  try {
    for (const batch of new BatchReader(database, path).batches(last + 1)) last = batch.lastSequence;
  } catch (cause) {
    if (!(cause instanceof JournalError)) throw cause;
    return { last, damage: cause.message };
  }
  const verdict = String(database.pragma('quick_check(1)', { simple: true }));
  return { last, damage: examineWal(`${path}-wal`).damage ?? (verdict === 'ok' ? undefined : verdict) };
}

/** Writes a journal of what `from` holds up to the end of batch `keep` to `path`, whole or not at all. */
function copyUpTo(from: Database.Database, path: string, keep: number): void {
  const temporary = `${path}.tmp`;
  const remove = (): void => ['', '-journal'].forEach((suffix) => rmSync(`${temporary}${suffix}`, { force: true }));
  remove();
  const to = new Database(temporary);
  try {
    migrate(to);
    to.transaction(() => {
      const chained = isChained(from);
      for (const [table, columns, where] of [
        ['instruments', ['id', 'symbol', 'tickSize', 'lotSize'], 'id >= 0'],
        [
          'batches',
          ['lastSequence', 'firstSequence', 'crc32', ...(chained ? ['chain', 'instruments'] : []), 'records'],
          `lastSequence <= ${keep}`,
        ],
        ['stateHashes', ['sequence', 'stateHash', 'recordedAtMs', ...(chained ? ['seal'] : [])], `sequence <= ${keep}`],
        ...(chained ? ([['principals', ['number', 'name', 'sequence'], 'number > 0']] as const) : []),
      ] as const) {
        const insert = to.prepare(`INSERT INTO ${table} (${columns.join(', ')}) VALUES (${columns.map((name) => `@${name}`).join(', ')})`);
        for (const row of from.prepare<[], object>(`SELECT ${columns.join(', ')} FROM ${table} WHERE ${where}`).iterate()) insert.run(row);
      }
      if (chained) {
        const anchor = readAnchor(from);
        // Behind the cut the chain goes on, or begins.
        writeAnchor(to, { ...anchor, unchainedThrough: Math.min(anchor.unchainedThrough, keep) });
      } else writeAnchor(to, { throughSequence: new JournalQueries(from).compactedThrough(), chain: null, unchainedThrough: keep });
    })();
    to.close();
  } catch (cause) {
    to.close();
    // It may have been the last room.
    remove();
    throw cause;
  }
  renameSync(temporary, path);
}
