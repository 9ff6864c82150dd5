/** Every unary method against a running engine: what it answers, whom it refuses, and what nonsense does to it. */
import { connect } from 'node:net';
import { once } from 'node:events';
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { METHODS, type ReplaceOrderRequest } from '../../client/grpc-contract.ts';
import { answerOf, bearer, call, order, place, startGrpcEngine, type GrpcEngine } from './grpc.test-support.ts';

let engine: GrpcEngine;
beforeAll(async () => {
  engine = await startGrpcEngine();
});
afterAll(async () => await engine[Symbol.asyncDispose]());

const replacement = (change: Partial<ReplaceOrderRequest>): ReplaceOrderRequest => ({
  orderId: 0,
  priceTicks: 0,
  quantityLots: 0,
  stopPriceTicks: 0,
  ...change,
});

async function refusal(change: Parameters<typeof order>[0], token = 'all') {
  const { status: ended, answer } = await call(engine.client, METHODS.placeOrder, order(change), { metadata: bearer(token) });
  expect(answer).toBeUndefined();
  return { status: ended.code, code: ended.metadata.get('hft-code')[0], field: ended.metadata.get('hft-field')[0] };
}

it('tells the instruments and their steps', async () => {
  const { instruments } = await answerOf(engine.client, METHODS.instruments, {});
  expect(instruments.map(({ symbol, tickSize, lotSize, state }) => [symbol, tickSize, lotSize, state])).toEqual([
    ['BTC-USD', '0.01', '0.0001', 1],
    ['ETH-USD', '0.01', '0.001', 1],
  ]);
});

it('places, trades, replaces, cancels, reads', async () => {
  const { client } = engine;
  const maker = await place(client, { side: 2, priceTicks: 200, quantityLots: 7, account: 'maker' });
  const taken = await answerOf(client, METHODS.placeOrder, order({ priceTicks: 200, quantityLots: 5, timeInForce: 2 }));
  expect(taken).toMatchObject({ fillCount: 1, repeated: false, order: { status: 2, filledLots: 5, remainingLots: 0, timeInForce: 2 } });
  expect(taken.fills).toMatchObject([
    { makerOrderId: maker, takerOrderId: taken.order.id, priceTicks: 200, quantityLots: 5, takerSide: 1 },
  ]);
  const changed = await answerOf(client, METHODS.replaceOrder, replacement({ orderId: maker, priceTicks: 201 }));
  expect(changed.order).toMatchObject({ id: maker, priceTicks: 201, remainingLots: 2, filledLots: 5, quantityLots: 7 });
  const book = await answerOf(client, METHODS.getBook, { symbol: 'BTC-USD', depth: 0 });
  expect(book.asks).toEqual([{ priceTicks: 201, quantityLots: 2, orders: 1 }]);
  expect(book).toMatchObject({ symbol: 'BTC-USD', state: 1, bids: [] });
  const { order: cancelled } = await answerOf(client, METHODS.cancelOrder, { orderId: maker });
  expect(cancelled).toMatchObject({ id: maker, status: 3, reason: 1, remainingLots: 2 });
  expect(await answerOf(client, METHODS.getOrder, { orderId: maker })).toEqual({ order: cancelled });
  const again = await call(client, METHODS.cancelOrder, { orderId: maker });
  expect([again.status.code, again.status.metadata.get('hft-code'), again.status.metadata.get('hft-number')]).toEqual([
    status.FAILED_PRECONDITION,
    ['HFT_ORDER_NOT_OPEN'],
    ['9'],
  ]);
});

it('keeps every term of an order', async () => {
  const expiresAtMicros = Math.ceil(Date.now() / 1000 + 3600) * 1e6;
  const sent = order({
    type: 4,
    timeInForce: 4,
    stopPriceTicks: 900,
    priceTicks: 901,
    displayLots: 2,
    expiresAtMicros,
    selfTradePrevention: 3,
    clientOrderId: 'terms-1',
  });
  const { order: got } = await answerOf(engine.client, METHODS.placeOrder, sent);
  const { cancelOnDisconnect: _none, ...terms } = sent;
  expect(got).toMatchObject({ ...terms, status: 4, filledLots: 0, remainingLots: 10 });
  const read = await answerOf(engine.client, METHODS.getOrder, { orderId: got.id });
  expect(read.order).toEqual(got);
  const { order: stop } = await answerOf(engine.client, METHODS.replaceOrder, replacement({ orderId: got.id, stopPriceTicks: 950 }));
  expect(stop.stopPriceTicks).toBe(950);
  expect(await answerOf(engine.client, METHODS.massCancel, { account: 'alice', symbol: '' })).toEqual({ count: 1, orderIds: [got.id] });
});

