/**
 * The thread that commits where a commit waits for the disk: takes what waits in the ring, writes it as a transaction with fsync, and says so in shared
 * memory. While it waits for the disk the next batch gathers. It is only ever in one loop and hears no messages.
 */
import { workerData } from 'node:worker_threads';
import { BufferPool } from '../pools/buffer-pool.ts';
import { GcPoll } from '../telemetry/gc.ts';
import { BatchWriter } from './batch-writer.ts';
import { SharedCommandRing } from './command-ring.ts';
import { ENDED, NANOS, NEWS, STOP, WAL_KIB, WORK, writeFailure, type CommitWorkerData } from './commit-control.ts';
import { openAnother } from './open-database.ts';
import { asJournalError } from './sqlite-errors.ts';

/** Others write seldom and shortly: instruments at a start, hashes at an end, what is compacted, the end of a checkpoint. */
const WAIT_MS = 10_000;

const { path, ring: memory, control: shared, committed, bufferMemory, gc: gcBuffer } = workerData as CommitWorkerData;
const gc = new GcPoll(gcBuffer);
const control = new Int32Array(shared);

function tell(): void {
  Atomics.add(control, NEWS, 1);
  Atomics.notify(control, NEWS);
}

/** Commits until it is stopped and nothing waits. Throws what SQLite throws. */
function commitAll(writer: BatchWriter, ring: SharedCommandRing): void {
  for (;;) {
    const work = Atomics.load(control, WORK);
    const stopped = Atomics.load(control, STOP) === 1;
    for (let start = performance.now(); writer.commit(); start = performance.now()) {
      Atomics.add(control, NANOS, Math.round((performance.now() - start) * 1e6));
      Atomics.add(control, WAL_KIB, Math.floor(writer.walBytes / 1024));
      writer.walBytes %= 1024;
      tell();
      gc.poll();
    }
    // Others may have kept it from writing for longer than it waits: then it tries again.
    if (ring.waiting > 0) continue;
    if (stopped) return;
    Atomics.wait(control, WORK, work);
  }
}

process.once('exit', () => {
  Atomics.store(control, ENDED, 1);
  tell();
});
try {
  const database = openAnother(path, 'disk', WAIT_MS);
  try {
    const ring = new SharedCommandRing(memory);
    commitAll(new BatchWriter(database, ring, committed, new BufferPool({ memory: bufferMemory })), ring);
  } finally {
    database.close();
  }
} catch (cause) {
  writeFailure(shared, asJournalError(cause, path));
  tell();
}
