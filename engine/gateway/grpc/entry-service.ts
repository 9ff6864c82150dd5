/** OrderEntry: a stream of commands and one of answers, over the fast way in. Both are bytes here: see entry-codec.ts. */
import { type Metadata, type ServerDuplexStream, type StatusObject } from '@grpc/grpc-js';
import type { Principal } from '../../access/principal.ts';
import type { Action } from '../../access/roles.ts';
import { ACCOUNT_TEXT } from '../../client/schemas.ts';
import { ALL_INSTRUMENTS, REJECT } from '../../core/types.ts';
import type { Engine } from '../../service/engine.ts';
import type { EntryLink } from '../../service/answer-queue.ts';
import { hashClientOrderId, type ClientIdBits } from '../../service/client-order-id.ts';
import { EntryAccount, OrderEntry } from '../../service/order-entry.ts';
import { Actor } from '../../service/principal-numbers.ts';
import { drainingProblem, Problem } from '../../service/problem.ts';
import { admit, type UnaryParts } from './calls.ts';
import { CANCEL, CommandReader, PLACE, REPLACE, writeAnswer, writeReject } from './entry-codec.ts';
import { problemOfCause, statusOf } from './status.ts';
import { WireFault, WireWriter } from './wire.ts';

export type EntryCall = ServerDuplexStream<Buffer, Buffer>;

/** Answers of one stream that may wait before no more of it is read, to be durable or to be taken by the client. */
const MOST_WAITING = 8192;
const MOST_UNSENT_BYTES = 256 * 1024;
/** Accounts that a stream remembers its rights for. */
const MOST_ACCOUNTS = 1000;
/** How often it is asked whether the keys of the streams' tokens are still there. */
const KEY_CHECK_MS = 1000;
const MOST_TIMER_MS = 2 ** 31 - 1;
/** No instrument has it: the core says that it is unknown. */
const NO_INSTRUMENT = 2 ** 31 - 1;
const CLIENT_ORDER_ID = /^[0-9a-f]{16}$/;
const NO_ID = '0'.repeat(16);

interface Rights {
  readonly account: EntryAccount;
  readonly write: boolean;
  readonly cancel: boolean;
}

export interface EntryServiceParts extends UnaryParts {
  readonly engine: Engine;
  readonly entry: OrderEntry;
}

/** All streams of order entry. */
export class EntryService {
  readonly #parts: EntryServiceParts;
  readonly #streams = new Set<EntryStream>();
  readonly #keyCheck: NodeJS.Timeout;
  #draining = false;

  constructor(parts: EntryServiceParts) {
    this.#parts = parts;
    this.#keyCheck = setInterval(() => this.#checkKeys(), KEY_CHECK_MS).unref();
  }

  /** A stream has come. */
  readonly open = (call: EntryCall): void => void this.#open(call);

