/** The commands of a journal as lines of an audit log: who, what in names and decimals, and what came of it as the core says when it is applied again. */
import { commandWords, decodeCommand, PRINCIPAL_WORD } from '../core/command.ts';
import {
  ALL_INSTRUMENTS,
  ANY_ACCOUNT,
  BUY,
  CANCEL_ORDER,
  CANCELLED,
  KILL_SWITCH,
  MASS_CANCEL,
  NEW_ORDER,
  REPLACE_ORDER,
  SET_STATE,
  SET_VOLATILITY,
  type Command,
  type Core,
  type NewOrder,
  type ReplaceOrder,
} from '../core/types.ts';
import { SELF_TRADE_NAMES, STATUS_NAMES, TIME_IN_FORCE_NAMES, timeText, TYPE_NAMES } from '../gateway/http/views.ts';
import { principalsIn, type PrincipalName } from '../journal/principals.ts';
import { ACCOUNT_NAME, CLIENT_ORDER_ID, type InstrumentRecord, type JournalBatch } from '../journal/types.ts';
import { DecimalStep } from '../core/decimal.ts';
import { clientOrderIdText } from '../service/client-order-id.ts';
import { EventBuffer, FILL_EVENT, ORDER_EVENT } from '../service/event-buffer.ts';
import { OrderOutcome } from '../service/order-outcome.ts';
import { STATE_NAMES } from '../service/rejects.ts';

interface Listed {
  readonly symbol: string;
  readonly tick: DecimalStep;
  readonly lot: DecimalStep;
}

/** Of an order that is open. */
interface Known {
  readonly instrument: number;
  readonly account: number;
}

type Line = Record<string, unknown>;

export class OrderActions {
  readonly #core: Core;
  readonly #instruments: readonly Listed[];
  readonly #accounts: string[];
  readonly #principals = new Map<number, string>();
  readonly #open = new Map<number, Known>();
  readonly #events = new EventBuffer();
  readonly #outcome = new OrderOutcome();

