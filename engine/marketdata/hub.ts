/** Who follows what: turns commands that have become durable into updates, and gives each to all who follow its stream. */
import { encodeMessage, type AnyFrame } from '../client/websocket-codec.ts';
import { REJECT, type Reject } from '../core/types.ts';
import { CLOSE } from '../gateway/websocket/closing.ts';
import { messageOf } from '../journal/sqlite-errors.ts';
import type { Feed } from './feed.ts';
import type { MarketDataFigures } from './figures.ts';
import { HistoryBudget } from './history.ts';
import {
  LevelsSource,
  OrdersSource,
  OwnSource,
  PricesSource,
  sharedDepth,
  Stream,
  TopSource,
  TradesSource,
  type Source,
} from './streams.ts';
import type { StreamRequest, Subscriber } from './subscriber.ts';
import { updateOf, UpdateWriter, type Update } from './update.ts';

export const ALL_OF_THEM = 65_535;

export interface HubParts {
  /** Opens what is followed; throws when it cannot be had now. */
  readonly open: () => Feed;
  /** By id. */
  readonly symbols: readonly string[];
  readonly handleOf: (account: string) => number;
  readonly figures: MarketDataFigures;
  readonly warn: (details: object, message: string) => void;
  readonly bounds?: Partial<Bounds>;
  /** In ms; rises. */
  readonly nowMs: () => number;
}

export interface Bounds {
  /** Streams that one subscriber may follow. */
  readonly mostStreams: number;
  /** What may wait for a subscriber before it gets books and best prices only now and then; and before it is closed at once. Bytes. */
  readonly conflateBytes: number;
  readonly mostBytes: number;
  /** Of snapshots that are given in a turn: who needs one after so much waits for the next turn. */
  readonly turnBytes: number;
  /** How long it may be over the first of them. */
  readonly slowMs: number;
  /** What nobody follows any more is kept up so long. */
  readonly lingerMs: number;
}

const BOUNDS: Bounds = {
  mostStreams: 1024,
  conflateBytes: 256 * 1024,
  mostBytes: 4 * 1024 * 1024,
  turnBytes: 16 * 1024 * 1024,
  slowMs: 5000,
  lingerMs: 60_000,
};
/** Commands that are followed in a turn, about. */
const STEP = 4096;
const REOPEN_MS = 1000;

interface Member {
  readonly subscriber: Subscriber;
  readonly subscriptions: Set<Subscription>;
  /** Bytes of a snapshot that may wait beyond the bounds. */
  allowedBytes: number;
  /** Since when too much waits for it, in ms; undefined while it does not. */
  overMs: number | undefined;
}

interface Subscription {
  readonly key: string;
  readonly member: Member;
  readonly stream: Stream<Subscription>;
  readonly request: StreamRequest;
  /** The last sequence that it was told of before it was passed over; undefined while it is not. */
  passedSince: number | undefined;
}

interface Join {
  readonly member: Member;
  readonly request: StreamRequest;
  /** Must be shown before. */
  readonly sequence: number;
}

export class Hub {
  readonly #parts: HubParts;
  readonly #bounds: Bounds;
  readonly #out = new UpdateWriter();
  readonly #members = new Map<Subscriber, Member>();
  /** Who was given something in this turn. */
  readonly #given = new Set<Member>();
  /** Who has too much waiting. */
  readonly #over = new Set<Member>();
  readonly #passed = new Set<Subscription>();
  readonly #streams = new Map<string, Stream<Subscription>>();
  #histories = new HistoryBudget();
  #joins: Join[] = [];
  #feed: Feed | undefined;
  /** Up to where everybody was told. */
  #toldSequence = 0;
  #nextOpenMs = 0;
  #usedMs = 0;
  /** Of snapshots, in this turn. */
  #turnBytes = 0;

  constructor(parts: HubParts) {
    this.#parts = parts;
    this.#bounds = { ...BOUNDS, ...parts.bounds };
  }

  /** Whether there is nothing to be done until somebody subscribes. */
  get isIdle(): boolean {
    return this.#feed === undefined;
  }

  /** Last sequence that is shown; 0 while nobody follows anything. */
  get sequence(): number {
    return this.#feed?.sequence ?? 0;
  }

  /** Begins a stream, or one for each instrument, in one of the next turns; says so, or why not, by frames. Prices have none: the subscriber is closed. */
  subscribe(subscriber: Subscriber, request: StreamRequest): void {
    const reject = this.#subscribe(subscriber, request);
    if (reject === REJECT.none) return;
    if (request.channel === 'prices') subscriber.close(CLOSE.restart, 'prices cannot be had now: connect again');
    else this.#tell(subscriber, [{ frame: 'rejected', number: request.number, reject, retryAfterMs: 0 }]);
  }

