/** A core of its own that follows the journal: what is shown is durable, and the thread that matches does nothing for it. */
import { commandWords } from '../core/command.ts';
import type { MatchingCore } from '../core/core.ts';
import { PENDING, type BookView, type Side } from '../core/types.ts';
import { ACCOUNT_NAME, type JournalBatch } from '../journal/types.ts';
import type { JournalReader } from '../journal/reader.ts';
import { ViewsDamaged } from '../views/database.ts';
import { restoredCore, type RestoreParts } from '../views/restore.ts';
import { eachOpenOrder, wordsOf } from '../views/state-rows.ts';
import { OwnOrders } from './own-orders.ts';
import { Touched } from './touched.ts';

/** Where there is a choice the core begins so many commands before the end: their trades are told to who missed them. */
const HISTORY_COMMANDS = 100_000;

/** The journal is closed with the feed. */
export interface FeedParts extends RestoreParts {
  readonly journal: JournalReader;
}

export class Feed {
  readonly touched: Touched;
  /** Everything after it was replayed, and its trades were seen. */
  readonly since: number;
  readonly #parts: FeedParts;
  readonly #core: MatchingCore;
  /** Names by id. */
  readonly #accounts: string[];

  /** Reads a snapshot and what is needed of the journal. Throws JournalError and ViewsDamaged when that cannot be had. */
  constructor(parts: FeedParts) {
    this.#parts = parts;
    const last = parts.journal.lastSequence();
    const { core, snapshot } = beginning(parts, Math.max(0, last - HISTORY_COMMANDS));
    const stops: { id: number; side: Side }[] = [];
    if (snapshot !== undefined)
      eachOpenOrder(snapshot.words, ({ id, side, status }) => {
        if (status === PENDING) stops.push({ id, side });
      });
    this.#core = core;
    this.#accounts = [...(snapshot?.accounts ?? [])];
    this.since = core.sequence;
    this.touched = new Touched(core, parts.instruments, stops);
  }

  /** Sequence that it shows. */
  get sequence(): number {
    return this.#core.sequence;
  }

  /** Last sequence that it could show. */
  lastSequence(): number {
    return this.#parts.journal.lastSequence();
  }

  book(instrument: number): BookView {
    return this.#core.book(instrument);
  }

  nameOf(account: number): string {
    return this.#accounts[account] ?? '';
  }

  /** Id of an account; -1 while it has sent nothing. */
  accountOf(name: string): number {
    return this.#accounts.indexOf(name);
  }

  /** Follows the journal for about `limit` commands; gives how many there were. */
  advance(limit: number): number {
    const before = this.#core.sequence;
    for (const batch of this.#parts.journal.read(before + 1, limit)) this.#apply(batch);
    this.#core.reserve();
    return this.#core.sequence - before;
  }

  /** Single orders, from now on until {@link forgetOrders}. */
  followOrders(): OwnOrders {
    const known = this.touched.own;
    if (known instanceof OwnOrders) return known;
    const orders = new OwnOrders(wordsOf(this.#core));
    this.touched.own = orders;
    return orders;
  }

  /** Forgets what has changed: everybody was told. */
  told(): void {
    this.touched.clear();
    if (this.touched.own instanceof OwnOrders) this.touched.own.events = [];
  }

  forgetOrders(): void {
    this.touched.own = undefined;
  }

  close(): void {
    this.#parts.journal.close();
  }

  #apply({ slots, words, texts, firstSequence }: JournalBatch): void {
    for (const { kind, text, sequence } of texts) if (kind === ACCOUNT_NAME && sequence > this.#core.sequence) this.#accounts.push(text);
    let sequence = firstSequence;
    for (let at = 0; at < words; at += commandWords(slots, at)) {
      if (sequence > this.#core.sequence) this.touched.replay(slots, at);
      sequence += 1;
    }
  }
}

/** A core at `sequence` or before it; where the journal was compacted and no snapshot is as old, at the oldest that there is. */
function beginning(parts: FeedParts, sequence: number): ReturnType<typeof restoredCore> {
  try {
    return restoredCore(parts, sequence);
  } catch (cause) {
    if (!(cause instanceof ViewsDamaged)) throw cause;
    return restoredCore(parts, 0);
  }
}
