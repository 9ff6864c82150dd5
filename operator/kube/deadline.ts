/**
 * An AbortSignal with a timer that can be wound again, for «no byte for so long» as well as «not longer than».
 */
export class Deadline {
  readonly #controller = new AbortController();
  readonly #parent: AbortSignal | undefined;
  readonly #onParentAbort = (): void => this.#controller.abort(this.#parent?.reason);
  #timer: NodeJS.Timeout | undefined;
  #expired: string | undefined;

  constructor(parent?: AbortSignal) {
    this.#parent = parent;
    if (parent?.aborted) this.#onParentAbort();
    else parent?.addEventListener('abort', this.#onParentAbort, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** What ran out, when it was the timer that aborted. */
  get expired(): string | undefined {
    return this.#expired;
  }

  /** (Re)starts the timer; `what` says in the error what was being waited for. */
  arm(timeoutMs: number, what: string): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#expired = `${what} within ${Math.round(timeoutMs)} ms`;
      this.#controller.abort(new Error(`no ${this.#expired}`));
    }, timeoutMs);
  }

  /** Stops the timer and lets go of the parent signal; must always be called in the end. */
  release(): void {
    clearTimeout(this.#timer);
    this.#parent?.removeEventListener('abort', this.#onParentAbort);
  }
}
