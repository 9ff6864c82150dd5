/** Many commands in one request, as zod. */
import { z } from 'zod';
import { fillSchema, orderId, orderSchema, placeOrderBody, problemSchema, replaceOrderBody } from './schemas.ts';

/** Operations in one batch, at most. */
export const MAX_OPERATIONS = 1000;

export const batchHeaders = z.looseObject({
  'idempotency-key': z
    .string()
    .regex(
      /^([\x21\x23-\x7e]{1,60}|"[\x21\x23-\x7e]{1,60}")$/,
      'must be 1 to 60 printable ASCII characters without spaces, in quotes or not',
    )
    .optional()
    .describe('KEY makes every order that has no clientOrderId idempotent: operation N gets KEY-N, from 0.'),
});

export const batchBody = z.strictObject({
  operations: z
    .array(
      z.discriminatedUnion('op', [
        z.strictObject({ op: z.literal('place'), order: placeOrderBody }),
        z.strictObject({ op: z.literal('replace'), id: orderId, change: replaceOrderBody }),
        z.strictObject({ op: z.literal('cancel'), id: orderId }),
      ]),
    )
    .min(1)
    .max(MAX_OPERATIONS)
    .describe('Done in this order, with nothing of others in between.'),
});
export type BatchOperation = z.output<typeof batchBody>['operations'][number];

const resultSchema = z.object({
  status: z.int().describe('What the operation by itself would have been answered with.'),
  order: orderSchema.optional(),
  fills: z.array(fillSchema).optional().describe('Of a placed or replaced order, the first 1000.'),
  next: z.string().nullable().optional().describe('As in the answer to one order.'),
  problem: problemSchema.optional().describe('Why it was refused.'),
});
export type BatchResult = z.output<typeof resultSchema>;

export const batchAnswerSchema = z.object({
  results: z.array(resultSchema).describe('One for each operation, in their order.'),
  refused: z.int().describe('How many of them are problems.'),
});
export type BatchAnswer = z.output<typeof batchAnswerSchema>;
