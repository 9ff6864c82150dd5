/**
 * What a connection must answer to a message, worked out from docs/frames.md and the naive model alone: it shares the table of frames, the table of
 * roles and the numbers of refusals with the gateway, and no code that reads, decides or matches.
 */
import { ACTIONS, type Action } from '../access/roles.ts';
import type { Principal } from '../access/principal.ts';
import { FRAMES, HEADER_BYTES, type FrameName, type FrameSpec } from '../client/websocket-frames.ts';
import { anyLayout } from '../client/websocket-codec.ts';
import { NAME_OF_TYPE } from '../client/websocket-layout.ts';
import type { NaiveExchange } from '../core/naive-model.ts';
import {
  ADVANCE_TIME,
  ALL_INSTRUMENTS,
  ANY_ACCOUNT,
  CANCEL_ORDER,
  CANCELLED,
  DISCONNECTED,
  FILLED,
  MASS,
  MASS_CANCEL,
  NEW_ORDER,
  NO_REASON,
  OPEN,
  PENDING,
  REJECT,
  REPLACE_ORDER,
  type Command,
  type EventSink,
  type NewOrder,
} from '../core/types.ts';

/** As the service takes it: what is more is refused before it reaches the books. */
const MOST_SELF_TRADE = 7;
const MOST_ANSWERED_FILLS = 1000;
const MOST_HANDLES = 1024;

interface Fill {
  readonly instrument: number;
  readonly maker: number;
  readonly taker: number;
  readonly priceTicks: number;
  readonly lots: number;
  readonly makerLeft: number;
  readonly takerLeft: number;
}

/** What a command has done, as objects. */
class Happened implements EventSink {
  readonly fills: Fill[] = [];
  readonly cancelled: number[] = [];
  readonly #of: { id: number; lots?: number; status?: number; reason?: number; triggered?: boolean; fill?: Fill }[] = [];

  fill(instrument: number, maker: number, taker: number, priceTicks: number, lots: number, makerLeft: number, takerLeft: number): void {
    const fill = { instrument, maker, taker, priceTicks, lots, makerLeft, takerLeft };
    this.fills.push(fill);
    for (const id of [maker, taker]) this.#of.push({ id, fill });
  }
  order(id: number, lots: number, status: number, reason: number): void {
    if (status === CANCELLED) this.cancelled.push(id);
    this.#of.push({ id, lots, status, reason });
  }
  replaced(id: number, _priceTicks: number, lots: number, stopTicks: number): void {
    this.#of.push({ id, lots, status: stopTicks === 0 ? OPEN : PENDING });
  }
  triggered(id: number): void {
    this.#of.push({ id, triggered: true });
  }
  state(): void {}

  /** Fields of the answer about order `id`, of which `lots` were there: filled, remaining, status, reason, fills. */
  outcome(id: number, lots: number): number[] {
    let [filled, remaining, status, reason, fills]: [number, number, number, number, number] = [0, lots, OPEN, NO_REASON, 0];
    for (const event of this.#of.filter((one) => one.id === id)) {
      if (event.fill !== undefined) {
        fills += 1;
        filled += event.fill.lots;
        remaining = event.fill.maker === id ? event.fill.makerLeft : event.fill.takerLeft;
        if (remaining === 0) [status, reason] = [FILLED, NO_REASON];
      } else if (event.triggered === true) status = status === PENDING ? OPEN : status;
      else {
        remaining = event.lots ?? remaining;
        status = event.status ?? status;
        reason = event.reason ?? reason;
      }
    }
    return [filled, remaining, status, reason, fills];
  }
}

/** What is there besides the books, over all connections. */
export interface ModelWorld {
  readonly naive: NaiveExchange;
  /** Names of accounts by id, in order of their first command. */
  readonly accounts: string[];
  sessions: number;
  nowMicros: number;
}

export class FrameModel {
  /** Answered at once, and when the commands are durable: as lines. */
  readonly atOnce: string[] = [];
  readonly durable: string[] = [];
  /** Frames that were looked at. */
  frames = 0;
  readonly #world: ModelWorld;
  readonly #principal: Principal;
  readonly #handles: string[] = [];
  #session = 0;

