import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTick } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { MatchingCore } from '../core/core.ts';
import { NO_LIMITS } from '../core/random-commands.ts';
import {
  ANY_ACCOUNT,
  BUY,
  CANCELLED,
  DECREMENT,
  FILLED,
  FOK,
  GTC,
  LIMIT,
  NEW_ORDER,
  NO_REASON,
  NOT_FILLABLE,
  OPEN,
  PENDING,
  REPLACE_ORDER,
  SELF_TRADE,
  SELL,
  STOP_LIMIT,
  type NewOrder,
} from '../core/types.ts';
import { readSnapshot, snapshotSequences } from '../journal/snapshot.ts';
import { discardViews, openViewsFile, ViewsDamaged } from './database.ts';
import { RowQueries } from './queries.ts';
import { INSTRUMENTS, TestReplica } from './replica.test-support.ts';

const MOST = Number.MAX_SAFE_INTEGER;
/** Before what streams of random commands begin with. */
const NOW_MICROS = 2;

/** A market in which nothing has happened, and a way to place orders of instrument 0 in it. */
async function quietMarket() {
  const test = new TestReplica(1);
  for (let instrument = 0; instrument < INSTRUMENTS; instrument += 1) test.market.core.setInstrument(instrument, NO_LIMITS);
  const send = (order: Partial<NewOrder> & Pick<NewOrder, 'account' | 'side' | 'priceTicks' | 'quantityLots'>): number => {
    test.market.submit(test.journal, NOW_MICROS, { kind: NEW_ORDER, instrument: 0, type: LIMIT, timeInForce: GTC, ...order });
    return test.market.core.sequence;
  };
  const follow = async () => {
    await nextTick();
    test.open();
    test.catchUp();
    return test.replica.queries;
  };
  return { test, send, follow, [Symbol.dispose]: () => test[Symbol.dispose]() };
}

describe('first answers', () => {
  it('of an order that filled whole or not at all say so', async () => {
    using market = await quietMarket();
    market.send({ account: 1, side: SELL, priceTicks: 100, quantityLots: 5 });
    const refused = market.send({ account: 2, side: BUY, priceTicks: 100, quantityLots: 6, timeInForce: FOK });
    const filled = market.send({ account: 2, side: BUY, priceTicks: 101, quantityLots: 5, timeInForce: FOK });
    const queries = await market.follow();
    expect(queries.firstAnswer(refused, 10)).toMatchObject({
      order: { status: CANCELLED, reason: NOT_FILLABLE, quantityLots: 6, filledLots: 0, remainingLots: 6 },
      fills: [],
      fillCount: 0,
    });
    expect(queries.firstAnswer(filled, 10)).toMatchObject({
      order: { status: FILLED, reason: NO_REASON, priceTicks: 101, quantityLots: 5, filledLots: 5, remainingLots: 0 },
      fills: [{ sequence: filled, index: 0, priceTicks: 100, quantityLots: 5, takerSide: BUY }],
      fillCount: 1,
    });
    market.test.compare();
  });

  it('show what was there before a self-trade took lots away, before a replacement and before fills', async () => {
    using market = await quietMarket();
    const maker = market.send({ account: 1, side: SELL, priceTicks: 100, quantityLots: 10, clientIdLow: 7 });
    const taker = market.send({ account: 1, side: BUY, priceTicks: 100, quantityLots: 3, selfTrade: DECREMENT });
    market.test.market.submit(market.test.journal, NOW_MICROS, {
      kind: REPLACE_ORDER,
      orderId: maker,
      account: ANY_ACCOUNT,
      priceTicks: 105,
      quantityLots: 20,
    });
    market.send({ account: 2, side: BUY, priceTicks: 105, quantityLots: 4 });
    const queries = await market.follow();
    expect(queries.order(maker)).toMatchObject({ status: OPEN, priceTicks: 105, quantityLots: 20, filledLots: 4, remainingLots: 16 });
    expect(queries.firstAnswer(maker, 10)).toMatchObject({
      order: { status: OPEN, reason: NO_REASON, priceTicks: 100, quantityLots: 10, filledLots: 0, clientOrderId: `client-${maker}` },
      fillCount: 0,
    });
    expect(queries.firstAnswer(taker, 10)).toMatchObject({
      order: { status: CANCELLED, reason: SELF_TRADE, quantityLots: 0, filledLots: 0 },
      sentLots: 3,
    });
    market.test.compare();
  });

  it('leave out what stops that the same command has triggered traded with others', async () => {
    using market = await quietMarket();
    market.send({ account: 1, side: SELL, priceTicks: 100, quantityLots: 5 });
    market.send({ account: 1, side: SELL, priceTicks: 101, quantityLots: 5 });
    const stop = market.send({ account: 3, side: BUY, type: STOP_LIMIT, stopTicks: 100, priceTicks: 101, quantityLots: 4 });
    const taker = market.send({ account: 2, side: BUY, priceTicks: 100, quantityLots: 5 });
    const queries = await market.follow();
    expect(queries.firstAnswer(taker, 10)).toMatchObject({ order: { status: FILLED, filledLots: 5 }, fills: [{ index: 0 }], fillCount: 1 });
    expect(queries.firstAnswer(stop, 10)).toMatchObject({ order: { status: PENDING, remainingLots: 4, stopTicks: 100 }, fillCount: 0 });
    expect(queries.order(stop)).toMatchObject({ status: FILLED, type: STOP_LIMIT, stopTicks: 100, filledLots: 4, remainingLots: 0 });
    expect(queries.fills({ sequence: taker, index: -1 }, 10)).toMatchObject([{ takerOrderId: taker }, { takerOrderId: stop, index: 1 }]);
    market.test.compare();
  });
});

