/** Commands whose place in a journal can be read from themselves. For tests only. */
import { setImmediate as nextTick } from 'node:timers/promises';
import { commandWords, decodeCommand, encodeCommand } from '../core/command.ts';
import { BUY, CANCEL_ORDER, GTC, NEW_ORDER, STOP, type Command } from '../core/types.ts';
import type { Journal, JournalBatch } from './types.ts';

/** Every third takes two slots. */
function command(sequence: number): Command {
  if (sequence % 3 !== 0) return { kind: CANCEL_ORDER, account: 0, orderId: sequence };
  const terms = { instrument: 0, account: 0, side: BUY, type: STOP, timeInForce: GTC, priceTicks: 0, quantityLots: 5 } as const;
  return { kind: NEW_ORDER, ...terms, stopTicks: sequence };
}

export function push(journal: Journal, first: number, last: number): void {
  for (let sequence = first; sequence <= last; sequence += 1) {
    encodeCommand(journal.ring.slots, journal.ring.at(), sequence, command(sequence));
    journal.ring.push();
    journal.flush();
  }
}

/** Pushes and waits for a tick, after which they are durable where the journal commits inline. */
export async function append(journal: Journal, first: number, last: number): Promise<void> {
  push(journal, first, last);
  await nextTick();
}

/** The numbers of what {@link push} made, as read back. */
export function sequences(batches: readonly JournalBatch[]): number[] {
  return batches.flatMap(({ slots, words }) => {
    const found: number[] = [];
    for (let at = 0; at < words; at += commandWords(slots, at)) {
      const read = decodeCommand(slots, at);
      found.push(read.kind === CANCEL_ORDER ? read.orderId : read.kind === NEW_ORDER ? (read.stopTicks ?? 0) : 0);
    }
    return found;
  });
}

export const upTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1);