  /** Ends every stream when what it has sent is answered. */
  drain(): void {
    this.#draining = true;
    clearInterval(this.#keyCheck);
    for (const stream of this.#streams) stream.finish(drainingProblem());
  }

  #checkKeys(): void {
    const { gatekeeper } = this.#parts.access;
    for (const stream of this.#streams)
      if (!gatekeeper.holds(stream.principal))
        stream.finish(new Problem('HFT_UNAUTHORIZED', 'the key of the token is no longer taken: open a stream with a new token'));
  }

  #boundUser({ subject }: Principal): void {
    const { streamsPerUser } = this.#parts.engine.admission.settings;
    let open = 0;
    for (const { principal } of this.#streams) if (principal.subject === subject) open += 1;
    if (open >= streamsPerUser)
      throw new Problem('HFT_USER_RATE_LIMIT', `${streamsPerUser} streams of this user are open, and no more are taken`, {
        retryAfterMs: 1000,
      });
  }

  async #open(call: EntryCall): Promise<void> {
    try {
      const principal = await admit(this.#parts.access, call);
      if (call.cancelled) return;
      if (this.#draining) throw drainingProblem();
      this.#boundUser(principal);
      const stream = new EntryStream(call, principal, this.#parts);
      this.#streams.add(stream);
      call.once('close', () => this.#streams.delete(stream));
      call.once('cancelled', () => this.#streams.delete(stream));
    } catch (cause) {
      refuse(call, problemOfCause(cause));
    }
  }
}

class EntryStream implements EntryLink {
  readonly principal: Principal;
  readonly #call: EntryCall;
  readonly #parts: EntryServiceParts;
  readonly #commands: CommandReader;
  readonly #writer = new WireWriter();
  readonly #link: number;
  readonly #actor: Actor;
  readonly #rights = new Map<string, Rights>();
  readonly #bits: ClientIdBits = { low: 0, high: 0 };
  readonly #expiry: NodeJS.Timeout;
  #session = 0;
  #receivedMs = 0;
  #writing = false;
  /** undefined while commands are taken; then why not, or null when the client has sent all. */
  #end: Problem | null | undefined;
  #ended = false;

  constructor(call: EntryCall, principal: Principal, parts: EntryServiceParts) {
    this.#call = call;
    this.principal = principal;
    this.#actor = new Actor(principal.subject);
    this.#parts = parts;
    this.#commands = new CommandReader(parts.entry.order, parts.entry.replacement);
    this.#link = parts.entry.connect(this);
    const lifetimeMs = Math.min(MOST_TIMER_MS, Math.max(0, principal.expiresAtMs - Date.now()));
    this.#expiry = setTimeout(
      () => this.finish(new Problem('HFT_UNAUTHORIZED', 'the token has ended: open a stream with a new one')),
      lifetimeMs,
    );
    this.#expiry.unref();
    call.once('cancelled', () => this.#close());
    call.once('close', () => this.#close());
    call.once('end', () => this.finish(null));
    call.on('data', (bytes: Buffer) => this.#receive(bytes));
  }

  answer(values: Float64Array, at: number): void {
    if (!this.#ended) writeAnswer(this.#writer, values, at);
  }

  flush(): void {
    // One message at a time: what is answered meanwhile shares the next one.
    if (!this.#writing && !this.#ended) this.#send();
  }

  /** Takes no more commands, and ends the stream when those that were taken are answered. */
  finish(why: Problem | null): void {
    if (this.#end === undefined || this.#end === null) this.#end = why;
    if (why !== null) this.#call.pause();
    this.#endIfDone();
  }

  #receive(bytes: Buffer): void {
    if (this.#ended || (this.#end !== undefined && this.#end !== null)) return;
    this.#receivedMs = performance.now();
    try {
      this.#commands.read(bytes, this.#take);
    } catch (cause) {
      if (!(cause instanceof WireFault)) this.#parts.log.error({ err: cause }, 'a stream of orders failed');
      this.finish(
        cause instanceof WireFault ? new Problem('HFT_BAD_REQUEST', `no OrderEntryRequest: ${cause.message}`) : problemOfCause(cause),
      );
    }
    this.flush();
    this.#breathe();
  }

  readonly #take = (): void => {
    const { entry } = this.#parts;
    const { request, kind, orderId } = this.#commands;
    const link = this.#link;
    const receivedMs = this.#receivedMs;
    const rights = this.#rightsFor(this.#commands.account);
    if (rights === undefined || kind === 0) return this.#reject(rights === undefined ? REJECT.badAccount : REJECT.badTerms);
    const { account, write, cancel } = rights;
    if (!(kind === PLACE || kind === REPLACE ? write : cancel)) return this.#reject(REJECT.forbidden);
    if (kind === PLACE) this.#place(account);
    else if (kind === REPLACE) entry.replace(link, request, account, receivedMs);
    else if (kind === CANCEL) entry.cancel(link, request, account, orderId, receivedMs);
    else entry.massCancel(link, request, account, this.#instrument(ALL_INSTRUMENTS), receivedMs);
  };

  #place(account: EntryAccount): void {
    const { entry, engine } = this.#parts;
    const { clientOrderId, cancelOnDisconnect, request } = this.#commands;
    const { order } = entry;
    order.instrument = this.#instrument(NO_INSTRUMENT);
    order.idLow = 0;
    order.idHigh = 0;
    if (clientOrderId !== '') {
      if (clientOrderId === NO_ID || !CLIENT_ORDER_ID.test(clientOrderId)) return this.#reject(REJECT.badTerms);
      hashClientOrderId(clientOrderId, this.#bits);
      order.idLow = this.#bits.low;
      order.idHigh = this.#bits.high;
    }
    if (cancelOnDisconnect && this.#session === 0) this.#session = engine.sessions.open();
    order.session = cancelOnDisconnect ? this.#session : 0;
    entry.place(this.#link, request, account, this.#receivedMs);
  }

  #instrument(without: number): number {
    const { symbol } = this.#commands;
    return symbol === '' ? without : (this.#parts.engine.accepting?.bySymbol.get(symbol)?.id ?? NO_INSTRUMENT);
  }

  #reject(reject: number): void {
    this.#parts.engine.stats.rejected(reject === REJECT.forbidden ? 'HFT_FORBIDDEN' : 'HFT_BAD_TERMS');
    writeReject(this.#writer, this.#commands.request, reject);
  }

  /** undefined for what names no account. */
  #rightsFor(name: string): Rights | undefined {
    const known = this.#rights.get(name);
    if (known !== undefined) return known;
    if (!ACCOUNT_TEXT.test(name)) return undefined;
    const rights = {
      account: new EntryAccount(name, this.#actor),
      write: this.#may('orders.write', name),
      cancel: this.#may('orders.cancel', name),
    };
    if (this.#rights.size === MOST_ACCOUNTS) this.#rights.clear();
    this.#rights.set(name, rights);
    return rights;
  }

  #may(action: Action, account: string): boolean {
    try {
      this.#parts.access.gatekeeper.authorize(this.principal, action, account);
      return true;
    } catch (cause) {
      if (cause instanceof Problem) return false;
      throw cause;
    }
  }

  #send(): void {
    if (this.#writer.length === 0) return;
    this.#writing = true;
    this.#call.write(this.#writer.take(), this.#sent);
  }

  readonly #sent = (): void => {
    this.#writing = false;
    if (this.#ended) return;
    this.#send();
    this.#breathe();
    this.#endIfDone();
  };

  /** Reads on when not too many answers wait, be it to be durable or to be taken. */
  #breathe(): void {
    if (this.#end !== undefined) return;
    const full = this.#parts.entry.waitingOf(this.#link) >= MOST_WAITING || this.#writer.length >= MOST_UNSENT_BYTES;
    if (full && !this.#call.isPaused()) this.#call.pause();
    else if (!full && this.#call.isPaused()) this.#call.resume();
  }

  #endIfDone(): void {
    if (this.#ended || this.#end === undefined) return;
    if (this.#writing || this.#writer.length > 0 || this.#parts.entry.waitingOf(this.#link) > 0) return;
    const why = this.#end;
    this.#close();
    if (why === null) this.#call.end();
    else refuse(this.#call, why);
  }

  #close(): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#expiry);
    this.#parts.entry.disconnect(this.#link);
    if (this.#session !== 0) this.#parts.engine.sessions.end(this.#session);
  }
}

/** Ends a stream with a refusal, behind what was written. */
function refuse(call: EntryCall, problem: Problem): void {
  const ending: StatusObject & { metadata: Metadata } = statusOf(problem);
  call.emit('error', ending);
}