  constructor(world: ModelWorld, principal: Principal) {
    this.#world = world;
    this.#principal = principal;
    if (principal.accounts !== 'all') for (const name of principal.accounts) this.#handleOf(name);
  }

  /** false when the message ends the connection. */
  message(bytes: Uint8Array): boolean {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0; at < bytes.length; at += view.getUint16(at, true)) {
      this.frames += 1;
      const name = at + HEADER_BYTES <= bytes.length ? NAME_OF_TYPE.get(view.getUint8(at + 2)) : undefined;
      if (name === undefined || FRAMES[name].from === 'server') return false;
      const length = view.getUint16(at, true);
      if (length !== anyLayout(name).bytes || at + length > bytes.length) return false;
      this.#frame(name, view, at);
    }
    return true;
  }

  /** The connection has ended. */
  end(): void {
    if (this.#session === 0) return;
    const command = {
      kind: MASS_CANCEL,
      instrument: ALL_INSTRUMENTS,
      account: ANY_ACCOUNT,
      session: this.#session,
      reason: DISCONNECTED,
    } as const;
    this.#world.naive.submit(this.#world.nowMicros, command, new Happened());
  }

  #frame(name: FrameName, view: DataView, at: number): void {
    const spec: FrameSpec = FRAMES[name];
    const { at: offsets, bit } = anyLayout(name);
    const flags = view.getUint8(at + 3);
    const number = view.getUint32(at + 4, true);
    const read = (field: string): number => {
      const place = at + (offsets[field] as number);
      const { type } = spec.fields[field] ?? { type: 'u8' };
      if (type === 'u64') return Number(view.getBigUint64(place, true));
      if (type === 'u16') return view.getUint16(place, true);
      return view.getUint8(place);
    };
    if ((flags & ~Object.values(bit).reduce((all, one) => all | one, 0)) !== 0) return this.#refuse(number, REJECT.badTerms);
    if (name === 'heartbeat') return;
    if (name === 'useAccount')
      return this.#useAccount(number, new Uint8Array(view.buffer, view.byteOffset + at + (offsets['name'] as number), 32));
    if (name === 'subscribe' || name === 'unsubscribe') return this.#refuse(number, REJECT.badTerms);
    const account = this.#handles[read('account')];
    const action = name === 'cancel' || name === 'massCancel' ? 'orders.cancel' : 'orders.write';
    if (account === undefined || !this.#may(action, account)) return this.#refuse(number, REJECT.forbidden);
    const id = this.#world.accounts.indexOf(account);
    switch (name) {
      case 'newOrder':
      case 'newOrderFull': {
        const clientId = view.getBigUint64(at + (offsets['clientOrderId'] as number), true);
        const isOn = (flag: string): boolean => (flags & (bit[flag] as number)) !== 0;
        if (isOn('cancelOnDisconnect') && this.#session === 0) this.#session = this.#world.sessions += 1;
        const full = name === 'newOrderFull';
        return this.#place(number, account, {
          kind: NEW_ORDER,
          instrument: read('instrument'),
          account: id < 0 ? this.#world.accounts.length : id,
          side: read('side') as NewOrder['side'],
          type: read('orderType') as NewOrder['type'],
          timeInForce: read('timeInForce') as NewOrder['timeInForce'],
          selfTrade: read('selfTrade') as NonNullable<NewOrder['selfTrade']>,
          postOnly: isOn('postOnly'),
          session: isOn('cancelOnDisconnect') ? this.#session : 0,
          clientIdLow: Number(BigInt.asIntN(32, clientId)),
          clientIdHigh: Number(BigInt.asIntN(32, clientId >> 32n)),
          priceTicks: read('priceTicks'),
          quantityLots: read('quantityLots'),
          ...(full && { stopTicks: read('stopTicks'), displayLots: read('displayLots'), expiryMicros: read('expiryMicros') }),
        });
      }
      case 'replace': {
        const terms = { priceTicks: read('priceTicks'), quantityLots: read('quantityLots'), stopTicks: read('stopTicks') };
        const orderId = read('orderId');
        return this.#change('replaced', number, {
          kind: REPLACE_ORDER,
          account: id,
          orderId,
          ...terms,
          expectedLots: read('expectedLots'),
        });
      }
      case 'cancel':
        return this.#change('cancelled', number, { kind: CANCEL_ORDER, account: id, orderId: read('orderId') });
      default:
        return this.#massCancel(number, id, read('instrument'));
    }
  }

  #place(number: number, name: string, command: NewOrder): void {
    const { naive, accounts } = this.#world;
    if ((command.selfTrade ?? 0) > MOST_SELF_TRADE) return this.#reject(number, REJECT.badTerms);
    const { reject, happened } = this.#submit(command);
    if (reject === REJECT.duplicate) return void this.durable.push(`placed ${number} order ${naive.duplicateOf} again`);
    if (reject !== REJECT.none) return this.#reject(number, reject);
    if (command.account === accounts.length) accounts.push(name);
    this.#done('placed', number, naive.sequence, command.quantityLots, happened);
  }

  #change(what: string, number: number, command: Extract<Command, { orderId: number }>): void {
    // Of an account without orders no order is known.
    const { reject, happened } = command.account < 0 ? { reject: REJECT.unknownOrder, happened: new Happened() } : this.#submit(command);
    if (reject === REJECT.none) this.#done(what, number, command.orderId, 0, happened);
    else this.#reject(number, reject);
  }

  #massCancel(number: number, account: number, at: number): void {
    const instrument = at === 65_535 ? ALL_INSTRUMENTS : at;
    if (account < 0) return void this.durable.push(`massCancelled ${number} count 0`);
    const { reject, happened } = this.#submit({ kind: MASS_CANCEL, instrument, account, session: 0, reason: MASS });
    if (reject === REJECT.none) this.durable.push(`massCancelled ${number} count ${happened.cancelled.length}`);
    else this.#reject(number, reject);
  }

  #submit(command: Command): { reject: number; happened: Happened } {
    const { naive, nowMicros } = this.#world;
    const happened = new Happened();
    return { reject: naive.submit(nowMicros, command, happened), happened };
  }

  #done(what: string, number: number, orderId: number, lots: number, happened: Happened): void {
    const { sequence } = this.#world.naive;
    this.durable.push(`${what} ${number} order ${orderId} at ${sequence}: ${happened.outcome(orderId, lots).join(' ')}`);
    const own = happened.fills.flatMap((fill, index) => (fill.maker === orderId || fill.taker === orderId ? [{ fill, index }] : []));
    for (const { fill, index } of own.slice(0, MOST_ANSWERED_FILLS)) {
      const maker = fill.maker === orderId;
      const { instrument, priceTicks, lots: filled, makerLeft, takerLeft } = fill;
      this.durable.push(
        `fill ${number} order ${orderId} at ${sequence}.${index}: ${filled} for ${priceTicks} of ${instrument}, left ${maker ? makerLeft : takerLeft}, taker ${!maker}`,
      );
    }
  }

  #useAccount(number: number, bytes: Uint8Array): void {
    const end = bytes.indexOf(0);
    const name = Buffer.from(end < 0 ? bytes : bytes.subarray(0, end)).toString('latin1');
    const handle = /^[\w.-]{1,32}$/.test(name) ? this.#handleOf(name) : -1;
    if (handle < 0) this.#refuse(number, REJECT.forbidden);
    else this.atOnce.push(`account ${number} ${handle} ${name}`);
  }

  #handleOf(name: string): number {
    const known = this.#handles.indexOf(name);
    if (known >= 0) return known;
    const mayAny = (['orders.write', 'orders.cancel', 'orders.read'] as const).some((action) => this.#may(action, name));
    return mayAny && this.#handles.length < MOST_HANDLES ? this.#handles.push(name) - 1 : -1;
  }

  #may(action: Action, account: string): boolean {
    const { roles, accounts } = this.#principal;
    const rule: { roles: readonly string[]; ofAccount: boolean } = ACTIONS[action];
    return roles.some((role) => rule.roles.includes(role)) && (!rule.ofAccount || accounts === 'all' || accounts.has(account));
  }

  #refuse(number: number, reject: number): void {
    this.atOnce.push(`rejected ${number} ${reject}`);
  }

  #reject(number: number, reject: number): void {
    this.durable.push(`rejected ${number} ${reject}`);
  }
}

/** Does what is due, when the books say that something is. */
export function advanceModel({ naive, nowMicros }: ModelWorld): void {
  naive.submit(nowMicros, { kind: ADVANCE_TIME }, new Happened());
}
