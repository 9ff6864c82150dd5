/** How an engine protects itself: its circuit breakers, load shedding, and what one address or user may hold. */
import { z } from 'zod';

const whole = (least: number, most: number, preset: number, what: string) =>
  z.int().min(least).max(most).describe(`${what} ${preset} when it is not there.`).default(preset);

const protectionFields = z.strictObject({
  breakerPercent: whole(1, 100, 50, 'A circuit breaker opens when this part of what it counts failed or was slow.'),
  breakerCalls: whole(1, 100_000, 10, 'It judges nothing before it has counted so many within ten seconds.'),
  breakerOpenMs: whole(
    10,
    60_000,
    1000,
    'How long it stays open before it lets some through to try; twice as long after each try that fails, ten seconds at most.',
  ),
  slowCommitMs: whole(1, 60_000, 500, 'A commit that takes longer counts as slow.'),
  commitTimeoutMs: whole(
    10,
    60_000,
    2000,
    'When nothing is committed for so long although something waits, new orders are refused at once.',
  ),
  slowQueryMs: whole(1, 60_000, 1000, 'An answer of the read models that takes longer counts as slow.'),
  shedOrdersDelayMs: whole(1, 60_000, 300, 'New orders are refused while every turn of the event loop takes longer than this.'),
  shedQueriesDelayMs: whole(1, 60_000, 150, 'Queries are refused while every turn of the event loop takes longer than this.'),
  shedFillPercent: whole(
    1,
    100,
    90,
    'New orders are refused while the ring of the journal, or that of the answers, is filled to more than this.',
  ),
  connectionsPerAddress: whole(1, 10_000, 2000, 'Connections of one address to each port; of 10,000 in all.'),
  streamsPerUser: whole(1, 10_000, 100, 'Order streams over gRPC that one user may have open.'),
  failedTokensPerSecond: whole(1, 1_000_000, 50, 'Tokens that are not accepted, of one address: above that no unknown token is looked at.'),
  failedTokensBurst: whole(1, 1_000_000, 2000, 'Such tokens at once.'),
});
export type Protection = z.output<typeof protectionFields>;

export const PROTECTION_DEFAULTS: Protection = protectionFields.parse({});

const { shape } = protectionFields;
/** Without its defaults: a configuration that names none of them stays as it was before there were any. */
export const protectionSchema = z.strictObject({
  breakerPercent: shape.breakerPercent.unwrap().optional(),
  breakerCalls: shape.breakerCalls.unwrap().optional(),
  breakerOpenMs: shape.breakerOpenMs.unwrap().optional(),
  slowCommitMs: shape.slowCommitMs.unwrap().optional(),
  commitTimeoutMs: shape.commitTimeoutMs.unwrap().optional(),
  slowQueryMs: shape.slowQueryMs.unwrap().optional(),
  shedOrdersDelayMs: shape.shedOrdersDelayMs.unwrap().optional(),
  shedQueriesDelayMs: shape.shedQueriesDelayMs.unwrap().optional(),
  shedFillPercent: shape.shedFillPercent.unwrap().optional(),
  connectionsPerAddress: shape.connectionsPerAddress.unwrap().optional(),
  streamsPerUser: shape.streamsPerUser.unwrap().optional(),
  failedTokensPerSecond: shape.failedTokensPerSecond.unwrap().optional(),
  failedTokensBurst: shape.failedTokensBurst.unwrap().optional(),
});

/** What holds, with the defaults of what `given` does not name. */
export function protectionOf(given: z.output<typeof protectionSchema> | undefined): Protection {
  return protectionFields.parse(given ?? {});
}
