import { rmSync } from 'node:fs';
import { setImmediate as nextTick } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { JournalReader } from '../journal/reader.ts';
import { SqliteJournal } from '../journal/sqlite-journal.ts';
import { temporaryDirectory } from '../testing/temporary-directory.ts';
import { RandomMarket } from './naive-views.ts';
import { Replica } from './replica.ts';

const INSTRUMENTS = 3;
const MOST = Number.MAX_SAFE_INTEGER;

let directory: string;
let cleanUps: (() => void)[];
beforeEach(() => {
  directory = temporaryDirectory();
  cleanUps = [() => rmSync(directory, { recursive: true, force: true })];
});
afterEach(() => {
  for (const cleanUp of cleanUps.toReversed()) cleanUp();
});

function openJournal(): SqliteJournal {
  const journal = SqliteJournal.open(directory, 'commit');
  cleanUps.push(() => journal.close());
  return journal;
}

const warn = vi.fn<(details: object, message: string) => void>();

function openReplica(mostGathered?: number): { replica: Replica; close: () => void } {
  const journal = JournalReader.open(directory);
  const replica = Replica.open({
    dataDirectory: directory,
    journal,
    instruments: INSTRUMENTS,
    warn,
    ...(mostGathered !== undefined && { mostGathered }),
  });
  const close = (): void => {
    replica.close();
    journal.close();
  };
  return { replica, close };
}

async function grow(market: RandomMarket, journal: SqliteJournal, commands: number): Promise<void> {
  for (let left = commands; left > 0; left -= 100) {
    market.run(journal, Math.min(left, 100));
    await nextTick();
  }
}

/** Everything that queries show is what the naive read models show. */
function compare(market: RandomMarket, { queries }: Replica): void {
  const orders = [...market.views.orders.values()];
  expect(queries.orders({}, 0, MOST)).toEqual(orders);
  expect(queries.fills({ sequence: 0, index: -1 }, MOST)).toEqual(market.views.fills);
  expect(queries.positions(undefined)).toEqual(market.positions());
  for (const [id, answer] of market.firstAnswers) expect(queries.firstAnswer(id, MOST)).toEqual(answer);
}

describe('the rows of a replica', () => {
  it.each([1, 2, 3, 4, 5, 6])('are those of the naive read models, however the journal is cut into chunks (%i)', async (seed) => {
    const market = new RandomMarket(seed, INSTRUMENTS);
    const journal = openJournal();
    market.begin(journal);
    const { replica, close } = openReplica(seed % 2 === 0 ? 5 : undefined);
    for (const commands of [1, 10, 100, 700, 2000]) {
      await grow(market, journal, commands);
      while (replica.advance(1 + (seed % 3) * 150) > 0);
      expect(replica.sequence).toBe(market.core.sequence);
      expect(replica.state().stateHash).toBe(market.core.stateHash());
    }
    compare(market, replica);
    close();
  });
});
