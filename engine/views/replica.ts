/**
 * A core that follows the journal, and what queries show of it: at first in memory, then as rows. Rows are written a few at a time, in transactions that
 * hold whole commands and say how far they go, so that a death at any moment leaves them true; the core is made again from a snapshot and the commands
 * after it.
 *
 * After most throws the replica must be closed: core and rows have parted. Opened again, it begins where the rows end.
 */
import type { Database } from 'better-sqlite3';
import { commandWords, type CommandSlots } from '../core/command.ts';
import { MatchingCore } from '../core/core.ts';
import { StateHash } from '../core/hash.ts';
import { NEW_ORDER, NO_EVENTS } from '../core/types.ts';
import { snapshotSequences, writeSnapshot } from '../journal/snapshot.ts';
import { ACCOUNT_NAME, CLIENT_ORDER_ID, type JournalBatch } from '../journal/types.ts';
import { clientOrderIdText } from '../service/client-order-id.ts';
import { asDamage, freeBytes, openViewsFile } from './database.ts';
import { Projection } from './projection.ts';
import { memoryShareMb } from './memory.ts';
import { PART_BYTES_AN_ORDER } from './part.ts';
import { crcOf, refuseOtherJournal, restoredCore, rowsOfSnapshot, type RestoreParts } from './restore.ts';
import { Retention } from './retention.ts';
import { Rows, type Progress } from './rows.ts';
import { oldestRemembered, wordsOf } from './state-rows.ts';
import type { ReplicaState } from './types.ts';
import { ViewQueries } from './view-queries.ts';

export interface ReplicaParts extends RestoreParts {
  /** For tests: orders or fills that are gathered at most. */
  readonly mostGathered?: number;
}

/** Of the memory that there is, for each of the two parts of what is gathered. What is not used of it takes none. */
const PART_SHARE = 0.04;
const LEAST_PART_MB = 4;
const MOST_PART_MB = 48;

/** Left to the journal. */
const RESERVED_BYTES = 256 * 1024;
/** What commands add to the write-ahead log, at most about: one that changes a page of each table and index; many that share them. */
const MOST_BYTES_OF_ONE = 48 * 1024;
const MANY_BYTES = 16 * 1024 * 1024;
const BYTES_OF_MANY = 512;
/** What a command adds to the file, at most about. */
const FILE_BYTES_OF_ONE = 1024;
/** Of the write-ahead log, before it is copied back: that waits for the disk. */
const LEAST_LOG_BYTES = 256 * 1024;
const QUIET_LOG_BYTES = 16 * 1024 * 1024;
const MOST_LOG_BYTES = 512 * 1024 * 1024;

interface Captured extends Omit<ReplicaState, 'stateHash'> {
  readonly timestampMicros: number;
  readonly words: Float64Array;
  readonly accounts: readonly string[];
}

export class Replica {
  readonly #parts: ReplicaParts;
  readonly #database: Database;
  readonly #rows: Rows;
  readonly #core: MatchingCore;
  readonly #projection: Projection;
  readonly #accounts: string[];
  readonly #retention: Retention;
  readonly queries: ViewQueries;
  /** Core and rows have parted: it can only be closed. */
  hasFailed = false;
  /** Up to where queries show what was done. */
  #shown: Progress;
  #committed: Progress;
  /** Up to where what is written now goes. */
  #sealed: Progress;
  /** The state at that, when a snapshot of it is wanted. */
  #captured: Captured | undefined;
  /** Rows deleted before the last commit. */
  #deletedBefore = 0;
  /** What has been added to the write-ahead log since it was copied back, at most about. */
  #logBytes = 0;
  #state: ReplicaState | undefined;
  #snapshotSequence: number;
  /** Id of the oldest order whose client order id the core may still know. */
  #oldestRemembered: number;

  /** Opens the rows and brings a core to a state not after them. Throws ViewsDamaged when they must be discarded. */
  static open(parts: ReplicaParts): Replica {
    const database = openViewsFile(parts.dataDirectory);
    try {
      return new Replica(parts, database);
    } catch (cause) {
      database.close();
      throw asDamage(cause);
    }
  }

