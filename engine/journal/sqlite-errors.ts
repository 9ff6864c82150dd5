/** What SQLite and the file system say, as JournalError: a stable code and what to do. */
import Database from 'better-sqlite3';
import { JournalError } from './types.ts';

export function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

/** What is damaged, and how to go on: `keep` is the last sequence before the damage, undefined when nothing can be read. */
export function corrupt(place: string, found: string, keep?: number): JournalError {
  const giveUp =
    keep === undefined
      ? ''
      : `, or start once with --accept-loss-after ${keep} to give up every command after that sequence; the damaged files are kept`;
  return new JournalError(
    'HFT_JOURNAL_CORRUPT',
    `the journal ${place} is damaged: ${found}. Restore the directory from a backup${giveUp}. Nothing has been changed`,
  );
}

/** The failure of a call that concerned `place`; a JournalError comes back as it is. */
export function asJournalError(cause: unknown, place: string): JournalError {
  if (cause instanceof JournalError) return cause;
  const code = cause instanceof Database.SqliteError ? cause.code : '';
  const message = messageOf(cause);
  if (code === 'SQLITE_FULL')
    return new JournalError('HFT_JOURNAL_FULL', `no room is left for the journal ${place}: make room or enlarge the volume`, cause);
  if (/^SQLITE_(CORRUPT|NOTADB)/.test(code)) return corrupt(place, message);
  if (/^SQLITE_(CANTOPEN|READONLY|PERM)/.test(code)) {
    return new JournalError(
      'HFT_JOURNAL_UNUSABLE',
      `the journal ${place} cannot be opened: ${message}. Check that it is there, and the owner and mode of the directory`,
      cause,
    );
  }
  return new JournalError('HFT_JOURNAL_FAILED', `the journal ${place} cannot be written: ${message}`, cause);
}
