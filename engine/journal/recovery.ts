/**
 * The state that a journal holds: the newest good snapshot, and the commands after it. Whatever is doubtful about a snapshot, the journal is the
 * record: an older one, or none at all, gives the same state as long as the journal reaches back to it.
 */
import { setImmediate as nextTick } from 'node:timers/promises';
import { commandWords } from '../core/command.ts';
import { StateHash } from '../core/hash.ts';
import { NO_EVENTS, type Core } from '../core/types.ts';
import type { JournalQueries } from './queries.ts';
import { readSnapshot, setSnapshotAside, SnapshotError, snapshotSequences, type Snapshot } from './snapshot.ts';
import { ACCOUNT_NAME, JournalError, type JournalBatch } from './types.ts';

export interface Recovery {
  /** Of the last command. */
  readonly sequence: number;
  readonly stateHash: string;
  /** How many were replayed. */
  readonly commands: number;
  readonly durationMs: number;
  /** 0 when everything was replayed. */
  readonly snapshotSequence: number;
  /** Names of all accounts, by id. */
  readonly accounts: string[];
  /** What was found and passed over, for people. */
  readonly warnings: string[];
}

/** What is needed of a journal. */
export interface RecoverySource {
  /** What opening the journal had to report. */
  readonly warnings: readonly string[];
  readonly queries: Pick<JournalQueries, 'lastSequence' | 'compactedThrough' | 'stateHashes'>;
  read(fromSequence: number, limit: number): JournalBatch[];
}

/** Between two turns of the event loop, so that probes are answered meanwhile. */
const TURN_MS = 10;
/** Read at once; what a batch holds beyond it comes too. */
const READ_COMMANDS = 4096;

/**
 * Brings `core`, which knows the instruments and has applied nothing, to the state at the end of the journal. Throws JournalError when the journal
 * cannot be read whole, or does not give the states that were recorded (HFT_JOURNAL_DIVERGED); what `signal` says when it is aborted.
 */
export async function recover(
  core: Core,
  journal: RecoverySource,
  { dataDirectory, signal }: { dataDirectory: string; signal: AbortSignal },
): Promise<Recovery> {
  const startMs = performance.now();
  const warnings = [...journal.warnings];
  const stateHashes = journal.queries.stateHashes();
  const snapshot = newestGoodSnapshot(dataDirectory, journal.queries, stateHashes, warnings);
  signal.throwIfAborted();
  if (snapshot !== undefined) await restore(core, snapshot);
  const replay = new Replay(core, [...(snapshot?.accounts ?? [])], stateHashes);
  let turnMs = performance.now();
  for (
    let batches = journal.read(core.sequence + 1, READ_COMMANDS);
    batches.length > 0;
    batches = journal.read(core.sequence + 1, READ_COMMANDS)
  ) {
    for (const batch of batches) {
      replay.apply(batch);
      if (performance.now() - turnMs < TURN_MS) continue;
      await nextTick();
      signal.throwIfAborted();
      turnMs = performance.now();
    }
  }
  const { sequence } = core;
  const snapshotSequence = snapshot?.sequence ?? 0;
  return {
    sequence,
    stateHash: snapshot?.sequence === sequence ? snapshot.stateHash : core.stateHash(),
    commands: sequence - snapshotSequence,
    durationMs: performance.now() - startMs,
    snapshotSequence,
    accounts: replay.accounts,
    warnings,
  };
}

/** undefined when the journal must be replayed from its beginning. Throws JournalError when it has been compacted and no snapshot reaches. */
function newestGoodSnapshot(
  dataDirectory: string,
  queries: RecoverySource['queries'],
  stateHashes: ReadonlyMap<number, string>,
  warnings: string[],
): Snapshot | undefined {
  const last = queries.lastSequence();
  const compactedThrough = queries.compactedThrough();
  for (const sequence of snapshotSequences(dataDirectory)) {
    if (sequence > last) {
      // Out of the way for good: when the journal gets there, its state will be another.
      const aside = setSnapshotAside(dataDirectory, sequence);
      warnings.push(
        `a snapshot of sequence ${sequence} is newer than the journal, which ends at ${last}: it was not used, and is now ${aside}`,
      );
      continue;
    }
    if (sequence < compactedThrough) break;
    const snapshot = goodSnapshot(dataDirectory, sequence, stateHashes.get(sequence), warnings);
    if (snapshot !== undefined) return snapshot;
  }
  if (compactedThrough === 0) return undefined;
  throw new JournalError(
    'HFT_JOURNAL_CORRUPT',
    [
      `the journal begins at sequence ${compactedThrough + 1}, and no good snapshot in ${dataDirectory} has what came before`,
      ...warnings,
      'Restore the directory from a backup, or bring a snapshot back into it; nothing has been changed',
    ].join('. '),
  );
}

