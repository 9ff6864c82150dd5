/** A seeded market for workload files: about `resting` orders around a price that wanders, with orders placed, taken and cancelled. */
import { CommandSlots, encodeCommand, SLOT_BYTES } from '../core/command.ts';
import { MatchingCore } from '../core/core.ts';
import { NO_LIMITS, randomWords } from '../core/random-commands.ts';
import { NO_EVENTS, ANY_ACCOUNT, CANCEL_ORDER, GTC, IOC, LIMIT, NEW_ORDER, type Command } from '../core/types.ts';
import { CANCEL_RECORD, GTC_RECORD, IOC_RECORD, type WorkloadRecord } from './workload.ts';

/** A record, and what the core calls its order. */
interface Placed {
  readonly record: WorkloadRecord;
  readonly orderId: number;
}

/** `commands` records; the same seed gives the same records. Ids count from 1, a core keeps count of what rests. */
export function generateWorkload(options: { commands: number; seed: number; resting: number }): WorkloadRecord[] {
  const random = randomWords(options.seed);
  const below = (limit: number): number => random() % limit;
  const core = new MatchingCore();
  core.setInstrument(0, NO_LIMITS);
  const slots = new CommandSlots(new ArrayBuffer(2 * SLOT_BYTES));
  const submit = (command: Command): void => {
    encodeCommand(slots, 0, 0, command);
    core.submit(slots, 0, NO_EVENTS);
  };
  const records: WorkloadRecord[] = [];
  /** Orders that rested when they were placed; many are gone since. */
  const placed: Placed[] = [];
  let midTicks = 100_000;
  while (records.length < options.commands) {
    const id = records.length + 1;
    const kind = below(100);
    if (below(16) === 0) midTicks = Math.max(5000, midTicks + below(3) - 1);
    const full = core.openOrders >= options.resting;
    if (placed.length > 0 && kind < (full ? 60 : 25)) {
      const at = below(placed.length);
      const order = placed[at];
      const last = placed.pop();
      if (order === undefined || last === undefined) continue;
      if (order !== last) placed[at] = last;
      const { record, orderId } = order;
      const known = core.find(orderId) >= 0;
      // One in eight of those that are gone is asked for all the same, and a few by an account that they do not belong to.
      if (!known && below(8) > 0) continue;
      const stolen = below(200) === 0;
      records.push({ ...record, type: CANCEL_RECORD, account: stolen ? record.account + 1 : record.account, quantityLots: 0 });
      if (stolen) placed.push(order);
      else submit({ kind: CANCEL_ORDER, orderId, account: ANY_ACCOUNT });
      continue;
    }
    const ioc = kind >= 90;
    const side = below(2) === 0 ? 0 : 1;
    // Most orders stand close to the market; a tenth of them cross it.
    const distance = Math.floor((below(1000) / 1000) ** 3 * 500) - (ioc || below(10) === 0 ? 6 : 0);
    const record = {
      type: ioc ? IOC_RECORD : GTC_RECORD,
      side,
      account: below(1000),
      priceTicks: midTicks + (side === 0 ? -1 : 1) * (distance + 1),
      quantityLots: 1 + below(100),
      id,
    } as const;
    records.push(record);
    const { account, priceTicks, quantityLots } = record;
    const timeInForce = ioc ? IOC : GTC;
    submit({ kind: NEW_ORDER, instrument: 0, account, side, type: LIMIT, timeInForce, priceTicks, quantityLots });
    if (core.find(core.sequence) >= 0) placed.push({ record, orderId: core.sequence });
  }
  return records;
}
