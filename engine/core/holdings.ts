/**
 * What each account has in each instrument: position, average price, open orders. A row in typed arrays, found once a command by open
 * addressing; a resting order carries the number of its row, so that a fill reaches its maker's without a search. Rows are never given back.
 *
 * BUY is 0 and SELL is 1, and here they are reckoned with: a branch on the side is one that no processor foretells.
 */
import * as types from './types.ts';
import type { Position, Side } from './types.ts';

// V8 reads an imported binding, and checks it, at every use; a constant of the module itself it folds.
const { MOST_ACCOUNTS } = types;

/** A row is 64 bytes, a cache line, seen through two typed arrays. Offsets from its first double: */
const POSITION = 0;
const AVERAGE = 1;
/** Open buying lots; the selling ones follow. */
const OPEN_LOTS = 2;
const OPEN_NOTIONAL = 4;
const ROW_DOUBLES = 8;
const DOUBLES_SHIFT = 3;
/** Offsets from its first 32-bit word. */
const ACCOUNT = 10;
const INSTRUMENT = 11;
const OPEN_ORDERS = 12;
const WORDS_SHIFT = 4;

/** For who reads a row in place: row r begins at double r << DOUBLES_SHIFT. */
export const ROW = { POSITION, OPEN_LOTS, OPEN_NOTIONAL, DOUBLES_SHIFT } as const;

/** Most rows: pairs of account and instrument. */
const MOST_ROWS = 2 ** 22;
const FIRST_ROWS = 16;
const FIRST_ACCOUNTS = 256;
const MULTIPLIER = 0x9e3779b1 | 0;

export class Holdings {
  /** All rows, by {@link ROW}. */
  doubles = new Float64Array(FIRST_ROWS * ROW_DOUBLES);
  words = new Int32Array(this.doubles.buffer);
  /** Row + 1 by place; 0 is empty. */
  #index = new Int32Array(FIRST_ROWS * 2);
  #mask = FIRST_ROWS * 2 - 1;
  #shift = Math.clz32(FIRST_ROWS * 2 - 1);
  #capacity = FIRST_ROWS;
  #rows = 0;
  /** By account: open orders over all instruments, and whether its kill switch is on. */
  #accountOrders = new Int32Array(FIRST_ACCOUNTS);
  #killed = new Uint8Array(FIRST_ACCOUNTS);
  /** Accounts that the two have room for. */
  #accounts = FIRST_ACCOUNTS;

  /** Pairs of account and instrument; never fewer than before. */
  get rows(): number {
    return this.#rows;
  }

  /** Rows that fit. */
  get capacity(): number {
    return this.#capacity;
  }

  get bytes(): number {
    return this.doubles.byteLength + this.#index.byteLength + this.#accountOrders.byteLength + this.#killed.byteLength;
  }

  /** Row of an account in an instrument; -1 when it has none. */
  find(account: number, instrument: number): number {
    const words = this.words;
    const index = this.#index;
    const mask = this.#mask;
    let at = hash(account, instrument) >>> this.#shift;
    for (let entry = index[at] as number; entry !== 0; entry = index[at] as number) {
      const row = entry - 1;
      if (words[(row << WORDS_SHIFT) + ACCOUNT] === account && words[(row << WORDS_SHIFT) + INSTRUMENT] === instrument) return row;
      at = (at + 1) & mask;
    }
    return -1;
  }

  /** The row, a new one when there was none. Throws RangeError when there is no room for it: see {@link hasRoom}. */
  take(account: number, instrument: number): number {
    const found = this.find(account, instrument);
    if (found >= 0) return found;
    if (!this.hasRoom()) throw new RangeError(`no room for account ${account} in instrument ${instrument}`);
    this.#coverAccount(account);
    const row = this.#rows;
    this.#rows += 1;
    this.words[(row << WORDS_SHIFT) + ACCOUNT] = account;
    this.words[(row << WORDS_SHIFT) + INSTRUMENT] = instrument;
    this.#enter(row);
    return row;
  }

