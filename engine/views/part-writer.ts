/** A part of what was gathered, written as rows a few at a time. */
import {
  ACCOUNT,
  CREATED,
  DISPLAY,
  EXPIRY,
  FILL_DOUBLES,
  FILL_INDEX,
  FILL_INSTRUMENT,
  FILL_LOTS,
  FILL_MAKER,
  FILL_PRICE,
  FILL_SEQUENCE,
  FILL_TAKER,
  FILL_TAKER_SIDE,
  FILL_TIME,
  FILLED_LOTS,
  FIRST_FILLED,
  FIRST_PRICE,
  FIRST_REMAINING,
  FIRST_STATE,
  FIRST_STOP,
  ID,
  INSTRUMENT,
  type Part,
  PRICE,
  REASON,
  REMAINING,
  STATUS,
  STOP_PRICE,
  TERMS,
  UPDATED,
} from './part.ts';
import type { Rows } from './rows.ts';

const POSITION_NUMBERS = 4;

export class PartWriter {
  readonly #rows: Rows;
  #part: Part | undefined;
  /** How many are written. */
  #orders = 0;
  #fills = 0;
  #positions = 0;

  constructor(rows: Rows) {
    this.#rows = rows;
  }

  begin(part: Part): void {
    this.#part = part;
    this.#orders = 0;
    this.#fills = 0;
    this.#positions = 0;
  }

  /** Writes about `rows` rows more; gives whether none is left. */
  write(rows: number): boolean {
    const part = this.#part;
    if (part === undefined) return true;
    const { positions } = part;
    let left = rows;
    for (const orders = part.born + part.carried; this.#orders < orders && left > 0; left -= 1) {
      this.#writeOrder(part, part.at(this.#orders));
      this.#orders += 1;
    }
    for (; this.#fills < part.fillCount && left > 0; left -= 1) {
      this.#writeFill(part, this.#fills);
      this.#fills += 1;
    }
    for (; this.#positions < positions.length && left > 0; left -= 1) {
      const [account = 0, instrument = 0, lots = 0, averageTicks = 0] = positions.slice(
        this.#positions,
        this.#positions + POSITION_NUMBERS,
      );
      this.#rows.upsertPosition.run(account, instrument, lots, averageTicks);
      this.#positions += POSITION_NUMBERS;
    }
    if (left === 0) return false;
    this.#part = undefined;
    return true;
  }

  /** Writes all orders of a part, but for that at `except`, and its fills. */
  writeAll(part: Part, except: number): void {
    for (let n = 0; n < part.born + part.carried; n += 1) {
      const at = part.at(n);
      if (at !== except) this.#writeOrder(part, at);
    }
    for (let n = 0; n < part.fillCount; n += 1) this.#writeFill(part, n);
  }

  #writeOrder(part: Part, at: number): void {
    if (part.isBorn(at)) this.#insert(part, at);
    else this.#update(part, at);
  }

  #insert(part: Part, at: number): void {
    const { orders } = part;
    const text = part.textAt(at);
    const lostLots = part.lostLots(at);
    const isChanged = part.isChanged(at);
    const stop = orders[at + STOP_PRICE] as number;
    const display = orders[at + DISPLAY] as number;
    const expiry = orders[at + EXPIRY] as number;
    if (!isChanged && lostLots + stop + display + expiry === 0) {
      this.#rows.insertPlain.run(
        orders[at + ID] as number,
        orders[at + ACCOUNT] as number,
        orders[at + INSTRUMENT] as number,
        orders[at + TERMS] as number,
        orders[at + STATUS] as number,
        orders[at + REASON] as number,
        orders[at + PRICE] as number,
        orders[at + FILLED_LOTS] as number,
        orders[at + REMAINING] as number,
        orders[at + CREATED] as number,
        orders[at + UPDATED] as number,
        text,
      );
      return;
    }
    this.#rows.insertOrder.run(
      orders[at + ID] as number,
      orders[at + ACCOUNT] as number,
      orders[at + INSTRUMENT] as number,
      orders[at + TERMS] as number,
      orders[at + STATUS] as number,
      orders[at + REASON] as number,
      orders[at + PRICE] as number,
      orders[at + FILLED_LOTS] as number,
      orders[at + REMAINING] as number,
      orders[at + CREATED] as number,
      orders[at + UPDATED] as number,
      text,
      stop,
      display,
      expiry,
      isChanged ? (orders[at + FIRST_STATE] as number) : null,
      isChanged ? (orders[at + FIRST_PRICE] as number) : null,
      isChanged ? (orders[at + FIRST_STOP] as number) : null,
      isChanged ? (orders[at + FIRST_FILLED] as number) : null,
      isChanged ? (orders[at + FIRST_REMAINING] as number) : null,
      lostLots === 0 ? null : lostLots,
    );
  }

  /** An order that was there before has changed after its own command. */
  #update(part: Part, at: number): void {
    const { orders } = part;
    const id = orders[at + ID] as number;
    const { changes } = this.#rows.updateOrder.run(
      orders[at + REASON] as number,
      orders[at + PRICE] as number,
      orders[at + STOP_PRICE] as number,
      orders[at + FILLED_LOTS] as number,
      orders[at + REMAINING] as number,
      orders[at + UPDATED] as number,
      orders[at + FIRST_STATE] as number,
      orders[at + FIRST_PRICE] as number,
      orders[at + FIRST_STOP] as number,
      orders[at + FIRST_FILLED] as number,
      orders[at + FIRST_REMAINING] as number,
      id,
    );
    if (changes !== 1) throw new Error(`order ${id} has changed and has no row`);
    // Apart, because it costs the entries in both indexes.
    if (part.hasOtherStatus(at)) this.#rows.updateStatus.run(orders[at + STATUS] as number, id);
  }

  #writeFill(part: Part, n: number): void {
    const { fills } = part;
    const at = n * FILL_DOUBLES;
    this.#rows.insertFill.run(
      fills[at + FILL_SEQUENCE] as number,
      fills[at + FILL_INDEX] as number,
      fills[at + FILL_INSTRUMENT] as number,
      fills[at + FILL_PRICE] as number,
      fills[at + FILL_LOTS] as number,
      fills[at + FILL_MAKER] as number,
      fills[at + FILL_TAKER] as number,
      fills[at + FILL_TAKER_SIDE] as number,
      fills[at + FILL_TIME] as number,
    );
  }
}
