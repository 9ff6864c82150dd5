/** What the thread of the read models does, turn by turn: it follows the journal, answers what can be answered, commits, takes snapshots. */
import { messageOf } from '../journal/sqlite-errors.ts';
import { isFull } from './database.ts';
import type { Replica } from './replica.ts';
import type { FromThread, QueryKind, Question, SharedProgress } from './threads.ts';
import type { ReplicaState } from './types.ts';

export interface FollowerParts {
  /** Opens the replica: at first, and again after there was no room. */
  readonly open: () => Replica;
  readonly shared: SharedProgress;
  readonly post: (message: FromThread) => void;
  readonly snapshotEvery: number;
  readonly retentionMs: number;
}

/** Commands that are followed at once: few while there are queries, which may have to wait for them; many when there are none or there is much to do. */
const STEP = 256;
const LARGE_STEP = 4096;
/** How long commands are left to come together. */
const PAUSE_MS = 1;
const LONG_PAUSE_MS = 20;
/** Queries are expected for so long after one. */
const EXPECTED_MS = 1000;
/** Nothing new for so long is a good moment to write rows; otherwise they are written so often: an order that is done with by then costs one. */
const QUIET_MS = 20;
const COMMIT_MS = 1000;
/** Rows that are written without looking for questions, and for how long at most before the journal is looked at again. */
const ROWS_AT_ONCE = 16;
const WRITING_MS = 1;
const LONGEST_SLEEP_MS = 1000;
/** Between two looks at who has waited for too long. */
const WAITING_SLEEP_MS = 50;
/** Between two passes over the oldest rows: a part of the time for which they are kept, within bounds. */
const RETENTION_SHARE = 1 / 60;
const RETENTION_LEAST_MS = 1000;
const RETENTION_MOST_MS = 600_000;
/** Between two looks at whether there is room again, and before a snapshot that failed is tried again. */
const RETRY_MS = 1000;
const LONGEST_RETRY_MS = 60_000;
const SNAPSHOT_RETRY_MS = 10_000;

export class Follower {
  readonly #parts: FollowerParts;
  #replica: Replica;
  #waiting: Question[] = [];
  #isBlocked = false;
  /** Whether a pass over the oldest rows is under way. */
  #isRetaining = false;
  #nextTryMs = 0;
  #retryMs = RETRY_MS;
  /** Whether too little room is left to commit. */
  #isShort = false;
  #nextSnapshotMs = 0;
  #nextRetentionMs = 0;
  #lastQueryMs = 0;
  #lastCommandMs = 0;
  #lastCommitMs = 0;

  constructor(parts: FollowerParts) {
    this.#parts = parts;
    this.#replica = parts.open();
    parts.shared.shown = this.#replica.sequence;
  }

  ask(question: Question): void {
    if (question.kind !== 'state' && question.kind !== 'snapshot') this.#lastQueryMs = Date.now();
    this.#waiting.push(question);
  }

