/**
 * A Fastify server with one route and nothing of the engine: the order's schema and that of its answer, by Fastify's own validator (Ajv) and serializer
 * (fast-json-stringify), over the JSON schemas that the engine's zod schemas stand for.
 */
import Fastify from 'fastify';
import { z } from 'zod';
import { placedSchema, placeOrderBody, type PlaceOrderBody, type Placement } from '../client/schemas.ts';

const app = Fastify({ ajv: { customOptions: { strict: false } } });
const time = new Date().toISOString();
let last = 0;
app.route<{ Body: PlaceOrderBody }>({
  method: 'POST',
  url: '/v1/orders',
  schema: {
    body: jsonSchema(placeOrderBody, 'input'),
    response: { 201: jsonSchema(placedSchema, 'output') },
  },
  handler: async (request, reply) => {
    const { symbol, account, side, type, timeInForce, quantity } = request.body;
    last += 1;
    const order = {
      id: String(last),
      sequence: last,
      symbol,
      account,
      side,
      type,
      timeInForce,
      quantity,
      createdAt: time,
      updatedAt: time,
    };
    const answer: Placement = {
      order: { ...order, price: '100', filledQuantity: '0', remainingQuantity: quantity, status: 'cancelled', reason: 'immediate' },
      fills: [],
      next: null,
    };
    return await reply.code(201).send(answer);
  },
});
const address = await app.listen({ host: '127.0.0.1', port: 0 });
process.stdout.write(`${new URL(address).port}\n`);

function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): object {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { target: 'draft-7', io, unrepresentable: 'any' });
  return withoutExamples(rest) as object;
}

/** Ajv's strict mode knows no `example`. */
function withoutExamples(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutExamples);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== 'example')
      .map(([key, child]) => [key, withoutExamples(child)]),
  );
}
