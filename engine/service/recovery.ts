/** Books from the journal: replay, with the event loop kept alive, and every check that the journal allows. */
import { setImmediate as nextTick } from 'node:timers/promises';
import type { Core, EventSink } from '../core/types.ts';
import type { SqliteJournal } from '../journal/sqlite-journal.ts';
import { JournalError } from '../journal/types.ts';

export interface Recovery {
  readonly sequence: number;
  readonly stateHash: string;
  readonly commands: number;
  readonly durationMs: number;
  readonly lastTimestampMicros: number;
}

/** Commands between two turns of the event loop: a few milliseconds, so that probes are answered. */
const CHUNK = 5000;
const IGNORE: EventSink = { fill: () => undefined, order: () => undefined };

/**
 * Replays the journal into `core`, which must be empty and know every recorded instrument. Throws JournalError when the state differs from a
 * recorded hash or from the journal's own open orders, and the signal's reason when that is aborted.
 */
export async function replay(core: Core, journal: SqliteJournal, signal: AbortSignal): Promise<Recovery> {
  const startMs = performance.now();
  const hashes = journal.queries.stateHashes();
  let commands = 0;
  let lastTimestampMicros = 0;
  for (let next = 1; ;) {
    const entries = journal.read(next, CHUNK);
    for (const { sequence, timestampMicros, command } of entries) {
      core.apply(sequence, timestampMicros, command, IGNORE);
      const recorded = hashes.get(sequence);
      if (recorded !== undefined && core.stateHash() !== recorded)
        throw diverged(`the state at sequence ${sequence} has hash ${core.stateHash()}, recorded was ${recorded}`);
      lastTimestampMicros = timestampMicros;
    }
    commands += entries.length;
    if (entries.length === 0) break;
    next += entries.length;
    await nextTick();
    signal.throwIfAborted();
  }
  const missing = [...hashes.keys()].find((sequence) => sequence > core.sequence);
  if (missing !== undefined) throw diverged(`a state hash is recorded for sequence ${missing} but the commands end at ${core.sequence}`);
  await compareOpenOrders(core, journal);
  return { sequence: core.sequence, stateHash: core.stateHash(), commands, durationMs: performance.now() - startMs, lastTimestampMicros };
}

async function compareOpenOrders(core: Core, journal: SqliteJournal): Promise<void> {
  const resting = new Map<number, number>();
  for (const { id } of journal.queries.instruments()) core.book(id).each((order) => resting.set(order.id, order.remainingLots));
  await nextTick();
  const recorded = journal.queries.openOrders();
  for (const { id, remainingLots } of recorded) {
    if (resting.get(id) !== remainingLots)
      throw diverged(`order ${id} is recorded open with ${remainingLots} lots but rests with ${resting.get(id) ?? 0}`);
  }
  if (recorded.length !== resting.size) throw diverged(`${resting.size} orders rest but ${recorded.length} are recorded open`);
}

function diverged(found: string): JournalError {
  return new JournalError(
    'HFT_JOURNAL_DIVERGED',
    `the journal does not replay to the state that it recorded: ${found}. Restore the directory from a backup, or run the engine version that wrote it`,
  );
}
