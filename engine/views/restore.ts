/** How a replica begins: whether the rows that are there are this journal's, and a core from which to go on. */
import { crc32 } from 'node:zlib';
import { commandWords } from '../core/command.ts';
import { MatchingCore } from '../core/core.ts';
import type { InstrumentRules } from '../core/types.ts';
import type { JournalReader } from '../journal/reader.ts';
import { readSnapshot, SnapshotError, snapshotSequences, type Snapshot } from '../journal/snapshot.ts';
import type { JournalBatch } from '../journal/types.ts';
import { ViewsDamaged } from './database.ts';
import type { Progress, Rows } from './rows.ts';
import { eachOpenOrder } from './state-rows.ts';
import { packTerms } from './terms.ts';

export type JournalSource = Pick<JournalReader, 'read' | 'lastSequence' | 'compactedThrough' | 'chainAt'>;

export interface RestoreParts {
  readonly dataDirectory: string;
  readonly journal: JournalSource;
  /** How many there are. */
  readonly instruments: number;
  /** Told of what was found and passed over. */
  readonly warn: (details: object, message: string) => void;
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

/** Throws ViewsDamaged for rows of another journal, or of more of it than there is. */
export function refuseOtherJournal(journal: JournalSource, { sequence, commandCrc }: Progress): void {
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

/**
 * A core at the newest state that is not after `shown`, where the rows end; when there are no rows, and the journal does not reach back to its beginning,
 * at the oldest state that there is. Throws ViewsDamaged when what the rows miss is gone.
 */
export function restoredCore(parts: RestoreParts, shown: number): { core: MatchingCore; snapshot: Snapshot | undefined } {
  const { dataDirectory, journal } = parts;
  const compactedThrough = journal.compactedThrough();
  const last = journal.lastSequence();
  const usable = snapshotSequences(dataDirectory).filter((sequence) => sequence >= compactedThrough && sequence <= last);
  const restored = firstGood(
    parts,
    usable.filter((sequence) => sequence <= shown),
  );
  if (restored !== undefined) return restored;
  if (compactedThrough === 0) return { core: newCore(parts), snapshot: undefined };
  if (shown > 0)
    throw new ViewsDamaged(
      `the read models end at sequence ${shown}, and the journal begins at ${compactedThrough + 1}: what is between is gone`,
    );
  const later = firstGood(parts, usable.toReversed());
  if (later === undefined) throw new Error(`the journal begins at ${compactedThrough + 1}, and no snapshot has what came before`);
  return later;
}

/** Makes rows of what a snapshot knows, where nothing else is left. Gives how far they go. */
export function rowsOfSnapshot({ journal, warn }: RestoreParts, rows: Rows, core: MatchingCore, snapshot: Snapshot): Progress {
  const { sequence, timestampMicros, words } = snapshot;
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
  core.eachPosition(({ account, instrument, lots, averageTicks }) => rows.upsertPosition.run(account, instrument, lots, averageTicks));
  const [batch] = sequence > journal.compactedThrough() ? journal.read(sequence, 1) : [];
  const progress = { sequence, commandCrc: batch === undefined ? 0 : crcOf(batch, sequence) };
  rows.commit(progress);
  warn(
    { sequence },
    `the read models were made again from the snapshot of sequence ${sequence}: of what came before it they show the open orders and the positions only, without creation times, client order ids and what had been filled`,
  );
  return progress;
}

/** Of the slot of a command that the batch holds. */
export function crcOf({ slots, firstSequence }: JournalBatch, sequence: number): number {
  let at = 0;
  for (let one = firstSequence; one < sequence; one += 1) at += commandWords(slots, at);
  return crc32(new Uint8Array(slots.words.buffer, at * 4, commandWords(slots, at) * 4));
}

function firstGood(parts: RestoreParts, sequences: readonly number[]): { core: MatchingCore; snapshot: Snapshot } | undefined {
  for (const sequence of sequences) {
    try {
      const snapshot = readSnapshot(parts.dataDirectory, sequence);
      const core = newCore(parts);
      core.restore(snapshot.words);
      if (core.stateHash() === snapshot.stateHash) return { core, snapshot };
      parts.warn({ sequence }, 'a snapshot has another state hash than it says: the read models do not use it');
    } catch (cause) {
      if (!(cause instanceof SnapshotError) && !(cause instanceof RangeError)) throw cause;
      parts.warn({ sequence, err: cause }, 'a snapshot cannot be read: the read models do not use it');
    }
  }
  return undefined;
}

function newCore({ instruments }: RestoreParts): MatchingCore {
  const core = new MatchingCore();
  for (let instrument = 0; instrument < instruments; instrument += 1) core.setInstrument(instrument, NO_RULES);
  return core;
}
