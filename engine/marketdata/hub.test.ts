import { rmSync } from 'node:fs';
import { setImmediate as nextTick } from 'node:timers/promises';
import { expect, it, vi } from 'vitest';
import type { AnyFrame, FrameOf } from '../client/websocket-codec.ts';
import { BUY, OPEN, PENDING, SELL } from '../core/types.ts';
import { JournalReader } from '../journal/reader.ts';
import { SqliteJournal } from '../journal/sqlite-journal.ts';
import { temporaryDirectory } from '../testing/temporary-directory.ts';
import { RandomMarket } from '../views/naive-views.ts';
import { AccountHandles } from './account-handles.ts';
import { Feed } from './feed.ts';
import { MarketDataFigures } from './figures.ts';
import { ALL_OF_THEM, Hub, type Bounds } from './hub.ts';
import { OrdersSource } from './streams.ts';
import type { StreamRequest, Subscriber } from './subscriber.ts';
import type { Update, UpdateWriter } from './update.ts';

const SYMBOLS = ['A', 'B', 'C'];
const REQUEST: StreamRequest = { channel: 'book', number: 1, instrument: ALL_OF_THEM, depth: 0, account: '', fromSequence: 0 };

/** A subscriber of whom the test says how much waits. */
class Listener implements Subscriber {
  bufferedBytes = 0;
  flushes = 0;
  closed: number | undefined;
  readonly frames: AnyFrame[] = [];
  readonly messages: Update[] = [];
  /** Of prices, which are no frames. */
  readonly isRaw: boolean;

  constructor(isRaw = false) {
    this.isRaw = isRaw;
  }

  send(update: Update): void {
    this.messages.push(update);
    if (this.isRaw) return;
    this.frames.push(...update.decoded);
  }

  flush(): void {
    this.flushes += 1;
  }

  close(code: number): void {
    this.closed = code;
  }

  of<Name extends AnyFrame['frame']>(name: Name): Extract<AnyFrame, { frame: Name }>[] {
    return this.frames.filter((frame): frame is Extract<AnyFrame, { frame: Name }> => frame.frame === name);
  }
}

class TestHub implements Disposable {
  readonly directory = temporaryDirectory();
  readonly market: RandomMarket;
  readonly figures = new MarketDataFigures();
  readonly warnings: string[] = [];
  readonly journal: SqliteJournal;
  nowMs = 0;
  hub: Hub;

  constructor(seed: number, bounds: Partial<Bounds> = {}) {
    this.market = new RandomMarket(seed, SYMBOLS.length);
    this.journal = SqliteJournal.open(this.directory, 'commit');
    this.market.begin(this.journal);
    this.hub = this.open(bounds);
  }

  open(bounds: Partial<Bounds> = {}): Hub {
    const handles = new AccountHandles();
    const warn = (_details: object, message: string): void => void this.warnings.push(message);
    const open = (): Feed =>
      new Feed({ dataDirectory: this.directory, journal: JournalReader.open(this.directory), instruments: SYMBOLS.length, warn });
    return new Hub({
      open,
      symbols: SYMBOLS,
      handleOf: (name) => handles.of(name),
      figures: this.figures,
      warn,
      bounds,
      nowMs: () => this.nowMs,
    });
  }

  async grow(commands: number): Promise<void> {
    for (let left = commands; left > 0; left -= 50) {
      this.market.run(this.journal, Math.min(left, 50));
      await nextTick();
    }
    await nextTick();
  }

  /** Turns until there is nothing more to follow. */
  turn(): void {
    this.nowMs += 10;
    while (this.hub.turn());
  }

