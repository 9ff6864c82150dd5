/**
 * A core that follows the journal, and the rows of what it does. Rows are written in transactions that hold whole commands and say how far they go,
 * so that a death at any moment leaves them true; the core is made again from a snapshot and the commands after it.
 *
 * After most throws the replica must be closed: core and rows have parted. Opened again, it begins where the rows end.
 */
import { crc32 } from 'node:zlib';
import type { Database } from 'better-sqlite3';
import { commandWords } from '../core/command.ts';
import { MatchingCore } from '../core/core.ts';
import { StateHash } from '../core/hash.ts';
import type { EventSink, InstrumentRules } from '../core/types.ts';
import type { JournalReader } from '../journal/reader.ts';
import { readSnapshot, SnapshotError, snapshotSequences, writeSnapshot, type Snapshot } from '../journal/snapshot.ts';
import { ACCOUNT_NAME, CLIENT_ORDER_ID, type JournalBatch } from '../journal/types.ts';
import { asDamage, freeBytes, openViewsFile, ViewsDamaged } from './database.ts';
import { Projection } from './projection.ts';
import { ViewQueries } from './queries.ts';
import { Retention } from './retention.ts';
import { Rows, type Progress } from './rows.ts';
import { eachOpenOrder, oldestRemembered } from './state-rows.ts';
import { packTerms } from './terms.ts';
import type { ReplicaState } from './types.ts';

export type JournalSource = Pick<JournalReader, 'read' | 'lastSequence' | 'compactedThrough'>;

export interface ReplicaParts {
  readonly dataDirectory: string;
  readonly journal: JournalSource;
  /** How many there are. */
  readonly instruments: number;
  /** Told of what was found and passed over. */
  readonly warn: (details: object, message: string) => void;
  /** For tests: orders or fills that are gathered at most. */
  readonly mostGathered?: number;
}

