/** Seeded streams of commands that take the book through everything: wandering markets, prices far away, huge quantities, mass cancels. */
import { BUY, CANCEL_ORDER, FOK, GTC, IOC, LIMIT, MARKET, NEW_ORDER, SELL, type Command, type InstrumentRules } from './types.ts';

/** Rules that refuse nothing that can be counted. */
export const NO_LIMITS: InstrumentRules = {
  tradable: true,
  maxOrderLots: Number.MAX_SAFE_INTEGER,
  maxNotional: 2n ** 106n,
  priceBandPercent: 0,
  killSwitch: false,
};

/** A pseudo-random generator (mulberry32): the same seed gives the same numbers from 0 to 2^32 - 1. */
export function randomWords(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let word = Math.imul(state ^ (state >>> 15), state | 1);
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61);
    return (word ^ (word >>> 14)) >>> 0;
  };
}

/** `count` commands for an empty core with `instruments` instruments: command n gets sequence n + 1. */
export function* randomCommands(seed: number, count: number, instruments: number): Generator<Command> {
  const random = randomWords(seed);
  const below = (limit: number): number => random() % limit;
  const mid = Array.from({ length: instruments }, () => 1000 + below(1_000_000));
  let cancels = 25;
  let spread = 50;
  let far = 2;
  for (let sequence = 1; sequence <= count; sequence += 1) {
    if (sequence % 512 === 1) {
      // Another kind of market: calm or wide, filling or emptying.
      cancels = [5, 25, 45, 80][below(4)] ?? 25;
      spread = [3, 50, 2000, 30_000][below(4)] ?? 50;
      far = [0, 2, 30][below(3)] ?? 2;
    }
    const instrument = below(instruments);
    const kind = below(100);
    if (kind < cancels) {
      yield { kind: CANCEL_ORDER, instrument, orderId: Math.max(1, sequence - below(kind % 2 === 0 ? 50 : 5000)) };
      continue;
    }
    const step = below(2001) - 1000;
    if (kind > 97) mid[instrument] = Math.max(1, (mid[instrument] ?? 1) + (kind > 98 ? step * 50 : step));
    const side = below(2) === 0 ? BUY : SELL;
    const market = kind === 97;
    const quantityLots = below(200) === 0 ? Number.MAX_SAFE_INTEGER - below(1000) : 1 + below(100);
    const near = Math.max(1, (mid[instrument] ?? 1) + (side === BUY ? -1 : 1) * (below(spread) - below(1 + (spread >> 3))));
    const distant = 1 + Math.floor(2 ** (below(5300) / 100) - 1);
    yield {
      kind: NEW_ORDER,
      instrument,
      account: below(20) === 0 ? 2 ** 32 - 1 - below(4) : below(8),
      side,
      type: market ? MARKET : LIMIT,
      timeInForce: kind % 10 === 0 || (market && quantityLots % 2 === 0) ? FOK : market || kind % 5 === 0 ? IOC : GTC,
      priceTicks: market ? 0 : below(100) < far ? Math.min(distant, Number.MAX_SAFE_INTEGER) : near,
      quantityLots,
    };
  }
}