  /** Does what there is to do, a step of each, and sleeps when there is nothing more. `calls` was taken before the questions were. */
  turn(calls: number): void {
    this.#answer();
    const nowMs = Date.now();
    let commands = 0;
    try {
      if (this.#isBlocked) this.#tryAgain(nowMs);
      else commands = this.#advance(nowMs);
      this.#answer();
      if (!this.#isBlocked) this.#keep(calls, nowMs);
    } catch (cause) {
      if (!isFull(cause)) throw cause;
      this.#block(nowMs);
    }
    this.#answer();
    this.#sleep(calls, commands, nowMs);
  }

  close(): void {
    try {
      if (!this.#replica.hasFailed && this.#hasRoom()) this.#replica.commit();
    } catch (cause) {
      if (!isFull(cause)) throw cause;
    } finally {
      this.#replica.close();
    }
  }

  #advance(nowMs: number): number {
    const { shared } = this.#parts;
    const replica = this.#replica;
    const behind = shared.durable - replica.coreSequence;
    const isLarge = behind > LARGE_STEP || !this.#expectsQueries(nowMs);
    const commands = behind > 0 && this.#hasPlace() ? replica.advance(isLarge ? LARGE_STEP : STEP) : 0;
    if (commands > 0) {
      shared.shown = replica.sequence;
      this.#lastCommandMs = nowMs;
    }
    return commands;
  }

  /**
   * Whether more can be gathered: not when that would have to be written, and there is no room; nor so much, while something is being written, that all
   * of it had to be written at once, without an answer or a copy of the log in between.
   */
  #hasPlace(): boolean {
    if (this.#replica.isWriting) return !this.#replica.isFilled;
    return !this.#replica.isFull || this.#hasRoom();
  }

  /** Writes rows until it is called, and does what goes with them. */
  #keep(calls: number, nowMs: number): void {
    const { shared, snapshotEvery } = this.#parts;
    const replica = this.#replica;
    if (!replica.isWriting) {
      if (nowMs >= this.#nextRetentionMs) this.#retain(nowMs);
      const isQuiet = nowMs - this.#lastCommandMs >= QUIET_MS;
      const isDue = isQuiet || replica.isFilled || nowMs - this.#lastCommitMs >= COMMIT_MS;
      if (!isDue) return;
      const isSnapshotDue =
        replica.sequence - replica.snapshotSequence >= snapshotEvery &&
        replica.coreSequence >= replica.sequence &&
        nowMs >= this.#nextSnapshotMs;
      this.#lastCommitMs = nowMs;
      if (!(replica.isDirty || isSnapshotDue) || !this.#hasRoom()) return;
      replica.seal(isSnapshotDue);
    }
    const untilMs = performance.now() + WRITING_MS;
    while (!replica.write(ROWS_AT_ONCE)) if (shared.calls !== calls || performance.now() > untilMs) return;
    replica.commitSealed();
    this.#committed(nowMs);
  }

  #retain(nowMs: number): void {
    const { retentionMs } = this.#parts;
    this.#isRetaining = this.#replica.retain((nowMs - retentionMs) * 1000);
    if (this.#isRetaining) return;
    this.#nextRetentionMs = nowMs + Math.min(RETENTION_MOST_MS, Math.max(RETENTION_LEAST_MS, retentionMs * RETENTION_SHARE));
  }

  #committed(nowMs: number): void {
    const replica = this.#replica;
    this.#retryMs = RETRY_MS;
    if (replica.hasCaptured) this.#snapshotUnasked(nowMs);
    else if (replica.isCheckpointDue(nowMs - this.#lastCommandMs >= QUIET_MS)) this.#checkpoint();
  }

  #checkpoint(): void {
    try {
      this.#replica.checkpoint();
    } catch (cause) {
      if (!isFull(cause)) throw cause;
    }
  }

  #snapshotUnasked(nowMs: number): void {
    try {
      this.#snapshot();
    } catch (cause) {
      this.#nextSnapshotMs = nowMs + SNAPSHOT_RETRY_MS;
      this.#parts.post({
        kind: 'warning',
        details: { cause: messageOf(cause) },
        message: 'no snapshot could be written: it is tried again',
      });
    }
  }

