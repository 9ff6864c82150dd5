import { expect, it } from 'vitest';
import { z } from 'zod';
import { orderAnswerSchema, placedSchema } from '../../client/schemas.ts';
import { zodSerializer } from './serialization.ts';

const order = {
  id: '7',
  sequence: 7,
  symbol: 'BTC-USD',
  account: 'a"b\u2028',
  side: 'buy',
  type: 'limit',
  timeInForce: 'GTC',
  price: undefined,
  quantity: '1',
  filledQuantity: '0',
  remainingQuantity: '1',
  status: 'open',
  createdAt: '2026-11-25T12:00:00.000Z',
  updatedAt: '2026-11-25T12:00:00.000Z',
};

it('writes what the schema names, and no field that is undefined', () => {
  const text = zodSerializer({ schema: placedSchema })({ order, fills: [], next: null });
  expect(JSON.parse(text)).toStrictEqual({ order: JSON.parse(JSON.stringify(order)), fills: [], next: null });
});

it('leaves out what the schema does not name', () => {
  const text = zodSerializer({ schema: orderAnswerSchema })({ order: { ...order, secret: 'x' }, more: 1 });
  expect(JSON.parse(text)).toStrictEqual({ order: JSON.parse(JSON.stringify(order)) });
});

it('refuses an answer that lacks a field', () => {
  expect(() => zodSerializer({ schema: z.object({ count: z.int() }) })({})).toThrow('"count" is required');
});
