/** What the main thread asks of the thread that looks after the files, and what it hears. */
import type { Droppable } from './compaction.ts';
import type { Durability, JournalErrorCode } from './types.ts';

export interface MaintenanceData {
  readonly path: string;
  readonly durability: Durability;
  /** One word: 1 when the thread has ended, and closed its connection. */
  readonly ended: SharedArrayBuffer;
}

export type MaintenanceRequest =
  | { readonly kind: 'checkpoint' }
  /** Drop what may be dropped, as far as no start needs it any more. */
  | ({ readonly kind: 'compact' } & Droppable)
  | { readonly kind: 'close' };

export type MaintenanceAnswer =
  | { readonly kind: 'checkpoint' }
  | { readonly kind: 'compact'; readonly compactedThrough: number }
  | { readonly kind: 'failed'; readonly request: 'checkpoint' | 'compact'; readonly code: JournalErrorCode; readonly message: string };
