/**
 * The small integers that stand for principals in commands and in the journal, for the audit. A number holds from the command that carries its name on:
 * each process, and each rebuild of the books, begins anew, and so does a table that is full. So nobody is ever refused for want of a number, and
 * nothing of this is part of the state.
 */

/** Numbers given before they begin anew. */
export const MOST_PRINCIPALS = 65_535;

/** Who sends: made once for a connection, it remembers its number. */
export class Actor {
  /** `sub` of the token; `operator` for the admin token. */
  readonly name: string;
  /** Of {@link numbers}. */
  number = 0;
  /** The table in which it has its number, to see whether it still holds. */
  numbers: PrincipalNumbers | undefined;

  constructor(name: string) {
    this.name = name;
  }
}

export class PrincipalNumbers {
  readonly #numbers = new Map<string, number>();
  readonly #most: number;

  constructor(most = MOST_PRINCIPALS) {
    this.#most = most;
  }

  get isFull(): boolean {
    return this.#numbers.size === this.#most;
  }

  /** The number that the next new name gets: 1 for the first, 0 is the engine itself. */
  get next(): number {
    return this.#numbers.size + 1;
  }

  /** Whether the name of `actor` has a number here, which it then remembers. */
  knows(actor: Actor): boolean {
    const number = this.#numbers.get(actor.name);
    if (number === undefined) return false;
    actor.number = number;
    actor.numbers = this;
    return true;
  }

  /** Gives the name of `actor` the {@link next} number: its first command was taken. */
  add(actor: Actor): void {
    this.#numbers.set(actor.name, this.next);
    this.knows(actor);
  }
}
