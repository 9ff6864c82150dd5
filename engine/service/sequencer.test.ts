import { rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MatchingCore } from '../core/core.ts';
import { BUY, GTC, LIMIT, SELL } from '../core/types.ts';
import { SqliteJournal } from '../journal/sqlite-journal.ts';
import { JournalError, type Journal, type JournalBatch } from '../journal/types.ts';
import { temporaryDirectory } from '../testing/temporary-directory.ts';
import { Accounts } from './accounts.ts';
import { replay } from './recovery.ts';
import { Sequencer, type OrderIdentity, type OrderTerms, type Placed } from './sequencer.ts';

const RULES = { tradable: true, maxOrderLots: 1000, maxNotional: 10n ** 12n, priceBandPercent: 0, killSwitch: false };
const request = (side: 0 | 1, quantityLots: number, clientOrderId: string | null = null): OrderIdentity & OrderTerms => ({
  instrument: 0,
  accountName: 'a',
  side,
  type: LIMIT,
  timeInForce: GTC,
  priceTicks: 100,
  quantityLots,
  clientOrderId,
});

let directory: string;
let durable: SqliteJournal;
let core: MatchingCore;
let appended: JournalBatch[];
let committed: [number, number][];
let full: Error[];
let fatal: Error[];
let gate: { fault: Error | undefined; hold: Promise<void> | undefined };
let nowMicros: number;
let sequencer: Sequencer;
const place = async (order: OrderIdentity & OrderTerms): Promise<Placed> => await sequencer.place(order, () => order);

beforeEach(() => {
  directory = temporaryDirectory();
  durable = SqliteJournal.open(directory, 'memory');
  durable.addInstruments([{ id: 0, symbol: 'A', tickSize: '1', lotSize: '1' }]);
  appended = [];
  committed = [];
  full = [];
  fatal = [];
  gate = { fault: undefined, hold: undefined };
  nowMicros = 1000;
  core = new MatchingCore();
  core.setInstrument(0, RULES);
  const journal: Journal = {
    get lastSequence() {
      return durable.lastSequence;
    },
    append: async (expected, batch) => {
      await gate.hold;
      if (gate.fault !== undefined) throw gate.fault;
      appended.push(batch);
      await durable.append(expected, batch);
    },
    read: (from, limit) => durable.read(from, limit),
  };
  sequencer = new Sequencer({
    core,
    journal,
    queries: durable.queries,
    accounts: new Accounts([]),
    observer: { matched: () => undefined, committed: (commands, fills) => void committed.push([commands, fills]) },
    lastTimestampMicros: 0,
    nowMicros: () => nowMicros,
    onFull: (cause) => full.push(cause),
    onFatal: (cause) => fatal.push(cause),
  });
});
afterEach(() => {
  durable.close();
  rmSync(directory, { recursive: true, force: true });
});

