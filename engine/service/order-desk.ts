/** What can be done with orders, for gateways that answer one request at a time: each method resolves when what it did is durable. */
import type { EngineConfig } from '../../crds/engine-config.ts';
import {
  ALL_INSTRUMENTS,
  ANY_ACCOUNT,
  CANCEL_ORDER,
  CANCELLED,
  DISCONNECTED,
  KILL_SWITCH,
  MASS,
  MASS_CANCEL,
  NEW_ORDER,
  OPEN,
  PENDING,
  REJECT,
  REPLACE_ORDER,
  SET_STATE,
  type Core,
  type KillSwitch,
  type MassCancel,
  type NewOrder,
  type Reject,
  type ReplaceOrder,
  type SetState,
  type TradingState,
} from '../core/types.ts';
import { ViewsError, type OrderRecord, type Views } from '../views/types.ts';
import type { Accounts } from './accounts.ts';
import { hashClientOrderId } from './client-order-id.ts';
import { ORDER_EVENT } from './event-buffer.ts';
import type { Instrument } from './instruments.ts';
import { OrderReader } from './order-reader.ts';
import { fillsOf, MOST_ANSWERED_FILLS, placedOf, type Placed } from './placed.ts';
import { Problem } from './problem.ts';
import { Actor } from './principal-numbers.ts';
import { problemOfReject, type RefusedOrder } from './rejects.ts';
import type { Sequencer } from './sequencer.ts';

/** On whose behalf an order is sent, and what makes it idempotent. */
export interface OrderIdentity {
  readonly account: string;
  readonly clientOrderId: string | null;
  /** `sub` of who sends it. */
  readonly sender: string;
}

export type OrderTerms = Omit<NewOrder, 'kind' | 'account' | 'clientIdLow' | 'clientIdHigh'>;
export type ReplaceTerms = Pick<ReplaceOrder, 'priceTicks' | 'quantityLots' | 'stopTicks' | 'expectedLots'>;

/** What a mass cancel or a kill switch has cancelled. */
export interface Cancelled {
  readonly count: number;
  /** The first {@link MOST_ANSWERED_IDS} of them, rising. */
  readonly orderIds: readonly number[];
}

export const MOST_ANSWERED_IDS = 1000;
/** A replacement that names a total quantity is sent again when a fill came in between, this often at most. */
const REPLACE_TRIES = 8;

export interface DeskParts {
  readonly core: Core;
  readonly sequencer: Sequencer;
  readonly views: Views;
  readonly accounts: Accounts;
  readonly instruments: readonly Instrument[];
  readonly risk: EngineConfig['risk'];
  /** A new order or a replacement was taken. */
  readonly onOrder: () => void;
}

export class OrderDesk {
  readonly #core: Core;
  readonly #sequencer: Sequencer;
  readonly #views: Views;
  readonly #reader: OrderReader;
  readonly #accounts: Accounts;
  readonly #instruments: readonly Instrument[];
  #risk: EngineConfig['risk'];
  readonly #onOrder: () => void;
  readonly #bits = { low: 0, high: 0 };

  constructor(parts: DeskParts) {
    this.#core = parts.core;
    this.#sequencer = parts.sequencer;
    this.#views = parts.views;
    this.#reader = new OrderReader(parts.views);
    this.#accounts = parts.accounts;
    this.#instruments = parts.instruments;
    this.#risk = parts.risk;
    this.#onOrder = parts.onOrder;
  }

  /** The limits that refusals name from now on: those of the core must be set with them. */
  setRisk(risk: EngineConfig['risk']): void {
    this.#risk = risk;
  }

