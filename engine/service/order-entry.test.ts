import { rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MatchingCore } from '../core/core.ts';
import {
  ALL_INSTRUMENTS,
  BUY,
  CANCELLED,
  FILLED,
  GTC,
  GTD,
  IOC,
  LIMIT,
  OPEN,
  PENDING,
  REJECT,
  REQUESTED,
  SELL,
  STOP_LIMIT,
} from '../core/types.ts';
import { RateLimiter } from '../gateway/rate-limit.ts';
import { SqliteJournal } from '../journal/sqlite-journal.ts';
import { ACCOUNT_NAME, JournalError, PRINCIPAL_NAME, type JournalListener } from '../journal/types.ts';
import { EngineStats } from '../telemetry/stats.ts';
import { temporaryDirectory } from '../testing/temporary-directory.ts';
import { Accounts } from './accounts.ts';
import { hashClientOrderId } from './client-order-id.ts';
import * as field from './order-answers.ts';
import { EntryAccount, OrderEntry } from './order-entry.ts';
import type { EntryOrder } from './entry-terms.ts';
import { Actor } from './principal-numbers.ts';
import { drainingProblem, type Problem } from './problem.ts';
import { Sequencer } from './sequencer.ts';

const RULES = {
  tradable: true,
  maxOrderLots: 1000,
  maxNotional: 10n ** 12n,
  priceBandPercent: 0,
  maxPositionLots: Infinity,
  maxOpenNotional: Infinity,
};
const { ANSWER } = field;

let directory: string;
let durable: SqliteJournal;
let core: MatchingCore;
let accounts: Accounts;
let sequencer: Sequencer;
let entry: OrderEntry;
let stats: EngineStats;
let refusal: Problem | undefined;
let listener: JournalListener | undefined;

interface Told {
  readonly kind: string;
  readonly request: number;
  readonly order: number;
  readonly sequence: number;
  readonly filled: number;
  readonly remaining: number;
  readonly status: number;
  readonly reason: number;
  readonly detail: number;
  readonly extra: number;
}

/** A connection that remembers what it was told; `sends` are how many answers there were at each flush. */
class Link {
  readonly told: Told[] = [];
  readonly sends: number[] = [];
  number = -1;

  answer(values: Float64Array, at: number): void {
    const read = (offset: number): number => values[at + offset] as number;
    this.told.push({
      kind: Object.entries(ANSWER).find(([, kind]) => kind === read(field.ANSWER_KIND))?.[0] ?? '',
      request: read(field.ANSWER_REQUEST),
      order: read(field.ANSWER_ORDER),
      sequence: read(field.ANSWER_SEQUENCE),
      filled: read(field.ANSWER_FILLED),
      remaining: read(field.ANSWER_REMAINING),
      status: read(field.ANSWER_STATUS),
      reason: read(field.ANSWER_REASON),
      detail: read(field.ANSWER_DETAIL),
      extra: read(field.ANSWER_EXTRA),
    });
  }

  flush(): void {
    this.sends.push(this.told.length);
  }
}

function newMarket(): void {
  core = new MatchingCore();
  core.setInstrument(0, RULES);
  accounts = new Accounts([]);
  sequencer = new Sequencer({
    core,
    journal: {
      ring: durable.ring,
      get durableSequence() {
        return durable.durableSequence;
      },
      listen: (given) => {
        listener = given;
        durable.listen(given);
      },
      flush: () => durable.flush(),
    },
    accounts,
    observer: stats,
    nowMicros: () => Date.now() * 1000,
    onFull: () => undefined,
    onFatal: (cause) => {
      throw cause;
    },
  });
}

function open(limits = { ordersPerSecond: 1, burst: 100_000 }, capacity?: number): void {
  stats = new EngineStats();
  durable = SqliteJournal.open(directory, 'commit');
  newMarket();
  const engine = {
    get accepting() {
      return refusal === undefined ? { core, sequencer, accounts } : undefined;
    },
    refusal: () => refusal ?? drainingProblem(),
  };
  entry = new OrderEntry({ engine, limiter: new RateLimiter(limits), stats, ...(capacity !== undefined && { capacity }) });
}

beforeEach(() => {
  directory = temporaryDirectory();
  refusal = undefined;
  open();
  durable.addInstruments([{ id: 0, symbol: 'A', tickSize: '1', lotSize: '1' }]);
});
afterEach(() => {
  sequencer.close();
  durable.close();
  rmSync(directory, { recursive: true, force: true });
});

