/** Numbers that stand for accounts on the wire: the same on every connection, so that what is encoded once fits all. */

const MOST = 65_535;

export class AccountHandles {
  readonly #handles = new Map<string, number>();
  readonly #names: string[] = [];

  /** The handle of an account; 65535 for all that come after 65,535 others. */
  of(name: string): number {
    const known = this.#handles.get(name);
    if (known !== undefined) return known;
    if (this.#names.length === MOST) return MOST;
    this.#handles.set(name, this.#names.length);
    return this.#names.push(name) - 1;
  }

  nameOf(handle: number): string | undefined {
    return this.#names[handle];
  }
}
