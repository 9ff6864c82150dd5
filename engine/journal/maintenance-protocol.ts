/** What the main thread asks of the thread that looks after the files, and what it hears. */
import type { Durability, JournalErrorCode } from './types.ts';

export interface MaintenanceData {
  readonly path: string;
  readonly durability: Durability;
  /** The database, open for writing. Whoever gave it closes it. */
  readonly file: number;
  /** One word: 1 when the thread has ended, and closed its connection. */
  readonly ended: SharedArrayBuffer;
  /** Where the thread records its pauses for garbage collection. */
  readonly gc: SharedArrayBuffer;
}

export type MaintenanceRequest =
  /** Copy the log back; and let it begin anew, if so. */
  | { readonly kind: 'checkpoint'; readonly restart: boolean }
  /** Drop what is of times before this one, and what no start needs any more. */
  | { readonly kind: 'compact'; readonly beforeMicros: number }
  | { readonly kind: 'close' };

export type MaintenanceAnswer =
  | { readonly kind: 'checkpoint'; readonly restarted: boolean }
  | { readonly kind: 'compact'; readonly compactedThrough: number }
  | { readonly kind: 'failed'; readonly request: 'checkpoint' | 'compact'; readonly code: JournalErrorCode; readonly message: string };
