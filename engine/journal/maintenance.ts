/** Has the files looked after in a thread of its own, which is started when there is something to do for the first time. */
import { Worker } from 'node:worker_threads';
import { gcMemory } from '../telemetry/gc.ts';
import type { MaintenanceAnswer, MaintenanceData, MaintenanceRequest } from './maintenance-protocol.ts';
import { JournalError, type Durability } from './types.ts';

/** A checkpoint that is under way must end first. */
const CLOSE_WAIT_MS = 60_000;
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 4 };

type Done = Exclude<MaintenanceAnswer, { kind: 'failed' }>;

interface Asked {
  readonly resolve: (done: Done) => void;
  readonly reject: (cause: JournalError) => void;
}

export class Maintenance {
  readonly #path: string;
  readonly #durability: Durability;
  readonly #file: number;
  readonly #ended = new Int32Array(new SharedArrayBuffer(4));
  #worker: Worker | undefined;
  /** By kind of request, in the order in which they are answered. */
  readonly #asked: Readonly<Record<'checkpoint' | 'compact', Asked[]>> = { checkpoint: [], compact: [] };

  /** `file` is the database at `path`, open for writing; it stays open until {@link close} and is not closed there. */
  constructor(path: string, durability: Durability, file: number) {
    this.#path = path;
    this.#durability = durability;
    this.#file = file;
  }

  /** Copies the log back into the database, and lets it begin anew if `restart`; gives whether it does. Rejects with JournalError. */
  async checkpoint(restart: boolean): Promise<boolean> {
    const done = await this.#ask({ kind: 'checkpoint', restart });
    return done.kind === 'checkpoint' && done.restarted;
  }

  /** Drops batches from before `beforeMicros` as far as snapshots allow; gives the last sequence that has been dropped. Rejects with JournalError. */
  async compact(beforeMicros: number): Promise<number> {
    const done = await this.#ask({ kind: 'compact', beforeMicros });
    return done.kind === 'compact' ? done.compactedThrough : 0;
  }

  async #ask(request: Extract<MaintenanceRequest, { kind: 'checkpoint' | 'compact' }>): Promise<Done> {
    const worker = (this.#worker ??= this.#start());
    return await new Promise<Done>((resolve, reject) => {
      this.#asked[request.kind].push({ resolve, reject });
      worker.postMessage(request);
    });
  }

  #start(): Worker {
    Atomics.store(this.#ended, 0, 0);
    const worker = new Worker(new URL('./maintenance-worker.ts', import.meta.url), {
      name: 'journal-files',
      workerData: {
        path: this.#path,
        durability: this.#durability,
        file: this.#file,
        ended: this.#ended.buffer,
        gc: gcMemory('journal-files'),
      } satisfies MaintenanceData,
      resourceLimits: RESOURCE_LIMITS,
    });
    worker.unref();
    worker.on('message', (answer: MaintenanceAnswer) => this.#hear(answer));
    worker.on('error', (cause) => {
      this.#worker = undefined;
      this.#rejectAll(new JournalError('HFT_JOURNAL_FAILED', `the thread that looks after the journal: ${String(cause)}`, cause));
    });
    return worker;
  }

  #hear(answer: MaintenanceAnswer): void {
    const asked = this.#asked[answer.kind === 'failed' ? answer.request : answer.kind].shift();
    if (answer.kind === 'failed') asked?.reject(new JournalError(answer.code, answer.message));
    else asked?.resolve(answer);
  }

  #rejectAll(cause: JournalError): void {
    for (const asked of [this.#asked.checkpoint, this.#asked.compact]) for (const { reject } of asked.splice(0)) reject(cause);
  }

  /** Ends the thread, after what it is doing, before this returns. What was asked and is not done is rejected. */
  close(): void {
    const worker = this.#worker;
    if (worker === undefined) return;
    this.#worker = undefined;
    worker.postMessage({ kind: 'close' } satisfies MaintenanceRequest);
    if (Atomics.wait(this.#ended, 0, 0, CLOSE_WAIT_MS) === 'timed-out') void worker.terminate();
    this.#rejectAll(new JournalError('HFT_JOURNAL_FAILED', 'the journal has been closed'));
  }
}
