/** One stream of gRPC that follows market data. */
import type { ServerWritableStream } from '@grpc/grpc-js';
import type { Principal } from '../access/principal.ts';
import { METHODS, type SubscribeRequest } from '../client/grpc-contract.ts';
import { messageOfFrames, messageOfPrices, type Names } from '../client/market-messages.ts';
import { REJECT } from '../core/types.ts';
import { statusOf } from '../gateway/grpc/status.ts';
import type { Backlog, Sender } from '../gateway/websocket/backlog.ts';
import { CLOSE } from '../gateway/websocket/closing.ts';
import { Problem } from '../service/problem.ts';
import type { Channel, Subscriber } from './subscriber.ts';
import type { Update } from './update.ts';

export type SubscribeCall = ServerWritableStream<SubscribeRequest, Buffer>;

/** Encoded once, however many follow. */
const ENCODED = new WeakMap<Update, Buffer>();
/** A client that does not read how its stream ended is cut then. */
const CUT_MS = 1000;

export interface GrpcSubscriberParts {
  readonly call: SubscribeCall;
  readonly principal: Principal;
  readonly channel: Channel;
  readonly names: Names;
  readonly backlog: Backlog;
  /** It follows nothing from now on. Called once, and never in a turn of the hub. */
  readonly leave: () => void;
  /** Ends its connection at once. */
  readonly cutConnection: () => void;
}

export class GrpcSubscriber implements Subscriber, Sender {
  readonly principal: Principal;
  readonly #parts: GrpcSubscriberParts;
  readonly #call: SubscribeCall;
  #bufferedBytes = 0;
  #toldBytes = 0;
  #isClosing = false;
  #isGone = false;
  #hasLeft = false;
  #cutTimer: NodeJS.Timeout | undefined;

  constructor(parts: GrpcSubscriberParts) {
    this.principal = parts.principal;
    this.#parts = parts;
    this.#call = parts.call;
    // This follows the status as well, once that is sent: until then the client may be one that does not read.
    this.#call.once('cancelled', () => this.#end());
  }

  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  send(update: Update): void {
    if (this.#isClosing) return;
    const [only] = this.#parts.channel === 'prices' ? [] : update.decoded;
    if (only?.frame === 'rejected') return this.refuse(refusalOf(only.reject));
    const bytes = this.#encoded(update);
    // Nothing of it is for this stream: the handle of an account.
    if (bytes.length === 0) return;
    this.#bufferedBytes += bytes.length;
    this.#call.write(bytes, () => {
      this.#bufferedBytes -= bytes.length;
    });
  }

  /** The library sends what it was given: only what waits is told. */
  flush(): void {
    if (this.#isGone || this.#bufferedBytes === this.#toldBytes) return;
    this.#toldBytes = this.#bufferedBytes;
    this.#parts.backlog.tell(this, this.#bufferedBytes);
  }

  close(code: number, why: string): void {
    if (code === CLOSE.slow) this.refuse(new Problem('HFT_USER_RATE_LIMIT', why, { retryAfterMs: 1000 }));
    else if (code === CLOSE.expired) this.refuse(new Problem('HFT_UNAUTHORIZED', why));
    else this.refuse(new Problem('HFT_DRAINING', why, { retryAfterMs: 1000 }));
  }

  /** Ends the stream, behind what was written; with its connection when the client does not read that. */
  refuse(problem: Problem): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#call.emit('error', statusOf(problem));
    this.#cutTimer = setTimeout(() => this.#parts.cutConnection(), CUT_MS).unref();
    this.#leave();
  }

  cut(): void {
    this.#isClosing = true;
    this.#parts.cutConnection();
    this.#leave();
  }

  #end(): void {
    this.#isClosing = true;
    this.#isGone = true;
    clearTimeout(this.#cutTimer);
    this.#parts.backlog.tell(this, 0);
    this.#leave();
  }

  /** Later: the hub may be in the middle of its turn. */
  #leave(): void {
    if (this.#hasLeft) return;
    this.#hasLeft = true;
    queueMicrotask(this.#parts.leave);
  }

  #encoded(update: Update): Buffer {
    const known = ENCODED.get(update);
    if (known !== undefined) return known;
    const { channel, names } = this.#parts;
    const message = channel === 'prices' ? messageOfPrices(update.frames) : messageOfFrames(update.decoded, names);
    const bytes = message.events.length === 0 ? NOTHING : METHODS.subscribe.responseSerialize(message);
    ENCODED.set(update, bytes);
    return bytes;
  }
}

const NOTHING = Buffer.alloc(0);

function refusalOf(reject: number): Problem {
  switch (reject) {
    case REJECT.unknownInstrument:
      return new Problem('HFT_INSTRUMENT_NOT_FOUND', 'there is no such instrument', { field: 'symbol' });
    case REJECT.badAccount:
      return new Problem('HFT_MISSING_FIELD', 'account must say whose orders', { field: 'account' });
    case REJECT.starting:
      return new Problem('HFT_RECOVERING', 'there is no market data for the moment: try again', { retryAfterMs: 1000 });
    default:
      return new Problem('HFT_RATE_LIMIT', 'more streams are asked for than may be', { retryAfterMs: 1000 });
  }
}
