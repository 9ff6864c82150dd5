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

/** Commands that are made rows at once: few where somebody may be waiting, many where there is much to catch up on. */
const STEP = 256;
const CATCH_UP_STEP = 4096;
/** How long commands are left to come together: what a query may then have to wait for. */
const PAUSE_MS = 1;
/** Nothing new for so long is a good moment to commit. */
const QUIET_MS = 20;
const COMMIT_MS = 1000;
const COMMIT_COMMANDS = 200_000;
/** The write-ahead log is copied back after so many commands, and after fewer when nothing goes on. */
const CHECKPOINT_COMMANDS = 1_000_000;
const QUIET_CHECKPOINT_COMMANDS = 10_000;
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
  #lastCommandMs = 0;
  #lastCommitMs = 0;
  #sinceCheckpoint = 0;

  constructor(parts: FollowerParts) {
    this.#parts = parts;
    this.#replica = parts.open();
    parts.shared.shown = this.#replica.sequence;
  }

  ask(question: Question): void {
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
    } catch (cause) {
      if (!isFull(cause)) throw cause;
      this.#block(nowMs);
    }
    this.#answer();
    this.#sleep(calls, commands);
  }

  close(): void {
    try {
      if (this.#hasRoom()) this.#replica.commit();
    } catch (cause) {
      if (!isFull(cause)) throw cause;
    } finally {
      this.#replica.close();
    }
  }

  #advance(nowMs: number): number {
    const { shared, snapshotEvery } = this.#parts;
    const replica = this.#replica;
    const behind = shared.durable - replica.coreSequence;
    const commands = behind > 0 ? replica.advance(behind > CATCH_UP_STEP ? CATCH_UP_STEP : STEP) : 0;
    if (commands > 0) {
      shared.shown = replica.sequence;
      this.#lastCommandMs = nowMs;
    }
    if (nowMs >= this.#nextRetentionMs) this.#retain(nowMs);
    const isQuiet = nowMs - this.#lastCommandMs >= QUIET_MS;
    if (replica.uncommitted >= COMMIT_COMMANDS || nowMs - this.#lastCommitMs >= COMMIT_MS || isQuiet) this.#commit(nowMs, isQuiet);
    if (replica.sequence - replica.snapshotSequence >= snapshotEvery && nowMs >= this.#nextSnapshotMs) this.#snapshotUnasked(nowMs);
    return commands;
  }

  #retain(nowMs: number): void {
    const { retentionMs } = this.#parts;
    this.#isRetaining = this.#replica.retain((nowMs - retentionMs) * 1000);
    if (this.#isRetaining) return;
    this.#nextRetentionMs = nowMs + Math.min(RETENTION_MOST_MS, Math.max(RETENTION_LEAST_MS, retentionMs * RETENTION_SHARE));
  }

  #commit(nowMs: number, isQuiet: boolean): void {
    this.#lastCommitMs = nowMs;
    if (!this.#replica.isDirty || !this.#hasRoom()) return;
    this.#sinceCheckpoint += this.#replica.uncommitted;
    this.#replica.commit();
    this.#retryMs = RETRY_MS;
    if (this.#sinceCheckpoint < (isQuiet ? QUIET_CHECKPOINT_COMMANDS : CHECKPOINT_COMMANDS)) return;
    this.#sinceCheckpoint = 0;
    try {
      this.#replica.checkpoint();
    } catch (cause) {
      if (!isFull(cause)) throw cause;
    }
  }

  #snapshotUnasked(nowMs: number): void {
    if (this.#replica.coreSequence < this.#replica.sequence) return;
    this.#commit(nowMs, false);
    if (this.#replica.isDirty) return;
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
      this.#commit(nowMs, false);
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

  #sleep(calls: number, commands: number): void {
    const { shared } = this.#parts;
    const replica = this.#replica;
    const longestMs = this.#waiting.length > 0 ? WAITING_SLEEP_MS : LONGEST_SLEEP_MS;
    if (this.#isBlocked) shared.pause(calls, longestMs);
    else if (commands >= STEP) return;
    // What is durable in memory only will be in the database in a moment; and after commands there come more.
    else if (shared.durable > replica.coreSequence || commands > 0 || this.#isRetaining) shared.pause(calls, PAUSE_MS);
    else shared.idle(calls, replica.isDirty && !this.#isShort ? QUIET_MS : longestMs, replica.coreSequence);
  }
}

function answerOf({ queries }: Replica, kind: QueryKind, args: Question['args']): unknown {
  // A question and its arguments belong together; the compiler cannot know that of a union.
  return (queries[kind] as (...given: readonly unknown[]) => unknown).apply(queries, [...args]);
}
