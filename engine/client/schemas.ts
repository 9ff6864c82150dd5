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

/** What names an account, and what a client order id may be: on every way in. */
export const ACCOUNT_TEXT = /^[A-Za-z0-9._-]{1,32}$/;
export const CLIENT_ORDER_ID_TEXT = /^[\x21-\x7e]{1,64}$/;

export const decimal = z.string().meta({ example: '100.25' });
export const symbol = z.string().min(1).max(16).meta({ example: 'BTC-USD' });
export const account = z
  .string()
  .regex(ACCOUNT_TEXT, 'must be 1 to 32 letters, digits, dots, underscores and dashes')
  .meta({ example: 'alice' });
export const clientOrderId = z
  .string()
  .regex(CLIENT_ORDER_ID_TEXT, 'must be 1 to 64 printable ASCII characters without spaces')
  .describe('Makes the order idempotent: the same account and id again give the first answer, also after a restart.');
export const orderId = z
  .string()
  .regex(/^[1-9][0-9]{0,15}$/, 'must be an order id, a decimal number')
  .meta({ example: '42' });

const stopPrice = positiveDecimal.describe(
  'The trade price at which the order begins to act: at or above it for a buy, at or below it for a sell.',
);
const displayQuantity = positiveDecimal.describe('What the book shows of the order at a time; the rest is hidden.');
const expiresAt = z.iso
  .datetime({ offset: true, error: 'must be a time in RFC 3339, for example "2026-12-31T16:00:00Z"' })
  .describe('With GTD: when the order is cancelled, to the millisecond.');
const cancelOnDisconnect = z
  .boolean()
  .describe(
    'Cancels the order when the connection ends by which it was sent: keep that open (keep-alive). At a restart of the engine every connection ends.',
  );

export const SELF_TRADE_MODES = ['none', 'cancel-newest', 'cancel-oldest', 'cancel-both', 'decrement'] as const;
const common = {
  symbol,
  account,
  side: z.enum(['buy', 'sell']),
  quantity: positiveDecimal.describe('A whole number of lots.'),
  clientOrderId: clientOrderId.optional(),
  selfTradePrevention: z
    .enum(SELF_TRADE_MODES)
    .default('none')
    .describe('What happens instead of a trade with an order of the same account. The mode of the arriving order decides.'),
};
const resting = { expiresAt: expiresAt.optional(), cancelOnDisconnect: cancelOnDisconnect.default(false) };
const price = positiveDecimal.describe('A whole number of ticks.');

interface RestingTerms {
  readonly timeInForce: string;
  readonly expiresAt?: string | undefined;
  readonly displayQuantity?: string | undefined;
  readonly postOnly?: boolean;
}

/** Terms that are right by themselves and mean nothing together. */
function refuseContradiction(context: z.core.ParsePayload<RestingTerms>): void {
  const { timeInForce, expiresAt: until, displayQuantity: shown, postOnly = false } = context.value;
  const fault = (field: string, message: string, code = 'HFT_BAD_TERMS'): void =>
    void context.issues.push({ code: 'custom', input: context.value, path: [field], message, params: { code } });
  const atOnce = timeInForce === 'IOC' || timeInForce === 'FOK';
  if (timeInForce === 'GTD' && until === undefined) fault('expiresAt', 'must say until when, with timeInForce GTD');
  if (timeInForce !== 'GTD' && until !== undefined) fault('expiresAt', `is for timeInForce GTD, found ${timeInForce}`);
  if (atOnce && shown !== undefined) fault('displayQuantity', `is for orders that can rest, found timeInForce ${timeInForce}`);
  if (atOnce && postOnly) fault('postOnly', `is for orders that can rest, found timeInForce ${timeInForce}`);
}