describe('Sequencer', () => {
  it('commits the commands of one tick together', async () => {
    await Promise.all([place(request(SELL, 5)), place(request(BUY, 3)), sequencer.cancel(1)]);
    expect(appended).toHaveLength(1);
    expect(appended[0]?.entries.map(({ sequence }) => sequence)).toEqual([1, 2, 3]);
    expect(durable.queries.orders(undefined, 0, 10).map(({ remainingLots, status }) => [remainingLots, status])).toEqual([
      [2, 2],
      [0, 1],
    ]);
    expect(durable.queries.fills(0, -1, 10)).toMatchObject([{ sequence: 2, index: 0, makerOrderId: 1, takerOrderId: 2, quantityLots: 3 }]);
  });

  it('answers nobody before the commit, and gathers the next batch meanwhile', async () => {
    const held = Promise.withResolvers<void>();
    gate.hold = held.promise;
    const answered: number[] = [];
    const first = place(request(BUY, 1)).then(({ order }) => answered.push(order.id));
    await new Promise(setImmediate);
    const others = [1, 2, 3].map(() => place(request(BUY, 1)).then(({ order }) => answered.push(order.id)));
    await new Promise(setImmediate);
    expect(answered).toEqual([]);
    held.resolve();
    await Promise.all([first, ...others]);
    expect(answered).toEqual([1, 2, 3, 4]);
    expect(appended.map(({ entries }) => entries.length)).toEqual([1, 3]);
  });

  it('refuses everything from a commit without room on and leaves the journal right', async () => {
    await place(request(SELL, 5));
    gate.fault = new JournalError('HFT_JOURNAL_FULL', 'no room');
    const outcomes = await Promise.allSettled([
      place(request(BUY, 1, 'x')),
      place(request(BUY, 2)),
      place(request(BUY, 1, 'x')),
      sequencer.cancel(1),
    ]);
    expect(outcomes.map((outcome) => (outcome.status === 'rejected' ? outcome.reason.code : 'taken'))).toEqual(
      Array.from({ length: 4 }, () => 'HFT_JOURNAL_FULL'),
    );
    expect({ full, fatal }).toEqual({ full: [gate.fault], fatal: [] });
    gate.fault = undefined;
    await expect(place(request(BUY, 1))).rejects.toMatchObject({ code: 'HFT_JOURNAL_FULL', status: 503 });
    const rebuilt = new MatchingCore();
    rebuilt.setInstrument(0, RULES);
    expect(await replay(rebuilt, durable, new AbortController().signal)).toMatchObject({ sequence: 1, commands: 1 });
    expect(rebuilt.openOrders).toBe(1);
  });

  it.each(['HFT_JOURNAL_FAILED', 'HFT_JOURNAL_FENCED', 'HFT_JOURNAL_DIVERGED'] as const)(
    'neither acknowledges nor refuses a commit whose outcome is not known: %s',
    async (code) => {
      gate.fault = new JournalError(code, 'who knows');
      const answered: string[] = [];
      const told = (): void => void answered.push('an answer');
      void place(request(BUY, 1)).then(told, told);
      await expect.poll(() => fatal).toEqual([gate.fault]);
      await new Promise(setImmediate);
      expect({ full, answered }).toEqual({ full: [], answered: [] });
      // What comes later was never matched: that is known.
      await expect(place(request(BUY, 1))).rejects.toMatchObject({ code: 'HFT_JOURNAL_FAILED', status: 503 });
      await expect(sequencer.settled()).rejects.toMatchObject({ code: 'HFT_JOURNAL_FAILED' });
    },
  );

  it('never lets time run backwards', async () => {
    await place(request(BUY, 1));
    nowMicros = 10;
    await place(request(BUY, 1));
    expect(durable.read(1, 10).map(({ timestampMicros }) => timestampMicros)).toEqual([1000, 1000]);
  });

  it('tells of fills when they are committed, not before', async () => {
    await place(request(SELL, 5));
    gate.fault = new JournalError('HFT_JOURNAL_FULL', 'no room');
    await expect(place(request(BUY, 1))).rejects.toMatchObject({ code: 'HFT_JOURNAL_FULL' });
    expect(committed).toEqual([[1, 0]]);
  });

  it('records nothing of what it refuses', async () => {
    await expect(place(request(BUY, 1001))).rejects.toMatchObject({ code: 'HFT_MAX_ORDER_QTY' });
    await expect(sequencer.cancel(1)).rejects.toMatchObject({ code: 'HFT_ORDER_NOT_FOUND' });
    await sequencer.settled();
    expect(appended).toEqual([]);
    expect(core.sequence).toBe(0);
  });
});

describe('replay', () => {
  async function replayed(): Promise<unknown> {
    const again = new MatchingCore();
    again.setInstrument(0, RULES);
    return await replay(again, durable, new AbortController().signal);
  }

  it('gives the same state hash', async () => {
    await Promise.all(Array.from({ length: 100 }, (_, index) => place(request(index % 3 === 0 ? SELL : BUY, 1 + (index % 7)))));
    durable.recordStateHash(core.sequence, core.stateHash(), 0);
    expect(await replayed()).toMatchObject({ sequence: 100, commands: 100, stateHash: core.stateHash(), lastTimestampMicros: 1000 });
  });

  it('refuses a state that differs from a recorded hash or from the recorded open orders', async () => {
    await place(request(BUY, 1));
    durable.recordStateHash(1, '0123456789abcdef', 0);
    await expect(replayed()).rejects.toMatchObject({
      code: 'HFT_JOURNAL_DIVERGED',
      message: expect.stringContaining('recorded was 0123456789abcdef'),
    });
    durable.recordStateHash(1, core.stateHash(), 0);
    await expect(replayed()).resolves.toMatchObject({ sequence: 1 });
    durable.recordStateHash(9, core.stateHash(), 0);
    await expect(replayed()).rejects.toMatchObject({
      code: 'HFT_JOURNAL_DIVERGED',
      message: expect.stringContaining('the commands end at 1'),
    });
  });
});
