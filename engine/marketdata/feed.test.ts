import { rmSync } from 'node:fs';
import { setImmediate as nextTick } from 'node:timers/promises';
import { afterEach, expect, it, vi } from 'vitest';
import { MatchingCore } from '../core/core.ts';
import { BUY, SELL } from '../core/types.ts';
import { JournalReader } from '../journal/reader.ts';
import { writeSnapshot } from '../journal/snapshot.ts';
import { SqliteJournal } from '../journal/sqlite-journal.ts';
import { temporaryDirectory } from '../testing/temporary-directory.ts';
import { RandomMarket } from '../views/naive-views.ts';
import { wordsOf } from '../views/state-rows.ts';
import { Feed } from './feed.ts';

const INSTRUMENTS = 3;

afterEach(() => vi.restoreAllMocks());

it('reads the state of many orders outside of the heap', () => {
  const directory = temporaryDirectory();
  SqliteJournal.open(directory, 'commit').close();
  const feed = new Feed({
    dataDirectory: directory,
    journal: JournalReader.open(directory),
    instruments: INSTRUMENTS,
    warn: () => undefined,
  });
  // Behind the words of the core: nobody reads them.
  const more = 4_000_000;
  let heapBytes = 0;
  const words = wordsOf(new MatchingCore());
  vi.spyOn(MatchingCore.prototype, 'eachStateWord').mockImplementation((visit) => {
    for (const word of words) visit(word);
    const before = process.memoryUsage().heapUsed;
    for (let word = 0; word < more; word += 1) visit(0.5);
    heapBytes = process.memoryUsage().heapUsed - before;
  });
  feed.followOrders();
  expect(heapBytes).toBeLessThan(more);
  feed.close();
  rmSync(directory, { recursive: true, force: true });
});

it('begins at the oldest snapshot where a compacted journal has none from long enough ago', async () => {
  const directory = temporaryDirectory();
  const journal = SqliteJournal.open(directory, 'commit');
  const market = new RandomMarket(1, INSTRUMENTS);
  market.begin(journal);
  const sequences: number[] = [];
  for (let start = 0; start < 3; start += 1) {
    market.run(journal, 50);
    await nextTick();
    const words: number[] = [];
    market.core.eachStateWord((word) => words.push(word));
    const { core } = market;
    const { sequence } = core;
    writeSnapshot(directory, {
      sequence,
      timestampMicros: core.timestampMicros,
      stateHash: core.stateHash(),
      words: Float64Array.from(words),
      accounts: market.accounts,
    });
    sequences.push(sequence);
  }
  market.run(journal, 50);
  await nextTick();
  // Only the newest two are kept.
  const [, older = 0] = sequences;
  const reader = JournalReader.open(directory);
  vi.spyOn(reader, 'compactedThrough').mockReturnValue(older);
  // As if there were so many more that it would rather begin 20 commands before the older one.
  const last = vi.spyOn(reader, 'lastSequence').mockReturnValue(older - 20 + 100_000);
  const feed = new Feed({ dataDirectory: directory, journal: reader, instruments: INSTRUMENTS, warn: () => undefined });
  last.mockRestore();
  expect(feed.since).toBe(older);
  while (feed.advance(1000) > 0);
  expect(feed.sequence).toBe(market.core.sequence);
  for (let instrument = 0; instrument < INSTRUMENTS; instrument += 1)
    for (const side of [BUY, SELL] as const)
      expect(feed.book(instrument).depth(side, Infinity)).toEqual(market.core.book(instrument).depth(side, Infinity));
  feed.close();
  journal.close();
  rmSync(directory, { recursive: true, force: true });
});
