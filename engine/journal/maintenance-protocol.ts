/** What the main thread asks of the thread that looks after the files, and what it hears. */
import type { Durability, JournalErrorCode } from './types.ts';

export interface MaintenanceData {
  readonly path: string;
  readonly durability: Durability;
  /** One word: 1 when the thread has ended, and closed its connection. */
  readonly ended: SharedArrayBuffer;
  /** Where the thread records its pauses for garbage collection. */
  readonly gc: SharedArrayBuffer;
}

export type MaintenanceRequest =
  | { readonly kind: 'checkpoint' }
  /** Drop what no start needs any more, up to this sequence at most. */
  | { readonly kind: 'compact'; readonly throughSequence: number }
  | { readonly kind: 'close' };

export type MaintenanceAnswer =
  | { readonly kind: 'checkpoint' }
  | { readonly kind: 'compact'; readonly compactedThrough: number }
  | { readonly kind: 'failed'; readonly request: 'checkpoint' | 'compact'; readonly code: JournalErrorCode; readonly message: string };
