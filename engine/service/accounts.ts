/**
 * Account names and the small integers that stand for them in the core and in the journal. Ids are dense, in the order in which accounts first had a
 * command accepted: the journal carries the name with that command, so an account exists exactly when such a command does. A refused
 * command leaves no account behind: its id is offered to the next new name.
 */
import { MOST_ACCOUNTS } from '../core/types.ts';
import type { PoolFigures } from '../core/pool-figures.ts';
import { NameTable } from '../pools/name-table.ts';
import { Problem } from './problem.ts';

export class Accounts {
  readonly #ids = new NameTable<number>();
  readonly #names: string[] = [];

  /** `names` by id. */
  constructor(names: readonly string[]) {
    for (const name of names) this.add(name);
  }

  get count(): number {
    return this.#names.length;
  }

  /** Look-ups by name, each order some; a miss is the first command of a name, or one that was refused. */
  figures(): PoolFigures {
    return this.#ids.figures('accounts', MOST_ACCOUNTS);
  }

  find(name: string): number | undefined {
    return this.#ids.get(name);
  }

  /** The id of `name`; the next free one when it is not known, which {@link add} must make its own once its first command is taken. Throws Problem. */
  idFor(name: string): number {
    const known = this.#ids.get(name);
    if (known !== undefined) return known;
    if (this.#names.length < MOST_ACCOUNTS) return this.#names.length;
    throw new Problem('HFT_TOO_MANY_ACCOUNTS', `${MOST_ACCOUNTS} accounts are known and no more can be added: use one of them`, {
      field: 'account',
    });
  }

  /** Gives `name` the next free id. */
  add(name: string): void {
    if (this.#ids.has(name)) throw new RangeError(`account ${name} is there twice`);
    this.#ids.set(name, this.#names.length);
    this.#names.push(name);
  }

  name(id: number): string {
    const name = this.#names[id];
    if (name === undefined) throw new RangeError(`no account ${id}`);
    return name;
  }
}
