/** From a zod schema to a serializer, made once: it writes what the schema names, in its order, and nothing else. */
import fastJson from 'fast-json-stringify';
import { z } from 'zod';

/** Fastify's serializer over zod schemas. An answer that lacks what its schema asks for is a fault of the engine: it throws. */
export function zodSerializer({ schema }: { schema: z.ZodType }): (answer: unknown) => string {
  // Draft 7 is what the package reads.
  const json = z.toJSONSchema(schema, { target: 'draft-7', io: 'output', unrepresentable: 'any' });
  return fastJson(json as fastJson.Schema);
}
