/** One random history through the core and the naive model. */
import { RandomCommands } from '../core/random-commands.ts';
import { Differential } from './differential.ts';

/** Commands between two comparisons of all that can be seen. */
const BETWEEN_LOOKS = 200;
/** For how many commands a restored core is followed. */
const RESTORED_COMMANDS = 300;
/** In every fourth history, so few that there is often no room for more. */
const FEW_ORDERS = 30;
/** Few, so that the oldest are forgotten. */
const CLIENT_IDS = 16;

/** Sends `count` commands to both; throws at the first difference. */
export function runHistory(seed: number, count: number, instruments: number) {
  const stream = new RandomCommands(seed, instruments);
  const both = new Differential(instruments, {
    firstOrders: 16,
    ...(seed % 4 === 0 ? { mostOrders: FEW_ORDERS } : {}),
    clientIds: CLIENT_IDS,
    rules: stream.firstRules(),
    exactSums: stream.limited,
  });
  const isOpen = (orderId: number): boolean => both.naive.orders.some(({ id }) => id === orderId);
  while (both.submitted < count) {
    both.step(stream.next(both.naive.sequence, both.naive.nextDueMicros, isOpen));
    if (both.submitted % BETWEEN_LOOKS === 0) both.compareAll();
    // At other moments in each history, and never when the one before is still followed.
    const phase = (both.submitted + 101 * seed) % (4 * RESTORED_COMMANDS);
    if (phase === 0) both.restore();
    if (phase === RESTORED_COMMANDS) both.endRestored();
  }
  both.compareAll();
  both.replay();
  return { accepted: both.core.sequence, events: both.events, openOrders: both.core.openOrders, hash: both.core.stateHash() };
}