  /** Whether one more row can be taken, after growing if need be. */
  hasRoom(): boolean {
    return this.#rows < this.#capacity || this.#grow();
  }

  /** Grows when little is left. */
  reserve(): void {
    if (this.#capacity - this.#rows < this.#capacity >> 3) this.#grow();
  }

  /** Changes a position by a fill, as docs/matching.md says. */
  trade(row: number, side: Side, priceTicks: number, lots: number): void {
    const figures = this.doubles;
    const at = row << DOUBLES_SHIFT;
    const before = figures[at] as number;
    const held = Math.abs(before);
    const signed = (1 - 2 * side) * lots;
    const after = before + signed;
    if (before === 0) figures[at + AVERAGE] = priceTicks;
    else if (before * signed > 0) figures[at + AVERAGE] = ((figures[at + AVERAGE] as number) * held + priceTicks * lots) / (held + lots);
    else if (after === 0) figures[at + AVERAGE] = 0;
    else if (lots > held) figures[at + AVERAGE] = priceTicks;
    figures[at] = after;
  }

  /** An order of `lots`, each valued at `ticks`, rests or waits from now on. */
  opened(row: number, side: Side, ticks: number, lots: number): void {
    this.increased(row, side, ticks, lots);
    const at = row << WORDS_SHIFT;
    const words = this.words;
    words[at + OPEN_ORDERS] = (words[at + OPEN_ORDERS] as number) + 1;
    const account = words[at + ACCOUNT] as number;
    this.#accountOrders[account] = (this.#accountOrders[account] as number) + 1;
  }

  /** An open order has `lots` more, each valued at `ticks`. */
  increased(row: number, side: Side, ticks: number, lots: number): void {
    const figures = this.doubles;
    const at = row << DOUBLES_SHIFT;
    figures[at + OPEN_LOTS + side] = (figures[at + OPEN_LOTS + side] as number) + lots;
    figures[at + OPEN_NOTIONAL] = (figures[at + OPEN_NOTIONAL] as number) + ticks * lots;
  }

  /** An open order has `lots` less, each valued at `ticks`. */
  reduced(row: number, side: Side, ticks: number, lots: number): void {
    const figures = this.doubles;
    const at = row << DOUBLES_SHIFT;
    figures[at + OPEN_LOTS + side] = (figures[at + OPEN_LOTS + side] as number) - lots;
    figures[at + OPEN_NOTIONAL] = (figures[at + OPEN_NOTIONAL] as number) - ticks * lots;
  }

  /** An order that has been reduced to nothing is open no longer. */
  closed(row: number): void {
    const words = this.words;
    const at = row << WORDS_SHIFT;
    const orders = (words[at + OPEN_ORDERS] as number) - 1;
    words[at + OPEN_ORDERS] = orders;
    const account = words[at + ACCOUNT] as number;
    this.#accountOrders[account] = (this.#accountOrders[account] as number) - 1;
    if (orders === 0) this.#clearOpen(row);
  }

  lots(row: number): number {
    return this.doubles[row << DOUBLES_SHIFT] as number;
  }

  instrumentOf(row: number): number {
    return this.words[(row << WORDS_SHIFT) + INSTRUMENT] as number;
  }

  accountOf(row: number): number {
    return this.words[(row << WORDS_SHIFT) + ACCOUNT] as number;
  }

  /** How long (for buys) or short (for sells) the account would be if all its open orders of a side were filled. */
  exposure(row: number, side: Side): number {
    const at = row << DOUBLES_SHIFT;
    const held = this.doubles[at + POSITION] as number;
    return (1 - 2 * side) * held + (this.doubles[at + OPEN_LOTS + side] as number);
  }

  openNotional(row: number): number {
    return this.doubles[(row << DOUBLES_SHIFT) + OPEN_NOTIONAL] as number;
  }

  /** Open orders of an account over all instruments. */
  openOrders(account: number): number {
    return account < this.#accounts ? (this.#accountOrders[account] as number) : 0;
  }

  isKilled(account: number): boolean {
    return account < this.#accounts && this.#killed[account] === 1;
  }

  /** Throws RangeError when memory is out. */
  setKilled(account: number, on: boolean): void {
    this.#coverAccount(account);
    this.#killed[account] = on ? 1 : 0;
  }

  /** Accounts whose switch is on, rising. */
  killedAccounts(): number[] {
    const accounts: number[] = [];
    for (let account = this.#killed.indexOf(1); account >= 0; account = this.#killed.indexOf(1, account + 1)) accounts.push(account);
    return accounts;
  }

  position(row: number): Position {
    const at = row << DOUBLES_SHIFT;
    return {
      account: this.accountOf(row),
      instrument: this.instrumentOf(row),
      lots: this.doubles[at + POSITION] as number,
      averageTicks: this.doubles[at + AVERAGE] as number,
      openOrders: this.words[(row << WORDS_SHIFT) + OPEN_ORDERS] as number,
      openBuyLots: this.doubles[at + OPEN_LOTS] as number,
      openSellLots: this.doubles[at + OPEN_LOTS + 1] as number,
    };
  }

  /** Sets a position that a snapshot tells. */
  restore(account: number, instrument: number, lots: number, averageTicks: number): void {
    const at = this.take(account, instrument) * ROW_DOUBLES;
    this.doubles[at + POSITION] = lots;
    this.doubles[at + AVERAGE] = averageTicks;
  }

  /** Rows of positions that are not flat, by instrument, then account. */
  heldRows(): number[] {
    return Array.from({ length: this.#rows }, (_, row) => row)
      .filter((row) => this.lots(row) !== 0)
      .sort((a, b) => this.instrumentOf(a) - this.instrumentOf(b) || this.accountOf(a) - this.accountOf(b));
  }

  /** Sums of doubles come back to zero only nearly when they were beyond 2^53. */
  #clearOpen(row: number): void {
    const at = row << DOUBLES_SHIFT;
    this.doubles[at + OPEN_LOTS] = 0;
    this.doubles[at + OPEN_LOTS + 1] = 0;
    this.doubles[at + OPEN_NOTIONAL] = 0;
  }

  #enter(row: number): void {
    const index = this.#index;
    let at = hash(this.accountOf(row), this.instrumentOf(row)) >>> this.#shift;
    while ((index[at] as number) !== 0) at = (at + 1) & this.#mask;
    index[at] = row + 1;
  }

  #coverAccount(account: number): void {
    if (account < this.#accounts) return;
    const length = Math.min(MOST_ACCOUNTS, 2 ** Math.ceil(Math.log2(account + 1)));
    const orders = new Int32Array(length);
    orders.set(this.#accountOrders);
    const killed = new Uint8Array(length);
    killed.set(this.#killed);
    this.#accountOrders = orders;
    this.#killed = killed;
    this.#accounts = length;
  }

  #grow(): boolean {
    const capacity = this.#capacity * 2;
    if (capacity > MOST_ROWS) return false;
    try {
      const doubles = new Float64Array(capacity * ROW_DOUBLES);
      const index = new Int32Array(capacity * 2);
      doubles.set(this.doubles);
      this.doubles = doubles;
      this.words = new Int32Array(doubles.buffer);
      this.#index = index;
      this.#capacity = capacity;
      this.#mask = capacity * 2 - 1;
      this.#shift = Math.clz32(this.#mask);
    } catch {
      return false;
    }
    for (let row = 0; row < this.#rows; row += 1) this.#enter(row);
    return true;
  }
}

/** Accounts that follow each other, as they do, come to places of their own. */
function hash(account: number, instrument: number): number {
  return Math.imul(account ^ Math.imul(instrument, 0x85ebca6b), MULTIPLIER);
}
