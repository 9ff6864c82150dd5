/**
 * From the events of replayed commands to what queries show. What commands do is gathered in one part while the one before it is written as rows, a few
 * at a time: so an order that changes many times within a second costs one row, and one that is born and finished in it, as most are, one insert.
 */
import type { CommandSlots } from '../core/command.ts';
import { WIDE } from '../core/command.ts';
import {
  FILLED,
  MOST_ACCOUNTS,
  NEW_ORDER,
  NO_REASON,
  OPEN,
  type Core,
  type EventSink,
  type OrderStatus,
  type Reason,
} from '../core/types.ts';
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
  FLAGS,
  ID,
  INSTRUMENT,
  Part,
  PRICE,
  REASON,
  REMAINING,
  SENT,
  STATUS,
  STOP_PRICE,
  TERMS,
  TRADED,
  UPDATED,
} from './part.ts';
import { PartWriter } from './part-writer.ts';
import type { Rows } from './rows.ts';
import { sideOf, termsOfSlot } from './terms.ts';

export class Projection implements EventSink {
  readonly #rows: Rows;
  readonly #core: Core;
  readonly #writer: PartWriter;
  readonly #finish: () => void;
  /** instrument × MOST_ACCOUNTS + account. */
  readonly #traded = new Set<number>();
  #recent: Part;
  #sealed: Part;
  /** The last of the fills that are rows and are not gathered any more. */
  lastFill = { sequence: Number.MAX_SAFE_INTEGER, index: 0 };
  /** Orders after it may have rows, but what shows of them is in memory. */
  lastOrder = 0;
  #isWriting = false;
  #sequence = 0;
  #timestampMicros = 0;
  #fillIndex = 0;

  /**
   * `most`: orders that are gathered at most, and fills: a command that does more to them is written in parts. `finish` writes and commits what was
   * sealed.
   */
  constructor(rows: Rows, core: Core, most: number, finish: () => void) {
    this.#finish = finish;
    this.#rows = rows;
    this.#core = core;
    this.#writer = new PartWriter(rows);
    this.#recent = new Part(most);
    this.#sealed = new Part(most);
  }

