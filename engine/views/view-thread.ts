/** The thread of the read models from its start to its end, as the engine's thread sees it. */
import { MessageChannel, Worker, type MessagePort } from 'node:worker_threads';
import { messageOf } from '../journal/sqlite-errors.ts';
import { gcMemory } from '../telemetry/gc.ts';
import type { FromThread, Question, SharedProgress, ThreadData } from './threads.ts';

/** Why the thread has ended. */
export interface Failure {
  /** The rows must be made again. */
  readonly damaged: boolean;
  readonly message: string;
}

/** How long it may take to end before it is ended. */
const END_MS = 10_000;
/** Of the memory that there is, so much may be the thread's heap, but no less and no more than this. Rows and books are outside of it. */
const HEAP_SHARE = 0.15;
const LEAST_HEAP_MB = 48;
const MOST_HEAP_MB = 512;

export class ViewThread {
  /** Resolves when it has ended; to undefined when it was told to. */
  readonly ended: Promise<Failure | undefined>;
  readonly #shared: SharedProgress;
  readonly #port: MessagePort;
  readonly #worker: Worker;
  #failure: Failure | undefined;
  #endTimer: NodeJS.Timeout | undefined;

  constructor(settings: Omit<ThreadData, 'port' | 'shared' | 'gc'>, shared: SharedProgress, tell: (message: FromThread) => void) {
    this.#shared = shared;
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    const workerData: ThreadData = { ...settings, shared: shared.buffer, gc: gcMemory('views'), port: port2 };
    const options = { workerData, transferList: [port2], name: 'hft-views', resourceLimits: { maxOldGenerationSizeMb: heapMb() } };
    const worker = new Worker(new URL('./replica-worker.ts', import.meta.url), options);
    this.#worker = worker;
    port1.on('message', (message: FromThread) => {
      if (message.kind === 'failed') this.#failure ??= { damaged: message.damaged, message: message.message };
      else tell(message);
    });
    // What it has said before its end is heard first.
    const closed = new Promise<void>((resolve) => void port1.once('close', resolve));
    const exited = new Promise<void>((resolve) => void worker.once('exit', () => resolve()));
    worker.once('error', (cause) => (this.#failure ??= { damaged: false, message: messageOf(cause) }));
    this.ended = Promise.all([closed, exited]).then(() => this.#outcome());
  }

  ask(question: Question): void {
    this.#port.postMessage(question, []);
    this.#shared.call();
  }

  /** Ends it after what it is doing, and by force when that takes too long. */
  end(): void {
    if (this.#endTimer !== undefined) return;
    this.#endTimer = setTimeout(() => void this.#worker.terminate(), END_MS);
    this.#port.postMessage(null, []);
    this.#shared.call();
  }

  #outcome(): Failure | undefined {
    clearTimeout(this.#endTimer);
    if (this.#endTimer === undefined) this.#failure ??= { damaged: false, message: 'the thread has ended by itself' };
    return this.#failure;
  }
}

function heapMb(): number {
  const availableMb = (process.constrainedMemory() || process.availableMemory()) / 2 ** 20;
  return Math.round(Math.min(MOST_HEAP_MB, Math.max(LEAST_HEAP_MB, availableMb * HEAP_SHARE)));
}
