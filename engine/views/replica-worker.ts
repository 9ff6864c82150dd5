/**
 * The thread that follows the journal, writes the rows, answers queries and takes the snapshots. It sleeps by Atomics.wait: nothing wakes faster.
 *
 * Queries are answered over the connection that writes, because it sees rows that are not committed yet. A commit costs some microseconds a changed
 * page: once a second many commands share a page, and committing for each query would take longer than the query may.
 */
import { receiveMessageOnPort, workerData } from 'node:worker_threads';
import { JournalReader } from '../journal/reader.ts';
import { messageOf } from '../journal/sqlite-errors.ts';
import { GcPoll } from '../telemetry/gc.ts';
import { ViewsDamaged } from './database.ts';
import { Follower } from './follower.ts';
import { Replica } from './replica.ts';
import { SharedProgress, type FromThread, type ThreadData, type ToThread } from './threads.ts';

const { dataDirectory, instruments, retentionMs, snapshotEvery, shared: buffer, gc: gcBuffer, port } = workerData as ThreadData;
const shared = new SharedProgress(buffer);
const gc = new GcPoll(gcBuffer);
const post = (message: FromThread): void => port.postMessage(message);

try {
  const journal = JournalReader.open(dataDirectory);
  const warn = (details: object, message: string): void => post({ kind: 'warning', details, message });
  const open = (): Replica => Replica.open({ dataDirectory, journal, instruments, warn });
  const follower = new Follower({ open, shared, post, snapshotEvery, retentionMs });
  post({ kind: 'ready' });
  try {
    follow(follower);
  } finally {
    follower.close();
    journal.close();
  }
} catch (cause) {
  post({ kind: 'failed', damaged: cause instanceof ViewsDamaged, message: messageOf(cause) });
}
port.close();

/** Until the thread is told to end. */
function follow(follower: Follower): void {
  for (;;) {
    gc.poll();
    const { calls } = shared;
    for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) {
      const question = next.message as ToThread;
      if (question === null) return;
      follower.ask(question);
    }
    follower.turn(calls);
  }
}
