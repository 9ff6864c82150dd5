/**
 * Reads ahead what cancels and replacements that wait are going to read. In a large book each of them waits for memory three times, one read depending
 * on the other: the id index, the order, its neighbours. The reads of different commands do not depend on each other, so the first ones of
 * all, then the second ones of all, wait together (Chen, Ailamaki, Gibbons, Mowry: Improving Hash Join Performance through Prefetching, 2004).
 * JavaScript has no prefetch: these are reads whose sum is kept, so that the compiler cannot leave them out.
 */
import { commandWords, type CommandSlots } from './command.ts';
import { RECORD } from './order-pool.ts';
import type { OrderStore } from './order-store.ts';
import { CANCEL_ORDER, REPLACE_ORDER } from './types.ts';

const { NEXT, PREVIOUS } = RECORD;
/** Commands at most that are looked at at once: what they read must still be in the nearest cache when they come. */
const MOST_COMMANDS = 32;
/** Records that take less than this stay in a core's own cache, where reading ahead costs more than it saves. */
const CACHED_BYTES = 2 ** 20;

export class Foresight {
  /** Nothing but a reason to read. */
  sum = 0;
  readonly #store: OrderStore;
  readonly #ids = new Float64Array(MOST_COMMANDS);
  readonly #orders = new Int32Array(MOST_COMMANDS);

  constructor(store: OrderStore) {
    this.#store = store;
  }

  /** Looks at the commands whose slots stand from word `at` up to `end`, and changes nothing; gives where the first stands that it has not looked at. */
  look(slots: CommandSlots, at: number, end: number): number {
    const { ids, orders } = this.#store;
    if (orders.bytes < CACHED_BYTES) return end;
    const wanted = this.#ids;
    const found = this.#orders;
    let sum = this.sum;
    let count = 0;
    let next = at;
    for (let left = MOST_COMMANDS; left > 0 && next < end; left -= 1) {
      const kind = (slots.words[next] as number) & 0xff;
      if (kind === CANCEL_ORDER || kind === REPLACE_ORDER) {
        const id = slots.doubles[(next >> 1) + 5] as number;
        wanted[count] = id;
        sum ^= ids.home(id);
        count += 1;
      }
      next += commandWords(slots, next);
    }
    // 0, where no order is found, is a record like any other: nothing stands there, and it may be read.
    for (let index = 0; index < count; index += 1) found[index] = ids.find(wanted[index] as number);
    const { words } = orders;
    for (let index = 0; index < count; index += 1) {
      const order = found[index] as number;
      sum ^= (words[(words[order + NEXT] as number) + PREVIOUS] as number) ^ (words[(words[order + PREVIOUS] as number) + NEXT] as number);
    }
    this.sum = sum;
    return next;
  }
}