  /**
   * Places an order. Throws Problem when it is refused. `terms` is asked, at once, only when the identity is new, so that nothing that has changed
   * since can refuse a repetition; what it throws refuses the order.
   */
  async place(identity: OrderIdentity, terms: () => OrderTerms): Promise<Placed> {
    const { account: accountName, clientOrderId, sender } = identity;
    const account = this.#accounts.idFor(accountName);
    const known = this.#accounts.find(accountName) !== undefined;
    const first = known && clientOrderId !== null ? this.#sequencer.firstOrderOf(account, clientOrderId) : 0;
    if (first !== 0) return await this.#firstAnswer(first, identity);
    if (clientOrderId !== null) hashClientOrderId(clientOrderId, this.#bits);
    const order: NewOrder = {
      kind: NEW_ORDER,
      account,
      ...terms(),
      clientIdLow: clientOrderId === null ? 0 : this.#bits.low,
      clientIdHigh: clientOrderId === null ? 0 : this.#bits.high,
    };
    const reject = this.#sequencer.send(order, { account: accountName, clientOrderId, actor: new Actor(sender) });
    if (reject !== REJECT.none) {
      const { stopTicks = 0 } = order;
      return await this.#refuse(reject, order.instrument, { ...order, stopTicks, accountName });
    }
    this.#onOrder();
    const { events, sequence, timestampMicros } = this.#sequencer;
    const placed = placedOf(events, sequence, timestampMicros, order, clientOrderId);
    await this.#sequencer.durable(sequence);
    return placed;
  }

  /** Cancels an order that rests or waits, and gives it as it is then. `sender`, here and below: `sub` of who sends it. Throws Problem. */
  async cancel(id: number, sender: string): Promise<OrderRecord> {
    const command = { kind: CANCEL_ORDER, orderId: id, account: ANY_ACCOUNT } as const;
    if (this.#sequencer.send(command, { actor: new Actor(sender) }) !== REJECT.none) return await this.#notOpen(id);
    const { sequence } = this.#sequencer;
    await this.#sequencer.durable(sequence);
    return await this.#shown(id, sequence);
  }

  /**
   * Changes an order that rests or waits, and gives it as it is then, with the fills that this caused. `terms` is asked for each try, with the order
   * as it is at that moment; its `expectedLots` keeps a fill in between from being overlooked. Throws Problem.
   */
  async replace(id: number, sender: string, terms: (order: OrderRecord) => ReplaceTerms): Promise<Placed> {
    let refused: Promise<never> | undefined;
    for (let tries = 0; tries < REPLACE_TRIES; tries += 1) {
      await this.#sequencer.settled();
      const order = await this.#reader.read(id, this.#sequencer.durableSequence);
      if (order === undefined || (order.status !== OPEN && order.status !== PENDING)) return await this.#notOpen(id);
      const change = terms(order);
      const reject = this.#sendReplacement(id, sender, change);
      if (reject === REJECT.none) return await this.#replaced(order);
      if (reject === REJECT.stale || reject === REJECT.unknownOrder) continue;
      refused = this.#refuse(reject, order.instrument, this.#asReplaced(order, change));
      break;
    }
    if (refused !== undefined) return await refused;
    throw new Problem(
      'HFT_ORDER_CHANGED',
      `order ${id} was filled or changed each of ${REPLACE_TRIES} times that it was to be replaced: try again`,
      {
        field: 'id',
      },
    );
  }

  /** What is known of orders, with everything that was matched before the call: for {@link replaceAtOnce}. */
  async known(ids: readonly number[]): Promise<ReadonlyMap<number, OrderRecord>> {
    await this.#sequencer.settled();
    const orders = await this.#views.ordersById(ids, this.#sequencer.durableSequence);
    return new Map(orders.map((order) => [order.id, order]));
  }

  /**
   * As {@link replace}, in the turn of the event loop in which it is called, so that it keeps its place among other commands: with one try, on what
   * {@link known} gave before. Throws Problem.
   */
  async replaceAtOnce(
    id: number,
    sender: string,
    order: OrderRecord | undefined,
    terms: (order: OrderRecord) => ReplaceTerms,
  ): Promise<Placed> {
    if (order === undefined) return await this.#notOpen(id);
    const change = terms(order);
    const reject = this.#sendReplacement(id, sender, change);
    if (reject === REJECT.none) return await this.#replaced(order);
    if (reject === REJECT.unknownOrder) return await this.#notOpen(id);
    return await this.#refuse(reject, order.instrument, this.#asReplaced(order, change));
  }

  /** Cancels every order of an account that rests or waits, in one instrument or in all. */
  async massCancel(account: string, instrument: number, sender: string): Promise<Cancelled> {
    const id = this.#accounts.find(account);
    if (id === undefined) return { count: 0, orderIds: [] };
    return await this.#cancelMany({ kind: MASS_CANCEL, instrument, account: id, session: 0, reason: MASS }, sender);
  }

  /** Cancels what was sent in a session that has ended. */
  async endSession(session: number): Promise<Cancelled> {
    const command: MassCancel = { kind: MASS_CANCEL, instrument: ALL_INSTRUMENTS, account: ANY_ACCOUNT, session, reason: DISCONNECTED };
    return await this.#cancelMany(command, undefined);
  }

  /** Turns the kill switch of an account, or of all without one; gives what that cancelled. */
  async killSwitch(account: string | null, on: boolean, sender: string): Promise<Cancelled> {
    const known = account !== null && this.#accounts.find(account) !== undefined;
    // Off is what the switch of an account that was never heard of is already.
    if (account !== null && !known && !on) return { count: 0, orderIds: [] };
    const id = account === null ? ANY_ACCOUNT : this.#accounts.idFor(account);
    return await this.#cancelMany({ kind: KILL_SWITCH, account: id, on }, sender, account ?? undefined);
  }

  /** Moves an instrument to a trading state. */
  async setState(instrument: number, state: TradingState, sender: string): Promise<Cancelled> {
    return await this.#cancelMany({ kind: SET_STATE, instrument, state }, sender);
  }

  /** As the first answer was, however much has happened to the order since. */
  async #firstAnswer(id: number, { clientOrderId }: OrderIdentity): Promise<Placed> {
    await this.#sequencer.durable(id);
    const answer = await this.#views.firstAnswer(id, MOST_ANSWERED_FILLS, id);
    // The read models were lost, and what they were made of has left the journal.
    if (answer === undefined)
      throw new Problem('HFT_DONE_NOT_SHOWN', `order ${id} was accepted under this clientOrderId; its first answer is no longer known`);
    // Two texts with the same 64 bits.
    if (answer.order.clientOrderId !== clientOrderId) {
      throw new Problem(
        'HFT_CLIENT_ORDER_ID_REUSED',
        `clientOrderId ${clientOrderId ?? ''} cannot be told apart from that of order ${id}: use another`,
        {
          field: 'clientOrderId',
        },
      );
    }
    return { ...answer, repeated: true };
  }

  #sendReplacement(id: number, sender: string, change: ReplaceTerms): Reject {
    const command = { kind: REPLACE_ORDER, orderId: id, account: ANY_ACCOUNT, ...change } as const;
    return this.#sequencer.send(command, { actor: new Actor(sender) });
  }

