/** The hand-written codec against the general one. */
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { METHODS, PACKAGE, type OrderAnswer, type OrderCommand } from '../../client/grpc-contract.ts';
import { ANSWER, AnswerRing, type AnswerKind } from '../../service/order-answers.ts';
import { EntryOrder, EntryReplacement } from '../../service/entry-terms.ts';
import { CommandReader, writeAnswer, writeReject } from './entry-codec.ts';
import { WireFault, WireWriter } from './wire.ts';

const count = fc.oneof(fc.nat(300), fc.maxSafeNat());
const name = fc.stringMatching(/^[A-Za-z0-9._-]{0,32}$/);
const command: fc.Arbitrary<OrderCommand> = fc.oneof(
  fc.record({
    request: count,
    place: fc.record({
      symbol: name,
      account: name,
      side: fc.integer({ min: 1, max: 2 }),
      type: fc.integer({ min: 1, max: 4 }),
      timeInForce: fc.integer({ min: 1, max: 5 }),
      priceTicks: count,
      quantityLots: count,
      stopPriceTicks: count,
      displayLots: count,
      expiresAtMicros: count,
      postOnly: fc.boolean(),
      selfTradePrevention: fc.nat(4),
      clientOrderId: name,
      cancelOnDisconnect: fc.boolean(),
    }),
  }),
  fc.record({
    request: count,
    replace: fc.record({
      account: name,
      orderId: count,
      priceTicks: count,
      remainingLots: count,
      stopPriceTicks: count,
      expectedLots: count,
    }),
  }),
  fc.record({ request: count, cancel: fc.record({ account: name, orderId: count }) }),
  fc.record({ request: count, massCancel: fc.record({ account: name, symbol: name }) }),
);

function readAll(bytes: Buffer): OrderCommand[] {
  const order = new EntryOrder();
  const change = new EntryReplacement();
  const reader = new CommandReader(order, change);
  const found: OrderCommand[] = [];
  reader.read(bytes, () => {
    const { request, kind, account, symbol, orderId, clientOrderId, cancelOnDisconnect } = reader;
    if (kind === 2) {
      const place = {
        symbol,
        account,
        side: order.side + 1,
        type: order.type + 1,
        timeInForce: order.timeInForce + 1,
        priceTicks: order.priceTicks,
        quantityLots: order.quantityLots,
        stopPriceTicks: order.stopTicks,
        displayLots: order.displayLots,
        expiresAtMicros: order.expiryMicros,
        postOnly: order.postOnly,
        selfTradePrevention: order.selfTrade,
        clientOrderId,
        cancelOnDisconnect,
      };
      found.push({ request, place });
    } else if (kind === 3) {
      const { priceTicks, quantityLots: remainingLots, stopTicks: stopPriceTicks, expectedLots } = change;
      found.push({ request, replace: { account, orderId, priceTicks, remainingLots, stopPriceTicks, expectedLots } });
    } else if (kind === 4) found.push({ request, cancel: { account, orderId } });
    else found.push({ request, massCancel: { account, symbol } });
  });
  return found;
}

it('reads commands as the general codec writes them', () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 5 }), (commands) => {
      expect(readAll(METHODS.orderEntry.requestSerialize({ commands }))).toEqual(commands);
    }),
  );
});

it('takes bytes that are no message for what they are', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      try {
        readAll(Buffer.from(bytes));
      } catch (cause) {
        expect(cause).toBeInstanceOf(WireFault);
      }
    }),
    { numRuns: 2000 },
  );
});

it('never takes a number that a double cannot hold for another', () => {
  const bytes = METHODS.orderEntry.requestSerialize({ commands: [{ request: 1, cancel: { account: 'a', orderId: 2 ** 60 } }] });
  expect(Number.isSafeInteger(readAll(bytes)[0]?.cancel?.orderId)).toBe(false);
});

it('writes answers as the general codec reads them', () => {
  const kinds = Object.values(ANSWER);
  const answer = fc.tuple(fc.constantFrom(...kinds), count, count, count, count, count, fc.nat(3), fc.nat(10), fc.nat(), fc.nat(1), count);
  fc.assert(
    fc.property(fc.array(answer, { minLength: 1, maxLength: 5 }), count, (answers, refused) => {
      const ring = new AnswerRing(8);
      const writer = new WireWriter();
      const expected: OrderAnswer[] = [];
      for (const [kind, request, order, sequence, filled, remaining, status, reason, detail, extra, time] of answers) {
        const place = ring.size * 13;
        ring.push(0, request, 0, kind, sequence, time, order, filled, remaining, status, reason, detail, extra);
        writeAnswer(writer, ring.values, place);
        expected.push(expectedOf(kind, { request, order, sequence, filled, remaining, status, reason, detail, extra, time }));
      }
      writeReject(writer, refused, 26);
      const { answers: read } = METHODS.orderEntry.responseDeserialize(writer.take());
      expect(read.slice(0, -1)).toEqual(expected);
      expect(read.at(-1)).toMatchObject({ request: refused, kind: ANSWER.rejected, reject: 26 });
    }),
  );
});

const NOTHING = {
  orderId: 0,
  sequence: 0,
  filledLots: 0,
  remainingLots: 0,
  status: 0,
  reason: 0,
  fillCount: 0,
  repeated: false,
  atMicros: 0,
  priceTicks: 0,
  fillIndex: 0,
  taker: false,
};

function expectedOf(kind: AnswerKind, from: Readonly<Record<string, number>>): OrderAnswer {
  const { request = 0, order = 0, sequence = 0, filled = 0, remaining = 0, status = 0, reason = 0, detail = 0, extra = 0, time = 0 } = from;
  const isFill = kind === ANSWER.fill;
  const repeated = kind === ANSWER.placed && extra === 1;
  const rest = { request, kind, retryAfterMs: 0, reject: 0 };
  if (kind === ANSWER.rejected) return { ...NOTHING, ...rest, reject: status, retryAfterMs: detail };
  return {
    ...rest,
    orderId: order,
    sequence,
    filledLots: filled,
    remainingLots: remaining,
    status: isFill || repeated || kind === ANSWER.massCancelled ? 0 : status + 1,
    reason: isFill ? 0 : reason,
    fillCount: isFill ? 0 : detail,
    repeated,
    atMicros: time,
    priceTicks: isFill ? detail : 0,
    fillIndex: isFill ? reason : 0,
    taker: isFill && status !== 0,
  };
}

it('engine.proto and the types of messages have the same fields', () => {
  const fieldsOf = (message: string): string[] => {
    const found = PACKAGE[`hftengine.v1.${message}`] as unknown as { type: { field: { jsonName?: string; name: string }[] } };
    return found.type.field.map(({ name: field }) => field.replace(/_([a-z])/g, (_all, letter: string) => letter.toUpperCase())).sort();
  };
  const keys = (of: object): string[] => Object.keys(of).sort();
  const sample = fc.sample(command, { numRuns: 200, seed: 1 });
  const some = (key: 'place' | 'replace' | 'cancel' | 'massCancel'): object => sample.find((one) => key in one)?.[key] ?? {};
  expect(keys(some('place'))).toEqual(fieldsOf('PlaceOrderRequest'));
  expect(keys(some('replace'))).toEqual(fieldsOf('EntryReplace'));
  expect(keys(some('cancel'))).toEqual(fieldsOf('EntryCancel'));
  expect(keys(some('massCancel'))).toEqual(fieldsOf('MassCancelRequest'));
  expect(keys(expectedOf(1, {}))).toEqual(fieldsOf('OrderAnswer'));
});
