/**
 * Every frame of the WebSocket protocol `hft.binary.v1`, and of its JSON form: the one table from which codecs, docs/frames.md and the tests'
 * decoder in Python come. A type, an offset and a meaning never change; what is new gets a new type.
 *
 * Fields stand in this order, each at the next multiple of its own size; a frame is as long as its fields, up to the next multiple of 8.
 */
import {
  STATUS_VALUES,
  REASON_VALUES,
  SELF_TRADE_VALUES,
  SIDE_VALUES,
  STATE_VALUES,
  TIME_IN_FORCE_VALUES,
  TYPE_VALUES,
} from './websocket-values.ts';

/** `id`: u64 that is 16 hex digits as text. `i64`: a decimal string in JSON, a bigint in code. `u64`: what is over 2^53 - 1 is refused. */
export type FieldType = 'u8' | 'u16' | 'u32' | 'u64' | 'i64' | 'id' | `char${number}`;

export interface Field {
  readonly type: FieldType;
  readonly unit?: string;
  readonly what: string;
  /** Names of its values, from 0. */
  readonly values?: readonly string[];
}

export interface FrameSpec {
  readonly type: number;
  /** Who sends it. */
  readonly from: 'client' | 'server' | 'both';
  readonly what: string;
  /** Bits of the header's flags, from the lowest. */
  readonly flags?: Readonly<Record<string, string>>;
  readonly fields: Readonly<Record<string, Field>>;
}

/** The first 8 bytes of every frame. */
export const HEADER = {
  length: { type: 'u16', unit: 'bytes', what: 'of the whole frame: where the next one of the message begins' },
  type: { type: 'u8', what: 'which frame it is' },
  flags: { type: 'u8', what: 'bits, named with each frame; those without a name are 0' },
  number: {
    type: 'u32',
    what: 'given by the client to each request and repeated in its answers; of a stream the number of the update in it, one more each time (all frames of an update have it, a snapshot that of the update before it); 0 where there is none',
  },
} as const satisfies Record<string, Field>;
export const HEADER_BYTES = 8;

const account = { type: 'u16', what: 'handle of the account on this connection, from an `account` frame' } as const;
const instrument = { type: 'u16', what: 'id of the instrument, from an `instrument` frame' } as const;
const anyInstrument = { type: 'u16', what: 'id of the instrument; 65535 for all' } as const;
const orderId = { type: 'u64', what: 'id of the order' } as const;
const sequence = { type: 'u64', what: 'place of the command in the one order of all commands' } as const;
const timeMicros = { type: 'u64', unit: 'µs since 1970', what: 'time of the command' } as const;
const side = { type: 'u8', what: 'side', values: SIDE_VALUES } as const;
const priceTicks = { type: 'u64', unit: 'ticks', what: 'price' } as const;
const status = { type: 'u8', what: 'what has become of the order', values: STATUS_VALUES } as const;
const reason = { type: 'u8', what: 'why it is as it is', values: REASON_VALUES } as const;
const state = { type: 'u8', what: 'trading state', values: STATE_VALUES } as const;

const newOrder = {
  account,
  instrument,
  side,
  orderType: { type: 'u8', what: 'type of the order', values: TYPE_VALUES },
  timeInForce: { type: 'u8', what: 'how long it lives', values: TIME_IN_FORCE_VALUES },
  selfTrade: { type: 'u8', what: 'what happens instead of a trade with the same account', values: SELF_TRADE_VALUES },
  clientOrderId: {
    type: 'id',
    what: 'makes the order idempotent, for its account; 0 for none. Over HTTP the same id is these 16 hex digits',
  },
  priceTicks: { type: 'u64', unit: 'ticks', what: 'price; 0 for market and stop' },
  quantityLots: { type: 'u64', unit: 'lots', what: 'quantity' },
} as const;
const newOrderFlags = {
  postOnly: 'refuses the order rather than let it trade at once',
  cancelOnDisconnect: 'cancels it when this connection ends',
} as const;
const done = {
  orderId,
  sequence,
  filledLots: { type: 'u64', unit: 'lots', what: 'what this command has filled of it' },
  remainingLots: { type: 'u64', unit: 'lots', what: 'what is left of it, hidden lots included; of a cancelled order, what was left' },
  timeMicros,
  fills: { type: 'u32', what: 'fills of it by this command; the first 1000 follow as `fill` frames, as long as there is room for them' },
  status,
  reason,
} as const;
const ownOrder = {
  orderId,
  sequence,
  timeMicros,
  clientOrderId: { type: 'id', what: 'client order id; 0 for none' },
  priceTicks,
  stopTicks: { type: 'u64', unit: 'ticks', what: 'stop price; 0 for none' },
  remainingLots: { type: 'u64', unit: 'lots', what: 'what is left of it' },
  account,
  instrument,
  side,
  orderType: newOrder.orderType,
  status,
  reason,
} as const;

export const CHANNELS = ['top', 'book', 'orders', 'trades', 'own-orders', 'drop-copy', 'prices'] as const;
const channel = { type: 'u8', what: 'what of it', values: CHANNELS } as const;

