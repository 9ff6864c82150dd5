/** A journal that grows by a random market, and the replica that follows it. For tests only. */
import { rmSync } from 'node:fs';
import { setImmediate as nextTick } from 'node:timers/promises';
import { expect } from 'vitest';
import { JournalReader } from '../journal/reader.ts';
import { SqliteJournal } from '../journal/sqlite-journal.ts';
import { temporaryDirectory } from '../testing/temporary-directory.ts';
import { RandomMarket } from './naive-views.ts';
import { Replica, type ReplicaParts } from './replica.ts';
import type { JournalSource } from './restore.ts';

export const INSTRUMENTS = 3;
const MOST = Number.MAX_SAFE_INTEGER;

export class TestReplica implements Disposable {
  readonly directory = temporaryDirectory();
  readonly market: RandomMarket;
  readonly warnings: string[] = [];
  journal: SqliteJournal;
  /** What the replica reads instead of the journal's own answers. */
  source: Partial<JournalSource> = {};
  /** Orders or fills that are gathered at most. */
  mostGathered: number | undefined;
  #replica: Replica | undefined;
  #reader: JournalReader | undefined;

  constructor(seed: number) {
    this.market = new RandomMarket(seed, INSTRUMENTS);
    this.journal = SqliteJournal.open(this.directory, 'commit');
    this.market.begin(this.journal);
  }

  get replica(): Replica {
    if (this.#replica === undefined) throw new Error('the replica is not open');
    return this.#replica;
  }

  /** Commits random commands to the journal. */
  async grow(commands: number): Promise<void> {
    for (let left = commands; left > 0; left -= 100) {
      this.market.run(this.journal, Math.min(left, 100));
      await nextTick();
    }
    await nextTick();
  }

  open(): Replica {
    const reader = JournalReader.open(this.directory);
    this.#reader = reader;
    const parts: ReplicaParts = {
      dataDirectory: this.directory,
      instruments: INSTRUMENTS,
      journal: {
        read: (from, limit) => (this.source.read ?? reader.read.bind(reader))(from, limit),
        lastSequence: () => reader.lastSequence(),
        compactedThrough: () => (this.source.compactedThrough ?? reader.compactedThrough.bind(reader))(),
        chainAt: (sequence) => reader.chainAt(sequence),
      },
      warn: (_details, message) => this.warnings.push(message),
      ...(this.mostGathered !== undefined && { mostGathered: this.mostGathered }),
    };
    this.#replica = Replica.open(parts);
    return this.#replica;
  }

  /** Follows to the journal's end. */
  catchUp(limit = 500): void {
    while (this.replica.advance(limit) > 0);
  }

  /** Ends the replica as a kill does: what is not committed is lost. */
  kill(): void {
    this.#replica?.close();
    this.#reader?.close();
    this.#replica = undefined;
    this.#reader = undefined;
  }

  /** Everything that queries show is what the naive read models show. */
  compare(): void {
    const { market, replica } = this;
    const { queries } = replica;
    expect(replica.sequence).toBe(market.core.sequence);
    expect(queries.orders({}, 0, MOST)).toEqual([...market.views.orders.values()]);
    expect(queries.fills({ sequence: 0, index: -1 }, MOST)).toEqual(market.views.fills);
    expect(queries.positions(undefined)).toEqual(market.positions());
    expect([...market.firstAnswers.keys()].map((id) => queries.firstAnswer(id, MOST))).toEqual([...market.firstAnswers.values()]);
    expect(replica.state()).toEqual({
      sequence: market.core.sequence,
      stateHash: market.core.stateHash(),
      openOrders: market.core.openOrders,
    });
  }

  [Symbol.dispose](): void {
    this.kill();
    this.journal.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
