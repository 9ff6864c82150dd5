/** The two threads of the read models, from their start to their end: when one ends, for whatever reason, both do. */
import { MessageChannel, Worker, type MessagePort, type WorkerOptions } from 'node:worker_threads';
import { gcMemory } from '../telemetry/gc.ts';
import type { FromThread, Question, ReplicaThreadData, SharedProgress, ThreadData } from './threads.ts';

/** Why the threads have ended. */
export interface Failure {
  /** The rows must be made again. */
  readonly damaged: boolean;
  readonly message: string;
}

/** How long they may take to end before they are ended. */
const END_MS = 10_000;
/** Of the memory that there is, so much may be the heap of one thread; and no less and no more than this. Rows and books are outside of it. */
const HEAP_SHARE = 0.15;
const LEAST_HEAP_MB = 48;
const MOST_HEAP_MB = 512;

export class ViewThreads {
  /** Resolves when both have ended; to undefined when they were told to. */
  readonly ended: Promise<Failure | undefined>;
  readonly #shared: SharedProgress;
  readonly #tell: (message: FromThread) => void;
  readonly #toReplica = new MessageChannel();
  /** What is asked before the thread is there waits in it. */
  readonly #toQueries = new MessageChannel();
  readonly #data: Omit<ReplicaThreadData, 'port' | 'gc'>;
  readonly #workers: Worker[] = [];
  readonly #end = Promise.withResolvers<Failure | undefined>();
  #running = 0;
  #failure: Failure | undefined;
  #endTimer: NodeJS.Timeout | undefined;

  constructor(settings: Omit<ReplicaThreadData, 'port' | 'gc' | 'shared'>, shared: SharedProgress, tell: (message: FromThread) => void) {
    this.ended = this.#end.promise;
    this.#shared = shared;
    this.#tell = tell;
    this.#data = { ...settings, shared: shared.buffer };
    const { port1, port2 } = this.#toReplica;
    const options = optionsOf({ ...this.#data, gc: gcMemory('replica'), port: port2 }, 'hft-replica');
    this.#watch(new Worker(new URL('./replica-worker.ts', import.meta.url), options), port1);
  }

  ask(question: Question): void {
    if (question.kind === 'state' || question.kind === 'snapshot') {
      this.#toReplica.port1.postMessage(question);
      this.#shared.callReplica();
    } else {
      this.#toQueries.port1.postMessage(question);
      this.#shared.callQueries();
    }
  }

  /** Ends both after what they are doing, and by force when that takes too long. */
  end(): void {
    if (this.#endTimer !== undefined) return;
    this.#endTimer = setTimeout(() => {
      for (const worker of this.#workers) void worker.terminate();
    }, END_MS);
    this.#toReplica.port1.postMessage(null);
    this.#shared.callReplica();
    this.#toQueries.port1.postMessage(null);
    this.#shared.callQueries();
  }

  #startQueries(): void {
    if (this.#endTimer !== undefined) return;
    const { port1, port2 } = this.#toQueries;
    const { dataDirectory, shared } = this.#data;
    const data: ThreadData = { dataDirectory, shared, gc: gcMemory('queries'), port: port2 };
    this.#watch(new Worker(new URL('./query-worker.ts', import.meta.url), optionsOf(data, 'hft-queries')), port1);
  }

  #watch(worker: Worker, port: MessagePort): void {
    this.#workers.push(worker);
    this.#running += 1;
    port.on('message', (message: FromThread) => {
      if (message.kind === 'failed') this.#fail(message);
      else {
        if (message.kind === 'ready') this.#startQueries();
        this.#tell(message);
      }
    });
    const closed = new Promise((resolve) => port.once('close', resolve));
    worker.once('error', (cause) => this.#fail({ damaged: false, message: cause.message }));
    // What a thread has said before its end is heard first.
    worker.once('exit', () => void closed.then(() => this.#exited()));
  }

  #fail({ damaged, message }: Failure): void {
    this.#failure ??= { damaged, message };
  }

  #exited(): void {
    this.#running -= 1;
    if (this.#endTimer === undefined) this.#failure ??= { damaged: false, message: 'a thread has ended by itself' };
    this.end();
    if (this.#running > 0) return;
    clearTimeout(this.#endTimer);
    this.#toReplica.port1.close();
    this.#toQueries.port1.close();
    this.#end.resolve(this.#failure);
  }
}

function optionsOf(data: ThreadData, name: string): WorkerOptions {
  const availableMb = (process.constrainedMemory() || process.availableMemory()) / 2 ** 20;
  const maxOldGenerationSizeMb = Math.round(Math.min(MOST_HEAP_MB, Math.max(LEAST_HEAP_MB, availableMb * HEAP_SHARE)));
  return { workerData: data, transferList: [data.port], name, resourceLimits: { maxOldGenerationSizeMb } };
}