  /** `accounts` by id and `open` as of the state of `core`; `principals` as the journal begins with them. */
  constructor(
    core: Core,
    instruments: readonly InstrumentRecord[],
    accounts: readonly string[],
    principals: readonly PrincipalName[],
    open: readonly (Known & { readonly id: number })[],
  ) {
    this.#core = core;
    this.#accounts = [...accounts];
    this.#instruments = instruments.map(({ symbol, tickSize, lotSize }) => ({
      symbol,
      tick: new DecimalStep(tickSize),
      lot: new DecimalStep(lotSize),
    }));
    for (const [number, name] of principals) this.#principals.set(number, name);
    for (const order of open) this.#open.set(order.id, order);
  }

  /** Applies what of a batch the core has not applied yet, and gives a line for each command in it from `from` on. */
  *lines(batch: JournalBatch, from: number, commit: Line): Generator<Line> {
    const { slots, words, texts, firstSequence } = batch;
    const names = principalsIn(batch);
    let name = 0;
    let sequence = firstSequence;
    for (let at = 0; at < words; at += commandWords(slots, at), sequence += 1) {
      for (let next = names[name]; next?.[2] === sequence; next = names[name]) {
        this.#principals.set(next[0], next[1]);
        name += 1;
      }
      const own = texts.filter((text) => text.sequence === sequence);
      const account = own.find(({ kind }) => kind === ACCOUNT_NAME);
      if (account !== undefined) this.#accounts[(slots.words[at + 3] as number) >>> 0] = account.text;
      const command = decodeCommand(slots, at);
      const replayed = sequence > this.#core.sequence;
      this.#events.clear();
      const what = this.#what(command, own.find(({ kind }) => kind === CLIENT_ORDER_ID)?.text);
      if (replayed) this.#core.replay(slots, at, this.#events);
      const result = replayed ? this.#result(command, sequence) : { result: 'accepted' };
      if (replayed) this.#follow(command, sequence);
      if (sequence < from) continue;
      const number = slots.words[at + PRINCIPAL_WORD] as number;
      // 0: the engine itself, which has no name, as any name may be that of a user: what falls due, what a start commands, the end of a session.
      const who = number === 0 ? null : (this.#principals.get(number) ?? null);
      const time = timeText(slots.doubles[(at >> 1) + 2] as number);
      yield { kind: 'order', sequence, time, who, ...what, ...result, ...commit };
    }
    this.#core.reserve();
  }

  #what(command: Command, clientOrderId: string | undefined): Line {
    switch (command.kind) {
      case NEW_ORDER:
        return this.#placed(command, clientOrderId);
      case REPLACE_ORDER:
        return {
          action: 'replace',
          ...this.#ofOrder(command.orderId),
          ...this.#terms(command, this.#open.get(command.orderId)?.instrument),
        };
      case CANCEL_ORDER:
        return { action: 'cancel', ...this.#ofOrder(command.orderId) };
      case MASS_CANCEL: {
        const of = command.session === 0 ? {} : { session: command.session };
        return {
          action: command.session === 0 ? 'mass-cancel' : 'session-end',
          ...this.#account(command.account),
          ...this.#symbol(command.instrument),
          ...of,
        };
      }
      case SET_STATE:
        return { action: 'set-state', ...this.#symbol(command.instrument), state: STATE_NAMES[command.state] };
      case SET_VOLATILITY: {
        const { kind: _kind, instrument, ...terms } = command;
        return { action: 'set-volatility', ...this.#symbol(instrument), ...terms };
      }
      case KILL_SWITCH:
        return { action: 'kill-switch', ...this.#account(command.account), on: command.on };
      default:
        return { action: 'advance-time' };
    }
  }

  #placed(order: NewOrder, text: string | undefined): Line {
    const {
      timeInForce,
      selfTrade = 0,
      postOnly = false,
      session = 0,
      expiryMicros = 0,
      displayLots = 0,
      clientIdLow = 0,
      clientIdHigh = 0,
    } = order;
    const clientOrderId = text ?? clientOrderIdText(clientIdLow, clientIdHigh);
    return {
      action: 'place',
      ...this.#account(order.account),
      ...this.#symbol(order.instrument),
      side: order.side === BUY ? 'buy' : 'sell',
      type: TYPE_NAMES[order.type],
      timeInForce: TIME_IN_FORCE_NAMES[timeInForce],
      ...this.#terms(order, order.instrument),
      ...(displayLots > 0 && { displayQuantity: this.#listed(order.instrument).lot.format(displayLots) }),
      ...(expiryMicros > 0 && { expiresAt: timeText(expiryMicros) }),
      ...(postOnly && { postOnly }),
      ...(selfTrade !== 0 && { selfTradePrevention: SELF_TRADE_NAMES[selfTrade] }),
      ...(session !== 0 && { session }),
      ...(clientOrderId !== null && { clientOrderId }),
    };
  }

  /** In decimals where the instrument is known, else as they were recorded. */
  #terms({ priceTicks, quantityLots, stopTicks = 0 }: NewOrder | ReplaceOrder, instrument: number | undefined): Line {
    if (instrument === undefined) return { priceTicks, quantityLots, stopTicks };
    const { tick, lot } = this.#listed(instrument);
    return {
      ...(quantityLots > 0 && { quantity: lot.format(quantityLots) }),
      ...(priceTicks > 0 && { price: tick.format(priceTicks) }),
      ...(stopTicks > 0 && { stopPrice: tick.format(stopTicks) }),
    };
  }

  #result(command: Command, sequence: number): Line {
    const cancelled = this.#cancelled();
    if (command.kind !== NEW_ORDER && command.kind !== REPLACE_ORDER) return { result: 'accepted', cancelled };
    const id = command.kind === NEW_ORDER ? sequence : command.orderId;
    const known = command.kind === NEW_ORDER ? command : this.#open.get(id);
    if (known === undefined) return { result: 'accepted' };
    const outcome = this.#outcome;
    outcome.read(this.#events, id, command.kind === NEW_ORDER ? command.quantityLots : 0);
    const { lot } = this.#listed(known.instrument);
    const done = { result: STATUS_NAMES[outcome.status as keyof typeof STATUS_NAMES], fills: outcome.fills };
    return { orderId: String(id), ...done, filled: lot.format(outcome.filledLots), remaining: lot.format(outcome.remainingLots) };
  }

  #cancelled(): number {
    let count = 0;
    for (let index = 0; index < this.#events.count; index += 1)
      if (this.#events.kind(index) === ORDER_EVENT && this.#events.value(index, 2) === CANCELLED) count += 1;
    return count;
  }

  /** Keeps whose the open orders are: those that ended are forgotten. */
  #follow(command: Command, sequence: number): void {
    if (command.kind === NEW_ORDER) this.#open.set(sequence, { instrument: command.instrument, account: command.account });
    const events = this.#events;
    for (let index = 0; index < events.count; index += 1) {
      if (events.kind(index) === FILL_EVENT) {
        if (events.value(index, 5) === 0) this.#open.delete(events.value(index, 1));
        if (events.value(index, 6) === 0) this.#open.delete(events.value(index, 2));
      } else if (events.kind(index) === ORDER_EVENT && events.value(index, 2) === CANCELLED) this.#open.delete(events.value(index, 0));
    }
  }

  #ofOrder(id: number): Line {
    const known = this.#open.get(id);
    return { orderId: String(id), ...(known !== undefined && { ...this.#account(known.account), ...this.#symbol(known.instrument) }) };
  }

  #account(id: number): Line {
    return id === ANY_ACCOUNT ? {} : { account: this.#accounts[id] ?? id };
  }

  #symbol(instrument: number): Line {
    return instrument === ALL_INSTRUMENTS ? {} : { symbol: this.#listed(instrument).symbol };
  }

  #listed(instrument: number): Listed {
    const listed = this.#instruments[instrument];
    if (listed === undefined) throw new RangeError(`the journal has no instrument ${instrument}`);
    return listed;
  }
}
