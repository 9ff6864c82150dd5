/** What the main thread and the thread that commits tell each other in shared memory: 32-bit words that wrap, and one last message. */
import type { RingMemory } from './command-ring.ts';
import { JournalError, type JournalErrorCode } from './types.ts';

/** Changes, and is notified, when the worker has something to do. */
export const WORK = 0;
/** Changes, and is notified, when the main thread has something to hear. */
export const NEWS = 1;
/** 1: commit what waits and end. */
export const STOP = 2;
/** 1: the worker has ended, and closed its connection. */
export const ENDED = 3;
/** Bytes of the message with which it has failed; 0 as long as it has not. */
export const FAILED = 4;
/** Time spent committing. */
export const NANOS = 5;
/** By how much the WAL has grown. */
export const WAL_KIB = 6;
const WORDS = 7;
const MESSAGE_AT = WORDS * 4;
const MOST_MESSAGE_BYTES = 2048;

/** What the worker is started with. */
export interface CommitWorkerData {
  readonly path: string;
  readonly ring: RingMemory;
  readonly control: SharedArrayBuffer;
  /** Last sequence in the database. */
  readonly committed: number;
  /** Figures of its buffers. */
  readonly bufferMemory: SharedArrayBuffer;
  /** Where the thread records its pauses for garbage collection. */
  readonly gc: SharedArrayBuffer;
}

export function controlMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(MESSAGE_AT + MOST_MESSAGE_BYTES);
}

export function writeFailure(memory: SharedArrayBuffer, { code, message }: JournalError): void {
  const bytes = Buffer.from(`${code} ${message}`).subarray(0, MOST_MESSAGE_BYTES);
  new Uint8Array(memory).set(bytes, MESSAGE_AT);
  Atomics.store(new Int32Array(memory), FAILED, bytes.length);
}

/** undefined as long as the worker has not failed. */
export function readFailure(memory: SharedArrayBuffer): JournalError | undefined {
  const length = Atomics.load(new Int32Array(memory), FAILED);
  if (length === 0) return undefined;
  const text = Buffer.from(new Uint8Array(memory).slice(MESSAGE_AT, MESSAGE_AT + length)).toString();
  const space = text.indexOf(' ');
  return new JournalError(text.slice(0, space) as JournalErrorCode, text.slice(space + 1));
}
