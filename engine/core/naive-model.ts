/**
 * An exchange that is slow and obviously right: docs/matching.md word for word, over arrays that are searched from their beginning
 * (`naive-state.ts`). It shares nothing with the core but the vocabulary and the hash, and knows no slots, pools or indexes.
 */
import { auctionOf } from './naive-auction.ts';
import { check, duplicateOf, findOrder, isOf, replacedTerms } from './naive-rules.ts';
import { NaiveTrading } from './naive-trading.ts';
import {
  allOrders,
  hashOf,
  heldPositions,
  insert,
  isReached,
  newInstrument,
  ordersOf,
  remove,
  restingOrders,
  stateWords,
  byId,
  type NaiveInstrument,
  type NaiveOrder,
  type NaiveState,
} from './naive-state.ts';
import {
  ADVANCE_TIME,
  ALL_INSTRUMENTS,
  ALLOW,
  ANY_ACCOUNT,
  AUCTION,
  BUY,
  CANCEL_ORDER,
  CANCELLED,
  EXPIRED,
  FOK,
  GTD,
  HALTED,
  KILL_SWITCH,
  KILLED,
  MASS_CANCEL,
  NEW_ORDER,
  NO_REASON,
  NOT_FILLABLE,
  PENDING,
  REJECT,
  REPLACE_ORDER,
  REQUESTED,
  SELL,
  SET_STATE,
  SET_VOLATILITY,
  TRADING,
  type AccountRules,
  type BookView,
  type Command,
  type EventSink,
  type InstrumentRules,
  type KillSwitch,
  type MassCancel,
  type NewOrder,
  type Position,
  type RestingPlace,
  type Reject,
  type ReplaceOrder,
  type SetState,
  type Side,
} from './types.ts';

/** How many client order ids are remembered unless the options say otherwise. */
const CLIENT_IDS = 1_048_576;

interface NaiveOptions {
  readonly clientIds?: number;
  readonly mostOrders?: number;
}

export class NaiveExchange {
  readonly #state: NaiveState;
  readonly #trading: NaiveTrading;
  readonly #mostClientIds: number;
  /** After REJECT.duplicate: the order that was sent first. */
  duplicateOf = 0;

