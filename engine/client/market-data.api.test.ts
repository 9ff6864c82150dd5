import { afterEach, expect, it } from 'vitest';
import type { WebSocket } from 'ws';
import { REJECT } from '../core/types.ts';
import { MarketDataClient } from './market-data.ts';
import { scripted } from './scripted.test-support.ts';
import { subscribeWebSocket } from './subscribe-websocket.ts';
import type { Subscription } from './subscription.ts';
import { Units } from './units.ts';
import { encodeMessage, type AnyFrame, type FrameOf } from './websocket-codec.ts';

type Asked = FrameOf<'subscribe'>;
const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0).toReversed()) end();
});

const TRADE: FrameOf<'trade'> = {
  frame: 'trade',
  number: 1,
  sequence: 1,
  timeMicros: 0,
  priceTicks: 100,
  quantityLots: 1,
  makerOrderId: 1,
  takerOrderId: 2,
  index: 0,
  instrument: 0,
  takerSide: 'buy',
};

const FILL: FrameOf<'fill'> = {
  frame: 'fill',
  number: 1,
  orderId: 7,
  sequence: 60,
  priceTicks: 100,
  quantityLots: 1,
  remainingLots: 1,
  timeMicros: 0,
  index: 0,
  instrument: 0,
  taker: true,
};
/** Of alice. */
const UPDATE: FrameOf<'orderUpdate'> = {
  frame: 'orderUpdate',
  number: 1,
  orderId: 7,
  sequence: 50,
  timeMicros: 0,
  clientOrderId: '0'.repeat(16),
  priceTicks: 100,
  stopTicks: 0,
  remainingLots: 1,
  account: 0,
  instrument: 0,
  side: 'buy',
  orderType: 'limit',
  status: 'open',
  reason: 'none',
};

/** An engine that answers each request for a stream as `answer` says; what was asked for, connection by connection. */
async function engine(answer: (ws: WebSocket, asked: Asked, connection: number, requests: number) => void) {
  const asked: Asked[][] = [];
  const served = await scripted({
    take: (frame, ws, connection) => {
      if (frame.frame === 'useAccount') tell(ws, [{ frame: 'account', number: frame.number, account: 1, name: frame.name }]);
      if (frame.frame !== 'subscribe') return;
      const requests = (asked[connection - 1] ??= []).push(frame);
      answer(ws, frame, connection, requests);
    },
  });
  ends.push(() => served.close());
  return { url: served.url, asked };
}

function tell(ws: WebSocket, frames: readonly AnyFrame[]): void {
  ws.send(encodeMessage(frames));
}

/** The stream has begun at `sequence`. */
function begun({ number, instrument, depth, account, channel }: Asked, sequence: number): AnyFrame {
  return { frame: 'subscribed', number, sequence, instrument: instrument === 65_535 ? 0 : instrument, depth, account, channel };
}

async function trades(url: string): Promise<Subscription> {
  const units = [new Units({ symbol: 'BTC-USD', tickSize: '0.01', lotSize: '1' })];
  const subscription = await subscribeWebSocket({ url, token: 'token', timeoutMs: 5000 }, units, { channel: 'trades', symbol: 'BTC-USD' });
  ends.push(() => subscription.close());
  return subscription;
}

it('a stream that is refused for now after a failure is asked for again', { timeout: 10_000 }, async () => {
  const { url, asked } = await engine((ws, frame, connection, requests) => {
    if (connection === 2 && requests === 1)
      return tell(ws, [{ frame: 'rejected', number: frame.number, reject: REJECT.starting, retryAfterMs: 0 }]);
    tell(ws, [begun(frame, connection * 10), { ...TRADE, sequence: connection * 10 + 2 }]);
    if (connection === 1) ws.close(1012, 'market data is interrupted: connect again');
  });
  const subscription = await trades(url);
  expect(await subscription.next()).toMatchObject({ value: { sequence: 12 } });
  expect(await subscription.next()).toMatchObject({ value: { sequence: 22 } });
  expect(asked.map((frames) => frames.map(({ fromSequence }) => fromSequence))).toEqual([[0], [12, 12]]);
});

it('a stream that is refused for good after a failure fails', { timeout: 10_000 }, async () => {
  const { url } = await engine((ws, frame, connection) => {
    if (connection === 2) return tell(ws, [{ frame: 'rejected', number: frame.number, reject: REJECT.forbidden, retryAfterMs: 0 }]);
    tell(ws, [begun(frame, 10)]);
    ws.close(1012, 'market data is interrupted: connect again');
  });
  const subscription = await trades(url);
  await expect(subscription.next()).rejects.toMatchObject({ code: 'HFT_FORBIDDEN' });
});

it('each instrument goes on from where it was, also when what was missed did not come', { timeout: 10_000 }, async () => {
  const { url, asked } = await engine((ws, frame, connection) => {
    if (connection === 1) {
      tell(ws, [{ frame: 'instrument', number: 0, instrument: 1, state: 'trading', symbol: 'ETH-USD', tickSize: '0.01', lotSize: '1' }]);
      tell(ws, [begun(frame, 10), { ...TRADE, sequence: 12 }, begun({ ...frame, instrument: 1 }, 13), { ...TRADE, sequence: 14 }]);
    } else tell(ws, [begun(frame, 20)]);
    if (connection < 3 && frame.instrument !== 0) ws.close(1012, 'market data is interrupted: connect again');
  });
  const client = await MarketDataClient.connect({ url, token: 'token', onFrame: () => undefined });
  ends.push(() => client.close());
  await client.subscribe({ channel: 'trades' });
  await expect.poll(() => asked[2]?.length, { timeout: 5000 }).toBe(2);
  const goesOn = asked.map((frames) => frames.map(({ instrument, fromSequence }) => [instrument, fromSequence]));
  const each = [
    [0, 14],
    [1, 13],
  ];
  expect(goesOn).toEqual([[[65_535, 0]], each, each]);
});

it('what one account did says nothing of where the stream of another is', { timeout: 10_000 }, async () => {
  const { url, asked } = await engine((ws, frame, connection, requests) => {
    tell(ws, [begun(frame, 10)]);
    if (connection > 1 || requests < 2) return;
    tell(ws, [FILL, UPDATE]);
    ws.close(1012, 'market data is interrupted: connect again');
  });
  const client = await MarketDataClient.connect({ url, token: 'token', onFrame: () => undefined });
  ends.push(() => client.close());
  await client.subscribe({ channel: 'own-orders', account: 'alice' });
  await client.subscribe({ channel: 'own-orders', account: 'bob' });
  await expect.poll(() => asked[1]?.length, { timeout: 5000 }).toBe(2);
  const of = (account: number) => asked[1]?.find((frame) => frame.account === account)?.fromSequence;
  expect([of(0), of(1)]).toEqual([50, 10]);
});