  /** Ends streams; those that were not there are none the less. */
  unsubscribe(subscriber: Subscriber, request: Pick<StreamRequest, 'channel' | 'instrument' | 'account'>): void {
    const member = this.#members.get(subscriber);
    if (member === undefined) return;
    const isMeant = (other: StreamRequest): boolean =>
      other.channel === request.channel &&
      other.account === request.account &&
      (request.instrument === ALL_OF_THEM || isOfAccounts(other) || other.instrument === request.instrument);
    this.#joins = this.#joins.filter((join) => join.member !== member || !isMeant(join.request));
    for (const subscription of member.subscriptions) if (isMeant(subscription.request)) this.#end(subscription);
  }

  /** The subscriber is gone. */
  leave(subscriber: Subscriber): void {
    const member = this.#members.get(subscriber);
    if (member === undefined) return;
    this.#members.delete(subscriber);
    this.#over.delete(member);
    this.#given.delete(member);
    this.#joins = this.#joins.filter((join) => join.member !== member);
    for (const subscription of member.subscriptions) this.#end(subscription);
  }

  /** Follows the journal by a step, and tells everybody. Gives whether there is more to follow at once. */
  turn(): boolean {
    const nowMs = this.#parts.nowMs();
    if (this.#feed === undefined) return false;
    const { figures } = this.#parts;
    let commands = 0;
    try {
      commands = this.#feed.advance(STEP);
      if (commands > 0) this.#change(this.#feed);
      this.#toldSequence = this.#feed.sequence;
      this.#join(this.#feed);
      this.#catchUp(this.#feed);
    } catch (cause) {
      this.#fail(cause, nowMs);
    }
    for (const stream of this.#streams.values()) stream.forgetSnapshot();
    this.#turnBytes = 0;
    for (const member of this.#given) member.subscriber.flush();
    this.#bound(nowMs);
    this.#rest(nowMs);
    figures.set('sequence', this.sequence);
    figures.set('following', this.isIdle ? 0 : 1);
    return commands >= STEP;
  }

  /** Ends everything; subscribers are told to come again. */
  close(): void {
    for (const { subscriber } of this.#members.values()) subscriber.close(CLOSE.restart, 'the engine stops: connect again');
    this.#drop();
  }

  #subscribe(subscriber: Subscriber, request: StreamRequest): Reject {
    const { symbols } = this.#parts;
    const isOwn = isOfAccounts(request);
    if (request.channel === 'own-orders' && request.account === '') return REJECT.badAccount;
    const instruments = isOwn ? [0] : request.instrument === ALL_OF_THEM ? [...symbols.keys()] : [request.instrument];
    if (instruments.some((instrument) => symbols[instrument] === undefined)) return REJECT.unknownInstrument;
    const member = this.#memberOf(subscriber);
    const waiting = this.#joins.filter((join) => join.member === member).length;
    if (member.subscriptions.size + waiting + instruments.length > this.#bounds.mostStreams) return REJECT.busy;
    const sequence = this.#open();
    if (sequence < 0) return REJECT.starting;
    for (const instrument of instruments) this.#joins.push({ member, request: { ...request, instrument }, sequence });
    return REJECT.none;
  }

  /** Opens the feed unless it is; gives the last sequence that it can show, -1 when there is none. */
  #open(): number {
    const nowMs = this.#parts.nowMs();
    if (this.#feed === undefined && nowMs < this.#nextOpenMs) return -1;
    try {
      const feed = (this.#feed ??= this.#parts.open());
      this.#usedMs = nowMs;
      if (this.#streams.size === 0)
        for (const instrument of this.#parts.symbols.keys()) this.#stream({ channel: 'trades', instrument, depth: 0, account: '' });
      return feed.lastSequence();
    } catch (cause) {
      this.#fail(cause, nowMs);
      return -1;
    }
  }

  #memberOf(subscriber: Subscriber): Member {
    let member = this.#members.get(subscriber);
    if (member === undefined) {
      member = { subscriber, subscriptions: new Set(), allowedBytes: 0, overMs: undefined };
      this.#members.set(subscriber, member);
    }
    return member;
  }

  #change(feed: Feed): void {
    const { figures } = this.#parts;
    for (const stream of this.#streams.values()) {
      const update = stream.changes(this.#out, feed.sequence);
      if (update === undefined) continue;
      figures.add('updates');
      for (const subscription of stream.subscriptions) this.#give(subscription, update);
    }
    figures.add('trades', feed.touched.trades.length);
    feed.told();
  }

  #give(subscription: Subscription, update: Update): void {
    if (subscription.passedSince !== undefined) return;
    const { member, stream } = subscription;
    if (stream.conflates && member.subscriber.bufferedBytes > this.#bounds.conflateBytes + member.allowedBytes) {
      subscription.passedSince = this.#toldSequence;
      this.#passed.add(subscription);
      this.#parts.figures.add('conflations');
      return;
    }
    this.#send(member, update);
  }

  #send(member: Member, update: Update): void {
    member.subscriber.send(update);
    this.#given.add(member);
    this.#parts.figures.add('sends');
    this.#parts.figures.add('sentBytes', update.message.length);
  }

  #join(feed: Feed): void {
    const joins = this.#joins;
    if (joins.length === 0) return;
    this.#joins = [];
    for (const join of joins) {
      // Who has not read its snapshots gets no more of them.
      const { mostBytes, turnBytes } = this.#bounds;
      const mayBegin = join.sequence <= feed.sequence && join.member.allowedBytes <= mostBytes && this.#turnBytes < turnBytes;
      if (mayBegin) this.#attempt(join.member, () => this.#begin(feed, join));
      else this.#joins.push(join);
    }
  }

  /** What is done for one alone ends nobody else when it fails. */
  #attempt(member: Member, act: () => void): void {
    const { subscriber } = member;
    // It was ended in this turn.
    if (this.#members.get(subscriber) !== member) return;
    try {
      act();
    } catch (cause) {
      this.#out.clear();
      this.#parts.warn({ cause: messageOf(cause) }, 'a stream of market data cannot begin: its subscriber is disconnected');
      subscriber.close(CLOSE.restart, 'market data is interrupted: connect again');
      this.leave(subscriber);
    }
  }

  #begin(feed: Feed, { member, request }: Join): void {
    const { channel, number, instrument, account, fromSequence } = request;
    const depth = channel === 'book' ? sharedDepth(request.depth) : 0;
    const key = keyOf({ channel, instrument, depth, account });
    for (const other of member.subscriptions) if (other.key === key) this.#end(other);
    const stream = this.#stream({ channel, instrument, depth, account });
    const subscription: Subscription = { key, member, stream, request, passedSince: undefined };
    stream.subscriptions.add(subscription);
    stream.emptyMs = undefined;
    member.subscriptions.add(subscription);
    this.#parts.figures.add('subscriptions');
    const handle = account === '' ? 0 : this.#parts.handleOf(account);
    const begun: AnyFrame = { frame: 'subscribed', number, sequence: feed.sequence, instrument, depth, account: handle, channel };
    const head = channel === 'prices' ? [] : [begun];
    const isKnown = fromSequence > 0 && fromSequence <= feed.sequence && channel !== 'prices';
    const missed = isKnown ? stream.after(fromSequence) : undefined;
    if (missed !== undefined) this.#sendAsOne(member, head, missed);
    else this.#restate(subscription, fromSequence, head);
  }

  /** Those who were passed over and have read since get how things are now. */
  #catchUp(feed: Feed): void {
    for (const subscription of this.#passed) {
      const { member, passedSince } = subscription;
      if (member.subscriber.bufferedBytes > this.#bounds.conflateBytes / 4 || this.#turnBytes >= this.#bounds.turnBytes) continue;
      this.#passed.delete(subscription);
      subscription.passedSince = undefined;
      if (passedSince !== undefined && feed.sequence > passedSince) this.#attempt(member, () => this.#restate(subscription, passedSince));
    }
  }

  /** Says what is missing, when the subscriber knew anything, and how things are. */
  #restate({ member, stream, request }: Subscription, fromSequence: number, head: AnyFrame[] = []): void {
    const { channel, instrument } = request;
    const { sequence } = this;
    if (fromSequence > 0 && channel !== 'prices') {
      head.push({ frame: 'gap', number: 0, fromSequence, toSequence: sequence, instrument, channel });
      this.#parts.figures.add('gaps');
    }
    const snapshot = stream.snapshot(this.#out, sequence);
    const bytes = snapshot?.message.length ?? 0;
    member.allowedBytes += bytes;
    this.#turnBytes += bytes;
    this.#sendAsOne(member, head, snapshot === undefined ? [] : [snapshot]);
  }

  /** In one message: who is told up to where it knows things, and is cut off before it has heard them, must not take them for known. */
  #sendAsOne(member: Member, head: readonly AnyFrame[], updates: readonly Update[]): void {
    const [only] = updates;
    if (head.length === 0 && updates.length <= 1) {
      if (only !== undefined) this.#send(member, only);
      return;
    }
    this.#out.add(encodeMessage(head));
    for (const { frames } of updates) this.#out.add(frames);
    this.#send(member, this.#out.finish(this.sequence, 0));
  }

  #tell(subscriber: Subscriber, frames: readonly AnyFrame[]): void {
    this.#given.add(this.#memberOf(subscriber));
    subscriber.send(updateOf(encodeMessage(frames), this.sequence));
    if (this.#feed !== undefined) return;
    subscriber.flush();
  }

  #end(subscription: Subscription): void {
    const { member, stream } = subscription;
    if (!member.subscriptions.delete(subscription)) return;
    stream.subscriptions.delete(subscription);
    this.#passed.delete(subscription);
    this.#parts.figures.add('subscriptions', -1);
    if (stream.subscriptions.size === 0) stream.emptyMs = this.#parts.nowMs();
  }

