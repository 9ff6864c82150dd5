/** Account names and the small integers that stand for them in the core and in the journal. */
import type { AccountRecord } from '../journal/types.ts';
import { Problem } from './problem.ts';

/** Names are kept in memory for good. */
export const MAX_ACCOUNTS = 1_000_000;

export class Accounts {
  readonly #ids = new Map<string, number>();
  readonly #names: string[] = [];
  /** Accounts of this index and above are not in the journal yet. */
  #recorded = 0;

  constructor(records: readonly AccountRecord[]) {
    for (const { id, name } of records) {
      if (id !== this.#names.length) throw new RangeError(`account ${id} does not follow ${this.#names.length - 1}`);
      this.#ids.set(name, id);
      this.#names.push(name);
    }
    this.#recorded = this.#names.length;
  }

  find(name: string): number | undefined {
    return this.#ids.get(name);
  }

  /** The id of `name`, a new one when it is not known. Throws Problem when there are too many. */
  intern(name: string): number {
    const known = this.#ids.get(name);
    if (known !== undefined) return known;
    if (this.#names.length >= MAX_ACCOUNTS) {
      throw new Problem('HFT_TOO_MANY_ACCOUNTS', `${MAX_ACCOUNTS} accounts are known and no more can be added: use one of them`, {
        field: 'account',
      });
    }
    const id = this.#names.length;
    this.#ids.set(name, id);
    this.#names.push(name);
    return id;
  }

  name(id: number): string {
    const name = this.#names[id];
    if (name === undefined) throw new RangeError(`no account ${id}`);
    return name;
  }

  /** Accounts to put into the next batch. They count as recorded from now on. */
  takeUnrecorded(): AccountRecord[] {
    const records = this.#names.slice(this.#recorded).map((name, index) => ({ id: this.#recorded + index, name }));
    this.#recorded = this.#names.length;
    return records;
  }
}
