/** The words of a state (docs/matching.md), and what they hold for rows: the open orders, and the oldest client order id that is still remembered. */
import type { MatchingCore } from '../core/core.ts';
import { OPEN, PENDING, type OrderType, type SelfTrade, type Side, type TimeInForce } from '../core/types.ts';
import type { OrderRecord } from './types.ts';

/** An open order of which only what matching needs is known. */
export type OpenOrder = Omit<
  OrderRecord,
  'clientOrderId' | 'createdAtMicros' | 'updatedAtMicros' | 'quantityLots' | 'filledLots' | 'reason'
>;

const INSTRUMENT_WORDS = 10;
const ORDER_WORDS = 10;
const POSITION_WORDS = 4;
const CLIENT_ID_WORDS = 4;
const END_OF_INSTRUMENTS = -1;
const FIRST_STATE_WORDS = 65_536;
/** Bids, asks, buying stops, selling stops. */
const LISTS = 4;

/** All words of a core's state; outside of the heap, which is bounded for threads. */
export function wordsOf(core: Pick<MatchingCore, 'eachStateWord'>): Float64Array {
  let words = new Float64Array(FIRST_STATE_WORDS);
  let count = 0;
  core.eachStateWord((word) => {
    if (count === words.length) {
      const larger = new Float64Array(count * 2);
      larger.set(words);
      words = larger;
    }
    words[count] = word;
    count += 1;
  });
  return words.subarray(0, count);
}

/** Gives every open order to `visit`. */
export function eachOpenOrder(words: Float64Array, visit: (order: OpenOrder) => void): void {
  walk(words, visit);
}

/** Id of the oldest order whose client order id the core still knows; Infinity when it knows none. */
export function oldestRemembered(words: Float64Array): number {
  const at = walk(words, undefined);
  return (words[at] as number) > 0 ? (words[at + 4] as number) : Infinity;
}

/** Gives the client order ids that the core still knows to `visit`: of an order, as two signed words. */
export function eachClientId(words: Float64Array, visit: (orderId: number, low: number, high: number) => void): void {
  const from = walk(words, undefined);
  const count = words[from] as number;
  for (let at = from + 1; at < from + 1 + count * CLIENT_ID_WORDS; at += CLIENT_ID_WORDS)
    visit(words[at + 3] as number, words[at + 1] as number, words[at + 2] as number);
}

/** Gives where the client order ids begin. */
function walk(words: Float64Array, visit: ((order: OpenOrder) => void) | undefined): number {
  const word = (index: number): number => {
    const found = words[index];
    if (found === undefined) throw new RangeError(`the state ends before word ${index}`);
    return found;
  };
  let at = 4 + word(3);
  while (word(at) !== END_OF_INSTRUMENTS) {
    const instrument = word(at);
    at += INSTRUMENT_WORDS;
    for (let list = 0; list < LISTS; list += 1) {
      const length = word(at);
      at += 1;
      if (visit !== undefined)
        for (let order = 0; order < length; order += 1)
          visit(openOrder(words.subarray(at + order * ORDER_WORDS), instrument, (list & 1) as Side));
      at += length * ORDER_WORDS;
    }
  }
  return at + 2 + word(at + 1) * POSITION_WORDS;
}

function openOrder(words: Float64Array, instrument: number, side: Side): OpenOrder {
  const [id = 0, account = 0, priceTicks = 0, shown = 0, hidden = 0, displayLots = 0, stopTicks = 0, expiryMicros = 0, , packed = 0] =
    words;
  return {
    id,
    account,
    instrument,
    side,
    type: (packed & 7) as OrderType,
    timeInForce: ((packed >> 3) & 7) as TimeInForce,
    postOnly: ((packed >> 6) & 1) as 0 | 1,
    selfTrade: (packed >> 7) as SelfTrade,
    priceTicks,
    stopTicks,
    displayLots,
    expiryMicros,
    remainingLots: shown + hidden,
    status: stopTicks > 0 ? PENDING : OPEN,
  };
}
