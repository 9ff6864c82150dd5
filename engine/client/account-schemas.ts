/** What an account may do, and how much of it is used, as zod. */
import { z } from 'zod';
import { account, decimal } from './schemas.ts';

export const accountParams = z.strictObject({ account });

const limit = decimal.nullable().describe('null: no limit.');
export const accountLimitsSchema = z.object({
  account: z.string(),
  sequence: z.int().describe('What is used is as of this sequence.'),
  rate: z.object({
    ordersPerSecond: z.int(),
    burst: z.int(),
    available: z.int().describe('Orders that could be sent at once now.'),
  }),
  killSwitch: z.object({ all: z.boolean(), account: z.boolean() }),
  openOrders: z.object({ limit: z.int().nullable(), used: z.int() }),
  order: z
    .object({
      maxQuantity: decimal,
      maxNotional: decimal,
      priceBandPercent: z.int().nullable().describe('Distance of a limit price from the last trade. null: no band.'),
    })
    .describe('Of one order.'),
  instruments: z
    .array(
      z.object({
        symbol: z.string(),
        position: z.object({
          limit,
          held: decimal.describe('Negative when short.'),
          ifBought: decimal.describe('With all open buys filled.'),
          ifSold: decimal.describe('With all open sells filled.'),
        }),
        openNotional: z.object({ limit, used: decimal }),
      }),
    )
    .describe('In which the account has a position or open orders.'),
});
export type AccountLimits = z.output<typeof accountLimitsSchema>;
