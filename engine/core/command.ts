/**
 * A command as it crosses threads and disks: one slot of 64 bytes, or two when it has a stop price, a displayed quantity or an expiry. All fields
 * are little-endian (so are the machines this runs on; `command.test.ts` sees to it). 32-bit words and doubles of a slot:
 *
 *     word 0   kind | side << 8 | type << 16 | timeInForce << 24
 *     word 1   flags | (state, reason or on) << 8
 *     word 2   instrument (ALL_INSTRUMENTS for all)
 *     word 3   account, unsigned
 *     double 2 timestampMicros
 *     double 3 priceTicks                  (SET_VOLATILITY: bandPercent)
 *     double 4 quantityLots                (SET_VOLATILITY: windowMicros)
 *     double 5 orderId                     (SET_VOLATILITY: haltMicros)
 *     double 6 or words 12, 13: the client order id's two words; REPLACE_ORDER: expectedLots; SET_VOLATILITY: auctionMicros
 *     word 14  session, unsigned
 *     word 15  number of the principal that sent it, 0 for the engine itself: for the audit, the core looks at it nowhere
 *     second slot: double 8 stopTicks, double 9 displayLots, double 10 expiryMicros, the rest 0
 *
 * Kind 0 is no command: a filler, where two slots would not fit before the end of a ring.
 */
import { CommandSlots, SLOT_BYTES, SLOT_WORDS } from './command-slots.ts';
import {
  ADVANCE_TIME,
  CANCEL_ORDER,
  KILL_SWITCH,
  MASS_CANCEL,
  NEW_ORDER,
  REPLACE_ORDER,
  SET_STATE,
  SET_VOLATILITY,
  type Command,
  type MassCancel,
  type OrderType,
  type SelfTrade,
  type Side,
  type TimeInForce,
  type TradingState,
} from './types.ts';

export { CommandSlots, SLOT_BYTES, SLOT_WORDS };

/** Flags of word 1. */
export const POST_ONLY = 1;
/** Three bits: the self-trade mode. */
export const SELF_TRADE_SHIFT = 1;
export const SELF_TRADE_MASK = 7;
/** A second slot follows. */
export const WIDE = 16;
/** Number of the principal: for the audit, the core looks at it nowhere. */
export const PRINCIPAL_WORD = 15;
/** State, reason or on, in word 1. */
export const DETAIL_SHIFT = 8;

/** Words that the command at `at` takes: of one slot or two. */
export function commandWords(slots: CommandSlots, at: number): number {
  return ((slots.words[at + 1] as number) & WIDE) === 0 ? SLOT_WORDS : 2 * SLOT_WORDS;
}

/** Writes a command; gives the words it takes. Two slots must be free. */
export function encodeCommand(slots: CommandSlots, at: number, timestampMicros: number, command: Command): number {
  const { words, doubles } = slots;
  const half = at >> 1;
  words.fill(0, at, at + 2 * SLOT_WORDS);
  words[at] = command.kind;
  doubles[half + 2] = timestampMicros;
  switch (command.kind) {
    case NEW_ORDER: {
      words[at] = command.kind | (command.side << 8) | (command.type << 16) | (command.timeInForce << 24);
      const { stopTicks = 0, displayLots = 0, expiryMicros = 0 } = command;
      const wide = stopTicks !== 0 || displayLots !== 0 || expiryMicros !== 0;
      words[at + 1] = (command.postOnly === true ? POST_ONLY : 0) | ((command.selfTrade ?? 0) << SELF_TRADE_SHIFT) | (wide ? WIDE : 0);
      words[at + 2] = command.instrument;
      words[at + 3] = command.account;
      doubles[half + 3] = command.priceTicks;
      doubles[half + 4] = command.quantityLots;
      words[at + 12] = command.clientIdLow ?? 0;
      words[at + 13] = command.clientIdHigh ?? 0;
      words[at + 14] = command.session ?? 0;
      doubles[half + 8] = stopTicks;
      doubles[half + 9] = displayLots;
      doubles[half + 10] = expiryMicros;
      break;
    }
    case CANCEL_ORDER:
      words[at + 3] = command.account;
      doubles[half + 5] = command.orderId;
      break;
    case REPLACE_ORDER: {
      const { stopTicks = 0 } = command;
      words[at + 1] = stopTicks === 0 ? 0 : WIDE;
      words[at + 3] = command.account;
      doubles[half + 3] = command.priceTicks;
      doubles[half + 4] = command.quantityLots;
      doubles[half + 5] = command.orderId;
      doubles[half + 6] = command.expectedLots ?? 0;
      doubles[half + 8] = stopTicks;
      break;
    }
    case MASS_CANCEL:
      words[at + 1] = command.reason << DETAIL_SHIFT;
      words[at + 2] = command.instrument;
      words[at + 3] = command.account;
      words[at + 14] = command.session;
      break;
    case SET_STATE:
      words[at + 1] = command.state << DETAIL_SHIFT;
      words[at + 2] = command.instrument;
      break;
    case SET_VOLATILITY:
      words[at + 2] = command.instrument;
      doubles[half + 3] = command.bandPercent;
      doubles[half + 4] = command.windowMicros;
      doubles[half + 5] = command.haltMicros;
      doubles[half + 6] = command.auctionMicros;
      break;
    case KILL_SWITCH:
      words[at + 1] = (command.on ? 1 : 0) << DETAIL_SHIFT;
      words[at + 3] = command.account;
      break;
    case ADVANCE_TIME:
      break;
  }
  return commandWords(slots, at);
}

