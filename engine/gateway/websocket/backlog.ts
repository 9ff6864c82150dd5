/** What waits for clients that do not read, over all connections: bounded, at the cost of the slowest. */
export interface Sender {
  readonly bufferedBytes: number;
  /** Ends it at once, with all that waits. */
  cut(): void;
}

export class Backlog {
  readonly #mostBytes: number;
  readonly #known = new Map<Sender, number>();
  /** Sum of the values above: what has been read since they were told is still in it. */
  #bytes = 0;

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /** So many bytes wait for `sender` now. */
  tell(sender: Sender, bytes: number): void {
    this.#bytes += bytes - (this.#known.get(sender) ?? 0);
    if (bytes === 0) this.#known.delete(sender);
    else this.#known.set(sender, bytes);
    if (this.#bytes > this.#mostBytes) this.#relieve();
  }

  #relieve(): void {
    for (const sender of this.#known.keys()) this.#known.set(sender, sender.bufferedBytes);
    const slowestFirst = [...this.#known].sort(([, one], [, other]) => other - one);
    this.#bytes = slowestFirst.reduce((sum, [, bytes]) => sum + bytes, 0);
    for (const [sender, bytes] of slowestFirst) {
      if (this.#bytes <= this.#mostBytes) return;
      this.#known.delete(sender);
      this.#bytes -= bytes;
      sender.cut();
    }
  }
}