it('places once what is sent twice, and refuses another order under the same id', async () => {
  const sent = order({ clientOrderId: 'once' });
  const first = await answerOf(engine.client, METHODS.placeOrder, sent);
  expect(await answerOf(engine.client, METHODS.placeOrder, sent)).toEqual({ ...first, repeated: true });
  expect(await refusal({ clientOrderId: 'once', priceTicks: 99 })).toEqual({
    status: status.ALREADY_EXISTS,
    code: 'HFT_CLIENT_ORDER_ID_REUSED',
    field: 'client_order_id',
  });
});

it('refuses what is missing, wrong or too large, by code and field', async () => {
  const wrong = status.INVALID_ARGUMENT;
  expect(await refusal({ account: '' })).toEqual({ status: wrong, code: 'HFT_MISSING_FIELD', field: 'account' });
  expect(await refusal({ account: 'a b' })).toEqual({ status: wrong, code: 'HFT_INVALID_FIELD', field: 'account' });
  expect(await refusal({ side: 0 })).toEqual({ status: wrong, code: 'HFT_MISSING_FIELD', field: 'side' });
  expect(await refusal({ side: 3 })).toEqual({ status: wrong, code: 'HFT_INVALID_FIELD', field: 'side' });
  expect(await refusal({ type: -1 })).toEqual({ status: wrong, code: 'HFT_INVALID_FIELD', field: 'type' });
  expect(await refusal({ type: 2, priceTicks: 0, timeInForce: 1 })).toMatchObject({ status: wrong, code: 'HFT_BAD_TERMS' });
  expect(await refusal({ quantityLots: 0 })).toEqual({ status: wrong, code: 'HFT_NOT_POSITIVE', field: 'quantity_lots' });
  expect(await refusal({ quantityLots: 2 ** 60 })).toMatchObject({ status: wrong, code: 'HFT_QUANTITY_TOO_LARGE' });
  expect(await refusal({ priceTicks: 2 ** 53 })).toMatchObject({ status: wrong, code: 'HFT_PRICE_TOO_LARGE' });
  expect(await refusal({ expiresAtMicros: -5, timeInForce: 4 })).toMatchObject({ status: wrong, code: 'HFT_BAD_TERMS' });
  expect(await refusal({ symbol: 'NONE' })).toEqual({ status: wrong, code: 'HFT_UNKNOWN_SYMBOL', field: 'symbol' });
  expect(await refusal({ clientOrderId: 'ä' })).toEqual({ status: wrong, code: 'HFT_INVALID_FIELD', field: 'client_order_id' });
  expect(await refusal({ cancelOnDisconnect: true })).toMatchObject({ status: wrong, field: 'cancel_on_disconnect' });
  expect((await call(engine.client, METHODS.getOrder, { orderId: 10 ** 9 })).status.code).toBe(status.NOT_FOUND);
  expect((await call(engine.client, METHODS.cancelOrder, { orderId: 2 ** 60 })).status.code).toBe(status.NOT_FOUND);
  expect((await call(engine.client, METHODS.getBook, { symbol: 'BTC-USD', depth: 1001 })).status.code).toBe(wrong);
  expect((await call(engine.client, METHODS.getBook, { symbol: 'NONE', depth: 1 })).status.code).toBe(status.NOT_FOUND);
});

it('lets nobody in without a good token', async () => {
  for (const value of [undefined, 'Bearer ', 'Bearer  ', 'Basic YWxs', 'Bearer nobody', 'all', 'Bearer a b', 'Bearer \u00e4'.slice(0, 7)]) {
    const metadata = bearer(undefined);
    if (value !== undefined) metadata.set('authorization', value);
    const { status: ended } = await call(engine.client, METHODS.placeOrder, order(), { metadata });
    expect([value, ended.code, ended.metadata.get('hft-code')]).toEqual([value, status.UNAUTHENTICATED, ['HFT_UNAUTHORIZED']]);
  }
});

