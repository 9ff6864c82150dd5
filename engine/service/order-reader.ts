/** Orders that are read in the same turn of the event loop are asked for together: a batch of a thousand cancels is one question. */
import type { OrderRecord, Views } from '../views/types.ts';

interface Wanted {
  readonly id: number;
  readonly resolve: (order: OrderRecord | undefined) => void;
  readonly reject: (cause: unknown) => void;
}

export class OrderReader {
  readonly #views: Pick<Views, 'ordersById'>;
  #wanted: Wanted[] = [];
  #atLeast = 0;

  constructor(views: Pick<Views, 'ordersById'>) {
    this.#views = views;
  }

  /** The order as it is at `atLeast` or later; undefined when there is none. Rejects with ViewsError. */
  async read(id: number, atLeast: number): Promise<OrderRecord | undefined> {
    this.#atLeast = Math.max(this.#atLeast, atLeast);
    return await new Promise((resolve, reject) => {
      this.#wanted.push({ id, resolve, reject });
      if (this.#wanted.length === 1) queueMicrotask(() => void this.#ask());
    });
  }

  async #ask(): Promise<void> {
    const wanted = this.#wanted;
    this.#wanted = [];
    try {
      const ids = wanted.map(({ id }) => id);
      const found = new Map((await this.#views.ordersById(ids, this.#atLeast)).map((order) => [order.id, order]));
      for (const { id, resolve } of wanted) resolve(found.get(id));
    } catch (cause) {
      for (const { reject } of wanted) reject(cause);
    }
  }
}
