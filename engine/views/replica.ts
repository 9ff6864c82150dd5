/**
 * A core that follows the journal, and the rows of what it does. Rows are written in transactions that hold whole commands and say how far they go,
 * so that a death at any moment leaves them true; the core is made again from a snapshot and the commands after it.
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
import { ViewQueries } from './queries.ts';
import { crcOf, refuseOtherJournal, restoredCore, rowsOfSnapshot, type RestoreParts } from './restore.ts';
import { Retention } from './retention.ts';
import { Rows, type Progress } from './rows.ts';
import { oldestRemembered } from './state-rows.ts';
import type { ReplicaState } from './types.ts';

export interface ReplicaParts extends RestoreParts {
  /** For tests: orders or fills that are gathered at most. */
  readonly mostGathered?: number;
}

const FIRST_STATE_WORDS = 65_536;
/** Left to the journal. */
const RESERVED_BYTES = 256 * 1024;
/** What commands add to the write-ahead log, at most about: one that changes a page of each table and index; many that share them. */
const MOST_BYTES_OF_ONE = 48 * 1024;
const MANY_BYTES = 16 * 1024 * 1024;
const BYTES_OF_MANY = 512;
/** Of the write-ahead log, before it is copied back: that waits for the disk. */
const LEAST_LOG_BYTES = 256 * 1024;
const QUIET_LOG_BYTES = 16 * 1024 * 1024;
const MOST_LOG_BYTES = 512 * 1024 * 1024;

export class Replica {
  readonly #parts: ReplicaParts;
  readonly #database: Database;
  readonly #rows: Rows;
  readonly #core: MatchingCore;
  readonly #projection: Projection;
  readonly #accounts: string[];
  readonly #retention: Retention;
  readonly queries: ViewQueries;
  /** Up to where rows are written, committed or not. */
  #written: Progress;
  #committedSequence: number;
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
    this.queries = new ViewQueries(database);
    this.#written = this.#rows.progress();
    refuseOtherJournal(parts.journal, this.#written);
    const { core, snapshot } = restoredCore(parts, this.#written.sequence);
    this.#core = core;
    this.#accounts = [...(snapshot?.accounts ?? [])];
    this.#snapshotSequence = snapshotSequences(parts.dataDirectory)[0] ?? 0;
    this.#oldestRemembered = snapshot === undefined ? 0 : oldestRemembered(snapshot.words);
    this.#projection = new Projection(this.#rows, core, parts.mostGathered);
    if (snapshot !== undefined && snapshot.sequence > this.#written.sequence)
      this.#written = rowsOfSnapshot(parts, this.#rows, core, snapshot);
    this.#committedSequence = this.#written.sequence;
  }

  /** Sequence that the rows show, over this connection: committed or not. */
  get sequence(): number {
    return this.#written.sequence;
  }

  /** Commands whose rows are written and not committed. */
  get uncommitted(): number {
    return this.#written.sequence - this.#committedSequence;
  }

  /** Whether there is anything that is not committed. */
  get isDirty(): boolean {
    return this.#rows.inTransaction;
  }

  /** Sequence of the core: behind the rows' for a while after the opening, the same afterwards. */
  get coreSequence(): number {
    return this.#core.sequence;
  }

  /** Sequence of the newest snapshot; 0 when there is none. */
  get snapshotSequence(): number {
    return this.#snapshotSequence;
  }

  /** Follows the journal for about `limit` commands, and writes their rows. Gives how many there were. */
  advance(limit: number): number {
    const before = this.#core.sequence;
    return this.#guard(() => {
      const batches = this.#parts.journal.read(before + 1, limit);
      for (const batch of batches) this.#apply(batch);
      const last = batches.at(-1);
      if (last !== undefined && last.lastSequence > this.#written.sequence) {
        this.#projection.write();
        this.#written = { sequence: last.lastSequence, commandCrc: crcOf(last, last.lastSequence) };
      }
      this.#core.reserve();
      return this.#core.sequence - before;
    });
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

  /** Whether there is room to commit, and to leave the journal some. Until there is, rows that are not committed show as well as others. */
  hasRoom(): boolean {
    return freeBytes(this.#parts.dataDirectory) >= this.#uncommittedBytes() + RESERVED_BYTES;
  }

  /** Keeps what is written: a death before loses nothing, but it must be done again. */
  commit(): void {
    if (!this.isDirty) return;
    this.#logBytes += this.#uncommittedBytes();
    this.#guard(() => this.#rows.commit(this.#written));
    this.#committedSequence = this.#written.sequence;
    this.#deletedBefore = this.#retention.deleted;
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

  /** What a commit may add to the write-ahead log. */
  #uncommittedBytes(): number {
    const changes = this.uncommitted + this.#retention.deleted - this.#deletedBefore;
    return Math.min(changes * MOST_BYTES_OF_ONE, MANY_BYTES + changes * BYTES_OF_MANY, this.#rows.sizeBytes());
  }

  /** Sequence, hash and open orders. Costs a walk over every order, once a sequence. */
  state(): ReplicaState {
    const { sequence, openOrders } = this.#core;
    if (this.#state?.sequence !== sequence) this.#state = { sequence, stateHash: this.#core.stateHash(), openOrders };
    return this.#state;
  }

  /**
   * Writes a snapshot of this moment, for which everything must be committed. When it is on the disk, so are the rows: nothing that is compacted away then
   * will be missed in them. A throw parts nothing.
   */
  snapshot(): ReplicaState {
    const { sequence, timestampMicros, openOrders } = this.#core;
    if (sequence !== this.#committedSequence) throw new Error(`the replica is at ${sequence} and its rows at ${this.#committedSequence}`);
    this.checkpoint();
    const words = this.#words();
    if (freeBytes(this.#parts.dataDirectory) < words.byteLength + RESERVED_BYTES)
      throw new Error(`there is no room for ${words.byteLength} bytes`);
    const hash = new StateHash();
    for (const word of words) hash.addDouble(word);
    const stateHash = hash.hex();
    writeSnapshot(this.#parts.dataDirectory, { sequence, timestampMicros, stateHash, words, accounts: this.#accounts });
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
    const shown = this.#written.sequence;
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
    try {
      return work();
    } catch (cause) {
      this.#rows.rollback();
      throw asDamage(cause);
    }
  }

  #words(): Float64Array {
    let words = new Float64Array(FIRST_STATE_WORDS);
    let count = 0;
    this.#core.eachStateWord((word) => {
      if (count === words.length) {
        const larger = new Float64Array(count * 2);
        larger.set(words);
        words = larger;
      }
      words[count] = word;
      count += 1;
    });
    return words.subarray(0, count);
  }
}

/** The client order id of a new order that came without a text, over a binary protocol. */
function sentAsNumber({ words }: CommandSlots, at: number): string | null {
  return ((words[at] as number) & 0xff) === NEW_ORDER ? clientOrderIdText(words[at + 12] as number, words[at + 13] as number) : null;
}
