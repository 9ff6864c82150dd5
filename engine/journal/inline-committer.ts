/** Commits on the caller's thread, once an event-loop tick: without an fsync that is sooner done than handed over. */
import type { Database } from 'better-sqlite3';
import { BufferPool } from '../pools/buffer-pool.ts';
import type { LeakWatch } from '../pools/leak-watch.ts';
import { BatchWriter } from './batch-writer.ts';
import type { SharedCommandRing } from './command-ring.ts';
import type { CommitEvents, Committer } from './committer.ts';
import { asJournalError } from './sqlite-errors.ts';
import { JournalError } from './types.ts';

/** What waits is written at the close even if another connection is just checkpointing. */
const CLOSE_WAIT_MS = 10_000;

export class InlineCommitter implements Committer {
  readonly #database: Database;
  readonly #ring: SharedCommandRing;
  readonly #writer: BatchWriter;
  readonly #buffers: BufferPool;
  readonly #events: CommitEvents;
  readonly #spacingMs: () => number;
  #scheduled = false;
  #closed = false;
  #failure: JournalError | undefined;

  /**
   * The connection must not wait for others (`busy_timeout = 0`): a tick that finds them writing leaves it to the next one. `spacingMs` is asked how
   * long the next commit may wait for more to commit: 0 for no longer than the tick.
   */
  constructor(
    database: Database,
    ring: SharedCommandRing,
    committed: number,
    bufferMemory: SharedArrayBuffer,
    events: CommitEvents,
    spacingMs: () => number,
  ) {
    this.#database = database;
    this.#ring = ring;
    this.#buffers = new BufferPool({ memory: bufferMemory });
    this.#writer = new BatchWriter(database, ring, committed, this.#buffers);
    this.#events = events;
    this.#spacingMs = spacingMs;
  }

  get committed(): number {
    return this.#writer.committed;
  }

  get leaks(): LeakWatch | undefined {
    return this.#buffers.leaks;
  }

  takeWalBytes(): number {
    const { walBytes } = this.#writer;
    this.#writer.walBytes = 0;
    return walBytes;
  }

  flush(): void {
    if (this.#scheduled || this.#failure !== undefined) return;
    this.#scheduled = true;
    const spacingMs = this.#spacingMs();
    if (spacingMs === 0) setImmediate(this.#commitTick);
    else setTimeout(this.#commitTick, spacingMs);
  }

  readonly #commitTick = (): void => {
    this.#scheduled = false;
    if (this.#closed) return;
    const before = this.#writer.committed;
    const startMs = performance.now();
    this.#commitWaiting();
    const { committed } = this.#writer;
    if (committed > before) this.#events.committed(committed, committed - before, Math.round((performance.now() - startMs) * 1e6));
    if (this.#failure !== undefined) this.#events.failed(this.#failure);
    else if (this.#ring.waiting > 0) this.flush();
  };

  #commitWaiting(): void {
    try {
      while (this.#writer.commit());
    } catch (cause) {
      this.#failure = asJournalError(cause, this.#database.name);
    }
  }

  close(): JournalError | undefined {
    this.#closed = true;
    if (this.#failure !== undefined) return undefined;
    this.#database.pragma(`busy_timeout = ${CLOSE_WAIT_MS}`);
    this.#commitWaiting();
    if (this.#ring.waiting > 0)
      this.#failure ??= new JournalError(
        'HFT_JOURNAL_FAILED',
        `another connection to ${this.#database.name} has kept the last commands from it`,
      );
    return this.#failure;
  }
}
