/**
 * Commits in a thread of its own, so that this one matches on while the disk works. News come by `Atomics.waitAsync`: it woke this thread a little sooner
 * than a message did, and unlike polling costs nothing while the disk works.
 */
import { Worker } from 'node:worker_threads';
import { gcMemory } from '../telemetry/gc.ts';
import { controlMemory, ENDED, NANOS, NEWS, readFailure, STOP, WAL_KIB, WORK, type CommitWorkerData } from './commit-control.ts';
import type { RingMemory, SharedCommandRing } from './command-ring.ts';
import type { CommitEvents, Committer } from './committer.ts';
import { JournalError } from './types.ts';

/** A disk that does not answer for so long is given up at the close. */
const CLOSE_WAIT_MS = 60_000;
/** The thread keeps little: batches are outside its heap. */
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 4 };

export class WorkerCommitter implements Committer {
  committed: number;
  /** They are of the worker, which says so by itself. */
  readonly leaks = undefined;
  readonly #ring: SharedCommandRing;
  readonly #memory = controlMemory();
  readonly #control = new Int32Array(this.#memory);
  readonly #worker: Worker;
  readonly #events: CommitEvents;
  #released: number;
  #scheduled: NodeJS.Immediate | undefined;
  #listening = false;
  #nanos = 0;
  #walKib = 0;
  #ended = false;

  /** `ring` is of `memory`, and nothing was ever taken from it. */
  constructor(
    path: string,
    memory: RingMemory,
    ring: SharedCommandRing,
    committed: number,
    bufferMemory: SharedArrayBuffer,
    events: CommitEvents,
  ) {
    this.#ring = ring;
    this.committed = committed;
    this.#released = ring.released;
    this.#events = events;
    this.#worker = new Worker(new URL('./commit-worker.ts', import.meta.url), {
      name: 'journal',
      workerData: {
        path,
        ring: memory,
        control: this.#memory,
        committed,
        bufferMemory,
        gc: gcMemory('journal'),
      } satisfies CommitWorkerData,
      resourceLimits: RESOURCE_LIMITS,
    });
    // What it has to say comes through the memory; this is for one that could not start, or found none.
    this.#worker.once('error', (cause) =>
      this.#fail(new JournalError('HFT_JOURNAL_FAILED', `the thread that commits: ${String(cause)}`, cause)),
    );
  }

  takeWalBytes(): number {
    const walKib = Atomics.load(this.#control, WAL_KIB);
    const grown = ((walKib - this.#walKib) >>> 0) * 1024;
    this.#walKib = walKib;
    return grown;
  }

  flush(): void {
    if (this.#scheduled !== undefined || this.#ended) return;
    this.#scheduled = setImmediate(this.#wake);
  }

  readonly #wake = (): void => {
    this.#scheduled = undefined;
    this.#notifyWorker();
    if (!this.#listening) this.#listen();
  };

  /** Tells what is new until nothing waits. */
  readonly #listen = (): void => {
    this.#listening = true;
    while (!this.#ended) {
      const news = Atomics.load(this.#control, NEWS);
      // Before it is told: what the worker finishes in between would be left untold until the next flush, which may never come.
      const isSettled = this.#ring.waiting === 0;
      this.#tell();
      if (isSettled) break;
      const wait = Atomics.waitAsync(this.#control, NEWS, news);
      if (!wait.async) continue;
      void wait.value.then(this.#listen);
      return;
    }
    this.#listening = false;
  };

  #tell(): void {
    // Before what has become of the commands: whatever was committed by then is counted.
    const failure = readFailure(this.#memory);
    const before = this.committed;
    this.#count();
    const nanos = Atomics.load(this.#control, NANOS);
    if (this.committed > before) this.#events.committed(this.committed, this.committed - before, (nanos - this.#nanos) >>> 0);
    this.#nanos = nanos;
    if (failure !== undefined) this.#fail(failure);
  }

  #count(): void {
    const { released } = this.#ring;
    this.committed += (released - this.#released) | 0;
    this.#released = released;
  }

  #fail(cause: JournalError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#events.failed(cause);
  }

  #notifyWorker(): void {
    Atomics.add(this.#control, WORK, 1);
    Atomics.notify(this.#control, WORK);
  }

  close(): JournalError | undefined {
    clearImmediate(this.#scheduled);
    const failedBefore = this.#ended;
    this.#ended = true;
    Atomics.store(this.#control, STOP, 1);
    this.#notifyWorker();
    const deadlineMs = performance.now() + CLOSE_WAIT_MS;
    for (let news = Atomics.load(this.#control, NEWS); Atomics.load(this.#control, ENDED) === 0; news = Atomics.load(this.#control, NEWS)) {
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0 || (failedBefore && readFailure(this.#memory) === undefined)) {
        // It never ran, or it hangs: nobody will hear what becomes of it.
        void this.#worker.terminate();
        return failedBefore ? undefined : new JournalError('HFT_JOURNAL_FAILED', `the journal did not end within ${CLOSE_WAIT_MS} ms`);
      }
      Atomics.wait(this.#control, NEWS, news, leftMs);
    }
    this.#count();
    return failedBefore ? undefined : readFailure(this.#memory);
  }
}
