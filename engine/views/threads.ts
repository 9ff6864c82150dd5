/** What the engine's thread and that of the read models share, and what they say to each other. */
import type { MessagePort } from 'node:worker_threads';
import type { OrderStatus } from '../core/types.ts';
import type { FillRecord, FirstAnswer, OrderRecord, PositionPage, PositionRecord, ReplicaState, ViewsErrorCode } from './types.ts';

/** Sequences of {@link SharedProgress}. */
const DURABLE = 0;
const SHOWN = 1;
/** Words of it. */
const CALLS = 0;
const SLEEP = 1;

/** How the thread sleeps: not at all; until it is called; or until there is more in the journal, too. */
const AWAKE = 0;
const UNTIL_CALLED = 1;
const UNTIL_MORE = 2;

const SEQUENCE_BYTES = 16;
const SHARED_BYTES = SEQUENCE_BYTES + 8;

/**
 * How far the journal and the rows are, in memory that both threads see; and how the one that sleeps is called. It takes the number of calls, looks for
 * work, and sleeps as long as the number is the same: a call in between is not missed.
 */
export class SharedProgress {
  readonly buffer: SharedArrayBuffer;
  readonly #sequences: BigInt64Array;
  readonly #words: Int32Array;

  constructor(buffer = new SharedArrayBuffer(SHARED_BYTES)) {
    this.buffer = buffer;
    this.#sequences = new BigInt64Array(buffer, 0, 2);
    this.#words = new Int32Array(buffer, SEQUENCE_BYTES);
  }

  /** Last durable sequence of the journal, as far as is known. */
  get durable(): number {
    return Number(Atomics.load(this.#sequences, DURABLE));
  }

  /** Told once a commit: calls the thread only when it has nothing to do. */
  set durable(sequence: number) {
    Atomics.store(this.#sequences, DURABLE, BigInt(sequence));
    if (Atomics.load(this.#words, SLEEP) === UNTIL_MORE) this.call();
  }

  /** Sequence that the rows show. */
  get shown(): number {
    return Number(Atomics.load(this.#sequences, SHOWN));
  }

  set shown(sequence: number) {
    Atomics.store(this.#sequences, SHOWN, BigInt(sequence));
  }

  get calls(): number {
    return Atomics.load(this.#words, CALLS);
  }

  call(): void {
    Atomics.add(this.#words, CALLS, 1);
    if (Atomics.load(this.#words, SLEEP) !== AWAKE) Atomics.notify(this.#words, CALLS);
  }

  /** Sleeps until a call after `calls`, `milliseconds` at most. */
  pause(calls: number, milliseconds: number): void {
    this.#sleep(UNTIL_CALLED, calls, milliseconds);
  }

  /** As {@link pause}, and until more than `sequence` is durable. */
  idle(calls: number, milliseconds: number, sequence: number): void {
    this.#sleep(UNTIL_MORE, calls, milliseconds, sequence);
  }

  #sleep(how: number, calls: number, milliseconds: number, sequence?: number): void {
    const words = this.#words;
    Atomics.store(words, SLEEP, how);
    // Looked at after saying how it sleeps: whoever tells of more from here on calls.
    if (sequence === undefined || this.durable <= sequence) Atomics.wait(words, CALLS, calls, milliseconds);
    Atomics.store(words, SLEEP, AWAKE);
  }
}

/** What the thread is started with. */
export interface ThreadData {
  readonly dataDirectory: string;
  readonly instruments: number;
  readonly retentionMs: number;
  readonly snapshotEvery: number;
  readonly shared: SharedArrayBuffer;
  /** Where the thread records its pauses for garbage collection. */
  readonly gc: SharedArrayBuffer;
  readonly port: MessagePort;
}

/** The questions, their arguments and their answers. */
export interface Questions {
  order: { args: [id: number]; answer: OrderRecord | undefined };
  ordersById: { args: [ids: readonly number[]]; answer: OrderRecord[] };
  orders: { args: [filter: { account?: number; status?: OrderStatus }, after: number, limit: number]; answer: OrderRecord[] };
  firstAnswer: { args: [id: number, limit: number]; answer: FirstAnswer | undefined };
  fills: { args: [after: { sequence: number; index: number }, limit: number]; answer: FillRecord[] };
  trades: { args: [instrument: number, before: { sequence: number; index: number }, limit: number]; answer: FillRecord[] };
  positions: { args: [account: number | undefined, page: PositionPage]; answer: PositionRecord[] };
  state: { args: []; answer: ReplicaState };
  snapshot: { args: []; answer: ReplicaState };
}
export type QueryKind = Exclude<keyof Questions, 'state' | 'snapshot'>;

/** A question: not to be answered before `atLeast`, and not after `untilMs` (of Date.now). */
export interface Question<Kind extends keyof Questions = keyof Questions> {
  readonly request: number;
  readonly kind: Kind;
  readonly args: Questions[Kind]['args'];
  readonly atLeast: number;
  readonly untilMs: number;
}
/** What is posted to a thread; `null` ends it. */
export type ToThread = Question | null;

export type FromThread =
  | { readonly kind: 'ready' }
  | { readonly kind: 'answer'; readonly request: number; readonly answer: unknown }
  | { readonly kind: 'refusal'; readonly request: number; readonly code: ViewsErrorCode; readonly message: string }
  | { readonly kind: 'snapshot'; readonly sequence: number }
  | { readonly kind: 'warning'; readonly details: object; readonly message: string }
  /** The thread ends; `damaged` when the rows must be made again. */
  | { readonly kind: 'failed'; readonly damaged: boolean; readonly message: string };
