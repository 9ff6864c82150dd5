/**
 * Connections whose end cancels what was sent by them. A session has a number from 1, new in each process: orders of a former process's sessions
 * are cancelled at start, when no connection is left.
 */
export class Sessions {
  /** Cancels what was sent in a session. */
  readonly #end: (session: number) => Promise<unknown>;
  /** Ended, and not cancelled yet: nothing was taken at that moment. */
  readonly #due = new Set<number>();
  readonly #open = new Set<number>();
  #last = 0;

  constructor(end: (session: number) => Promise<unknown>) {
    this.#end = end;
  }

  open(): number {
    this.#last += 1;
    this.#open.add(this.#last);
    return this.#last;
  }

  /** Whether the connection of `session` is still there. */
  isOpen(session: number): boolean {
    return this.#open.has(session);
  }

  /** The connection of `session` has ended. Never throws: what cannot be cancelled now is tried again by {@link retry}. */
  end(session: number): void {
    this.#open.delete(session);
    this.#try(session);
  }

  /** Tries again what could not be cancelled before. */
  retry(): void {
    for (const session of this.#due) this.#try(session);
  }

  #try(session: number): void {
    this.#due.delete(session);
    this.#end(session).catch(() => this.#due.add(session));
  }
}