export const FRAMES = {
  newOrder: { type: 1, from: 'client', what: 'Place a limit or market order.', flags: newOrderFlags, fields: newOrder },
  newOrderFull: {
    type: 2,
    from: 'client',
    what: 'Place an order of any kind: stop, stop-limit, iceberg, GTD.',
    flags: newOrderFlags,
    fields: {
      ...newOrder,
      stopTicks: { type: 'u64', unit: 'ticks', what: 'stop price; 0 for none' },
      displayLots: { type: 'u64', unit: 'lots', what: 'what an iceberg shows at a time; 0 for all' },
      expiryMicros: { type: 'u64', unit: 'µs since 1970', what: 'end of a GTD order; else 0' },
    },
  },
  replace: {
    type: 3,
    from: 'client',
    what: 'Change an order that rests or waits.',
    fields: {
      account,
      orderId,
      priceTicks: { type: 'u64', unit: 'ticks', what: 'new price; 0 keeps it' },
      quantityLots: { type: 'u64', unit: 'lots', what: 'what is to remain from now on (not the total); 0 keeps it' },
      stopTicks: { type: 'u64', unit: 'ticks', what: 'new stop price; 0 keeps it' },
      expectedLots: { type: 'u64', unit: 'lots', what: 'refuse (19, stale) unless this remains now; 0 for anything' },
    },
  },
  cancel: { type: 4, from: 'client', what: 'Cancel an order.', fields: { account, orderId } },
  massCancel: { type: 5, from: 'client', what: 'Cancel all orders of an account.', fields: { account, instrument: anyInstrument } },
  useAccount: {
    type: 6,
    from: 'client',
    what: 'Ask for the handle of an account that `welcome` did not list: for principals of all accounts.',
    fields: { name: { type: 'char32', what: 'name of the account' } },
  },
  subscribe: {
    type: 8,
    from: 'client',
    what: 'Ask for a stream.',
    fields: {
      fromSequence: { type: 'u64', what: 'last sequence that the client knows, to get what it missed; 0 to begin with a snapshot' },
      instrument: anyInstrument,
      depth: { type: 'u16', what: 'levels of a side; 0 for all' },
      account: { type: 'u16', what: 'handle of the account, for own-orders; else 0' },
      channel,
    },
  },
  unsubscribe: { type: 9, from: 'client', what: 'End a stream.', fields: { instrument: anyInstrument, account, channel } },
  heartbeat: {
    type: 16,
    from: 'both',
    what: 'The sender lives. Send one when nothing else was sent for the interval of `welcome`; who hears nothing for three of them closes.',
    fields: { timeMicros: { type: 'u64', unit: 'µs since 1970', what: 'clock of the sender' } },
  },
  welcome: {
    type: 32,
    from: 'server',
    what: 'First frame of a connection; `account` frames for the accounts of the principal (none when it has all) and `instrument` frames follow in the same message.',
    flags: { allAccounts: 'the principal may use every account: ask for handles by `use-account`' },
    fields: {
      sequence: { type: 'u64', what: 'last durable sequence' },
      timeMicros: { type: 'u64', unit: 'µs since 1970', what: 'clock of the engine' },
      heartbeatMs: { type: 'u32', unit: 'ms', what: 'interval of heartbeats' },
      mostMessageBytes: { type: 'u32', unit: 'bytes', what: 'longest message that is taken' },
      accounts: { type: 'u16', what: '`account` frames that follow' },
      instruments: { type: 'u16', what: '`instrument` frames that follow' },
      subject: { type: 'char64', what: 'the principal, as its token says' },
    },
  },
  account: {
    type: 33,
    from: 'server',
    what: 'The handle of an account on this connection.',
    fields: { account: { type: 'u16', what: 'handle' }, name: { type: 'char32', what: 'name' } },
  },
  instrument: {
    type: 34,
    from: 'server',
    what: 'An instrument.',
    fields: {
      instrument: { type: 'u16', what: 'id' },
      state,
      symbol: { type: 'char16', what: 'symbol' },
      tickSize: { type: 'char32', what: 'price of one tick, a decimal' },
      lotSize: { type: 'char32', what: 'quantity of one lot, a decimal' },
    },
  },
  placed: {
    type: 35,
    from: 'server',
    what: 'An order was accepted; it is durable.',
    flags: {
      duplicate:
        'its clientOrderId had been accepted before: orderId is that order, and all other fields but sequence and timeMicros are 0',
    },
    fields: done,
  },
  replaced: { type: 36, from: 'server', what: 'An order was changed; that is durable.', fields: done },
  cancelled: { type: 37, from: 'server', what: 'An order was cancelled; that is durable.', fields: done },
  massCancelled: {
    type: 38,
    from: 'server',
    what: 'The orders of an account were cancelled; that is durable.',
    fields: { sequence, count: { type: 'u32', what: 'orders that were cancelled' } },
  },
  rejected: {
    type: 39,
    from: 'server',
    what: 'A request was refused. Nothing was changed or recorded.',
    fields: {
      reject: { type: 'u16', what: 'why: see the numbers below' },
      retryAfterMs: { type: 'u32', unit: 'ms', what: 'of a rate (21), how long to wait until the next is taken; else 0' },
    },
  },
  fill: {
    type: 40,
    from: 'server',
    what: 'A fill of an order of this connection or account.',
    flags: { taker: 'the order was the one that arrived' },
    fields: {
      orderId,
      sequence,
      priceTicks,
      quantityLots: { type: 'u64', unit: 'lots', what: 'quantity of this fill' },
      remainingLots: { type: 'u64', unit: 'lots', what: 'what is left of the order after it' },
      timeMicros,
      index: { type: 'u32', what: 'place among the fills of the command, from 0' },
      instrument,
    },
  },
  orderUpdate: {
    type: 41,
    from: 'server',
    what: 'Streams own-orders and drop-copy: an order is now so.',
    flags: { snapshot: 'one of those that were open when the stream began' },
    fields: ownOrder,
  },
  error: {
    type: 42,
    from: 'server',
    what: 'The connection is closed for this: nothing follows. What was sent and not answered may or may not have been taken.',
    fields: { code: { type: 'u16', what: 'close code of the WebSocket' }, text: { type: 'char116', what: 'why' } },
  },
  subscribed: {
    type: 43,
    from: 'server',
    what: 'A stream begins.',
    fields: {
      sequence: { type: 'u64', what: 'last durable sequence' },
      instrument: anyInstrument,
      depth: { type: 'u16', what: 'levels' },
      account,
      channel,
    },
  },
  top: {
    type: 64,
    from: 'server',
    what: 'Level 1: the best prices of an instrument.',
    fields: {
      sequence,
      bidTicks: { type: 'u64', unit: 'ticks', what: 'best bid; 0 for none' },
      bidLots: { type: 'u64', unit: 'lots', what: 'what is shown there' },
      askTicks: { type: 'u64', unit: 'ticks', what: 'best ask; 0 for none' },
      askLots: { type: 'u64', unit: 'lots', what: 'what is shown there' },
      instrument,
      state,
    },
  },
  book: {
    type: 65,
    from: 'server',
    what: 'Level 2: `level` frames follow, of one command or of a whole book.',
    flags: { snapshot: 'the levels are all there are: forget those before' },
    fields: { sequence, levels: { type: 'u32', what: '`level` frames that follow' }, instrument, state },
  },
  level: {
    type: 66,
    from: 'server',
    what: 'A price level as it is from now on.',
    fields: {
      priceTicks,
      quantityLots: { type: 'u64', unit: 'lots', what: 'what is shown; 0: the level is gone' },
      orders: { type: 'u32', what: 'orders of the level' },
      instrument,
      side,
    },
  },
  bookOrder: {
    type: 67,
    from: 'server',
    what: 'Level 3: an order in the book as it is from now on.',
    flags: { snapshot: 'one of those that the book held when the stream began', first: 'forget what was known of the instrument' },
    fields: {
      orderId,
      sequence,
      priceTicks,
      quantityLots: { type: 'u64', unit: 'lots', what: 'what is shown of it; 0: it is gone' },
      instrument,
      side,
    },
  },
  trade: {
    type: 68,
    from: 'server',
    what: 'A trade.',
    fields: {
      sequence,
      timeMicros,
      priceTicks,
      quantityLots: { type: 'u64', unit: 'lots', what: 'quantity' },
      makerOrderId: { type: 'u64', what: 'order that rested' },
      takerOrderId: { type: 'u64', what: 'order that arrived' },
      index: { type: 'u32', what: 'place among the fills of the command, from 0' },
      instrument,
      takerSide: { type: 'u8', what: 'side of the taker; none: of an auction', values: [...SIDE_VALUES, 'none'] },
    },
  },
  state: {
    type: 69,
    from: 'server',
    what: 'The trading state of an instrument.',
    fields: {
      sequence,
      untilMicros: { type: 'u64', unit: 'µs since 1970', what: 'when it ends by itself; 0 for never' },
      auctionTicks: { type: 'u64', unit: 'ticks', what: 'price of the auction that has ended; 0 for none' },
      instrument,
      state,
    },
  },
  gap: {
    type: 70,
    from: 'server',
    what: 'The stream could not be kept up, or cannot be filled: what lies between is missing, a snapshot follows.',
    fields: {
      fromSequence: { type: 'u64', what: 'last sequence before what is missing' },
      toSequence: { type: 'u64', what: 'last sequence that is missing' },
      instrument: anyInstrument,
      channel,
    },
  },
} as const satisfies Record<string, FrameSpec>;
export type FrameName = keyof typeof FRAMES;

/** Messages of the sub-protocol `hft.prices.v1` are made of these alone, without headers: 32 bytes for each trade. */
export const PRICE_UPDATE = {
  symbol: { type: 'char8', what: 'first 8 characters of the symbol, filled up with 0' },
  price: { type: 'u64', unit: 'ticks', what: 'price of the trade' },
  volume: { type: 'u64', unit: 'lots', what: 'quantity of the trade' },
  timeNanos: { type: 'i64', unit: 'ns since 1970', what: 'time of the trade' },
} as const satisfies Record<string, Field>;
