/** What the threads of the read models share, and what they say to each other. */
import type { MessagePort } from 'node:worker_threads';
import type { OrderStatus } from '../core/types.ts';
import type { FillRecord, FirstAnswer, OrderRecord, PositionRecord, ReplicaState, ViewsErrorCode } from './types.ts';

/** Sequences of {@link SharedProgress}. */
const DURABLE = 0;
const SHOWN = 1;
/** Words of it. */
const REPLICA_CALLS = 0;
const QUERY_CALLS = 1;
const REPLICA_SLEEP = 2;
const QUERY_SLEEP = 3;
const WANTED = 4;

/** How a thread sleeps: not at all; until it is called; or until there is more in the journal, too. */
const AWAKE = 0;
const UNTIL_CALLED = 1;
const UNTIL_MORE = 2;

const SEQUENCE_BYTES = 16;
const SHARED_BYTES = SEQUENCE_BYTES + 20;

/**
 * How far the journal and the rows are, in memory that all threads see; and how those who sleep are called. A thread takes the number of calls, looks
 * for work, and sleeps as long as the number is the same: a call in between is not missed.
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

  /** Told once a commit: calls the replica only when it has nothing to do. */
  set durable(sequence: number) {
    Atomics.store(this.#sequences, DURABLE, BigInt(sequence));
    if (Atomics.load(this.#words, REPLICA_SLEEP) === UNTIL_MORE) this.callReplica();
  }

  /** Sequence that the rows show. */
  get shown(): number {
    return Number(Atomics.load(this.#sequences, SHOWN));
  }

  set shown(sequence: number) {
    Atomics.store(this.#sequences, SHOWN, BigInt(sequence));
    this.callQueries();
  }

  /** Whether a query waits for rows: the replica then does not wait for more commands to come together. */
  get wanted(): boolean {
    return Atomics.load(this.#words, WANTED) !== 0;
  }

  set wanted(wanted: boolean) {
    const before = Atomics.exchange(this.#words, WANTED, wanted ? 1 : 0);
    if (wanted && before === 0) this.callReplica();
  }

  get replicaCalls(): number {
    return Atomics.load(this.#words, REPLICA_CALLS);
  }

  get queryCalls(): number {
    return Atomics.load(this.#words, QUERY_CALLS);
  }

  callReplica(): void {
    this.#call(REPLICA_CALLS, REPLICA_SLEEP);
  }

  callQueries(): void {
    this.#call(QUERY_CALLS, QUERY_SLEEP);
  }

  /** In the replica's thread: sleeps until a call after `calls`, `milliseconds` at most. */
  pauseReplica(calls: number, milliseconds: number): void {
    this.#sleep(REPLICA_CALLS, REPLICA_SLEEP, UNTIL_CALLED, calls, milliseconds, undefined);
  }

  /** As {@link pauseReplica}, and until more than `sequence` is durable. */
  idleReplica(calls: number, milliseconds: number, sequence: number): void {
    this.#sleep(REPLICA_CALLS, REPLICA_SLEEP, UNTIL_MORE, calls, milliseconds, sequence);
  }

  /** In the thread of the queries: sleeps until a call after `calls`, `milliseconds` at most. */
  pauseQueries(calls: number, milliseconds: number): void {
    this.#sleep(QUERY_CALLS, QUERY_SLEEP, UNTIL_CALLED, calls, milliseconds, undefined);
  }

  #call(calls: number, sleep: number): void {
    Atomics.add(this.#words, calls, 1);
    if (Atomics.load(this.#words, sleep) !== AWAKE) Atomics.notify(this.#words, calls);
  }

  #sleep(calls: number, sleep: number, how: number, seen: number, milliseconds: number, sequence: number | undefined): void {
    const words = this.#words;
    Atomics.store(words, sleep, how);
    // Looked at after saying how it sleeps: whoever tells of more from here on calls.
    if (sequence === undefined || this.durable <= sequence) Atomics.wait(words, calls, seen, milliseconds);
    Atomics.store(words, sleep, AWAKE);
  }
}

/** What each thread is started with. */
export interface ThreadData {
  readonly dataDirectory: string;
  readonly shared: SharedArrayBuffer;
  /** Where the thread records its pauses for garbage collection. */
  readonly gc: SharedArrayBuffer;
  readonly port: MessagePort;
}

export interface ReplicaThreadData extends ThreadData {
  readonly instruments: number;
  readonly retentionMs: number;
  readonly snapshotEvery: number;
}

/** The questions, their arguments and their answers. */
export interface Questions {
  order: { args: [id: number]; answer: OrderRecord | undefined };
  orders: { args: [filter: { account?: number; status?: OrderStatus }, after: number, limit: number]; answer: OrderRecord[] };
  firstAnswer: { args: [id: number, limit: number]; answer: FirstAnswer | undefined };
  fills: { args: [after: { sequence: number; index: number }, limit: number]; answer: FillRecord[] };
  trades: { args: [instrument: number, before: { sequence: number; index: number }, limit: number]; answer: FillRecord[] };
  positions: { args: [account: number | undefined]; answer: PositionRecord[] };
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
