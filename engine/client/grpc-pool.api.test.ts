import { Metadata, Server, ServerCredentials, status, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js';
import { expect, it } from 'vitest';
import { HEALTH_CHECK, METHODS, type PlaceOrderRequest, type PlaceOrderResponse } from './grpc-contract.ts';
import { GrpcOrderClient, WIRE } from './grpc.ts';

interface Refusal {
  readonly code: status;
  /** Absent where the connection failed. */
  readonly hftCode?: string;
}

/** A client of an engine that refuses the tries of an order with these, one after the other. */
async function refusing(
  refusals: readonly Refusal[],
  token: string | (() => string) = 't',
): Promise<{ client: GrpcOrderClient; tries(): number } & Disposable> {
  const server = new Server();
  let tries = 0;
  server.addService(
    { check: HEALTH_CHECK, place: METHODS.placeOrder },
    {
      check: (_call: unknown, answer: sendUnaryData<{ status: string }>) => answer(null, { status: 'SERVING' }),
      place: (_call: ServerUnaryCall<PlaceOrderRequest, PlaceOrderResponse>, answer: sendUnaryData<PlaceOrderResponse>) => {
        const { code, hftCode } = refusals[tries] as Refusal;
        tries += 1;
        const metadata = new Metadata();
        if (hftCode !== undefined) metadata.set('hft-code', hftCode);
        answer({ code, details: `try ${tries}`, metadata });
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (cause, bound) =>
      cause === null ? resolve(bound) : reject(cause),
    );
  });
  const client = new GrpcOrderClient({ address: `127.0.0.1:${port}`, token, tries: refusals.length, backoffMs: 1 });
  return {
    client,
    tries: () => tries,
    [Symbol.dispose]: () => {
      client.close();
      server.forceShutdown();
    },
  };
}

const order = { symbol: 'BTC-USD', account: 'alice', side: WIRE.buy, type: WIRE.limit, priceTicks: 1, quantityLots: 1, clientOrderId: 'a' };
const LOST = { code: status.UNAVAILABLE };

it.each([
  { code: status.UNAVAILABLE, hftCode: 'HFT_JOURNAL_BUSY' },
  { code: status.RESOURCE_EXHAUSTED, hftCode: 'HFT_USER_RATE_LIMIT' },
  { code: status.UNAUTHENTICATED, hftCode: 'HFT_UNAUTHORIZED' },
  { code: status.PERMISSION_DENIED, hftCode: 'HFT_FORBIDDEN' },
  { code: status.DEADLINE_EXCEEDED, hftCode: 'HFT_REQUEST_TIMEOUT' },
])('does not say that nothing was done when a try before was lost: $hftCode', async (last) => {
  using engine = await refusing([LOST, last]);
  await expect(engine.client.place(order)).rejects.toMatchObject({ code: 'HFT_CLIENT_UNREACHABLE', message: 'try 1' });
  expect(engine.tries()).toBe(2);
});

it('says what the engine says that knows the order', async () => {
  using engine = await refusing([LOST, { code: status.ALREADY_EXISTS, hftCode: 'HFT_CLIENT_ORDER_ID_REUSED' }]);
  await expect(engine.client.place(order)).rejects.toMatchObject({ code: 'HFT_CLIENT_ORDER_ID_REUSED' });
});

it('says that nothing was done where every try was refused', async () => {
  const busy = { code: status.UNAVAILABLE, hftCode: 'HFT_JOURNAL_BUSY' };
  using engine = await refusing([busy, busy]);
  await expect(engine.client.place(order)).rejects.toMatchObject({ code: 'HFT_JOURNAL_BUSY', message: 'try 2' });
});

it('neither keeps a call nor doubts what was done when the caller gives no token', async () => {
  const token = (): string => {
    throw new Error('the vault is shut');
  };
  using engine = await refusing([LOST], token);
  const refused = { code: 'HFT_UNAUTHORIZED', message: 'there is no token: the vault is shut', inDoubt: false };
  await expect(engine.client.place(order)).rejects.toMatchObject(refused);
  await expect(engine.client.orderEntry({ answers: () => undefined, ended: () => undefined })).rejects.toMatchObject(refused);
  expect(engine.client.stats).toMatchObject({ inFlight: 0 });
  expect(engine.tries()).toBe(0);
});
