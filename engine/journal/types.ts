/** What a journal is: commands in one order, durable before anyone hears of them, read back at start. */
import type { CommandSlots } from '../core/command.ts';

/** What an acknowledged command survives: nothing, the death of the process, the loss of power. */
export type Durability = 'memory' | 'commit' | 'disk';

/** Text that travels with a command. */
export const CLIENT_ORDER_ID = 1;
/** The name of the command's account, with the first command of that account: ids of accounts are dense, from 0, in order of appearance. */
export const ACCOUNT_NAME = 2;
/** The name of the command's principal, with the first command that uses its number: see principals.ts. */
export const PRINCIPAL_NAME = 3;
export type TextKind = typeof CLIENT_ORDER_ID | typeof ACCOUNT_NAME | typeof PRINCIPAL_NAME;

/** Bytes of one text at most. */
export const MOST_TEXT_BYTES = 64;

/**
 * Where commands are written, checked and matched before they are journalled: a ring in shared memory, so that another thread can commit them. The
 * caller writes a command at {@link at}, lets the core judge it, and either pushes it or leaves it: the place is then used again.
 */
export interface CommandRing {
  readonly slots: CommandSlots;
  /** First word of the next free place, with room for two slots; -1 when the ring is full, and the command must be refused. */
  at(): number;
  /** Adds a text (ASCII or UTF-8) to the command that is going to be pushed next. false when there is no room: the command must be refused then. */
  text(kind: TextKind, text: string): boolean;
  /** Takes the command at {@link at}, which the core has just applied, as the next. */
  push(): void;
  /** Forgets texts that were added for a command that is not pushed. */
  dropTexts(): void;
  /** Commands pushed and not durable yet. */
  readonly waiting: number;
}

/** What a journal tells. Called on the main thread, never from within a call to the journal. */
export interface JournalListener {
  /** Every command up to `sequence` is durable in the sense of the journal's durability. `commands` of them, in `nanos`, since the last call. */
  durable(sequence: number, commands: number, nanos: number): void;
  /**
   * Nothing after {@link Journal.durableSequence} is durable, and nothing more is taken: HFT_JOURNAL_FULL when no room was left and nothing of it
   * was written; any other code when nobody knows whether it will be there after a restart, and the process must end.
   */
  failed(cause: JournalError): void;
}

/** A batch as it is read back. */
export interface JournalBatch {
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly slots: CommandSlots;
  /** Words that hold commands, from 0, one after the other. */
  readonly words: number;
  /** Texts by sequence, rising; at most one of a kind each. */
  readonly texts: readonly { readonly sequence: number; readonly kind: TextKind; readonly text: string }[];
}

/** The two operations that matter, so that a worker thread or a replicated stream can stand behind them: append what is in the ring, read from a sequence. */
export interface Journal {
  readonly durability: Durability;
  readonly ring: CommandRing;
  /** Last durable sequence; 0 at first. */
  readonly durableSequence: number;
  /** Set before the first push. */
  listen(listener: JournalListener): void;
  /** Sees to it that what has been pushed becomes durable, with everything else of this event-loop tick. Cheap to call after every push. */
  flush(): void;
  /** Batches that hold `fromSequence` and what follows, in order, about `limit` commands; empty at the end. Throws JournalError on corruption, and for what was compacted. */
  read(fromSequence: number, limit: number): JournalBatch[];
}

export interface InstrumentRecord {
  readonly id: number;
  readonly symbol: string;
  readonly tickSize: string;
  readonly lotSize: string;
}

export type JournalErrorCode =
  | 'HFT_JOURNAL_LOCKED'
  | 'HFT_JOURNAL_TOO_NEW'
  | 'HFT_JOURNAL_TOO_OLD'
  | 'HFT_JOURNAL_CORRUPT'
  /** What was asked for has been dropped: a snapshot has it. */
  | 'HFT_JOURNAL_COMPACTED'
  | 'HFT_JOURNAL_DIVERGED'
  | 'HFT_JOURNAL_UNUSABLE'
  | 'HFT_JOURNAL_FULL'
  | 'HFT_JOURNAL_FAILED'
  | 'HFT_JOURNAL_FENCED';

/** The journal cannot do what was asked. The message says what was found and what to do. */
export class JournalError extends Error {
  override readonly name = 'JournalError';
  readonly code: JournalErrorCode;

  constructor(code: JournalErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}
