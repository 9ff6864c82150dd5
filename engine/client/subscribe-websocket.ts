/** Market data over a WebSocket. */
import { EngineError } from './engine-error.ts';
import { MarketDataClient, StreamRefused } from './market-data.ts';
import { errorOfReject } from './reject-codes.ts';
import type { ClientTls } from './tls.ts';
import { Subscription, type SubscribeOptions } from './subscription.ts';
import type { Units } from './units.ts';
import type { AnyFrame } from './websocket-codec.ts';

export interface WebSocketMarketOptions {
  readonly url: string;
  readonly token: string | (() => string);
  readonly tls?: ClientTls;
  /** Until the stream has begun. */
  readonly timeoutMs: number;
}

/** Resolves when the stream has begun; rejects when the engine refuses it. */
export async function subscribeWebSocket(
  options: WebSocketMarketOptions,
  units: readonly Units[],
  request: SubscribeOptions,
): Promise<Subscription> {
  const bySymbol = new Map(units.map((one) => [one.symbol, one]));
  const accounts = new Map<number, string>();
  let client: MarketDataClient | undefined;
  const names = {
    unitsOf: (id: number) => bySymbol.get(client?.symbols[id] ?? ''),
    accountOf: (handle: number) => accounts.get(handle) ?? '',
  };
  const subscription = new Subscription(names, () => client?.close());
  const whole = wholeBooks((frames) => subscription.hear(frames));
  const onFrame = (frame: AnyFrame): void => {
    if (frame.frame === 'account') accounts.set(frame.account, frame.name);
    whole(frame);
  };
  const onEnded = (cause: EngineError): void => subscription.fail(cause);
  const onRefused = (refusal: StreamRefused): void => subscription.fail(errorOfReject(refusal.reject, refusal));
  const deadlineMs = performance.now() + options.timeoutMs;
  try {
    client = await MarketDataClient.connect({ ...options, onFrame, onEnded, onRefused });
    await client.subscribe(request, Math.max(1, deadlineMs - performance.now()));
  } catch (cause) {
    client?.close();
    throw errorOf(cause);
  }
  return subscription;
}

/** Gives on frames one by one, but a book with its levels. */
function wholeBooks(give: (frames: readonly AnyFrame[]) => void): (frame: AnyFrame) => void {
  let book: AnyFrame[] = [];
  let missing = 0;
  return (frame) => {
    if (missing > 0 && frame.frame === 'level') {
      book.push(frame);
      missing -= 1;
      if (missing === 0) give(book);
    } else if (frame.frame === 'book' && frame.levels > 0) {
      book = [frame];
      missing = frame.levels;
    } else give([frame]);
  };
}

function errorOf(cause: unknown): EngineError {
  if (cause instanceof EngineError) return cause;
  if (cause instanceof StreamRefused) return errorOfReject(cause.reject, cause);
  const message = cause instanceof Error ? cause.message : String(cause);
  if (cause instanceof RangeError) return new EngineError({ code: 'HFT_UNKNOWN_SYMBOL', status: 422, message, field: 'symbol', cause });
  return new EngineError({ code: 'HFT_CLIENT_UNREACHABLE', status: 0, message, cause, inDoubt: false });
}
