/** Has the files looked after in a thread of its own, which is started when there is something to do for the first time. */
import { Worker } from 'node:worker_threads';
import { gcMemory } from '../telemetry/gc.ts';
import type { MaintenanceAnswer, MaintenanceData, MaintenanceRequest } from './maintenance-protocol.ts';
import { JournalError, type Durability } from './types.ts';

/** A checkpoint that is under way must end first. */
const CLOSE_WAIT_MS = 60_000;
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 4 };

interface Asked {
  readonly resolve: (compactedThrough: number) => void;
  readonly reject: (cause: JournalError) => void;
}

export class Maintenance {
  readonly #path: string;
  readonly #durability: Durability;
  readonly #ended = new Int32Array(new SharedArrayBuffer(4));
  #worker: Worker | undefined;
  /** By kind of request, in the order in which they are answered. */
  readonly #asked: Readonly<Record<'checkpoint' | 'compact', Asked[]>> = { checkpoint: [], compact: [] };

  constructor(path: string, durability: Durability) {
    this.#path = path;
    this.#durability = durability;
  }

  /** Copies the log back into the database. Rejects with JournalError. */
  async checkpoint(): Promise<void> {
    await this.#ask({ kind: 'checkpoint' });
  }

  /** Drops batches up to `throughSequence`, or as far as snapshots allow; gives the last sequence that has been dropped. Rejects with JournalError. */
  async compact(throughSequence: number): Promise<number> {
    return await this.#ask({ kind: 'compact', throughSequence });
  }

  async #ask(request: Extract<MaintenanceRequest, { kind: 'checkpoint' | 'compact' }>): Promise<number> {
    const worker = (this.#worker ??= this.#start());
    return await new Promise<number>((resolve, reject) => {
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
    else asked?.resolve(answer.kind === 'compact' ? answer.compactedThrough : 0);
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
