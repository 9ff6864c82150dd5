/** What every pool of a running engine holds. The seed's pools of orders, events and messages are these: docs/decisions/0010-pools.md. */
import { SLOT_WORDS } from '../core/command.ts';
import type { PoolFigures } from '../core/pool-figures.ts';
import type { SqliteJournal } from '../journal/sqlite-journal.ts';
import { bufferFigures } from '../pools/buffer-pool.ts';
import type { Market } from './market.ts';
import type { ProblemCode } from './problem.ts';

/** Codes of refusals for want of room, by the pool that had none. */
const REFUSALS = new Map<string, ProblemCode>([
  ['orders', 'HFT_BOOK_FULL'],
  ['commands', 'HFT_JOURNAL_BUSY'],
  ['accounts', 'HFT_TOO_MANY_ACCOUNTS'],
]);

export function poolsOf(
  market: Pick<Market, 'core' | 'sequencer' | 'accounts' | 'bySymbol'>,
  { ring, bufferMemory }: Pick<SqliteJournal, 'ring' | 'bufferMemory'>,
  rejectedByCode: ReadonlyMap<string, number>,
): PoolFigures[] {
  const { core, sequencer, accounts, bySymbol } = market;
  const { words } = ring.slots;
  const pools: PoolFigures[] = [
    ...core.pools(),
    { pool: 'commands', used: ring.waiting, capacity: words.length / SLOT_WORDS, bytes: words.byteLength },
    { pool: 'events', used: sequencer.events.count, capacity: sequencer.events.capacity, bytes: sequencer.events.bytes },
    { pool: 'waiters', used: sequencer.waiting, capacity: words.length / SLOT_WORDS },
    accounts.figures(),
    bySymbol.figures('symbols', bySymbol.size),
    ...bufferFigures('buffers', bufferMemory),
  ];
  return pools.map((one) => {
    const code = REFUSALS.get(one.pool);
    return code === undefined ? one : { ...one, refused: rejectedByCode.get(code) ?? 0 };
  });
}