  private constructor(parts: ReplicaParts, database: Database) {
    this.#parts = parts;
    this.#database = database;
    this.#rows = new Rows(database);
    this.#retention = new Retention(database);
    this.#shown = this.#rows.progress();
    refuseOtherJournal(parts.journal, this.#shown);
    const { core, snapshot } = restoredCore(parts, this.#shown.sequence);
    this.#core = core;
    this.#accounts = [...(snapshot?.accounts ?? [])];
    this.#snapshotSequence = snapshotSequences(parts.dataDirectory)[0] ?? 0;
    this.#oldestRemembered = snapshot === undefined ? 0 : oldestRemembered(snapshot.words);
    const most = parts.mostGathered ?? (memoryShareMb(PART_SHARE, LEAST_PART_MB, MOST_PART_MB) * 2 ** 20) / PART_BYTES_AN_ORDER;
    const projection = new Projection(this.#rows, core, Math.floor(most), () => this.#finish());
    this.#projection = projection;
    if (snapshot !== undefined && snapshot.sequence > this.#shown.sequence) this.#shown = rowsOfSnapshot(parts, this.#rows, core, snapshot);
    this.#committed = this.#shown;
    this.#sealed = this.#shown;
    projection.lastOrder = this.#shown.sequence;
    projection.lastFill = { sequence: this.#shown.sequence, index: Number.MAX_SAFE_INTEGER - 1 };
    this.queries = new ViewQueries({ database, projection, core, instruments: parts.instruments, committed: () => this.#committed });
  }

  /** Sequence that queries show. */
  get sequence(): number {
    return this.#shown.sequence;
  }

  /** Commands whose rows are not committed. */
  get uncommitted(): number {
    return this.#shown.sequence - this.#committed.sequence;
  }

  /** Whether there is anything that is not committed. */
  get isDirty(): boolean {
    return this.uncommitted > 0 || this.#rows.inTransaction;
  }

  /** Whether something was sealed, and is not committed. */
  get isWriting(): boolean {
    return this.#projection.isWriting;
  }

  /** Whether so much is gathered that it should be sealed. */
  get isFilled(): boolean {
    return this.#projection.isFilled;
  }

  /** Whether the next commands may find no room before something is written. */
  get isFull(): boolean {
    return this.#projection.isFull;
  }

  /** Sequence of the core: behind what queries show for a while after the opening, the same afterwards. */
  get coreSequence(): number {
    return this.#core.sequence;
  }

  /** Sequence of the newest snapshot; 0 when there is none. */
  get snapshotSequence(): number {
    return this.#snapshotSequence;
  }

  /** Follows the journal for about `limit` commands; queries show them from now on. Gives how many there were. */
  advance(limit: number): number {
    const before = this.#core.sequence;
    return this.#guard(() => {
      const batches = this.#parts.journal.read(before + 1, limit);
      for (const batch of batches) this.#apply(batch);
      const last = batches.at(-1);
      if (last !== undefined && last.lastSequence > this.#shown.sequence)
        this.#shown = { sequence: last.lastSequence, commandCrc: crcOf(last, last.lastSequence) };
      this.#core.reserve();
      return this.#core.sequence - before;
    });
  }

  /** Ends what is gathered: it is what {@link write} writes. With the state of this moment for a snapshot when `isCaptured`. */
  seal(isCaptured = false): void {
    this.#guard(() => this.#projection.seal());
    this.#sealed = this.#shown;
    this.#captured = isCaptured ? this.#capture() : undefined;
  }

  /** Writes about so many rows of what was sealed. Gives whether nothing is left of it, so that it can be committed. */
  write(rows: number): boolean {
    return this.#guard(() => this.#projection.write(rows));
  }

  /** Keeps what was sealed, all of which must be written. */
  commitSealed(): void {
    this.#logBytes += this.#bytesOf(this.#sealed.sequence - this.#committed.sequence);
    this.#guard(() => this.#rows.commit(this.#sealed));
    this.#projection.forget();
    this.#committed = this.#sealed;
    this.#deletedBefore = this.#retention.deleted;
  }

  /**
   * Deletes rows of finished orders and of fills that were last changed before `beforeMicros`, a few at a time; gives whether there are more. Orders
   * whose client order id may be sent again stay.
   */
  retain(beforeMicros: number): boolean {
    return this.#guard(() => {
      this.#rows.begin();
      return this.#retention.step(beforeMicros, this.#oldestRemembered);
    });
  }

  /** Whether there is room to commit, and to leave the journal some. Until there is, what is in memory shows as well as rows. */
  hasRoom(): boolean {
    return freeBytes(this.#parts.dataDirectory) >= this.#bytesOf(this.uncommitted) + RESERVED_BYTES;
  }

  /** Writes and keeps everything now: a death before loses nothing, but it must be done again. */
  commit(): void {
    if (this.isWriting) this.#finish();
    if (!this.isDirty) return;
    this.seal();
    this.#finish();
  }

  /** Whether the write-ahead log should be copied back: sooner when little room is left, and when nothing else goes on. */
  isCheckpointDue(isQuiet: boolean): boolean {
    if (this.#logBytes < LEAST_LOG_BYTES) return false;
    return this.#logBytes >= Math.min(isQuiet ? QUIET_LOG_BYTES : MOST_LOG_BYTES, freeBytes(this.#parts.dataDirectory) / 4);
  }

  /** Copies what is committed from the write-ahead log into the file, and waits until the disk has it. A throw parts nothing. */
  checkpoint(): void {
    this.#rows.checkpoint();
    this.#logBytes = 0;
  }

  /** What a commit of some commands may add to the write-ahead log. */
  #bytesOf(commands: number): number {
    const changes = commands + this.#retention.deleted - this.#deletedBefore;
    const fileBytes = this.#rows.sizeBytes() + changes * FILE_BYTES_OF_ONE;
    return Math.min(changes * MOST_BYTES_OF_ONE, MANY_BYTES + changes * BYTES_OF_MANY, fileBytes);
  }

  #finish(): void {
    while (!this.write(Infinity));
    this.commitSealed();
  }

  /** Sequence, hash and open orders. Costs a walk over every order, once a sequence. */
  state(): ReplicaState {
    const { sequence, openOrders } = this.#core;
    if (this.#state?.sequence !== sequence) this.#state = { sequence, stateHash: this.#core.stateHash(), openOrders };
    return this.#state;
  }

  /** Whether a state was captured of which there is no snapshot yet. */
  get hasCaptured(): boolean {
    return this.#captured !== undefined;
  }

  /**
   * Writes a snapshot of the state that was captured, or else of this moment, for which everything must be committed. When it is on the disk, so are the
   * rows: nothing that is compacted away then will be missed in them. A throw parts nothing.
   */
  snapshot(): ReplicaState {
    const captured = this.#captured ?? this.#capture();
    this.#captured = undefined;
    const { sequence, timestampMicros, openOrders, words, accounts } = captured;
    if (sequence > this.#committed.sequence)
      throw new Error(`the state is of sequence ${sequence}, and rows are committed up to ${this.#committed.sequence}`);
    this.checkpoint();
    if (freeBytes(this.#parts.dataDirectory) < words.byteLength + RESERVED_BYTES)
      throw new Error(`there is no room for ${words.byteLength} bytes`);
    const hash = new StateHash();
    for (const word of words) hash.addDouble(word);
    const stateHash = hash.hex();
    const chain = this.#parts.journal.chainAt(sequence);
    writeSnapshot(this.#parts.dataDirectory, { sequence, timestampMicros, stateHash, words, accounts, chain });
    this.#snapshotSequence = sequence;
    this.#oldestRemembered = oldestRemembered(words);
    this.#state = { sequence, stateHash, openOrders };
    return this.#state;
  }

  close(): void {
    this.#database.close();
  }

  #apply(batch: JournalBatch): void {
    const { slots, words, texts } = batch;
    const core = this.#core;
    const projection = this.#projection;
    const shown = this.#shown.sequence;
    let sequence = batch.firstSequence;
    let text = 0;
    for (let at = 0; at < words; at += commandWords(slots, at)) {
      let clientOrderId: string | null = null;
      for (let next = texts[text]; next !== undefined && next.sequence === sequence; next = texts[text]) {
        if (next.kind === CLIENT_ORDER_ID) clientOrderId = next.text;
        else if (next.kind === ACCOUNT_NAME) this.#accounts[(slots.words[at + 3] as number) >>> 0] = next.text;
        text += 1;
      }
      if (sequence > core.sequence) {
        if (sequence > shown) {
          projection.begin(sequence, slots, at, clientOrderId ?? sentAsNumber(slots, at));
          core.replay(slots, at, projection);
        } else core.replay(slots, at, NO_EVENTS);
      }
      sequence += 1;
    }
  }

  #guard<Result>(work: () => Result): Result {
    if (this.hasFailed) throw new Error('the replica has failed: it must be opened anew');
    try {
      return work();
    } catch (cause) {
      // Rows that were written are gone, and memory counts them as written: nothing may be kept any more.
      this.hasFailed = true;
      this.#rows.rollback();
      throw asDamage(cause);
    }
  }

  #capture(): Captured {
    const { sequence, timestampMicros, openOrders } = this.#core;
    return { sequence, timestampMicros, openOrders, words: wordsOf(this.#core), accounts: [...this.#accounts] };
  }
}

/** The client order id of a new order that came without a text, over a binary protocol. */
function sentAsNumber({ words }: CommandSlots, at: number): string | null {
  return ((words[at] as number) & 0xff) === NEW_ORDER ? clientOrderIdText(words[at + 12] as number, words[at + 13] as number) : null;
}
