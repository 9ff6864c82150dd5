/** Runs synthetic orders through a scratch core, so that the first real ones meet compiled code, and measures what one costs then. */
import { createHistogram } from 'node:perf_hooks';
import { setImmediate as nextTick } from 'node:timers/promises';
import { MatchingCore } from '../core/core.ts';
import { BUY, CANCEL_ORDER, GTC, IOC, LIMIT, MARKET, NEW_ORDER, SELL, type Command, type EventSink } from '../core/types.ts';

const CHUNK = 2000;
const IGNORE: EventSink = { fill: () => undefined, order: () => undefined };

/** Applies `orders` commands, fewer when `signal` is aborted meanwhile; the 99th percentile is that of the second half. */
export async function warmUp(orders: number, signal: AbortSignal): Promise<{ orders: number; p99Micros: number }> {
  const core = new MatchingCore();
  core.setInstrument(0, { tradable: true, maxOrderLots: 1e9, maxNotional: 10n ** 18n, priceBandPercent: 0, killSwitch: false });
  const histogram = createHistogram();
  let random = 1;
  for (let sequence = 1; sequence <= orders; sequence += 1) {
    random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
    const command = synthetic(random, sequence);
    const start = process.hrtime.bigint();
    if (core.check(command) === 0) core.apply(core.sequence + 1, sequence, command, IGNORE);
    const nanos = process.hrtime.bigint() - start;
    if (sequence > orders / 2) histogram.record(nanos > 0n ? nanos : 1n);
    if (sequence % CHUNK === 0) {
      await nextTick();
      if (signal.aborted) return { orders: sequence, p99Micros: 0 };
    }
  }
  return { orders, p99Micros: histogram.percentile(99) / 1000 };
}

function synthetic(random: number, sequence: number): Command {
  const kind = random >>> 28;
  if (kind < 5) return { kind: CANCEL_ORDER, instrument: 0, orderId: Math.max(1, sequence - ((random >>> 8) % 500)) };
  const side = (random >>> 20) % 2 === 0 ? BUY : SELL;
  const priceTicks = 10_000 + ((random >>> 10) % 100) - (side === BUY ? 60 : 40);
  const market = kind === 5;
  return {
    kind: NEW_ORDER,
    instrument: 0,
    account: (random >>> 4) % 16,
    side,
    type: market ? MARKET : LIMIT,
    timeInForce: market || kind === 6 ? IOC : GTC,
    priceTicks: market ? 0 : priceTicks,
    quantityLots: 1 + (random % 100),
  };
}