/** Reads a command back. Fields that were left out come as 0 or false. Throws RangeError on a kind that is not known. */
export function decodeCommand(slots: CommandSlots, at: number): Command {
  const { words, doubles } = slots;
  const half = at >> 1;
  const head = words[at] as number;
  const flags = words[at + 1] as number;
  const detail = (flags >>> DETAIL_SHIFT) & 0xff;
  const instrument = words[at + 2] as number;
  const account = (words[at + 3] as number) >>> 0;
  const wide = (flags & WIDE) !== 0;
  const kind = head & 0xff;
  switch (kind) {
    case NEW_ORDER:
      return {
        kind,
        instrument,
        account,
        side: ((head >>> 8) & 0xff) as Side,
        type: ((head >>> 16) & 0xff) as OrderType,
        timeInForce: (head >>> 24) as TimeInForce,
        priceTicks: doubles[half + 3] as number,
        quantityLots: doubles[half + 4] as number,
        stopTicks: wide ? doubles[half + 8] : 0,
        displayLots: wide ? doubles[half + 9] : 0,
        expiryMicros: wide ? doubles[half + 10] : 0,
        postOnly: (flags & POST_ONLY) !== 0,
        selfTrade: ((flags >>> SELF_TRADE_SHIFT) & SELF_TRADE_MASK) as SelfTrade,
        session: (words[at + 14] as number) >>> 0,
        clientIdLow: words[at + 12] as number,
        clientIdHigh: words[at + 13] as number,
      };
    case CANCEL_ORDER:
      return { kind, account, orderId: doubles[half + 5] as number };
    case REPLACE_ORDER:
      return {
        kind,
        account,
        orderId: doubles[half + 5] as number,
        priceTicks: doubles[half + 3] as number,
        quantityLots: doubles[half + 4] as number,
        stopTicks: wide ? doubles[half + 8] : 0,
        expectedLots: doubles[half + 6] as number,
      };
    case MASS_CANCEL:
      return { kind, instrument, account, session: (words[at + 14] as number) >>> 0, reason: detail as MassCancel['reason'] };
    case SET_STATE:
      return { kind, instrument, state: detail as TradingState };
    case SET_VOLATILITY:
      return {
        kind,
        instrument,
        bandPercent: doubles[half + 3] as number,
        windowMicros: doubles[half + 4] as number,
        haltMicros: doubles[half + 5] as number,
        auctionMicros: doubles[half + 6] as number,
      };
    case KILL_SWITCH:
      return { kind, account, on: detail !== 0 };
    case ADVANCE_TIME:
      return { kind };
    default:
      throw new RangeError(`a command of kind ${kind} is not known`);
  }
}
