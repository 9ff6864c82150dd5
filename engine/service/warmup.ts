/** Runs synthetic commands through a scratch core, so that the first real ones meet compiled code, and measures what one costs then. */
import { createHistogram } from 'node:perf_hooks';
import { setImmediate as nextTick } from 'node:timers/promises';
import { CommandSlots, encodeCommand, SLOT_BYTES } from '../core/command.ts';
import { MatchingCore } from '../core/core.ts';
import {
  ALLOW,
  ANY_ACCOUNT,
  BUY,
  CANCEL_BOTH,
  CANCEL_NEWEST,
  CANCEL_OLDEST,
  CANCEL_ORDER,
  DAY,
  DECREMENT,
  FOK,
  GTC,
  IOC,
  LIMIT,
  MARKET,
  NEW_ORDER,
  REPLACE_ORDER,
  SELL,
  STOP,
  STOP_LIMIT,
  type Command,
} from '../core/types.ts';
import { EventBuffer } from './event-buffer.ts';

const CHUNK = 2000;
/** Far below what the core expects to hold: the scratch core must cost little memory. */
const OPTIONS = { clientIds: 1024 };
const MIDDLE_TICKS = 10_000;
const SELF_TRADE_MODES = [ALLOW, CANCEL_NEWEST, CANCEL_OLDEST, CANCEL_BOTH, DECREMENT] as const;

/** Applies `orders` commands, fewer when `signal` is aborted meanwhile; the 99th percentile is that of the second half. */
export async function warmUp(orders: number, signal: AbortSignal): Promise<{ orders: number; p99Micros: number }> {
  const core = new MatchingCore(OPTIONS);
  core.setInstrument(0, {
    tradable: true,
    maxOrderLots: 1e9,
    maxNotional: 10n ** 18n,
    priceBandPercent: 50,
    maxPositionLots: 1e12,
    maxOpenNotional: 1e18,
  });
  core.setAccountRules({ maxOpenOrders: 1e6 });
  const slots = new CommandSlots(new ArrayBuffer(2 * SLOT_BYTES));
  const events = new EventBuffer();
  const histogram = createHistogram();
  let random = 1;
  for (let count = 1; count <= orders; count += 1) {
    random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
    encodeCommand(slots, 0, count, synthetic(random, core.sequence + 1));
    const startMs = performance.now();
    events.clear();
    core.submit(slots, 0, events);
    const nanos = Math.round((performance.now() - startMs) * 1e6);
    if (count > orders / 2) histogram.record(Math.max(1, nanos));
    if (count % CHUNK === 0) {
      await nextTick();
      if (signal.aborted) return { orders: count, p99Micros: 0 };
    }
  }
  return { orders, p99Micros: histogram.percentile(99) / 1000 };
}

/** Mostly limit orders that rest, trade, are replaced and are cancelled around one price; some of everything else. */
function synthetic(random: number, sequence: number): Command {
  const kind = random >>> 27;
  const orderId = Math.max(1, sequence - ((random >>> 8) % 500));
  const side = (random >>> 20) % 2 === 0 ? BUY : SELL;
  const priceTicks = MIDDLE_TICKS + ((random >>> 10) % 100) - (side === BUY ? 60 : 40);
  const quantityLots = 1 + (random % 100);
  if (kind < 10) return { kind: CANCEL_ORDER, orderId, account: ANY_ACCOUNT };
  if (kind < 12) return { kind: REPLACE_ORDER, orderId, account: ANY_ACCOUNT, priceTicks, quantityLots };
  const order = {
    kind: NEW_ORDER,
    instrument: 0,
    account: (random >>> 4) % 16,
    side,
    quantityLots,
    selfTrade: SELF_TRADE_MODES[(random >>> 6) % SELF_TRADE_MODES.length],
  } as const;
  const stopTicks = MIDDLE_TICKS + (side === BUY ? 1 : -1) * ((random >>> 10) % 50);
  switch (kind) {
    case 12:
      return { ...order, type: MARKET, timeInForce: IOC, priceTicks: 0 };
    case 13:
      return { ...order, type: LIMIT, timeInForce: FOK, priceTicks };
    case 14:
      return { ...order, type: LIMIT, timeInForce: DAY, priceTicks, displayLots: 1 + (quantityLots >> 2) };
    case 15:
      return { ...order, type: STOP, timeInForce: GTC, priceTicks: 0, stopTicks };
    case 16:
      return { ...order, type: STOP_LIMIT, timeInForce: GTC, priceTicks: stopTicks, stopTicks };
    default:
      return {
        ...order,
        type: LIMIT,
        timeInForce: GTC,
        priceTicks,
        postOnly: kind === 17,
        clientIdLow: random | 0,
        clientIdHigh: sequence,
      };
  }
}