describe('a command that does more than is gathered', () => {
  it('is written in parts, and its own order whole', async () => {
    using market = await quietMarket();
    market.test.mostGathered = 3;
    // The last of them shares a part with the order that takes them all.
    for (let maker = 0; maker < 10; maker += 1) market.send({ account: 1, side: SELL, priceTicks: 100 + maker, quantityLots: 2 });
    const taker = market.send({ account: 2, side: BUY, priceTicks: 200, quantityLots: 25, clientIdLow: 5 });
    const queries = await market.follow();
    expect(queries.firstAnswer(taker, 100)).toMatchObject({ order: { clientOrderId: '0000000000000005', filledLots: 20 }, fillCount: 10 });
    market.test.compare();
  });
});

describe('an order that is filled', () => {
  it('has no reason, whatever it had before', async () => {
    using market = await quietMarket();
    market.send({ account: 2, side: BUY, priceTicks: 100, quantityLots: 3 });
    const stop = { side: BUY, type: STOP_LIMIT, stopTicks: 100, priceTicks: 100 } as const;
    market.send({ ...stop, account: 1, quantityLots: 2, selfTrade: DECREMENT });
    market.send({ ...stop, account: 3, quantityLots: 5 });
    // Trades, rests, loses two lots to a stop of its own account, and is filled by the other stop: all in its own command.
    const seller = market.send({ account: 1, side: SELL, priceTicks: 100, quantityLots: 10 });
    const queries = await market.follow();
    const filled = { status: FILLED, reason: NO_REASON, quantityLots: 8, filledLots: 8, remainingLots: 0 };
    expect(queries.order(seller)).toMatchObject(filled);
    expect(queries.firstAnswer(seller, 10)).toMatchObject({ order: filled, sentLots: 10, fillCount: 2 });
    market.test.compare();
  });
});

