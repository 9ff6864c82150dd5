/** What stands for the part of a journal that is no longer there: where its chain of hashes goes on, and the names that it had introduced. One sealed row. */
import { hash } from 'node:crypto';
import type { Database } from 'better-sqlite3';
import type { PrincipalName } from './principals.ts';

interface ChainAnchor {
  /** Batches up to here have been dropped. */
  readonly throughSequence: number;
  /** Hash of the last one that was. */
  readonly chain: Buffer | null;
  /** Batches up to here were written before there was a chain. */
  readonly unchainedThrough: number;
}

/** Names of principals that dropped batches had introduced, by number. */
export function anchoredNames(database: Database): PrincipalName[] {
  return database.prepare<[], [number, string, number]>('SELECT number, name, sequence FROM principals ORDER BY number').raw().all();
}

/** Records the anchor, with the names that are there. */
export function writeAnchor(database: Database, anchor: ChainAnchor): void {
  database
    .prepare('UPDATE compaction SET throughSequence = ?, chain = ?, unchainedThrough = ?, seal = ?')
    .run(anchor.throughSequence, anchor.chain, anchor.unchainedThrough, sealOf(database, anchor));
}

export function readAnchor(database: Database): ChainAnchor & { readonly seal: string | null } {
  const row = database
    .prepare<[], ChainAnchor & { seal: string | null }>('SELECT throughSequence, chain, unchainedThrough, seal FROM compaction')
    .get();
  return row ?? { throughSequence: 0, chain: null, unchainedThrough: 0, seal: null };
}

/** What is wrong with the anchor; undefined when it is what was recorded. */
export function anchorFault(database: Database): string | undefined {
  const anchor = readAnchor(database);
  return anchor.seal === sealOf(database, anchor)
    ? undefined
    : 'what is kept of the compacted part (tables compaction and principals) was changed';
}

/** null as long as nothing is kept, so that a new journal and one of before the chain begin alike. */
function sealOf(database: Database, { throughSequence, chain, unchainedThrough }: ChainAnchor): string | null {
  const names = anchoredNames(database);
  if (chain === null && names.length === 0) return null;
  return hash('sha256', JSON.stringify([throughSequence, chain?.toString('hex') ?? null, unchainedThrough, names]), 'hex');
}