  [Symbol.dispose](): void {
    this.hub.close();
    this.journal.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

interface KeptLevel {
  readonly side: string;
  readonly priceTicks: number;
  readonly quantityLots: bigint;
  readonly orders: number;
}
type KeptOrder = Pick<FrameOf<'bookOrder'>, 'orderId' | 'side' | 'priceTicks' | 'quantityLots'>;

/** What somebody knows who keeps what the frames say. */
function kept(frames: readonly AnyFrame[], instrument: number): { levels: KeptLevel[]; orders: KeptOrder[] } {
  let levels = new Map<string, KeptLevel>();
  let orders = new Map<number, FrameOf<'bookOrder'>>();
  for (const frame of frames) {
    if (!('instrument' in frame) || frame.instrument !== instrument) continue;
    if (frame.frame === 'book' && frame.snapshot === true) levels = new Map();
    else if (frame.frame === 'level') {
      const { side, priceTicks, quantityLots, orders: count } = frame;
      if (quantityLots === 0) levels.delete(`${side} ${priceTicks}`);
      else levels.set(`${side} ${priceTicks}`, { side, priceTicks, quantityLots: BigInt(quantityLots), orders: count });
    } else if (frame.frame === 'bookOrder') {
      if (frame.first === true) orders = new Map();
      else if (frame.quantityLots === 0) orders.delete(frame.orderId);
      else orders.set(frame.orderId, frame);
    }
  }
  const sorted = [...orders.values()].map(({ orderId, side, priceTicks, quantityLots }) => ({ orderId, side, priceTicks, quantityLots }));
  return { levels: [...levels.values()], orders: sorted };
}

const byPrice = (one: { priceTicks: number }, other: { priceTicks: number }): number => one.priceTicks - other.priceTicks;

it.each([1, 2, 3, 4, 5, 6])('whoever keeps what it is told knows the books, however slowly it reads (seed %i)', async (seed) => {
  using test = new TestHub(seed);
  await test.grow(300);
  const [quick, slow] = [new Listener(), new Listener()];
  for (const listener of [quick, slow])
    for (const channel of ['book', 'orders', 'top', 'trades', 'drop-copy'] as const) test.hub.subscribe(listener, { ...REQUEST, channel });
  for (let step = 0; step < 20; step += 1) {
    slow.bufferedBytes = step % 4 === 1 || step % 4 === 2 ? 300_000 : 0;
    await test.grow(40);
    test.turn();
  }
  slow.bufferedBytes = 0;
  test.turn();
  expect(test.figures.get('conflations')).toBeGreaterThan(0);
  for (const listener of [quick, slow])
    for (const instrument of SYMBOLS.keys()) {
      const book = test.market.core.book(instrument);
      const { levels, orders } = kept(listener.frames, instrument);
      for (const [side, name] of [
        [BUY, 'buy'],
        [SELL, 'sell'],
      ] as const) {
        const expected = book.depth(side, Infinity);
        const known = levels.filter((level) => level.side === name).map(({ side: _side, ...level }) => level);
        expect(known.toSorted(byPrice)).toEqual(expected.toSorted(byPrice));
        for (const { priceTicks } of expected)
          expect(orders.filter((order) => order.side === name && order.priceTicks === priceTicks)).toEqual(
            book.ordersAt(side, priceTicks).map((order) => ({ ...order, side: name })),
          );
      }
      const top = listener.of('top').findLast((frame) => frame.instrument === instrument);
      expect(top).toMatchObject({ bidTicks: book.bestTicks(BUY), askTicks: book.bestTicks(SELL) });
    }
  expect(slow.of('gap').length).toBeGreaterThan(0);
  expect(quick.of('gap')).toEqual([]);
  // Trades and orders are never passed over.
  for (const listener of [quick, slow]) {
    const since = listener.of('subscribed')[0]?.sequence ?? 0;
    const fills = test.market.views.fills.filter(({ sequence }) => sequence > since);
    const trades = listener.of('trade').toSorted((one, other) => one.sequence - other.sequence || one.index - other.index);
    expect(trades.map(({ sequence, index, takerOrderId }) => [sequence, index, takerOrderId])).toEqual(
      fills.map(({ sequence, index, takerOrderId }) => [sequence, index, takerOrderId]),
    );
    const known = new Map(listener.of('orderUpdate').map((frame) => [frame.orderId, frame]));
    const open = [...test.market.views.orders.values()].filter(({ status }) => status === OPEN || status === PENDING);
    for (const { id, priceTicks, status } of open)
      expect(known.get(id)).toMatchObject({ priceTicks, status: status === OPEN ? 'open' : 'pending' });
    const openNow = [...known.values()].filter(({ status }) => status === 'open' || status === 'pending').map(({ orderId }) => orderId);
    expect(openNow.toSorted((one, other) => one - other)).toEqual(open.map(({ id }) => id));
  }
});

it('fills what was missed from the journal, also by a thread that has just begun; and says so where it cannot', async () => {
  using test = new TestHub(7);
  await test.grow(400);
  const from = test.market.core.sequence;
  await test.grow(400);
  const listener = new Listener();
  test.hub.subscribe(listener, { ...REQUEST, channel: 'trades', fromSequence: from });
  test.turn();
  const missed = test.market.views.fills.filter(({ sequence }) => sequence > from);
  const heard = listener.of('trade').map(({ sequence, index }) => `${sequence} ${index}`);
  expect(heard.toSorted()).toEqual(missed.map(({ sequence, index }) => `${sequence} ${index}`).toSorted());
  expect(missed.length).toBeGreaterThan(10);
  const late = new Listener();
  test.hub.subscribe(late, { ...REQUEST, instrument: 1, fromSequence: from });
  test.turn();
  expect(late.of('gap')).toEqual([
    { frame: 'gap', number: 0, fromSequence: from, toSequence: test.market.core.sequence, instrument: 1, channel: 'book' },
  ]);
  expect(late.of('book')).toMatchObject([{ snapshot: true }]);
  await test.grow(100);
  test.turn();
  const back = new Listener();
  test.hub.subscribe(back, { ...REQUEST, instrument: 1, fromSequence: late.of('book')[0]?.sequence ?? 0 });
  test.turn();
  expect(back.of('gap')).toEqual([]);
  expect(back.of('level')).toEqual(late.of('level').slice(-back.of('level').length));
});

it('closes who does not read for too long, or lets too much wait', async () => {
  using test = new TestHub(8, { slowMs: 1000, mostBytes: 1_000_000 });
  const [slow, stuck, quick] = [new Listener(), new Listener(), new Listener()];
  for (const listener of [slow, stuck, quick]) test.hub.subscribe(listener, { ...REQUEST, channel: 'trades' });
  await test.grow(200);
  test.turn();
  slow.bufferedBytes = 400_000;
  stuck.bufferedBytes = 1_000_001;
  await test.grow(200);
  test.turn();
  expect([slow.closed, stuck.closed, quick.closed]).toEqual([undefined, 4000, undefined]);
  test.nowMs += 1000;
  test.turn();
  expect([slow.closed, quick.closed]).toEqual([4000, undefined]);
  expect(test.figures.get('slowClosed')).toBe(2);
});

it('gives no more snapshots to who has not read the last', async () => {
  using test = new TestHub(11, { mostBytes: 100 });
  await test.grow(300);
  const listener = new Listener();
  listener.bufferedBytes = 100_000;
  test.hub.subscribe(listener, { ...REQUEST, channel: 'orders', instrument: 0 });
  test.hub.subscribe(listener, { ...REQUEST, channel: 'orders', instrument: 1 });
  test.turn();
  expect(listener.of('subscribed')).toHaveLength(1);
  listener.bufferedBytes = 0;
  test.turn();
  test.turn();
  expect(listener.of('subscribed')).toHaveLength(2);
});

it('follows so many streams for one, forgets who leaves, and rests when nobody follows anything', async () => {
  using test = new TestHub(9, { mostStreams: 4, lingerMs: 1000 });
  await test.grow(100);
  expect(test.hub.isIdle).toBe(true);
  const listener = new Listener();
  test.hub.subscribe(listener, REQUEST);
  test.hub.subscribe(listener, { ...REQUEST, channel: 'top', number: 2 });
  test.turn();
  expect(listener.of('rejected')).toMatchObject([{ number: 2, reject: 22 }]);
  expect(listener.of('subscribed')).toHaveLength(3);
  expect([test.figures.get('subscriptions'), test.figures.get('following')]).toEqual([3, 1]);
  test.hub.unsubscribe(listener, { ...REQUEST, instrument: 2 });
  expect(test.figures.get('subscriptions')).toBe(2);
  test.hub.leave(listener);
  expect(test.figures.get('subscriptions')).toBe(0);
  test.nowMs += 500;
  test.turn();
  expect(test.hub.isIdle).toBe(false);
  test.nowMs += 2000;
  test.turn();
  expect(test.hub.isIdle).toBe(true);
});

it('sends everybody away when the journal cannot be followed, and serves those that come back', async () => {
  using test = new TestHub(10);
  const listener = new Listener();
  test.hub.subscribe(listener, REQUEST);
  test.turn();
  const read = vi.spyOn(JournalReader.prototype, 'read').mockImplementation(() => {
    throw new Error('the disk is gone');
  });
  test.turn();
  read.mockRestore();
  expect(listener.closed).toBe(1012);
  expect(test.warnings).toHaveLength(1);
  test.hub.leave(listener);
  expect(test.hub.isIdle).toBe(true);
});

it('begins prices from now, whatever was heard of them, and harms nobody else', async () => {
  using test = new TestHub(12);
  const [other, first, back] = [new Listener(), new Listener(true), new Listener(true)];
  test.hub.subscribe(other, { ...REQUEST, channel: 'trades' });
  test.hub.subscribe(first, { ...REQUEST, channel: 'prices' });
  test.turn();
  const from = test.market.core.sequence;
  await test.grow(400);
  test.turn();
  const before = first.messages.length;
  expect(before).toBeGreaterThan(0);
  // In the middle of what one update tells.
  test.hub.subscribe(back, { ...REQUEST, channel: 'prices', fromSequence: from + 1 });
  test.turn();
  expect([first.closed, back.closed, other.closed]).toEqual([undefined, undefined, undefined]);
  expect(back.messages).toEqual([]);
  await test.grow(400);
  test.turn();
  expect(back.messages).toEqual(first.messages.slice(before));
  expect(back.messages.length).toBeGreaterThan(0);
});

it('sends away only those whose stream cannot begin', async () => {
  using test = new TestHub(13);
  await test.grow(200);
  const [good, bad] = [new Listener(), new Listener()];
  test.hub.subscribe(good, REQUEST);
  test.turn();
  const snapshot = vi.spyOn(OrdersSource.prototype, 'snapshot').mockImplementation((out: UpdateWriter) => {
    out.add(Buffer.alloc(48, 255));
    throw new Error('it cannot be written');
  });
  test.hub.subscribe(bad, { ...REQUEST, channel: 'orders' });
  test.turn();
  snapshot.mockRestore();
  expect([good.closed, bad.closed]).toEqual([undefined, 1012]);
  expect(bad.messages).toEqual([]);
  expect(test.warnings).toHaveLength(1);
  expect(test.figures.get('subscriptions')).toBe(SYMBOLS.length);
  await test.grow(200);
  test.turn();
  // What was half written is nobody's.
  expect(good.of('level').length).toBeGreaterThan(0);
  for (const instrument of SYMBOLS.keys()) {
    const book = test.market.core.book(instrument);
    const expected = [...book.depth(BUY, Infinity), ...book.depth(SELL, Infinity)];
    const known = kept(good.frames, instrument).levels.map(({ side: _side, ...level }) => level);
    expect(known.toSorted(byPrice)).toEqual(expected.toSorted(byPrice));
  }
});

it('says from where a stream goes on in the same message as what was before', async () => {
  using test = new TestHub(14);
  await test.grow(400);
  const names = ({ decoded }: Update): string[] => [...new Set(decoded.map(({ frame }) => frame))];
  const [first, known, unknown] = [new Listener(), new Listener(), new Listener()];
  test.hub.subscribe(first, { ...REQUEST, instrument: 0 });
  test.turn();
  expect(first.messages.map(names)).toEqual([['subscribed', 'book', 'level']]);
  const from = test.market.core.sequence;
  for (let step = 0; step < 3; step += 1) {
    await test.grow(100);
    test.turn();
  }
  test.hub.subscribe(known, { ...REQUEST, instrument: 0, fromSequence: from });
  test.hub.subscribe(unknown, { ...REQUEST, instrument: 0, fromSequence: from - 1 });
  test.turn();
  expect(known.messages.map(names)).toEqual([['subscribed', 'book', 'level']]);
  expect(known.of('level')).toEqual(first.messages.slice(1).flatMap(({ decoded }) => decoded.filter(({ frame }) => frame === 'level')));
  expect(unknown.messages.map(names)).toEqual([['subscribed', 'gap', 'book', 'level']]);
  // As are what was passed over, and how things are.
  first.bufferedBytes = 300_000;
  await test.grow(100);
  test.turn();
  first.bufferedBytes = 0;
  const before = first.messages.length;
  test.turn();
  expect(first.messages.slice(before).map(names)).toEqual([['gap', 'book', 'level']]);
});

it('closes who asks for prices when there are none: no frame could say so', async () => {
  using test = new TestHub(15, { mostStreams: 2 });
  await test.grow(50);
  const [many, early] = [new Listener(true), new Listener(true)];
  test.hub.subscribe(many, { ...REQUEST, channel: 'prices' });
  expect([many.closed, many.messages]).toEqual([1012, []]);
  const open = vi.spyOn(JournalReader, 'open').mockImplementation(() => {
    throw new Error('there is no journal');
  });
  test.hub.subscribe(early, { ...REQUEST, channel: 'prices', instrument: 0 });
  open.mockRestore();
  expect([early.closed, early.messages]).toEqual([1012, []]);
});

it('writes a snapshot once for all who begin in a turn, and lets only so much of them begin', async () => {
  using test = new TestHub(16);
  await test.grow(400);
  const write = vi.spyOn(OrdersSource.prototype, 'snapshot');
  const join = (hub: Hub): Listener => {
    const listener = new Listener();
    hub.subscribe(listener, { ...REQUEST, channel: 'orders', instrument: 1 });
    return listener;
  };
  const listeners = Array.from({ length: 20 }, () => join(test.hub));
  test.turn();
  expect(write).toHaveBeenCalledTimes(1);
  for (const listener of listeners) expect(listener.frames).toEqual(listeners[0]?.frames);
  const last = join(test.hub);
  test.turn();
  expect(write).toHaveBeenCalledTimes(2);
  expect(last.frames).toEqual(listeners[0]?.frames);
  test.hub.close();
  const bytes = (listeners[0]?.messages[0]?.message.length ?? 0) * 2.5;
  const hub = test.open({ turnBytes: bytes });
  const others = Array.from({ length: 7 }, () => join(hub));
  const begun: number[] = [];
  for (let turn = 0; turn < 4; turn += 1) {
    while (hub.turn());
    begun.push(others.filter(({ messages }) => messages.length > 0).length);
  }
  write.mockRestore();
  hub.close();
  expect(begun).toEqual([3, 6, 7, 7]);
});