function connected(): Link {
  const link = new Link();
  link.number = entry.connect(link);
  return link;
}

const LIMIT_ORDER = {
  instrument: 0,
  side: BUY,
  type: LIMIT,
  timeInForce: GTC,
  selfTrade: 0,
  postOnly: false,
  priceTicks: 100,
  quantityLots: 1,
  stopTicks: 0,
  displayLots: 0,
  expiryMicros: 0,
  session: 0,
  idLow: 0,
  idHigh: 0,
};

function place(link: Link, request: number, account: EntryAccount, terms: Partial<EntryOrder>): void {
  Object.assign(entry.order, LIMIT_ORDER, terms);
  entry.place(link.number, request, account, performance.now());
}

function replace(link: Link, request: number, account: EntryAccount, terms: Partial<OrderEntry['replacement']>): void {
  Object.assign(entry.replacement, { orderId: 0, priceTicks: 0, quantityLots: 0, stopTicks: 0, expectedLots: 0 }, terms);
  entry.replace(link.number, request, account, performance.now());
}

describe('answers', () => {
  it('leave when they are durable, in the order of the requests, all of a tick at once', async () => {
    const link = connected();
    const alice = new EntryAccount('alice', new Actor('user'));
    const bob = new EntryAccount('bob', new Actor('user'));
    place(link, 7, alice, { side: SELL, quantityLots: 5 });
    place(link, 8, bob, { quantityLots: 3 });
    place(link, 9, bob, { quantityLots: 2000 });
    entry.cancel(link.number, 10, bob, 1, performance.now());
    entry.cancel(link.number, 11, alice, 1, performance.now());
    expect([link.told, entry.waiting, entry.waitingOf(link.number)]).toEqual([[], 6, 6]);
    await sequencer.settled();
    expect(link.told).toMatchObject([
      { kind: 'placed', request: 7, order: 1, sequence: 1, filled: 0, remaining: 5, status: OPEN, detail: 0 },
      { kind: 'placed', request: 8, order: 2, sequence: 2, filled: 3, remaining: 0, status: FILLED, detail: 1 },
      { kind: 'fill', request: 8, order: 2, filled: 3, remaining: 0, status: 1, reason: 0, detail: 100, extra: 0 },
      { kind: 'rejected', request: 9, sequence: 2, status: REJECT.maxOrderQty },
      // Of somebody else.
      { kind: 'rejected', request: 10, status: REJECT.unknownOrder },
      { kind: 'cancelled', request: 11, order: 1, sequence: 3, remaining: 2, status: CANCELLED, reason: REQUESTED },
    ]);
    expect([link.sends, entry.waiting]).toEqual([[6], 0]);
    expect([stats.ordersAccepted, stats.cancels, stats.frameSeconds.count]).toEqual([2, 1, 5]);
    expect([...stats.rejectedByCode]).toEqual([
      ['HFT_MAX_ORDER_QTY', 1],
      ['HFT_ORDER_NOT_FOUND', 1],
    ]);
  });

  it('go to the connection that asked, and nowhere once it has ended', async () => {
    const one = connected();
    const two = connected();
    const alice = new EntryAccount('alice', new Actor('user'));
    place(one, 1, alice, {});
    place(two, 2, alice, {});
    entry.disconnect(one.number);
    const three = connected();
    expect(three.number).not.toBe(one.number);
    await sequencer.settled();
    expect([one.told, two.told.length, core.openOrders]).toEqual([[], 1, 2]);
    // Its number is free now that nothing waits for it any more.
    expect(connected().number).toBe(one.number);
  });

  it('that tell of nothing under way do not wait for a commit', async () => {
    const link = connected();
    place(link, 1, new EntryAccount('alice', new Actor('user')), { quantityLots: 0 });
    expect(link.told).toEqual([]);
    await Promise.resolve();
    expect([link.told.map(({ status }) => status), link.sends]).toEqual([[REJECT.badQuantity], [1]]);
  });

  it('never tell of what is not durable: a refusal waits for what it was refused for', async () => {
    const link = connected();
    const alice = new EntryAccount('alice', new Actor('user'));
    place(link, 1, alice, { idLow: 5 });
    place(link, 2, alice, { idLow: 5 });
    await Promise.resolve();
    expect(link.told).toEqual([]);
    await sequencer.settled();
    expect(link.told.map(({ order, extra }) => [order, extra])).toEqual([
      [1, 0],
      [1, 1],
    ]);
  });
});

