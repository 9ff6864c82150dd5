/**
 * Read models that are slow and obviously right: an object an order, changed by the events of the naive exchange one by one. For tests only. It shares
 * the vocabulary with the real ones, and nothing else; first answers come from what the engine itself answers.
 */
import { decodeCommand, encodeCommand } from '../core/command.ts';
import { MatchingCore } from '../core/core.ts';
import { NaiveExchange } from '../core/naive-model.ts';
import { RandomCommands } from '../core/random-commands.ts';
import {
  ANY_ACCOUNT,
  BUY,
  FILLED,
  KILL_SWITCH,
  NEW_ORDER,
  NO_REASON,
  OPEN,
  REJECT,
  SELL,
  type Command,
  type EventSink,
  type OrderStatus,
  type Reason,
} from '../core/types.ts';
import type { SqliteJournal } from '../journal/sqlite-journal.ts';
import { ACCOUNT_NAME, CLIENT_ORDER_ID } from '../journal/types.ts';
import { clientOrderIdText } from '../service/client-order-id.ts';
import { EventBuffer } from '../service/event-buffer.ts';
import { placedOf } from '../service/placed.ts';
import type { FillRecord, FirstAnswer, OrderRecord, PositionRecord } from './types.ts';

/** As random streams know. */
const ACCOUNTS = 10;

type Mutable<Record> = { -readonly [Key in keyof Record]: Record[Key] };

export class NaiveViews implements EventSink {
  readonly orders = new Map<number, Mutable<OrderRecord>>();
  readonly fills: FillRecord[] = [];
  #sequence = 0;
  #timestampMicros = 0;
  #fillIndex = 0;

  begin(sequence: number, timestampMicros: number, command: Command, clientOrderId: string | null): void {
    this.#sequence = sequence;
    this.#timestampMicros = timestampMicros;
    this.#fillIndex = 0;
    if (command.kind !== NEW_ORDER) return;
    const { instrument, account, side, type, timeInForce, priceTicks, quantityLots } = command;
    const { stopTicks = 0, displayLots = 0, expiryMicros = 0, postOnly = false, selfTrade = 0 } = command;
    const terms = { instrument, account, side, type, timeInForce, postOnly: postOnly ? 1 : 0, selfTrade } as const;
    const amounts = { priceTicks: priceTicks + 0, stopTicks: stopTicks + 0, displayLots: displayLots + 0, expiryMicros: expiryMicros + 0 };
    const times = { createdAtMicros: timestampMicros, updatedAtMicros: timestampMicros };
    const state = { quantityLots, filledLots: 0, remainingLots: quantityLots, status: OPEN, reason: NO_REASON } as const;
    this.orders.set(sequence, { id: sequence, ...terms, ...amounts, ...state, ...times, clientOrderId });
  }

  fill(
    instrument: number,
    maker: number,
    taker: number,
    priceTicks: number,
    quantityLots: number,
    makerLeft: number,
    takerLeft: number,
  ): void {
    const makerOrder = this.#change(maker);
    makerOrder.filledLots += quantityLots;
    this.#remains(makerOrder, makerLeft);
    if (makerLeft === 0) {
      makerOrder.status = FILLED;
      makerOrder.reason = NO_REASON;
    }
    const takerOrder = this.#change(taker);
    takerOrder.filledLots += quantityLots;
    this.#remains(takerOrder, takerLeft);
    const takerSide = makerOrder.side === BUY ? SELL : BUY;
    const what = { instrument, priceTicks, quantityLots, makerOrderId: maker, takerOrderId: taker, takerSide } as const;
    this.fills.push({ sequence: this.#sequence, index: this.#fillIndex, ...what, timestampMicros: this.#timestampMicros });
    this.#fillIndex += 1;
  }

  order(orderId: number, remainingLots: number, status: OrderStatus, reason: Reason): void {
    const order = this.#change(orderId);
    this.#remains(order, remainingLots);
    order.status = status;
    order.reason = reason;
  }

  replaced(orderId: number, priceTicks: number, remainingLots: number, stopTicks: number): void {
    const order = this.#change(orderId);
    this.#remains(order, remainingLots);
    order.priceTicks = priceTicks + 0;
    if (stopTicks > 0) order.stopTicks = stopTicks;
  }

  triggered(orderId: number): void {
    this.#change(orderId).status = OPEN;
  }

  state(): void {
    // No order changes by it.
  }

  #change(orderId: number): Mutable<OrderRecord> {
    const order = this.orders.get(orderId);
    if (order === undefined) throw new Error(`no order ${orderId}`);
    order.updatedAtMicros = this.#timestampMicros;
    return order;
  }

  #remains(order: Mutable<OrderRecord>, remainingLots: number): void {
    order.remainingLots = remainingLots;
    order.quantityLots = order.filledLots + remainingLots;
  }
}