export const placeOrderBody = z.discriminatedUnion('type', [
  z
    .strictObject({
      ...common,
      type: z.literal('limit'),
      timeInForce: z.enum(['GTC', 'IOC', 'FOK', 'GTD', 'DAY']).default('GTC'),
      price,
      displayQuantity: displayQuantity.optional(),
      postOnly: z.boolean().default(false).describe('Refuses the order rather than let it trade at once.'),
      ...resting,
    })
    .check(refuseContradiction),
  z.strictObject({
    ...common,
    type: z.literal('market'),
    timeInForce: z.enum(['IOC', 'FOK'], 'must be IOC or FOK: a market order never rests').default('IOC'),
  }),
  z
    .strictObject({
      ...common,
      type: z.literal('stop'),
      timeInForce: z.enum(['GTC', 'GTD', 'DAY'], 'must be GTC, GTD or DAY: a stop order waits').default('GTC'),
      stopPrice,
      ...resting,
    })
    .check(refuseContradiction),
  z
    .strictObject({
      ...common,
      type: z.literal('stop-limit'),
      timeInForce: z.enum(['GTC', 'GTD', 'DAY'], 'must be GTC, GTD or DAY: a stop order waits').default('GTC'),
      price,
      stopPrice,
      displayQuantity: displayQuantity.optional(),
      ...resting,
    })
    .check(refuseContradiction),
]);
export type PlaceOrderBody = z.output<typeof placeOrderBody>;

/** Headers, of which only what the routes know is looked at. */
export const idempotencyHeaders = z.looseObject({
  'idempotency-key': z
    .string()
    .regex(
      /^([\x21\x23-\x7e]{1,64}|"[\x21\x23-\x7e]{1,64}")$/,
      'must be 1 to 64 printable ASCII characters without spaces, in quotes or not',
    )
    .optional()
    .describe('clientOrderId of an order whose body has none.'),
});

export const replaceOrderBody = z
  .strictObject({
    price: price.optional(),
    quantity: positiveDecimal.describe('The new total quantity, what is filled already included.').optional(),
    stopPrice: stopPrice.optional(),
  })
  .refine((body) => Object.values(body).some((value) => value !== undefined), {
    message: 'must be there, or quantity, or stopPrice: say what to change',
    path: ['price'],
  });
export type ReplaceOrderBody = z.output<typeof replaceOrderBody>;

export const ORDER_STATUSES = ['open', 'filled', 'cancelled', 'pending'] as const;
export const orderSchema = z.object({
  id: z.string().meta({ example: '42' }),
  sequence: z.int().describe('Place of the order in the one order of all commands.'),
  symbol: z.string(),
  account: z.string(),
  side: z.enum(['buy', 'sell']),
  type: z.enum(['limit', 'market', 'stop', 'stop-limit']),
  timeInForce: z.enum(['GTC', 'IOC', 'FOK', 'GTD', 'DAY']),
  price: decimal.optional(),
  stopPrice: decimal.optional(),
  displayQuantity: decimal.optional(),
  expiresAt: z.string().optional(),
  postOnly: z.boolean().optional().describe('Absent for false.'),
  selfTradePrevention: z.enum(SELF_TRADE_MODES).optional().describe('Absent for none.'),
  quantity: decimal.describe('Filled and remaining quantity together.'),
  filledQuantity: decimal,
  remainingQuantity: decimal.describe('What is left of it; of a cancelled order, what was left.'),
  status: z.enum(ORDER_STATUSES).describe('pending: a stop order that waits for its price.'),
  reason: z
    .enum([
      'requested',
      'immediate',
      'not-fillable',
      'self-trade',
      'expired',
      'day-end',
      'mass-cancel',
      'kill-switch',
      'disconnected',
      'interrupted',
    ])
    .optional()
    .describe('Why the order is as it is, where there is something to say.'),
  clientOrderId: z.string().optional(),
  createdAt: z.string().describe('RFC 3339, UTC.'),
  updatedAt: z.string().describe('Time of the last change.'),
});
export type OrderView = z.output<typeof orderSchema>;