function goodSnapshot(dataDirectory: string, sequence: number, recorded: string | undefined, warnings: string[]): Snapshot | undefined {
  const skipped = (found: string): undefined => void warnings.push(`${found}: it was not used`);
  try {
    const snapshot = readSnapshot(dataDirectory, sequence);
    const { words, stateHash } = snapshot;
    const hash = new StateHash();
    for (const word of words) hash.addDouble(word);
    if (hash.hex() !== stateHash) return skipped(`the snapshot of sequence ${sequence} has state hash ${hash.hex()} and says ${stateHash}`);
    if (recorded !== undefined && recorded !== stateHash)
      return skipped(`the snapshot of sequence ${sequence} has state hash ${stateHash}, and the journal ${recorded}`);
    return snapshot;
  } catch (cause) {
    if (!(cause instanceof SnapshotError)) throw cause;
    return skipped(cause.message);
  }
}

/** The snapshot is what was written: when the core cannot take it, or takes it as something else, another engine's rules have made it. */
async function restore(core: Core, { sequence, words, stateHash }: Snapshot): Promise<void> {
  const refusal = (found: string, cause?: unknown): JournalError =>
    new JournalError(
      'HFT_JOURNAL_DIVERGED',
      `the snapshot of sequence ${sequence} ${found}: run the version that wrote it, or move the snapshot away so that the journal is replayed instead. Please report this`,
      cause,
    );
  // Each of these takes half a second for a million orders.
  await nextTick();
  try {
    core.restore(words);
  } catch (cause) {
    throw refusal('cannot be restored', cause);
  }
  await nextTick();
  const restored = core.stateHash();
  if (restored !== stateHash) throw refusal(`has state hash ${stateHash} and is ${restored} when it is restored`);
}

class Replay {
  /** Names so far, by id. */
  readonly accounts: string[];
  readonly #core: Core;
  readonly #stateHashes: ReadonlyMap<number, string>;

  constructor(core: Core, accounts: string[], stateHashes: ReadonlyMap<number, string>) {
    this.#core = core;
    this.accounts = accounts;
    this.#stateHashes = stateHashes;
  }

  /** Applies what of a batch the core has not applied yet. */
  apply({ firstSequence, slots, words, texts }: JournalBatch): void {
    const core = this.#core;
    const after = core.sequence;
    let sequence = firstSequence;
    try {
      for (let at = 0; at < words; at += commandWords(slots, at), sequence += 1) {
        if (sequence <= after) continue;
        core.replay(slots, at, NO_EVENTS);
        if (this.#stateHashes.size > 0) this.#check(sequence);
      }
    } catch (cause) {
      if (cause instanceof JournalError) throw cause;
      throw diverged(`the command at sequence ${sequence} cannot be applied`, cause);
    }
    for (const text of texts) if (text.sequence > after && text.kind === ACCOUNT_NAME) this.accounts.push(text.text);
    core.reserve();
  }

  #check(sequence: number): void {
    const recorded = this.#stateHashes.get(sequence);
    if (recorded === undefined) return;
    const replayed = this.#core.stateHash();
    if (replayed !== recorded)
      throw diverged(`at sequence ${sequence} the journal gives state hash ${replayed}, and ${recorded} was recorded`);
  }
}

function diverged(found: string, cause?: unknown): JournalError {
  return new JournalError(
    'HFT_JOURNAL_DIVERGED',
    `${found}: run the version that wrote the journal, or restore the directory from a backup; nothing has been changed. Please report this`,
    cause,
  );
}
