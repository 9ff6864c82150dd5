/** The HTTP order API as zod: one source for validation, serialization and the OpenAPI document. */
import { z } from 'zod';
import { DECIMAL_TEXT } from '../core/decimal.ts';

const MAX_DECIMAL_LENGTH = 25;

/** A positive decimal in text. Zero and negative numbers get a code of their own: they are well formed, and wrong. */
const positiveDecimal = z
  .string({ error: 'must be a decimal in a string, for example "100.25"' })
  .check((context) => {
    const text = context.value;
    const fault = (code: string, message: string): void =>
      void context.issues.push({ code: 'custom', input: text, message, params: { code } });
    const magnitude = text.startsWith('-') ? text.slice(1) : text;
    if (text.length > MAX_DECIMAL_LENGTH || !DECIMAL_TEXT.test(magnitude)) {
      fault(
        'HFT_INVALID_FIELD',
        'must be a decimal such as "100.25": digits, at most 15 before and 9 after the point, no sign, no exponent, no leading zeros',
      );
    } else if (magnitude !== text || !/[1-9]/.test(text)) fault('HFT_NOT_POSITIVE', 'must be greater than zero');
  })
  .meta({ pattern: DECIMAL_TEXT.source, maxLength: MAX_DECIMAL_LENGTH, example: '100.25' });

const decimal = z.string().meta({ example: '100.25' });
const symbol = z.string().min(1).max(16).meta({ example: 'BTC-USD' });
const account = z
  .string()
  .regex(/^[A-Za-z0-9._-]{1,32}$/, 'must be 1 to 32 letters, digits, dots, underscores and dashes')
  .meta({ example: 'alice' });
const clientOrderId = z
  .string()
  .regex(/^[\x21-\x7e]{1,64}$/, 'must be 1 to 64 printable ASCII characters without spaces')
  .describe('Makes the order idempotent: the same account and id again give the first answer, also after a restart.');
const orderId = z
  .string()
  .regex(/^[1-9][0-9]{0,15}$/, 'must be an order id, a decimal number')
  .meta({ example: '42' });

const common = {
  symbol,
  account,
  side: z.enum(['buy', 'sell']),
  quantity: positiveDecimal.describe('A whole number of lots.'),
  clientOrderId: clientOrderId.optional(),
};

export const placeOrderBody = z.discriminatedUnion('type', [
  z.strictObject({
    ...common,
    type: z.literal('limit'),
    timeInForce: z.enum(['GTC', 'IOC', 'FOK']).default('GTC'),
    price: positiveDecimal.describe('A whole number of ticks.'),
  }),
  z.strictObject({
    ...common,
    type: z.literal('market'),
    timeInForce: z.enum(['IOC', 'FOK'], 'must be IOC or FOK: a market order never rests').default('IOC'),
  }),
]);
export type PlaceOrderBody = z.output<typeof placeOrderBody>;

export const orderSchema = z.object({
  id: z.string().meta({ example: '42' }),
  sequence: z.int().describe('Place of the order in the one order of all commands.'),
  symbol: z.string(),
  account: z.string(),
  side: z.enum(['buy', 'sell']),
  type: z.enum(['limit', 'market']),
  timeInForce: z.enum(['GTC', 'IOC', 'FOK']),
  price: decimal.optional(),
  quantity: decimal,
  filledQuantity: decimal,
  remainingQuantity: decimal,
  status: z.enum(['open', 'filled', 'cancelled']),
  clientOrderId: z.string().optional(),
  createdAt: z.string().describe('RFC 3339, UTC.'),
});
export type OrderView = z.output<typeof orderSchema>;

export const fillSchema = z.object({
  sequence: z.int().describe('Sequence of the taker, whose command caused the fill.'),
  index: z.int().describe('Place among the fills of that command, from 0.'),
  symbol: z.string(),
  price: decimal,
  quantity: decimal,
  makerOrderId: z.string(),
  takerOrderId: z.string(),
});
export type FillView = z.output<typeof fillSchema>;

/** Fills in the answer to an order, at most; the others are read at /v1/fills. */
export const MAX_ANSWERED_FILLS = 1000;
export const placedSchema = z.object({
  order: orderSchema,
  fills: z.array(fillSchema).max(MAX_ANSWERED_FILLS).describe('Fills of this order when it arrived, the first 1000 of them.'),
  next: z
    .string()
    .nullable()
    .describe('Value of `after` for GET /v1/fills, where the further fills of this order begin; null when all are here.'),
});
export type Placement = z.output<typeof placedSchema>;
export const orderAnswerSchema = z.object({ order: orderSchema });
export const ordersAnswerSchema = z.object({
  orders: z.array(orderSchema),
  next: z.string().nullable().describe('Value of `after` for the next page; null at the end.'),
});
export const fillsAnswerSchema = z.object({
  fills: z.array(fillSchema),
  next: z.string().nullable().describe('Value of `after` for the next page; null at the end.'),
});

const levelSchema = z.object({ price: decimal, quantity: decimal, orders: z.int() });
export const bookSchema = z.object({ symbol: z.string(), sequence: z.int(), bids: z.array(levelSchema), asks: z.array(levelSchema) });
export type BookView = z.output<typeof bookSchema>;

export const instrumentsSchema = z.object({ instruments: z.array(z.object({ symbol: z.string(), tickSize: decimal, lotSize: decimal })) });

export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string().meta({ example: 'HFT_PRICE_OFF_TICK' }),
    field: z.string().optional().describe('The field of the request that is wrong.'),
  })
  .describe('RFC 9457 problem details. `code` is stable.');

/** Whole numbers in a query string, without the other things that Number() takes. */
const count = (max: number, preset: number): z.ZodType<number, string | undefined> =>
  z
    .string()
    .regex(/^[1-9][0-9]{0,4}$/, `must be a whole number from 1 to ${max}`)
    .transform(Number)
    .refine((value) => value <= max, `must be a whole number from 1 to ${max}`)
    .prefault(String(preset));

export const MAX_PAGE = 1000;
export const MAX_DEPTH = 1000;

export const orderParams = z.strictObject({ id: orderId });
export const symbolParams = z.strictObject({ symbol });
export const ordersQuery = z.strictObject({
  account: account.optional(),
  after: orderId.optional().describe('Orders with greater ids only.'),
  limit: count(MAX_PAGE, 100),
});
export const fillsQuery = z.strictObject({
  after: z
    .string()
    .regex(/^[0-9]{1,16}\.[0-9]{1,9}$/, 'must be SEQUENCE.INDEX of a fill')
    .optional()
    .describe('Fills after this one only, as SEQUENCE.INDEX.'),
  limit: count(MAX_PAGE, 100),
});
export const bookQuery = z.strictObject({ depth: count(MAX_DEPTH, 10) });