describe('the file of the read models', () => {
  it('is refused when it is no database, of another schema, or damaged', async () => {
    using test = new TestReplica(2);
    await test.grow(300);
    const path = join(test.directory, 'views.db');
    writeFileSync(path, 'this is no database, however long one looks at it'.repeat(100));
    expect(() => test.open()).toThrow(ViewsDamaged);
    test.kill();
    discardViews(test.directory);
    test.open();
    test.catchUp();
    test.replica.commit();
    test.kill();
    const whole = readFileSync(path);
    const damaged = Buffer.from(whole);
    damaged.fill(0x5a, 8192, damaged.length - 4096);
    writeFileSync(path, damaged);
    expect(() => test.open()).toThrow(ViewsDamaged);
    test.kill();
    writeFileSync(path, whole);
    const database = new Database(path);
    database.pragma('user_version = 99');
    database.close();
    expect(() => test.open()).toThrow('schema version 99');
    test.kill();
    discardViews(test.directory);
    test.open();
    test.catchUp();
    test.compare();
  });

  it.each([
    ['of a journal that has been cut', 5, 500, 400, 'show sequence 510, and the journal ends at 410'],
    ['of another journal', 6, 500, 600, 'those of another journal'],
  ])('is refused when it is that %s', async (_which, seed, shown, written, message) => {
    using other = new TestReplica(5);
    await other.grow(shown);
    other.open();
    other.catchUp();
    other.replica.commit();
    other.kill();
    using test = new TestReplica(seed);
    await test.grow(written);
    copyFileSync(join(other.directory, 'views.db'), join(test.directory, 'views.db'));
    expect(() => test.open()).toThrow(ViewsDamaged);
    test.kill();
    expect(() => test.open()).toThrow(message);
  });

  it('is gone on with where it ends, from a snapshot that is older, when the journal was compacted up to that', async () => {
    using test = new TestReplica(8);
    await test.grow(400);
    test.open();
    test.catchUp();
    test.replica.commit();
    const { sequence } = test.replica.snapshot();
    await test.grow(300);
    test.catchUp();
    test.replica.commit();
    await test.grow(300);
    test.kill();
    compactThrough(test, sequence);
    test.open();
    test.catchUp();
    test.compare();
    expect(test.warnings).toEqual([]);
  });

  it('is made again of a snapshot when the journal does not reach back, and says what is not known', async () => {
    using test = new TestReplica(9);
    await test.grow(700);
    test.open();
    test.catchUp();
    test.replica.commit();
    const { sequence } = test.replica.snapshot();
    const open = test.replica.queries.orders({}, 0, MOST).filter(({ status }) => status === OPEN || status === PENDING);
    const positions = test.market.positions();
    test.kill();
    compactThrough(test, sequence);
    discardViews(test.directory);
    const { queries } = test.open();
    expect(test.warnings).toEqual([expect.stringContaining(`made again from the snapshot of sequence ${sequence}`)]);
    expect(test.replica.sequence).toBe(sequence);
    expect(open.length).toBeGreaterThan(5);
    // What a snapshot knows of an order, whose type is LIMIT once it has been triggered.
    const known = ({
      id,
      account,
      instrument,
      side,
      timeInForce,
      priceTicks,
      displayLots,
      remainingLots,
      status,
      selfTrade,
    }: (typeof open)[number]) => {
      return { id, account, instrument, side, timeInForce, priceTicks, displayLots, remainingLots, status, selfTrade };
    };
    expect(queries.orders({}, 0, MOST).map(known)).toEqual(open.map(known));
    expect(queries.positions(undefined)).toEqual(positions);
    expect(queries.firstAnswer(open[0]?.id ?? 0, 10)).toBeUndefined();
    await test.grow(500);
    test.catchUp();
    const news = test.market.views;
    expect(queries.fills({ sequence: 0, index: -1 }, MOST)).toEqual(news.fills.filter((fill) => fill.sequence > sequence));
    expect(queries.orders({}, sequence, MOST)).toEqual([...news.orders.values()].filter(({ id }) => id > sequence));
    for (const { id } of open) {
      const { status, reason, remainingLots, priceTicks } = news.orders.get(id) ?? {};
      expect(queries.order(id)).toMatchObject({ status, remainingLots, priceTicks, ...(status === CANCELLED && { reason }) });
    }
    expect(queries.positions(undefined)).toEqual(test.market.positions());
  });

  it('is refused when commands between it and the journal are gone', async () => {
    using test = new TestReplica(10);
    await test.grow(300);
    test.open();
    test.catchUp();
    test.replica.commit();
    test.kill();
    const early = readFileSync(join(test.directory, 'views.db'));
    test.open();
    await test.grow(300);
    test.catchUp();
    test.replica.commit();
    const { sequence } = test.replica.snapshot();
    test.kill();
    writeFileSync(join(test.directory, 'views.db'), early);
    compactThrough(test, sequence);
    expect(() => test.open()).toThrow('what is between is gone');
  });
});

describe('snapshots of a replica', () => {
  it('hold the state and the names of the accounts, and are passed over when they are damaged', async () => {
    using test = new TestReplica(11);
    await test.grow(400);
    test.open();
    test.catchUp();
    test.replica.commit();
    const first = test.replica.snapshot();
    await test.grow(200);
    test.catchUp();
    test.replica.commit();
    const second = test.replica.snapshot();
    expect(snapshotSequences(test.directory)).toEqual([second.sequence, first.sequence]);
    const { words, accounts, stateHash } = readSnapshot(test.directory, second.sequence);
    const core = new MatchingCore();
    for (let instrument = 0; instrument < INSTRUMENTS; instrument += 1) core.setInstrument(instrument, NO_LIMITS);
    core.restore(words);
    expect([core.stateHash(), stateHash]).toEqual([test.market.core.stateHash(), second.stateHash]);
    expect(accounts).toEqual(test.market.accounts);
    test.kill();
    const path = join(test.directory, 'snapshots', `${String(second.sequence).padStart(16, '0')}.snapshot`);
    const bytes = readFileSync(path);
    bytes[100] = (bytes[100] as number) ^ 1;
    writeFileSync(path, bytes);
    test.open();
    expect(test.replica.coreSequence).toBe(first.sequence);
    expect(test.warnings).toEqual([expect.stringContaining('cannot be read')]);
    await test.grow(100);
    test.catchUp();
    test.compare();
  });
});

