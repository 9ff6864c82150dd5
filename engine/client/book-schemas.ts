/** The best prices, and every order of a book, as zod. */
import { z } from 'zod';
import { count, decimal, levelSchema, state } from './schemas.ts';

export const bestSchema = z.object({
  symbol: z.string(),
  sequence: z.int(),
  state,
  bid: levelSchema.nullable().describe('null while the side is empty.'),
  ask: levelSchema.nullable(),
  lastPrice: decimal.optional(),
});
export type BestView = z.output<typeof bestSchema>;

/** Orders of each side in one answer, at most. */
const MAX_BOOK_ORDERS = 1000;
export const bookOrdersQuery = z.strictObject({
  limit: count(MAX_BOOK_ORDERS, 100).describe('Orders of each side, at most.'),
});
const bookOrderSchema = z.object({ id: z.string(), price: decimal, quantity: decimal.describe('What is shown of it.') });
export const bookOrdersSchema = z.object({
  symbol: z.string(),
  sequence: z.int(),
  state,
  bids: z.array(bookOrderSchema).describe('In the order in which they would trade.'),
  asks: z.array(bookOrderSchema),
  complete: z.boolean().describe('Whether that is the whole book.'),
});
export type BookOrdersView = z.output<typeof bookOrdersSchema>;
