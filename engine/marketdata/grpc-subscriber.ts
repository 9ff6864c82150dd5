/** One stream of gRPC that follows market data. */
import type { ServerWritableStream } from '@grpc/grpc-js';
import type { Principal } from '../access/principal.ts';
import { METHODS, type SubscribeRequest } from '../client/grpc-contract.ts';
import { messageOfFrames, messageOfPrices, type Names } from '../client/market-messages.ts';
import { REJECT } from '../core/types.ts';
import { statusOf } from '../gateway/grpc/status.ts';
import { CLOSE } from '../gateway/websocket/closing.ts';
import { Problem } from '../service/problem.ts';
import type { Channel, Subscriber } from './subscriber.ts';
import type { Update } from './update.ts';

export type SubscribeCall = ServerWritableStream<SubscribeRequest, Buffer>;

/** Encoded once, however many follow. */
const ENCODED = new WeakMap<Update, Buffer>();

export class GrpcSubscriber implements Subscriber {
  readonly principal: Principal;
  readonly #call: SubscribeCall;
  readonly #names: Names;
  readonly #channel: Channel;
  #bufferedBytes = 0;
  #isClosing = false;

  constructor(call: SubscribeCall, principal: Principal, channel: Channel, names: Names) {
    this.principal = principal;
    this.#call = call;
    this.#channel = channel;
    this.#names = names;
  }

  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  send(update: Update): void {
    if (this.#isClosing) return;
    const [only] = this.#channel === 'prices' ? [] : update.decoded;
    if (only?.frame === 'rejected') return this.refuse(refusalOf(only.reject));
    const bytes = this.#encoded(update);
    // Nothing of it is for this stream: the handle of an account.
    if (bytes.length === 0) return;
    this.#bufferedBytes += bytes.length;
    this.#call.write(bytes, () => {
      this.#bufferedBytes -= bytes.length;
    });
  }

  /** The library sends what it was given. */
  flush(): void {}

  close(code: number, why: string): void {
    if (code === CLOSE.slow) this.refuse(new Problem('HFT_USER_RATE_LIMIT', why, { retryAfterMs: 1000 }));
    else if (code === CLOSE.expired) this.refuse(new Problem('HFT_UNAUTHORIZED', why));
    else this.refuse(new Problem('HFT_DRAINING', why, { retryAfterMs: 1000 }));
  }

  /** Ends the stream, behind what was written. */
  refuse(problem: Problem): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#call.emit('error', statusOf(problem));
  }

  #encoded(update: Update): Buffer {
    const known = ENCODED.get(update);
    if (known !== undefined) return known;
    const message = this.#channel === 'prices' ? messageOfPrices(update.frames) : messageOfFrames(update.decoded, this.#names);
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