/** A market of random commands, written to a journal as an engine would, and shown by naive read models. */
export class RandomMarket {
  readonly views = new NaiveViews();
  readonly firstAnswers = new Map<number, FirstAnswer>();
  readonly accounts: string[] = [];
  readonly core = new MatchingCore();
  readonly #naive = new NaiveExchange();
  readonly #stream: RandomCommands;
  readonly #events = new EventBuffer();

  constructor(seed: number, instruments: number) {
    this.#stream = new RandomCommands(seed, instruments);
    for (const exchange of [this.core, this.#naive])
      for (let instrument = 0; instrument < instruments; instrument += 1) exchange.setInstrument(instrument, this.#stream.firstRules());
  }

  /** Names every account, in order, as the first commands. */
  begin(journal: SqliteJournal): void {
    for (let account = 0; account < ACCOUNTS; account += 1) {
      this.accounts.push(`account-${account}`);
      journal.ring.text(ACCOUNT_NAME, `account-${account}`);
      this.submit(journal, 1, { kind: KILL_SWITCH, account, on: false });
    }
  }

  /** Pushes `count` accepted commands into the ring of a journal. */
  run(journal: SqliteJournal, count: number): void {
    for (const end = this.core.sequence + count; this.core.sequence < end;) {
      const step = this.#stream.next(this.#naive.sequence, this.#naive.nextDueMicros);
      if ('command' in step) this.submit(journal, step.timestampMicros, step.command);
      else
        for (const exchange of [this.core, this.#naive])
          if ('rules' in step) exchange.setInstrument(step.instrument, step.rules);
          else exchange.setAccountRules(step.accountRules);
    }
  }

  /** Pushes a command unless it is refused. */
  submit(journal: SqliteJournal, timestampMicros: number, sent: Command): void {
    const { ring } = journal;
    const at = ring.at();
    if (at < 0) throw new Error('the ring is full');
    encodeCommand(ring.slots, at, timestampMicros, sent);
    const command = decodeCommand(ring.slots, at);
    // Nobody has named it.
    if ('account' in command && command.account !== ANY_ACCOUNT && command.account >= ACCOUNTS) return;
    this.#events.clear();
    if (this.core.submit(ring.slots, at, this.#events) !== REJECT.none) return;
    const { sequence } = this.core;
    const hasId = command.kind === NEW_ORDER && ((command.clientIdLow ?? 0) | (command.clientIdHigh ?? 0)) !== 0;
    // Every third comes as a number, which needs no text.
    const text = hasId && sequence % 3 !== 0 ? `client-${sequence}` : null;
    if (text !== null) ring.text(CLIENT_ORDER_ID, text);
    const clientOrderId = text ?? (hasId ? clientOrderIdText(command.clientIdLow ?? 0, command.clientIdHigh ?? 0) : null);
    this.views.begin(sequence, timestampMicros, command, clientOrderId);
    this.#naive.submit(timestampMicros, command, this.views);
    if (command.kind === NEW_ORDER) {
      const { order, fills, fillCount } = placedOf(this.#events, sequence, timestampMicros, command, clientOrderId);
      const { priceTicks, stopTicks, displayLots, expiryMicros } = order;
      // The rows know no -0.
      const amounts = {
        priceTicks: priceTicks + 0,
        stopTicks: stopTicks + 0,
        displayLots: displayLots + 0,
        expiryMicros: expiryMicros + 0,
      };
      this.firstAnswers.set(sequence, { order: { ...order, ...amounts }, sentLots: command.quantityLots, fills, fillCount });
    }
    ring.push();
    journal.flush();
  }

  positions(): PositionRecord[] {
    const positions = this.#naive
      .positions()
      .map(({ account, instrument, lots, averageTicks }) => ({ account, instrument, lots, averageTicks }));
    return positions.toSorted((a, b) => a.account - b.account || a.instrument - b.instrument);
  }
}
