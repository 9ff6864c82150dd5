/** The thread that follows the journal, writes the rows and takes the snapshots. It sleeps by Atomics.wait: nothing wakes faster. */
import { receiveMessageOnPort, workerData } from 'node:worker_threads';
import { JournalReader } from '../journal/reader.ts';
import { messageOf } from '../journal/sqlite-errors.ts';
import { GcPoll } from '../telemetry/gc.ts';
import { ViewsDamaged } from './database.ts';
import { Replica } from './replica.ts';
import { SharedProgress, type FromThread, type Question, type ReplicaThreadData, type ToThread } from './threads.ts';

/** Commands of one transaction, about: as many as can be made rows before a query would be kept waiting for long. */
const CHUNK_COMMANDS = 4096;
/** How long commands are left to come together while no query waits for them. */
const PAUSE_MS = 2;
const LONGEST_SLEEP_MS = 1000;

const { dataDirectory, shared: buffer, gc: gcBuffer, port, instruments, snapshotEvery } = workerData as ReplicaThreadData;
const shared = new SharedProgress(buffer);
const gc = new GcPoll(gcBuffer);
const post = (message: FromThread): void => port.postMessage(message);

function follow(replica: Replica): void {
  let waiting: Question<'state' | 'snapshot'>[] = [];
  for (;;) {
    gc.poll();
    const calls = shared.replicaCalls;
    for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) {
      const question = next.message as ToThread;
      if (question === null) return;
      waiting.push(question as Question<'state' | 'snapshot'>);
    }
    const commands = shared.durable > replica.coreSequence ? replica.advance(CHUNK_COMMANDS) : 0;
    if (shared.shown !== replica.sequence) shared.shown = replica.sequence;
    if (replica.sequence - replica.snapshotSequence >= snapshotEvery && replica.coreSequence === replica.sequence) takeSnapshot(replica);
    waiting = waiting.filter((question) => !answer(replica, question));
    if (commands >= CHUNK_COMMANDS) continue;
    if (shared.durable > replica.coreSequence) shared.pauseReplica(calls, PAUSE_MS);
    else if (commands > 0 && !shared.wanted) shared.pauseReplica(calls, PAUSE_MS);
    else shared.idleReplica(calls, waiting.length > 0 ? 50 : LONGEST_SLEEP_MS, replica.coreSequence);
  }
}

/** Gives whether it has been answered, in whatever way. */
function answer(replica: Replica, { request, kind, atLeast, untilMs }: Question<'state' | 'snapshot'>): boolean {
  if (replica.coreSequence >= atLeast && replica.coreSequence === replica.sequence) {
    post({ kind: 'answer', request, answer: kind === 'state' ? replica.state() : takeSnapshot(replica) });
    return true;
  }
  if (untilMs > Date.now()) return false;
  const message = `the read models are at sequence ${replica.sequence}, and ${atLeast} was asked for: try again`;
  post({ kind: 'refusal', request, code: 'HFT_VIEWS_BEHIND', message });
  return true;
}

function takeSnapshot(replica: Replica) {
  const state = replica.snapshot();
  post({ kind: 'snapshot', sequence: state.sequence });
  return state;
}

try {
  const journal = JournalReader.open(dataDirectory);
  try {
    const replica = Replica.open({
      dataDirectory,
      journal,
      instruments,
      warn: (details, message) => post({ kind: 'warning', details, message }),
    });
    post({ kind: 'ready' });
    try {
      follow(replica);
    } finally {
      replica.close();
    }
  } finally {
    journal.close();
  }
} catch (cause) {
  post({ kind: 'failed', damaged: cause instanceof ViewsDamaged, message: messageOf(cause) });
}
port.close();
