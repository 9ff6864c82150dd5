import { afterEach, expect, it } from 'vitest';
import { REJECT } from '../core/types.ts';
import { EngineError } from './engine-error.ts';
import type { IdentifiedOrder } from './order-way.ts';
import type { OrderClient } from './orders.ts';
import type { OrderView } from './schemas.ts';
import { placed, scripted } from './scripted.test-support.ts';
import { encodeMessage, type AnyFrame } from './websocket-codec.ts';
import { WebSocketWay } from './websocket-way.ts';

const order: IdentifiedOrder = {
  symbol: 'BTC-USD',
  account: 'alice',
  side: 'buy',
  type: 'limit',
  price: '1',
  quantity: '5',
  clientOrderId: '00000000000000a1',
};
const held = {
  id: '7',
  sequence: 7,
  symbol: 'BTC-USD',
  account: 'alice',
  side: 'buy',
  type: 'limit',
  timeInForce: 'GTC',
  price: '1',
  quantity: '5',
  filledQuantity: '0',
  remainingQuantity: '5',
  status: 'open',
  createdAt: '',
  updatedAt: '',
} as OrderView;

const over: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of over.splice(0)) await end();
});

/** A way to an engine that answers a request with `answer`, or whose order 7 has `remainingLots` left; over HTTP it is asked for `http`. */
async function wayTo(
  engine: { remainingLots?: number; take?: Parameters<typeof scripted>[0]['take'] },
  http: Partial<OrderClient>,
): Promise<{ way: WebSocketWay; sent: AnyFrame[] }> {
  const sent: AnyFrame[] = [];
  const { remainingLots = 5 } = engine;
  const server = await scripted({
    take: (frame, ws, connection) => {
      sent.push(frame);
      engine.take?.(frame, ws, connection);
      if (frame.frame !== 'replace') return;
      const { number, expectedLots, quantityLots } = frame;
      if (remainingLots === 0) ws.send(encodeMessage([{ frame: 'rejected', number, reject: REJECT.unknownOrder, retryAfterMs: 0 }]));
      else if (expectedLots > 0 && expectedLots !== remainingLots)
        ws.send(encodeMessage([{ frame: 'rejected', number, reject: REJECT.stale, retryAfterMs: 0 }]));
      else {
        const after = { filledLots: 0, remainingLots: quantityLots === 0 ? remainingLots : quantityLots, fills: 0 };
        ws.send(
          encodeMessage([{ frame: 'replaced', number, orderId: 7, sequence: 9, timeMicros: 0, status: 'open', reason: 'none', ...after }]),
        );
      }
    },
  });
  const way = await WebSocketWay.connect({ url: server.url, token: 't', timeoutMs: 1000, mostInFlight: 10 }, http as OrderClient);
  over.push(async () => {
    await way.close();
    server.close();
  });
  return { way, sent };
}

it.each([
  { code: 'HFT_USER_RATE_LIMIT', inDoubt: true },
  { code: 'HFT_CLIENT_UNREACHABLE', inDoubt: true },
  { code: 'HFT_CLIENT_ORDER_ID_REUSED', inDoubt: false },
])('of an order that is there a refusal over HTTP is no refusal: $code', async ({ code, inDoubt }) => {
  const place = (): Promise<never> => Promise.reject(new EngineError({ code, status: 0, message: 'no', inDoubt: false }));
  const take = ({ frame, number }: AnyFrame, ws: Parameters<typeof placed>[0]): unknown =>
    frame === 'newOrderFull' && placed(ws, number, { duplicate: true });
  const { way } = await wayTo({ take }, { place });
  await expect(way.place(order, undefined)).rejects.toMatchObject({ code, inDoubt, retryable: false });
});

const overHttp = { replace: () => Promise.resolve({ order: { ...held, price: 'HTTP' }, fills: [], next: null }) };

it.each([
  ['as it is held', { price: '2' }, { remainingLots: 5 }, { price: '2', quantity: '5', remainingQuantity: '5' }],
  ['filled in part meanwhile', { price: '2' }, { remainingLots: 3 }, { price: 'HTTP' }],
  ['filled in part meanwhile', { quantity: '4' }, { remainingLots: 3 }, { price: 'HTTP' }],
  ['changed meanwhile', { stopPrice: '2' }, { remainingLots: 9 }, { price: 'HTTP' }],
])('an order %s: %o', async (_what, change, engine, expected) => {
  const { way } = await wayTo(engine, overHttp);
  expect((await way.replace(held, change, undefined)).order).toMatchObject(expected);
});

it.each([{ price: '2' }, { quantity: '4' }])(
  'of an order that is held as ended the engine says over HTTP what is wrong: %o',
  async (change) => {
    const replace = (): Promise<never> => Promise.reject(new EngineError({ code: 'HFT_ORDER_NOT_OPEN', status: 409, message: 'ended' }));
    const { way, sent } = await wayTo({ remainingLots: 0 }, { replace });
    const filled: OrderView = { ...held, filledQuantity: '5', remainingQuantity: '0', status: 'filled' };
    await expect(way.replace(filled, change, undefined)).rejects.toMatchObject({ code: 'HFT_ORDER_NOT_OPEN', inDoubt: false });
    expect(sent.map(({ frame }) => frame)).not.toContain('replace');
  },
);