describe('orders', () => {
  it('carry every term to the core', async () => {
    const link = connected();
    const alice = new EntryAccount('alice', new Actor('user'));
    const expiryMicros = (Date.now() + 60_000) * 1000;
    place(link, 1, alice, {
      type: STOP_LIMIT,
      stopTicks: 120,
      priceTicks: 121,
      quantityLots: 10,
      displayLots: 3,
      timeInForce: GTD,
      expiryMicros,
      session: 4,
      selfTrade: 2,
    });
    place(link, 2, alice, { postOnly: true, priceTicks: 90 });
    place(link, 3, alice, { timeInForce: IOC, priceTicks: 80 });
    place(link, 4, alice, { selfTrade: 8 });
    place(link, 5, alice, { instrument: 0xffff_ffff });
    await sequencer.settled();
    expect(link.told.map(({ kind, status }) => [kind, status])).toEqual([
      ['placed', PENDING],
      ['placed', OPEN],
      ['placed', CANCELLED],
      ['rejected', REJECT.badTerms],
      ['rejected', REJECT.unknownInstrument],
    ]);
    const [batch] = durable.read(1, 1);
    const { words, doubles } = batch?.slots ?? sequencer.slots;
    expect([...doubles.subarray(3, 5), ...doubles.subarray(8, 11), words[14]]).toEqual([121, 10, 120, 3, expiryMicros, 4]);
  });

  it('are replaced: what remains, the price, and only when as much remains as was expected', async () => {
    const link = connected();
    const alice = new EntryAccount('alice', new Actor('user'));
    const bob = new EntryAccount('bob', new Actor('user'));
    place(link, 1, alice, { side: SELL, priceTicks: 105, quantityLots: 5 });
    place(link, 2, bob, { priceTicks: 100, quantityLots: 2 });
    replace(link, 3, alice, { orderId: 1, quantityLots: 4 });
    replace(link, 4, alice, { orderId: 1, quantityLots: 3, expectedLots: 5 });
    replace(link, 5, bob, { orderId: 1, quantityLots: 3 });
    replace(link, 6, bob, { orderId: 2, priceTicks: 105 });
    replace(link, 7, new EntryAccount('nobody', new Actor('user')), { orderId: 1, priceTicks: 1 });
    await sequencer.settled();
    expect(link.told.slice(2)).toMatchObject([
      { kind: 'replaced', order: 1, remaining: 4, filled: 0, status: OPEN },
      { kind: 'rejected', status: REJECT.stale },
      { kind: 'rejected', status: REJECT.unknownOrder },
      { kind: 'replaced', order: 2, remaining: 0, filled: 2, status: FILLED, detail: 1 },
      { kind: 'fill', order: 2, filled: 2, remaining: 0, status: 1, detail: 105 },
      { kind: 'rejected', status: REJECT.unknownOrder },
    ]);
  });

  it('of an account are cancelled together', async () => {
    const link = connected();
    const alice = new EntryAccount('alice', new Actor('user'));
    for (const request of [1, 2, 3]) place(link, request, alice, { priceTicks: request });
    place(link, 4, new EntryAccount('bob', new Actor('user')), {});
    entry.massCancel(link.number, 5, alice, ALL_INSTRUMENTS, performance.now());
    entry.massCancel(link.number, 6, new EntryAccount('nobody', new Actor('user')), 0, performance.now());
    entry.massCancel(link.number, 7, alice, 9, performance.now());
    await sequencer.settled();
    expect(link.told.slice(4)).toMatchObject([
      { kind: 'massCancelled', request: 5, filled: 3 },
      { kind: 'massCancelled', request: 6, filled: 0 },
      { kind: 'rejected', request: 7, status: REJECT.unknownInstrument },
    ]);
    expect([core.openOrders, stats.cancels]).toEqual([1, 3]);
  });

  it('are cancelled together at the rate of the account; what is refused costs nothing', async () => {
    sequencer.close();
    durable.close();
    open({ ordersPerSecond: 1e-6, burst: 2 });
    const link = connected();
    const alice = new EntryAccount('alice', new Actor('user'));
    place(link, 1, alice, {});
    entry.massCancel(link.number, 2, alice, 9, performance.now());
    for (const request of [3, 4]) entry.massCancel(link.number, request, alice, ALL_INSTRUMENTS, performance.now());
    await sequencer.settled();
    expect(link.told.slice(1)).toMatchObject([
      { kind: 'rejected', request: 2, status: REJECT.unknownInstrument },
      { kind: 'massCancelled', request: 3, filled: 1 },
      { kind: 'rejected', request: 4, status: REJECT.rate },
    ]);
    expect(core.sequence).toBe(2);
  });

  it('name their account with the first of it that is accepted', async () => {
    const link = connected();
    const alice = new EntryAccount('alice', new Actor('user'));
    place(link, 1, alice, { quantityLots: 5000 });
    expect([accounts.count, alice.id]).toEqual([0, -1]);
    sequencer.send({ ...LIMIT_ORDER, kind: 1, side: BUY, type: LIMIT, timeInForce: GTC, selfTrade: 0, account: 0 }, { account: 'bob' });
    place(link, 2, alice, {});
    place(link, 3, new EntryAccount('bob', new Actor('user')), {});
    await sequencer.settled();
    expect([accounts.find('bob'), accounts.find('alice'), core.ownerOf(2), core.ownerOf(3)]).toEqual([0, 1, 1, 0]);
    expect(durable.read(1, 10).flatMap(({ texts }) => texts)).toEqual([
      { sequence: 1, kind: ACCOUNT_NAME, text: 'bob' },
      { sequence: 2, kind: PRINCIPAL_NAME, text: 'user' },
      { sequence: 2, kind: ACCOUNT_NAME, text: 'alice' },
    ]);
  });

  it('that were accepted before are answered with their id, whatever they ask for, and cost no token', async () => {
    sequencer.close();
    durable.close();
    open({ ordersPerSecond: 1e-6, burst: 2 });
    const link = connected();
    const alice = new EntryAccount('alice', new Actor('user'));
    const bits = { low: 0, high: 0 };
    hashClientOrderId('000000070000000a', bits);
    sequencer.send(
      {
        ...LIMIT_ORDER,
        kind: 1,
        side: BUY,
        type: LIMIT,
        timeInForce: GTC,
        selfTrade: 0,
        account: 0,
        clientIdLow: bits.low,
        clientIdHigh: bits.high,
      },
      { account: 'alice', clientOrderId: '000000070000000a' },
    );
    place(link, 1, alice, { idLow: 10, idHigh: 7, quantityLots: 999 });
    place(link, 2, alice, { idLow: 11 });
    place(link, 3, alice, { idLow: 12 });
    // No tokens are left from here on.
    place(link, 4, alice, { idLow: 11 });
    place(link, 5, alice, { idLow: 13 });
    place(link, 6, alice, {});
    replace(link, 7, alice, { orderId: 1, priceTicks: 99 });
    place(link, 8, new EntryAccount('bob', new Actor('user')), {});
    await sequencer.settled();
    expect(link.told.map(({ kind, order, status, extra }) => [kind, order, status, extra])).toEqual([
      ['placed', 1, 0, 1],
      ['placed', 2, OPEN, 0],
      ['placed', 3, OPEN, 0],
      ['placed', 2, 0, 1],
      ['rejected', 0, REJECT.rate, 0],
      ['rejected', 0, REJECT.rate, 0],
      ['rejected', 0, REJECT.rate, 0],
      ['placed', 4, OPEN, 0],
    ]);
    expect(core.openOrders).toBe(4);
  });
});