describe('retention', () => {
  it('deletes what was finished before, and keeps what is open, what is newer, and first answers that may be asked for', async () => {
    using test = new TestReplica(12);
    await test.grow(3000);
    test.open();
    test.catchUp();
    const all = [...test.market.views.orders.values()];
    const cutMicros = all[Math.floor(all.length * 0.7)]?.createdAtMicros ?? 0;
    const isOld = ({ status, updatedAtMicros }: (typeof all)[number]): boolean =>
      (status === FILLED || status === CANCELLED) && updatedAtMicros < cutMicros;
    test.replica.commit();
    while (test.replica.retain(cutMicros));
    const kept = all.filter((order) => !isOld(order) || order.clientOrderId !== null);
    const { queries } = test.replica;
    expect(queries.orders({}, 0, MOST)).toEqual(kept);
    expect(kept.length).toBeLessThan(all.length * 0.8);
    for (const { id, clientOrderId } of kept)
      if (clientOrderId !== null) expect(queries.firstAnswer(id, MOST)).toEqual(test.market.firstAnswers.get(id));
    const ids = new Set(kept.filter(({ clientOrderId }) => clientOrderId !== null).map(({ id }) => id));
    const fills = test.market.views.fills.filter(({ sequence, timestampMicros }) => timestampMicros >= cutMicros || ids.has(sequence));
    expect(queries.fills({ sequence: 0, index: -1 }, MOST)).toEqual(fills);
    expect(fills.length).toBeLessThan(test.market.views.fills.length);
  });
});

describe('a replica that has failed', () => {
  it('keeps nothing more: what was being written is made again whole', async () => {
    using test = new TestReplica(3);
    await test.grow(200);
    test.open();
    test.catchUp();
    test.replica.seal();
    expect(test.replica.write(16)).toBe(false);
    await test.grow(20);
    test.source.read = () => {
      throw new Error('the journal cannot be read');
    };
    expect(() => test.replica.advance(500)).toThrow('the journal cannot be read');
    // What ends the thread of the read models tries to keep what it can.
    expect(() => test.replica.commit()).toThrow('has failed');
    test.source = {};
    test.kill();
    test.open();
    test.catchUp();
    test.replica.commit();
    test.compare();
  });
});

describe('queries', () => {
  it('walk no table from its beginning', () => {
    using test = new TestReplica(1);
    const database = openViewsFile(test.directory);
    const plans: string[] = [];
    const prepare = database.prepare.bind(database);
    database.prepare = (sql: string) => {
      const plan = prepare<unknown[], { detail: string }>(`EXPLAIN QUERY PLAN ${sql}`);
      const named = { account: 1, status: 1, after: 1, limit: 1, id: 1, through: 1 };
      const rows = sql.includes('@') ? plan.all(named) : plan.all(...(sql.match(/\?/g) ?? []).map(() => 1));
      plans.push(...rows.map(({ detail }) => detail));
      return prepare(sql);
    };
    const queries = new RowQueries(database);
    expect(queries.orders({}, 0, 1)).toEqual([]);
    database.close();
    expect(plans.length).toBeGreaterThan(10);
    // All positions are asked for whole; the rest of them sort nothing.
    expect(plans.filter((plan) => /^SCAN (?!\(subquery|positions)|TEMP B-TREE/.test(plan))).toEqual([]);
  });

  it('list the orders of an account and of a status in pages, oldest first', async () => {
    using test = new TestReplica(13);
    await test.grow(2000);
    test.open();
    test.catchUp();
    const all = [...test.market.views.orders.values()];
    const { queries } = test.replica;
    const filters = [
      {},
      { account: 1 },
      { status: CANCELLED },
      { account: 0, status: FILLED },
      { status: OPEN },
      { account: 1, status: OPEN },
    ] as const;
    for (const filter of filters) {
      const { account, status }: { account?: number; status?: number } = filter;
      const expected = all.filter((order) => (account ?? order.account) === order.account && (status ?? order.status) === order.status);
      expect(expected.length).toBeGreaterThan(0);
      const found: typeof all = [];
      for (let page = queries.orders(filter, 0, 7); page.length > 0; page = queries.orders(filter, found.at(-1)?.id ?? 0, 7))
        found.push(...page);
      expect(found).toEqual(expected);
    }
    const trades = test.market.views.fills.filter(({ instrument }) => instrument === 1).toReversed();
    const found: typeof trades = [];
    for (
      let page = queries.trades(1, { sequence: MOST, index: 0 }, 7);
      page.length > 0;
      page = queries.trades(1, found.at(-1) ?? { sequence: 0, index: 0 }, 7)
    )
      found.push(...page);
    expect(found).toEqual(trades);
    expect(queries.positions(1)).toEqual(test.market.positions().filter(({ account }) => account === 1));
  });
});

/** As if the journal had dropped its batches up to a sequence. */
function compactThrough(test: TestReplica, sequence: number): void {
  test.source = {
    compactedThrough: () => sequence,
    read: (from, limit) => {
      if (from <= sequence) throw new Error(`sequence ${from} is gone`);
      return test.journal.read(from, limit);
    },
  };
}
