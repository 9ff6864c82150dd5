/** Market data over gRPC. */
import { setTimeout as delay } from 'node:timers/promises';
import { status, type ClientReadableStream, type ServiceError, type StatusObject } from '@grpc/grpc-js';
import { EngineError } from './engine-error.ts';
import { METHODS, type SubscribeRequest } from './grpc-contract.ts';
import { Heard } from './heard.ts';
import { errorOf, GrpcPool, type GrpcPoolOptions } from './grpc-pool.ts';
import { framesOfEvent, type MarketDataMessage } from './market-messages.ts';
import { Subscription, type SubscribeOptions } from './subscription.ts';
import type { Units } from './units.ts';
import { CHANNELS } from './websocket-frames.ts';

const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 5000;
/** A snapshot of all orders is one message: of a full book tens of MiB. */
const MOST_MESSAGE_BYTES = 256 * 1024 * 1024;

export type GrpcMarketOptions = Required<Pick<GrpcPoolOptions, 'address' | 'token' | 'timeoutMs'>> & Pick<GrpcPoolOptions, 'tls'>;

/** Resolves when the stream has begun; rejects when the engine refuses it. `units` by instrument, in any order. */
export async function subscribeGrpc(options: GrpcMarketOptions, units: readonly Units[], request: SubscribeOptions): Promise<Subscription> {
  const pool = new GrpcPool({ ...options, channels: 1, mostMessageBytes: MOST_MESSAGE_BYTES });
  const accounts = [request.account ?? ''];
  const numbers = {
    instrumentOf: (symbol: string) => units.findIndex((one) => one.symbol === symbol),
    handleOf: (account: string) => {
      const known = accounts.indexOf(account);
      return known >= 0 ? known : accounts.push(account) - 1;
    },
  };
  const ended = new AbortController();
  const subscription = new Subscription({ unitsOf: (id) => units[id], accountOf: (handle) => accounts[handle] ?? '' }, () => {
    ended.abort();
    pool.close();
  });
  const begun = Promise.withResolvers<void>();
  const wire: SubscribeRequest = {
    channel: CHANNELS.indexOf(request.channel) + 1,
    symbol: request.symbol ?? '',
    depth: request.depth ?? 0,
    account: request.account ?? '',
    fromSequence: request.fromSequence ?? 0,
  };
  const heard = new Heard(request.channel, wire.fromSequence);
  const instrument = request.symbol === undefined ? undefined : numbers.instrumentOf(request.symbol);
  let waitMs = FIRST_WAIT_MS;
  const hear = ({ events }: MarketDataMessage): void => {
    waitMs = FIRST_WAIT_MS;
    const frames = events.flatMap((event) => framesOfEvent(event, numbers)).filter((frame) => !heard.knows(frame));
    for (const frame of frames) {
      if (frame.frame === 'subscribed') heard.begun(frame);
      heard.hear(frame);
    }
    wire.fromSequence = instrument === undefined ? heard.least(units.length) : heard.of(instrument);
    if (events.some((event) => event.subscribed !== undefined)) begun.resolve();
    subscription.hear(frames);
  };
  /** Before it has begun for whoever subscribes, afterwards (the token has ended) for whoever reads. */
  const fail = (failure: EngineError): void => {
    begun.reject(failure);
    subscription.fail(failure);
  };
  const follow = async (): Promise<void> => {
    while (!ended.signal.aborted) {
      const failure = await oneStream(pool, wire, hear, ended.signal);
      if (ended.signal.aborted) return;
      if (!failure.retryable && !failure.inDoubt) return fail(failure);
      await delay(Math.max(waitMs, failure.retryAfterMs ?? 0), undefined, { signal: ended.signal }).catch(() => undefined);
      waitMs = Math.min(LONGEST_WAIT_MS, waitMs * 2);
    }
  };
  const late = setTimeout(
    () =>
      begun.reject(new EngineError({ code: 'HFT_CLIENT_TIMEOUT', status: 0, message: 'the stream did not begin in time', inDoubt: false })),
    options.timeoutMs,
  );
  void follow();
  try {
    await begun.promise;
  } catch (cause) {
    subscription.close();
    throw cause;
  } finally {
    clearTimeout(late);
  }
  return subscription;
}

/** Why it ended. */
async function oneStream(
  pool: GrpcPool,
  request: SubscribeRequest,
  hear: (message: MarketDataMessage) => void,
  signal: AbortSignal,
): Promise<EngineError> {
  let borrowed;
  try {
    borrowed = await pool.borrow(signal);
  } catch (cause) {
    return cause as EngineError;
  }
  const { client, metadata, release } = borrowed;
  const { path, requestSerialize, responseDeserialize } = METHODS.subscribe;
  const call: ClientReadableStream<MarketDataMessage> = client.makeServerStreamRequest(
    path,
    requestSerialize,
    responseDeserialize,
    request,
    metadata,
  );
  const cancel = (): void => call.cancel();
  signal.addEventListener('abort', cancel);
  return await new Promise<EngineError>((resolve) => {
    const over = (why: EngineError): void => {
      signal.removeEventListener('abort', cancel);
      release();
      resolve(why);
    };
    call.on('data', hear);
    call.on('error', (error: ServiceError) => over(errorOf(error)));
    // An end that is no error: the engine, or what is before it, stops. It is gone on with like a lost connection.
    call.on('status', ({ code }: StatusObject) => {
      if (code === status.OK)
        over(new EngineError({ code: 'HFT_CLIENT_UNREACHABLE', status: 0, message: 'the engine ended the stream', inDoubt: false }));
    });
  });
}
