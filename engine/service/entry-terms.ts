/** The commands of the fast way in, from fields that are written over for each to slots (`engine/core/command.ts`). Whatever they say, the core judges. */
import { DETAIL_SHIFT, POST_ONLY, SELF_TRADE_SHIFT, SLOT_WORDS, WIDE, type CommandSlots } from '../core/command.ts';
import { CANCEL_ORDER, MASS, MASS_CANCEL, NEW_ORDER, REPLACE_ORDER } from '../core/types.ts';

/** The terms of a new order. Codes are those of core/types.ts. */
export class EntryOrder {
  instrument = 0;
  /** A byte, as are the next three. */
  side = 0;
  type = 0;
  timeInForce = 0;
  selfTrade = 0;
  postOnly = false;
  priceTicks = 0;
  quantityLots = 0;
  stopTicks = 0;
  displayLots = 0;
  expiryMicros = 0;
  /** 0 for an order that outlives its connection. */
  session = 0;
  /** The client order id as two signed words; both 0 for none. */
  idLow = 0;
  idHigh = 0;
}

/** What a replacement changes: 0 keeps. */
export class EntryReplacement {
  orderId = 0;
  priceTicks = 0;
  stopTicks = 0;
  /** What is to remain. */
  quantityLots = 0;
  /** What must remain now, for the replacement to be accepted; 0 for anything. */
  expectedLots = 0;
}

/** Writes a new order of `account`; with `onlyKnown`, as one that can only be known already and never be accepted. */
export function writeOrder({ words, doubles }: CommandSlots, at: number, account: number, order: EntryOrder, onlyKnown: boolean): void {
  const { stopTicks, displayLots, expiryMicros } = order;
  const half = at >> 1;
  const wide = stopTicks !== 0 || displayLots !== 0 || expiryMicros !== 0;
  words[at] = NEW_ORDER | (order.side << 8) | (order.type << 16) | (order.timeInForce << 24);
  words[at + 1] = (order.postOnly ? POST_ONLY : 0) | (order.selfTrade << SELF_TRADE_SHIFT) | (wide ? WIDE : 0);
  words[at + 2] = order.instrument;
  words[at + 3] = account;
  doubles[half + 3] = order.priceTicks;
  doubles[half + 4] = onlyKnown ? 0 : order.quantityLots;
  doubles[half + 5] = 0;
  words[at + 12] = order.idLow;
  words[at + 13] = order.idHigh;
  words[at + 14] = order.session;
  words[at + 15] = 0;
  if (!wide) return;
  words.fill(0, at + SLOT_WORDS, at + 2 * SLOT_WORDS);
  doubles[half + 8] = stopTicks;
  doubles[half + 9] = displayLots;
  doubles[half + 10] = expiryMicros;
}

export function writeReplacement({ words, doubles }: CommandSlots, at: number, account: number, replacement: EntryReplacement): void {
  const { orderId, priceTicks, quantityLots, stopTicks, expectedLots } = replacement;
  const half = at >> 1;
  words.fill(0, at, at + 2 * SLOT_WORDS);
  words[at] = REPLACE_ORDER;
  words[at + 1] = stopTicks === 0 ? 0 : WIDE;
  words[at + 3] = account;
  doubles[half + 3] = priceTicks;
  doubles[half + 4] = quantityLots;
  doubles[half + 5] = orderId;
  doubles[half + 6] = expectedLots;
  doubles[half + 8] = stopTicks;
}

export function writeCancel({ words, doubles }: CommandSlots, at: number, account: number, orderId: number): void {
  words.fill(0, at, at + SLOT_WORDS);
  words[at] = CANCEL_ORDER;
  words[at + 3] = account;
  doubles[(at >> 1) + 5] = orderId;
}

/** `instrument` may be ALL_INSTRUMENTS. */
export function writeMassCancel({ words }: CommandSlots, at: number, account: number, instrument: number): void {
  words.fill(0, at, at + SLOT_WORDS);
  words[at] = MASS_CANCEL;
  words[at + 1] = MASS << DETAIL_SHIFT;
  words[at + 2] = instrument;
  words[at + 3] = account;
}
