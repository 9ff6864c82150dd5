/** So many at a time, the others wait for their turn in the order in which they came: the back-pressure of a client. */
import { EngineError } from './engine-error.ts';

export class Turns {
  readonly #most: number;
  readonly #waiting = new Set<() => void>();
  #taken = 0;

  constructor(most: number) {
    this.#most = most;
  }

  get inFlight(): number {
    return this.#taken;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Does `work` when it is its turn. Throws EngineError when the caller gives up before. */
  async take<T>(work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    // Whoever leaves hands its turn on, so that nobody who comes later is before those that wait.
    if (this.#taken < this.#most) this.#taken += 1;
    else await this.#wait(signal);
    try {
      return await work();
    } finally {
      const [next] = this.#waiting;
      if (next === undefined) this.#taken -= 1;
      else {
        this.#waiting.delete(next);
        next();
      }
    }
  }

  async #wait(signal: AbortSignal | undefined): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const mine = (): void => {
        signal?.removeEventListener('abort', giveUp);
        resolve();
      };
      const giveUp = (): void => {
        this.#waiting.delete(mine);
        reject(new EngineError({ code: 'HFT_CLIENT_ABORTED', status: 0, message: 'the call was aborted before its turn', inDoubt: false }));
      };
      if (signal?.aborted === true) return giveUp();
      signal?.addEventListener('abort', giveUp, { once: true });
      this.#waiting.add(mine);
    });
  }
}