  #snapshot(): ReplicaState {
    const state = this.#replica.snapshot();
    this.#parts.post({ kind: 'snapshot', sequence: state.sequence });
    return state;
  }

  /** Tells when there begins to be none, and when there is again. */
  #hasRoom(): boolean {
    const hasRoom = this.#replica.hasRoom();
    if (hasRoom === this.#isShort) {
      this.#isShort = !hasRoom;
      const message = hasRoom
        ? 'the read models can be written again'
        : 'little room is left: the read models stay in memory until there is more';
      this.#parts.post({ kind: 'warning', details: { sequence: this.#replica.sequence }, message });
    }
    return hasRoom;
  }

  /** No room for rows: core and rows have parted, and are brought together again. Until there is room, queries show what there is. */
  #block(nowMs: number): void {
    this.#replica.close();
    this.#replica = this.#parts.open();
    this.#parts.shared.shown = this.#replica.sequence;
    this.#isBlocked = true;
    this.#nextTryMs = nowMs + this.#retryMs;
    // Each try replays what follows the last snapshot.
    this.#retryMs = Math.min(LONGEST_RETRY_MS, this.#retryMs * 2);
    const details = { sequence: this.#replica.sequence, retryMs: this.#retryMs };
    this.#parts.post({ kind: 'warning', details, message: 'no room is left for the read models: queries stay behind until there is' });
  }

  #tryAgain(nowMs: number): void {
    if (nowMs < this.#nextTryMs || !this.#replica.hasRoom()) return;
    this.#isBlocked = false;
  }

  #expectsQueries(nowMs: number): boolean {
    return nowMs - this.#lastQueryMs < EXPECTED_MS;
  }

  #answer(): void {
    if (this.#waiting.length === 0) return;
    const nowMs = Date.now();
    this.#waiting = this.#waiting.filter((question) => !this.#isDone(question, nowMs));
  }

  #isDone(question: Question, nowMs: number): boolean {
    const { post } = this.#parts;
    const { request, kind, args, atLeast, untilMs } = question;
    const replica = this.#replica;
    if (kind === 'state' || kind === 'snapshot') {
      if (replica.coreSequence >= Math.max(atLeast, replica.sequence)) {
        post(kind === 'state' ? { kind: 'answer', request, answer: replica.state() } : this.#snapshotAsked(request, nowMs));
        return true;
      }
    } else if (replica.sequence >= atLeast) {
      post({ kind: 'answer', request, answer: answerOf(replica, kind, args) });
      return true;
    }
    if (nowMs < untilMs) return false;
    const message = `the read models show sequence ${replica.sequence}, and ${atLeast} was asked for: try again`;
    post({ kind: 'refusal', request, code: 'HFT_VIEWS_BEHIND', message });
    return true;
  }

  #snapshotAsked(request: number, nowMs: number): FromThread {
    try {
      if (this.#hasRoom()) this.#replica.commit();
    } catch (cause) {
      if (!isFull(cause)) throw cause;
      this.#block(nowMs);
      return { kind: 'refusal', request, code: 'HFT_VIEWS_BEHIND', message: 'no room is left for the read models' };
    }
    if (this.#replica.isDirty)
      return { kind: 'refusal', request, code: 'HFT_VIEWS_UNAVAILABLE', message: 'too little room is left for a snapshot' };
    try {
      return { kind: 'answer', request, answer: this.#snapshot() };
    } catch (cause) {
      return { kind: 'refusal', request, code: 'HFT_VIEWS_UNAVAILABLE', message: `no snapshot could be written: ${messageOf(cause)}` };
    }
  }

  #sleep(calls: number, commands: number, nowMs: number): void {
    const { shared } = this.#parts;
    const replica = this.#replica;
    const hasWaiting = this.#waiting.length > 0;
    const isExpecting = hasWaiting || this.#expectsQueries(nowMs);
    const behind = shared.durable - replica.coreSequence;
    const longestMs = hasWaiting ? WAITING_SLEEP_MS : LONGEST_SLEEP_MS;
    if (this.#isBlocked) shared.pause(calls, longestMs);
    else if (replica.isWriting || (commands > 0 && behind >= (isExpecting ? STEP : LARGE_STEP))) return;
    // What is durable in memory only will be in the database in a moment; and after commands there come more.
    else if (behind > 0 || commands > 0 || this.#isRetaining) shared.pause(calls, isExpecting ? PAUSE_MS : LONG_PAUSE_MS);
    else shared.idle(calls, replica.isDirty && !this.#isShort ? QUIET_MS : longestMs, replica.coreSequence);
  }
}

function answerOf({ queries }: Replica, kind: QueryKind, args: Question['args']): unknown {
  // A question and its arguments belong together; the compiler cannot know that of a union.
  return (queries[kind] as (...given: readonly unknown[]) => unknown).apply(queries, [...args]);
}