/** `replay` looks at none of it. */
const NO_RULES: InstrumentRules = {
  tradable: true,
  maxOrderLots: Infinity,
  maxNotional: 0n,
  priceBandPercent: 0,
  maxPositionLots: Infinity,
  maxOpenNotional: Infinity,
};
const NO_SINK: EventSink = { fill() {}, order() {}, replaced() {}, triggered() {}, state() {} };
const FIRST_STATE_WORDS = 65_536;
/** Left to the journal. */
const RESERVED_BYTES = 256 * 1024;
/** What commands add to the write-ahead log, at most about: one that changes a page of each table and index; many that share them. */
const MOST_BYTES_OF_ONE = 48 * 1024;
const MANY_BYTES = 16 * 1024 * 1024;
const BYTES_OF_MANY = 512;

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
    this.#committedSequence = this.#written.sequence;
    this.#refuseOtherJournal();
    const { core, snapshot } = this.#restoredCore();
    this.#core = core;
    this.#accounts = [...(snapshot?.accounts ?? [])];
    this.#snapshotSequence = snapshotSequences(parts.dataDirectory)[0] ?? 0;
    this.#oldestRemembered = snapshot === undefined ? 0 : oldestRemembered(snapshot.words);
    this.#projection = new Projection(this.#rows, core, parts.mostGathered);
    if (snapshot !== undefined && snapshot.sequence > this.#written.sequence) this.#rebuildFrom(snapshot);
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
    const { uncommitted } = this;
    const bytes = Math.min(uncommitted * MOST_BYTES_OF_ONE, MANY_BYTES + uncommitted * BYTES_OF_MANY, this.#rows.sizeBytes());
    return freeBytes(this.#parts.dataDirectory) >= bytes + RESERVED_BYTES;
  }

  /** Keeps what is written: a death before loses nothing, but it must be done again. */
  commit(): void {
    if (!this.isDirty) return;
    this.#guard(() => this.#rows.commit(this.#written));
    this.#committedSequence = this.#written.sequence;
  }

  /** Copies what is committed from the write-ahead log into the file, and waits until the disk has it. A throw parts nothing. */
  checkpoint(): void {
    this.#rows.checkpoint();
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
          projection.begin(sequence, slots, at, clientOrderId);
          core.replay(slots, at, projection);
        } else core.replay(slots, at, NO_SINK);
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

  /** Rows of another journal, or of more of it than there is, are none of this one's. */
  #refuseOtherJournal(): void {
    const { journal } = this.#parts;
    const { sequence, commandCrc } = this.#written;
    if (sequence === 0) return;
    const last = journal.lastSequence();
    if (sequence > last) throw new ViewsDamaged(`the read models show sequence ${sequence}, and the journal ends at ${last}`);
    if (sequence <= journal.compactedThrough()) return;
    const [batch] = journal.read(sequence, 1);
    if (batch === undefined || crcOf(batch, sequence) !== commandCrc)
      throw new ViewsDamaged(
        `the read models show another command at sequence ${sequence} than the journal has: they are those of another journal`,
      );
  }

  /** A core at the newest state that is not after the rows; when the journal does not reach back to any, and there are no rows, at the oldest after. */
  #restoredCore(): { core: MatchingCore; snapshot: Snapshot | undefined } {
    const { dataDirectory, journal } = this.#parts;
    const shown = this.#written.sequence;
    const compactedThrough = journal.compactedThrough();
    const last = journal.lastSequence();
    const usable = snapshotSequences(dataDirectory).filter((sequence) => sequence >= compactedThrough && sequence <= last);
    const restored = this.#firstGood(usable.filter((sequence) => sequence <= shown));
    if (restored !== undefined) return restored;
    if (compactedThrough === 0) return { core: this.#newCore(), snapshot: undefined };
    if (shown > 0)
      throw new ViewsDamaged(
        `the read models end at sequence ${shown}, and the journal begins at ${compactedThrough + 1}: what is between is gone`,
      );
    const later = this.#firstGood(usable.toReversed());
    if (later === undefined) throw new Error(`the journal begins at ${compactedThrough + 1}, and no snapshot has what came before`);
    return later;
  }

  #firstGood(sequences: readonly number[]): { core: MatchingCore; snapshot: Snapshot } | undefined {
    for (const sequence of sequences) {
      try {
        const snapshot = readSnapshot(this.#parts.dataDirectory, sequence);
        const core = this.#newCore();
        core.restore(snapshot.words);
        if (core.stateHash() === snapshot.stateHash) return { core, snapshot };
        this.#parts.warn({ sequence }, 'a snapshot has another state hash than it says: the read models do not use it');
      } catch (cause) {
        if (!(cause instanceof SnapshotError) && !(cause instanceof RangeError)) throw cause;
        this.#parts.warn({ sequence, err: cause }, 'a snapshot cannot be read: the read models do not use it');
      }
    }
    return undefined;
  }

  #newCore(): MatchingCore {
    const core = new MatchingCore();
    for (let instrument = 0; instrument < this.#parts.instruments; instrument += 1) core.setInstrument(instrument, NO_RULES);
    return core;
  }

  /** Rows of what a snapshot knows, where nothing else is left. */
  #rebuildFrom(snapshot: Snapshot): void {
    const { sequence, timestampMicros, words } = snapshot;
    const rows = this.#rows;
    rows.begin();
    eachOpenOrder(words, (order) => {
      rows.insertOrder.run(
        order.id,
        order.account,
        order.instrument,
        packTerms(order),
        order.status,
        0,
        order.priceTicks,
        0,
        order.remainingLots,
        0,
        timestampMicros,
        null,
        order.stopTicks,
        order.displayLots,
        order.expiryMicros,
        -1,
        null,
        null,
        null,
        null,
        null,
      );
    });
    this.#core.eachPosition(({ account, instrument, lots, averageTicks }) =>
      rows.upsertPosition.run(account, instrument, lots, averageTicks),
    );
    const [batch] = sequence > this.#parts.journal.compactedThrough() ? this.#parts.journal.read(sequence, 1) : [];
    this.#written = { sequence, commandCrc: batch === undefined ? 0 : crcOf(batch, sequence) };
    rows.commit(this.#written);
    this.#committedSequence = sequence;
    this.#parts.warn(
      { sequence },
      `the read models were made again from the snapshot of sequence ${sequence}: of what came before it they show the open orders and the positions only, without creation times, client order ids and what had been filled`,
    );
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

/** Of the slot of a command that the batch holds. */
function crcOf({ slots, firstSequence }: JournalBatch, sequence: number): number {
  let at = 0;
  for (let one = firstSequence; one < sequence; one += 1) at += commandWords(slots, at);
  return crc32(new Uint8Array(slots.words.buffer, at * 4, commandWords(slots, at) * 4));
}
