/** What a journal is: commands in one order, durable before anyone hears of them, read back at start. */
import type { Command, OrderStatus, OrderType, Side, TimeInForce } from '../core/types.ts';

/** A command as it was applied. */
export interface JournalEntry {
  readonly sequence: number;
  readonly timestampMicros: number;
  readonly command: Command;
}

/** An order as queries show it. `id` is the sequence at which it was accepted. */
export interface OrderRecord {
  readonly id: number;
  readonly instrument: number;
  readonly account: number;
  readonly side: Side;
  readonly type: OrderType;
  readonly timeInForce: TimeInForce;
  readonly priceTicks: number;
  readonly quantityLots: number;
  readonly remainingLots: number;
  readonly status: OrderStatus;
  readonly clientOrderId: string | null;
  readonly createdAtMicros: number;
}

/** A fill: number `index` of the fills that the command at `sequence` caused. */
export interface FillRecord {
  readonly sequence: number;
  readonly index: number;
  readonly instrument: number;
  readonly priceTicks: number;
  readonly quantityLots: number;
  readonly makerOrderId: number;
  readonly takerOrderId: number;
}

export interface AccountRecord {
  readonly id: number;
  readonly name: string;
}

export interface InstrumentRecord {
  readonly id: number;
  readonly symbol: string;
  readonly tickSize: string;
  readonly lotSize: string;
}

/** One group commit: everything that becomes durable together. */
export interface JournalBatch {
  readonly entries: JournalEntry[];
  /** New orders as they stand at the end of the batch. */
  readonly orders: OrderRecord[];
  /** What is left of orders of earlier batches, by id. */
  readonly changes: Map<number, { remainingLots: number; status: OrderStatus }>;
  readonly fills: FillRecord[];
  /** Accounts that this batch names for the first time. */
  readonly accounts: AccountRecord[];
}

/**
 * The two operations that matter, so that a worker thread or a replicated stream can stand behind them. At most one append is under way.
 */
export interface Journal {
  /** Last durable sequence; 0 at first. */
  readonly lastSequence: number;
  /**
   * Makes a batch durable; its first entry must be `expectedSequence`, and that must follow {@link lastSequence}: the fence against a second
   * writer. Rejects with JournalError and leaves nothing of the batch behind.
   */
  append(expectedSequence: number, batch: JournalBatch): Promise<void>;
  /** Entries from `fromSequence` on, in order, about `limit` of them (whole batches); empty at the end. Throws JournalError on corruption. */
  read(fromSequence: number, limit: number): JournalEntry[];
}

export type JournalErrorCode =
  | 'HFT_JOURNAL_LOCKED'
  | 'HFT_JOURNAL_TOO_NEW'
  | 'HFT_JOURNAL_CORRUPT'
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