  #stream(of: Pick<StreamRequest, 'channel' | 'instrument' | 'depth' | 'account'>): Stream<Subscription> {
    const key = keyOf(of);
    const known = this.#streams.get(key);
    if (known !== undefined) return known;
    const feed = this.#feed as Feed;
    const { channel, instrument } = of;
    const conflates = channel === 'top' || channel === 'book' || channel === 'orders';
    const since = channel === 'trades' ? feed.since : feed.sequence;
    const stream = new Stream<Subscription>(this.#source(feed, of), {
      instrument,
      conflates,
      since,
      budget: channel === 'prices' ? undefined : this.#histories,
    });
    this.#streams.set(key, stream);
    return stream;
  }

  #source(
    feed: Feed,
    { channel, instrument, depth, account }: Pick<StreamRequest, 'channel' | 'instrument' | 'depth' | 'account'>,
  ): Source {
    switch (channel) {
      case 'top':
        return new TopSource(feed, instrument);
      case 'book':
        return new LevelsSource(feed, instrument, depth);
      case 'orders':
        return new OrdersSource(feed, instrument);
      case 'trades':
        return new TradesSource(feed);
      case 'prices':
        return new PricesSource(feed, this.#parts.symbols[instrument] ?? '');
      default:
        return new OwnSource(feed, account, this.#parts.handleOf);
    }
  }

  /** Ends who has had too much waiting for too long. */
  #bound(nowMs: number): void {
    const { conflateBytes, mostBytes, slowMs } = this.#bounds;
    for (const member of this.#given) this.#over.add(member);
    this.#given.clear();
    for (const member of this.#over) {
      const bytes = member.subscriber.bufferedBytes;
      if (bytes <= conflateBytes / 4) member.allowedBytes = 0;
      if (bytes <= conflateBytes + member.allowedBytes) {
        member.overMs = undefined;
        if (member.allowedBytes === 0) this.#over.delete(member);
        continue;
      }
      member.overMs ??= nowMs;
      if (nowMs - member.overMs < slowMs && bytes <= mostBytes + member.allowedBytes) continue;
      this.#over.delete(member);
      this.#parts.figures.add('slowClosed');
      member.subscriber.close(CLOSE.slow, 'the client does not read what it is sent');
    }
  }

  /** What nobody follows is not kept up for ever. */
  #rest(nowMs: number): void {
    const { lingerMs } = this.#bounds;
    let isUsed = this.#joins.length > 0;
    let isOwnUsed = false;
    for (const [key, stream] of this.#streams) {
      const isOwn = key.startsWith('own-orders') || key.startsWith('drop-copy');
      if (stream.emptyMs !== undefined && nowMs - stream.emptyMs > lingerMs && !key.startsWith('trades')) {
        stream.close();
        this.#streams.delete(key);
      } else {
        isUsed ||= stream.subscriptions.size > 0;
        isOwnUsed ||= isOwn;
      }
    }
    if (!isOwnUsed) this.#feed?.forgetOrders();
    if (isUsed) this.#usedMs = nowMs;
    else if (nowMs - this.#usedMs > lingerMs) this.#drop();
  }

  /** The journal cannot be followed: everybody must come again. */
  #fail(cause: unknown, nowMs: number): void {
    this.#parts.warn({ cause: messageOf(cause) }, 'market data cannot be shown: its subscribers are disconnected');
    this.#nextOpenMs = nowMs + REOPEN_MS;
    for (const { subscriber } of this.#members.values()) subscriber.close(CLOSE.restart, 'market data is interrupted: connect again');
    this.#drop();
  }

  #drop(): void {
    this.#feed?.close();
    this.#feed = undefined;
    this.#streams.clear();
    this.#out.clear();
    this.#histories = new HistoryBudget();
    this.#passed.clear();
    this.#joins = [];
    for (const { subscriptions } of this.#members.values()) {
      this.#parts.figures.add('subscriptions', -subscriptions.size);
      subscriptions.clear();
    }
  }
}

function isOfAccounts({ channel }: Pick<StreamRequest, 'channel'>): boolean {
  return channel === 'own-orders' || channel === 'drop-copy';
}

function keyOf({ channel, instrument, depth, account }: Pick<StreamRequest, 'channel' | 'instrument' | 'depth' | 'account'>): string {
  return `${channel} ${instrument} ${depth} ${account}`;
}