  constructor(options: NaiveOptions = {}) {
    this.#state = {
      sequence: 0,
      timestampMicros: 0,
      killedAll: false,
      killedAccounts: new Set(),
      accountRules: { maxOpenOrders: Infinity },
      mostOrders: options.mostOrders ?? Infinity,
      instruments: [],
      positions: [],
      clientIds: [],
    };
    this.#trading = new NaiveTrading(this.#state);
    this.#mostClientIds = options.clientIds ?? CLIENT_IDS;
  }

  setInstrument(instrument: number, rules: InstrumentRules): void {
    const known = this.#state.instruments[instrument];
    if (known === undefined) this.#state.instruments[instrument] = newInstrument(instrument, rules);
    else known.rules = rules;
  }

  setAccountRules(rules: AccountRules): void {
    this.#state.accountRules = rules;
  }

  /** Checks a command, and applies it when nothing is against it. */
  submit(timestampMicros: number, command: Command, sink: EventSink): Reject {
    const state = this.#state;
    const reject = check(state, timestampMicros, command);
    if (reject === REJECT.duplicate) this.duplicateOf = duplicateOf(state, command as NewOrder) as number;
    if (reject !== REJECT.none) return reject;
    state.sequence += 1;
    state.timestampMicros = timestampMicros;
    this.#apply(command, sink);
    return reject;
  }

  #apply(command: Command, sink: EventSink): void {
    const state = this.#state;
    switch (command.kind) {
      case NEW_ORDER:
        return this.#newOrder(command, sink);
      case CANCEL_ORDER:
        return this.#trading.cancel([findOrder(state, command.orderId) as NaiveOrder], REQUESTED, sink);
      case REPLACE_ORDER:
        return this.#replace(command, sink);
      case MASS_CANCEL:
        return this.#massCancel(command, sink);
      case SET_STATE:
        return this.#setState(command, sink);
      case SET_VOLATILITY: {
        const { bandPercent, windowMicros, haltMicros, auctionMicros } = command;
        Object.assign(this.#at(command.instrument), { bandPercent, windowMicros, haltMicros, auctionMicros });
        return;
      }
      case KILL_SWITCH:
        return this.#killSwitch(command, sink);
      case ADVANCE_TIME:
        return this.#advanceTime(sink);
    }
  }

  #newOrder(command: NewOrder, sink: EventSink): void {
    const state = this.#state;
    const at = this.#at(command.instrument);
    const { account, clientIdLow = 0, clientIdHigh = 0 } = command;
    if (clientIdLow !== 0 || clientIdHigh !== 0) {
      state.clientIds.push({ account, low: clientIdLow, high: clientIdHigh, orderId: state.sequence });
      if (state.clientIds.length > this.#mostClientIds) state.clientIds.shift();
    }
    const order: NaiveOrder = {
      id: state.sequence,
      instrument: command.instrument,
      account,
      side: command.side,
      type: command.type,
      timeInForce: command.timeInForce,
      priceTicks: command.priceTicks,
      lots: command.quantityLots,
      shownLots: command.quantityLots,
      displayLots: command.displayLots ?? 0,
      stopTicks: command.stopTicks ?? 0,
      expiryMicros: command.expiryMicros ?? 0,
      postOnly: command.postOnly ?? false,
      selfTrade: command.selfTrade ?? ALLOW,
      session: command.session ?? 0,
    };
    this.#trading.renewReference(at);
    if (order.stopTicks > 0) {
      if (at.state === TRADING && isReached(at, order)) this.#trading.trigger(at, order, sink);
      else {
        insert(at, order);
        sink.order(order.id, order.lots, PENDING, NO_REASON);
      }
    } else if (order.timeInForce === FOK && this.#trading.fillableLots(at, order) < BigInt(order.lots)) {
      sink.order(order.id, order.lots, CANCELLED, NOT_FILLABLE);
    } else this.#trading.arrive(at, order, sink);
    this.#trading.runStops(at, sink);
  }

  #replace(command: ReplaceOrder, sink: EventSink): void {
    const order = findOrder(this.#state, command.orderId) as NaiveOrder;
    const at = this.#at(order.instrument);
    this.#trading.renewReference(at);
    const { priceTicks, stopTicks, quantityLots } = replacedTerms(order, command);
    if (order.stopTicks > 0) {
      const keepsPlace = stopTicks === order.stopTicks && quantityLots <= order.lots;
      if (!keepsPlace) remove(at, order);
      Object.assign(order, { priceTicks, stopTicks, lots: quantityLots, shownLots: quantityLots });
      if (!keepsPlace) insert(at, order);
      sink.replaced(order.id, priceTicks, quantityLots, stopTicks);
      if (at.state === TRADING && isReached(at, order)) {
        remove(at, order);
        this.#trading.trigger(at, order, sink);
      }
    } else if (priceTicks === order.priceTicks && quantityLots <= order.lots) {
      const hidden = order.lots - order.shownLots;
      const lost = order.lots - quantityLots;
      order.shownLots -= Math.max(0, lost - hidden);
      order.lots = quantityLots;
      sink.replaced(order.id, priceTicks, quantityLots, 0);
    } else {
      remove(at, order);
      Object.assign(order, { priceTicks, lots: quantityLots });
      sink.replaced(order.id, priceTicks, quantityLots, 0);
      this.#trading.arrive(at, order, sink);
    }
    this.#trading.runStops(at, sink);
  }

  #massCancel({ instrument, account, session, reason }: MassCancel, sink: EventSink): void {
    const chosen = byId(allOrders(this.#state)).filter(
      (order) =>
        (instrument === ALL_INSTRUMENTS || instrument === order.instrument) &&
        isOf(account, order) &&
        (session === 0 || session === order.session),
    );
    this.#trading.cancel(chosen, reason, sink);
  }

  #killSwitch({ account, on }: KillSwitch, sink: EventSink): void {
    const state = this.#state;
    if (account === ANY_ACCOUNT) state.killedAll = on;
    else if (on) state.killedAccounts.add(account);
    else state.killedAccounts.delete(account);
    if (!on) return;
    const chosen = byId(allOrders(state)).filter((order) => isOf(account, order));
    this.#trading.cancel(chosen, KILLED, sink);
  }

  #setState({ instrument, state }: SetState, sink: EventSink): void {
    for (const at of this.#state.instruments) {
      if (instrument === ALL_INSTRUMENTS || instrument === at.index) this.#trading.moveTo(at, state, 0, sink);
    }
  }

  #advanceTime(sink: EventSink): void {
    const state = this.#state;
    const now = state.timestampMicros;
    const expired = allOrders(state)
      .filter(({ timeInForce, expiryMicros }) => timeInForce === GTD && expiryMicros <= now)
      .toSorted((one, other) => one.expiryMicros - other.expiryMicros || one.id - other.id);
    this.#trading.cancel(expired, EXPIRED, sink);
    for (const at of state.instruments) {
      if (at.untilMicros === 0 || at.untilMicros > now) continue;
      if (at.state === HALTED && at.auctionMicros > 0) this.#trading.moveTo(at, AUCTION, now + at.auctionMicros, sink);
      else this.#trading.moveTo(at, TRADING, 0, sink);
    }
  }

  get sequence(): number {
    return this.#state.sequence;
  }

  get timestampMicros(): number {
    return this.#state.timestampMicros;
  }

  get openOrders(): number {
    return allOrders(this.#state).length;
  }

  /** When something is due; Infinity for never. */
  get nextDueMicros(): number {
    const expiries = allOrders(this.#state).flatMap(({ timeInForce, expiryMicros }) => (timeInForce === GTD ? [expiryMicros] : []));
    const ends = this.#state.instruments.flatMap(({ untilMicros }) => (untilMicros > 0 ? [untilMicros] : []));
    return Math.min(Infinity, ...expiries, ...ends);
  }

  /** The orders that are open or pending, instrument by instrument. */
  get orders(): readonly Readonly<NaiveOrder>[] {
    return allOrders(this.#state);
  }

  book(instrument: number): BookView {
    const at = this.#at(instrument);
    return {
      lastTradeTicks: at.lastTradeTicks,
      openOrders: ordersOf(at).length,
      state: at.state,
      untilMicros: at.untilMicros,
      bestTicks: (side) => restingOrders(at, side)[0]?.priceTicks ?? 0,
      depth: (side, levels) => depthOf(at, side).slice(0, levels),
      orders: (side, most) =>
        restingOrders(at, side)
          .slice(0, most)
          .map(({ id, priceTicks, shownLots }) => ({ orderId: id, priceTicks, quantityLots: shownLots })),
      ordersAt: (side, ticks) =>
        restingOrders(at, side)
          .filter(({ priceTicks }) => priceTicks === ticks)
          .map(({ id, priceTicks, shownLots }) => ({ orderId: id, priceTicks, quantityLots: shownLots })),
      indication: () => auctionOf(at),
    };
  }

  restingAt(orderId: number): RestingPlace | undefined {
    for (const [instrument, at] of this.#state.instruments.entries())
      for (const side of [BUY, SELL] as const) {
        const order = restingOrders(at, side).find(({ id }) => id === orderId);
        if (order !== undefined) return { instrument, side, priceTicks: order.priceTicks };
      }
    return undefined;
  }

  /** What the account holds; all zeros when it never did anything there. */
  position(account: number, instrument: number): Position {
    const held = this.#state.positions.find((other) => other.account === account && other.instrument === instrument);
    const own = ordersOf(this.#at(instrument)).filter((order) => order.account === account);
    const openLots = (side: Side): number => own.filter((order) => order.side === side).reduce((total, { lots }) => total + lots, 0);
    return {
      account,
      instrument,
      lots: held?.lots ?? 0,
      averageTicks: held?.averageTicks ?? 0,
      openOrders: own.length,
      openBuyLots: openLots(BUY),
      openSellLots: openLots(SELL),
    };
  }

  /** Every position that is not flat, by instrument, then account. */
  positions(): Position[] {
    return heldPositions(this.#state).map(({ account, instrument }) => this.position(account, instrument));
  }

  killed(account: number): boolean {
    return account === ANY_ACCOUNT ? this.#state.killedAll : this.#state.killedAccounts.has(account);
  }

  stateWords(): number[] {
    // A command may say -0, which is 0 everywhere but to Object.is.
    return stateWords(this.#state).map((word) => word + 0);
  }

  /** The state hash that a core with the same history must have. */
  stateHash(): string {
    return hashOf(this.stateWords());
  }

  #at(instrument: number): NaiveInstrument {
    const at = this.#state.instruments[instrument];
    if (at === undefined) throw new RangeError(`there is no instrument ${instrument}`);
    return at;
  }
}

function depthOf(at: NaiveInstrument, side: Side) {
  return [...Map.groupBy(restingOrders(at, side), ({ priceTicks }) => priceTicks)].map(([priceTicks, orders]) => ({
    priceTicks,
    orders: orders.length,
    quantityLots: orders.reduce((total, { shownLots }) => total + BigInt(shownLots), 0n),
  }));
}