describe('what cannot be taken', () => {
  it('is refused at once: nothing is taken now', async () => {
    const link = connected();
    refusal = drainingProblem();
    place(link, 1, new EntryAccount('alice', new Actor('user')), {});
    entry.cancel(link.number, 2, new EntryAccount('alice', new Actor('user')), 1, performance.now());
    await Promise.resolve();
    expect(link.told).toMatchObject([
      { kind: 'rejected', request: 1, status: REJECT.stopping },
      { kind: 'rejected', request: 2, status: REJECT.stopping },
    ]);
    expect(link.sends).toEqual([2]);
  });

  it('is refused at once: as many answers wait as there is memory for; fills that do not fit are left out', async () => {
    sequencer.close();
    durable.close();
    open(undefined, 4);
    const [one, two, three, four] = [connected(), connected(), connected(), connected()];
    const alice = new EntryAccount('alice', new Actor('user'));
    place(one, 1, alice, { side: SELL });
    place(two, 2, alice, { side: SELL });
    place(three, 3, alice, { quantityLots: 2 });
    place(four, 4, alice, {});
    expect(core.sequence).toBe(3);
    await Promise.resolve();
    expect(four.told).toMatchObject([{ kind: 'rejected', request: 4, status: REJECT.busy }]);
    await sequencer.settled();
    expect([one.told, two.told, three.told]).toMatchObject([
      [{ kind: 'placed', request: 1 }],
      [{ kind: 'placed', request: 2 }],
      [
        { kind: 'placed', request: 3, filled: 2, detail: 2 },
        { kind: 'fill', request: 3 },
      ],
    ]);
    place(four, 5, alice, {});
    await sequencer.settled();
    expect(four.told.at(-1)).toMatchObject({ kind: 'placed', request: 5 });
  });

  it('is refused at once: a quarter of what there is memory for waits for one connection, and others are served', async () => {
    sequencer.close();
    durable.close();
    open(undefined, 8);
    const [greedy, other] = [connected(), connected()];
    const alice = new EntryAccount('alice', new Actor('user'));
    for (const request of [1, 2, 3]) place(greedy, request, alice, {});
    place(other, 4, alice, {});
    await Promise.resolve();
    expect(greedy.told).toMatchObject([{ kind: 'rejected', request: 3, status: REJECT.busy }]);
    await sequencer.settled();
    expect([core.sequence, other.told]).toMatchObject([3, [{ kind: 'placed', request: 4 }]]);
    place(greedy, 5, alice, {});
    await sequencer.settled();
    expect(greedy.told.at(-1)).toMatchObject({ kind: 'placed', request: 5 });
  });

  it('is no try of a breaker that lets few through: what is taken is', async () => {
    const tries: number[] = [];
    const admission = { shut: 1, refuseOrder: () => REJECT.none, ordered: () => void tries.push(core.sequence) };
    const engine = { accepting: { core, sequencer, accounts }, refusal: drainingProblem };
    entry = new OrderEntry({ engine, limiter: new RateLimiter({ ordersPerSecond: 1e-6, burst: 5 }), stats, admission });
    const link = connected();
    const alice = new EntryAccount('alice', new Actor('user'));
    place(link, 1, alice, { quantityLots: 5000 });
    replace(link, 2, alice, { orderId: 1, priceTicks: 99 });
    place(link, 3, alice, {});
    replace(link, 4, alice, { orderId: 1, priceTicks: 99 });
    replace(link, 5, alice, { orderId: 9, priceTicks: 99 });
    entry.cancel(link.number, 6, alice, 1, performance.now());
    for (const request of [7, 8, 9]) place(link, request, alice, {});
    await sequencer.settled();
    const kinds = 'rejected rejected placed replaced rejected cancelled placed rejected rejected';
    expect(link.told.map(({ kind }) => kind).join(' ')).toBe(kinds);
    expect(tries).toEqual([1, 2, 4]);
  });

  it('because the journal is full is refused, all of it; then the rebuilt books take orders, with their own accounts', async () => {
    const link = connected();
    const alice = new EntryAccount('alice', new Actor('user'));
    place(link, 1, alice, { side: SELL });
    place(link, 2, alice, {});
    place(link, 3, alice, { quantityLots: 0 });
    listener?.failed(new JournalError('HFT_JOURNAL_FULL', 'no room'));
    expect(link.told.map(({ kind, request, status }) => [kind, request, status])).toEqual([
      ['rejected', 1, REJECT.journal],
      ['rejected', 2, REJECT.journal],
      ['rejected', 3, REJECT.journal],
    ]);
    expect([link.sends, entry.waiting]).toEqual([[3], 0]);
    place(link, 4, alice, {});
    await Promise.resolve();
    expect(link.told.at(-1)).toMatchObject({ request: 4, status: REJECT.journal });
    sequencer.close();
    durable.close();
    rmSync(directory, { recursive: true });
    durable = SqliteJournal.open((directory = temporaryDirectory()), 'commit');
    newMarket();
    place(link, 5, new EntryAccount('bob', new Actor('user')), {});
    place(link, 6, alice, {});
    await sequencer.settled();
    expect(link.told.slice(-2)).toMatchObject([
      { kind: 'placed', request: 5, order: 1 },
      { kind: 'placed', request: 6, order: 2 },
    ]);
    expect([accounts.find('bob'), accounts.find('alice'), alice.id]).toEqual([0, 1, 1]);
  });
});
