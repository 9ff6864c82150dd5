/** What there is to follow. A stream knows what its subscribers were told, and writes what they are told next: once, for all of them. */
import { PRICE_UPDATE_LAYOUT } from '../client/websocket-layout.ts';
import type { BookView } from '../core/types.ts';
import {
  Top,
  writeAccount,
  writeBook,
  writeBookOrder,
  writeBookOrders,
  writeFill,
  writeOrder,
  writeState,
  writeTrade,
  type Place,
} from './encode.ts';
import type { Feed } from './feed.ts';
import { History, type HistoryBudget } from './history.ts';
import { ToldLevels, ToldOrders } from './levels.ts';
import type { OwnOrders } from './own-orders.ts';
import { TouchedBook } from './touched.ts';
import type { Update, UpdateWriter } from './update.ts';

/** Writes the frames of a stream. */
export interface Source {
  /** What is other than it was told last. */
  changes(out: UpdateWriter, place: Place): void;
  /** What there is, as it was told last; nothing for streams of events. */
  snapshot(out: UpdateWriter, place: Place): void;
}

/** Depths that streams of level 2 have: what is asked for is rounded up to one of them, so that many share it. */
const DEPTHS = [1, 5, 10, 20, 50, 100, 500];

/** Levels that a subscriber gets who asks for `depth`; 0 for all. */
export function sharedDepth(depth: number): number {
  return depth === 0 ? 0 : (DEPTHS.find((known) => known >= depth) ?? 0);
}

interface StreamTerms {
  readonly instrument: number;
  readonly conflates: boolean;
  /** Sequence. */
  readonly since: number;
  /** Of the histories of all streams; undefined when nothing of this one is kept. */
  readonly budget: HistoryBudget | undefined;
}

export class Stream<Subscription> {
  readonly subscriptions = new Set<Subscription>();
  /** When the last subscriber left, in ms of the hub's clock; undefined while there is one. */
  emptyMs: number | undefined;
  /** Whether a subscriber that does not keep up may be told the state later, and not what led to it. */
  readonly conflates: boolean;
  readonly instrument: number;
  readonly #source: Source;
  readonly #history: History | undefined;
  #number = 0;
  #snapshot: Update | undefined;

  /** What happened after `since` is told from now on. */
  constructor(source: Source, { instrument, conflates, since, budget }: StreamTerms) {
    this.#source = source;
    this.instrument = instrument;
    this.conflates = conflates;
    this.#history = budget === undefined ? undefined : new History(since, budget);
  }

  /** What subscribers are told of all up to `sequence`; undefined for nothing. */
  changes(out: UpdateWriter, sequence: number): Update | undefined {
    const number = this.#number + 1;
    this.#source.changes(out, { number, sequence, instrument: this.instrument });
    if (out.isEmpty) return undefined;
    this.#number = number;
    const update = out.finish(sequence, number);
    this.#history?.add(update);
    return update;
  }

  /** How things are at `sequence`, which was the last that was told; undefined for a stream of events. */
  snapshot(out: UpdateWriter, sequence: number): Update | undefined {
    const last = this.#snapshot;
    if (last?.sequence === sequence && last.number === this.#number) return last;
    this.#source.snapshot(out, { number: this.#number, sequence, instrument: this.instrument });
    this.#snapshot = out.isEmpty ? undefined : out.finish(sequence, this.#number);
    return this.#snapshot;
  }

  /** Those who begin in one turn share a snapshot; it is not kept for others. */
  forgetSnapshot(): void {
    this.#snapshot = undefined;
  }

  /** What was told after `sequence`; undefined when that is not known any more. */
  after(sequence: number): Update[] | undefined {
    return this.#history?.after(sequence);
  }

  /** Nobody follows it any more. */
  close(): void {
    this.#history?.clear();
  }
}

/** Of one book. `look` takes what is new, `write` writes all that was taken. */
abstract class BookSource implements Source {
  readonly #feed: Feed;
  readonly #instrument: number;

  constructor(feed: Feed, instrument: number) {
    this.#feed = feed;
    this.#instrument = instrument;
  }

  changes(out: UpdateWriter, place: Place): void {
    const touched = this.#feed.touched.books[this.#instrument];
    if (touched?.isTouched === true) this.told(out, place, this.book, touched);
  }

  abstract snapshot(out: UpdateWriter, place: Place): void;
  protected abstract told(out: UpdateWriter, place: Place, book: BookView, touched: TouchedBook): void;

  protected get book(): BookView {
    return this.#feed.book(this.#instrument);
  }
}

/** Everything may be other than was told. */
const WHOLE = new TouchedBook();
WHOLE.whole();

export class TopSource extends BookSource {
  readonly #top = new Top();

  constructor(feed: Feed, instrument: number) {
    super(feed, instrument);
    this.#top.look(this.book);
  }

  override snapshot(out: UpdateWriter, place: Place): void {
    this.#top.write(out, place);
  }