  /** What is gathered, the newest last. */
  get parts(): readonly [sealed: Part, recent: Part] {
    return [this.#sealed, this.#recent];
  }

  /** Whether there is a part to be written. */
  get isWriting(): boolean {
    return this.#isWriting;
  }

  /** Whether so much is gathered that it should be written. */
  get isFilled(): boolean {
    return this.#recent.isFilled(0.5);
  }

  /** Whether there may be no room for another command. */
  get isFull(): boolean {
    return this.#recent.isFilled(0.9);
  }

  /** Says which command is going to be replayed. */
  begin(sequence: number, slots: CommandSlots, at: number, clientOrderId: string | null): void {
    const { words, doubles } = slots;
    const half = at >> 1;
    this.#sequence = sequence;
    this.#timestampMicros = doubles[half + 2] as number;
    this.#fillIndex = 0;
    const head = words[at] as number;
    if ((head & 0xff) !== NEW_ORDER) return;
    if (!this.#recent.takes(sequence)) this.#makeRoom();
    const place = this.#recent.bear(sequence, (words[at + 3] as number) >>> 0, clientOrderId);
    const { orders } = this.#recent;
    const flags = words[at + 1] as number;
    const isWide = (flags & WIDE) !== 0;
    orders[place + INSTRUMENT] = words[at + 2] as number;
    orders[place + TERMS] = termsOfSlot(head, flags);
    // The rows know no -0.
    orders[place + PRICE] = (doubles[half + 3] as number) + 0;
    orders[place + STOP_PRICE] = isWide ? (doubles[half + 8] as number) + 0 : 0;
    orders[place + DISPLAY] = isWide ? (doubles[half + 9] as number) + 0 : 0;
    orders[place + EXPIRY] = isWide ? (doubles[half + 10] as number) + 0 : 0;
    orders[place + FILLED_LOTS] = 0;
    orders[place + REMAINING] = doubles[half + 4] as number;
    orders[place + SENT] = doubles[half + 4] as number;
    orders[place + STATUS] = OPEN;
    orders[place + REASON] = NO_REASON;
    orders[place + CREATED] = this.#timestampMicros;
    orders[place + UPDATED] = this.#timestampMicros;
  }

  fill(
    instrument: number,
    makerOrderId: number,
    takerOrderId: number,
    priceTicks: number,
    quantityLots: number,
    makerRemainingLots: number,
    takerRemainingLots: number,
  ): void {
    if (!this.#recent.hasRoomFor(2, 1)) this.#makeRoom();
    this.#filled(makerOrderId, instrument, quantityLots, makerRemainingLots);
    const taker = this.#filled(takerOrderId, instrument, quantityLots, takerRemainingLots);
    const { fills, fillCount, orders } = this.#recent;
    const at = fillCount * FILL_DOUBLES;
    this.#recent.fillCount += 1;
    fills[at + FILL_SEQUENCE] = this.#sequence;
    fills[at + FILL_INDEX] = this.#fillIndex;
    fills[at + FILL_INSTRUMENT] = instrument;
    fills[at + FILL_PRICE] = priceTicks;
    fills[at + FILL_LOTS] = quantityLots;
    fills[at + FILL_MAKER] = makerOrderId;
    fills[at + FILL_TAKER] = takerOrderId;
    fills[at + FILL_TAKER_SIDE] = sideOf(orders[taker + TERMS] as number);
    fills[at + FILL_TIME] = this.#timestampMicros;
    this.#fillIndex += 1;
  }

  order(orderId: number, remainingLots: number, status: OrderStatus, reason: Reason): void {
    const place = this.#touch(orderId);
    const { orders } = this.#recent;
    orders[place + REMAINING] = remainingLots;
    orders[place + STATUS] = status;
    orders[place + REASON] = reason;
  }

  replaced(orderId: number, priceTicks: number, remainingLots: number, stopTicks: number): void {
    const place = this.#touch(orderId);
    const { orders } = this.#recent;
    orders[place + PRICE] = priceTicks + 0;
    orders[place + REMAINING] = remainingLots;
    // A stop order that has been triggered keeps the price that it waited for.
    if (stopTicks > 0) orders[place + STOP_PRICE] = stopTicks;
  }

  triggered(orderId: number): void {
    const place = this.#touch(orderId);
    this.#recent.orders[place + STATUS] = OPEN;
  }

  state(): void {
    // Nothing that queries show.
  }

  /** Ends the part that is gathered: it is what is written now. The core must be where the last command left it, and nothing else be left to write. */
  seal(): void {
    if (this.#isWriting) throw new Error('there is a part that is not written');
    const sealed = this.#recent;
    for (const key of this.#traded) {
      const account = key % MOST_ACCOUNTS;
      const instrument = (key - account) / MOST_ACCOUNTS;
      const position = this.#core.position(account, instrument);
      if (position === undefined) throw new Error(`account ${account} has traded instrument ${instrument} and has no position`);
      sealed.positions.push(account, instrument, position.lots, position.averageTicks);
    }
    this.#traded.clear();
    this.#recent = this.#sealed;
    this.#sealed = sealed;
    this.#isWriting = true;
    this.#writer.begin(sealed);
  }

  /** Writes about `rows` rows of what was sealed, within the transaction that is open or is begun for it. Gives whether nothing is left. */
  write(rows: number): boolean {
    this.#rows.begin();
    return this.#writer.write(rows);
  }

  /** Forgets what was sealed: it is written, and committed. */
  forget(): void {
    this.#isWriting = false;
    this.#noteWritten(this.#sealed);
    this.#sealed.clear();
  }

  /**
   * Makes room, within a command or before one: what is gathered is written, and is committed with what follows. The order that the command has made is
   * not written yet: how it is at the end of its own command would be lost. Positions wait for the end too.
   */
  #makeRoom(): void {
    const recent = this.#recent;
    const own = recent.find(this.#sequence);
    const isBorn = own >= 0 && recent.isBorn(own);
    if (this.#isWriting) this.#finish();
    this.#rows.begin();
    this.#writer.writeAll(recent, isBorn ? own : -1);
    this.#noteWritten(recent);
    if (isBorn) recent.keepOnly(own);
    else recent.clear();
  }

  #noteWritten(part: Part): void {
    const { orders, born, fills, fillCount } = part;
    if (born > 0) this.lastOrder = orders[part.at(born - 1) + ID] as number;
    if (fillCount === 0) return;
    const at = (fillCount - 1) * FILL_DOUBLES;
    this.lastFill = { sequence: fills[at + FILL_SEQUENCE] as number, index: fills[at + FILL_INDEX] as number };
  }

  #filled(orderId: number, instrument: number, quantityLots: number, remainingLots: number): number {
    const place = this.#touch(orderId);
    const { orders } = this.#recent;
    const flags = orders[place + FLAGS] as number;
    if ((flags & TRADED) === 0) {
      orders[place + FLAGS] = flags | TRADED;
      this.#traded.add(instrument * MOST_ACCOUNTS + (orders[place + ACCOUNT] as number));
    }
    orders[place + FILLED_LOTS] = (orders[place + FILLED_LOTS] as number) + quantityLots;
    orders[place + REMAINING] = remainingLots;
    // A maker hears no more than this.
    if (remainingLots === 0) {
      orders[place + STATUS] = FILLED;
      orders[place + REASON] = NO_REASON;
    }
    return place;
  }

  /** The place of an order that is going to change. */
  #touch(orderId: number): number {
    let place = this.#recent.find(orderId);
    if (place < 0) place = this.#bring(orderId);
    this.#recent.orders[place + UPDATED] = this.#timestampMicros;
    if (orderId !== this.#sequence) this.#recent.keepFirst(place);
    return place;
  }

  #bring(orderId: number): number {
    if (!this.#recent.hasRoomFor(1, 0)) this.#makeRoom();
    const sealed = this.#isWriting ? this.#sealed.find(orderId) : -1;
    return sealed >= 0 ? this.#recent.carry(this.#sealed, sealed) : this.#recent.load(orderId, this.#rows.load(orderId));
  }
}
