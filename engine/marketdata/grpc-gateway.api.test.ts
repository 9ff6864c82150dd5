import { once } from 'node:events';
import { connect, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { PROTECTION_DEFAULTS } from '../../crds/protection.ts';
import type { Principal } from '../access/principal.ts';
import { METHODS } from '../client/grpc-contract.ts';
import { subscribeGrpc } from '../client/subscribe-grpc.ts';
import { Units } from '../client/units.ts';
import { encodeMessage, type AnyFrame, type FrameOf } from '../client/websocket-codec.ts';
import { CLOSE } from '../gateway/websocket/closing.ts';
import { AccountHandles } from './account-handles.ts';
import { Entrance } from './entrance.ts';
import { MarketGrpcGateway, type GrpcGatewayParts } from './grpc-gateway.ts';
import type { StreamRequest, Subscriber } from './subscriber.ts';
import { updateOf } from './update.ts';

const ends: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

/** A gateway whose hub the test plays: it sends what it wants to whoever subscribed. */
async function gateway(parts: Partial<GrpcGatewayParts> = {}) {
  const principal: Principal = { subject: 'reader', roles: ['viewer'], accounts: 'all', expiresAtMs: Infinity, keyId: 'key' };
  const subscribed: Subscriber[] = [];
  const asked: number[] = [];
  const left = new Set<Subscriber>();
  const hub = {
    subscribe: (subscriber: Subscriber, { fromSequence }: StreamRequest) => {
      subscribed.push(subscriber);
      asked.push(fromSequence);
    },
    leave: (subscriber: Subscriber) => void left.add(subscriber),
  };
  const served = { hub, instruments: [{ symbol: 'BTC-USD', tickSize: '0.01', lotSize: '0.0001' }] };
  const gatekeeper = {
    known: () => undefined,
    authenticate: () => Promise.resolve(principal),
    holds: () => true,
    authorize: () => undefined,
  };
  const grpc = new MarketGrpcGateway({
    gatekeeper,
    entrance: new Entrance(gatekeeper, PROTECTION_DEFAULTS),
    handles: new AccountHandles(),
    served: () => served,
    warn: () => undefined,
    ...parts,
  });
  const port = await grpc.listen('127.0.0.1', 0);
  ends.push(() => grpc.close());
  return { port, subscribed, asked, left };
}

/** A client of HTTP/2 that reads nothing of its stream. */
function unread(port: number): { session: ClientHttp2Session; stream: ClientHttp2Stream } {
  const session = connect(`http://127.0.0.1:${port}`);
  session.on('error', () => undefined);
  ends.push(() => session.destroy());
  const headers = { 'content-type': 'application/grpc', te: 'trailers', authorization: 'Bearer token' };
  const stream = session.request({ ':method': 'POST', ':path': METHODS.subscribe.path, ...headers });
  stream.on('error', () => undefined);
  const body = METHODS.subscribe.requestSerialize({ channel: 4, symbol: '', depth: 0, account: '', fromSequence: 0 });
  const head = Buffer.alloc(5);
  head.writeUInt32BE(body.length, 1);
  stream.end(Buffer.concat([head, body]));
  return { session, stream };
}

const TRADE: FrameOf<'trade'> = {
  frame: 'trade',
  number: 1,
  sequence: 1,
  instrument: 0,
  priceTicks: 100,
  quantityLots: 1,
  takerSide: 'buy',
  index: 0,
  timeMicros: 0,
  makerOrderId: 1,
  takerOrderId: 2,
};

/** Far more than the window of a stream takes. */
function fill(subscriber: Subscriber, trades = 20_000): void {
  for (let index = 0; index < trades; index += 100)
    subscriber.send(updateOf(encodeMessage(Array.from({ length: 100 }, (_, at) => ({ ...TRADE, index: index + at })))));
  subscriber.flush();
}

it('who reads nothing is out of the hub when its stream is refused, and cut a second later', { timeout: 10_000 }, async () => {
  const { port, subscribed, left } = await gateway();
  const { session } = unread(port);
  await expect.poll(() => subscribed.length).toBe(1);
  const [subscriber] = subscribed as [Subscriber];
  fill(subscriber);
  await delay(50);
  expect(subscriber.bufferedBytes).toBeGreaterThan(256 * 1024);
  const closed = once(session, 'close');
  subscriber.close(CLOSE.slow, 'the client does not read what it is sent');
  await expect.poll(() => left.has(subscriber), { timeout: 500 }).toBe(true);
  expect(await Promise.race([closed.then(() => 'cut'), delay(3000, 'open')])).toBe('cut');
});

it('who reads hears why its stream ended, and keeps its connection', { timeout: 10_000 }, async () => {
  const { port, subscribed, left } = await gateway();
  const { session, stream } = unread(port);
  await expect.poll(() => subscribed.length).toBe(1);
  const [subscriber] = subscribed as [Subscriber];
  fill(subscriber);
  stream.resume();
  subscriber.close(CLOSE.slow, 'the client does not read what it is sent');
  const [trailers] = (await once(stream, 'trailers')) as [Record<string, string>];
  expect(trailers['hft-code']).toBe('HFT_USER_RATE_LIMIT');
  await delay(1300);
  expect({ left: left.has(subscriber), closed: session.closed || session.destroyed }).toEqual({ left: true, closed: false });
});

it('what waits for all of them is bounded: the slowest is cut', { timeout: 10_000 }, async () => {
  const { port, subscribed, left } = await gateway({ mostBacklogBytes: 1024 * 1024 });
  const clients = [unread(port), unread(port)];
  await expect.poll(() => subscribed.length).toBe(2);
  const [slow, slower] = subscribed as [Subscriber, Subscriber];
  fill(slow, 10_000);
  fill(slower, 40_000);
  await expect.poll(() => left.has(slower)).toBe(true);
  expect(left.has(slow)).toBe(false);
  await expect.poll(() => clients.filter(({ session }) => session.destroyed).length).toBe(1);
});

it('a client goes on from what it has heard, and reads snapshots of any size', { timeout: 20_000 }, async () => {
  const { port, subscribed, asked } = await gateway();
  const next = async (count: number, sequence: number): Promise<Subscriber> => {
    await expect.poll(() => subscribed.length, { timeout: 5000 }).toBe(count);
    const subscriber = subscribed[count - 1] as Subscriber;
    const begun = { frame: 'subscribed', number: 1, sequence, instrument: 0, depth: 0, account: 0, channel: 'trades' } as const;
    tell(subscriber, [begun]);
    return subscriber;
  };
  const units = [new Units({ symbol: 'BTC-USD', tickSize: '0.01', lotSize: '0.0001' })];
  const options = { address: `127.0.0.1:${port}`, token: 'token', timeoutMs: 5000 };
  const opening = subscribeGrpc(options, units, { channel: 'trades' });
  const first = await next(1, 10);
  const subscription = await opening;
  ends.push(() => subscription.close());
  tell(first, [{ ...TRADE, sequence: 12 }]);
  expect(await subscription.next()).toMatchObject({ value: { type: 'trade', sequence: 12 } });
  first.close(CLOSE.restart, 'market data is interrupted');
  // It is cut before it has heard what it missed.
  (await next(2, 20)).close(CLOSE.restart, 'market data is interrupted');
  const third = await next(3, 30);
  expect(asked).toEqual([0, 12, 12]);
  const large = 2 ** 52;
  const trade = { ...TRADE, sequence: 31, timeMicros: large, makerOrderId: large, takerOrderId: large, quantityLots: large };
  tell(third, [{ ...TRADE, sequence: 12 }, ...Array.from({ length: 90_000 }, (_, index) => ({ ...trade, index }))]);
  expect(await subscription.next()).toMatchObject({ value: { type: 'trade', sequence: 31 } });
});

function tell(subscriber: Subscriber, frames: readonly AnyFrame[]): void {
  subscriber.send(updateOf(encodeMessage(frames)));
}