  async #replaced(order: OrderRecord): Promise<Placed> {
    this.#onOrder();
    const { events, sequence, timestampMicros } = this.#sequencer;
    const { fills, fillCount } = fillsOf(events, sequence, timestampMicros, order.id, order.side);
    await this.#sequencer.durable(sequence);
    const shown = await this.#shown(order.id, sequence);
    return { order: shown, sentLots: shown.quantityLots, fills, fillCount, repeated: false };
  }

  #asReplaced(order: OrderRecord, { priceTicks, quantityLots, stopTicks = 0 }: ReplaceTerms): RefusedOrder {
    return {
      account: order.account,
      accountName: this.#accounts.name(order.account),
      side: order.side,
      type: order.type,
      priceTicks: priceTicks === 0 ? order.priceTicks : priceTicks,
      stopTicks: stopTicks === 0 ? order.stopTicks : stopTicks,
      quantityLots: quantityLots === 0 ? order.remainingLots : quantityLots,
    };
  }

  /** The refusal may tell of what others have done (a position, a price): it waits until that is durable. */
  async #refuse(reject: Exclude<Reject, typeof REJECT.none>, instrument: number, order: RefusedOrder): Promise<never> {
    const found = this.#instruments[instrument];
    if (found === undefined) throw new RangeError(`no instrument ${instrument}`);
    const problem = problemOfReject(reject, { core: this.#core, risk: this.#risk, instrument: found, order });
    await this.#sequencer.settled();
    throw problem;
  }

  /** For an order that neither rests nor waits: it has been filled or cancelled, or there never was one. */
  async #notOpen(id: number): Promise<never> {
    await this.#sequencer.settled();
    const order = await this.#reader.read(id, this.#sequencer.durableSequence);
    if (order === undefined) throw new Problem('HFT_ORDER_NOT_FOUND', `there is no order ${id}`, { field: 'id' });
    throw new Problem('HFT_ORDER_NOT_OPEN', `order ${id} is ${order.remainingLots === 0 ? 'filled' : 'cancelled'} already`, {
      field: 'id',
    });
  }

  /** An order after a command that is durable: a refusal of the views must not look like one of the command. */
  async #shown(id: number, sequence: number): Promise<OrderRecord> {
    const order = await this.#reader.read(id, sequence).catch((cause: unknown) => {
      if (!(cause instanceof ViewsError)) throw cause;
      throw new Problem('HFT_DONE_NOT_SHOWN', `this is done and durable, but order ${id} cannot be read for the moment: GET it later`, {
        retryAfterMs: 1000,
      });
    });
    if (order === undefined) throw new Error(`order ${id} is known to the core and not to the views`);
    return order;
  }

  /** Without a sender it is the engine that sends. */
  async #cancelMany(command: MassCancel | KillSwitch | SetState, sender: string | undefined, account?: string): Promise<Cancelled> {
    const reject = this.#sequencer.send(command, { account, actor: sender === undefined ? undefined : new Actor(sender) });
    if (reject !== REJECT.none) throw new Error(`command ${command.kind} was refused with ${reject}`);
    const { events, sequence } = this.#sequencer;
    const orderIds: number[] = [];
    let count = 0;
    for (let index = 0; index < events.count; index += 1) {
      if (events.kind(index) !== ORDER_EVENT || events.value(index, 2) !== CANCELLED) continue;
      count += 1;
      if (count <= MOST_ANSWERED_IDS) orderIds.push(events.value(index, 0));
    }
    await this.#sequencer.durable(sequence);
    return { count, orderIds };
  }
}