  protected override told(out: UpdateWriter, place: Place, book: BookView): void {
    if (this.#top.look(book)) this.#top.write(out, place);
  }
}

export class LevelsSource extends BookSource {
  readonly #levels: ToldLevels;
  #state: number;

  /** `depth`: levels of a side; 0 for all. */
  constructor(feed: Feed, instrument: number, depth: number) {
    super(feed, instrument);
    this.#levels = new ToldLevels(depth === 0 ? Infinity : depth);
    this.#levels.changes(this.book, WHOLE);
    this.#state = this.book.state;
  }

  override snapshot(out: UpdateWriter, place: Place): void {
    writeBook(out, place, this.#state, [...this.#levels], true);
  }

  protected override told(out: UpdateWriter, place: Place, book: BookView, touched: TouchedBook): void {
    const changes = this.#levels.changes(book, touched);
    if (changes.length === 0 && book.state === this.#state) return;
    this.#state = book.state;
    writeBook(out, place, book.state, changes, false);
  }
}

export class OrdersSource extends BookSource {
  readonly #orders = new ToldOrders();

  constructor(feed: Feed, instrument: number) {
    super(feed, instrument);
    this.#orders.changes(this.book, WHOLE);
  }

  override snapshot(out: UpdateWriter, place: Place): void {
    writeBookOrders(out, place, this.#orders);
  }

  protected override told(out: UpdateWriter, place: Place, book: BookView, touched: TouchedBook): void {
    for (const change of this.#orders.changes(book, touched)) writeBookOrder(out, place, change);
  }
}

/** Trades and trading states of one instrument. */
export class TradesSource implements Source {
  readonly #feed: Feed;

  constructor(feed: Feed) {
    this.#feed = feed;
  }

  changes(out: UpdateWriter, { number, instrument }: Place): void {
    const { trades, states } = this.#feed.touched;
    for (const trade of trades) if (trade.instrument === instrument) writeTrade(out, number, trade);
    for (const change of states) if (change.instrument === instrument) writeState(out, number, change);
  }

  snapshot(): void {
    // There is none: what happened has happened.
  }
}

/** The price updates of one instrument: 32 bytes a trade, and no header. */
export class PricesSource implements Source {
  readonly #feed: Feed;
  readonly #symbol: Buffer;

  constructor(feed: Feed, symbol: string) {
    this.#feed = feed;
    this.#symbol = Buffer.alloc(8);
    this.#symbol.write(symbol, 'latin1');
  }

  changes(out: UpdateWriter, { instrument }: Place): void {
    const { at, bytes } = PRICE_UPDATE_LAYOUT;
    const update = Buffer.alloc(bytes);
    for (const { instrument: of, priceTicks, quantityLots, timestampMicros } of this.#feed.touched.trades) {
      if (of !== instrument) continue;
      this.#symbol.copy(update, at['symbol']);
      update.writeBigUInt64LE(BigInt(priceTicks), at['price']);
      update.writeBigUInt64LE(BigInt(quantityLots), at['volume']);
      update.writeBigInt64LE(BigInt(timestampMicros) * 1000n, at['timeNanos']);
      out.add(update);
    }
  }

  snapshot(): void {
    // As of trades.
  }
}

/** Orders and fills of an account, or of all. */
export class OwnSource implements Source {
  readonly #feed: Feed;
  readonly #orders: OwnOrders;
  /** '' for all. */
  readonly #account: string;
  readonly #handleOf: (name: string) => number;
  /** Accounts of which subscribers were told the handle. */
  readonly #named = new Set<number>();

  constructor(feed: Feed, account: string, handleOf: (name: string) => number) {
    this.#feed = feed;
    this.#orders = feed.followOrders();
    this.#account = account;
    this.#handleOf = handleOf;
  }

  changes(out: UpdateWriter, { number }: Place): void {
    if (this.#orders.events.length === 0) return;
    const only = this.#only();
    for (const event of this.#orders.events) {
      if (only !== undefined && event.account !== only) continue;
      if (event.event === 'fill') writeFill(out, number, event);
      else writeOrder(out, number, event, this.#handle(out, number, event.account), false);
    }
  }

  snapshot(out: UpdateWriter, { number, sequence }: Place): void {
    for (const account of this.#named) this.#name(out, number, account);
    for (const order of this.#orders.open(this.#only()))
      writeOrder(out, number, { ...order, sequence, timeMicros: 0 }, this.#handle(out, number, order.account), true);
  }

  /** The account that it is about; undefined for all. */
  #only(): number | undefined {
    return this.#account === '' ? undefined : this.#feed.accountOf(this.#account);
  }

  /** The handle of an account; in the stream of all its name comes before it is first used. */
  #handle(out: UpdateWriter, number: number, account: number): number {
    if (this.#account === '' && !this.#named.has(account)) {
      this.#named.add(account);
      this.#name(out, number, account);
    }
    return this.#handleOf(this.#feed.nameOf(account));
  }

  #name(out: UpdateWriter, number: number, account: number): void {
    const name = this.#feed.nameOf(account);
    writeAccount(out, number, this.#handleOf(name), name);
  }
}