it('does for each role what the table says, and nothing for other accounts', async () => {
  const bobs = await place(engine.client, { account: 'bob', priceTicks: 50 });
  const denied = { status: status.PERMISSION_DENIED, code: 'HFT_FORBIDDEN', field: undefined };
  expect(await refusal({}, 'viewer')).toEqual(denied);
  expect(await refusal({}, 'risk')).toEqual(denied);
  expect(await refusal({ account: 'bob' }, 'alice')).toEqual(denied);
  const statusOf = async <Q, A>(method: Parameters<typeof call<Q, A>>[1], request: Q, token: string): Promise<number> =>
    (await call(engine.client, method, request, { metadata: bearer(token) })).status.code;
  const { PERMISSION_DENIED, OK } = status;
  expect(await statusOf(METHODS.getOrder, { orderId: bobs }, 'alice')).toBe(PERMISSION_DENIED);
  expect(await statusOf(METHODS.getOrder, { orderId: bobs }, 'viewer')).toBe(OK);
  expect(await statusOf(METHODS.cancelOrder, { orderId: bobs }, 'alice')).toBe(PERMISSION_DENIED);
  expect(await statusOf(METHODS.cancelOrder, { orderId: bobs }, 'viewer')).toBe(PERMISSION_DENIED);
  expect(await statusOf(METHODS.replaceOrder, replacement({ orderId: bobs, priceTicks: 51 }), 'risk')).toBe(PERMISSION_DENIED);
  expect(await statusOf(METHODS.replaceOrder, replacement({ orderId: bobs, priceTicks: 51 }), 'alice')).toBe(PERMISSION_DENIED);
  expect(await statusOf(METHODS.massCancel, { account: 'bob', symbol: '' }, 'alice')).toBe(PERMISSION_DENIED);
  expect(await statusOf(METHODS.getBook, { symbol: 'BTC-USD', depth: 1 }, 'alice')).toBe(OK);
  expect(await statusOf(METHODS.cancelOrder, { orderId: bobs }, 'risk')).toBe(OK);
});

it('does not begin a call whose deadline has passed', async () => {
  const before = engine.local.running.engine.sequence;
  const late = await Promise.all(
    Array.from({ length: 20 }, async () => await call(engine.client, METHODS.placeOrder, order(), { deadline: Date.now() - 1 })),
  );
  expect(late.map(({ status: { code } }) => code)).toEqual(late.map(() => status.DEADLINE_EXCEEDED));
  expect(engine.local.running.engine.sequence).toBe(before);
});

it('survives bytes that are no message', async () => {
  let seed = 7;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
    return seed % below;
  };
  const good = METHODS.placeOrder.requestSerialize(order({ clientOrderId: 'x' }));
  const bytes = (): Buffer => {
    if (random(2) === 0) return Buffer.from(Array.from({ length: random(60) }, () => random(256)));
    const mutated = Buffer.from(good);
    for (let times = random(4); times >= 0; times -= 1) mutated[random(mutated.length)] = random(256);
    return mutated.subarray(0, random(mutated.length + 1));
  };
  const methods = Object.values(METHODS).map(({ path }) => path);
  for (let round = 0; round < 40; round += 1) {
    const ended = await Promise.all(
      Array.from({ length: 50 }, async () => {
        const raw = { path: methods[random(methods.length)] ?? '', requestStream: false, responseStream: false } as const;
        const method = {
          ...raw,
          requestSerialize: (value: Buffer) => value,
          requestDeserialize: (value: Buffer) => value,
          responseSerialize: (value: Buffer) => value,
          responseDeserialize: (value: Buffer) => value,
        };
        return (await call(engine.client, method, bytes())).status;
      }),
    );
    // INTERNAL without that code is grpc-js, which could not decode it.
    expect(ended.filter(({ metadata }) => metadata.get('hft-code')[0] === 'HFT_INTERNAL')).toEqual([]);
  }
  expect((await answerOf(engine.client, METHODS.instruments, {})).instruments).toHaveLength(2);
});

it('survives a connection that speaks no HTTP/2', async () => {
  const socket = connect(engine.local.running.grpcPort, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write('GET / HTTP/1.1\r\n\r\n');
  socket.resume();
  await once(socket, 'close');
  expect((await answerOf(engine.client, METHODS.instruments, {})).instruments).toHaveLength(2);
});
