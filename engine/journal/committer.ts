/** Who makes what was pushed durable: this thread after its tick, or a thread of its own. */
import type { LeakWatch } from '../pools/leak-watch.ts';
import type { JournalError } from './types.ts';

/** What a committer tells; never from within a call to it. */
export interface CommitEvents {
  /** `commands` more, up to `sequence`, in `nanos`. */
  committed(sequence: number, commands: number, nanos: number): void;
  /** It has stopped for good. */
  failed(cause: JournalError): void;
}

export interface Committer {
  /** Last sequence in the database. */
  readonly committed: number;
  /** Finds buffers that are not given back, where they are of this thread; undefined unless they are watched. */
  readonly leaks: LeakWatch | undefined;
  /** By how much the WAL has grown since the last call, about. */
  takeWalBytes(): number;
  /** Commits what waits when this tick is over. */
  flush(): void;
  /** Commits what waits, and ends before it returns. Gives the failure that this has met; nothing is told any more. */
  close(): JournalError | undefined;
}