export const fillSchema = z.object({
  sequence: z.int().describe('Sequence of the command that caused the fill: of the taker, where that has just arrived.'),
  index: z.int().describe('Place among the fills of that command, from 0.'),
  symbol: z.string(),
  price: decimal,
  quantity: decimal,
  makerOrderId: z.string(),
  takerOrderId: z.string(),
  takerSide: z.enum(['buy', 'sell']),
  executedAt: z.string().describe('RFC 3339, UTC.'),
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

/** Ids in the answer to a mass cancel, at most; the others are read at /v1/orders. */
export const massCancelAnswerSchema = z.object({
  count: z.int().describe('Orders that were cancelled.'),
  ids: z.array(z.string()).describe('Their ids, rising, the first 1000 of them.'),
});
export type MassCancelAnswer = z.output<typeof massCancelAnswerSchema>;

export const TRADING_STATES = ['trading', 'pre-open', 'auction', 'halted', 'closed'] as const;
export const state = z.enum(TRADING_STATES);
export const levelSchema = z.object({ price: decimal, quantity: decimal, orders: z.int() });
export const bookSchema = z.object({
  symbol: z.string(),
  sequence: z.int(),
  state,
  bids: z.array(levelSchema),
  asks: z.array(levelSchema),
});
export type BookView = z.output<typeof bookSchema>;

const instrumentSchema = z.object({
  symbol: z.string(),
  tickSize: decimal,
  lotSize: decimal,
  state,
  until: z.string().optional().describe('When the state ends by itself. Absent: it does not.'),
  lastPrice: decimal.optional(),
  indication: z
    .object({
      price: decimal.nullable().describe('null while nothing would trade.'),
      quantity: decimal,
      imbalance: decimal,
      imbalanceSide: z.enum(['buy', 'sell']).nullable(),
    })
    .optional()
    .describe('In pre-open and auction: what an auction would do now.'),
});
export type InstrumentView = z.output<typeof instrumentSchema>;
export const instrumentsSchema = z.object({ instruments: z.array(instrumentSchema) });

const positionSchema = z.object({
  account: z.string(),
  symbol: z.string(),
  quantity: decimal.describe('Negative when short.'),
  averagePrice: decimal.describe('Of what is held, to a thousandth of a tick.'),
});
export type PositionView = z.output<typeof positionSchema>;
export const positionsAnswerSchema = z.object({
  positions: z.array(positionSchema),
  next: z.string().nullable().describe('Value of `after` for the next page; null at the end.'),
});

export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string().meta({ example: 'HFT_PRICE_OFF_TICK' }),
    number: z.int().optional().describe('The same for machines, where a command was refused: the number that binary protocols carry.'),
    field: z.string().optional().describe('The field of the request that is wrong.'),
    requestId: z.string().optional().describe('`x-request-id` of the request.'),
  })
  .describe('RFC 9457 problem details. `code` is stable.');
export type ProblemView = z.output<typeof problemSchema>;

/** Whole numbers in a query string, without the other things that Number() takes. */
export const count = (max: number, preset: number): z.ZodType<number, string | undefined> =>
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
  status: z.enum(ORDER_STATUSES).optional(),
  after: orderId.optional().describe('Orders with greater ids only.'),
  limit: count(MAX_PAGE, 100),
});
const fillPlace = z.string().regex(/^[0-9]{1,16}\.[0-9]{1,9}$/, 'must be SEQUENCE.INDEX of a fill');
export const fillsQuery = z.strictObject({
  after: fillPlace.optional().describe('Fills after this one only, as SEQUENCE.INDEX.'),
  limit: count(MAX_PAGE, 100),
});
export const tradesQuery = z.strictObject({
  before: fillPlace.optional().describe('Fills before this one only, as SEQUENCE.INDEX.'),
  limit: count(MAX_PAGE, 100),
});
export const positionsQuery = z.strictObject({
  account: account.optional(),
  after: z
    .string()
    .regex(/^[0-9]{1,10}\.[0-9]{1,4}$/, 'must be `next` of the page before')
    .optional()
    .describe('`next` of the page before.'),
  limit: count(MAX_PAGE, 100),
});
export const massCancelQuery = z.strictObject({ account, symbol: symbol.optional() });
export const bookQuery = z.strictObject({ depth: count(MAX_DEPTH, 10) });

/** Bodies and answers of the admin calls that trade. */
export const setStateBody = z.strictObject({ state });
export const killSwitchBody = z.strictObject({
  account: account.optional().describe('Absent: all accounts.'),
  on: z.boolean(),
});
export const snapshotAnswerSchema = z.object({ sequence: z.int(), stateHash: z.string(), openOrders: z.int() });
